//! What rules make of the capacity in which an agent acts.

use agentauth_core::policy::{Agents, Principals, Resources, Rule, Rules};
use agentauth_core::token::{Profile, Reading, TokenClaims, TokenError};
use agentauth_core::{
    Action, AgentAuth, Evidence, IssuerId, Mode, PrincipalId, PrincipalKind, Rejection, TrustedIssuer,
};

use super::shapes::{ENTRA, TENANT, entra_on_behalf, rfc9068};
use super::typed;
use crate::support::court::{ACCEPTED, Court, STS, authenticate, code_of, wait};

const MODES: [Mode; 5] =
    [Mode::OnBehalfOf, Mode::Autonomous, Mode::ClientOnly, Mode::Impersonation, Mode::AgentAccount];

/// Reads every token in one mode.
#[derive(Debug)]
struct Always(Mode);

impl Profile for Always {
    fn name(&self) -> &'static str {
        "always"
    }

    fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
        let (issuer, subject) = (claims.issuer().clone(), claims.required("sub")?);
        let principal = match self.0 {
            Mode::Autonomous => PrincipalId::client(issuer, subject),
            Mode::AgentAccount => PrincipalId::agent_account(issuer, subject),
            _ => PrincipalId::new(issuer, subject),
        };
        let scopes = claims.scopes("scope")?;
        Ok(Reading::client_only(principal, claims.client("agent")).in_mode(self.0).with_scopes(scopes))
    }
}

fn rule(rule: Rule, principals: Principals) -> Rule {
    rule.agents(Agents::any()).principals(principals).action("motions:file").resources(Resources::any())
}

fn allow(principals: Principals) -> Rule {
    rule(Rule::allow("allow"), principals)
}

fn ask(auth: &AgentAuth, token: &str) -> Result<(), Rejection> {
    let caller = authenticate(auth, Evidence::bearer(token))?;
    wait(caller.authorize(Action::new("motions:file").unwrap())).map(drop)
}

/// What the rules say in each of [`MODES`].
fn answers(rules: &[Rule]) -> [Result<(), Rejection>; 5] {
    MODES.map(|mode| {
        let court = Court::new();
        let issuer = TrustedIssuer::new(STS, court.key.key_set(), Always(mode));
        let rules = Rules::new(rules.to_vec()).unwrap();
        ask(&court.bare_engine().issuer(issuer).policy(rules).build().unwrap(), &court.key.mint(&rfc9068()))
    })
}

#[test]
fn a_rule_covers_only_the_modes_that_it_is_for() {
    let account = || Principals::from(PrincipalId::agent_account(IssuerId::new(STS).unwrap(), "alice"));
    let user = || Principals::exactly(STS, "alice").unwrap();
    let (yes, no) = (ACCEPTED, "actor_unauthorized");
    let everything =
        |principals| allow(principals).even_client_only().even_impersonation().even_agent_account().even_client_only();
    for (rules, codes) in [
        (vec![allow(Principals::any())], [yes, no, no, no, no]),
        (vec![allow(user())], [yes, no, no, no, no]),
        (vec![allow(Principals::itself())], [no, yes, no, no, no]),
        (vec![allow(account())], [no, no, no, no, no]),
        (vec![allow(Principals::any()).even_client_only()], [yes, no, yes, no, no]),
        (vec![allow(Principals::any()).even_impersonation()], [yes, no, no, yes, no]),
        (vec![allow(Principals::any()).even_agent_account()], [yes, no, no, no, no]),
        (vec![allow(Principals::itself()).even_agent_account()], [no, yes, no, no, yes]),
        (vec![allow(account()).even_agent_account()], [no, no, no, no, yes]),
        (vec![everything(Principals::any())], [yes, no, yes, yes, no]),
        (vec![everything(Principals::any()), rule(Rule::deny("deny"), Principals::any())], ["policy_forbidden"; 5]),
        (vec![everything(Principals::any()), rule(Rule::deny("deny"), user())], ["policy_forbidden"; 5]),
        (
            vec![everything(Principals::any()), rule(Rule::deny("deny"), Principals::itself())],
            [yes, "policy_forbidden", yes, yes, "policy_forbidden"],
        ),
    ] {
        let answers = answers(&rules);
        assert_eq!(answers.each_ref().map(code_of), codes, "{rules:?}");
        for rejection in answers.into_iter().filter_map(Result::err).filter(|rejection| rejection.code() == no) {
            assert_eq!((rejection.status().as_u16(), rejection.public_error()), (403, "actor_unauthorized"));
            assert_eq!(rejection.challenges(), [""; 0], "more scopes would not help");
        }
    }
}

#[test]
fn only_a_delegation_is_one_where_it_is_required() {
    for mode in MODES {
        let court = Court::new();
        let issuer = TrustedIssuer::new(STS, court.key.key_set(), Always(mode));
        let auth = court.bare_engine().issuer(issuer).require_delegation().build().unwrap();
        let expected = if mode == Mode::OnBehalfOf { ACCEPTED } else { "delegation_required" };
        assert_eq!(code_of(&authenticate(&auth, Evidence::bearer(&court.key.mint(&rfc9068())))), expected, "{mode:?}");
    }
}

#[test]
fn a_rule_for_someone_in_a_tenant_says_the_tenant_and_a_deny_need_not() {
    let alice = || PrincipalId::new(IssuerId::new(ENTRA).unwrap(), "oid-alice");
    assert_eq!(alice().kind(), PrincipalKind::Subject);
    let anywhere = || Principals::exactly(ENTRA, "oid-alice").unwrap();
    let deny = |principals| vec![allow(Principals::any()), rule(Rule::deny("deny"), principals)];
    for (rules, expected) in [
        (vec![allow(alice().in_tenant(TENANT).into())], ACCEPTED),
        (vec![allow(alice().in_tenant("other").into())], "actor_unauthorized"),
        (vec![allow(anywhere())], "actor_unauthorized"),
        (deny(anywhere()), "policy_forbidden"),
        (deny(alice().in_tenant(TENANT).into()), "policy_forbidden"),
        (deny(alice().in_tenant("other").into()), ACCEPTED),
    ] {
        let court = Court::new();
        let issuer = TrustedIssuer::entra(ENTRA, court.key.key_set());
        let shown = format!("{rules:?}");
        let auth = court.bare_engine().issuer(issuer).policy(Rules::new(rules).unwrap()).build().unwrap();
        let token = typed(&court.key, Some("JWT"), &entra_on_behalf());
        assert_eq!(code_of(&ask(&auth, &token)), expected, "{shown}");
    }
}
