//! `agentauth svid`: whose certificate is this, and why is it refused?

mod certificate;
pub(crate) mod inspect;
mod jwt;
mod remarks;
mod source;
pub(crate) mod verify;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what an X.509-SVID says, without verifying anything.
    ///
    /// Reads PEM: a chain, leaf first, with or without its private key beside it, as SPIRE, cert-manager and
    /// Istio write it. The private key is never shown.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth svid inspect /var/run/secrets/spiffe.io/tls.crt
  openssl s_client -connect host:443 -showcerts </dev/null | agentauth svid inspect

Status: 0 if every certificate can be read, 1 if not, 2 if there is none to look at."
    )]
    Inspect(inspect::InspectArgs),

    /// Check an X.509-SVID against every rule, as a server would, and tell which ones it breaks.
    ///
    /// Takes a JWT-SVID too, with --audience, and tells the first rule that it breaks.
    /// A bundle file is PEM, or a SPIFFE bundle document (JSON). The certificate is only ever checked against
    /// the bundle of the trust domain that it names itself.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth svid verify tls.crt --bundle court.example=ca.crt
  agentauth svid verify tls.crt --bundle court.example=bundle.json --at 1800000000    was it good at that time?
  agentauth svid verify token.txt --bundle court.example=bundle.json --audience https://tools.example

Status: 0 if the certificate is accepted, 1 if it is refused, 2 if it could not be judged."
    )]
    Verify(verify::VerifyArgs),
}
