use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::identity::svid::{BundleSource, IdentitySource};
use agentauth_spiffe::files::{FileSource, SvidFiles};
use agentauth_spiffe::workload_api::WorkloadApiError;
use agentauth_spiffe::{Changes, WorkloadApi};
use clap::Args;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::report::{Dated, Problem, Report};
use crate::bundles::NamedBundle;
use crate::input::quoted;
use crate::text::json;
use crate::{CliError, Exit, Terminal};

/// An identity may end without anything coming, and what is wrong is looked at so often.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The Workload API, such as unix:///run/spire/agent.sock. The environment variable SPIFFE_ENDPOINT_SOCKET names it
    /// otherwise.
    #[arg(long, value_name = "URI")]
    socket: Option<String>,

    /// The directory in which the platform keeps the SVID, instead of a Workload API.
    #[arg(long, value_name = "DIR", conflicts_with = "socket")]
    dir: Option<PathBuf>,

    /// A trust domain, and the file with its bundle, where the platform keeps it elsewhere: PEM, or SPIFFE JSON. May be
    /// repeated.
    #[arg(long, value_name = "TD=FILE", requires = "dir")]
    bundle: Vec<NamedBundle>,

    /// End after so many changes; what is known first is one.
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    /// Write one JSON object for each change, on a line of its own.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &WatchArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    runtime.block_on(async {
        let source = Watched::open(args)?;
        match (&source, &args.dir) {
            (Watched::Api(api), _) => terminal.remark(&format!("asking the Workload API at {}", api.endpoint())),
            (Watched::Files(_), dir) => {
                terminal.remark(&format!("reading {}", dir.as_deref().map(quoted).unwrap_or_default()));
            }
        }
        tokio::select! {
            done = watch(args, &source, terminal) => done,
            _ = tokio::signal::ctrl_c() => Ok(Exit::Good),
        }
    })
}

async fn watch(args: &WatchArgs, source: &Watched, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    if let Watched::Files(files) = source {
        // What fails is a problem in the report.
        _ = files.loaded().await;
    }
    let mut changes = source.changes();
    let (mut seen, mut last, mut written) = (changes.current(), Report::nothing(), 0);
    while args.count.is_none_or(|count| written < count) {
        let (snapshot, report) = (changes.current(), source.report());
        // Other roots in the place of as many are news, though they read the same.
        if report == last && Arc::ptr_eq(&snapshot, &seen) {
            if let Some(end) = source.end() {
                return Err(end.into());
            }
            _ = timeout(LOOK, changes.next()).await;
            continue;
        }
        let at = terminal.time(None);
        let text = if args.json {
            format!("{}\n", json(&Dated { at, report: &report }))
        } else {
            report.text(at, terminal.look())
        };
        terminal.write(text.as_bytes())?;
        (seen, last, written) = (snapshot, report, written + 1);
    }
    Ok(Exit::Good)
}

/// What is watched.
enum Watched {
    Api(WorkloadApi),
    Files(FileSource),
}

impl Watched {
    fn open(args: &WatchArgs) -> Result<Self, CliError> {
        let setting =
            |option, problem: &dyn std::fmt::Display| CliError::Setting { option, problem: problem.to_string() };
        if let Some(dir) = &args.dir {
            let files = SvidFiles::detect(dir).and_then(|svid| {
                let bundles = args.bundle.iter();
                let builder = FileSource::builder().svid(svid);
                bundles.fold(builder, |builder, named| builder.bundle(named.domain.clone(), &named.file)).start()
            });
            return files.map(Self::Files).map_err(|error| setting("dir", &error));
        }
        let mut builder = WorkloadApi::builder();
        if let Some(socket) = &args.socket {
            builder = builder.endpoint(socket);
        }
        builder.start().map(Self::Api).map_err(|error| setting("socket", &error))
    }

    fn changes(&self) -> Changes {
        match self {
            Self::Api(api) => api.changes(),
            Self::Files(files) => files.changes(),
        }
    }

    fn report(&self) -> Report {
        let (identity, bundles) = match self {
            Self::Api(api) => (api.identity(), api.bundles()),
            Self::Files(files) => (files.identity(), files.bundles()),
        };
        Report::new(identity.as_deref().map_err(|unavailable| *unavailable), &bundles, self.problems())
    }

    fn problems(&self) -> Vec<Problem> {
        let problem = |code, error: &dyn std::fmt::Display| Problem { code, message: error.to_string() };
        match self {
            Self::Api(api) => api.problem().iter().map(|error| problem(error.code(), error)).collect(),
            Self::Files(files) => {
                let status = files.status();
                let failures = status.failures.iter().map(|failure| problem(failure.error.code(), &failure.error));
                failures.chain(status.warnings.iter().map(|warning| problem(warning.code(), warning))).collect()
            }
        }
    }

    /// Why nothing more will come, if nothing will.
    fn end(&self) -> Option<WorkloadApiError> {
        match self {
            Self::Api(api) => api.problem().filter(|problem| {
                matches!(problem, WorkloadApiError::InvalidArgument { .. } | WorkloadApiError::Unimplemented { .. })
            }),
            Self::Files(_) => None,
        }
    }
}
