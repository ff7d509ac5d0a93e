//! The bundles of trust domains, as they are named on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use agentauth_core::TrustDomain;
use agentauth_core::identity::svid::{BundleConcern, BundleError, TrustBundle, TrustBundles};
use agentauth_spiffe::files::FilesError;

use crate::input::{quoted, read_file};
use crate::{CliError, Terminal};

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

/// All of them, and what is odd about them.
pub(crate) struct Bundles {
    pub(crate) bundles: TrustBundles,
    /// Why a server that reads these files takes none of them.
    pub(crate) refusal: Option<FilesError>,
}

/// Reads all of them. Says what someone should look at.
pub(crate) fn bundles(named: &[NamedBundle], terminal: &mut Terminal<'_>) -> Result<Bundles, CliError> {
    let mut all = Bundles { bundles: TrustBundles::new(), refusal: None };
    for named in named {
        let bundle = named.read()?;
        for concern in bundle.concerns() {
            match concern {
                BundleConcern::PublicRoots { count, organisation } => {
                    let (path, domain) = (named.file.clone(), named.domain.clone());
                    let refusal = FilesError::PublicRoots { path, domain, count, organisation };
                    all.refusal.get_or_insert(refusal);
                }
                concern => terminal.remark(&format!("{}: {concern}", quoted(&named.file))),
            }
        }
        let wrong = |error: BundleError| CliError::Setting { option: "bundle", problem: error.to_string() };
        all.bundles = all.bundles.with_bundle(bundle).map_err(wrong)?;
    }
    Ok(all)
}
