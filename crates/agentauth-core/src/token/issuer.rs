use std::sync::Arc;
use std::time::Duration;

use super::profile::{
    Auth0, Entra, Keycloak, KubernetesActor, Okta, PingAm, PingOne, Profile, Rfc8693, Rfc9068, Wso2, Zitadel,
};
use super::status::StatusCheck;
use super::{Introspection, Keys, StatusLists};
use crate::identity::{AgentId, IssuerId, MAX_NAME_BYTES, NameError, TrustDomain};

/// Clocks differ by seconds, not minutes.
const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);

/// More leeway than this would be a longer lifetime, not a tolerance.
pub(super) const MAX_LEEWAY: Duration = Duration::from_secs(60);

/// A day: longer than access tokens need, and as long as the usual issuers make them at most.
const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// How many actors a token may name by default. Interoperable deployments need at least four.
pub(crate) const DEFAULT_MAX_ACTORS: usize = 4;

/// The most that can be configured.
pub(crate) const HARD_MAX_ACTORS: usize = 16;

/// One issuer whose tokens are accepted, and how they are read.
///
/// The profile says what the issuer is trusted to say; everything else about a token is checked the same way for
/// all issuers.
#[derive(Debug, Clone)]
pub struct TrustedIssuer {
    name: String,
    keys: Keys,
    profile: Arc<dyn Profile>,
    introspection: Option<Introspection>,
    status: Status,
    audience: Option<Box<str>>,
    agents_of: Option<Vec<TrustDomain>>,
    allows_shared_audience: bool,
    max_actors: usize,
    leeway: Duration,
    max_lifetime: Duration,
}

/// What is to be made of a token that says where its status is found.
#[derive(Debug, Clone)]
enum Status {
    Refused,
    Ignored,
    Lists(StatusLists),
}

/// Which agents an issuer may name by their SPIFFE ID, with no other proof than its word.
#[derive(Debug, Clone)]
pub(crate) enum Naming {
    /// None: such a name is only a name at the issuer.
    Nobody,
    /// Agents of every trust domain.
    Anybody,
    /// Agents of these trust domains.
    Of(Arc<[TrustDomain]>),
}

impl Naming {
    pub(crate) fn allows(&self, agent: &AgentId, issuer: &IssuerId) -> bool {
        match (self, agent) {
            (Self::Anybody, _) => true,
            (_, AgentId::Named { issuer: namespace, .. }) => namespace == issuer,
            (Self::Nobody, AgentId::Spiffe(_)) => false,
            (Self::Of(domains), AgentId::Spiffe(id)) => {
                domains.iter().any(|domain| domain.as_str() == id.trust_domain_name())
            }
        }
    }
}

/// Why a trusted issuer cannot be configured so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerConfigError {
    /// The identifier is no issuer identifier.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The same identifier is configured twice.
    #[error("issuer `{0}` is configured twice")]
    Duplicate(IssuerId),
    /// Answers about opaque tokens must be signed, and there are no keys that they could be signed with.
    #[error("answers of issuer `{0}` must be signed, and no keys are known: use new(..).introspection(..)")]
    IntrospectionWithoutKeys(IssuerId),
    /// Two issuers are to be asked about opaque tokens, which do not say whose they are.
    #[error("issuer `{0}` is the second to be asked about opaque tokens, and only one can be")]
    SecondIntrospection(IssuerId),
    /// Status lists are to be fetched from something that is no origin.
    #[error("issuer `{issuer}`: `{origin}` is no origin of status lists, such as https://status.example.com")]
    StatusOrigin {
        /// The issuer.
        issuer: IssuerId,
        /// What was given.
        origin: Box<str>,
    },
    /// More leeway than 60 s.
    #[error("issuer `{issuer}`: a leeway of {seconds} s is more than the 60 s that clocks may differ")]
    Leeway {
        /// The issuer.
        issuer: IssuerId,
        /// What was asked for, in seconds.
        seconds: u64,
    },
    /// The name of this server at the issuer is empty, longer than 2048 bytes, has white space or control characters, or
    /// is that of an issuer.
    #[error("issuer `{issuer}`: its name for this server is empty, too long, has white space, or is that of an issuer")]
    Audience {
        /// The issuer.
        issuer: IssuerId,
    },
    /// An actor limit of 0, or over 16.
    #[error("issuer `{issuer}`: a limit of {limit} actors is outside 1 to 16")]
    MaxActors {
        /// The issuer.
        issuer: IssuerId,
        /// What was asked for.
        limit: usize,
    },
}

impl TrustedIssuer {
    /// An issuer whose tokens are read as `profile` says.
    #[must_use]
    pub fn new(issuer: &str, keys: impl Into<Keys>, profile: impl Profile + 'static) -> Self {
        Self {
            name: issuer.to_owned(),
            keys: keys.into(),
            profile: Arc::new(profile),
            introspection: None,
            status: Status::Refused,
            audience: None,
            agents_of: None,
            allows_shared_audience: false,
            max_actors: DEFAULT_MAX_ACTORS,
            leeway: DEFAULT_LEEWAY,
            max_lifetime: DEFAULT_MAX_LIFETIME,
        }
    }

    /// An issuer that delegates by token exchange (RFC 8693): its `act` claim says who acts for `sub`.
    #[must_use]
    pub fn rfc8693(issuer: &str, keys: impl Into<Keys>) -> Self {
        Self::new(issuer, keys, Rfc8693::default())
    }

    /// An issuer of plain access tokens (RFC 9068): `sub` is the principal and `client_id` the client. It is not
    /// trusted to say who acts for whom, and a token of it that has an `act` claim is refused. A client of it that is
    /// called like a SPIFFE ID is not that workload, unless the connection proves it.
    #[must_use]
    pub fn rfc9068(issuer: &str, keys: impl Into<Keys>) -> Self {
        Self::new(issuer, keys, Rfc9068)
    }

    /// An issuer of opaque tokens: it is asked about each (RFC 7662), and its answer is read as `profile` says. Tokens
    /// that are JWTs are refused, since no keys are known.
    #[must_use]
    pub fn introspected(issuer: &str, introspection: Introspection, profile: impl Profile + 'static) -> Self {
        Self::new(issuer, Keys::none(), profile).introspection(introspection)
    }

    /// Asks the issuer about tokens that are no JWTs (RFC 7662). One issuer can be asked: an opaque token does not say
    /// whose it is, and is shown to no one else.
    #[must_use]
    pub fn introspection(mut self, introspection: Introspection) -> Self {
        self.introspection = Some(introspection);
        self
    }

    /// A Keycloak realm, without delegation: see [`Keycloak`].
    #[must_use]
    pub fn keycloak(issuer: &str, keys: impl Into<Keys>) -> Self {
        Self::new(issuer, keys, Keycloak::default())
    }

    /// A tenant of Microsoft Entra: see [`Entra`]. `tenant_issuer` is the tenant's own issuer, such as
    /// `https://login.microsoftonline.com/{tenant id}/v2.0`.
    #[must_use]
    pub fn entra(tenant_issuer: &str, keys: impl Into<Keys>) -> Self {
        Self::new(tenant_issuer, keys, Entra::default())
    }

    /// An Auth0 tenant: see [`Auth0`].
    #[must_use]
    pub fn auth0(issuer: &str, keys: impl Into<Keys>) -> Self {
        Self::new(issuer, keys, Auth0::default())
    }

    /// A custom authorization server of Okta: see [`Okta`].
    #[must_use]
    pub fn okta(issuer: &str, keys: impl Into<Keys>) -> Self {
        Self::new(issuer, keys, Okta::default())
    }

    /// A ZITADEL instance: see [`Zitadel`].
    #[must_use]
    pub fn zitadel(issuer: &str, keys: impl Into<Keys>) -> Self {
        Self::new(issuer, keys, Zitadel::default())
    }

    /// WSO2 Identity Server or Asgardeo: see [`Wso2`].
    #[must_use]
    pub fn wso2(issuer: &str, keys: impl Into<Keys>) -> Self {
        Self::new(issuer, keys, Wso2::default())
    }

    /// PingAM or PingOne Advanced Identity Cloud: see [`PingAm`].
    #[must_use]
    pub fn ping_am(issuer: &str, keys: impl Into<Keys>) -> Self {
        Self::new(issuer, keys, PingAm::default())
    }

    /// An environment of PingOne: see [`PingOne`].
    #[must_use]
    pub fn ping_one(issuer: &str, keys: impl Into<Keys>) -> Self {
        Self::new(issuer, keys, PingOne::default())
    }

    /// A token service whose actors are Kubernetes service accounts: see [`KubernetesActor`].
    #[must_use]
    pub fn kubernetes_actor(issuer: &str, keys: impl Into<Keys>) -> Self {
        Self::new(issuer, keys, KubernetesActor::default())
    }

    /// What this issuer calls this server in `aud`, where it has names of its own for its audiences, such as client ids:
    /// compared byte for byte, and in place of the server's identifier. A name that also stands in tokens of another
    /// kind or for another server makes those count here.
    #[must_use]
    pub fn audience(mut self, name: &str) -> Self {
        self.audience = Some(name.into());
        self
    }

    /// Limits the agents that this issuer may name to those of `trust_domains`, and to its own names. For an issuer
    /// that delegates, and is not the only one: otherwise it may name every agent.
    #[must_use]
    pub fn agents_of(mut self, trust_domains: impl IntoIterator<Item = TrustDomain>) -> Self {
        self.agents_of = Some(trust_domains.into_iter().collect());
        self
    }

    /// Where the status of this issuer's tokens is looked up, if they say that it has one (`status.status_list`,
    /// draft-ietf-oauth-status-list). Without it, tokens that say so are refused.
    #[must_use]
    pub fn status_lists(mut self, lists: StatusLists) -> Self {
        self.status = Status::Lists(lists);
        self
    }

    /// How far this server's clock and the issuer's may differ: 30 s unless set, at most 60 s.
    #[must_use]
    pub const fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// How long a token of this issuer may last, from `iat` to `exp`: a day unless set. A longer one is refused.
    #[must_use]
    pub const fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = lifetime;
        self
    }

    /// How many actors a token may name, the current one included: 4 unless set, at most 16. A longer chain is
    /// refused, never cut.
    #[must_use]
    pub const fn max_actors(mut self, limit: usize) -> Self {
        self.max_actors = limit;
        self
    }

    /// What weakens the checks of this issuer's tokens.
    #[must_use]
    pub const fn dangerous(self) -> dangerous::WeakenedIssuer {
        dangerous::WeakenedIssuer(self)
    }

    pub(super) fn check(self) -> Result<CheckedIssuer, IssuerConfigError> {
        let id = IssuerId::new(&self.name)?;
        if self.leeway > MAX_LEEWAY {
            return Err(IssuerConfigError::Leeway { issuer: id, seconds: self.leeway.as_secs() });
        }
        let must_sign = self.introspection.as_ref().is_some_and(|introspection| introspection.signed_for.is_some());
        if must_sign && self.keys.is_none() {
            return Err(IssuerConfigError::IntrospectionWithoutKeys(id));
        }
        if !(1..=HARD_MAX_ACTORS).contains(&self.max_actors) {
            return Err(IssuerConfigError::MaxActors { issuer: id, limit: self.max_actors });
        }
        if self.audience.as_deref().is_some_and(|name| !is_audience(name)) {
            return Err(IssuerConfigError::Audience { issuer: id });
        }
        let status = match self.status {
            Status::Refused => StatusCheck::Refused,
            Status::Ignored => StatusCheck::Ignored,
            Status::Lists(lists) => {
                let origin = |origin| IssuerConfigError::StatusOrigin { issuer: id.clone(), origin };
                lists.check(&id).map_err(origin)?
            }
        };
        Ok(CheckedIssuer {
            id,
            status,
            keys: self.keys,
            audience: self.audience,
            naming: match self.agents_of {
                _ if !self.profile.names_workloads() => Naming::Nobody,
                Some(domains) => Naming::Of(domains.into()),
                None => Naming::Anybody,
            },
            profile: self.profile,
            introspection: self.introspection,
            allows_shared_audience: self.allows_shared_audience,
            max_actors: self.max_actors,
            leeway: self.leeway.as_secs(),
            max_lifetime: self.max_lifetime.as_secs(),
        })
    }
}

fn is_audience(name: &str) -> bool {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.contains(blank)
}

/// Settings that give up a protection; each says what it costs.
pub mod dangerous {
    use super::TrustedIssuer;

    /// See [`TrustedIssuer::dangerous`].
    #[derive(Debug, Clone)]
    pub struct WeakenedIssuer(pub(super) TrustedIssuer);

    impl WeakenedIssuer {
        /// Accepts tokens that name other audiences beside this one. Each of those servers can then use here every
        /// token it is sent, unless the token is bound to its holder's key.
        #[must_use]
        pub fn allow_shared_audience(mut self) -> TrustedIssuer {
            self.0.allows_shared_audience = true;
            self.0
        }

        /// Takes tokens with a `status` claim without looking at it: for an issuer that means something else by it. One
        /// that means what the standard says has then revoked in vain until the token expires.
        #[must_use]
        pub fn ignore_status(mut self) -> TrustedIssuer {
            self.0.status = super::Status::Ignored;
            self.0
        }
    }
}

/// A trusted issuer whose settings are known to be good.
#[derive(Debug)]
pub(super) struct CheckedIssuer {
    pub(super) id: IssuerId,
    pub(super) keys: Keys,
    /// What `aud` must be, if not the server's identifier.
    pub(super) audience: Option<Box<str>>,
    pub(super) profile: Arc<dyn Profile>,
    pub(super) introspection: Option<Introspection>,
    pub(super) status: StatusCheck,
    pub(super) naming: Naming,
    pub(super) allows_shared_audience: bool,
    pub(super) max_actors: usize,
    pub(super) leeway: u64,
    /// Seconds.
    pub(super) max_lifetime: u64,
}
