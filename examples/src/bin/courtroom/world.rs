//! Everyone and everything that the trial needs.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agentauth_audit::anchor::FileAnchor;
use agentauth_audit::checkpoint::{CheckpointKey, CheckpointVerifier};
use agentauth_audit::format::EntryKind;
use agentauth_audit::read::{Filter, Log, LogRecord};
use agentauth_audit::{AuditLog, WriteClass, WriteClasses};
use agentauth_core::binding::dpop::Dpop;
use agentauth_core::delegation::{Consent, IssuerBuilder};
use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::{Approvals, Clock as _, Issuer, ManualClock, ResourceId, SystemClock, SystemRandom, TokenService};
use agentauth_examples::ca::Ca;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::Error;
use crate::agent::Agent;
use crate::servers::{self, Books};

pub(crate) const TRUST_DOMAIN: &str = "court.example";

/// What the record is called.
const RECORD: &str = "court.example/record";
/// Small, so that a day fills several.
const SEGMENT_BYTES: u64 = 16 * 1024;

/// Alice's case, and Bob's.
pub(crate) const ALICES_CASE: &str = "2026-17";
pub(crate) const BOBS_CASE: &str = "2026-18";

/// Four servers on loopback, and the agents that call them.
pub(crate) struct World {
    pub(crate) ca: Ca,
    pub(crate) sts: ResourceId,
    pub(crate) court: ResourceId,
    pub(crate) records: ResourceId,
    pub(crate) archive: ResourceId,
    /// The token service, for what only happens inside it: a principal's consent.
    pub(crate) service: TokenService,
    /// Where humans approve what the court does not let agents do alone.
    pub(crate) approvals: Approvals,
    /// The public key of the token service, as it publishes it.
    pub(crate) public_jwk: String,
    /// The same issuer a day ago, and without a limit to its chains: what old and reckless tokens come from.
    pub(crate) yesterday: Issuer,
    pub(crate) reckless: Issuer,
    pub(crate) lawyer: Agent,
    pub(crate) clerk: Agent,
    pub(crate) robot: Agent,
    pub(crate) thief: Agent,
    /// What the servers write together.
    record: AuditLog,
    /// What its checkpoints are verified by.
    pub(crate) verifier: CheckpointVerifier,
    folder: PathBuf,
}

impl World {
    pub(crate) async fn open() -> Result<Self, Error> {
        let ca = Ca::new(TRUST_DOMAIN)?;
        let folder = std::env::temp_dir().join(format!("courtroom-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let key = CheckpointKey::generate(RECORD, &SystemRandom)?;
        let verifier = CheckpointVerifier::new([key.verifier_key()])?;
        let record = AuditLog::builder(folder.join("record"))
            .origin(RECORD)
            .key(key)
            .anchor(FileAnchor::open(folder.join("elsewhere"))?)
            // Each answer is looked up in the record as soon as it is there.
            .classes(WriteClasses::all(WriteClass::Durable))
            .segment_bytes(SEGMENT_BYTES)
            .open()?;
        let books = Books { record: record.clone(), revocations: Arc::default() };

        let (sts_socket, sts) = bind().await?;
        let (court_socket, court) = bind().await?;
        let (records_socket, records) = bind().await?;
        let (archive_socket, archive) = bind().await?;

        let key = SigningKey::generate(Algorithm::EdDsa)?;
        let (public_jwk, pkcs8) = (key.public_jwk().to_owned(), key.to_pkcs8()?);
        let issuer = |key| -> Result<IssuerBuilder, Error> {
            Ok(Issuer::builder(sts.as_str(), key)
                .agents(ca.trust()?)
                .dpop(Dpop::new(sts.as_str()))
                .resource(court.as_str(), "motions:file motions:read")
                .resource(records.as_str(), "records:read")
                .resource(archive.as_str(), "archive:copy archive:read"))
        };
        let same_key = || SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8);
        let a_day_ago = ManualClock::at(SystemClock.now().minus(Duration::from_secs(86_400)));
        let yesterday = issuer(same_key()?)?.clock(Arc::new(a_day_ago)).build()?;
        let reckless = issuer(same_key()?)?.max_actors(16).build()?;
        let issuer = issuer(key)?.revocations(Arc::clone(&books.revocations)).build()?;
        let service = TokenService::new(issuer, record.clone())?;

        servers::open_token_service(sts_socket, &ca, service.clone())?;
        let approvals = servers::open_court(court_socket, &ca, &court, &service, &books)?;
        servers::open_records(records_socket, &ca, &records, &service, &books)?;
        servers::open_archive(archive_socket, &ca, &archive, &service, &books)?;

        let agent = |path| Agent::new(&ca, path, &sts);
        let (lawyer, clerk) = (agent("/agent/lawyer")?, agent("/agent/clerk")?);
        let (robot, thief) = (agent("/agent/robot")?, agent("/agent/thief")?);
        Ok(Self {
            sts,
            court,
            records,
            archive,
            service,
            approvals,
            public_jwk,
            yesterday,
            reckless,
            lawyer,
            clerk,
            robot,
            thief,
            record,
            verifier,
            folder,
            ca,
        })
    }

    /// Alice has signed in at the token service, and lets her lawyer act for her.
    pub(crate) fn alices_consent(&self) -> Consent {
        let scopes = "archive:copy archive:read motions:file motions:read records:read".parse().unwrap_or_default();
        Consent::new("alice", self.lawyer.id().clone(), scopes)
    }

    /// Every record that the servers have written, in order.
    pub(crate) fn record_of_the_day(&self) -> Result<Vec<Value>, Error> {
        let log = Log::open(self.record_at())?;
        let entries = log.oldest_first(&Filter::new()).collect::<Result<Vec<_>, _>>()?;
        Ok(entries.iter().filter(|entry| entry.kind() == EntryKind::Record).filter_map(LogRecord::value).collect())
    }

    /// Where the record is.
    pub(crate) fn record_at(&self) -> PathBuf {
        self.folder.join("record")
    }

    /// What remembers how far it had come, as if it were on another machine.
    pub(crate) fn anchor(&self) -> Result<FileAnchor, Error> {
        Ok(FileAnchor::existing(self.folder.join("elsewhere"))?)
    }

    /// A place for a copy.
    pub(crate) fn copy_at(&self) -> PathBuf {
        self.folder.join("copy")
    }

    /// Nothing is recorded any more, and so nothing is answered.
    pub(crate) fn close_record(&self) -> Result<(), Error> {
        Ok(self.record.clone().close()?)
    }

    pub(crate) fn close(&self) -> Result<(), Error> {
        Ok(fs::remove_dir_all(&self.folder)?)
    }
}

/// A place for a server, and what it is called.
async fn bind() -> Result<(TcpListener, ResourceId), Error> {
    let socket = TcpListener::bind("127.0.0.1:0").await?;
    let resource = ResourceId::new(&format!("https://{}", socket.local_addr()?))?;
    Ok((socket, resource))
}
