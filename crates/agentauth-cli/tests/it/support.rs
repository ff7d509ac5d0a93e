//! An issuer with a fixed key, a folder with files, and the program run in it. Everything that is written is searched for
//! signatures and private keys.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs};

use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// 2027-01-15T08:00:00Z.
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const STS: &str = "https://sts.example";
pub(crate) const TOOLS: &str = "https://tools.example";

/// The private key of RFC 8037 A.1. Ed25519 signatures depend on nothing else, so that tokens are the same everywhere.
const RFC8037_SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

/// A stranger's private key.
const STRANGERS_SEED: [u8; 32] = [7; 32];

/// What stands before the seed in PKCS#8 (RFC 8410 §7).
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// So many characters of a secret are the secret.
const TELLING: usize = 12;

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn seed() -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(RFC8037_SEED).unwrap()
}

pub(crate) fn pkcs8(seed: &[u8]) -> Vec<u8> {
    [&PKCS8_PREFIX, seed].concat()
}

pub(crate) fn key() -> SigningKey {
    SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8(&seed())).unwrap()
}

pub(crate) fn strangers_key() -> SigningKey {
    SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8(&STRANGERS_SEED)).unwrap()
}

/// A JWS with any header and claims, under the stranger's key.
pub(crate) fn sign_with_header(header: &str, claims: &str) -> String {
    let input = format!("{}.{}", encode(header), encode(claims));
    let key = Ed25519KeyPair::from_seed_unchecked(&STRANGERS_SEED).unwrap();
    format!("{input}.{}", encode(key.sign(input.as_bytes())))
}

/// Alice's token for the lawyer.
pub(crate) fn claims() -> Value {
    json!({
        "act": {"sub": "spiffe://court.example/agent/lawyer"},
        "aud": TOOLS,
        "client_id": "spiffe://court.example/agent/lawyer",
        "exp": NOW + 300,
        "iat": NOW - 60,
        "iss": STS,
        "jti": "jti-1",
        "scope": "motions:file records:read",
        "sub": "alice",
    })
}

/// [`claims`] with some of them changed, or taken away by null.
pub(crate) fn with(changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("{changes} is no object") };
    let mut claims = claims();
    for (name, value) in changes {
        claims[name] = value;
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

pub(crate) fn mint(claims: &Value) -> String {
    key().sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap()
}

/// A chain of `depth` actors, the current one first.
pub(crate) fn chain(depth: usize) -> Value {
    (1..=depth).rev().fold(Value::Null, |inner, at| {
        let mut actor = json!({"sub": format!("agent-{at}")});
        if !inner.is_null() {
            actor["act"] = inner;
        }
        actor
    })
}

/// A folder of one test's own, gone with it, in which the program runs.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// With the issuer's keys in `jwks.json`.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("cli-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir(&path).unwrap();
        let folder = Self(path);
        folder.write("jwks.json", format!(r#"{{"keys":[{}]}}"#, key().public_jwk()));
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Runs `agentauth` with `arguments` and `input`, in a UTF-8 locale.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Run {
        self.run_in(&[("LC_ALL", "C.UTF-8")], arguments, input)
    }

    /// Runs `agentauth` in an environment of `variables` alone.
    pub(crate) fn run_in(&self, variables: &[(&str, &str)], arguments: &[&str], input: &str) -> Run {
        // Where some systems say which root certificates there are.
        let roots = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(|name| Some((name, env::var_os(name)?)));
        let mut child = Command::new(env!("CARGO_BIN_EXE_agentauth"))
            .current_dir(&self.0)
            .env_clear()
            .envs(roots)
            .envs(variables.iter().copied())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that refuses its arguments does not read.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let done = child.wait_with_output().unwrap();
        let run = Run {
            status: done.status.code().unwrap(),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        };
        let mut secrets = self.secrets();
        secrets.extend(signatures(input));
        secrets.extend(arguments.iter().flat_map(|argument| signatures(argument)));
        assert_eq!(leaked(&format!("{}{}", run.out, run.err), &secrets), None, "agentauth {arguments:?}");
        run
    }

    /// The private keys, and the signatures and keys in the folder's files, in the forms they could be written in.
    fn secrets(&self) -> Vec<String> {
        let seeds = [seed(), STRANGERS_SEED.to_vec()];
        let mut secrets: Vec<String> =
            seeds.iter().flat_map(|seed| [encode(seed), STANDARD.encode(seed), STANDARD.encode(pkcs8(seed))]).collect();
        for entry in fs::read_dir(&self.0).unwrap() {
            let Ok(text) = fs::read_to_string(entry.unwrap().path()) else { continue };
            secrets.extend(signatures(&text));
            if let Some((_, body)) = text.split_once("PRIVATE KEY-----\n") {
                secrets.push(body.lines().take_while(|line| !line.starts_with('-')).collect());
            }
            if let Ok(jwk) = serde_json::from_str::<Value>(&text) {
                secrets.extend(jwk["d"].as_str().map(Into::into));
            }
        }
        secrets
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What stands behind the second dot of anything in `text` that could be a token, and names no URL.
fn signatures(text: &str) -> Vec<String> {
    text.split_whitespace()
        .filter(|word| !word.contains("://"))
        .filter_map(|word| Some(word.splitn(3, '.').nth(2)?.to_owned()))
        .collect()
}

/// The first piece of a secret that stands in `text`. What all private keys begin with is none.
fn leaked(text: &str, secrets: &[String]) -> Option<String> {
    let prefix = STANDARD.encode(PKCS8_PREFIX);
    let mut pieces = secrets.iter().flat_map(|secret| secret.as_bytes().windows(TELLING));
    let piece = pieces.find(|piece| {
        let piece = std::str::from_utf8(piece).unwrap_or("not ASCII");
        !prefix.contains(piece) && text.contains(piece)
    });
    piece.map(|piece| String::from_utf8_lossy(piece).into_owned())
}

/// What came of one run.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// All of it, for a snapshot.
    pub(crate) fn transcript(&self) -> String {
        let remarks = if self.err.is_empty() { String::new() } else { format!("--- standard error\n{}", self.err) };
        format!("status {}\n--- standard output\n{}{remarks}", self.status, self.out)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

#[test]
fn the_search_for_secrets_finds_them() {
    let folder = Folder::new();
    let token = mint(&claims());
    folder.write("token.txt", &token);
    let signature = token.rsplit('.').next().unwrap();
    for text in [&signature[..TELLING], &signature[signature.len() - TELLING..], &RFC8037_SEED[3..20]] {
        assert!(leaked(&format!("it says {text}!"), &folder.secrets()).is_some(), "{text}");
    }
    assert_eq!(leaked(token.rsplit_once('.').unwrap().0, &folder.secrets()), None);
}
