use super::shape::{ensure, is_access_token_or_jwt};
use super::{Profile, Reading, TokenClaims};
use crate::identity::PrincipalId;
use crate::jose::TokenType;
use crate::scope::ScopeSet;
use crate::token::TokenError;

const NAME: &str = "entra";

/// The facet of an agent's identity.
const AGENT: &str = "11";

/// The facet of the user account that is kept for an agent.
const AGENT_ACCOUNT: &str = "13";

/// What stands in `scp` if there is no scope.
const NO_SCOPE: &str = "/";

/// Access tokens of a tenant of Microsoft Entra, those of Agent ID included.
///
/// The principal is `oid` in the tenant `tid`. The agent is the application that asked for the token: `azp` in tokens of
/// version 2.0, `appid` in those of 1.0.
///
/// | token | `idtyp` | `xms_act_fct` | `xms_sub_fct` | mode | scopes |
/// |---|---|---|---|---|---|
/// | an agent for a user | `user` | has 11 | | [`OnBehalfOf`](crate::Mode::OnBehalfOf) | `scp` |
/// | an agent for itself | `app` | has 11 | has 11 | [`Autonomous`](crate::Mode::Autonomous) | `roles` |
/// | an agent in its own user account | `user` | has 11 | has 13 | [`AgentAccount`](crate::Mode::AgentAccount) | `scp` |
/// | an application for a user | `user`, or none and `scp` | | | [`ClientOnly`](crate::Mode::ClientOnly) | `scp` |
/// | an application for itself | `app` | | | [`Autonomous`](crate::Mode::Autonomous) | `roles` |
///
/// - `sub` is another one for each application, and never read; nor is `xms_par_app_azp`, an agent's blueprint, which is
///   not for authorization.
/// - An agent's user account looks like a user and is none: no human is behind it.
/// - Facets are words in any order, and unknown ones are ignored. Those that contradict each other are refused.
/// - An application's token has `idtyp` only if the server's registration asks for it (an optional claim). Without, it cannot
///   be told from an ID token, and is refused.
/// - `act` is not Entra's, and refused.
/// - Audiences are application ids: see [`TrustedIssuer::audience`](crate::TrustedIssuer::audience).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Entra {
    tenants: Option<Vec<Box<str>>>,
}

impl Entra {
    /// Takes tokens of these tenants (`tid`) only, for an issuer that serves several. Without it, `tid` must stand in the
    /// issuer's identifier, between slashes, as it does at Entra.
    #[must_use]
    pub fn tenants<T: Into<Box<str>>>(mut self, tenants: impl IntoIterator<Item = T>) -> Self {
        self.tenants = Some(tenants.into_iter().map(Into::into).collect());
        self
    }

    fn knows(&self, tenant: &str, claims: &TokenClaims<'_>) -> bool {
        match &self.tenants {
            Some(tenants) => tenants.iter().any(|known| **known == *tenant),
            None => claims.issuer().as_str().split('/').any(|part| part == tenant),
        }
    }
}

impl Profile for Entra {
    fn name(&self) -> &'static str {
        NAME
    }

    fn accepts(&self, token_type: TokenType) -> bool {
        is_access_token_or_jwt(token_type)
    }

    fn claims(&self) -> &'static [&'static str] {
        &["tid", "oid", "ver", "azp", "appid", "idtyp", "scp", "roles", "uti", "xms_act_fct", "xms_sub_fct"]
    }

    fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
        let tenant = claims.required("tid")?;
        ensure(self.knows(tenant, claims), NAME, "its tenant (tid) is not one that is taken from this issuer")?;
        let client = claims.client(client(claims)?);
        let (issuer, subject) = (claims.issuer().clone(), claims.required("oid")?);
        let reading = match Kind::of(claims)? {
            Kind::User { by_agent: true } => {
                Reading::delegated(PrincipalId::new(issuer, subject).in_tenant(tenant), client)
            }
            Kind::User { by_agent: false } => {
                Reading::client_only(PrincipalId::new(issuer, subject).in_tenant(tenant), client)
            }
            Kind::Application => Reading::autonomous(PrincipalId::client(issuer, subject).in_tenant(tenant), client),
            Kind::AgentAccount => {
                Reading::agent_account(PrincipalId::agent_account(issuer, subject).in_tenant(tenant), client)
            }
        };
        let scopes = if reading.principal.kind() == crate::PrincipalKind::Client {
            claims.loose_scopes("roles")?
        } else {
            delegated_scopes(claims)?
        };
        Ok(reading.with_scopes(scopes).with_token_id(claims.text("uti")?))
    }
}

/// Whose token it is.
enum Kind {
    User { by_agent: bool },
    Application,
    AgentAccount,
}

impl Kind {
    fn of(claims: &TokenClaims<'_>) -> Result<Self, TokenError> {
        let has = |claim, facet| Ok::<_, TokenError>(claims.words(claim)?.contains(&facet));
        let by_agent = has("xms_act_fct", AGENT)?;
        let of_agent = has("xms_sub_fct", AGENT)?;
        let of_account = has("xms_sub_fct", AGENT_ACCOUNT)?;
        match claims.text("idtyp")? {
            Some("user") => {
                ensure(claims.has("scp"), NAME, "it is of a user, and has no scp")?;
                ensure(!of_agent, NAME, "its subject is a user and an agent's identity in one (xms_sub_fct)")?;
                if !of_account {
                    return Ok(Self::User { by_agent });
                }
                ensure(by_agent, NAME, "it is of an agent's user account, and its client is no agent (xms_act_fct)")?;
                Ok(Self::AgentAccount)
            }
            Some("app") => {
                ensure(delegated_scopes(claims)?.is_empty(), NAME, "it is of an application, and has scp")?;
                ensure(!of_account, NAME, "its subject is an application and a user account in one (xms_sub_fct)")?;
                ensure(by_agent == of_agent, NAME, "its subject and its client are not the same agent")?;
                Ok(Self::Application)
            }
            Some(_) => Err(TokenError::Shape { profile: NAME, problem: "idtyp is neither user nor app" }),
            None => {
                ensure(
                    !claims.has("xms_act_fct") && !claims.has("xms_sub_fct"),
                    NAME,
                    "it has facets, and does not say whether it is of a user or an application (idtyp)",
                )?;
                ensure(claims.has("scp"), NAME, "it has neither idtyp nor scp: add idtyp as an optional claim")?;
                Ok(Self::User { by_agent: false })
            }
        }
    }
}

fn client<'c>(claims: &TokenClaims<'c>) -> Result<&'c str, TokenError> {
    match claims.required("ver")? {
        "2.0" => claims.required("azp"),
        "1.0" => claims.required("appid"),
        _ => Err(TokenError::Shape { profile: NAME, problem: "its version (ver) is neither 1.0 nor 2.0" }),
    }
}

fn delegated_scopes(claims: &TokenClaims<'_>) -> Result<ScopeSet, TokenError> {
    if claims.words("scp")? == [NO_SCOPE] { Ok(ScopeSet::none()) } else { claims.loose_scopes("scp") }
}
