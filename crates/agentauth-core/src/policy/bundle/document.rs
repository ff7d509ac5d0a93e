//! A bundle and its manifest, read strictly: whatever is not known refuses the whole.

use serde::de::MapAccess;

use super::{BundleError, MAX_BUNDLE_FILES, PolicyFile};
use crate::jose::JsonError;
use crate::jose::json::{self, Members, Value};
use crate::text::Excerpt;

/// The whole file. Of this, only what the manifest vouches for counts.
#[derive(Default)]
pub(super) struct Bundle {
    pub(super) manifest: String,
    files: Vec<Content>,
    unknown: Option<Excerpt>,
}

#[derive(Default)]
struct Content {
    name: Box<str>,
    text: Option<Box<str>>,
    unknown: Option<Excerpt>,
}

/// What is signed.
#[derive(Default)]
pub(super) struct Manifest {
    pub(super) audience: String,
    has_sequence: bool,
    pub(super) sequence: u64,
    pub(super) expires: Option<u64>,
    pub(super) files: Vec<Listed>,
    unknown: Option<Excerpt>,
}

#[derive(Default)]
pub(super) struct Listed {
    pub(super) name: Box<str>,
    pub(super) sha256: Box<str>,
    unknown: Option<Excerpt>,
}

/// Notes the first member that is not known, and skips it.
macro_rules! skip {
    ($self:ident, $name:ident, $value:ident) => {{
        $self.unknown.get_or_insert_with(|| Excerpt::of($name));
        $value.skip()?;
    }};
}

impl<'de> Members<'de> for Bundle {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        match name {
            "manifest" => self.manifest = value.text()?.into_owned(),
            "files" => self.files = value.objects(MAX_BUNDLE_FILES)?,
            _ => skip!(self, name, value),
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Content {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        match name {
            "name" => self.name = value.text()?.into(),
            "text" => self.text = Some(value.text()?.into()),
            _ => skip!(self, name, value),
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Manifest {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        match name {
            "aud" => self.audience = value.text()?.into_owned(),
            "seq" => (self.has_sequence, self.sequence) = (true, value.integer()?),
            "exp" => self.expires = Some(value.seconds()?),
            "files" => self.files = value.objects(MAX_BUNDLE_FILES)?,
            _ => skip!(self, name, value),
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Listed {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        match name {
            "name" => self.name = value.text()?.into(),
            "sha256" => self.sha256 = value.text()?.into(),
            _ => skip!(self, name, value),
        }
        Ok(())
    }
}

impl Bundle {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BundleError> {
        let bundle: Self = json::read(bytes).map_err(BundleError::Malformed)?;
        let mut unknown = std::iter::once(&bundle.unknown).chain(bundle.files.iter().map(|file| &file.unknown));
        if let Some(name) = unknown.find_map(Clone::clone) {
            return Err(BundleError::MemberUnknown(name));
        }
        if bundle.manifest.is_empty() || bundle.files.iter().any(|file| file.text.is_none()) {
            return Err(BundleError::Malformed(JsonError::Syntax));
        }
        Ok(bundle)
    }

    pub(super) fn files(self) -> Vec<PolicyFile> {
        let file = |content: Content| PolicyFile { name: content.name, text: content.text.unwrap_or_default() };
        self.files.into_iter().map(file).collect()
    }
}

impl Manifest {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BundleError> {
        let manifest: Self = json::read(bytes).map_err(BundleError::Manifest)?;
        let mut unknown = std::iter::once(&manifest.unknown).chain(manifest.files.iter().map(|file| &file.unknown));
        if let Some(name) = unknown.find_map(Clone::clone) {
            return Err(BundleError::MemberUnknown(name));
        }
        if manifest.audience.is_empty() || !manifest.has_sequence {
            return Err(BundleError::Manifest(JsonError::Syntax));
        }
        Ok(manifest)
    }
}
