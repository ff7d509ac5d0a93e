use std::fmt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use agentauth_audit::anchor::{
    AnchorError, AnchorSink, ConsistencyProofs, FileAnchor, MAX_PROOF_HASHES, check_growth, is_consistent,
};
use agentauth_audit::checkpoint::{CheckpointError, Cosigner, Head, MAX_NOTE_BYTES};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::introspection::content_type;
use super::{FetchError, HttpsClient, without_user};

/// How long a request may take: what the client allows, and a little to begin with.
const REQUEST_TIME: Duration = Duration::from_secs(12);

/// What a witness says of the size that it knows (C2SP tlog-witness).
const SIZE: &str = "text/x.tlog.size";

/// No size is longer, and a line feed.
const MAX_SIZE_BYTES: usize = 21;

/// A witness: a service that is run by others, sees that the log only grows, and signs what it has seen with the time (C2SP
/// tlog-witness, `add-checkpoint`). Who knows its key knows that everybody is shown the same log.
///
/// What it has signed is kept in a file, and counts again only with the witness's signature. It has a thread of its own, and
/// so can be used with or without a runtime.
///
/// The log must have a key, and the witness must know it ([`CheckpointKey::verifier_key`](agentauth_audit::checkpoint::CheckpointKey::verifier_key)).
pub struct HttpWitness {
    name: String,
    client: HttpsClient,
    submission: Uri,
    monitoring: Option<Box<str>>,
    cosigner: Cosigner,
    memory: FileAnchor,
    runtime: Handle,
    within: Duration,
    /// The runtime ends when this is dropped.
    _running: oneshot::Sender<()>,
}

/// A witness that cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// Its URL is none that the client goes to.
    #[error(transparent)]
    Url(#[from] FetchError),
    /// Its verifier key is none of a witness.
    #[error("the witness's key is not usable (a C2SP verifier key of type 4 is): {0}")]
    Key(#[from] CheckpointError),
    /// What it has signed cannot be kept.
    #[error(transparent)]
    Memory(#[from] AnchorError),
    /// There is no thread to ask it from.
    #[error("the operating system has no thread for the witness: {0}")]
    Thread(std::io::Error),
}

impl WitnessError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Url(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Memory(error) => error.code(),
            Self::Thread(_) => "witness_thread",
        }
    }
}

impl HttpWitness {
    /// The witness with the submission prefix `url` and the verifier key `key`. What it signs is kept in the file `memory`,
    /// which is created if it is not there.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub fn new(client: HttpsClient, url: &str, key: &str, memory: impl AsRef<Path>) -> Result<Self, WitnessError> {
        let submission = checked(&client, &format!("{}/add-checkpoint", url.trim_end_matches('/')))?;
        let cosigner = Cosigner::read(key)?;
        let memory = FileAnchor::open(memory)?;
        let (running, stopped) = oneshot::channel::<()>();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(WitnessError::Thread)?;
        let handle = runtime.handle().clone();
        let thread = thread::Builder::new().name("audit-witness".into());
        thread.spawn(move || runtime.block_on(stopped)).map_err(WitnessError::Thread)?;
        Ok(Self {
            name: format!("the witness `{}`", cosigner.name()),
            client,
            submission,
            monitoring: None,
            cosigner,
            memory,
            runtime: handle,
            within: REQUEST_TIME,
            _running: running,
        })
    }

    /// Also asks the witness what it knows, below its monitoring prefix `url`, whenever that is asked for: its memory is out
    /// of reach for those who can write to this host's files. If it does not answer, it is not known what it knows.
    ///
    /// # Errors
    /// [`WitnessError::Url`].
    pub fn monitoring(mut self, url: &str) -> Result<Self, WitnessError> {
        let url = url.trim_end_matches('/');
        checked(&self.client, url)?;
        self.monitoring = Some(url.into());
        Ok(self)
    }

    /// How long a request may take: 12 s unless set, and what the client allows.
    #[must_use]
    pub const fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, AnchorError> {
        let (sender, answer) = mpsc::sync_channel(1);
        let client = self.client.clone();
        let task = self.runtime.spawn(async move {
            let answer = client.send(request, MAX_NOTE_BYTES).await;
            // Whoever has waited too long is gone.
            _ = sender.send(answer);
        });
        let answer = answer.recv_timeout(self.within).map_err(|_| {
            task.abort();
            unavailable("it has not answered in time")
        })?;
        answer.map_err(unavailable)
    }

    /// Asks the witness to sign `note`, and says what it has answered: a line, or the size that it knows.
    fn submit(
        &self,
        note: &str,
        old: u64,
        proof: &[agentauth_audit::tree::Hash],
    ) -> Result<Result<String, u64>, AnchorError> {
        let mut body = format!("old {old}\n");
        proof.iter().for_each(|hash| body.extend([&STANDARD.encode(hash.0), "\n"]));
        body.extend(["\n", note]);
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&self.submission);
        let answer = self.send(request)?;
        let refused = |why: &str| Err(AnchorError::Refused(why.into()));
        match answer.status() {
            StatusCode::OK => {
                let lines = std::str::from_utf8(answer.body()).map_err(|_| unavailable("its answer is no text"))?;
                let cosignature = self.cosigner.verify_lines(note, lines);
                cosignature.map(|cosignature| Ok(cosignature.line)).map_err(unavailable)
            }
            StatusCode::CONFLICT => {
                size(&answer).map(Err).ok_or_else(|| unavailable("it does not say what size it knows"))
            }
            StatusCode::FORBIDDEN => refused("the witness does not know the log's key"),
            StatusCode::NOT_FOUND => refused("the witness does not know the log"),
            StatusCode::UNPROCESSABLE_ENTITY => refused("the witness knows other entries of this log: verify the log"),
            StatusCode::BAD_REQUEST => refused("the witness does not understand it"),
            status => Err(unavailable(format_args!("it has answered with status {status}"))),
        }
    }

    /// What the witness remembers itself.
    fn monitored(&self, origin: &str) -> Result<Option<(Head, String)>, AnchorError> {
        let Some(prefix) = &self.monitoring else { return Ok(None) };
        let mut request = Request::new(Full::default());
        *request.uri_mut() = format!("{prefix}/{}/checkpoint", hash(origin)).parse().map_err(unavailable)?;
        let answer = self.send(request)?;
        match answer.status() {
            StatusCode::OK => {
                let note =
                    String::from_utf8(answer.into_body().into()).map_err(|_| unavailable("its answer is no text"))?;
                let (head, _) = self.cosigner.verify(&note).map_err(|error| damaged(&error))?;
                if head.origin == origin {
                    Ok(Some((head, note)))
                } else {
                    Err(unavailable("it has answered of another log"))
                }
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(unavailable(format_args!("it has answered with status {status}"))),
        }
    }

    /// The notes in the file, each of which the witness has signed.
    fn remembered(&self, origin: &str) -> Result<Vec<(Head, String)>, AnchorError> {
        let notes = self.memory.anchored(origin)?;
        let read =
            notes.into_iter().map(|note| Ok((self.cosigner.verify(&note).map_err(|error| damaged(&error))?.0, note)));
        read.collect()
    }
}

impl AnchorSink for HttpWitness {
    fn name(&self) -> &str {
        &self.name
    }

    fn anchor(&self, note: &str, proofs: &dyn ConsistencyProofs) -> Result<(), AnchorError> {
        let refused = |why: &str| AnchorError::Refused(why.into());
        let next = Head::read(note).map_err(|_| refused("it is no checkpoint"))?;
        if !note.contains("\n\n") {
            return Err(refused("a witness wants checkpoints that are signed: give the log a key"));
        }
        let known = self.remembered(&next.origin)?.pop().map(|(head, _)| head);
        if let Some(known) = &known {
            check_growth(known, &next)?;
            if *known == next {
                return Ok(());
            }
        }
        let mut old = known.as_ref().map_or(0, |known| known.size);
        // A second time if the witness knows another size, because it was asked by others or an answer was lost.
        for _ in 0..2 {
            let proof = proofs.prove(old, next.size)?;
            let is_shown = match known.as_ref().filter(|known| known.size == old) {
                Some(known) => is_consistent(&proof, next.size, next.root, known.size, known.root),
                None => true,
            };
            if !is_shown || proof.len() > MAX_PROOF_HASHES {
                return Err(AnchorError::Proof("what the witness has signed is no beginning of it".into()));
            }
            match self.submit(note, old, &proof)? {
                Ok(line) => return self.memory.anchor(&format!("{note}{line}"), proofs),
                Err(size) if size > next.size => {
                    let why = format!("it knows of {size} entries, and the log has {} now", next.size);
                    return Err(AnchorError::Refused(why.into()));
                }
                Err(size) => old = size,
            }
        }
        Err(unavailable("it knows another size whenever it is asked"))
    }

    fn anchored(&self, origin: &str) -> Result<Vec<String>, AnchorError> {
        let mut notes = self.remembered(origin)?;
        if let Some((head, note)) = self.monitored(origin)?
            && notes.last().is_none_or(|(last, _)| *last != head)
        {
            notes.push((head, note));
            notes.sort_by_key(|(head, _)| head.size);
        }
        Ok(notes.into_iter().map(|(_, note)| note).collect())
    }
}

impl fmt::Debug for HttpWitness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpWitness").field("name", &self.name).finish_non_exhaustive()
    }
}

fn checked(client: &HttpsClient, url: &str) -> Result<Uri, FetchError> {
    let uri: Uri = url.parse().map_err(|_| FetchError::Url(without_user(url)))?;
    client.check(&uri)?;
    Ok(uri)
}

/// The size in an answer with status 409, in its one form.
fn size(answer: &Response<Bytes>) -> Option<u64> {
    let text = std::str::from_utf8(answer.body()).ok().filter(|text| text.len() <= MAX_SIZE_BYTES)?;
    let size: u64 = text.strip_suffix('\n')?.parse().ok()?;
    (content_type(answer) == SIZE && text == format!("{size}\n")).then_some(size)
}

/// How a witness calls the place of a log.
fn hash(origin: &str) -> String {
    use aws_lc_rs::digest;
    let hash = digest::digest(&digest::SHA256, origin.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unavailable(why: impl fmt::Display) -> AnchorError {
    AnchorError::Unavailable(why.to_string().into())
}

fn damaged(error: &CheckpointError) -> AnchorError {
    AnchorError::Damaged(format!("the witness has not signed it: {error}").into())
}
