//! `agentauth policy`: are these policies right, what do they decide, and what would change?

pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod replay;
pub(crate) mod schema;
pub(crate) mod test;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check the policies of a directory: all that is wrong with them, each with its place and a fix.
    Check(check::CheckArgs),

    /// Run the cases of a directory against its policies.
    Test(test::TestArgs),

    /// Explain one decision: which policies decided, or what would have been needed.
    Explain(explain::ExplainArgs),

    /// Show which recorded decisions other policies would change.
    Replay(replay::ReplayArgs),

    /// Write the actions of a schema from a list of tools, or the whole schema that policies are checked against.
    Schema(schema::SchemaArgs),
}
