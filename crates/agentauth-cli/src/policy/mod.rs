//! `agentauth policy`: are these policies right, what do they decide, and what would change?

pub(crate) mod bundle;
pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod replay;
pub(crate) mod schema;
mod server;
mod sources;
pub(crate) mod test;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check policies: all that is wrong with them, each with its place and a fix.
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
  agentauth policy check rules.toml                        rules need no directory
  agentauth policy check policies --deny-warnings          before policies are merged
  agentauth policy check policies --json | jq .found

Status: 0 if nothing is wrong (warnings do not count without --deny-warnings), 1 if something is, 2 if there
are no policies to look at."
    )]
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
  agentauth policy test policies --entities orders.json    where the server asks a provider

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
    ///
    /// Each decision of the record is asked again of the candidate, as of its own time. Conditions on arguments need
    /// them on record (`AgentAuthBuilder::record_arguments`); without them, a decision may be undetermined.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth policy replay --log audit --candidate policies
  agentauth policy replay --log audit.jsonl --candidate policies --entities orders.json --json

Status: 0 if nothing would change, 1 if something would, 2 if the record or the policies cannot be read."
    )]
    Replay(replay::ReplayArgs),

    /// Write the actions of a list of tools, or the whole schema that policies are checked against.
    ///
    /// Editors that know Cedar want the whole schema in one file: it is what comes with agentauth, and what the
    /// directory adds, with what every action's context has. With --tools, the list of an MCP server becomes
    /// actions with typed arguments, to be added to a directory.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth policy schema policies > whole.cedarschema
  agentauth policy schema --tools tools.json > policies/tools.cedarschema
  agentauth policy schema --tools tools.json --resource Tool      tools act on something of your own

Status: 0 if it could be written, 1 if a tool has an argument without one type, 2 if it cannot be read."
    )]
    Schema(schema::SchemaArgs),
}
