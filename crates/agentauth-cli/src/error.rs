use std::io;

use agentauth_audit::checkpoint::CheckpointError;
use agentauth_audit::erase::EraseError;
use agentauth_audit::read::ReadError;
use agentauth_core::identity::svid::BundleError;
use agentauth_core::jose::KeyError;
use agentauth_core::policy::ArgumentsError;
use agentauth_core::policy::BundleError as BundleFault;
use agentauth_spiffe::workload_api::WorkloadApiError;
use agentauth_tower::client::FetchError;

/// Why a command could not do what it was asked to: one sentence, and what to do. No token was judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// A token stands on the command line, where the shell's history and every user of the machine can see it.
    #[error(
        "there is a token on the command line, where others can see it: pipe it in or name a file that holds it, and \
         treat this one as known to others"
    )]
    TokenInArguments,
    /// A file or standard input cannot be read.
    #[error("{place} cannot be read ({source}): check the path and its permissions")]
    Unreadable {
        /// What was to be read.
        place: String,
        /// Why not.
        source: io::Error,
    },
    /// A file is larger than anything that it could be.
    #[error("{place} is larger than {limit} bytes, and cannot be what is asked for here: name another file")]
    Oversize {
        /// What was to be read.
        place: String,
        /// The most that is read, in bytes.
        limit: usize,
    },
    /// Not UTF-8.
    #[error("{0} is not text, and a token is one line of ASCII characters: name the file that holds the token")]
    NotText(String),
    /// Nothing but white space.
    #[error("{0} holds no token: pipe the token in, or name the file that holds it")]
    NoToken(String),
    /// The value of an option is refused.
    #[error("--{option}: {problem}")]
    Setting {
        /// The option's name.
        option: &'static str,
        /// What is wrong, and what is needed.
        problem: String,
    },
    /// The issuer's keys cannot be used.
    #[error("--jwks: {place} cannot be used ({source}): give the issuer's public keys as a JWKS document")]
    Keys {
        /// Where they are.
        place: String,
        /// Why not.
        source: KeyError,
    },
    /// The issuer's keys cannot be fetched.
    #[error("--jwks: {0}; a file with the document does as well")]
    Fetch(#[from] FetchError),
    /// No connection can be made at all.
    #[error("--jwks: nothing can be fetched ({0}): save the document and give its file name")]
    Runtime(#[source] io::Error),
    /// The file for a new key exists.
    #[error("{0} exists, and a file is never overwritten with a new key: choose another name, or move it away")]
    KeyFileExists(String),
    /// The file for a new key cannot be written.
    #[error("{place} cannot be written ({source}): choose a place for --out that is yours to write to")]
    KeyFile {
        /// The file.
        place: String,
        /// Why not.
        source: io::Error,
    },
    /// The cryptographic library failed.
    #[error("no key could be made: the random source or the cryptographic library of this machine fails")]
    Generate,
    /// No key for checkpoints can be made or read.
    #[error("no key for checkpoints: {0}")]
    CheckpointKey(#[source] CheckpointError),
    /// A file holds no private key that can be read.
    #[error(
        "{0} holds no key that can be read: give a private key in PKCS#8 form (PEM or DER, not encrypted), a JWK or a \
         JWKS"
    )]
    NoKey(String),
    /// A private key in a form that is older than PKCS#8.
    #[error(
        "{0} holds a private key that is not in PKCS#8 form: convert it with `openssl pkcs8 -topk8 -nocrypt -in OLD -out \
         NEW`"
    )]
    NotPkcs8(String),
    /// A JWK that cannot verify anything.
    #[error("{place} holds a key that cannot be published ({source}): leave it out")]
    Unpublishable {
        /// The file.
        place: String,
        /// Why not.
        source: KeyError,
    },
    /// An RSA key that does not say which algorithm it is for.
    #[error("{0} holds an RSA key and does not say for which algorithm: add --rsa-alg RS256 or --rsa-alg PS256")]
    RsaAlgorithm(String),
    /// A key, or its name, stands twice among the files.
    #[error("{place} holds the same key as {first}: give each key once")]
    DuplicateKey {
        /// The second file.
        place: String,
        /// The first file.
        first: String,
    },
    /// Two keys have one name.
    #[error("{place} holds another key with the same kid as {first}: give each key a name of its own")]
    DuplicateKeyId {
        /// The second file.
        place: String,
        /// The first file.
        first: String,
    },
    /// A file holds no certificate.
    #[error("{0} holds no PEM certificate: give the certificate chain, leaf first, in PEM form")]
    NoCertificate(String),
    /// A token where a certificate is looked at.
    #[error("that is a token, and no certificate: `agentauth token inspect` shows what it says")]
    TokenForCertificate,
    /// A file holds no header.
    #[error("{0} is empty: give the value of an x-forwarded-client-cert header, as the server got it")]
    NoHeader(String),
    /// A trust bundle cannot be used.
    #[error("--bundle: {place} cannot be used ({source}): give PEM roots or a SPIFFE bundle document")]
    Bundle {
        /// The file.
        place: String,
        /// Why not.
        source: BundleError,
    },
    /// A set of policies cannot be signed.
    #[error("nothing was signed: {0}")]
    PolicyBundle(#[from] BundleFault),
    /// A Workload API says that asking it again cannot help.
    #[error("--socket: {0}")]
    WorkloadApi(#[from] WorkloadApiError),
    /// An audit log cannot be read.
    #[error("{0}")]
    Log(#[from] ReadError),
    /// The policies cannot be read at all.
    #[error("{0}; name the directory that holds the policies (*.cedar) and their schema (*.cedarschema)")]
    Policies(String),
    /// A directory without policies.
    #[error("{0} holds no policies (*.cedar) and no schema (*.cedarschema): name the directory that does")]
    NoPolicies(String),
    /// A directory without cases.
    #[error(
        "there are no cases in {0}: they stand in files called `*.cases.json`, beside the policies or where --cases says"
    )]
    NoCases(String),
    /// Policies that cannot be asked anything.
    #[error(
        "the policies in {place} cannot be used ({count} wrong, the first {first}): `agentauth policy check` shows all"
    )]
    BrokenPolicies {
        /// The directory.
        place: String,
        /// How many problems.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// Policies are asked as a server asks them, which this machine has no room for.
    #[error("the policies cannot be asked ({0})")]
    NoRuntime(#[source] io::Error),
    /// A directory without a segment of an audit log.
    #[error("{0} holds no audit log: name the directory that a server writes its log to")]
    NoAuditLog(String),
    /// A directory with more than one log, where one is shown.
    #[error("several logs are there, and the page shows one: name one of {0}")]
    SeveralLogs(String),
    /// Arguments that no server would take.
    #[error("--arguments: {0}")]
    Arguments(#[from] ArgumentsError),
    /// Nothing was erased from a log.
    #[error("{0}")]
    Erase(#[from] EraseError),
    /// Standard output cannot be written to.
    #[error("the output cannot be written ({0})")]
    Output(#[source] io::Error),
}
