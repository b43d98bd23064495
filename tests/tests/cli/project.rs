//! Small projects on disk, and the command run in them.
//!
//! A project lies at a fixed place below the target directory and is written anew by each test; artifacts are shared,
//! so that dependencies are compiled once. It is not a fixture of the analyzer: what the findings look like is tested
//! there.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lockdep_tests::analysis::{cargo_lockdep, root};

/// Two locks, taken in the declared order.
pub const PROVED: &str = r"
use lockdep::{Owner, lock_order, lock_owner, mm_locks};

lock_order! {
    /// Pieces.
    pub order Board {
        /// The squares of pawns.
        pawn = 8;
        /// The squares of rooks.
        rook = 16;
    }
}

type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;

/// A player.
#[lock_owner]
#[mm_locks]
pub struct Player {
    #[owner]
    owner: Owner,
    #[mm_lock(order = pawn)]
    pawn: Mutex<u64>,
    #[mm_lock(order = rook)]
    rook: Mutex<u64>,
}

impl Player {
    /// Takes both.
    pub fn castle(&self) -> u64 {
        let pawn = self.pawn.lock();
        *pawn + *self.rook.lock()
    }
}
";

/// The same, and the other way around.
pub fn refuted() -> String {
    let back =
        "impl Player { pub fn promote(&self) -> u64 { let r = self.rook.lock(); *r + *self.pawn.lock() } }";
    format!("{PROVED}\n{back}\n")
}

/// What a run said.
#[derive(Debug)]
pub struct Run {
    /// The exit code.
    pub code: Option<i32>,
    /// The report.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            // That another cargo is at work on this machine is nothing the command says.
            stderr: String::from_utf8(output.stderr)
                .expect("UTF-8")
                .lines()
                .filter(|line| !line.contains("Blocking"))
                .flat_map(|line| [line, "\n"])
                .collect(),
        }
    }
}

/// The command, without what the environment of the tests could change about it.
pub fn lockdep(arguments: &[&str]) -> Command {
    let mut command = cargo_lockdep();
    for name in
        ["COLUMNS", "RUSTC", "RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_TARGET_DIR"]
    {
        command.env_remove(name);
    }
    for name in ["CARGO_TERM_COLOR", "CARGO_TERM_QUIET", "CARGO_TERM_VERBOSE", "CARGO_TERM_PROGRESS_WHEN"] {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(directory());
    command
}

/// Runs the command outside any project.
pub fn run(arguments: &[&str]) -> Run {
    lockdep(arguments).output().expect("the command starts").into()
}

fn directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli");
    fs::create_dir_all(&directory).expect("a writable target directory");
    directory
}

/// A project of one test.
#[derive(Debug)]
pub struct Project {
    directory: PathBuf,
}

impl Project {
    /// An empty directory.
    pub fn new(name: &str) -> Project {
        let directory = directory().join(name);
        if directory.exists() {
            fs::remove_dir_all(&directory).expect("a removable directory");
        }
        fs::create_dir_all(&directory).expect("a writable target directory");
        Project { directory }
    }

    /// A package of this name with `source` as its library. The versions are those of the workspace.
    pub fn library(name: &str, source: &str) -> Project {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
             [lints.rust]\nunexpected_cfgs = {{ level = \"allow\" }}\n\
             [dependencies]\n"
        );
        Project::new(name).file("Cargo.toml", &manifest).file("src/lib.rs", source)
    }

    /// The same, with the locks of `lockdep` at hand.
    pub fn with_locks(name: &str, source: &str) -> Project {
        let project = Project::library(name, source);
        let manifest = fs::read_to_string(project.path("Cargo.toml")).expect("just written");
        let lockdep = root().join("lockdep");
        let manifest = format!("{manifest}lockdep = {{ path = {lockdep:?} }}\n{}\n", spin());
        let versions = fs::read_to_string(root().join("Cargo.lock")).expect("the workspace has one");
        project.file("Cargo.toml", &manifest).file("Cargo.lock", &versions)
    }

    /// With this file.
    pub fn file(self, path: &str, text: &str) -> Project {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("below the project")).expect("a writable directory");
        fs::write(path, text).expect("a writable directory");
        self
    }

    /// A path in the project.
    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    /// `cargo lockdep analyze` with these arguments, ready to run.
    pub fn analysis(&self, arguments: &[&str]) -> Command {
        let mut command = lockdep(&["analyze", "--target-dir"]);
        command.arg(directory().join("target")).args(arguments).current_dir(&self.directory);
        command
    }

    /// Runs it.
    pub fn analyze(&self, arguments: &[&str]) -> Run {
        self.analysis(arguments).output().expect("the command starts").into()
    }

    /// Runs it with another compiler: a shell script with `body`, in which `rustc` is the real one.
    #[cfg(unix)]
    pub fn analyze_with_compiler(&self, body: &str) -> Run {
        use std::os::unix::fs::PermissionsExt;

        let sysroot =
            Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc starts").stdout;
        let sysroot = String::from_utf8(sysroot).expect("UTF-8");
        let script = self.path("compiler.sh");
        let text = format!("#!/bin/sh\nrustc='{}/bin/rustc'\n{body}\n", sysroot.trim());
        fs::write(&script, text).expect("a writable directory");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("our own file");
        self.analysis(&[]).env("RUSTC", script).output().expect("the command starts").into()
    }

    /// The facts files of crates of this name.
    pub fn facts(krate: &str) -> Vec<PathBuf> {
        Project::artifacts(|path| {
            let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
            path.extension().is_some_and(|is| is == "lockdep") && stem.starts_with(&format!("{krate}-"))
        })
    }

    /// The files among the artifacts of all projects that are wanted.
    pub fn artifacts(is_wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut directories = vec![directory().join("target/lockdep")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok) {
                let path = entry.path();
                if path.is_dir() {
                    directories.push(path);
                } else if is_wanted(&path) {
                    found.push(path);
                }
            }
        }
        found
    }
}

/// The line of the workspace's manifest about `spin`, so that the versions agree.
fn spin() -> String {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace has one");
    manifest.lines().find(|line| line.starts_with("spin = ")).expect("a dependency of ours").to_owned()
}
