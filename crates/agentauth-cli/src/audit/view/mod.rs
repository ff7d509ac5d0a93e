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
mod server;
mod source;
mod summary;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use agentauth_audit::disk::RealDirectory;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use self::gate::Gate;
use self::integrity::Integrity;
use self::listener::Bounded;
use self::server::Shown;
use self::source::Source;
use crate::input::quoted;
use crate::{CliError, Exit, Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct ViewArgs {
    /// The directory of the log.
    dir: PathBuf,

    /// Where the page is served: an address of this machine that others cannot reach, and a port; 0 is any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// The verifier key of the log's checkpoints, as `agentauth audit keygen` writes it. May be repeated.
    #[arg(long, value_name = "VKEY")]
    key: Vec<String>,

    /// A file in which the log's checkpoints are anchored. May be repeated.
    #[arg(long, value_name = "FILE")]
    anchor: Vec<PathBuf>,
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
    let unreadable = |source| CliError::Unreadable { place: quoted(&args.dir), source };
    let directory = RealDirectory::existing(&args.dir).map_err(unreadable)?;
    let integrity = Integrity::new(directory.clone(), &args.key, &args.anchor)?;
    let source = Source::new(directory);
    if source.segments().map_err(unreadable)?.is_empty() {
        return Err(CliError::NoAuditLog(quoted(&args.dir)));
    }
    let runtime = Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    runtime.block_on(async {
        let bound = TcpListener::bind(args.listen).await;
        let listener = bound.map_err(|error| setting(format!("{} cannot be listened at ({error})", args.listen)))?;
        let address = listener.local_addr().map_err(|error| setting(error.to_string()))?;
        let gate = Gate::new(address)?;
        terminal.write(format!("{}\n", gate.url()).as_bytes())?;
        terminal.remark(&format!("{} is shown to whoever has this URL, until Ctrl-C ends it", quoted(&args.dir)));
        let shown = Arc::new(Shown::new(source, args.dir.display().to_string(), integrity));
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
