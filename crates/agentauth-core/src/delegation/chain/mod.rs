//! Offline attenuation: a holder narrows its own token for another agent, with no server in the loop. **Unstable**
//! (feature `unstable-chain`): no draft for this is final, and neither the wire form nor this module is.
//!
//! The root of a chain is any access token that is bound to a key by its thumbprint (`cnf.jkt`). A link is signed with the
//! key that its parent is bound to, says by `par_hash` which parent that is, is bound to the next agent's key, and holds no
//! more than its parent: not another principal, not another server, not a longer life, not a deeper chain, not more
//! authority. The wire form is written down in `docs/delegation-chain.md`; another one is a [`ChainProfile`].
//!
//! A holder makes a link with [`Chain::attenuate`], and whoever presents the chain sends the leaf as its token, the
//! others in a header, and a DPoP proof over the leaf. A server follows chains once its engine is told to
//! (`AgentAuthBuilder::chains`).
//!
//! # What the name of a sub-agent means
//!
//! No issuer has named the agent of a link; the holder before it has. A name in a link is therefore a name in that
//! holder's own name space, which is the thumbprint URI of its key: no rule about an issuer's client or about a workload
//! covers it. A SPIFFE ID in a link counts as that workload only where the connection proves it (mutual TLS), or where the
//! server takes the word of holders for agents of that trust domain ([`ChainSettings::delegates_named_in`]). The agents
//! before it must each be believed here too, by the same rules.
//!
//! ```
//! use agentauth_core::delegation::chain::{Chain, ChainSettings, ChainVerifier};
//! use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
//! use agentauth_core::token::{TokenVerifier, TrustedIssuer};
//! use agentauth_core::{AgentId, ResourceId, SystemRandom, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let [issuer, lawyer, clerk] = [(); 3].map(|()| SigningKey::generate(Algorithm::EdDsa));
//! let (issuer, lawyer, clerk) = (issuer?, lawyer?, clerk?);
//! let root = issuer.sign(
//!     TokenType::AccessToken,
//!     format!(
//!         r#"{{"iss":"https://sts.example","sub":"alice","aud":"https://tools.example","client_id":"lawyer","jti":"1",
//!             "iat":1000,"exp":1300,"scope":"motions:file records:read","cnf":{{"jkt":"{}"}}}}"#,
//!         lawyer.key_id(),
//!     )
//!     .as_bytes(),
//! )?;
//!
//! // The lawyer passes on that records may be read, for a minute, to whoever holds the clerk's key.
//! let now = Timestamp::from_secs(1000);
//! let agent = AgentId::Spiffe("spiffe://court.example/agent/clerk".parse()?);
//! let chain = Chain::read(&root)?
//!     .attenuate(&lawyer, &agent, clerk.key_id().parse()?)
//!     .scopes("records:read".parse()?)
//!     .expires(Timestamp::from_secs(1060))
//!     .sign(now, &SystemRandom)?;
//!
//! let tokens = TokenVerifier::new(
//!     ResourceId::new("https://tools.example")?,
//!     vec![TrustedIssuer::rfc9068("https://sts.example", issuer.public_key_set()?)],
//! )?;
//! let ancestors = chain.ancestors().ok_or("a chain with a link has ancestors")?;
//! let verified = ChainVerifier::new(ChainSettings::new())?.verify(&tokens, &ancestors, chain.leaf(), now)?;
//! assert_eq!(verified.principal().subject(), "alice");
//! assert_eq!(verified.authority().scopes().to_string(), "records:read");
//! # Ok(())
//! # }
//! ```

mod attenuate;
mod error;
mod explain;
mod held;
mod parent;
mod presented;
mod profile;
mod settings;
mod verify;

pub use attenuate::Attenuation;
pub use error::{AttenuationError, ChainError, LinkError};
pub use explain::{ChainExplanation, ChainOutcome, ChainRule, ChainStep};
pub use held::Chain;
pub use presented::{MAX_ANCESTORS_BYTES, ancestors_of};
pub use profile::{ChainProfile, HouseProfile, LinkClaims};
pub use settings::{ChainConfigError, ChainSettings, DEFAULT_MAX_LINKS, HARD_MAX_LINKS};
pub use verify::{ChainVerifier, VerifiedChain};

pub use super::AGENT_DELEGATION;
