//! `agentauth audit view`: a page on loopback, which only reads.

mod filter;
mod gate;
mod graph;
mod index;
mod integrity;
mod listener;
mod names;
mod page;
mod records;
mod refusal;
mod server;
mod source;
mod summary;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::runtime::Builder;

use self::gate::Gate;
use self::integrity::Integrity;
use self::listener::Bounded;
use self::server::Shown;
use self::source::Source;
use super::source::{key, logs, open, unreadable};
use crate::input::quoted;
use crate::{CliError, Exit, Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct ViewArgs {
    /// The directory of the log, or one with one log below it.
    dir: PathBuf,

    /// Where the page is served: an address of this machine that others cannot reach, and a port; 0 is any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Whose checkpoints are believed: a verifier key, or a file with some, one a line.
    #[arg(long, value_name = "VKEY|FILE")]
    key: Option<String>,

    /// A file that remembers checkpoints of the log, on another mount or from another machine. May be repeated.
    #[arg(long, value_name = "FILE")]
    anchors: Vec<PathBuf>,
}

pub(crate) fn run(args: &ViewArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let setting = |problem: String| CliError::Setting { option: "listen", problem };
    if !args.listen.ip().is_loopback() {
        return Err(setting(format!(
            "{} can be reached from other machines, and records are not for everyone: use an address such as \
             127.0.0.1:0, and a tunnel from where you are",
            args.listen.ip()
        )));
    }
    let key = args.key.as_deref().map(key).transpose()?;
    let several = logs(&args.dir)?;
    if several.len() > 1 {
        let names: Vec<String> = several.iter().map(|dir| quoted(dir)).collect();
        return Err(CliError::SeveralLogs(names.join(", ")));
    }
    let dir = several.first().unwrap_or(&args.dir);
    let directory = open(dir)?;
    let integrity = Integrity::new(directory.clone(), key, &args.anchors)?;
    let source = Source::new(directory);
    if source.segments().map_err(unreadable(dir))?.is_empty() {
        return Err(CliError::NoAuditLog(quoted(dir)));
    }
    let runtime = Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    runtime.block_on(async {
        let bound = TcpListener::bind(args.listen).await;
        let listener = bound.map_err(|error| setting(format!("{} cannot be listened at ({error})", args.listen)))?;
        let address = listener.local_addr().map_err(|error| setting(error.to_string()))?;
        let gate = Gate::new(address)?;
        terminal.write(format!("{}\n", gate.url()).as_bytes())?;
        terminal.remark(&format!("{} is shown to whoever has this URL, until Ctrl-C ends it", quoted(dir)));
        let shown = Arc::new(Shown::new(source, dir.display().to_string(), integrity));
        shown.integrity.begin();
        // Most of it is read before the page asks; what comes later is read when it asks.
        let reading = Arc::clone(&shown);
        tokio::task::spawn_blocking(move || reading.read_all());
        let serve = axum::serve(Bounded::new(listener), server::router(Arc::clone(&shown), gate));
        let ended = tokio::select! {
            done = serve => done.map(|()| Exit::Good),
            _ = tokio::signal::ctrl_c() => Ok(Exit::Good),
        };
        shown.stop();
        ended.map_err(CliError::Output)
    })
}
