use crate::text::Excerpt;
use crate::token::TokenError;

/// Why a transaction token was refused, or may not be used so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionTokenError {
    /// There is none, and here there must be.
    #[error("the request carries no transaction token; send the one of this transaction in the Txn-Token header")]
    Missing,
    /// There are several: which one counts would be a guess.
    #[error("the request has more than one Txn-Token header")]
    Repeated,
    /// The header is not one token.
    #[error("the Txn-Token header is not exactly one token")]
    Malformed,
    /// The token is refused.
    #[error("the transaction token is refused: {0}")]
    Refused(#[from] TokenError),
    /// It does not count in the trust domain that it was to be sent to.
    #[error("the transaction token counts in trust domain `{own}`, and must not be sent to `{other}`")]
    OtherDomain {
        /// Where it counts.
        own: Excerpt,
        /// Where it was to go.
        other: Excerpt,
    },
    /// What is said to replace it is about another transaction, principal or trust domain.
    #[error("the replacement is about another transaction, subject or trust domain (txn, sub, aud)")]
    ReplacementAltered,
    /// What is said to replace it holds scopes that it does not hold.
    #[error("the replacement holds scopes that the transaction token does not hold")]
    ReplacementWidened,
    /// What is said to replace it was issued when it had ended.
    #[error("the replacement was issued after the transaction token had expired")]
    ReplacementLate,
}

impl TransactionTokenError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "transaction_token_missing",
            Self::Repeated => "transaction_token_repeated",
            Self::Malformed => "transaction_token_malformed",
            Self::Refused(error) => error.code(),
            Self::OtherDomain { .. } => "transaction_token_other_domain",
            Self::ReplacementAltered => "transaction_replacement_altered",
            Self::ReplacementWidened => "transaction_replacement_widened",
            Self::ReplacementLate => "transaction_replacement_late",
        }
    }

    /// Whether it is not the token's fault, and another try may do.
    pub(crate) const fn is_of_the_moment(&self) -> bool {
        matches!(self, Self::Refused(TokenError::KeysUnavailable(_) | TokenError::TooManyWaiting))
    }
}

/// Why transaction tokens cannot be configured so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionConfigError {
    /// The name of the trust domain is not 1 to 2048 visible ASCII characters.
    #[error("`{0}` is no trust domain: visible ASCII characters are needed, as the `aud` of its tokens has them")]
    TrustDomain(Excerpt),
    /// The issuer cannot be configured so.
    #[error(transparent)]
    Issuer(#[from] crate::token::IssuerConfigError),
}
