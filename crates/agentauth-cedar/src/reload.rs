//! Cedar policies as [`LivePolicies`](agentauth_core::reload::LivePolicies) read them: again and again.

use std::fmt;
use std::path::{Path, PathBuf};

use agentauth_core::policy::{BundleFile, Cases, Problem, Problems};
use agentauth_core::reload::{PolicySet, PolicySource};

use crate::sources::{Kind, Source, digest_of, read_all};
use crate::{CedarPolicies, Sources};

/// So often a directory is read until it is twice the same. Whoever is slower than that replaces files one by one.
const ATTEMPTS: usize = 4;

/// The policies of a directory: its `*.cedar`, `*.cedarschema`, `*.cases.json`, `entities.json` and `links.json`.
///
/// A directory is not replaced in one step. It is read until it says the same twice, and cases show what a half of it would do;
/// where that is not enough, write policies that are complete in each file, or sign a bundle: see [`SignedPolicies`]. Whoever can
/// write to the directory decides what is permitted.
///
/// A directory without a policy is refused: it looks like a volume that is not mounted. To permit nothing, say so:
/// `forbid (principal, action, resource);`.
///
/// ```no_run
/// use agentauth_cedar::PolicyDir;
/// use agentauth_core::Mode;
/// use agentauth_core::reload::LivePolicies;
/// # use agentauth_core::ResourceId;
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// # let (court, sink) = (ResourceId::new("https://court.example")?, agentauth_core::audit::TracingSink);
///
/// let policies = PolicyDir::new("policies").prepared(|policies| policies.even_in(Mode::AgentAccount));
/// let policies = LivePolicies::of(policies, &court).audit(sink).start().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct PolicyDir {
    path: PathBuf,
    prepare: Prepare,
}

/// The policies of a signed bundle, which has the files that a directory would have.
///
/// It is replaced in one step (`mv`), only whoever has a pinned key can make one, and it only becomes newer: see [`BundleFile`].
#[derive(Debug)]
pub struct SignedPolicies {
    file: BundleFile,
    prepare: Prepare,
}

/// What is done to policies before they come into force.
struct Prepare(Box<dyn Fn(CedarPolicies) -> CedarPolicies + Send + Sync>);

/// Why a whole set is refused.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Unsettled,
    Empty,
    UnknownFile,
}

impl Fault {
    const fn code(self) -> &'static str {
        match self {
            Self::Unsettled => "policy_unsettled",
            Self::Empty => "policy_set_empty",
            Self::UnknownFile => "bundle_file_unknown",
        }
    }
}

impl PolicyDir {
    /// The directory `path`.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), prepare: Prepare::default() }
    }

    /// Does this to policies each time they were read: [`CedarPolicies::even_in`], for instance.
    #[must_use]
    pub fn prepared(mut self, prepare: impl Fn(CedarPolicies) -> CedarPolicies + Send + Sync + 'static) -> Self {
        self.prepare = Prepare(Box::new(prepare));
        self
    }

    /// The set, and the very files that it was made of, under their names in the directory: what a bundle is made of.
    ///
    /// # Errors
    /// [`Problems`]: all that is wrong with it.
    pub fn load_with_files(&self) -> Result<(PolicySet<CedarPolicies>, Vec<Source>), Problems> {
        let mut files = settled(&self.path, || read_all(&self.path))?;
        let set = set_of(&files, &self.path.to_string_lossy(), &self.prepare)?;
        for file in &mut files {
            let name = Path::new(&*file.name).file_name().map(|name| name.to_string_lossy().into());
            file.name = name.unwrap_or_default();
        }
        Ok((set, files))
    }
}

impl SignedPolicies {
    /// The bundle in `file`.
    #[must_use]
    pub fn new(file: BundleFile) -> Self {
        Self { file, prepare: Prepare::default() }
    }

    /// Does this to policies each time they were read: [`CedarPolicies::even_in`], for instance.
    #[must_use]
    pub fn prepared(mut self, prepare: impl Fn(CedarPolicies) -> CedarPolicies + Send + Sync + 'static) -> Self {
        self.prepare = Prepare(Box::new(prepare));
        self
    }
}

impl PolicySource for PolicyDir {
    type Engine = CedarPolicies;

    fn load(&self) -> Result<PolicySet<CedarPolicies>, Problems> {
        self.load_with_files().map(|(set, _)| set)
    }

    fn state(&self) -> Option<Box<str>> {
        let files = read_all(&self.path).ok()?;
        Some(digest_of(files.iter().map(|file| (&*file.name, &*file.text))).into())
    }
}

impl PolicySource for SignedPolicies {
    type Engine = CedarPolicies;

    fn load(&self) -> Result<PolicySet<CedarPolicies>, Problems> {
        let place = self.file.path().to_string_lossy();
        let bundle = self.file.read().map_err(|error| Problem::new(error.code(), &place, error.to_string()))?;
        let mut problems = Problems::none();
        for file in bundle.files().iter().filter(|file| Kind::of(&file.name).is_none()) {
            // It may be one that limits what the others permit.
            let text = format!("`{}` in this bundle is none of the files that make a set of policies", file.name);
            problems.push(Problem::new(Fault::UnknownFile.code(), &place, text));
        }
        let files = bundle.files().iter().map(|file| Source::new(&file.name, &file.text));
        let files = problems.or(files.collect::<Vec<_>>())?;
        set_of(&files, &place, &self.prepare)
    }

    fn state(&self) -> Option<Box<str>> {
        self.file.digest()
    }
}

/// The policies and the cases of `files`, which are at `place`; or all that is wrong with either.
fn set_of(files: &[Source], place: &str, prepare: &Prepare) -> Result<PolicySet<CedarPolicies>, Problems> {
    let mut problems = Problems::none();
    let policies = CedarPolicies::new(&Sources::of(files)).map_err(|more| problems.extend(more)).ok();
    let mut cases = Cases::none();
    for file in files.iter().filter(|file| Kind::of(&file.name) == Some(Kind::Cases)) {
        if let Err(more) = cases.add(&file.name, &file.text) {
            problems.extend(more);
        }
    }
    if policies.as_ref().is_some_and(CedarPolicies::is_empty) {
        let empty = Problem::new(Fault::Empty.code(), place, "there is no policy, so that nothing would be permitted");
        problems.push(empty.help("to permit nothing, write `forbid (principal, action, resource);`"));
    }
    match policies {
        Some(policies) => problems.or(PolicySet::new((prepare.0)(policies)).with_cases(cases)),
        None => Err(problems),
    }
}

/// What `read` says twice in a row.
fn settled<T: PartialEq>(path: &Path, mut read: impl FnMut() -> Result<T, Problems>) -> Result<T, Problems> {
    let mut before = read()?;
    for _ in 1..ATTEMPTS {
        let now = read()?;
        if now == before {
            return Ok(now);
        }
        before = now;
    }
    let text = "the files change while they are read";
    let problem = Problem::new(Fault::Unsettled.code(), &path.to_string_lossy(), text);
    Err(problem.help("replace the files in one step, or sign them as a bundle").into())
}

impl Default for Prepare {
    fn default() -> Self {
        Self(Box::new(|policies| policies))
    }
}

impl fmt::Debug for Prepare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepare")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_changes_while_it_is_read_is_read_again() {
        let reading = |says: &[u32]| {
            let mut says = says.iter().copied();
            let read = || Ok(says.next().unwrap());
            settled(Path::new("policies"), read).map_err(|problems| problems.iter().next().unwrap().code)
        };
        assert_eq!(reading(&[1, 1]), Ok(1));
        assert_eq!(reading(&[1, 2, 2]), Ok(2));
        assert_eq!(reading(&[1, 2, 1, 1]), Ok(1));
        assert_eq!(reading(&[1, 2, 1, 2]), Err("policy_unsettled"));
    }
}
