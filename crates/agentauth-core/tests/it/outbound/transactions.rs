//! A transaction on its way to the next server, and what it leaves of what is passed on.

use agentauth_core::AgentAuth;
use agentauth_core::token::{TXN_TOKEN, TransactionTokens};
use http::Request;

use super::*;
use crate::profiles::typed;
use crate::support::court::Key;

const DOMAIN: &str = "court.example";

/// A server that takes transaction tokens, and passes on what its callers hold.
struct Server {
    court: Court,
    sts: Sts,
    auth: AgentAuth,
    service: Key,
}

impl Server {
    fn new() -> Self {
        let (court, service) = (Court::new(), Key::new());
        let sts = Sts::opaque(&court);
        let tokens = TransactionTokens::new(DOMAIN, service.key_set());
        let auth = court.engine().transaction_tokens(tokens).delegate_through(sts.delegator().build()).build().unwrap();
        Self { court, sts, auth, service }
    }

    fn transaction(&self, txn: &str, scope: &str) -> String {
        let claims = json!({
            "iat": NOW, "exp": NOW + 120, "aud": DOMAIN, "txn": txn, "sub": "alice", "scope": scope, "req_wl": "gateway",
        });
        typed(&self.service, Some("txntoken+jwt"), &claims)
    }

    /// Always the same access token.
    fn caller(&self, transaction: &str) -> Caller {
        let token = self.court.key.mint(&with("jti", "1"));
        wait(self.auth.authenticate(Evidence::bearer(&token).with_transaction_token(transaction))).unwrap()
    }
}

fn ask(caller: &Caller, hop: &NextHop) -> Result<OutboundToken, OutboundError> {
    wait(caller.delegate(hop))
}

/// What a request is sent with that had copies of the inbound header.
fn sent(token: &OutboundToken) -> Vec<String> {
    let request = Request::get(RECORDS).header(TXN_TOKEN, "copied").header(TXN_TOKEN, "twice");
    let mut request = request.body(()).unwrap();
    token.authorize(&mut request).unwrap();
    request.headers().get_all(TXN_TOKEN).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[test]
fn a_transaction_goes_on_as_it_came_to_servers_of_its_trust_domain_only() {
    let server = Server::new();
    let transaction = server.transaction("t-1", "records:read");
    let caller = server.caller(&transaction);
    let read = hop("records:read");
    assert_eq!(
        sent(&ask(&caller, &read.clone().within_trust_domain(DOMAIN)).unwrap()),
        std::slice::from_ref(&transaction)
    );
    assert_eq!(sent(&ask(&caller, &read.clone().within_trust_domain("other.example")).unwrap()), [""; 0]);
    assert_eq!(sent(&ask(&caller, &read).unwrap()), [""; 0]);
    let onward = caller.delegate_to(RECORDS).scopes("records:read").within_trust_domain(DOMAIN);
    assert_eq!(sent(&wait(onward.into_future()).unwrap()), std::slice::from_ref(&transaction));
    // All of them share one exchange, and another caller's transaction is another's.
    let other = server.transaction("t-2", "records:read");
    let onward = ask(&server.caller(&other), &read.within_trust_domain(DOMAIN)).unwrap();
    assert_eq!((sent(&onward), server.sts.count()), (vec![other], 1));
    assert!(!format!("{onward:?}").contains(transaction.split('.').next_back().unwrap()));
}

#[test]
fn what_one_transaction_leaves_is_not_passed_on_for_another() {
    let server = Server::new();
    let both = hop("motions:file records:read");
    let broad = server.caller(&server.transaction("t-1", "motions:file records:read"));
    assert_eq!(code_of(&ask(&broad, &both)), ACCEPTED);
    // The same access token, in a transaction that leaves less of it: what is kept is not for it.
    let narrow = server.caller(&server.transaction("t-2", "records:read"));
    assert_eq!(code_of(&ask(&narrow, &both)), "answer_beyond_caller");
    assert_eq!(code_of(&ask(&narrow, &hop("records:read"))), ACCEPTED);
}

#[test]
fn when_its_transaction_has_ended_a_caller_passes_nothing_on() {
    let server = Server::new();
    let caller = server.caller(&server.transaction("t-1", "records:read"));
    server.court.at(NOW + 149);
    assert_eq!(code_of(&ask(&caller, &hop("records:read"))), ACCEPTED);
    server.court.at(NOW + 150);
    assert_eq!(code_of(&ask(&caller, &hop("records:read"))), "outbound_caller_ended");
}
