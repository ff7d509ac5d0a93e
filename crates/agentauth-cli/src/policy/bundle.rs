use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use agentauth_cedar::{PolicyDir, Sources};
use agentauth_core::ResourceId;
use agentauth_core::jose::Algorithm;
use agentauth_core::policy::PolicyBundle;
use clap::Args;
use tokio::runtime::Builder;

use super::server::ServerArgs;
use super::sources::{checked, lines};
use super::test::refused;
use crate::input::quoted;
use crate::keys::jwks::{rsa_algorithm, signing_key};
use crate::text::counted;
use crate::{CliError, Exit, Terminal};

#[derive(Debug, Args)]
pub(crate) struct BundleArgs {
    /// The directory with the policies (`*.cedar`), their schema (`*.cedarschema`) and their cases (`*.cases.json`).
    #[arg(value_name = "DIR")]
    policies: PathBuf,

    /// The private key to sign with (PKCS#8, as PEM or DER). Servers pin its public half.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// What an RSA key signs with.
    #[arg(long, value_name = "ALG", value_parser = rsa_algorithm())]
    rsa_alg: Option<Algorithm>,

    /// The identifier of the one server that the policies are for.
    #[arg(long, value_name = "URL")]
    server: String,

    /// The number of the bundle: higher than that of every bundle before it for this server.
    #[arg(long, value_name = "NUMBER")]
    sequence: u64,

    /// For how many days it may be loaded; without this, for ever.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=36_500))]
    days: Option<u64>,

    #[command(flatten)]
    as_server: ServerArgs,

    /// The file for the bundle. One that is there is replaced in one step.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(args: &BundleArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let server = ResourceId::new(&args.server)
        .map_err(|error| CliError::Setting { option: "server", problem: error.to_string() })?;
    let key = signing_key(&args.key, args.rsa_alg)?;
    let source = PolicyDir::new(&args.policies);
    // What a server would refuse is not signed.
    let (set, files) = match source.load_with_files() {
        Ok(found) => found,
        Err(problems) => return refused(&problems, terminal),
    };
    let sources = args.as_server.told(Sources::of(&files))?;
    let policies = args.as_server.asked(checked(&args.policies, &sources)?);
    let runtime = Builder::new_current_thread().build().map_err(CliError::NoRuntime)?;
    let report = runtime.block_on(set.cases.run(&policies));
    if report.failed() > 0 {
        terminal.write(format!("{}\n", lines(&report.summary().to_string())).as_bytes())?;
        terminal.remark("nothing was signed: the policies do not decide as their cases say");
        return Ok(Exit::Refused);
    }
    let bundle = PolicyBundle::new(server.as_str(), args.sequence);
    let bundle = match args.days {
        Some(days) => bundle.until(terminal.time(None).plus(Duration::from_secs(days.saturating_mul(24 * 3600)))),
        None => bundle,
    };
    let bundle = files.iter().fold(bundle, |bundle, file| bundle.with(&file.name, &file.text));
    let signed = runtime.block_on(bundle.sign(&key))?;
    replace(&args.out, signed.as_bytes()).map_err(|source| CliError::KeyFile { place: quoted(&args.out), source })?;
    let (files, cases) = (counted(files.len(), "file", "files"), counted(report.passed(), "case", "cases"));
    let end = bundle.expires().map(|end| format!(", until {end}")).unwrap_or_default();
    let text = format!(
        "bundle {} for {server}{end}: {files}, {cases} passed, signed by key {}\n",
        bundle.sequence(),
        key.key_id()
    );
    terminal.write(lines(&text).as_bytes())?;
    Ok(Exit::Good)
}

/// Whoever reads the file sees the old one or the new one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut next: OsString = path.as_os_str().to_owned();
    next.push(".new");
    let mut file = fs::File::create(&next)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&next, path)
}
