//! A throw-away certificate authority for one trust domain. Real deployments have SPIRE or cert-manager for this.

use std::time::Duration;

use agentauth_axum::ServerIdentity;
use agentauth_core::identity::svid::TrustBundles;
use agentauth_core::{AgentTrust, SpiffeId, TrustDomain};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The certificate authority of a trust domain. Its key exists only as long as it does.
pub struct Ca {
    domain: TrustDomain,
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A workload's certificate chain and private key.
pub struct Identity {
    /// The SPIFFE ID that the certificate proves.
    pub id: SpiffeId,
    /// The chain, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
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

    /// Mints an SVID for `path`, such as `/agent/lawyer`, good on both ends of a loopback connection.
    ///
    /// # Errors
    /// Whatever making keys and certificates reports.
    pub fn mint(&self, path: &str) -> Result<Identity, Error> {
        let id = format!("spiffe://{}{path}", self.domain);
        let mut params = lifetime(CertificateParams::default());
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names =
            vec![SanType::URI(id.as_str().try_into()?), SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into())];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &self.issuer)?;
        Ok(Identity { id: id.parse()?, chain: vec![leaf.der().clone()], key })
    }

    /// What servers trust in order to know this authority's agents.
    ///
    /// # Errors
    /// None for an authority that was made here.
    pub fn trust(&self) -> Result<AgentTrust, Error> {
        let root = self.certificate.der().clone();
        Ok(AgentTrust::spiffe(TrustBundles::new().with_der(self.domain.clone(), &[root])?))
    }

    /// The root certificate in PEM form.
    #[must_use]
    pub fn root_pem(&self) -> String {
        self.certificate.pem()
    }

    /// The TLS configuration of a client that trusts this authority, and shows `identity` if it has one.
    ///
    /// # Errors
    /// None for identities of this authority.
    pub fn client_config(&self, identity: Option<&Identity>) -> Result<ClientConfig, Error> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone())?;
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        Ok(match identity {
            Some(identity) => builder.with_client_auth_cert(identity.chain.clone(), identity.key())?,
            None => builder.with_no_client_auth(),
        })
    }
}

impl Identity {
    /// The identity as a server shows it.
    #[must_use]
    pub fn server(&self) -> ServerIdentity {
        ServerIdentity::new(self.chain.clone(), self.key())
    }

    /// The private key in PEM form.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ca").field("domain", &self.domain).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("id", &self.id).finish_non_exhaustive()
    }
}

/// From two days ago, so that what happened yesterday can be shown, for another hour.
fn lifetime(mut params: CertificateParams) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::from_secs(2 * 86_400);
    params.not_after = now + Duration::from_secs(3600);
    params
}
