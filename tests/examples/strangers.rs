//! Crates that nobody here wrote, read: how much of them is understood, how fast, and what it costs besides `cargo check`.
//!
//! `cargo run -p lockdep-tests --example strangers -- [NAME…]` reads them, or some, on every toolchain and prints a table;
//! `… -- --times [NAME…]` measures runs of some against `cargo check` of the same. Nothing of it is a test: it downloads
//! the crates and takes minutes. Figures of one run can be compared with each other and with nothing else.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Name, version, features.
const CRATES: [(&str, &str, &str); 12] = [
    ("lock_api", "0.4.14", ""),
    ("parking_lot", "0.12.5", ""),
    ("dashmap", "6.2.1", ""),
    ("spin", "0.12.3", ""),
    ("crossbeam-channel", "0.5.17", ""),
    ("rayon", "1.12.0", ""),
    ("sled", "0.34.7", ""),
    ("moka", "0.12.16", "\"sync\", \"future\""),
    ("tokio", "1.54.1", "\"full\""),
    ("wgpu-core", "30.0.1", "\"wgsl\", \"vulkan\""),
    ("naga", "30.0.1", "\"wgsl-in\", \"spv-out\""),
    ("tantivy", "0.26.2", ""),
];

/// Those that are measured if none is named.
const MEASURED: [&str; 3] = ["tokio", "wgpu-core", "tantivy"];

/// Between a run that removes a dump and one that is measured: ext4 looks long for inodes where thousands were deleted in
/// the last minute and a half (`recently_deleted` in its `ialloc.c`), which no first run meets.
const PAUSE: Duration = Duration::from_secs(100);

/// A workspace of its own with these as its dependencies.
struct Scratch {
    directory: PathBuf,
    toolchain: String,
}

impl Scratch {
    fn new(name: &str, toolchain: &str, crates: &[(&str, &str, &str)]) -> Scratch {
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
        let target = std::path::absolute(target).expect("a current directory");
        let directory = target.join("strangers").join(format!("{name}-{toolchain}"));
        drop(fs::remove_dir_all(&directory));
        fs::create_dir_all(directory.join("src")).expect("a writable target directory");
        let mut manifest = String::from(
            "[package]\nname = \"strangers\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n",
        );
        for (name, version, features) in crates {
            manifest.push_str(&format!("{name} = {{ version = \"={version}\", features = [{features}] }}\n"));
        }
        fs::write(directory.join("Cargo.toml"), manifest).expect("a writable directory");
        fs::write(directory.join("src/lib.rs"), "").expect("a writable directory");
        Scratch { directory, toolchain: toolchain.to_owned() }
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for name in ["CARGO", "RUSTC", "RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"] {
            command.env_remove(name);
        }
        command.current_dir(&self.directory).env("RUSTUP_TOOLCHAIN", &self.toolchain).stdin(Stdio::null());
        command
    }

    /// Runs it; what it says, and how many seconds it took.
    fn run(&self, program: &Path, arguments: &[&str]) -> (String, f64) {
        let mut command = self.command(program);
        let begin = Instant::now();
        let output = command.args(arguments).output().expect("the program starts");
        let seconds = begin.elapsed().as_secs_f64();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Without declared locks there is nothing to prove, which is not what is asked here.
        assert!(matches!(output.status.code(), Some(0..=2)), "{arguments:?}: {said}");
        (said, seconds)
    }

    /// Has cargo forget a package in a target directory.
    fn forget(&self, package: &str, target: &Path) {
        let mut command = self.command("cargo");
        command.args(["clean", "--quiet", "-p", package, "--target-dir"]).arg(target);
        assert!(command.status().expect("cargo starts").success(), "cargo clean");
    }

    /// The directory of our artifacts.
    fn artifacts(&self) -> PathBuf {
        let entries = fs::read_dir(self.directory.join("target/lockdep")).expect("an analysis was made");
        entries.filter_map(Result::ok).map(|entry| entry.path()).next().expect("of one compiler")
    }
}

/// What the command says of a crate with `--verbose`.
#[derive(Clone, Debug, Default)]
struct Reading {
    bodies: u64,
    lines: u64,
    unread: u64,
    megabytes: f64,
    seconds: f64,
    /// Of a core, whatever else runs.
    busy: f64,
    memory: u64,
}

/// `Read tokio: 4765 bodies, 505889 lines, 0 unread, 42.1 MB in 1.329 s, 0.612 s of a core, 37 MB of memory`, by crate.
fn readings(said: &str) -> BTreeMap<String, Reading> {
    let read = said.lines().filter_map(|line| line.trim().strip_prefix("Read "));
    read.filter_map(|line| {
        let (name, figures) = line.split_once(": ")?;
        let mut reading = Reading::default();
        let words: Vec<&str> = figures.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let [figure, unit] = pair else { continue };
            match *unit {
                "bodies" => reading.bodies = figure.parse().ok()?,
                "lines" => reading.lines = figure.parse().ok()?,
                "unread" => reading.unread = figure.parse().ok()?,
                "s" if reading.seconds == 0.0 => reading.seconds = figure.parse().ok()?,
                "s" => reading.busy = figure.parse().ok()?,
                "MB" if reading.megabytes == 0.0 => reading.megabytes = figure.parse().ok()?,
                "MB" => reading.memory = figure.parse().ok()?,
                _ => {}
            }
        }
        Some((name.replace('-', "_"), reading))
    })
    .collect()
}

/// What it took to link and to judge, in seconds, and the memory of the process that did, in MB:
/// `Judged in 0.911 s, 75 MB of memory`.
fn judged(said: &str) -> (f64, u64) {
    let line = said.lines().find_map(|line| line.trim().strip_prefix("Judged in "));
    let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
    let figure = |at: usize| words.get(at).copied().unwrap_or("0");
    (figure(0).parse().unwrap_or(0.0), figure(2).parse().unwrap_or(0))
}

/// `cargo lockdep` as people have it: optimized.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a member");
    let arguments = ["build", "--release", "--package", "cargo-lockdep", "--message-format", "json"];
    let output = Command::new("cargo").current_dir(root).args(arguments).stderr(Stdio::inherit()).output();
    let messages = String::from_utf8(output.expect("cargo starts").stdout).expect("cargo writes UTF-8");
    let executable = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executable.expect("cargo-lockdep builds")
}

fn toolchains() -> Vec<String> {
    let output = Command::new("rustup").args(["toolchain", "list"]).output().expect("rustup starts");
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let known = ["stable", "nightly"].into_iter().filter(|name| listed.contains(name));
    known.map(str::to_owned).collect()
}

/// How much of each crate is read; whether it is all.
fn coverage(lockdep: &Path, names: &[String]) -> bool {
    let chosen = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let crates: Vec<_> = CRATES.into_iter().filter(|(name, ..)| chosen(name)).collect();
    let mut is_complete = true;
    println!(
        "| toolchain | crate | bodies | lines | unread | MB | MB/s of a core |\n|---|---|---|---|---|---|---|"
    );
    for toolchain in toolchains() {
        let scratch = Scratch::new("coverage", &toolchain, &crates);
        let specs: Vec<String> =
            crates.iter().map(|(name, version, _)| format!("{name}@{version}")).collect();
        let mut arguments = vec!["lockdep", "analyze", "--verbose"];
        specs.iter().for_each(|spec| arguments.extend(["--include-dep", spec]));
        let (said, _) = scratch.run(lockdep, &arguments);
        let readings = readings(&said);
        for (name, version, _) in &crates {
            let Some(reading) = readings.get(&name.replace('-', "_")) else {
                panic!("{name} was not read: {said}");
            };
            let Reading { bodies, lines, unread, megabytes, busy, .. } = reading;
            let speed = megabytes / busy;
            println!(
                "| {toolchain} | {name} {version} | {bodies} | {lines} | {unread} | {megabytes:.1} | {speed:.0} |"
            );
            is_complete &= *unread == 0;
        }
    }
    is_complete
}

/// What a cold and an idle run cost, compared with `cargo check` that compiles the same crate, and no other.
fn times(lockdep: &Path, names: &[String]) {
    println!(
        "| crate | check s | analyze s | ratio | reading s | linking s | ours of check | idle check s | idle analyze s | MB reading | MB linking |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let named = |name: &str| names.iter().any(|wanted| wanted == name);
    let chosen = |name: &str| if names.is_empty() { MEASURED.contains(&name) } else { named(name) };
    for (name, version, features) in CRATES.into_iter().filter(|(name, ..)| chosen(name)) {
        let scratch = Scratch::new(name, "stable", &[(name, version, features)]);
        let analyze = ["lockdep", "analyze", "--verbose", "--include-dep", name];
        let check =
            |scratch: &Scratch| scratch.run(Path::new("cargo"), &["check", "--target-dir", "plain"]).1;
        check(&scratch);
        scratch.run(lockdep, &analyze);
        scratch.forget(name, &scratch.directory.join("plain"));
        scratch.forget(name, &scratch.artifacts());
        // What is read will be the same, and is to be linked again.
        drop(fs::remove_dir_all(scratch.artifacts().join("linked")));
        std::thread::sleep(PAUSE);
        let plain = check(&scratch);
        let (said, all) = scratch.run(lockdep, &analyze);
        let (linking, memory) = judged(&said);
        let reading = readings(&said).remove(&name.replace('-', "_")).unwrap_or_default();
        let (idle_plain, (_, idle)) = (check(&scratch), scratch.run(lockdep, &analyze));
        println!(
            "| {name} {version} | {plain:.1} | {all:.1} | {:.2} | {:.2} | {linking:.2} | {:.0} % | {idle_plain:.2} | {idle:.2} | {} | {memory} |",
            all / plain,
            reading.seconds,
            (reading.seconds + linking) / plain * 100.0,
            reading.memory
        );
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let lockdep = build();
    if let Some(("--times", names)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        times(&lockdep, names);
        return ExitCode::SUCCESS;
    }
    if coverage(&lockdep, &arguments) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
