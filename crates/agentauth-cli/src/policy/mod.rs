//! `agentauth policy`: are these policies right, what do they decide, and what would change?

pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod replay;
pub(crate) mod schema;
mod sources;
pub(crate) mod test;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check the policies of a directory: all that is wrong with them, each with its place and a fix.
    ///
    /// Reads the policies as a server does, and tells every mistake at once: what cannot be read, what
    /// the schema does not have, what is of the wrong type. Where nothing is wrong, it looks for what is
    /// valid and hardly meant: what permits everything, what never applies, what denies by an overflow,
    /// names that nobody can have.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth policy check policies
  agentauth policy check policies --deny-warnings          before policies are merged
  agentauth policy check policies --json | jq .found

Status: 0 if nothing is wrong (warnings do not count without --deny-warnings), 1 if something is, 2 if there
are no policies to look at."
    )]
    Check(check::CheckArgs),

    /// Run the cases of a directory against its policies.
    Test(test::TestArgs),

    /// Explain one decision: which policies decided, or what would have been needed.
    ///
    /// Asks the policies as a server does, about a request that nobody made, and permits nothing by it.
    /// For a denial it shows the policies that come nearest, each condition that is not met in its place
    /// in the file, and the values there. The values of arguments are shown: mind who looks on.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth policy explain policies --agent spiffe://court.example/agent/lawyer \\
      --for https://sts.court.example#alice --action motions:file --on case/2026-17 --arguments arguments.json
  echo '{\"fee\": 900}' | agentauth policy explain policies --agent spiffe://court.example/agent/lawyer \\
      --for https://sts.court.example#alice --action motions:file --on case/2026-17 --arguments -

Status: 0 if it is permitted, 1 if it is denied, 2 if the policies could not be asked."
    )]
    Explain(Box<explain::ExplainArgs>),

    /// Show which recorded decisions other policies would change.
    Replay(replay::ReplayArgs),

    /// Write the whole schema that policies are checked against.
    ///
    /// Editors that know Cedar want it in one file: it is what comes with agentauth, and what the directory
    /// adds, with what every action's context has.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth policy schema policies > whole.cedarschema

Status: 0 if it could be written, 2 if not."
    )]
    Schema(schema::SchemaArgs),
}
