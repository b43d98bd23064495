//! How fast MIR text is read, per core: `cargo bench -p lockdep-analyzer --bench reading`.
//!
//! The text is the dump of this workspace's hypervisor core, made by the compiler on the spot, or what lies in the
//! directory `LOCKDEP_MIR_DIR`. It is read again and again on one thread, whole files as the command line does it; what
//! is printed is the best round, since the others were disturbed.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;
use std::{env, fs};

use lockdep_analyzer::mir::{id_of_file, read_body};

/// Rounds over the whole dump.
const ROUNDS: usize = 15;

/// The options of `cli/src/wrapper.rs`.
const FLAGS: [&str; 5] = [
    "-Zdump-mir=analysis",
    "-Zmir-include-spans=on",
    "-Ztrim-diagnostic-paths=no",
    "-Zspan-free-formats",
    "-Zdump-mir-exclude-alloc-bytes",
];

fn main() -> ExitCode {
    let given = env::var_os("LOCKDEP_MIR_DIR").map(Into::into);
    let directory = given.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("reading"));
    if env::var_os("LOCKDEP_MIR_DIR").is_none() && !dump(&directory) {
        eprintln!("hv-core cannot be compiled");
        return ExitCode::FAILURE;
    }
    let files = files(&directory);
    let size: usize = files.iter().map(|(_, text)| text.len()).sum();
    if size == 0 {
        eprintln!("no dump in {}", directory.display());
        return ExitCode::FAILURE;
    }
    let (mut best, mut bodies, mut problems) = (f64::MAX, 0, 0);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        (bodies, problems) = (0, 0);
        for (id, text) in &files {
            let read = read_body(id, text);
            bodies += read.0.len();
            problems += read.1.len();
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!(
        "{bodies} bodies, {:.1} MB, {problems} problems: {:.0} MB/s per core",
        size as f64 / 1e6,
        size as f64 / 1e6 / best
    );
    ExitCode::SUCCESS
}

/// Makes the dump of `hv-core`, if it is not there.
fn dump(directory: &Path) -> bool {
    if directory.exists() {
        return true;
    }
    let mut dump_to = std::ffi::OsString::from("-Zdump-mir-dir=");
    dump_to.push(directory);
    let status = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("RUSTC_BOOTSTRAP", "hv_core")
        .env("CARGO_TARGET_DIR", directory.with_extension("target"))
        .args(["rustc", "--quiet", "--package=hv-core", "--lib", "--profile=check", "--"])
        .args(FLAGS)
        .arg(dump_to)
        .status();
    status.is_ok_and(|status| status.success())
}

/// The definition paths and texts of a dump.
fn files(directory: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<(String, String)> = entries
        .filter_map(|entry| {
            let (_, id) = id_of_file(entry.file_name().to_str()?)?;
            Some((id, String::from_utf8_lossy(&fs::read(entry.path()).ok()?).into_owned()))
        })
        .collect();
    files.sort();
    files
}
