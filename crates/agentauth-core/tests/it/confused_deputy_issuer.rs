//! The confused deputy at the issuer's gate (standards T1): what a principal may and what its agent may are two things, and
//! what is issued is what both may. The resource server asks again, with the arguments.

use agentauth_core::delegation::MemoryGrants;
use agentauth_core::policy::Effect;
use agentauth_core::{Authority, SubjectToken, TokenService};

use crate::support::court::{ACCEPTED, CLERK, LAWYER, wait};
use crate::support::office::{Office, RECORDS, grant_of, request, set, spiffe};

const READ: &str = "records:read";
const WIDENED: &str = "exchange_scope_widened";
const EMPTY: &str = "exchange_scope_empty";
const NOT_PERMITTED: &str = "exchange_actor_not_permitted";

/// The issuer of a court whose records can be read: alice's token holds `user`, and the lawyer may be given `agent`.
fn office(agent: &str, granted: bool) -> Office {
    let grants = MemoryGrants::new();
    if granted {
        grants.add(grant_of("grant:1", "alice", LAWYER, READ)).unwrap();
    }
    let ceiling = |scopes: &str| Authority::of_scopes(scopes.parse().unwrap());
    Office::with(|builder| {
        builder.grants(grants).ceiling_of(spiffe(LAWYER), ceiling(agent)).ceiling_of(spiffe(CLERK), ceiling(READ))
    })
}

/// Each line is one of: both may, the agent may not, the user may not, neither may; and with each, whether the one has
/// ever let the other act. The reason stands in the record, and the client is told one word.
#[test]
fn what_is_issued_is_what_the_user_and_the_agent_both_may() {
    let cases = [
        ("both may", READ, READ, true, ACCEPTED, "", ""),
        ("the user may, the agent may not", READ, "", true, EMPTY, "invalid_scope", "no scope is left"),
        ("the agent may, the user may not", "", READ, true, WIDENED, "invalid_scope", "the subject token holds ``"),
        ("neither may", "", "", true, WIDENED, "invalid_scope", "the subject token holds ``"),
        (
            "both may, and the user never let it",
            READ,
            READ,
            false,
            NOT_PERMITTED,
            "invalid_request",
            "a registered grant",
        ),
        ("the user may, and never let it", READ, "", false, NOT_PERMITTED, "invalid_request", "a registered grant"),
        ("the agent may, and nobody let it", "", READ, false, NOT_PERMITTED, "invalid_request", "a registered grant"),
        ("neither may, and nobody let it", "", "", false, NOT_PERMITTED, "invalid_request", "a registered grant"),
    ];
    for (what, user, agent, granted, expected, told, reason) in cases {
        let office = office(agent, granted);
        let records = &office.court.records;
        let service = TokenService::new(office.issuer.clone(), records.clone()).unwrap();
        let subject = office.mint(&set(office.users_claims(), "scope", user));
        let asked = request(&subject, RECORDS).scopes(READ.parse().unwrap());
        let answer = wait(service.exchange(&(&*office.lawyer).into(), &asked));
        let record = records.only();
        match answer {
            Ok(issued) => {
                assert_eq!((expected, &*issued.scopes().to_string()), (ACCEPTED, READ), "{what}");
                assert_eq!(record.effect, Effect::Allow);
            }
            Err(refusal) => {
                assert_eq!((refusal.error.code(), refusal.error.oauth_error()), (expected, told), "{what}");
                assert_eq!((record.code, record.effect), (expected, Effect::Deny), "{what}");
                assert!(record.reasons[0].text().contains(reason), "{what}: {}", record.reasons[0].text());
            }
        }
    }
}

/// A privileged agent does not lend what it may to the user, nor to an agent that it passes the user's authority to: not
/// the other way round either.
#[test]
fn passing_authority_on_adds_nobodys_own() {
    let ceiling = |scopes: &str| Authority::of_scopes(scopes.parse().unwrap());
    for (lawyer, clerk, expected) in [
        ("motions:file records:read", READ, ACCEPTED),
        ("motions:file records:read", "motions:file", EMPTY),
        ("motions:file", "motions:file records:read", EMPTY),
    ] {
        let office = Office::with(|builder| {
            let builder = builder.ceiling_of(spiffe(LAWYER), ceiling(lawyer));
            builder.ceiling_of(spiffe(CLERK), ceiling(clerk))
        });
        let delegable = office.delegable();
        let clerks = office.own_token(&office.clerk);
        let onward = request(&delegable, RECORDS).for_actor(SubjectToken::new(&clerks));
        assert_eq!(office.code(&office.lawyer, &onward), expected, "lawyer {lawyer}, clerk {clerk}");
    }
}
