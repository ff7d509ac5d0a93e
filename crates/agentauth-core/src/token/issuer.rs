use std::sync::Arc;
use std::time::Duration;

use super::Keys;
use crate::identity::{AgentId, IssuerId, NameError, TrustDomain};

/// Clocks differ by seconds, not minutes.
const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);

/// More leeway than this would be a longer lifetime, not a tolerance.
const MAX_LEEWAY: Duration = Duration::from_secs(60);

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
    may_delegate: bool,
    agents_of: Option<Vec<TrustDomain>>,
    allows_shared_audience: bool,
    max_actors: usize,
    leeway: Duration,
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
    /// More leeway than 60 s.
    #[error("issuer `{issuer}`: a leeway of {seconds} s is more than the 60 s that clocks may differ")]
    Leeway {
        /// The issuer.
        issuer: IssuerId,
        /// What was asked for, in seconds.
        seconds: u64,
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
    /// An issuer that delegates by token exchange (RFC 8693): its `act` claim says who acts for `sub`.
    #[must_use]
    pub fn rfc8693(issuer: &str, keys: impl Into<Keys>) -> Self {
        Self { may_delegate: true, ..Self::rfc9068(issuer, keys) }
    }

    /// An issuer of plain access tokens (RFC 9068): `sub` is the principal and `client_id` the client. It is not
    /// trusted to say who acts for whom, and a token of it that has an `act` claim is refused. A client of it that is
    /// called like a SPIFFE ID is not that workload, unless the connection proves it.
    #[must_use]
    pub fn rfc9068(issuer: &str, keys: impl Into<Keys>) -> Self {
        Self {
            name: issuer.to_owned(),
            keys: keys.into(),
            may_delegate: false,
            agents_of: None,
            allows_shared_audience: false,
            max_actors: DEFAULT_MAX_ACTORS,
            leeway: DEFAULT_LEEWAY,
        }
    }

    /// Limits the agents that this issuer may name to those of `trust_domains`, and to its own names. For an issuer
    /// that delegates, and is not the only one: otherwise it may name every agent.
    #[must_use]
    pub fn agents_of(mut self, trust_domains: impl IntoIterator<Item = TrustDomain>) -> Self {
        self.agents_of = Some(trust_domains.into_iter().collect());
        self
    }

    /// How far this server's clock and the issuer's may differ: 30 s unless set, at most 60 s.
    #[must_use]
    pub const fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
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
        if !(1..=HARD_MAX_ACTORS).contains(&self.max_actors) {
            return Err(IssuerConfigError::MaxActors { issuer: id, limit: self.max_actors });
        }
        Ok(CheckedIssuer {
            id,
            keys: self.keys,
            may_delegate: self.may_delegate,
            naming: match self.agents_of {
                _ if !self.may_delegate => Naming::Nobody,
                Some(domains) => Naming::Of(domains.into()),
                None => Naming::Anybody,
            },
            allows_shared_audience: self.allows_shared_audience,
            max_actors: self.max_actors,
            leeway: self.leeway.as_secs(),
        })
    }
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
    }
}

/// A trusted issuer whose settings are known to be good.
#[derive(Debug)]
pub(super) struct CheckedIssuer {
    pub(super) id: IssuerId,
    pub(super) keys: Keys,
    pub(super) may_delegate: bool,
    pub(super) naming: Naming,
    pub(super) allows_shared_audience: bool,
    pub(super) max_actors: usize,
    pub(super) leeway: u64,
}
