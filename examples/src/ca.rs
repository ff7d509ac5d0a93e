//! A throw-away certificate authority for one trust domain. Real deployments have SPIRE or cert-manager for this.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::identity::svid::{TrustBundles, X509Identity};
use agentauth_core::{AgentTrust, TrustDomain};
use agentauth_spiffe::Snapshot;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use time::OffsetDateTime;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The certificate authority of a trust domain. Its key exists only as long as it does.
pub struct Ca {
    domain: TrustDomain,
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    /// Makes a certificate authority that is valid for an hour.
    ///
    /// # Errors
    /// Whatever making keys and certificates reports.
    pub fn new(domain: &str) -> Result<Self, Error> {
        let mut params = lifetime(CertificateParams::default());
        params.distinguished_name = DistinguishedName::new();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Self { domain: domain.parse()?, certificate, issuer: Issuer::new(params, key) })
    }

    /// Mints an identity for `path`, such as `/agent/lawyer`.
    ///
    /// # Errors
    /// Whatever making keys and certificates reports.
    pub fn mint(&self, path: &str) -> Result<Arc<X509Identity>, Error> {
        let id = format!("spiffe://{}{path}", self.domain);
        let mut params = lifetime(CertificateParams::default());
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(id.as_str().try_into()?)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &self.issuer)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok(Arc::new(X509Identity::new(vec![leaf.der().clone()], key.into())?))
    }

    /// What a platform would tell the workload at `path`: who it is, and whom it may believe. It stays as it is.
    ///
    /// # Errors
    /// Whatever making keys and certificates reports.
    pub fn source(&self, path: &str) -> Result<Snapshot, Error> {
        Ok(Snapshot::new(Ok(self.mint(path)?), self.bundles()?))
    }

    /// The trust domain's root: whoever trusts it believes this authority's workloads.
    ///
    /// # Errors
    /// None for an authority that was made here.
    pub fn bundles(&self) -> Result<TrustBundles, Error> {
        Ok(TrustBundles::new().with_der(self.domain.clone(), &[self.certificate.der().clone()])?)
    }

    /// The root certificate in PEM form.
    #[must_use]
    pub fn root_pem(&self) -> String {
        self.certificate.pem()
    }

    /// What servers trust in order to know this authority's agents.
    ///
    /// # Errors
    /// None for an authority that was made here.
    pub fn trust(&self) -> Result<AgentTrust, Error> {
        Ok(AgentTrust::spiffe(self.bundles()?))
    }
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ca").field("domain", &self.domain).finish_non_exhaustive()
    }
}

/// From two days ago, so that what happened yesterday can be shown, for another hour.
fn lifetime(mut params: CertificateParams) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::from_secs(2 * 86_400);
    params.not_after = now + Duration::from_secs(3600);
    params
}
