//! Files that are mounted by themselves.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What this process has mounted (proc_pid_mountinfo(5)). There is none on other systems than Linux.
const MOUNTS: &str = "/proc/self/mountinfo";

/// Thousands of mounts. What stands behind is not looked at; it is only about a warning.
const MAX_MOUNTS_BYTES: u64 = 1024 * 1024;

/// Those of `paths` that are mount points, and so no entries of a directory that someone could replace: Kubernetes
/// makes them of `subPath`, and never updates them.
pub(super) fn mounted_alone(paths: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut table = Vec::new();
    if File::open(MOUNTS).and_then(|file| file.take(MAX_MOUNTS_BYTES).read_to_end(&mut table)).is_err() {
        return Vec::new();
    }
    points_of(&table, paths)
}

fn points_of(table: &[u8], paths: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let points = mount_points(table);
    let is_point = |path: &Path| fs::canonicalize(path).is_ok_and(|path| points.contains(path.as_os_str()));
    paths.filter(|path| path.is_file() && is_point(path)).collect()
}

/// The fifth column.
fn mount_points(table: &[u8]) -> BTreeSet<OsString> {
    let lines = table.split(|byte| *byte == b'\n');
    lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4)).map(unescaped).collect()
}

/// Blanks and backslashes stand there as three octal digits.
fn unescaped(text: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, more @ ..] = rest {
        let escape = more.split_at_checked(3).filter(|_| *first == b'\\').and_then(|(digits, behind)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 8).ok()?, behind))
        });
        let (byte, behind) = escape.unwrap_or((*first, more));
        plain.push(byte);
        rest = behind;
    }
    os_string(plain)
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::FilesWarning;

    #[test]
    fn the_fifth_column_names_what_is_mounted() {
        let table = b"22 1 0:21 / / rw,relatime - overlay overlay rw\n\
            31 22 0:5 /volumes/tls.crt /etc/my\\040certs/tls.crt ro,relatime - tmpfs tmpfs rw\n\
            32 22 0:6 / /a\\134b rw - tmpfs tmpfs rw\n\
            33 22 0:6 / /c\\9 rw - tmpfs tmpfs rw\n\
            broken\n";
        let expected = ["/", "/etc/my certs/tls.crt", "/a\\b", "/c\\9"];
        assert_eq!(mount_points(table), expected.into_iter().map(OsString::from).collect());
    }

    #[test]
    fn a_plain_file_is_not_mounted_alone() {
        assert_eq!(
            mounted_alone([PathBuf::from(file!()), "/".into(), "absent".into()].into_iter()),
            [""; 0].map(PathBuf::from)
        );
    }
    #[test]
    fn a_file_that_is_mounted_by_itself_is_seen_and_its_neighbour_is_not() {
        let folder = std::env::temp_dir().join(format!("agentauth-mount-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let files = ["tls.crt", "tls.key"].map(|name| folder.join(name));
        for file in &files {
            fs::write(file, "").unwrap();
        }
        let real = fs::canonicalize(&files[0]).unwrap();
        let table = format!("31 22 0:5 /x {} ro - tmpfs tmpfs rw\n", real.display());
        let alone = points_of(table.as_bytes(), files.clone().into_iter());
        assert_eq!(alone, files[..1]);
        assert_eq!(FilesWarning::SubPath(real).code(), "files_sub_path");
        fs::remove_dir_all(folder).unwrap();
    }
}
