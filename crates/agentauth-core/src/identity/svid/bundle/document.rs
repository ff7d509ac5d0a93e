//! SPIFFE bundles and bundle maps (Trust_Domain_and_Bundle.md §4), and plain JWK Sets: strict JSON, read once.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls_pki_types::CertificateDer;
use serde::de::MapAccess;

use super::{BundleError, JwtKeys, MAX_BUNDLE_MAP_BYTES, Root, TrustBundle};
use crate::identity::TrustDomain;
use crate::jose::json::{self, Loose, Members, Value};
use crate::jose::{Jwk, MAX_JWKS_BYTES};

/// A trust domain publishes a few keys for each of its authorities, of which it may have a dozen.
const MAX_KEYS: usize = 128;

pub(super) fn read_bundle(domain: TrustDomain, document: &[u8]) -> Result<TrustBundle, BundleError> {
    if document.len() > MAX_JWKS_BYTES {
        return Err(BundleError::Oversize);
    }
    json::read::<Document<'_>>(document).map_err(BundleError::Json)?.into_bundle(domain)
}

/// The bundles of a bundle map. Their refresh hints do not count.
pub(super) fn read_map(document: &[u8]) -> Result<Vec<TrustBundle>, BundleError> {
    if document.len() > MAX_BUNDLE_MAP_BYTES {
        return Err(BundleError::Oversize);
    }
    let map: Map<'_> = json::read(document).map_err(BundleError::Json)?;
    let Domains(domains) = map.trust_domains.ok_or(BundleError::NotMap)?;
    let bundle = |(name, document): (String, Document<'_>)| {
        let bundle = document.into_bundle(name.parse()?)?;
        Ok(TrustBundle { refresh_hint: None, ..bundle })
    };
    domains.into_iter().map(bundle).collect()
}

pub(super) fn read_jwks(domain: &TrustDomain, jwks: &[u8]) -> Result<JwtKeys, BundleError> {
    if jwks.len() > MAX_JWKS_BYTES {
        return Err(BundleError::Oversize);
    }
    let document: Document<'_> = json::read(jwks).map_err(BundleError::Json)?;
    let mut keys = JwtKeys::default();
    for mut element in document.keys.ok_or_else(|| BundleError::NoKeys(domain.clone()))? {
        if matches!(element.jwk.take_usage().as_deref(), None | Some("jwt-svid" | "sig")) {
            keys.add(&element.jwk);
        }
    }
    Ok(keys)
}

#[derive(Default)]
struct Map<'de> {
    trust_domains: Option<Domains<'de>>,
}

/// The bundles of a map, by name, as they come. No name comes twice: reading refuses that.
#[derive(Default)]
struct Domains<'de>(Vec<(String, Document<'de>)>);

#[derive(Default)]
struct Document<'de> {
    keys: Option<Vec<Element<'de>>>,
    sequence: Option<u64>,
    refresh_hint: Option<u64>,
}

/// One key of a bundle.
#[derive(Default)]
struct Element<'de> {
    jwk: Jwk<'de>,
    /// The first certificate of `x5c`.
    certificate: Option<Cow<'de, str>>,
}

impl<'de> Members<'de> for Map<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        match name {
            "trust_domains" => self.trust_domains = Some(value.object()?),
            _ => value.skip()?,
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Domains<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        self.0.push((name.to_owned(), value.object()?));
        Ok(())
    }
}

impl<'de> Members<'de> for Document<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        match name {
            "keys" => self.keys = Some(value.objects(MAX_KEYS)?),
            "spiffe_sequence" => self.sequence = Some(value.integer()?),
            "spiffe_refresh_hint" => self.refresh_hint = Some(value.integer()?),
            _ => value.skip()?,
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Element<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        if name != "x5c" {
            return self.jwk.member(name, value);
        }
        // A wrong type spoils this element only.
        if let Loose::Texts(certificates) = value.loose()? {
            self.certificate = certificates.into_iter().next();
        }
        Ok(())
    }
}

impl Document<'_> {
    fn into_bundle(self, domain: TrustDomain) -> Result<TrustBundle, BundleError> {
        let Some(elements) = self.keys else { return Err(BundleError::NoKeys(domain)) };
        let (mut roots, mut jwt_keys, mut left_out) = (Vec::new(), JwtKeys::default(), 0);
        for mut element in elements {
            // §4.2.1, §4.2.2: what is of another type, or for something else, is ignored.
            let usage = element.jwk.take_usage();
            match (element.jwk.key_type(), usage.as_deref()) {
                (Some("RSA" | "EC" | "OKP"), Some("x509-svid")) => match element.root() {
                    Some(root) => roots.push(root),
                    None => left_out += 1,
                },
                (Some("RSA" | "EC" | "OKP"), Some("jwt-svid")) => jwt_keys.add(&element.jwk),
                _ => {}
            }
        }
        Ok(TrustBundle {
            roots: roots.into(),
            jwt_keys: Arc::new(jwt_keys),
            sequence: self.sequence,
            refresh_hint: self.refresh_hint.map(Duration::from_secs),
            left_out,
            ..TrustBundle::new(domain)
        })
    }
}

impl Element<'_> {
    /// RFC 7517 §4.7: the certificates of `x5c` are DER in base64, not base64url.
    fn root(&self) -> Option<Root> {
        let der = BASE64_STANDARD.decode(self.certificate.as_deref()?).ok()?;
        Root::from_der(&CertificateDer::from(der))
    }
}
