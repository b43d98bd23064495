//! In place of rustc: cargo calls this program for every compilation of a workspace member, and for questions.
//!
//! A compilation that is to be analyzed gets the options that make rustc write MIR beside what it does anyway; when
//! it has succeeded, the MIR is read, the facts are put beside the artifact and the MIR is removed. Everything else
//! is run as cargo asked. This is not the side that starts cargo (`cargo.rs`); the two share the names below.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::{fs, io};

use lockdep_analyzer::facts::{FORMAT, Facts, FactsError, Header};
use thiserror::Error;

use crate::paths;
use crate::unit::Unit;

/// Set while cargo runs for us, and only then: it turns this program into the wrapper. Its value is the root of the
/// workspace.
pub const VARIABLE: &str = "CARGO_LOCKDEP_WRAPPER";

/// The dependencies that are analyzed as members are, as `name@version` with blanks between.
pub const DEPENDENCIES: &str = "CARGO_LOCKDEP_DEPENDENCIES";

/// The options that the reader depends on. The dump is taken at the `analysis` stage, where every move is still a
/// move and no drop has been elaborated.
pub const FLAGS: [&str; 5] = [
    "-Zdump-mir=analysis",
    "-Zmir-include-spans=on",
    "-Ztrim-diagnostic-paths=no",
    "-Zspan-free-formats",
    "-Zdump-mir-exclude-alloc-bytes",
];

/// The extension of facts files.
pub const EXTENSION: &str = "lockdep";

/// Why a compilation that succeeded yields no facts.
#[derive(Debug, Error)]
pub enum WrapperError {
    /// Cargo called us without a compiler.
    #[error("{VARIABLE} is set, but no compiler was named; it is not meant to be set by hand")]
    NoCompiler,
    /// The compiler cannot be started.
    #[error("cannot run `{}`: {error}", program.display())]
    Start {
        /// The compiler.
        program: OsString,
        /// What the system says.
        error: io::Error,
    },
    /// A file of ours cannot be read or written.
    #[error("cannot {action} `{}`: {error}", path.display())]
    File {
        /// `read`, `write`, … .
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The facts cannot be encoded.
    #[error("facts of `{krate}`: {error}")]
    Facts {
        /// The crate.
        krate: String,
        /// Why.
        error: FactsError,
    },
}

impl WrapperError {
    fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WrapperError {
        move |error| WrapperError::File { action, path: path.to_owned(), error }
    }
}

/// Does what cargo asks of rustc; `arguments` start with the compiler's path, and `name` is this program's own.
pub fn run(
    name: Option<OsString>,
    arguments: impl Iterator<Item = OsString>,
) -> Result<ExitCode, WrapperError> {
    // Cargo has two kinds of wrappers, and one calls the other where both are this program.
    let mut arguments = arguments.skip_while(|first| Some(first) == name.as_ref());
    let rustc = arguments.next().ok_or(WrapperError::NoCompiler)?;
    let arguments: Vec<OsString> = arguments.collect();
    match Unit::parse(&arguments) {
        Some(unit) if unit.is_analyzed() && is_selected() => compile(&rustc, &arguments, &unit),
        _ => Ok(code(start(Command::new(&rustc).args(&arguments))?)),
    }
}

/// Whether cargo compiles something that was selected, or a dependency that is treated alike.
fn is_selected() -> bool {
    let variable = |name: &str| std::env::var(name).ok();
    let is_included = || {
        let package = format!("{}@{}", variable("CARGO_PKG_NAME")?, variable("CARGO_PKG_VERSION")?);
        Some(variable(DEPENDENCIES)?.split(' ').any(|included| included == package))
    };
    std::env::var_os("CARGO_PRIMARY_PACKAGE").is_some() || is_included() == Some(true)
}

fn compile(rustc: &OsStr, arguments: &[OsString], unit: &Unit) -> Result<ExitCode, WrapperError> {
    let facts = unit.facts_file();
    let dump = facts.with_extension("lockdep-mir");
    // Facts of an earlier compilation must not outlive a later one that fails.
    remove(&facts, fs::remove_file(&facts))?;
    remove(&dump, fs::remove_dir_all(&dump))?;
    fs::create_dir_all(&dump).map_err(WrapperError::file("create", &dump))?;

    let mut directory = OsString::from("-Zdump-mir-dir=");
    directory.push(&dump);
    let status = start(
        Command::new(rustc)
            .args(Unit::without_incremental(arguments))
            // A crate that denies warnings must not fail for those of a compiler newer than it.
            .arg("--cap-lints=warn")
            .args(FLAGS)
            .arg(directory)
            // For this crate and no other, and not for what cargo runs next.
            .env("RUSTC_BOOTSTRAP", &unit.crate_name),
    );
    let written = match &status {
        Ok(status) if status.success() => extract(rustc, unit, &dump, &facts),
        _ => Ok(()),
    };
    remove(&dump, fs::remove_dir_all(&dump))?;
    written?;
    Ok(code(status?))
}

fn extract(rustc: &OsStr, unit: &Unit, dump: &Path, facts: &Path) -> Result<(), WrapperError> {
    let mut names = paths::Names::of_this_process(std::env::var_os(VARIABLE).map(PathBuf::from));
    let mut files = Vec::new();
    for entry in fs::read_dir(dump).map_err(WrapperError::file("read", dump))? {
        let path = entry.map_err(WrapperError::file("read", dump))?.path();
        let Some(name) = path.file_name().and_then(OsStr::to_str) else { continue };
        if lockdep_analyzer::mir::id_of_file(name).is_some() {
            let text = fs::read(&path).map_err(WrapperError::file("read", &path))?;
            files.push((name.to_owned(), names.shorten(String::from_utf8_lossy(&text))));
        }
    }
    files.sort_unstable();
    let read = Facts::from_dump(header(rustc, unit)?, &files, &|file| names.read(file));
    let bytes =
        read.encode().map_err(|error| WrapperError::Facts { krate: unit.crate_name.clone(), error })?;
    // Written aside and renamed, so that nobody ever sees half a file.
    let aside = facts.with_extension(format!("lockdep-{}", std::process::id()));
    fs::write(&aside, bytes).map_err(WrapperError::file("write", &aside))?;
    fs::rename(&aside, facts).map_err(WrapperError::file("write", facts))
}

fn header(rustc: &OsStr, unit: &Unit) -> Result<Header, WrapperError> {
    let version = Command::new(rustc)
        .arg("-vV")
        .env_remove(VARIABLE)
        .output()
        .map_err(|error| WrapperError::Start { program: rustc.to_owned(), error })?;
    let name = std::env::var("CARGO_PKG_NAME").ok();
    let number = std::env::var("CARGO_PKG_VERSION").ok();
    Ok(Header {
        format: FORMAT,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        rustc: String::from_utf8_lossy(&version.stdout).into_owned(),
        krate: unit.crate_name.clone(),
        package: name.zip(number).map(|(name, number)| format!("{name} {number}")),
        target_kind: unit.kind().to_owned(),
        test: unit.test,
        edition: unit.edition.clone(),
        flags: FLAGS.map(str::to_owned).to_vec(),
    })
}

fn start(command: &mut Command) -> Result<ExitStatus, WrapperError> {
    let program = command.get_program().to_owned();
    command.env_remove(VARIABLE).status().map_err(|error| WrapperError::Start { program, error })
}

fn remove(path: &Path, result: io::Result<()>) -> Result<(), WrapperError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(WrapperError::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// What cargo is told; a compiler killed by a signal has failed.
fn code(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::from(101), ExitCode::from)
}
