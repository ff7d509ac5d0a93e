//! What cannot be written, and what its author is told: each `tests/compile_fail/*.rs` has the compiler's words beside it.
//!
//! `AGENTAUTH_BLESS=1` writes them anew. They are compared in full with the compiler that they came from; with another one,
//! the codes of the errors are.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compile_fail");

/// A compiler, and the libraries that the cases are compiled against: those that this test was built with.
struct Compiler {
    program: OsString,
    deps: PathBuf,
    core: PathBuf,
    http: PathBuf,
}

impl Compiler {
    fn find() -> Option<Self> {
        let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
        let http = newest(&deps, "libhttp-").into_iter().next()?;
        let good = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiles.rs");
        fs::write(&good, "pub use agentauth_core::Caller;\n").unwrap();
        // The newest is not older than what this test was linked with; one of another compiler is passed over.
        newest(&deps, "libagentauth_core-").into_iter().find_map(|core| {
            let compiler = Self { program: program.clone(), deps: deps.clone(), core, http: http.clone() };
            compiler.compile(&good).ok().filter(|output| output.status.success()).map(|_| compiler)
        })
    }

    fn compile(&self, case: &Path) -> std::io::Result<Output> {
        let library = |name: &str, path: &Path| format!("{name}={}", path.display());
        Command::new(&self.program)
            .current_dir(FOLDER)
            .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--color=never", "--diagnostic-width=120"])
            .args(["--out-dir", env!("CARGO_TARGET_TMPDIR")])
            .arg("-L")
            .arg(format!("dependency={}", self.deps.display()))
            .args(["--extern", &library("agentauth_core", &self.core), "--extern", &library("http", &self.http)])
            .arg(case)
            .output()
    }

    fn version(&self) -> String {
        let output = Command::new(&self.program).arg("--version").output().unwrap();
        let version = String::from_utf8(output.stdout).unwrap();
        version.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }
}

/// The libraries whose names begin so, the newest first.
fn newest(deps: &Path, prefix: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(deps).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "rlib"))
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(prefix))
        .collect();
    found.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().modified().unwrap()));
    found
}

/// The words, without what is only so on this machine: where the workspace and other crates lie, and their versions.
fn anywhere(text: &str) -> String {
    let root = Path::new(FOLDER).ancestors().nth(4).unwrap();
    let text = text.replace(&format!("{}/", root.display()), "");
    let shorten = |line: &str| {
        let Some((before, path)) = line.split_once("--> /") else { return line.to_owned() };
        let path = match (path.split_once("/registry/src/"), path.split_once("/library/")) {
            (Some((_, of_crate)), _) => of_crate.split_once('/').map_or("", |(_, path)| path),
            (None, Some((_, path))) => path,
            (None, None) => "",
        };
        let (name, rest) = path.split_once('/').unwrap_or_default();
        let name = name.rsplit_once('-').map_or(name, |(name, _)| name);
        format!("{before}--> {name}/{rest}")
    };
    text.lines().map(shorten).map(|line| line + "\n").collect()
}

/// The words, without what changes with what is added elsewhere: numbers of lines, the margin, and how many types there are.
fn comparable(text: &str) -> String {
    let line = |line: &str| {
        let line = line.trim_start();
        let code = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let code = if code.len() < line.len() && code.starts_with(" |") { code.trim_start() } else { line };
        match (code.starts_with("--> ") || code.starts_with("::: "), code.split_once(':')) {
            (true, Some((file, _))) => file.to_owned(),
            _ => code.trim_end_matches(['-', '^', '_', ' ']).to_owned(),
        }
    };
    let is_count = |line: &str| line.starts_with("and ") && line.ends_with(" others");
    text.lines().map(line).filter(|line| !line.is_empty() && !is_count(line)).map(|line| line + "\n").collect()
}

fn codes(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("error[")).filter_map(|line| line.split(']').next()).collect()
}

#[test]
fn what_must_not_be_written_does_not_compile_and_says_why() {
    let Some(compiler) = Compiler::find() else {
        println!("skipped: no rustc that these libraries were built with");
        return;
    };
    let is_blessed = std::env::var_os("AGENTAUTH_BLESS").is_some();
    let version_file = Path::new(FOLDER).join("rustc");
    if is_blessed {
        fs::write(&version_file, compiler.version() + "\n").unwrap();
    }
    let is_same = fs::read_to_string(&version_file).unwrap().trim() == compiler.version();
    let mut cases: Vec<PathBuf> = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    cases.sort();
    assert!(cases.len() >= 8, "the cases were not found");
    for case in cases {
        let name = case.file_name().unwrap();
        let output = compiler.compile(Path::new(name)).unwrap();
        let said = anywhere(&String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "{} compiles", case.display());
        let expected = case.with_extension("stderr");
        if is_blessed {
            fs::write(&expected, &said).unwrap();
        }
        let expected = fs::read_to_string(expected).unwrap_or_default();
        println!("{said}");
        if is_same {
            assert_eq!(comparable(&said), comparable(&expected), "{}", case.display());
        }
        assert_eq!(codes(&said), codes(&expected), "{}", case.display());
    }
}
