use std::path::{Path, PathBuf};

use agentauth_core::jose::{Algorithm, MAX_JWKS_BYTES, SigningKey};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};

use super::public::{PublicJwk, Unpublished};
use crate::input::{quoted, read_file};
use crate::text::pretty_json;
use crate::{CliError, Exit, Terminal};

#[derive(Debug, Args)]
pub(crate) struct JwksArgs {
    /// Files with private keys in PKCS#8 form (PEM or DER), JWKs or JWKS documents.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// What RSA keys sign with, where their files do not say it.
    #[arg(long, value_name = "ALG", value_parser = rsa_algorithm())]
    rsa_alg: Option<Algorithm>,
}

/// What an RSA key may sign with.
pub(crate) fn rsa_algorithm() -> impl TypedValueParser<Value = Algorithm> {
    PossibleValuesParser::new(["RS256", "PS256"]).try_map(|name| Algorithm::from_name(&name).ok_or("not supported"))
}

#[derive(Serialize)]
struct KeyDocument<'a> {
    keys: Vec<&'a PublicJwk>,
}

/// A JWK or a JWKS, of which only the public members are read.
#[derive(Deserialize)]
#[serde(untagged)]
enum Readable {
    Set { keys: Vec<PublicJwk> },
    One(PublicJwk),
}

pub(crate) fn run(args: &JwksArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let mut keys: Vec<(&Path, PublicJwk)> = Vec::new();
    for file in &args.files {
        for key in public_keys(file, args.rsa_alg)? {
            for (first, known) in &keys {
                let (place, first) = (quoted(file), quoted(first));
                if known.is_key_of(&key) {
                    return Err(CliError::DuplicateKey { place, first });
                }
                if known.key_id().is_some() && known.key_id() == key.key_id() {
                    return Err(CliError::DuplicateKeyId { place, first });
                }
            }
            keys.push((file, key));
        }
    }
    let document = KeyDocument { keys: keys.iter().map(|(_, key)| key).collect() };
    terminal.write(format!("{}\n", pretty_json(&document)).as_bytes())?;
    Ok(Exit::Good)
}

/// The public halves of the keys in `file`, at least one.
fn public_keys(file: &Path, rsa_algorithm: Option<Algorithm>) -> Result<Vec<PublicJwk>, CliError> {
    let bytes = read_file(file, MAX_JWKS_BYTES)?;
    let place = quoted(file);
    let keys = match serde_json::from_slice(&bytes) {
        Ok(Readable::Set { keys }) => keys,
        Ok(Readable::One(key)) => vec![key],
        Err(_) => private_keys(&bytes, &place)?
            .iter()
            .map(|der| public_half(der, rsa_algorithm, &place))
            .collect::<Result<_, _>>()?,
    };
    if keys.is_empty() {
        return Err(CliError::NoKey(place));
    }
    let checked = keys.into_iter().map(|key| key.checked(rsa_algorithm));
    checked.collect::<Result<_, _>>().map_err(|error| match error {
        Unpublished::NoAlgorithm => CliError::RsaAlgorithm(place),
        Unpublished::Unusable(source) => CliError::Unpublishable { place, source },
    })
}

/// The PKCS#8 documents in `bytes`: those of a PEM file, or `bytes` themselves.
fn private_keys(bytes: &[u8], place: &str) -> Result<Vec<Vec<u8>>, CliError> {
    const PEM: &[u8] = b"-----BEGIN ";
    if !bytes.windows(PEM.len()).any(|window| window == PEM) {
        return Ok(vec![bytes.to_vec()]);
    }
    PrivateKeyDer::pem_slice_iter(bytes)
        .map(|key| match key {
            Ok(PrivateKeyDer::Pkcs8(key)) => Ok(key.secret_pkcs8_der().to_vec()),
            Ok(_) => Err(CliError::NotPkcs8(place.to_owned())),
            Err(_) => Err(CliError::NoKey(place.to_owned())),
        })
        .collect()
}

/// The one private key in `file`.
pub(crate) fn signing_key(file: &Path, rsa_algorithm: Option<Algorithm>) -> Result<SigningKey, CliError> {
    let (bytes, place) = (read_file(file, MAX_JWKS_BYTES)?, quoted(file));
    match private_keys(&bytes, &place)?.as_slice() {
        [der] => read_key(der, rsa_algorithm, &place),
        _ => Err(CliError::NoKey(place)),
    }
}

fn public_half(der: &[u8], rsa_algorithm: Option<Algorithm>, place: &str) -> Result<PublicJwk, CliError> {
    let key = read_key(der, rsa_algorithm, place)?;
    PublicJwk::of(&key).ok_or_else(|| CliError::NoKey(place.to_owned()))
}

/// The key of a PKCS#8 document. Only an RSA key leaves open what it signs with.
fn read_key(der: &[u8], rsa_algorithm: Option<Algorithm>, place: &str) -> Result<SigningKey, CliError> {
    let read = |algorithm| SigningKey::from_pkcs8(algorithm, der).ok();
    let key = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384].into_iter().find_map(read);
    match (key, rsa_algorithm) {
        (Some(key), _) => Ok(key),
        (None, Some(algorithm)) => read(algorithm).ok_or_else(|| CliError::NoKey(place.to_owned())),
        (None, None) if read(Algorithm::Rs256).is_some() => Err(CliError::RsaAlgorithm(place.to_owned())),
        (None, None) => Err(CliError::NoKey(place.to_owned())),
    }
}
