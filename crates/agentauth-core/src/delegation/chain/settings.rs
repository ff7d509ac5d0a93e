use std::sync::Arc;

use http::HeaderName;

use super::{AGENT_DELEGATION, ChainProfile, HouseProfile};
use crate::identity::TrustDomain;
use crate::jose::TokenType;
use crate::scope::DetailTypes;
use crate::token::Naming;

/// How many links a chain may have unless set: an agent, and three below the one that the root names.
pub const DEFAULT_MAX_LINKS: usize = 4;

/// The most that can be set: each link costs a signature check, and a place in the record.
pub const HARD_MAX_LINKS: usize = 16;

/// Which chains are followed, and how links are written and read. Cheap to clone.
#[derive(Debug, Clone)]
#[must_use]
pub struct ChainSettings {
    pub(super) header: HeaderName,
    pub(super) max_links: usize,
    pub(super) roots_must_allow: bool,
    pub(super) naming: Naming,
    pub(super) details: DetailTypes,
    pub(super) profile: Arc<dyn ChainProfile>,
}

/// Settings with which no chain could be followed safely.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainConfigError {
    /// A limit of 0 links, or over 16.
    #[error("a limit of {0} links is outside 1 to 16")]
    MaxLinks(usize),
    /// The links of the profile are of a kind that is taken for something else.
    #[error("links of profile `{profile}` are of type `{kind}`, which stands for something else already")]
    LinkType {
        /// The profile's name.
        profile: &'static str,
        /// The type that it gives to links.
        kind: TokenType,
    },
    /// No DPoP proofs are verified, without which nobody can present a chain.
    #[error("chains are presented with DPoP proofs, which are not verified here: call .dpop(..)")]
    NoDpop,
}

impl ChainSettings {
    /// Links by [`HouseProfile`], up to 4 of them, in the header [`AGENT_DELEGATION`].
    pub fn new() -> Self {
        Self {
            header: AGENT_DELEGATION,
            max_links: DEFAULT_MAX_LINKS,
            roots_must_allow: false,
            naming: Naming::Nobody,
            details: DetailTypes::new(),
            profile: Arc::new(HouseProfile),
        }
    }

    /// The header that carries the ancestors of the token that is presented. No name is agreed on anywhere; a client
    /// layer that removes copied credentials knows the usual one only.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.header = name;
        self
    }

    /// How many links a chain may have: 4 unless set, at most 16. A root can say less, by `del_max_depth`.
    pub const fn max_links(mut self, limit: usize) -> Self {
        self.max_links = limit;
        self
    }

    /// Follows chains only below roots that say how deep they may become (`del_max_depth`). Without this, a root that
    /// says nothing may be passed on as deep as [`ChainSettings::max_links`] allows.
    pub const fn roots_must_allow(mut self) -> Self {
        self.roots_must_allow = true;
        self
    }

    /// Takes the word of a holder for it that its delegate is the workload it names, in these trust domains: whoever
    /// holds a token that can be passed on can then call any key by the name of any agent there. Without this, a SPIFFE
    /// ID in a link counts where the connection proves it, and else is a name that means something to its maker only.
    pub fn delegates_named_in(mut self, trust_domains: impl IntoIterator<Item = TrustDomain>) -> Self {
        self.naming = Naming::Of(trust_domains.into_iter().collect());
        self
    }

    /// The types of `authorization_details` that are known. A link with one of another type is refused. An
    /// engine gives its own (`AgentAuthBuilder::detail_types`).
    pub fn detail_types(mut self, types: DetailTypes) -> Self {
        self.details = types;
        self
    }

    /// Another wire form of links.
    pub fn profile(mut self, profile: impl ChainProfile + 'static) -> Self {
        self.profile = Arc::new(profile);
        self
    }

    /// The header that carries the ancestors.
    #[must_use]
    pub const fn header_name(&self) -> &HeaderName {
        &self.header
    }

    pub(super) fn check(&self) -> Result<(), ChainConfigError> {
        if !(1..=HARD_MAX_LINKS).contains(&self.max_links) {
            return Err(ChainConfigError::MaxLinks(self.max_links));
        }
        let kind = self.profile.token_type();
        let is_taken = matches!(
            kind,
            TokenType::AccessToken
                | TokenType::DpopProof
                | TokenType::Jwt
                | TokenType::Jose
                | TokenType::Absent
                | TokenType::Other
        );
        if is_taken {
            return Err(ChainConfigError::LinkType { profile: self.profile.name(), kind });
        }
        Ok(())
    }
}

impl Default for ChainSettings {
    fn default() -> Self {
        Self::new()
    }
}
