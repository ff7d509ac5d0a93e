//! Who this server is to agents, and which agents it believes, as files say it at each moment.

use std::error::Error;
use std::path::PathBuf;

use agentauth_core::TrustDomain;
use agentauth_spiffe::files::{FileSource, SvidFiles};
use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "SPIFFE")]
pub(crate) struct SpiffeOptions {
    /// The directory in which the platform keeps this server's SVID, in place of --tls-cert and --tls-key: a volume
    /// of csi-driver-spiffe or a TLS secret, or what spiffe-helper, Istio or Kubernetes Pod Certificates write. It is
    /// followed while the server runs. Agents of the same trust domain are believed if its roots are there too.
    #[arg(long, value_name = "DIR", conflicts_with = "tls_cert")]
    pub(crate) svid_dir: Option<PathBuf>,

    /// The bundle of a trust domain, as court.example=FILE: PEM certificates or a SPIFFE bundle. Agents of this trust
    /// domain prove themselves by SVIDs under it. It is followed while the server runs. May be repeated.
    #[arg(long = "bundle", value_name = "TD=FILE", value_parser = bundle)]
    pub(crate) bundles: Vec<Bundle>,
}

/// The file of a trust domain's bundle.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    pub(crate) domain: TrustDomain,
    pub(crate) file: PathBuf,
}

impl SpiffeOptions {
    /// What the files say, once they have been read, and `more`. Nothing, if there are none.
    pub(crate) async fn files(&self, more: Option<Bundle>) -> Result<Option<FileSource>, Box<dyn Error>> {
        let bundles: Vec<_> = self.bundles.iter().chain(&more).collect();
        if self.svid_dir.is_none() && bundles.is_empty() {
            return Ok(None);
        }
        let mut files = FileSource::builder();
        if let Some(dir) = &self.svid_dir {
            files = files.svid(SvidFiles::detect(dir)?);
        }
        for bundle in bundles {
            files = files.bundle(bundle.domain.clone(), &bundle.file);
        }
        let files = files.start()?;
        files.loaded().await?;
        Ok(Some(files))
    }
}

fn bundle(text: &str) -> Result<Bundle, String> {
    let (domain, file) = text.split_once('=').ok_or("write it as TD=FILE, such as court.example=bundle.pem")?;
    let domain = domain.parse().map_err(|error| format!("`{domain}` is no trust domain: {error}"))?;
    Ok(Bundle { domain, file: file.into() })
}
