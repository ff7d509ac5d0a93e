//! One token of a chain, as it says of itself, and beside the one before.

use agentauth_core::jose::TokenType;
use agentauth_core::scope::{DetailTypes, Narrowing};
use agentauth_core::{Authority, ScopeSet, Timestamp};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::text::{json, relative};
use crate::token::anatomy::{Anatomy, Problem};

/// How the token of a hop came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Made {
    /// That cannot be told: there are no claims in it.
    Unreadable,
    /// It lets the named agent ask for tokens (`may_act`).
    Consent,
    /// An issuer has made it.
    Issued,
    /// The holder of the token before has made it.
    ByHolder,
}

/// What a token says.
pub(super) struct Hop {
    pub(super) made: Made,
    pub(super) principal: Option<String>,
    /// Who acts with it, and who has acted before, the most recent first.
    pub(super) agents: Vec<String>,
    pub(super) audience: Vec<String>,
    pub(super) authority: Authority,
    /// The scopes as they are written cannot be read.
    pub(super) is_unreadable: bool,
    pub(super) expires: Option<u64>,
    pub(super) problems: Vec<Problem>,
    grant: Option<String>,
    id: Option<String>,
    parent_hash: Option<String>,
    /// What the hash of a link below this token must be.
    own_hash: String,
    may_act: Option<String>,
}

impl Hop {
    pub(super) fn of(token: &str) -> Self {
        let Anatomy { header, claims, problems, .. } = Anatomy::of(token);
        let (empty, is_readable) = (Map::new(), claims.is_some());
        let claims = claims.as_ref().unwrap_or(&empty);
        let typ = header.as_ref().and_then(|header| text(header, "typ")).unwrap_or_default();
        let agents = actors(claims.get("act"));
        let may_act = actors(claims.get("may_act")).into_iter().next();
        let client = text(claims, "client_id").or_else(|| text(claims, "azp")).map(str::to_owned);
        let made = match (TokenType::from_typ(typ), &may_act) {
            _ if !is_readable => Made::Unreadable,
            (TokenType::AgentDelegation, _) => Made::ByHolder,
            (_, Some(_)) if agents.is_empty() => Made::Consent,
            _ => Made::Issued,
        };
        let scopes = match claims.get("scope").or_else(|| claims.get("scp")) {
            None => Ok(ScopeSet::none()),
            Some(Value::Array(several)) => {
                several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ").parse()
            }
            Some(scope) => scope.as_str().unwrap_or("\"").parse(),
        };
        let details = claims.get("authorization_details");
        let read =
            details.map_or_else(|| Ok(Authority::default()), |details| DetailTypes::new().read_strictly(details));
        let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
        Self {
            made,
            principal: text(claims, "sub").map(str::to_owned),
            agents: if agents.is_empty() { may_act.clone().or(client).into_iter().collect() } else { agents },
            audience: match claims.get("aud") {
                Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(Into::into).collect(),
                one => one.and_then(Value::as_str).map(Into::into).into_iter().collect(),
            },
            is_unreadable: scopes.is_err() || read.is_err(),
            authority: joined(scopes.unwrap_or_default(), &read.unwrap_or_default()),
            expires: claims.get("exp").and_then(Value::as_u64),
            grant: text(claims, "grant_id").map(str::to_owned),
            id: text(claims, "jti").map(str::to_owned),
            parent_hash: text(claims, "par_hash").map(str::to_owned),
            own_hash: URL_SAFE_NO_PAD.encode(digest(&SHA256, signed.as_bytes())),
            may_act,
            problems,
        }
    }

    /// What may be done, in words.
    pub(super) fn authority_in_words(&self) -> Vec<String> {
        let mut words: Vec<String> = self.authority.scopes().iter().map(Into::into).collect();
        words.extend(self.authority.grants().map(|grant| format!("{} {}", grant.action(), grant.in_words())));
        if self.is_unreadable {
            words.push("and something that is not known here, which grants nothing".into());
        }
        words
    }

    /// Why it is narrower than `parent`.
    pub(super) fn narrower(&self, parent: &Self) -> Vec<String> {
        let mut reasons: Vec<String> =
            self.authority.narrowed_from(&parent.authority).iter().map(Narrowing::to_string).collect();
        if self.audience != parent.audience && !self.audience.is_empty() {
            reasons.push(format!("at {} only", self.audience.join(" and ")));
        }
        if let (Some(own), Some(parents)) = (self.expires, parent.expires)
            && own < parents
        {
            reasons.push(format!("ends {} sooner", span(parents, own)));
        }
        reasons
    }

    /// What a server, or the issuer, would refuse in it below `parent`.
    pub(super) fn faults(&self, parent: &Self) -> Vec<String> {
        let mut faults = Vec::new();
        if Made::Unreadable == self.made {
            return faults;
        }
        if self.principal != parent.principal {
            faults.push("it is for another principal than the one before".to_owned());
        }
        if !self.authority.is_within(&parent.authority) {
            let more: Vec<String> = parent
                .authority
                .narrowed_from(&self.authority)
                .into_iter()
                .map(|narrowing| match narrowing {
                    Narrowing::Without(action) => action.to_string(),
                    Narrowing::Within { action, limits } => format!("{action} beyond {}", limits.join(" or ")),
                    other => other.to_string(),
                })
                .collect();
            faults.push(format!("it holds more than the one before: {}", more.join(", ")));
        }
        match (self.expires, parent.expires) {
            (Some(own), Some(parents)) if own > parents => {
                faults.push(format!("it ends {} later than the one before", span(own, parents)));
            }
            (None, _) => faults.push("it does not say when it ends (exp)".into()),
            _ => {}
        }
        match self.made {
            Made::ByHolder if self.parent_hash.as_ref() != Some(&parent.own_hash) => {
                faults.push("it was not made below the one before: par_hash is another token's".into());
            }
            Made::ByHolder if self.audience.iter().any(|audience| !parent.audience.contains(audience)) => {
                faults.push("it is for a server that the one before is not for".into());
            }
            Made::ByHolder | Made::Unreadable => {}
            Made::Consent => faults.push("a consent begins a chain, and this one stands inside".into()),
            Made::Issued => {
                let root =
                    parent.grant.as_ref().or(if parent.made == Made::Consent { parent.id.as_ref() } else { None });
                if let (Some(own), Some(root)) = (&self.grant, root)
                    && own != root
                {
                    faults.push("it descends from another grant than the one before".into());
                }
                if parent.made == Made::Consent && self.agents.last() != parent.may_act.as_ref() {
                    faults.push("the agent that the consent names has no part in it".into());
                } else if parent.made == Made::Issued && !self.agents.ends_with(&parent.agents) {
                    faults.push("the agents of the one before are not among those who acted before".into());
                }
            }
        }
        faults
    }

    pub(super) fn end(&self, now: Timestamp) -> String {
        match self.expires {
            Some(expires) => format!("until {} ({})", Timestamp::from_secs(expires), relative(expires, now.secs())),
            None => "without an end".into(),
        }
    }
}

fn span(later: u64, earlier: u64) -> String {
    relative(later, earlier).trim_start_matches("in ").to_owned()
}

/// Scopes and details together are what is granted (RFC 9396 §3).
fn joined(scopes: ScopeSet, details: &Authority) -> Authority {
    Authority::new(scopes.clone(), details.grants().cloned()).unwrap_or_else(|_| Authority::of_scopes(scopes))
}

fn actors(claim: Option<&Value>) -> Vec<String> {
    let mut actors = Vec::new();
    let mut next = claim;
    while let Some(Value::Object(actor)) = next {
        actors.push(text(actor, "sub").map_or_else(|| json(actor), str::to_owned));
        next = actor.get("act");
    }
    actors
}

fn text<'v>(of: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    of.get(name).and_then(Value::as_str)
}
