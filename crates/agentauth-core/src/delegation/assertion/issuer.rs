//! Which identity providers may vouch for principals here, and for what.

use std::sync::Arc;
use std::time::Duration;

use super::claims::IdJag;
use super::subjects::SubjectMapping;
use crate::identity::ResourceId;
use crate::token::{Keys, TrustedIssuer};

/// An assertion is made to be used at once, or, where it may be used again, in place of a refresh token: an hour is
/// long for either.
const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(3600);

/// An identity provider whose assertions (ID-JAG) this issuer accepts.
///
/// Trusting one means: whoever holds its keys can act here as every principal that the mapping knows of it, through any
/// client of this issuer. So the mapping is part of it, and there is none that knows everybody.
#[derive(Debug, Clone)]
#[must_use]
pub struct AssertionIssuer {
    pub(super) id: String,
    pub(super) keys: Keys,
    pub(super) rules: AssertionRules,
    leeway: Option<Duration>,
    max_lifetime: Duration,
}

/// What holds for the assertions of one issuer beside what holds for all tokens.
#[derive(Debug, Clone)]
pub(in crate::delegation) struct AssertionRules {
    pub(in crate::delegation) subjects: Arc<dyn SubjectMapping>,
    /// Empty: the issuer has no tenants.
    pub(in crate::delegation) tenants: Vec<Box<str>>,
    pub(in crate::delegation) default_resource: Option<ResourceId>,
    pub(in crate::delegation) delegates: bool,
    pub(in crate::delegation) is_reusable: bool,
}

impl AssertionIssuer {
    /// The identity provider `issuer`, which signs with `keys` and whose principals `subjects` knows here.
    pub fn new(issuer: &str, keys: impl Into<Keys>, subjects: impl SubjectMapping + 'static) -> Self {
        Self {
            id: issuer.to_owned(),
            keys: keys.into(),
            rules: AssertionRules {
                subjects: Arc::new(subjects),
                tenants: Vec::new(),
                default_resource: None,
                delegates: false,
                is_reusable: false,
            },
            leeway: None,
            max_lifetime: DEFAULT_MAX_LIFETIME,
        }
    }

    /// The issuer has several tenants, and this is one that is trusted; may be called for several. Then each assertion
    /// must name one of them. Without this, one that names a tenant is refused: its subject would mean somebody else
    /// in another.
    pub fn tenant(mut self, tenant: &str) -> Self {
        self.rules.tenants.push(tenant.into());
        self
    }

    /// Believes the issuer that it is the principal's will when an assertion lets a client act: the tokens that are
    /// issued then name the client as the agent that acts for the principal (`act`).
    ///
    /// Without this they name no actor, and at a resource server that is a principal's token in the hands of a client
    /// ([`Mode::ClientOnly`](crate::Mode::ClientOnly)), which no rule covers that does not say so: the draft leaves open what
    /// an assertion says of actors, and an authenticated client is not one by itself. An `act` in the assertion is
    /// refused without this, and with it unless it names the client and nobody before it: what it means otherwise is
    /// not defined either, and it must not be dropped.
    pub const fn delegates(mut self) -> Self {
        self.rules.delegates = true;
        self
    }

    /// What an assertion is for that names no resource. Without this, it is refused.
    pub fn default_resource(mut self, resource: ResourceId) -> Self {
        self.rules.default_resource = Some(resource);
        self
    }

    /// Lets a client use an assertion again until it ends, in place of a refresh token, as the draft allows. Without
    /// this, it counts once. Whoever can act as the client, and has one, can then get tokens for as long.
    pub const fn reusable(mut self) -> Self {
        self.rules.is_reusable = true;
        self
    }

    /// How far this server's clock and the issuer's may differ: 30 s unless set, at most 60 s.
    pub const fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = Some(leeway);
        self
    }

    /// How long an assertion may last, from `iat` to `exp`: an hour unless set. A longer one is refused.
    pub const fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = lifetime;
        self
    }

    /// The issuer as the verifier of tokens knows it.
    pub(super) fn trusted(&self) -> TrustedIssuer {
        let trusted = TrustedIssuer::new(&self.id, self.keys.clone(), IdJag { trusts_act: self.rules.delegates });
        let trusted = trusted.max_lifetime(self.max_lifetime);
        match self.leeway {
            Some(leeway) => trusted.leeway(leeway),
            None => trusted,
        }
    }
}
