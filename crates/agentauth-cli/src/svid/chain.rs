//! The certificates that are looked at.

use std::path::{Path, PathBuf};

use clap::Args;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::input::{quoted, read_file, read_input};
use crate::{CliError, Terminal};

/// The longest file that is read, in bytes: ten certificates and a key are a tenth of it.
const MAX_CHAIN_BYTES: usize = 256 * 1024;

#[derive(Debug, Args)]
pub(super) struct ChainSource {
    /// The PEM file that holds the chain, leaf first, or `-` for standard input, which is also read if there is none.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl ChainSource {
    pub(super) fn read(&self, terminal: &mut Terminal<'_>) -> Result<Vec<CertificateDer<'static>>, CliError> {
        let (place, pem) = match &self.file {
            Some(file) if file != Path::new("-") => (quoted(file), read_file(file, MAX_CHAIN_BYTES)?),
            _ => read_input(terminal, MAX_CHAIN_BYTES)?,
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        match chain {
            Ok(chain) if !chain.is_empty() => Ok(chain),
            _ => Err(CliError::NoCertificate(place)),
        }
    }
}
