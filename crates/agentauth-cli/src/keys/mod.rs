//! `agentauth keys`: keys for an issuer, and what it publishes of them.

pub(crate) mod generate;
pub(crate) mod jwks;
mod public;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a new private key, and show its public half.
    ///
    /// The private key goes to a new file that only you can read (mode 0600), in PKCS#8 PEM form.
    /// Its public half goes to standard output as a JWK.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth keys generate --out signing-key.pem
  agentauth keys generate --alg ES256 --out signing-key.pem > public.jwk

Status: 0 if the key was made, 2 if not."
    )]
    Generate(generate::GenerateArgs),

    /// Show the JWKS that an issuer publishes for its keys.
    ///
    /// Reads private keys (PKCS#8, as PEM or DER), JWKs and JWKS documents, and writes their public halves
    /// as one JWKS. Private parts are left out, always. A key or a name that stands twice is refused.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth keys jwks signing-key.pem > jwks.json
  agentauth keys jwks new-key.pem old-key.pem > jwks.json       while keys are being changed
  agentauth keys jwks --rsa-alg PS256 rsa-key.pem

Status: 0 if the JWKS was written, 2 if not."
    )]
    Jwks(jwks::JwksArgs),
}
