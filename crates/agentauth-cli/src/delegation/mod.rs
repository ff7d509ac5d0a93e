//! `agentauth delegation`: who acts for whom, and with how much authority at each hop?

mod hop;
pub(crate) mod show;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Draw a chain of delegations as a tree: who, for whom, what is left at each hop, and why that is narrower.
    ///
    /// The tokens come in the order in which they were made, the principal's first: those of an issuer, hop
    /// by hop, or a chain that holders have narrowed without it (`root~link~link`), or both. A single token
    /// is drawn with the actors that it names.
    ///
    /// Each hop is compared with the one before: more authority, another principal, a longer life or a
    /// missing link is marked. Signatures are not checked: `agentauth token verify` does that.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth delegation show chain.txt              a chain, as it was handed over
  agentauth delegation show consent.txt lawyer.txt clerk.txt
                                                   one token for each hop
  some-agent print-chain | agentauth delegation show --json | jq .hops

Status: 0 if each hop is narrower than the one before, 1 if one is not or is malformed, 2 if there is nothing to look at."
    )]
    Show(show::ShowArgs),
}
