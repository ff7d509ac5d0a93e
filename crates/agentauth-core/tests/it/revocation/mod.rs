//! Revocation: what was taken back is refused at the very next request, whatever was verified before; and what cannot be
//! told refuses.

mod concurrency;
mod engine;
mod file;
mod memory;
mod remote;
mod sts;

use agentauth_core::state::Revocation;
use agentauth_core::{AgentId, IssuerId, PrincipalId, Timestamp};
use serde_json::Value;

use crate::support::certs::NOW;
use crate::support::court::{CLERK, LAWYER, STS, chain, with};

const GRANT: &str = "grant-1";

fn sts() -> IssuerId {
    IssuerId::new(STS).unwrap()
}

fn agent(id: &str) -> AgentId {
    AgentId::Spiffe(id.parse().unwrap())
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// When the last token of the tests has expired everywhere.
fn end() -> Timestamp {
    at(NOW + 400)
}

/// The claims of a good token of [`GRANT`]: the lawyer acts for alice, after the clerk.
fn granted() -> Value {
    let mut claims = with("act", chain(&[LAWYER, CLERK]));
    claims["grant_id"] = GRANT.into();
    claims
}

/// What revokes [`granted`], and its code.
fn kinds() -> Vec<(Revocation, &'static str)> {
    vec![
        (Revocation::token(sts(), "jti-1", end()), "token_revoked"),
        (Revocation::grant(sts(), GRANT, end()), "grant_revoked"),
        (Revocation::agent(agent(LAWYER)), "agent_revoked"),
        (Revocation::agent(agent(CLERK)), "agent_revoked"),
        (Revocation::principal(PrincipalId::new(sts(), "alice")), "principal_revoked"),
        (Revocation::issuer(sts()), "issuer_revoked"),
    ]
}

/// What does not revoke it, although it looks like that.
fn others() -> Vec<Revocation> {
    let other = || IssuerId::new("https://sts.other.example").unwrap();
    vec![
        Revocation::token(other(), "jti-1", end()),
        Revocation::token(sts(), GRANT, end()),
        Revocation::token(sts(), "jti-10", end()),
        Revocation::grant(other(), GRANT, end()),
        Revocation::grant(sts(), "jti-1", end()),
        Revocation::agent(agent("spiffe://court.example/agent/lawyer/2")),
        Revocation::agent(AgentId::Named { issuer: sts(), name: LAWYER.into() }),
        Revocation::principal(PrincipalId::new(other(), "alice")),
        Revocation::principal(PrincipalId::new(sts(), "alice").in_tenant("t")),
        Revocation::principal(PrincipalId::new(sts(), LAWYER)),
        Revocation::issuer(other()),
    ]
}
