//! Reading files that belong together as they were at one moment, while someone replaces them.
//!
//! Kubernetes writes a volume into a directory of its own, and then puts the link `..data` to it in the place of the
//! old one: all files change in one step. So the link is followed once, all files are opened below the directory that
//! it led to, and when they are read it must lead there still. Where there is no such link, each file must still be
//! the one that was opened, unchanged.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::FilesError;

/// The link that Kubernetes swaps.
pub(super) const DATA_LINK: &str = "..data";

/// Swapping takes microseconds and happens a few times an hour; files that change each time are being played with.
const MAX_TRIES: usize = 32;

/// A file that is wanted: the first of `names` that is there, of at most `limit` bytes.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) names: Vec<PathBuf>,
    pub(super) limit: usize,
}

/// What was found in the place of a file. It may be a private key.
pub(super) enum Found {
    File {
        path: PathBuf,
        bytes: Vec<u8>,
    },
    /// Nothing: no file, or an empty one.
    Gone(FilesError),
    /// Something that is no file that can be read.
    Broken(FilesError),
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, bytes } => write!(f, "File({}, {} bytes)", path.display(), bytes.len()),
            Self::Gone(error) => f.debug_tuple("Gone").field(error).finish(),
            Self::Broken(error) => f.debug_tuple("Broken").field(error).finish(),
        }
    }
}

/// The files of one directory, at one moment.
#[derive(Debug)]
pub(super) struct Reading {
    /// As many as were wanted, in their order.
    pub(super) files: Vec<Found>,
    /// All files here change in one step, so what is gone has been taken away and is not about to be replaced.
    pub(super) is_atomic: bool,
}

/// Reads `wanted` below `dir`.
pub(super) fn read_together(dir: &Path, wanted: &[Wanted]) -> Reading {
    read_while(dir, wanted, || {})
}

/// As [`read_together`], while `something` happens after the files were read, before it is looked whether they are
/// the same still.
fn read_while(dir: &Path, wanted: &[Wanted], mut something: impl FnMut()) -> Reading {
    for _ in 0..MAX_TRIES {
        let place = Place::of(dir);
        let opened: Vec<Opened> = wanted.iter().map(|wanted| place.open(dir, wanted)).collect();
        something();
        if Place::of(dir) == place && opened.iter().all(Opened::is_unchanged) {
            let files = opened.into_iter().map(|file| file.found).collect();
            return Reading { files, is_atomic: place.is_atomic };
        }
    }
    let unsettled = |_| Found::Broken(FilesError::Unsettled(dir.into()));
    Reading { files: wanted.iter().map(unsettled).collect(), is_atomic: false }
}

/// Where the files of a directory are at one moment.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    path: PathBuf,
    is_atomic: bool,
}

impl Place {
    /// What cannot be resolved is opened as it is spelt, which says what is wrong with it.
    fn of(dir: &Path) -> Self {
        match fs::canonicalize(dir.join(DATA_LINK)) {
            Ok(path) => Self { path, is_atomic: true },
            Err(_) => Self { path: fs::canonicalize(dir).unwrap_or_else(|_| dir.into()), is_atomic: false },
        }
    }

    /// Where the file called `name` is: behind the link, unless it stands beside it. What Kubernetes lets users see
    /// there are links, so that a file that is none is not of its making; in a directory that is everyone's, the link
    /// may be a stranger's.
    fn path_of(&self, dir: &Path, name: &Path) -> PathBuf {
        let visible = name.components().next().map(|first| dir.join(first));
        let is_beside = |visible: PathBuf| fs::symlink_metadata(visible).is_ok_and(|metadata| !metadata.is_symlink());
        if self.is_atomic && visible.is_some_and(is_beside) { dir.join(name) } else { self.path.join(name) }
    }

    fn open(&self, dir: &Path, wanted: &Wanted) -> Opened {
        let mut missing = None;
        for name in &wanted.names {
            // Errors name the file as the operator knows it.
            let shown = dir.join(name);
            let path = self.path_of(dir, name);
            match read(&path, wanted.limit) {
                Err(Fault::Missing) => missing = missing.or(Some(shown)),
                Err(Fault::NotRegular) => return Found::Broken(FilesError::NotRegular(shown)).into(),
                Err(Fault::Oversize) => {
                    return Found::Broken(FilesError::Oversize { path: shown, limit: wanted.limit }).into();
                }
                Err(Fault::Io(source)) => {
                    return Found::Broken(FilesError::Unreadable { path: shown, source }).into();
                }
                Ok((file, stamp, bytes)) => {
                    let found = if bytes.trim_ascii().is_empty() {
                        Found::Gone(FilesError::Empty(shown))
                    } else {
                        Found::File { path: shown, bytes }
                    };
                    return Opened { found, seen: Some((path, stamp, file)) };
                }
            }
        }
        Found::Gone(FilesError::Missing(missing.unwrap_or_else(|| dir.into()))).into()
    }
}

struct Opened {
    found: Found,
    /// The file that was read, and how to know it again. It stays open until then: while it does, no other file gets
    /// its number.
    seen: Option<(PathBuf, Stamp, File)>,
}

impl Opened {
    fn is_unchanged(&self) -> bool {
        let is_same =
            |(path, stamp, _): &(PathBuf, Stamp, File)| fs::metadata(path).is_ok_and(|now| Stamp::of(&now) == *stamp);
        self.seen.as_ref().is_none_or(is_same)
    }
}

impl From<Found> for Opened {
    fn from(found: Found) -> Self {
        Self { found, seen: None }
    }
}

/// What changes when a file is replaced or written to.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    number: (u64, u64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            len: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            number: {
                use std::os::unix::fs::MetadataExt as _;
                (metadata.dev(), metadata.ino())
            },
        }
    }
}

enum Fault {
    Missing,
    NotRegular,
    Oversize,
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::Missing,
            _ => Self::Io(error),
        }
    }
}

/// The file, what it was known by before its first byte was read, and what was in it.
fn read(path: &Path, limit: usize) -> Result<(File, Stamp, Vec<u8>), Fault> {
    // Opening a pipe waits for its other end, so it is not even tried.
    if !fs::metadata(path)?.is_file() {
        return Err(Fault::NotRegular);
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Fault::NotRegular);
    }
    let mut bytes = Vec::new();
    let more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    (&file).take(more).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(Fault::Oversize);
    }
    Ok((file, Stamp::of(&metadata), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("agentauth-read-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).unwrap();
        }

        /// Puts a file in the place of another in one step.
        fn replace(&self, name: &str, text: &str) {
            self.write("new", text);
            fs::rename(self.0.join("new"), self.0.join(name)).unwrap();
        }

        /// Leads `..data` to the directory `name`, in one step.
        fn lead_to(&self, name: &str) {
            let link = self.0.join("..data_tmp");
            std::os::unix::fs::symlink(name, &link).unwrap();
            fs::rename(link, self.0.join(DATA_LINK)).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn wanted(names: &[&str]) -> Vec<Wanted> {
        names.iter().map(|name| Wanted { names: vec![name.into()], limit: 16 }).collect()
    }

    /// What was found, or by which code it was not.
    fn texts(reading: &Reading) -> Vec<&str> {
        fn text(found: &Found) -> &str {
            match found {
                Found::File { bytes, .. } => std::str::from_utf8(bytes).unwrap(),
                Found::Gone(error) | Found::Broken(error) => error.code(),
            }
        }
        reading.files.iter().map(text).collect()
    }

    #[test]
    fn files_that_change_while_they_are_read_are_read_again() {
        let folder = Folder::new("again");
        folder.write("a", "a1");
        folder.write("b", "b1");
        let mut tries = 0;
        let reading = read_while(&folder.0, &wanted(&["a", "b"]), || {
            tries += 1;
            match tries {
                1 => folder.replace("a", "a2"),
                2 => folder.write("b", "b2 is longer"),
                3 => fs::remove_file(folder.0.join("a")).unwrap(),
                4 => folder.write("b", "b3 is longer"),
                _ => {}
            }
        });
        assert_eq!((texts(&reading), tries), (vec!["files_missing", "b3 is longer"], 5));
        assert!(!reading.is_atomic);
    }

    #[test]
    fn files_behind_a_link_that_moves_are_read_again() {
        let folder = Folder::new("link");
        for (dir, text) in [("..1", "one"), ("..2", "two")] {
            fs::create_dir(folder.0.join(dir)).unwrap();
            folder.write(&format!("{dir}/a"), text);
        }
        folder.lead_to("..1");
        folder.write("beside", "beside");
        let mut tries = 0;
        let reading = read_while(&folder.0, &wanted(&["a", "b", "beside"]), || {
            tries += 1;
            if tries == 1 {
                folder.lead_to("..2");
            }
        });
        assert_eq!((texts(&reading), tries), (vec!["two", "files_missing", "beside"], 2));
        assert!(reading.is_atomic);
    }

    #[test]
    fn files_that_never_stay_the_same_are_left_alone() {
        let folder = Folder::new("never");
        folder.write("a", "0");
        let mut tries = 0;
        let reading = read_while(&folder.0, &wanted(&["a"]), || {
            tries += 1;
            folder.replace("a", &tries.to_string());
        });
        assert_eq!((texts(&reading), tries), (vec!["files_unsettled"], MAX_TRIES));
    }

    #[test]
    fn only_regular_files_of_a_bearable_size_are_read() {
        let folder = Folder::new("kinds");
        folder.write("full", "0123456789abcdef");
        folder.write("over", "0123456789abcdef0");
        folder.write("blank", " \n");
        fs::create_dir(folder.0.join("directory")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.0.join("socket")).unwrap();
        std::os::unix::fs::symlink("loop", folder.0.join("loop")).unwrap();
        for (name, expected) in [
            ("full", "0123456789abcdef"),
            ("over", "files_oversize"),
            ("blank", "files_empty"),
            ("directory", "files_not_regular"),
            ("socket", "files_not_regular"),
            ("loop", "files_unreadable"),
            ("absent", "files_missing"),
            ("full/below", "files_missing"),
        ] {
            assert_eq!(texts(&read_together(&folder.0, &wanted(&[name]))), [expected], "{name}");
        }
        let reading = read_together(&folder.0.join("absent"), &wanted(&["full"]));
        assert_eq!(texts(&reading), ["files_missing"]);
    }

    /// In a directory that is everyone's, such as `/tmp`, others may put a link there, and not in the place of our
    /// file.
    #[test]
    fn a_link_that_someone_else_has_put_there_leads_nowhere() {
        let (folder, theirs) = (Folder::new("sticky"), Folder::new("theirs"));
        folder.write("roots.pem", "ours");
        theirs.write("roots.pem", "theirs");
        folder.lead_to(theirs.0.to_str().unwrap());
        assert_eq!(texts(&read_together(&folder.0, &wanted(&["roots.pem"]))), ["ours"]);
    }

    #[test]
    fn what_is_in_a_file_is_not_shown() {
        let folder = Folder::new("shown");
        folder.write("key", "secret");
        let shown = format!("{:?}", read_together(&folder.0, &wanted(&["key"])));
        assert!(shown.contains("6 bytes") && !shown.contains("115, 101") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn the_first_name_that_is_there_counts() {
        let folder = Folder::new("names");
        let several = [Wanted { names: vec!["first".into(), "second".into()], limit: 16 }];
        let read = || texts(&read_together(&folder.0, &several)).concat();
        assert_eq!(read(), "files_missing");
        folder.write("second", "2");
        assert_eq!(read(), "2");
        folder.write("first", "1");
        assert_eq!(read(), "1");
    }
}
