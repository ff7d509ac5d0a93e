use agentauth_audit::read::{CheckpointSeen, Filter, Log, LogRecord, View};
use agentauth_core::policy::Effect;
use clap::Args;
use serde::Serialize;

use super::asked::{Answer, LogArgs};
use super::line::Envelope;
use super::story;
use crate::text::{pretty_json, shown};
use crate::{CliError, Exit, Terminal};

/// So many records about one approval are told: it is asked for, decided and used.
const MAX_APPROVALS: usize = 20;

/// So many records have one evaluation id at the most that anybody needs to see.
const MAX_FOUND: usize = 64;

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    log: LogArgs,

    /// The id that the caller was told when it was refused, and that every record has.
    #[arg(value_name = "EVALUATION_ID")]
    evaluation: String,

    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

/// What is on record of one evaluation.
pub(super) struct Explained {
    /// What it is about.
    pub(super) record: LogRecord,
    pub(super) outcome: Option<LogRecord>,
    pub(super) authentication: Option<LogRecord>,
    pub(super) approvals: Vec<LogRecord>,
    pub(super) checkpoint: Option<CheckpointSeen>,
    /// What was answered after all, where the record could not be kept everywhere, or nobody waited for it.
    pub(super) correction: Option<LogRecord>,
    /// Records with the same id that should not be there.
    pub(super) others: usize,
}

#[derive(Serialize)]
struct Written<'e> {
    evaluation_id: &'e str,
    record: Envelope,
    /// What was answered after all; null if it is the same.
    correction: Option<Envelope>,
    /// Null if there is none on record: then it is unknown how the action ended, if it was allowed.
    outcome: Option<Envelope>,
    authentication: Option<Envelope>,
    approvals: Vec<Envelope>,
    checkpoint: Option<WrittenCheckpoint>,
}

#[derive(Serialize)]
struct WrittenCheckpoint {
    entry: u64,
    written: agentauth_core::Timestamp,
    note: String,
    signed: bool,
}

pub(crate) fn run(args: &ExplainArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let log = args.log.open()?;
    let (look, now) = (terminal.look(), terminal.time(None));
    let mut answer = Answer::new(terminal);
    let Some(explained) = explained(&log, &args.evaluation, &mut answer)? else {
        answer.remark(&format!("there is no record of evaluation {} in this log", shown(&args.evaluation)));
        answer.count(0);
        return answer.end();
    };
    answer.count(1);
    let text = if args.json {
        pretty_json(&explained.written(&args.evaluation))
    } else {
        story::of(&explained, look, now, log.names().count() > 1)
    };
    answer.line(text.trim_end())?;
    answer.end()
}

fn explained(log: &Log, id: &str, answer: &mut Answer<'_, '_>) -> Result<Option<Explained>, CliError> {
    // An id is looked for as it is: a `*` in it is none of a pattern.
    let mut found = all(log, &Filter::new().evaluation(id), MAX_FOUND, answer)?;
    answer.has_read();
    found.retain(|record| record.view().is_some_and(|view| view.evaluation_id() == id));
    let mut take = |is: &dyn Fn(&View<'_>) -> bool| {
        let at = found.iter().position(|record| record.view().is_some_and(|view| is(&view)))?;
        Some(found.remove(at))
    };
    let is_outcome = |view: &View<'_>| view.kind() == "outcome";
    let Some(record) = take(&|view| !is_outcome(view)).or_else(|| take(&|_| true)) else { return Ok(None) };
    let kind = record.view().map(|view| view.kind().to_owned()).filter(|kind| kind != "outcome");
    let correction = take(&|view| Some(view.kind()) == kind.as_deref() && view.effect() == Effect::Deny);
    let outcome = take(&is_outcome);
    let others = found.len();
    let view = record.view();
    let authentication = match view.as_ref().and_then(|view| view.authentication_id()) {
        Some(id) => all(log, &Filter::new().kind("authentication").evaluation(id), 1, answer)?.pop(),
        None => None,
    };
    let approvals = match view.as_ref().and_then(|view| view.approval()) {
        Some(id) => {
            let mut named = all(log, &Filter::new().kind("record").text(id), MAX_APPROVALS, answer)?;
            named.retain(|one| {
                one.view().is_some_and(|view| view.approval() == Some(id)) && one.number() != record.number()
            });
            named
        }
        None => Vec::new(),
    };
    let checkpoint = log.checkpoint_of(record.log(), record.number());
    drop(view);
    Ok(Some(Explained { record, correction, outcome, authentication, approvals, checkpoint, others }))
}

fn all(log: &Log, filter: &Filter, most: usize, answer: &mut Answer<'_, '_>) -> Result<Vec<LogRecord>, CliError> {
    let mut found = Vec::new();
    for read in log.oldest_first(filter) {
        found.extend(answer.read_once(read)?);
        if found.len() >= most {
            break;
        }
    }
    Ok(found)
}

impl Explained {
    /// Whether what the record allows was refused all the same.
    pub(super) const fn is_refused_after_all(&self) -> bool {
        self.correction.is_some() || self.record.is_refused_late()
    }

    fn written<'e>(&self, evaluation_id: &'e str) -> Written<'e> {
        Written {
            evaluation_id,
            record: Envelope::of(&self.record),
            correction: self.correction.as_ref().map(Envelope::of),
            outcome: self.outcome.as_ref().map(Envelope::of),
            authentication: self.authentication.as_ref().map(Envelope::of),
            approvals: self.approvals.iter().map(Envelope::of).collect(),
            checkpoint: self.checkpoint.as_ref().map(|seen| WrittenCheckpoint {
                entry: seen.number,
                written: seen.time,
                note: seen.note.clone(),
                signed: seen.is_signed,
            }),
        }
    }
}
