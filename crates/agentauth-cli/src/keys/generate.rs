use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use agentauth_core::jose::{Algorithm, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use super::public::PublicJwk;
use crate::input::quoted;
use crate::text::json;
use crate::{CliError, Exit, Terminal};

/// How long the lines of a PEM file are (RFC 7468 §2).
const PEM_LINE: usize = 64;

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// What the key signs with. RSA keys have 2048 bits.
    #[arg(
        long,
        value_name = "ALG",
        default_value = "EdDSA",
        value_parser = PossibleValuesParser::new(["EdDSA", "ES256", "ES384", "RS256", "PS256"])
            .try_map(|name| Algorithm::from_name(&name).ok_or("not supported"))
    )]
    alg: Algorithm,

    /// The file for the private key. It must not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(args: &GenerateArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let key = SigningKey::generate(args.alg).map_err(|_| CliError::Generate)?;
    let der = key.to_pkcs8().map_err(|_| CliError::Generate)?;
    write_new(&args.out, pem(&der).as_bytes())?;
    let public = PublicJwk::of(&key).ok_or(CliError::Generate)?;
    terminal.write(format!("{}\n", json(&public)).as_bytes())?;
    terminal.remark(&format!("the private key is in {}; nobody else may read it", quoted(&args.out)));
    Ok(Exit::Good)
}

/// Writes a file that was not there before, and that only its owner may read.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let failed = |source| CliError::KeyFile { place: quoted(path), source };
    let mut file = create(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => CliError::KeyFileExists(quoted(path)),
        _ => failed(error),
    })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| {
        // Half a key is of no use, and would be in the way.
        let _ = fs::remove_file(path);
        failed(error)
    })
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(PEM_LINE).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}
