//! The bundles of trust domains, as they are named on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use agentauth_core::TrustDomain;
use agentauth_core::identity::svid::{BundleError, TrustBundle, TrustBundles};

use crate::CliError;
use crate::input::{quoted, read_file};

/// The largest bundle file that is read, in bytes: what the bundle itself is bounded by.
const MAX_BUNDLE_BYTES: usize = 1024 * 1024;

/// A trust domain, and the file with its bundle.
#[derive(Debug, Clone)]
pub(crate) struct NamedBundle {
    pub(crate) domain: TrustDomain,
    pub(crate) file: PathBuf,
}

impl FromStr for NamedBundle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (domain, file) = text.split_once('=').ok_or("write it as TD=FILE, such as court.example=ca.crt")?;
        let domain = domain.parse().map_err(|error| format!("{error}"))?;
        Ok(Self { domain, file: file.into() })
    }
}

impl NamedBundle {
    fn read(&self) -> Result<TrustBundle, CliError> {
        let content = read_file(&self.file, MAX_BUNDLE_BYTES)?;
        let is_json = content.trim_ascii_start().starts_with(b"{");
        let read = if is_json { TrustBundle::from_spiffe } else { TrustBundle::from_pem };
        read(self.domain.clone(), &content).map_err(|source| CliError::Bundle { place: quoted(&self.file), source })
    }
}

/// All of them.
pub(crate) fn bundles(named: &[NamedBundle]) -> Result<TrustBundles, CliError> {
    named.iter().try_fold(TrustBundles::new(), |bundles, named| {
        let wrong = |error: BundleError| CliError::Setting { option: "bundle", problem: error.to_string() };
        bundles.with_bundle(named.read()?).map_err(wrong)
    })
}
