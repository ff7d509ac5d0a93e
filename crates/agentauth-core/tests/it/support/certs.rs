//! A throw-away certificate authority that mints SVIDs.

use std::sync::Arc;

use agentauth_core::identity::svid::{TrustBundles, X509Svid};
use agentauth_core::{AgentTrust, Timestamp};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, CustomExtension,
    DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

/// The moment around which every fixture is valid.
pub(crate) const NOW: u64 = 1_800_000_000;

/// The certificate authority of one trust domain.
pub(crate) struct Ca {
    pub(crate) domain: &'static str,
    pub(crate) certificate: Certificate,
    name: DistinguishedName,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub(crate) fn new(domain: &'static str) -> Self {
        Self::root(domain, |_| {})
    }

    /// A root like [`Ca::new`]'s, but for what `change` does to it.
    pub(crate) fn root(domain: &'static str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (params, key) = (authority(domain, change), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap();
        Self { domain, certificate, name: params.distinguished_name.clone(), issuer: Issuer::new(params, key) }
    }

    /// A CA called `name`, certified by this one; `change` as in [`Ca::root`].
    pub(crate) fn below(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (params, key) = (authority(name, change), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let name = params.distinguished_name.clone();
        Self { domain: self.domain, certificate, name, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    /// A leaf as X509-SVID.md asks issuers to make it, for `spiffe://{domain}{path}`, valid an hour either way.
    pub(crate) fn leaf(&self, path: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let id = format!("spiffe://{}{path}", self.domain);
        params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = (at(NOW - 3600), at(NOW + 3600));
        params
    }

    /// Signs `params`, with a new key.
    pub(crate) fn sign(&self, params: &CertificateParams) -> CertificateDer<'static> {
        self.sign_with(params, &KeyPair::generate().unwrap())
    }

    /// Signs `params` for the public half of `key`.
    pub(crate) fn sign_with(&self, params: &CertificateParams, key: &KeyPair) -> CertificateDer<'static> {
        params.signed_by(key, &self.issuer).unwrap().der().clone()
    }

    /// As [`Ca::sign_with`], in PEM form.
    pub(crate) fn sign_pem(&self, params: &CertificateParams, key: &KeyPair) -> String {
        params.signed_by(key, &self.issuer).unwrap().pem()
    }

    /// A revocation list under this CA's name and key, whether it may make one or not.
    pub(crate) fn crl(&self, params: &CertificateRevocationListParams) -> Vec<u8> {
        let mut anything = CertificateParams::default();
        anything.distinguished_name = self.name.clone();
        params.signed_by(&Issuer::from_params(&anything, self.issuer.key())).unwrap().der().to_vec()
    }

    pub(crate) fn bundles(&self) -> TrustBundles {
        TrustBundles::new().with_der(self.domain.parse().unwrap(), &[self.certificate.der().clone()]).unwrap()
    }

    pub(crate) fn trust(&self) -> AgentTrust {
        AgentTrust::spiffe(self.bundles())
    }

    /// A verified peer with the SPIFFE ID `spiffe://{domain}{path}`.
    pub(crate) fn peer(&self, path: &str) -> Arc<X509Svid> {
        Arc::new(self.trust().verify(&[self.sign(&self.leaf(path))], Timestamp::from_secs(NOW)).unwrap())
    }
}

fn authority(name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (at(NOW - 86_400), at(NOW + 86_400));
    change(&mut params);
    params
}

pub(crate) fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Puts the bytes `names` in the place of the subject alternative names: for what rcgen would not write.
pub(crate) fn raw_names(params: &mut CertificateParams, names: &[u8]) {
    params.subject_alt_names.clear();
    params.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 17], names.to_vec()));
}

/// The subject alternative names that are this one URI of at most 120 bytes.
pub(crate) fn uri_names(uri: &[u8]) -> Vec<u8> {
    let length = u8::try_from(uri.len()).ok().filter(|length| *length <= 120).unwrap();
    [&[0x30, length + 2, 0x86, length], uri].concat()
}

pub(crate) fn at(secs: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(secs.try_into().unwrap()).unwrap()
}
