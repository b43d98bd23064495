//! A workspace with one dependency for each crate, and the command run in it.
//!
//! The only file here that starts processes. Workspaces and what is compiled for them lie below `LOCKDEP_CORPUS`, or else
//! below `target/corpus`; artifacts are shared by all.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use lockdep_tests::analysis::{cargo, root};
use serde_json::Value;
use thiserror::Error;

use crate::crates::Crate;
use crate::finding::Finding;

/// Why there is nothing to compare.
#[derive(Debug, Error)]
pub enum Failure {
    /// The list of crates is wrong.
    #[error("crates.toml: {0}")]
    Crates(String),
    /// A file cannot be read or written, or a program not started.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// A program said no.
    #[error("{0}")]
    Program(String),
    /// A program's answer is not what it used to be.
    #[error("the answer of {0} cannot be read")]
    Answer(&'static str),
}

/// What came of one crate.
#[derive(Debug)]
pub struct Run {
    /// In order.
    pub findings: Vec<Finding>,
    /// Lines of Rust that are not blank, of all crates that were read.
    pub lines: usize,
    /// Wall time, the dependencies' compilation included.
    pub seconds: u64,
}

/// Builds the command, and says where it is.
pub fn build() -> Result<PathBuf, Failure> {
    let arguments =
        ["build", "--release", "--quiet", "--package", "cargo-lockdep", "--message-format", "json"];
    let output = cargo().args(arguments).stderr(Stdio::inherit()).output()?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    };
    messages.lines().find_map(executable).ok_or(Failure::Answer("cargo build"))
}

/// Analyzes one crate.
pub fn analyze(tool: &Path, krate: &Crate) -> Result<Run, Failure> {
    let directory = directory().join(format!("{}-{}", krate.name, krate.version));
    fs::create_dir_all(directory.join("src"))?;
    fs::write(directory.join("src/lib.rs"), "")?;
    fs::write(directory.join("Cargo.toml"), manifest(krate))?;
    let start = Instant::now();
    let mut command = Command::new(tool);
    command.args(["lockdep", "analyze", "-q", "--format", "json"]);
    for (name, version) in [(&krate.name, &krate.version)].into_iter().chain(&krate.also) {
        command.args(["--include-dep", &format!("{name}@{version}")]);
    }
    if krate.callbacks {
        command.arg("--callbacks");
    }
    let report = match output(&mut command, &directory, &[0, 1]) {
        Err(Failure::Program(error)) if error.contains("nothing to prove") => None,
        other => {
            let report = other?;
            // For whoever gives the verdicts: it has the chains.
            fs::write(directory.join("report.json"), &report)?;
            Some(serde_json::from_str(&report).map_err(|_| Failure::Answer("analyze"))?)
        }
    };
    let root = format!("{}-{}/", krate.name, krate.version);
    let findings = report.map_or(Some(Vec::new()), |report| Finding::all(&report, &root));
    let seconds = start.elapsed().as_secs();
    Ok(Run {
        findings: findings.ok_or(Failure::Answer("analyze"))?,
        lines: lines(krate, &directory)?,
        seconds,
    })
}

fn directory() -> PathBuf {
    std::env::var_os("LOCKDEP_CORPUS").map_or_else(|| root().join("target/corpus"), PathBuf::from)
}

fn manifest(krate: &Crate) -> String {
    let mut manifest = format!(
        "[package]\nname = \"scratch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [profile.dev]\ndebug = false\nincremental = false\n\n[dependencies]\n\
         {} = {{ version = \"={}\", default-features = {}, features = {:?} }}\n",
        krate.name, krate.version, krate.default_features, krate.features
    );
    for (name, version) in krate.also.iter().chain(&krate.pinned) {
        // Nothing fails when text is written to a string.
        let _ = writeln!(manifest, "{name} = {{ version = \"={version}\", default-features = false }}");
    }
    manifest
}

/// Lines that are not blank in the sources of what was read.
fn lines(krate: &Crate, directory: &Path) -> Result<usize, Failure> {
    let host = output(Command::new("rustc").args(["--print", "host-tuple"]), directory, &[0])?;
    let mut command = cargo();
    // Without the filter cargo fetches the dependencies of all other platforms.
    command.args(["metadata", "--format-version", "1", "--quiet", "--filter-platform", host.trim()]);
    let metadata: Value = serde_json::from_str(&output(&mut command, directory, &[0])?)
        .map_err(|_| Failure::Answer("cargo metadata"))?;
    let packages = metadata["packages"].as_array().ok_or(Failure::Answer("cargo metadata"))?;
    let mut lines = 0;
    for (name, version) in [(&krate.name, &krate.version)].into_iter().chain(&krate.also) {
        let manifest = (packages.iter())
            .find(|package| package["name"] == **name && package["version"] == **version)
            .and_then(|package| package["manifest_path"].as_str())
            .ok_or(Failure::Answer("cargo metadata"))?;
        lines += count(&Path::new(manifest).with_file_name("src"))?;
    }
    Ok(lines)
}

fn count(directory: &Path) -> Result<usize, Failure> {
    let mut lines = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            lines += count(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            lines += text.lines().filter(|line| !line.trim().is_empty()).count();
        }
    }
    Ok(lines)
}

/// What a command writes if it ends with one of these codes, and otherwise what it complains of.
fn output(command: &mut Command, directory: &Path, codes: &[i32]) -> Result<String, Failure> {
    let target = self::directory().join("target");
    let output =
        command.current_dir(directory).env("CARGO_TARGET_DIR", target).stdin(Stdio::null()).output()?;
    match output.status.code().filter(|code| codes.contains(code)) {
        Some(_) => String::from_utf8(output.stdout).map_err(|_| Failure::Answer("a command")),
        None => Err(Failure::Program(String::from_utf8_lossy(&output.stderr).trim_end().to_owned())),
    }
}
