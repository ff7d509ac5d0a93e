//! A workload's own identity: the certificate chain that it shows, and the private key that makes it its own.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::SvidError;
use super::der::split;
use super::leaf::{check_leaf, parse, spiffe_id};
use crate::identity::SpiffeId;
use crate::identity::validity::Validity;
use crate::time::Timestamp;

/// Ten certificates, which is as many as count, take a third of it.
const MAX_CHAIN_BYTES: usize = 64 * 1024;

/// A certificate chain, leaf first, with the private key of the leaf: what a workload proves its SPIFFE ID with.
///
/// The two are a pair, and the leaf has the shape of an X.509-SVID; that is checked when it is made. Whether anybody
/// believes it is for the other side to say. The key is never shown.
pub struct X509Identity {
    id: SpiffeId,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    validity: Validity,
    thumbprint: [u8; 32],
}

/// Why a chain and a key are no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The certificates are no PEM certificates, or there is none.
    #[error("there is no PEM certificate where the chain should be")]
    NoCertificate,
    /// The leaf is no X.509-SVID.
    #[error("the certificate cannot be a workload's: {0}")]
    Leaf(#[from] SvidError),
    /// The key is no private key that TLS can use.
    #[error("the private key cannot be read; it must be PKCS#8, PKCS#1 or SEC1, and not encrypted")]
    Key,
    /// The key is another certificate's.
    #[error("the private key is not the key of the certificate: one of the two has been replaced without the other")]
    KeyMismatch,
}

impl IdentityError {
    /// The stable machine code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoCertificate => "identity_no_certificate",
            Self::Leaf(error) => error.code(),
            Self::Key => "identity_key_unreadable",
            Self::KeyMismatch => "identity_key_mismatch",
        }
    }
}

impl X509Identity {
    /// An identity from a chain, leaf first, and the private key of the leaf.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, IdentityError> {
        let leaf = parse(chain.first().ok_or(IdentityError::NoCertificate)?)?;
        let id = spiffe_id(&leaf)?;
        check_leaf(&leaf, &id)?;
        if public_key(&key).ok_or(IdentityError::Key)? != *leaf.public_key().subject_public_key.data {
            return Err(IdentityError::KeyMismatch);
        }
        let validity = Validity::of(&leaf).ok_or(SvidError::Malformed)?;
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(digest(&SHA256, chain.first().ok_or(IdentityError::NoCertificate)?).as_ref());
        Ok(Self { id, chain, key, validity, thumbprint })
    }

    /// Reads chain and key from PEM.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| IdentityError::Key)?;
        Self::new(chain.map_err(|_| IdentityError::NoCertificate)?, key)
    }

    /// Takes certificates that follow each other, leaf first, and the private key in PKCS#8 form, both DER: how the
    /// Workload API sends them (SPIFFE_Workload_API.md §5.1).
    ///
    /// # Errors
    /// [`IdentityError`]; with [`SvidError::ChainTooLong`] above 64 KiB, [`SvidError::Malformed`] for what is not
    /// certificates to the last byte.
    pub fn from_der(chain: &[u8], key: Vec<u8>) -> Result<Self, IdentityError> {
        if chain.len() > MAX_CHAIN_BYTES {
            return Err(SvidError::ChainTooLong.into());
        }
        let chain = split(chain).ok_or(SvidError::Malformed)?;
        let chain = chain.into_iter().map(CertificateDer::into_owned).collect();
        Self::new(chain, PrivatePkcs8KeyDer::from(key).into())
    }

    /// The workload's SPIFFE ID.
    #[must_use]
    pub const fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// The chain, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The SHA-256 of the leaf in DER form: what tokens that are bound to it name (RFC 8705 §3.1).
    #[must_use]
    pub const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// The private key, to be given to TLS and to nothing else.
    #[must_use]
    pub const fn private_key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// The first second at which the leaf is valid.
    #[must_use]
    pub const fn not_before(&self) -> Timestamp {
        self.validity.first
    }

    /// The last second at which the leaf is valid.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.validity.last
    }

    /// Whether it may be shown at the time `now`.
    ///
    /// # Errors
    /// [`SvidError::Expired`], [`SvidError::NotYetValid`].
    pub fn check_validity(&self, now: Timestamp) -> Result<(), SvidError> {
        Ok(self.validity.check(now)?)
    }
}

impl fmt::Debug for X509Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("X509Identity")
            .field("id", &self.id)
            .field("certificates", &self.chain.len())
            .field("not_after", &self.validity.last)
            .finish_non_exhaustive()
    }
}

/// The public half of a private key, as a certificate's SubjectPublicKeyInfo holds it.
fn public_key(key: &PrivateKeyDer<'_>) -> Option<Vec<u8>> {
    const CURVES: [&aws_lc_rs::signature::EcdsaSigningAlgorithm; 3] =
        [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING];
    let der = key.secret_der();
    let ecdsa = || {
        let pairs = CURVES.iter().filter_map(|curve| EcdsaKeyPair::from_private_key_der(curve, der).ok());
        pairs.map(|pair| pair.public_key().as_ref().to_vec()).next()
    };
    let rsa = || {
        let pair = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)).ok()?;
        Some(pair.public_key().as_ref().to_vec())
    };
    let ed25519 = || Some(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?.public_key().as_ref().to_vec());
    ecdsa().or_else(rsa).or_else(ed25519)
}
