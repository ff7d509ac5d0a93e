use serde::Serialize;

/// In what capacity an agent acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// For itself: there is no one behind it.
    Autonomous,
    /// For a principal who is someone else, as the issuer says: by the `act` claim (RFC 8693 §4.1), or as its profile
    /// has it.
    OnBehalfOf,
    /// In a principal's place: someone took over the principal's session, an administrator for instance. No one
    /// delegated anything.
    Impersonation,
    /// As an account that the issuer keeps for the agent and that looks like a user's. No human is behind it.
    AgentAccount,
    /// A principal's token in the hands of a client that the issuer names, without a word about delegation. That
    /// an agent acts for the principal must not be inferred from this.
    ClientOnly,
}
