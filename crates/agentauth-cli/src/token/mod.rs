//! `agentauth token`: what does a token say, and why is it refused?

pub(crate) mod anatomy;
mod chain;
pub(crate) mod inspect;
mod profiles;
pub(crate) mod verify;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what a token says, without verifying anything.
    ///
    /// Works offline, and on broken tokens too: it tells what is wrong with the form, and where.
    /// The signature is never shown, so that the output can be passed on.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth token inspect token.txt
  pbpaste | agentauth token inspect                straight from the clipboard
  agentauth token inspect --json token.txt | jq .claims.aud

Status: 0 if the token is well-formed, 1 if it is not, 2 if there is no token to look at."
    )]
    Inspect(inspect::InspectArgs),

    /// Check a token against every rule, as a server would, and tell which ones it breaks.
    ///
    /// All rules are checked, not only up to the first that fails. With --proof, the DPoP proof that was
    /// sent with the token is checked too. What else a server checks is not part of this: the certificate
    /// of the presenter, whether a proof was used before, scopes, and policy.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth token verify token.txt --issuer https://sts.example --jwks https://sts.example/jwks \\
      --audience https://tools.example
  agentauth token verify token.txt --issuer https://sts.example --jwks jwks.json \\
      --audience https://tools.example --at 1800000000       was it good at that time?
  agentauth token verify token.txt --issuer https://sts.example --jwks jwks.json --audience https://tools.example \\
      --proof proof.txt --method POST --url https://tools.example/cases    and the proof beside it?
  some-client print-token | agentauth token verify --profile rfc9068 --issuer ...

Status: 0 if the token is accepted, 1 if it is refused, 2 if it could not be judged."
    )]
    Verify(Box<verify::VerifyArgs>),
}
