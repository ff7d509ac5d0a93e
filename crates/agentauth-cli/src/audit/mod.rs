//! `agentauth audit`: what happened, and is the record whole?

pub(crate) mod check_proof;
pub(crate) mod erase;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod keygen;
pub(crate) mod prove;
pub(crate) mod query;
mod source;
pub(crate) mod stats;
pub(crate) mod tail;
pub(crate) mod verify;
pub(crate) mod view;

use clap::Subcommand;

use crate::{CliError, Exit, Terminal};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a log: every frame, link, tree head and checkpoint.
    ///
    /// Tells what is anchored, what is signed, and what is neither: without --key nothing shows that the log was not written
    /// anew, and without --anchors nothing shows that its end was not cut off. Of damage, it tells the first place:
    /// the file, the byte, the entry, and what is wrong with it. A log may be verified while it is written.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth audit verify audit
  agentauth audit verify audit --key tool-server.vkey --anchors /mnt/other/tool-server.anchor
  agentauth audit verify audit --key example.com/tool-server+1a2b3c4d+AbCd... --json

Status: 0 if it is whole; 1 if it is damaged or forged, or the key or an anchor vouches for nothing of it; 2 if it cannot
be read; 3 if it is whole but for its last bytes, which are no entry: a write that is under way, or a crash."
    )]
    Verify(verify::VerifyArgs),

    /// Write a proof that one record is in the log.
    ///
    /// The proof (C2SP tlog-proof) holds the record, without what is personal unless --with-personal is given, and shows
    /// whoever has the log's verifier key that it is in the log. It is by the latest signed checkpoint.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth audit prove audit 4f0c66d24f5d3a3b8b4f6a0e8f9d2c11 --out decision.tlog-proof
  agentauth audit prove audit 4711 --with-personal > entry.tlog-proof

Status: 0 if it is proven, 1 if it cannot be: if it is not there, or no signed checkpoint covers it yet; 2 if the log cannot
be read."
    )]
    Prove(prove::ProveArgs),

    /// Check a proof that somebody else has given.
    ///
    /// Needs nothing but the proof and the verifier key of the log, which must not come with the proof. Shows what
    /// the record says.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth audit check-proof decision.tlog-proof --key tool-server.vkey
  agentauth audit check-proof decision.tlog-proof --key example.com/tool-server+1a2b3c4d+AbCd... --json

Status: 0 if the record is in the log, 1 if that is not proven, 2 if the proof or the key cannot be read."
    )]
    CheckProof(check_proof::CheckProofArgs),

    /// Make a key that signs checkpoints.
    ///
    /// The private key goes to a new file that only you can read (mode 0600): a line as Go's sumdb/note writes it. Keep it
    /// where those who can write to the log's files cannot read it. The verifier key goes to standard output: give it to
    /// whoever verifies the log (C2SP signed-note).
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth audit keygen example.com/tool-server --out log.key > log.vkey
  agentauth audit verify audit --key log.vkey

Status: 0 if the key was made, 2 if not."
    )]
    Keygen(keygen::KeygenArgs),

    /// Show the latest records, and follow those that come.
    Tail(tail::TailArgs),

    /// Find records.
    Query(query::QueryArgs),

    /// Explain one decision from its records.
    Explain(explain::ExplainArgs),

    /// Count what was allowed and denied, and why.
    Stats(stats::StatsArgs),

    /// Write records for other systems.
    Export(export::ExportArgs),

    /// Look at a log in the browser.
    View(view::ViewArgs),

    /// Erase what is personal, and keep the log verifiable.
    ///
    /// What is personal of a record stands beside what is hashed: it becomes zeros, and every link, tree head, checkpoint
    /// and proof stays as it was. The log names the entries and the reason, for good. Copies of the log and the blocks of
    /// the disk are not reached.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth audit erase audit --principal https://sts.example#alice --reason 'request 2027-31' --dry-run
  agentauth audit erase audit --principal https://sts.example#alice --reason 'request 2027-31'
  agentauth audit erase audit --entry 4711 --entry 4712 --reason 'shown by mistake'

Status: 0 if it is erased, or nothing was there; 2 if not: if a writer has the log open, if it is damaged (nothing was
changed then), if files cannot be written (do it again then)."
    )]
    Erase(erase::EraseArgs),
}

pub(crate) fn run(command: &Command, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    match command {
        Command::Verify(args) => verify::run(args, terminal),
        Command::Prove(args) => prove::run(args, terminal),
        Command::CheckProof(args) => check_proof::run(args, terminal),
        Command::Keygen(args) => keygen::run(args, terminal),
        Command::Tail(args) => tail::run(args, terminal),
        Command::Query(args) => query::run(args, terminal),
        Command::Explain(args) => explain::run(args, terminal),
        Command::Stats(args) => stats::run(args, terminal),
        Command::Export(args) => export::run(args, terminal),
        Command::View(args) => view::run(args, terminal),
        Command::Erase(args) => erase::run(args, terminal),
    }
}
