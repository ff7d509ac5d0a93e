use clap::{Parser, Subcommand};

use crate::{audit, delegation, keys, policy, spiffe, svid, token, xfcc};

/// Finds out why a token or a certificate is refused, shows what it says, and makes keys to sign with.
#[derive(Debug, Parser)]
#[command(
    name = "agentauth",
    version,
    // Help reads the same on every terminal.
    term_width = 100,
    after_help = "\
Examples:
  agentauth token inspect token.txt                what does this token say? (nothing is verified)
  agentauth token verify token.txt --issuer https://sts.example \\
      --jwks https://sts.example/jwks --audience https://tools.example
                                                   would my server accept it, and if not, why?
  agentauth delegation show chain.txt              who passed what on to whom, and what is left of it?
  agentauth svid verify tls.crt --bundle court.example=ca.crt
                                                   would my server know this agent, and if not, why?
  agentauth xfcc parse header.txt --mode sanitize-set
                                                   whom does my server see behind its proxy?
  agentauth spiffe watch                           who does the platform say that I am, and until when?
  agentauth policy check policies                  what is wrong with my policies?
  agentauth audit verify audit                     is the record whole, and as it was written?
  agentauth keys generate --out signing-key.pem    a new key for an issuer

`agentauth help token verify` explains one command."
)]
pub(crate) struct Cli {
    /// Draw with ASCII characters only, as is done anyway where the locale is not UTF-8.
    #[arg(long, global = true)]
    pub(crate) ascii: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look into access tokens: what they say, and why they are refused.
    #[command(subcommand)]
    Token(token::Command),

    /// Look into chains of delegations: who acts for whom, and with how much authority at each hop.
    #[command(subcommand)]
    Delegation(delegation::Command),

    /// Look into X.509-SVIDs: whom a certificate names, and why it is refused.
    #[command(subcommand)]
    Svid(svid::Command),

    /// Look into the headers in which Envoy and Istio say who their client is.
    #[command(subcommand)]
    Xfcc(xfcc::Command),

    /// Look at what a SPIFFE platform says: identities, bundles, and how they change.
    #[command(subcommand)]
    Spiffe(spiffe::Command),

    /// Check, test and explain Cedar policies, and rehearse others.
    #[command(subcommand)]
    Policy(policy::Command),

    /// Verify, ask and look at the audit log: what happened, and is the record whole?
    #[command(subcommand)]
    Audit(audit::Command),

    /// Make signing keys, and publish their public halves.
    #[command(subcommand)]
    Keys(keys::Command),
}
