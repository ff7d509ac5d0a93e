//! Which checks of a chain ran, and what came of each: a chain that is good is not yet a request that is permitted.

use std::fmt;

use super::ChainError;

/// A rule that a chain must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChainRule {
    /// Bounded bytes and links, in one header.
    Size,
    /// The root is a good access token of a trusted issuer.
    Root,
    /// The root is bound to a key by its thumbprint, and names an agent that its issuer may name.
    Binding,
    /// A link is a compact JWS with a key in its header.
    Form,
    /// Its `typ` is that of a link.
    Type,
    /// Its claims are one strict JSON object, and all are known.
    Claims,
    /// Its key is the one that its parent confirms.
    Key,
    /// Its signature is good under that key.
    Signature,
    /// Its `iss` is that key's thumbprint URI.
    Issuer,
    /// It was made below this parent.
    Parent,
    /// It is one level deeper than its parent, and not too deep.
    Depth,
    /// It is for the same principal.
    Principal,
    /// It counts within its parent's time, and now.
    Lifetime,
    /// It is for servers that its parent is for.
    Audience,
    /// Its authority is within its parent's.
    Authority,
    /// Its delegate and its delegate's key are new to the chain.
    Agents,
    /// The leaf is for this server alone.
    Leaf,
    /// The presenter holds the leaf's key: checked with the proof of the request, not with the chain.
    Presenter,
    /// The action is within the leaf's authority, and permitted: decided for each action, not with the chain.
    Authorization,
}

impl ChainRule {
    /// The rules that every link is checked by, in their order.
    pub const OF_LINK: [Self; 13] = [
        Self::Form,
        Self::Type,
        Self::Claims,
        Self::Key,
        Self::Signature,
        Self::Issuer,
        Self::Parent,
        Self::Depth,
        Self::Principal,
        Self::Lifetime,
        Self::Audience,
        Self::Authority,
        Self::Agents,
    ];

    /// What the rule asks for.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Size => "one header, of bounded size, with no more links than are allowed",
            Self::Root => "the root is a good access token of a trusted issuer",
            Self::Binding => "the root is bound to a key by its thumbprint",
            Self::Form => "a compact JWS of canonical parts, with its maker's public key in the header",
            Self::Type => "typ is that of a link",
            Self::Claims => "the claims are one strict JSON object, and none is unknown",
            Self::Key => "the key is the one that the parent confirms",
            Self::Signature => "the signature is good under that key",
            Self::Issuer => "iss is the thumbprint URI of that key",
            Self::Parent => "par_hash is the hash of this parent",
            Self::Depth => "one level deeper than the parent, and no deeper than it allows",
            Self::Principal => "sub is the parent's",
            Self::Lifetime => "within the parent's time, and now",
            Self::Audience => "aud is among the parent's",
            Self::Authority => "scope and details are within the parent's",
            Self::Agents => "neither the delegate nor its key is in the chain already",
            Self::Leaf => "the leaf is for this server, and for it alone",
            Self::Presenter => "the presenter proves that it holds the leaf's key",
            Self::Authorization => "the action is within the authority that is left, and permitted",
        }
    }
}

impl fmt::Display for ChainRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// What came of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainOutcome {
    /// The chain keeps it.
    Passed,
    /// The chain breaks it, and is refused.
    Failed(ChainError),
    /// It was not checked, because an earlier one failed.
    NotReached,
    /// It is not checked with the chain, but where the request and the action are known.
    Elsewhere,
}

/// One rule, the token of the chain it was checked on, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainStep {
    /// Which token: 0 is the root.
    pub at: usize,
    /// The rule.
    pub rule: ChainRule,
    /// What came of it.
    pub outcome: ChainOutcome,
}

/// Every check of one chain, in its order. See [`ChainVerifier::explain`](super::ChainVerifier::explain).
#[derive(Debug, Clone)]
pub struct ChainExplanation {
    steps: Vec<ChainStep>,
}

impl ChainExplanation {
    /// The checks.
    #[must_use]
    pub fn steps(&self) -> &[ChainStep] {
        &self.steps
    }

    /// Whether the chain is good: exactly then [`ChainVerifier::verify`](super::ChainVerifier::verify) accepts it. Who
    /// presents it, and whether what it wants is permitted, is not known by that.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.outcome, ChainOutcome::Passed | ChainOutcome::Elsewhere))
    }

    /// Why the chain is refused, if it is.
    #[must_use]
    pub fn refusal(&self) -> Option<&ChainError> {
        self.steps.iter().find_map(|step| match &step.outcome {
            ChainOutcome::Failed(error) => Some(error),
            _ => None,
        })
    }

    /// The steps of a chain of `links` links that was checked as far as `last`.
    pub(super) fn of(links: usize, last: (usize, ChainRule), error: Option<&ChainError>) -> Self {
        let of_chain = [ChainRule::Size, ChainRule::Root, ChainRule::Binding].map(|rule| (0, rule));
        let of_links = (1..=links).flat_map(|at| ChainRule::OF_LINK.map(|rule| (at, rule)));
        let mut is_past = false;
        let step = |(at, rule)| {
            let outcome = match error {
                _ if is_past => ChainOutcome::NotReached,
                Some(error) if (at, rule) == last => {
                    is_past = true;
                    ChainOutcome::Failed(error.clone())
                }
                _ => ChainOutcome::Passed,
            };
            ChainStep { at, rule, outcome }
        };
        let mut steps: Vec<_> =
            of_chain.into_iter().chain(of_links).chain([(links, ChainRule::Leaf)]).map(step).collect();
        let elsewhere = |rule| ChainStep { at: links, rule, outcome: ChainOutcome::Elsewhere };
        steps.extend([ChainRule::Presenter, ChainRule::Authorization].map(elsewhere));
        Self { steps }
    }
}
