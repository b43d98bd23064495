//! From what the compiler wrote to the bytes of a facts file, inside a compilation.
//!
//! Files are read one by one and let go; names of files are shortened on the way. It starts no process: a text that may
//! be needed besides is had from whoever calls. `wrapper.rs` is its only user, but for the names of the stages.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lockdep_analyzer::facts::{Extraction, FORMAT, Header};
use lockdep_analyzer::mir::{self, Stage};

use crate::paths::Names;
use crate::unit::Unit;
use crate::wrapper::{DUMP, FLAGS, PRINT, VARIABLE, VERBOSE, WrapperError};

/// The texts that can be read: name, what it is, and whether it takes unstable options.
pub const STAGES: [(&str, Stage, &str); 3] = [
    ("analysis", Stage::Analysis, "What the borrow checker sees: the most precise"),
    ("unoptimized", Stage::Unoptimized, "What is made of it, by a second run of the compiler for each crate"),
    ("emitted", Stage::Emitted, "What stable options print: without positions, every crate is compiled"),
];

/// The stage of a name.
pub fn stage(name: &str) -> Option<Stage> {
    STAGES.into_iter().find(|(known, ..)| *known == name).map(|(_, stage, _)| stage)
}

/// The name of a stage.
pub fn name(stage: Stage) -> &'static str {
    STAGES.into_iter().find(|(_, known, _)| *known == stage).map_or("", |(name, ..)| name)
}

/// What the compiler wrote.
pub enum Source<'s> {
    /// A directory with a file for each body.
    Dump(&'s Path),
    /// One file.
    Text(&'s Path),
}

/// The text of the whole crate, if the compiler prints it.
type Print<'p> = &'p dyn Fn() -> Result<Option<PathBuf>, WrapperError>;

/// The facts of a unit. `print` is called if bodies may be missing.
pub fn facts(
    unit: &Unit,
    stage: Stage,
    version: String,
    source: &Source<'_>,
    print: Print<'_>,
) -> Result<Vec<u8>, WrapperError> {
    let begin = Instant::now();
    let names = Names::of_this_process(std::env::var_os(VARIABLE).map(PathBuf::from));
    let sources = |file: &str| names.read(file);
    let bytes_read = AtomicUsize::new(0);
    let failed = |error| WrapperError::Facts { krate: unit.crate_name.clone(), error };
    let header = header(unit, stage, version);
    let mut extraction = match source {
        Source::Dump(directory) => {
            let files = files(directory)?;
            let text = |name: &str| text(&directory.join(name), &names, &bytes_read);
            Extraction::of_dump(header, &files, &text, &sources).map_err(failed)?
        }
        Source::Text(path) => {
            let text = text(path, &names, &bytes_read).unwrap_or_default();
            Extraction::of_text(header, &text, &sources).map_err(failed)?
        }
    };
    if stage == Stage::Analysis {
        let compiled = fs::read_to_string(unit.aside("d")).unwrap_or_default();
        for file in compiled_files(&compiled) {
            let source = fs::read_to_string(&file).unwrap_or_default();
            extraction.note_source(&file.to_string_lossy(), &source);
        }
    }
    if stage == Stage::Analysis
        && extraction.may_lack_bodies()
        && let Some(text) = print()?.and_then(|path| text(&path, &names, &bytes_read))
    {
        extraction.complete(&text, Stage::Unoptimized, &sources).map_err(failed)?;
    }
    if stage == Stage::Emitted {
        extraction.problem(format!(
            "{}: read in the form that stable options print: positions are missing, and names may be ambiguous",
            unit.crate_name
        ));
    }
    let volume = extraction.volume();
    let bytes = extraction.finish().map_err(failed)?;
    if let Some(path) = std::env::var_os(VERBOSE).map(PathBuf::from) {
        let seconds = begin.elapsed().as_secs_f64();
        let line = format!(
            "{}: {} bodies, {} lines, {} unread, {:.1} MB in {seconds:.3} s{}{}\n",
            unit.crate_name,
            volume.bodies,
            volume.lines,
            volume.unread,
            megabytes(bytes_read.into_inner()),
            busy().map_or(String::new(), |busy| format!(", {busy:.3} s of a core")),
            peak().map_or(String::new(), |peak| format!(", {peak} MB of memory")),
        );
        // One write, as others are at it.
        let said = OpenOptions::new().append(true).create(true).open(&path);
        said.and_then(|mut file| file.write_all(line.as_bytes()))
            .map_err(WrapperError::file("write", &path))?;
    }
    Ok(bytes)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// How long the threads of this process have had a core, in seconds, where the system tells.
fn busy() -> Option<f64> {
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    let times = tasks.filter_map(|task| {
        let schedule = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        schedule.split(' ').next()?.parse::<u64>().ok()
    });
    Some(Duration::from_nanos(times.sum()).as_secs_f64())
}

/// The most memory that this process has had so far, in MB, where the system tells.
pub fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.div_ceil(1000))
}

/// The files in what the compiler writes for `make`: each is a target of its own, so that it may be removed.
fn compiled_files(rules: &str) -> impl Iterator<Item = PathBuf> {
    rules
        .lines()
        .filter_map(|line| line.strip_suffix(".rs:"))
        .map(|file| PathBuf::from(format!("{}.rs", file.replace("\\ ", " "))))
}

/// The names of the files of a dump, in order.
fn files(directory: &Path) -> Result<Vec<String>, WrapperError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(WrapperError::file("read", directory))? {
        let name = entry.map_err(WrapperError::file("read", directory))?.file_name();
        let is_read = |name: &&str| mir::id_of_file(name).or_else(|| mir::promoted_of_file(name)).is_some();
        let name = name.to_str().filter(is_read);
        files.extend(name.map(str::to_owned));
    }
    files.sort_unstable();
    Ok(files)
}

/// A text with short names of files; its length as it was is added to `read`. One that cannot be read is found to be empty.
fn text(path: &Path, names: &Names, read: &AtomicUsize) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    read.fetch_add(bytes.len(), Ordering::Relaxed);
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Some(names.shorten(text))
}

fn header(unit: &Unit, stage: Stage, rustc: String) -> Header {
    let name = std::env::var("CARGO_PKG_NAME").ok();
    let number = std::env::var("CARGO_PKG_VERSION").ok();
    let flags: &[&[&str]] = match stage {
        Stage::Analysis => &[&DUMP, &FLAGS],
        Stage::Unoptimized => &[&PRINT, &FLAGS],
        Stage::Emitted => &[],
    };
    Header {
        format: FORMAT,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        rustc,
        krate: unit.crate_name.clone(),
        package: name.zip(number).map(|(name, number)| format!("{name} {number}")),
        target_kind: unit.kind().to_owned(),
        test: unit.test,
        edition: unit.edition.clone(),
        stage,
        flags: flags.iter().copied().flatten().map(ToString::to_string).collect(),
    }
}
