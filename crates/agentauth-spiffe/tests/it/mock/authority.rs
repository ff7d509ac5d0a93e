//! A throw-away certificate authority, whose certificates are valid now.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use time::OffsetDateTime;

/// A root, or a CA below one.
pub(crate) struct Authority {
    domain: String,
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
    root: Vec<u8>,
}

/// A leaf with its chain and its private key.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) id: String,
    /// Leaf first, without the root.
    pub(crate) chain: Vec<Vec<u8>>,
    /// PKCS#8.
    pub(crate) key: Vec<u8>,
}

impl Issued {
    pub(crate) fn leaf(&self) -> &[u8] {
        &self.chain[0]
    }
}

impl Authority {
    /// The root of the trust domain `domain`.
    pub(crate) fn new(domain: &str) -> Self {
        let (params, key) = (authority(&format!("root of {domain}")), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        Self { domain: domain.into(), issuer: Issuer::new(params, key), root: certificate.clone(), certificate }
    }

    /// A CA that this one has certified.
    pub(crate) fn intermediate(&self) -> Self {
        let (params, key) = (authority("intermediate"), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Self { domain: self.domain.clone(), issuer: Issuer::new(params, key), certificate, root: self.root.clone() }
    }

    pub(crate) fn root(&self) -> Vec<u8> {
        self.root.clone()
    }

    pub(crate) fn id(&self, path: &str) -> String {
        format!("spiffe://{}{path}", self.domain)
    }

    /// An SVID for `path`.
    pub(crate) fn issue(&self, path: &str) -> Issued {
        self.issue_as(&self.id(path), |_| {})
    }

    /// An SVID for `id`, but for what `change` does to it.
    pub(crate) fn issue_as(&self, id: &str, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(id.get(..id.len().min(60)).unwrap());
        params.subject_alt_names = vec![uri(id)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = now() - Duration::from_secs(60);
        params.not_after = now() + Duration::from_secs(3600);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        let mut chain = vec![leaf];
        if self.certificate != self.root {
            chain.push(self.certificate.clone());
        }
        Issued { id: id.into(), chain, key: key.serialize_der() }
    }
}

pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now() - Duration::from_secs(86_400);
    params.not_after = now() + Duration::from_secs(86_400);
    params
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}
