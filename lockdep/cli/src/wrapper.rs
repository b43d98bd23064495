//! In place of rustc: cargo calls this program for every compilation of a workspace member, and for questions.
//!
//! A compilation that is to be analyzed gets the options that make rustc write MIR beside what it does anyway; when
//! it has succeeded, the MIR is read (`reading.rs`), the facts are put beside the artifact and the MIR is removed.
//! Everything else is run as cargo asked. This is not the side that starts cargo (`cargo.rs`); the two share the names
//! below.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::{fs, io};

use lockdep_analyzer::facts::FactsError;
use lockdep_analyzer::mir::Stage;
use thiserror::Error;

use crate::reading::{self, Source};
use crate::unit::Unit;

/// Set while cargo runs for us, and only then: it turns this program into the wrapper. Its value is the root of the
/// workspace.
pub const VARIABLE: &str = "CARGO_LOCKDEP_WRAPPER";

/// The dependencies that are analyzed as members are, as `name@version` with blanks between.
pub const DEPENDENCIES: &str = "CARGO_LOCKDEP_DEPENDENCIES";

/// The text that is read, by its name on the command line.
pub const STAGE: &str = "CARGO_LOCKDEP_MIR";

/// Set if it is to be said how much was read: the file to add that to. What went to the standard error would be repeated
/// by cargo whenever it finds the unit fresh, to those as well who did not ask.
pub const VERBOSE: &str = "CARGO_LOCKDEP_VERBOSE";

/// The options that the reader depends on, in what is dumped and in what is printed.
pub const FLAGS: [&str; 4] = [
    "-Zmir-include-spans=on",
    "-Ztrim-diagnostic-paths=no",
    "-Zspan-free-formats",
    "-Zdump-mir-exclude-alloc-bytes",
];

/// What makes rustc dump the `analysis` stage, where every move is still a move and no drop has been elaborated. The
/// number of the pass would only make names of files longer, of which there is no room for all.
pub const DUMP: [&str; 2] = ["-Zdump-mir=analysis", "-Zdump-mir-exclude-pass-number"];

/// What makes rustc print all of a crate instead of compiling it. Inlined calls would be no calls.
pub const PRINT: [&str; 3] = ["-Zunpretty=mir", "-Zmir-opt-level=0", "-Copt-level=0"];

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
    /// The error of an action on a file.
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WrapperError {
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
    let stage = std::env::var(STAGE).ok().and_then(|name| reading::stage(&name)).unwrap_or_default();
    match Unit::parse(&arguments) {
        Some(unit) if unit.is_analyzed() && (is_selected() || stage == Stage::Emitted) => {
            compile(&Compiler { rustc: &rustc, arguments: &arguments, unit: &unit, stage })
        }
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

/// A compilation of a unit.
struct Compiler<'c> {
    rustc: &'c OsStr,
    arguments: &'c [OsString],
    unit: &'c Unit,
    stage: Stage,
}

impl Compiler<'_> {
    /// The compilation that cargo wants, to be completed.
    fn command(&self) -> Command {
        let mut command = Command::new(self.rustc);
        // A crate that denies warnings must not fail for those of a compiler newer than it.
        command.args(Unit::without_incremental(self.arguments)).arg("--cap-lints=warn");
        command
    }

    /// The same command with unstable options: for this crate and no other, and not for what cargo runs next.
    fn allow<'m>(&self, command: &'m mut Command) -> &'m mut Command {
        command.args(FLAGS).env("RUSTC_BOOTSTRAP", &self.unit.crate_name)
    }

    /// Has rustc print the crate's MIR. What it says has been said before.
    fn print(&self, to: &Path) -> Result<bool, WrapperError> {
        let mut command = Command::new(self.rustc);
        command
            .args(Unit::without_outputs(self.arguments))
            .args(["--cap-lints=allow", "-o"])
            .arg(to)
            .args(PRINT);
        Ok(start(self.allow(&mut command).stderr(Stdio::null()))?.success())
    }
}

fn compile(compiler: &Compiler<'_>) -> Result<ExitCode, WrapperError> {
    let facts = compiler.unit.facts_file();
    let (dump, text) = (compiler.unit.aside("lockdep-mir"), compiler.unit.aside("mir"));
    // Facts of an earlier compilation must not outlive a later one that fails.
    remove(&facts, fs::remove_file(&facts))?;
    remove(&dump, fs::remove_dir_all(&dump))?;

    let mut command = compiler.command();
    match compiler.stage {
        Stage::Analysis => {
            fs::create_dir_all(&dump).map_err(WrapperError::file("create", &dump))?;
            let mut directory = OsString::from("-Zdump-mir-dir=");
            directory.push(&dump);
            compiler.allow(command.args(DUMP).arg(directory));
        }
        Stage::Unoptimized => {}
        Stage::Emitted => {
            let mut emit = OsString::from("--emit=mir=");
            emit.push(&text);
            command.arg(emit).arg("-Copt-level=0");
        }
    }
    let status = start(&mut command);
    let written = match &status {
        Ok(status) if status.success() && is_selected() => read(compiler, &dump, &text, &facts),
        _ => Ok(()),
    };
    remove(&dump, fs::remove_dir_all(&dump))?;
    remove(&text, fs::remove_file(&text))?;
    written?;
    Ok(code(status?))
}

fn read(compiler: &Compiler<'_>, dump: &Path, text: &Path, facts: &Path) -> Result<(), WrapperError> {
    let print = || compiler.print(text).map(|printed| printed.then(|| text.to_owned()));
    let source = match compiler.stage {
        Stage::Analysis => Source::Dump(dump),
        Stage::Unoptimized => {
            print()?;
            Source::Text(text)
        }
        Stage::Emitted => Source::Text(text),
    };
    let version = Command::new(compiler.rustc)
        .arg("-vV")
        .env_remove(VARIABLE)
        .output()
        .map_err(|error| WrapperError::Start { program: compiler.rustc.to_owned(), error })?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let bytes = reading::facts(compiler.unit, compiler.stage, version, &source, &print)?;
    // Written aside and renamed, so that nobody ever sees half a file.
    let aside = facts.with_extension(format!("lockdep-{}", std::process::id()));
    fs::write(&aside, bytes).map_err(WrapperError::file("write", &aside))?;
    fs::rename(&aside, facts).map_err(WrapperError::file("write", facts))
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
