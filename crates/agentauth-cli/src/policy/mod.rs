//! `agentauth policy`: are these policies right, what do they decide, and what would change?

pub(crate) mod bundle;
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
    ///
    /// Cases say what the policies are to decide, in files called `*.cases.json`: requests, and the answer that is
    /// expected to each. Each is shown as it is decided; then what is different about those that failed.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth policy test policies
  agentauth policy test policies --cases policies/tests --json

A file of cases:
  { \"defaults\": { \"server\": \"https://court.example\",
                  \"agent\": \"spiffe://court.example/agent/lawyer\",
                  \"principal\": { \"issuer\": \"https://sts.court.example\", \"subject\": \"alice\" } },
    \"cases\": [
      { \"name\": \"a small motion\", \"action\": \"motions:file\", \"resource\": { \"kind\": \"case\", \"id\": \"17\" },
        \"arguments\": { \"fee\": 120 }, \"expect\": \"allow\", \"policies\": [\"lawyers-file\"] } ] }

Status: 0 if every case passed, 1 if one failed, 2 if the policies or the cases cannot be read."
    )]
    Test(test::TestArgs),

    /// Sign the policies of a directory as one file, for servers that pin the public key.
    ///
    /// The policies are checked, and their cases run, before anything is signed. A server takes a bundle that is for
    /// it, and whose number is not lower than that of one that it has seen.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth policy bundle policies --key signing-key.pem --server https://court.example \\
      --sequence 7 --out court.bundle

Status: 0 if the bundle was written, 1 if a case failed, 2 if not."
    )]
    Bundle(bundle::BundleArgs),

    /// Explain one decision: which policies decided, or what would have been needed.
    Explain(explain::ExplainArgs),

    /// Show which recorded decisions other policies would change.
    Replay(replay::ReplayArgs),

    /// Write the actions of a schema from a list of tools, or the whole schema that policies are checked against.
    Schema(schema::SchemaArgs),
}
