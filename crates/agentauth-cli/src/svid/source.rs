//! What is looked at: certificates, or a token.

use std::path::{Path, PathBuf};

use clap::Args;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::input::{quoted, read_file, read_input};
use crate::{CliError, Terminal};

/// The longest file that is read, in bytes: ten certificates and a key are a tenth of it.
const MAX_SVID_BYTES: usize = 256 * 1024;

#[derive(Debug, Args)]
pub(super) struct SvidSource {
    /// The PEM file that holds the chain, leaf first, or `-` for standard input, which is also read if there is none.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// An SVID of one of the two kinds. Has no `Debug`: tokens are not shown.
pub(super) enum Svid {
    X509(Vec<CertificateDer<'static>>),
    Jwt(String),
}

impl SvidSource {
    pub(super) fn read(&self, terminal: &mut Terminal<'_>) -> Result<Svid, CliError> {
        let (place, content) = match &self.file {
            Some(file) if file != Path::new("-") => (quoted(file), read_file(file, MAX_SVID_BYTES)?),
            _ => read_input(terminal, MAX_SVID_BYTES)?,
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
        match (chain, token(&content)) {
            (Ok(chain), _) if !chain.is_empty() => Ok(Svid::X509(chain)),
            (_, Some(token)) => Ok(Svid::Jwt(token.to_owned())),
            _ => Err(CliError::NoCertificate(place)),
        }
    }
}

/// One word with two dots, as tokens have them.
fn token(content: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(content).ok()?.trim();
    let has_form = text.matches('.').count() == 2 && !text.contains(char::is_whitespace);
    has_form.then_some(text)
}
