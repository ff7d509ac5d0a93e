//! X.509-SVIDs: a leaf below an intermediate CA. The floor is the two signature checks that it takes, under keys that must
//! be parsed first, since they come with the certificates.

use std::error::Error;

use std::sync::Arc;

use agentauth_core::identity::svid::{TrustBundles, X509Svid, verify_x509_svid};
use agentauth_core::{AgentTrust, Clock as _, SystemClock, TrustDomain};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use agentauth_benches::case::Case;

const DOMAIN: &str = "agents.example.com";

/// The chain that a peer shows, leaf first.
pub(crate) struct Chain(Vec<CertificateDer<'static>>);

/// A root, and a chain below it; genuine, and with one bit of the leaf's signature flipped.
pub(crate) struct Specimen {
    root: CertificateDer<'static>,
    pub(crate) genuine: Chain,
    pub(crate) forged: Chain,
}

impl Specimen {
    pub(crate) fn new(id: &str) -> Result<Self, Box<dyn Error>> {
        let (root_key, key, leaf_key) = (KeyPair::generate()?, KeyPair::generate()?, KeyPair::generate()?);
        let (root_params, params) = (authority("root"), authority("intermediate"));
        let root = root_params.self_signed(&root_key)?;
        let intermediate = params.signed_by(&key, &Issuer::new(root_params, root_key))?.der().clone();
        let leaf = leaf(id)?.signed_by(&leaf_key, &Issuer::new(params, key))?.der().clone();
        let mut forged = leaf.to_vec();
        // In the second number of the signature, where a bit more or less breaks no form.
        if let Some(byte) = forged.last_mut() {
            *byte ^= 1;
        }
        Ok(Self {
            root: root.der().clone(),
            forged: Chain(vec![forged.into(), intermediate.clone()]),
            genuine: Chain(vec![leaf, intermediate]),
        })
    }
}

impl Specimen {
    fn bundles(&self) -> Result<TrustBundles, Box<dyn Error>> {
        let domain: TrustDomain = DOMAIN.parse()?;
        Ok(TrustBundles::new().with_der(domain, std::slice::from_ref(&self.root))?)
    }

    /// The agent as a connection has proven it, and who believes it.
    pub(crate) fn peer(&self) -> Result<(Arc<X509Svid>, AgentTrust), Box<dyn Error>> {
        let trust = AgentTrust::spiffe(self.bundles()?);
        Ok((Arc::new(trust.verify(&self.genuine.0, SystemClock.now())?), trust))
    }
}

pub(crate) fn cases(specimen: &Specimen) -> Result<Vec<Case<'static, Chain>>, Box<dyn Error>> {
    let raw = "svid/raw";
    let bundles = specimen.bundles()?;
    let [genuine, forged] = [&specimen.genuine, &specimen.forged].map(|chain| signatures(chain, &specimen.root));
    let (genuine, forged) = (genuine?, forged?);
    let leaf = specimen.genuine.0.first().cloned();
    Ok(vec![
        Case::new(raw.into(), Some(raw), move |chain: &Chain| {
            let signatures = if chain.0.first() == leaf.as_ref() { &genuine } else { &forged };
            for Signature { key, message, signature } in signatures {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(message, signature)?;
            }
            Ok(())
        }),
        Case::new("svid/x509".into(), Some(raw), move |chain: &Chain| {
            Ok(verify_x509_svid(&chain.0, &bundles, SystemClock.now()).map(drop)?)
        }),
    ])
}

/// What one signature check takes.
struct Signature {
    key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

/// The leaf's signature under the intermediate's key, and the intermediate's under the root's.
fn signatures(chain: &Chain, root: &CertificateDer<'static>) -> Result<Vec<Signature>, Box<dyn Error>> {
    let issuers = chain.0.iter().skip(1).chain([root]);
    let pairs = chain.0.iter().zip(issuers);
    pairs
        .map(|(child, issuer)| {
            let (_, child) = X509Certificate::from_der(child)?;
            let (_, issuer) = X509Certificate::from_der(issuer)?;
            Ok(Signature {
                key: issuer.public_key().subject_public_key.data.to_vec(),
                message: child.tbs_certificate.as_ref().to_vec(),
                signature: child.signature_value.data.to_vec(),
            })
        })
        .collect()
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf(id: &str) -> Result<CertificateParams, Box<dyn Error>> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(id.try_into()?)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}
