use super::shape::{ensure, is_access_token_or_jwt, require_any_of};
use super::{Profile, Reading, TokenClaims};
use crate::identity::PrincipalId;
use crate::jose::TokenType;
use crate::token::TokenError;

const NAME: &str = "kubernetes-actor";

/// What the name of a service account begins with.
const PREFIX: &str = "system:serviceaccount:";

/// The longest label, such as a namespace (RFC 1123).
const MAX_LABEL_BYTES: usize = 63;

/// The longest name of a service account: a DNS subdomain (RFC 1123).
const MAX_SUBDOMAIN_BYTES: usize = 253;

/// Access tokens of a token service that agents come to with the token of their Kubernetes service account: kagent, agentgateway
/// and others. The agent is `system:serviceaccount:{namespace}:{account}`, a name at the token's issuer.
///
/// | token | principal | agent | mode |
/// |---|---|---|---|
/// | with `act` | `sub`, a person | `act.sub`, a service account | [`OnBehalfOf`](crate::Mode::OnBehalfOf) |
/// | `sub` is a service account, `act` the same or none | `sub`, as a client | `sub` | [`Autonomous`](crate::Mode::Autonomous) |
/// | any other | `sub` | the client: `client_id` | [`ClientOnly`](crate::Mode::ClientOnly) |
///
/// - An actor that is not named like a service account is refused, and so is one that acts for a service account.
/// - A namespace is one cluster's: two clusters have the same names, so give each a token service with its own issuer.
/// - A claim such as `delegation_depth` is not read: actors are counted.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct KubernetesActor;

impl Profile for KubernetesActor {
    fn name(&self) -> &'static str {
        NAME
    }

    fn accepts(&self, token_type: TokenType) -> bool {
        is_access_token_or_jwt(token_type)
    }

    fn trusts_act(&self) -> bool {
        true
    }

    fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
        require_any_of(&["scope"], claims, NAME)?;
        let subject = claims.required("sub")?;
        for actor in claims.actors() {
            ensure(is_service_account(actor.subject()?), NAME, "an actor (act.sub) is no service account")?;
        }
        let reading = match claims.actors().next() {
            Some(current) if current.is_local() && current.subject()? == subject => itself(claims, subject),
            Some(_) => {
                ensure(!subject.starts_with(PREFIX), NAME, "a service account acts for another")?;
                Reading::on_behalf_of(claims.principal(subject), claims.actors())?
            }
            None if subject.starts_with(PREFIX) => {
                ensure(is_service_account(subject), NAME, "its subject is no service account's name")?;
                itself(claims, subject)
            }
            None => Reading::client_only(claims.principal(subject), claims.client(claims.required("client_id")?)),
        };
        Ok(reading.with_scopes(claims.scopes("scope")?).with_token_id(claims.text("jti")?))
    }
}

fn itself(claims: &TokenClaims<'_>, account: &str) -> Reading {
    Reading::autonomous(PrincipalId::client(claims.issuer().clone(), account), claims.client(account))
}

/// `system:serviceaccount:{namespace}:{account}`, by the rules for the names of objects.
fn is_service_account(name: &str) -> bool {
    let parts = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':'));
    parts.is_some_and(|(namespace, account)| {
        is_label(namespace) && account.len() <= MAX_SUBDOMAIN_BYTES && account.split('.').all(is_label)
    })
}

fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= MAX_LABEL_BYTES
        && text.bytes().all(is_inner)
        && !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
}
