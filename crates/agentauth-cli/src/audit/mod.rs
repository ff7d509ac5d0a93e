//! `agentauth audit`: what happened, and is the record whole?

mod asked;
pub(crate) mod check_proof;
pub(crate) mod erase;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod keygen;
mod line;
mod ocsf;
pub(crate) mod prove;
pub(crate) mod query;
mod source;
pub(crate) mod stats;
mod story;
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
  agentauth audit verify audit --key checkpoint.vkey --anchors /mnt/elsewhere/tool-server.anchor
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
  agentauth audit check-proof decision.tlog-proof --key checkpoint.vkey
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
  agentauth audit keygen example.com/tool-server --out checkpoint.key > checkpoint.vkey
  agentauth audit verify audit --key checkpoint.vkey

Status: 0 if the key was made, 2 if not."
    )]
    Keygen(keygen::KeygenArgs),

    /// Show the latest records, and follow those that come.
    ///
    /// A log can be looked at while it is written: nothing is locked, and an entry that is half written is not there yet.
    /// Only the end of a log is read, however long it is. Of several logs in one directory, all are shown, by time.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth audit tail audit
  agentauth audit tail audit -n 100 --verdict deny --since 2h
  agentauth audit tail audit --follow --kind decision --json | jq .content.code

Status: 0 if something was shown, 1 if there is nothing of it, 2 if the log cannot be read, or not all of it."
    )]
    Tail(tail::TailArgs),

    /// Find records: by agent, principal, action, verdict, reason or time.
    ///
    /// The whole log is searched, and no index is trusted: a million records take a second or two. Outcomes name
    /// no agent; they have the evaluation id of their decision.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth audit query audit --verdict deny --since 3d
  agentauth audit query audit --agent spiffe://court.example/agent/lawyer --for alice --action 'motions:*'
  agentauth audit query audit --code policy_not_permitted --newest-first --limit 20
  agentauth audit query audit --kind revocation --since 2027-01-01 --count

Status: 0 if something was found, 1 if nothing was, 2 if the log cannot be read, or not all of it."
    )]
    Query(query::QueryArgs),

    /// Explain one decision from its records.
    ///
    /// Who acted for whom, through which agents, and how each was proven; what was asked, what the policies said, how it
    /// ended, and whether a checkpoint covers the record. A caller that was refused was told the id.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth audit explain audit 4b1c0f0e9d6a4c0e8f3a2b1d5e7f9a0c
  agentauth audit explain audit 4b1c0f0e9d6a4c0e8f3a2b1d5e7f9a0c --json | jq .outcome.content.code

Status: 0 if it is on record, 1 if it is not, 2 if the log cannot be read, or not all of it."
    )]
    Explain(explain::ExplainArgs),

    /// Count what was allowed and denied, and why.
    ///
    /// Decisions by agent, action and time, denials by their code, outcomes by how they ended. Of more than 1000 names of one
    /// kind, the rest are counted as `_other`.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth audit stats audit --since 3d
  agentauth audit stats audit --agent 'spiffe://court.example/*' --every 1d --json

Status: 0 if something was counted, 1 if there is nothing, 2 if the log cannot be read, or not all of it."
    )]
    Stats(stats::StatsArgs),

    /// Write records for other systems.
    ///
    /// As JSON lines, the records are as they were written: what `agentauth policy replay` reads. As OCSF, they are
    /// events of version 1.8.0 of that schema: Authentication (3002), Authorize Session (3003) for tokens that were
    /// issued, User Access Management (3005) for revocations, API Activity (6003) for all else; the chain of delegation
    /// stands under `unmapped`, for which the schema has no place. Of what is personal, JSON lines have all that is not
    /// erased; events have the names of principals and approvers, and no arguments.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth audit export audit --format jsonl --kind decision > decisions.jsonl
  agentauth audit export audit --format ocsf --since 2027-01-01 --until 2027-02-01 | gzip > january.ocsf.gz

Status: 0 if something was written, 1 if there is nothing, 2 if the log cannot be read, or not all of it."
    )]
    Export(export::ExportArgs),

    /// Look at a log in the browser.
    ///
    /// Serves a page on loopback that only reads, and prints its URL: what was allowed and denied over time, denials by reason, who
    /// acts for whom, each record with its chain, reasons and outcome, and whether the log is whole. The log may be written
    /// meanwhile. Whoever has the URL sees all of it, until Ctrl-C ends it.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth audit view audit
  agentauth audit view audit --key checkpoint.vkey --anchors /mnt/elsewhere/tool-server.anchor
  agentauth audit view audit --listen 127.0.0.1:8470      for a tunnel: ssh -L 8470:127.0.0.1:8470 HOST

Status: 0 if it was ended, 2 if the log cannot be read, or the page cannot be served."
    )]
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
