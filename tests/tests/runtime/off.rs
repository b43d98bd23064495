//! Checking switched off: nothing is left of it. And one thing that never compiles.
//!
//! Off is a `--cfg` of the whole build, so each case is a build of its own: small programs in the target directory,
//! compiled by the cargo that runs the tests, without network. Each claim is also put to a build with checking on, where
//! it has to be false.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock, PoisonError};

use lockdep_tests::analysis;

/// The locks and what is done with them, for [`CHECKED`] and [`RAW`] types.
const USES: &str = r"
#[unsafe(no_mangle)] #[inline(never)] pub fn use_lock(lock: &Mutex) { *lock.lock() += 1; }
#[unsafe(no_mangle)] #[inline(never)] pub fn use_try_lock(lock: &Mutex) -> bool { lock.try_lock().is_some() }
#[unsafe(no_mangle)] #[inline(never)] pub fn use_read(lock: &RwLock) -> u64 { *lock.read() }
#[unsafe(no_mangle)] #[inline(never)] pub fn use_write(lock: &RwLock) { *lock.write() += 1; }
#[unsafe(no_mangle)] #[inline(never)] pub fn use_reentrant(lock: &ReentrantMutex) -> u64 { *lock.lock() }
#[unsafe(no_mangle)] #[inline(never)] pub fn use_std_lock(lock: &StdMutex) { *lock.lock().unwrap() += 1; }
#[unsafe(no_mangle)] #[inline(never)] pub fn use_std_read(lock: &StdRwLock) -> u64 { *lock.read().unwrap() }
#[unsafe(no_mangle)] #[inline(never)] pub fn use_std_lazy(lazy: &StdLazyLock) -> u64 { **lazy }
";
const FUNCTIONS: [&str; 8] = [
    "use_lock",
    "use_try_lock",
    "use_read",
    "use_write",
    "use_reentrant",
    "use_std_lock",
    "use_std_read",
    "use_std_lazy",
];

const CHECKED: &str = r#"
lockdep::lock_order! { /** Pieces. */ pub order Board {
    /** Pawns. */ pawn = 8; /** Rooks. */ rook = 16; /** A queen. */ queen = 24, recursive = "two moves";
} }
pub type Mutex = lockdep::Mutex<spin::Mutex<()>, u64, board::pawn>;
pub type RwLock = lockdep::RwLock<spin::RwLock<()>, u64, board::rook>;
pub type ReentrantMutex = lockdep::ReentrantMutex<spin::Mutex<()>, u64, board::queen>;
pub type StdMutex = lockdep_std::Mutex<u64>;
pub type StdRwLock = lockdep_std::RwLock<u64>;
pub type StdLazyLock = lockdep_std::LazyLock<u64>;
"#;

const RAW: &str = r"
pub type Mutex = lock_api::Mutex<spin::Mutex<()>, u64>;
pub type RwLock = lock_api::RwLock<spin::RwLock<()>, u64>;
pub type ReentrantMutex = lock_api::ReentrantMutex<spin::Mutex<()>, lockdep::cpu::CpuThread, u64>;
pub type StdMutex = std::sync::Mutex<u64>;
pub type StdRwLock = std::sync::RwLock<u64>;
pub type StdLazyLock = std::sync::LazyLock<u64>;
";

/// Compares the sizes, then takes two locks in the wrong order, under the sink that panics.
const RUN: &str = r"
use std::mem::size_of;
mod checked { include!(concat!(env!(`CARGO_MANIFEST_DIR`), `/src/checked.in`)); }
mod raw { include!(concat!(env!(`CARGO_MANIFEST_DIR`), `/src/raw.in`)); }
fn main() {
    assert_eq!(size_of::<checked::Mutex>(), size_of::<raw::Mutex>(), `size of a mutex`);
    assert_eq!(size_of::<checked::RwLock>(), size_of::<raw::RwLock>(), `size of a reader-writer lock`);
    assert_eq!(size_of::<checked::ReentrantMutex>(), size_of::<raw::ReentrantMutex>(), `size of a recursive lock`);
    let (pawn, rook) = (checked::Mutex::new(1), checked::RwLock::new(2));
    let sum = *rook.write() + *pawn.lock();
    assert_eq!((sum, lockdep::CHECKED, lockdep::counters().checked), (3, false, 0));
}
";

const UNDECLARED: &str = r"
include!(concat!(env!(`CARGO_MANIFEST_DIR`), `/src/checked.in`));
fn main() {
    let _ = lockdep::ReentrantMutex::<spin::Mutex<()>, u64, board::pawn>::new(0);
}
";

/// One cargo at a time, so that the tests share what is built.
static TURN: Mutex<()> = Mutex::new(());

/// Writes the programs, once.
fn project() -> &'static Path {
    static PROJECT: OnceLock<PathBuf> = OnceLock::new();
    PROJECT.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("off");
        fs::create_dir_all(directory.join("src/bin")).expect("a writable target directory");
        let root = fs::read_to_string(analysis::root().join("Cargo.toml")).expect("the workspace has one");
        // The versions of the workspace.
        let ours = root.lines().filter(|line| line.starts_with("spin = ") || line.starts_with("lock_api = "));
        let lockdep = analysis::root().join("lockdep");
        let manifest = format!(
            "[package]\nname = \"off\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
             lockdep = {{ path = {lockdep:?} }}\nlockdep-std = {{ path = {:?} }}\n{}\n",
            lockdep.join("std"),
            ours.collect::<Vec<_>>().join("\n")
        );
        let lockfile = fs::read_to_string(analysis::root().join("Cargo.lock")).expect("the workspace has one");
        let main = "fn main() {}\n";
        for (name, text) in [
            ("Cargo.toml", manifest),
            ("Cargo.lock", lockfile),
            ("src/checked.in", CHECKED.to_owned()),
            ("src/raw.in", RAW.to_owned()),
            ("src/bin/checked.rs", format!("{CHECKED}{USES}{main}")),
            ("src/bin/raw.rs", format!("{RAW}{USES}{main}")),
            ("src/bin/run.rs", RUN.replace('`', "\"")),
            ("src/bin/undeclared.rs", UNDECLARED.replace('`', "\"")),
        ] {
            fs::write(directory.join(name), text).expect("a writable target directory");
        }
        directory
    })
}

/// `cargo <command> --bin <bin>` on the project, with this `--cfg`.
fn cargo(command: &str, bin: &str, cfg: &str, more: &[&str]) -> Output {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut cargo: Command = analysis::cargo();
    cargo.args([command, "--offline", "--quiet", "--bin", bin]).args(more).current_dir(project());
    cargo.env("CARGO_TARGET_DIR", project().join("target")).env("RUSTFLAGS", format!("--cfg {cfg}"));
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("RUSTC_WRAPPER");
    cargo.output().expect("cargo starts")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn off_is_gone_at_run_time() {
    let off = cargo("run", "run", "lockdep_off", &[]);
    assert!(off.status.success(), "{}", errors(&off));
    let on = cargo("run", "run", "lockdep", &[]);
    assert!(!on.status.success() && errors(&on).contains("size of a mutex"), "{}", errors(&on));
}

/// The instructions of each function, labels and symbols without their numbers.
fn instructions(bin: &str, cfg: &str) -> Vec<(&'static str, Vec<String>)> {
    let file = project().join(format!("{bin}-{cfg}.s"));
    let emit = format!("asm={}", file.display());
    let output = cargo("rustc", bin, cfg, &["--release", "--", "-Ccodegen-units=1", "--emit", &emit]);
    assert!(output.status.success(), "{}", errors(&output));
    let text = fs::read_to_string(file).expect("an assembly file");
    FUNCTIONS.map(|name| (name, body(&text, name))).into()
}

fn body(text: &str, name: &str) -> Vec<String> {
    let begins =
        |line: &&str| line.trim_end_matches(':').trim_start_matches('_') == name && line.ends_with(':');
    let lines = text.lines().skip_while(|line| !begins(line)).skip(1);
    let lines = lines.take_while(|line| !line.trim_start().starts_with(".cfi_endproc"));
    let code =
        lines.filter(|line| line.starts_with(['\t', ' ']) && !line.trim_start().starts_with(['.', '#']));
    let body: Vec<String> = code.map(normalised).collect();
    assert!(!body.is_empty(), "{name} is not in the assembly");
    body
}

/// `jne .LBB0_3` → `jne LABEL`; a mangled name carries the hash of its crate.
fn normalised(line: &str) -> String {
    let word = |word: &str| match word.trim_start_matches(['*', '$']) {
        local if local.starts_with(".L") => "LABEL".to_owned(),
        symbol if symbol.starts_with("_R") || symbol.starts_with("_ZN") => "SYMBOL".to_owned(),
        _ => word.to_owned(),
    };
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn off_is_gone_from_the_instructions() {
    let raw = instructions("raw", "lockdep_off");
    for (name, body) in &raw {
        println!("{name}: {} instructions", body.len());
    }
    assert_eq!(instructions("checked", "lockdep_off"), raw);
    assert_eq!(instructions("raw", "lockdep"), raw, "a raw lock knows nothing of checking");
    let on = instructions("checked", "lockdep");
    assert!(on.iter().zip(&raw).all(|(checked, raw)| checked != raw), "checking takes instructions");
}

/// A property of the types, on or off.
#[test]
fn a_recursive_lock_needs_a_recursive_class() {
    for cfg in ["lockdep", "lockdep_off"] {
        let undeclared = cargo("build", "undeclared", cfg, &[]);
        let errors = errors(&undeclared);
        let reason = "the class of a ReentrantMutex must be declared `recursive` in its lock_order!";
        assert!(!undeclared.status.success() && errors.contains(reason), "{errors}");
    }
}
