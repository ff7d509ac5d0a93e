//! Policy files, as they were read.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use agentauth_core::policy::{CASES_SUFFIX, Problem, Problems};
use aws_lc_rs::digest::{Context, SHA256};

use crate::syntax;

/// A policy file larger than this is not one that people wrote, in bytes.
const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;

/// A set larger than this is not read: it would be in memory several times over, in bytes.
const MAX_SET_BYTES: usize = 64 * 1024 * 1024;

/// A directory with more policy files than this is another directory.
const MAX_FILES: usize = 10_000;

/// What a file in a directory of policies is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Policies,
    Schema,
    Entities,
    Links,
    Cases,
}

impl Kind {
    /// By its name, or the end of it.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let path = Path::new(path);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match (path.extension().and_then(|extension| extension.to_str()), name) {
            (Some("cedar"), _) => Some(Self::Policies),
            (Some("cedarschema"), _) => Some(Self::Schema),
            (_, "entities.json") => Some(Self::Entities),
            (_, "links.json") => Some(Self::Links),
            (_, name) if name.ends_with(CASES_SUFFIX) => Some(Self::Cases),
            _ => None,
        }
    }
}

/// One file of a set of policies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source {
    /// What it is called in problems.
    pub name: Box<str>,
    /// What it says.
    pub text: Box<str>,
}

impl Source {
    /// The text `text`, called `name`.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// The files that make a set of policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sources {
    /// Policies (`*.cedar`).
    pub policies: Vec<Source>,
    /// What the application adds to the schema (`*.cedarschema`).
    pub schemas: Vec<Source>,
    /// What is known of entities (`entities.json`).
    pub entities: Vec<Source>,
    /// What templates are filled with (`links.json`).
    pub links: Vec<Source>,
}

impl Sources {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { policies: Vec::new(), schemas: Vec::new(), entities: Vec::new(), links: Vec::new() }
    }

    /// With a file of policies.
    #[must_use]
    pub fn policies(mut self, name: &str, text: &str) -> Self {
        self.policies.push(Source::new(name, text));
        self
    }

    /// With a part of the schema.
    #[must_use]
    pub fn schema(mut self, name: &str, text: &str) -> Self {
        self.schemas.push(Source::new(name, text));
        self
    }

    /// With what is known of entities.
    #[must_use]
    pub fn entities(mut self, name: &str, text: &str) -> Self {
        self.entities.push(Source::new(name, text));
        self
    }

    /// With what templates are filled with.
    #[must_use]
    pub fn links(mut self, name: &str, text: &str) -> Self {
        self.links.push(Source::new(name, text));
        self
    }

    /// Reads the files of the directory `path`, in the order of their names: `*.cedar` and `*.cedarschema`,
    /// `entities.json` and `links.json`.
    ///
    /// # Errors
    /// [`Problems`], for what cannot be read.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Problems> {
        Ok(Self::of(&read_all(path.as_ref())?))
    }

    /// Those of `files` that are no cases, each by its name.
    #[must_use]
    pub fn of(files: &[Source]) -> Self {
        let mut sources = Self::new();
        for file in files {
            let into = match Kind::of(&file.name) {
                Some(Kind::Policies) => &mut sources.policies,
                Some(Kind::Schema) => &mut sources.schemas,
                Some(Kind::Entities) => &mut sources.entities,
                Some(Kind::Links) => &mut sources.links,
                Some(Kind::Cases) | None => continue,
            };
            into.push(file.clone());
        }
        sources
    }

    /// How many policies there are, right or wrong: each ends with a semicolon.
    #[must_use]
    pub fn count(&self) -> usize {
        self.policies.iter().map(|source| syntax::semicolons(&source.text)).sum()
    }

    /// The digest of what all of them say. Where they are does not matter.
    pub(crate) fn digest(&self) -> String {
        let all = [
            ("policies", &self.policies),
            ("schemas", &self.schemas),
            ("entities", &self.entities),
            ("links", &self.links),
        ];
        digest_of(all.into_iter().flat_map(|(kind, sources)| sources.iter().map(move |source| (kind, &*source.text))))
    }
}

/// The SHA-256 of names and texts, each with its length before it, as hexadecimal digits.
pub(crate) fn digest_of<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut context = Context::new(&SHA256);
    for part in files.flat_map(|(name, text)| [name, text]) {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every file of the directory `path` that is part of a set of policies, in the order of their names.
///
/// # Errors
/// [`Problems`], for what cannot be read.
pub(crate) fn read_all(path: &Path) -> Result<Vec<Source>, Problems> {
    let unreadable = |path: &Path, error: &dyn std::fmt::Display| {
        Problem::new("policy_unreadable", &path.to_string_lossy(), format!("cannot be read: {error}"))
    };
    let entries = fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry.map_err(|error| unreadable(path, &error))?.path());
        if files.len() > MAX_FILES {
            return Err(unreadable(path, &"it has more files than are read").into());
        }
    }
    files.sort();
    let (mut sources, mut problems, mut left) = (Vec::new(), Problems::none(), MAX_SET_BYTES);
    for file in files {
        let name = file.to_string_lossy();
        if Kind::of(&name).is_none() {
            continue;
        }
        match read_file(&file) {
            Ok(text) if text.len() > MAX_FILE_BYTES => problems.push(unreadable(&file, &"it is larger than 16 MiB")),
            Ok(text) => {
                let rest = left.checked_sub(text.len());
                left = rest.ok_or_else(|| unreadable(path, &"its policies are larger than 64 MiB"))?;
                sources.push(Source { name: name.into(), text: text.into() });
            }
            Err(error) => problems.push(unreadable(&file, &error)),
        }
    }
    problems.or(sources)
}

/// At most one byte more than is taken, by which it is known to be too much. A device may never end, and a pipe never begin.
fn read_file(path: &Path) -> std::io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}
