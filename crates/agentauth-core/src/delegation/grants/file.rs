use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::document::{self, GrantsFileError};
use super::table::Table;
use super::{DelegationGrant, DelegationGrants, GrantsUnavailable};
use crate::disk::read_at_most;
use crate::identity::{AgentId, PrincipalId};
use crate::scope::DetailTypes;
use crate::time::{Clock, SystemClock, Timestamp};

/// A change of the file counts at the latest so long after it: often enough for a person who waits for it, and one read
/// of a small file a second is nothing.
pub const GRANTS_NOTICED_WITHIN: Duration = Duration::from_secs(1);

/// The largest file that is read, in bytes: tens of thousands of grants.
pub const MAX_GRANTS_BYTES: usize = 4 * 1024 * 1024;

/// Grants in a JSON file, for a person to edit. It is read again at the first question after
/// [`GRANTS_NOTICED_WITHIN`]; replace it whole (`mv`), so that it is never read half written.
///
/// What is not exactly of this form is no set of grants: as long as the file is not good, nothing is exchanged that depends
/// on it. Earlier grants do not live on.
///
/// ```json
/// { "grants": [ {
///     "id": "grant:alice-lawyer",
///     "principal": { "iss": "https://sts.example.com", "sub": "alice" },
///     "agent": "spiffe://court.example/agent/lawyer",
///     "scope": "motions:file records:read",
///     "audiences": ["https://tools.example.com"],
///     "expires": "2027-01-01T00:00:00Z",
///     "max_depth": 2
/// } ] }
/// ```
///
/// `id`, `principal` and `agent` are required, and so is `scope` or `authorization_details` (RFC 9396). `principal` may have
/// a `tenant`; an agent without a SPIFFE ID is written as `{"iss": ..., "sub": ...}`. Each of the others leaves out a limit
/// of [`DelegationGrant`] if it is left out; `max_depth` is 1 then.
#[derive(Debug)]
pub struct FileGrants {
    path: PathBuf,
    types: DetailTypes,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    looked: Timestamp,
    bytes: Vec<u8>,
    grants: Result<Table, GrantsFileError>,
}

impl FileGrants {
    /// Reads the grants in the file at `path`.
    ///
    /// # Errors
    /// [`GrantsFileError`], with the line and what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, GrantsFileError> {
        Self::open_with(path, DetailTypes::new(), Arc::new(SystemClock))
    }

    /// Reads the grants in the file at `path`, with these types of authorization details, by this clock.
    ///
    /// # Errors
    /// [`GrantsFileError`], with the line and what to do.
    pub fn open_with(
        path: impl AsRef<Path>,
        types: DetailTypes,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, GrantsFileError> {
        let path = path.as_ref().to_owned();
        let looked = clock.now();
        let bytes = read(&path)?;
        let grants = document::read(&bytes, &types)?;
        Ok(Self { path, types, clock, state: Mutex::new(State { looked, bytes, grants: Ok(grants) }) })
    }

    /// What is wrong with the file at the moment, if anything.
    #[must_use]
    pub fn problem(&self) -> Option<GrantsFileError> {
        self.current().grants.as_ref().err().cloned()
    }

    fn current(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        // A clock that was put back must not hold off the next look.
        if now >= state.looked.plus(GRANTS_NOTICED_WITHIN) || now < state.looked {
            match read(&self.path) {
                Ok(bytes) if bytes == state.bytes && state.grants.is_ok() => {}
                Ok(bytes) => {
                    state.grants = document::read(&bytes, &self.types);
                    state.bytes = bytes;
                }
                Err(error) => state.grants = Err(error),
            }
            state.looked = now;
        }
        state
    }

    fn ask<T>(&self, question: impl FnOnce(&Table) -> T) -> Result<T, GrantsUnavailable> {
        match &self.current().grants {
            Ok(grants) => Ok(question(grants)),
            Err(error) => Err(GrantsUnavailable(format!("{}: {error}", self.path.display()).into())),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, GrantsFileError> {
    let unreadable = |error: std::io::Error| GrantsFileError::Unreadable(error.to_string().into());
    let bytes = read_at_most(path, MAX_GRANTS_BYTES).map_err(unreadable)?;
    if bytes.len() > MAX_GRANTS_BYTES { Err(GrantsFileError::Oversize) } else { Ok(bytes) }
}

#[async_trait]
impl DelegationGrants for FileGrants {
    async fn grants_for(
        &self,
        principal: &PrincipalId,
        agent: &AgentId,
    ) -> Result<Vec<Arc<DelegationGrant>>, GrantsUnavailable> {
        self.ask(|grants| grants.between(principal, agent))
    }

    async fn grant(&self, id: &str) -> Result<Option<Arc<DelegationGrant>>, GrantsUnavailable> {
        self.ask(|grants| grants.get(id))
    }
}
