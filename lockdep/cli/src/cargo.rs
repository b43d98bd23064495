//! The user's cargo and compiler, as processes: what they are asked, and what they answer.
//!
//! This is the side that starts cargo; `wrapper.rs` is what cargo then starts, and no other file starts a process.
//! Cargo's own messages go where cargo sends them: they are never rephrased, and where cargo has said why it failed,
//! nothing is added.

use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Output, Stdio};
use std::thread::ScopedJoinHandle;

use cargo_metadata::{Message, Metadata, MetadataCommand, TargetKind};
use lockdep_analyzer::facts::FORMAT;
use lockdep_analyzer::mir::Stage;
use thiserror::Error;

use crate::packages::{Package, Tree, UnknownDependency};
use crate::reading;
use crate::settings::Settings;
use crate::shell::Shell;
use crate::wrapper::{DEPENDENCIES, DUMP, EXTENSION, FLAGS, PRINT, STAGE, VARIABLE, VERBOSE};

/// Why cargo or the compiler did not do what was asked.
#[derive(Debug, Error)]
pub enum CargoError {
    /// The directory of artifacts cannot be locked.
    #[error("cannot lock `{}`: {error}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Cargo failed, and has said why.
    #[error("cargo failed")]
    Failed,
    /// A program cannot be started.
    #[error("cannot run `{}`: {error}", program.display())]
    Start {
        /// The program.
        program: OsString,
        /// What the system says.
        error: std::io::Error,
    },
    /// Cargo's answer is not what was asked for.
    #[error("cannot understand what cargo says of the workspace: {0}")]
    Answer(String),
    /// A dependency that is to be included is none.
    #[error(transparent)]
    Dependency(#[from] UnknownDependency),
    /// A file that is to be made again cannot be removed.
    #[error("cannot remove `{}`: {error}", path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}

/// A workspace that can be checked.
#[derive(Debug)]
pub struct Project {
    metadata: Metadata,
    target_dir: PathBuf,
    stage: Stage,
}

impl Project {
    /// The directory to which the paths in facts are relative.
    pub fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    /// The directory of artifacts that no other version, compiler or set of options shares.
    pub fn target_dir(&self) -> &Path {
        &self.target_dir
    }

    /// Keeps other runs out of the directory of artifacts until the file is dropped: one that makes facts anew
    /// removes artifacts that another has just been told of.
    pub fn lock(&self, shell: &Shell) -> Result<File, CargoError> {
        let path = self.target_dir.join(".lockdep-lock");
        let failed = |error| CargoError::Lock { path: path.clone(), error };
        std::fs::create_dir_all(&self.target_dir).map_err(failed)?;
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                shell.status("Blocking", "waiting for another `cargo lockdep` on the same directory");
                file.lock().map_err(failed)?;
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        Ok(file)
    }
}

/// One compilation that cargo made or found fresh.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Artifact {
    /// The package.
    pub package: Package,
    /// `lib`, `bin`, `test`, … .
    pub kind: String,
    /// Name of the target.
    pub target: String,
    /// Compiled with `cfg(test)`.
    pub test: bool,
    /// What the compiler wrote for other compilations.
    pub metadata: PathBuf,
    /// The directory of the package.
    pub directory: PathBuf,
}

impl Artifact {
    /// Where its facts are: beside it, and with its name.
    pub fn facts_file(&self) -> PathBuf {
        let stem = self.metadata.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        let name = stem.strip_prefix("lib").unwrap_or(stem);
        self.metadata.with_file_name(format!("{name}.{EXTENSION}"))
    }
}

/// Finds the workspace, and a directory for artifacts that no other version, compiler or set of options shares.
///
/// Neither a change of the wrapper nor of its environment makes cargo compile anything again, hence the directory.
pub fn project(settings: &Settings, shell: &Shell) -> Result<Project, CargoError> {
    let mut command = cargo(settings, "metadata");
    command.args(["--quiet", "--no-deps", "--format-version", "1"]);
    manifest(settings, &mut command);
    // Questions that do not wait for each other.
    let (answer, version, stage) = std::thread::scope(|scope| {
        let (version, stage) =
            (scope.spawn(|| ask(settings, &["-vV"])), scope.spawn(|| stage(settings, shell)));
        let answer = answer(command);
        (answer, joined(version), joined(stage))
    });
    let answer = String::from_utf8_lossy(&answer?).into_owned();
    let metadata = MetadataCommand::parse(answer).map_err(|error| CargoError::Answer(error.to_string()))?;
    let (version, stage) = (version?.stdout, stage?);
    let mut hasher = DefaultHasher::new();
    (env!("CARGO_PKG_VERSION"), FORMAT, FLAGS, DUMP, PRINT, reading::name(stage), version).hash(&mut hasher);
    let base = settings.target_dir.clone().unwrap_or_else(|| metadata.target_directory.clone().into());
    let target_dir = base.join("lockdep").join(format!("{:016x}", hasher.finish()));
    Ok(Project { metadata, target_dir, stage })
}

/// What a thread has found out.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A question to the compiler.
fn ask(settings: &Settings, arguments: &[&str]) -> Result<Output, CargoError> {
    let mut command = Command::new(&settings.rustc);
    let output = command.args(arguments).env("RUSTC_BOOTSTRAP", "1").output();
    output.map_err(|error| CargoError::Start { program: settings.rustc.clone(), error })
}

/// The text that can be had of the compiler.
fn stage(settings: &Settings, shell: &Shell) -> Result<Stage, CargoError> {
    if settings.stage == Stage::Emitted {
        return Ok(Stage::Emitted);
    }
    // A question that has the compiler parse its options, and costs nothing else.
    let question = ask(settings, &[&["--print", "host-tuple"], &FLAGS[..], &DUMP].concat())?;
    if question.status.success() {
        return Ok(settings.stage);
    }
    let said = String::from_utf8_lossy(&question.stderr);
    let reason = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    shell.note(format_args!(
        "this compiler refuses the options that make it write MIR at the stage wanted: {}\n\
         They are unstable, and enabled for one crate at a time with the variable RUSTC_BOOTSTRAP; this compiler is built \
         or configured to ignore it. What stable options print is read instead, without positions; \
         `cargo +nightly lockdep` needs no permission.",
        reason.trim_start_matches("error: ")
    ));
    Ok(Stage::Emitted)
}

/// Compiles what was selected, or finds it fresh. In no particular order.
pub fn check(settings: &Settings, project: &Project, shell: &Shell) -> Result<Vec<Artifact>, CargoError> {
    let tree = tree(settings, project)?;
    let included = tree.included(&settings.analyze.include_dep)?;
    let mut command = cargo(settings, "check");
    command.arg("--message-format=json-render-diagnostics").args(&settings.terminal);
    manifest(settings, &mut command);
    selection(settings, &mut command);
    compilation(settings, &mut command);
    // Members stay the compilations that they are without dependencies, as the wrapper of members is the same.
    let names: Vec<String> = included.iter().map(ToString::to_string).collect();
    wrapped(settings, project, &mut command)
        .env("CARGO_INCREMENTAL", "0")
        .env(DEPENDENCIES, names.join(" "))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command.env(STAGE, reading::name(project.stage));
    let readings = project.target_dir.join("readings");
    if settings.terminal.iter().any(|option| option == "--verbose") {
        command.env(VERBOSE, &readings);
    }
    let start = |error| CargoError::Start { program: settings.cargo.clone(), error };
    let mut child = command.spawn().map_err(start)?;
    let read = child.stdout.take().map_or(Ok(Vec::new()), |output| artifacts(output, shell));
    let status = child.wait().map_err(start)?;
    if let Ok(said) = std::fs::read_to_string(&readings) {
        said.lines().for_each(|reading| shell.verbose("Read", reading));
        std::fs::remove_file(&readings)
            .map_err(|error| CargoError::Remove { path: readings.clone(), error })?;
    }
    if !status.success() {
        return Err(CargoError::Failed);
    }
    let mut artifacts = read.map_err(|error| CargoError::Answer(error.to_string()))?;
    artifacts
        .retain(|artifact| tree.roots.contains(&artifact.package) || included.contains(&artifact.package));
    Ok(artifacts)
}

/// What cargo's messages say was compiled or found fresh.
fn artifacts(output: ChildStdout, shell: &Shell) -> std::io::Result<Vec<Artifact>> {
    let mut artifacts = Vec::new();
    for message in Message::parse_stream(BufReader::new(output)) {
        match message? {
            Message::CompilerArtifact(artifact) => artifacts.extend(known(artifact)),
            // What a procedural macro prints; the standard output is the report's.
            Message::TextLine(line) => shell.text(line),
            _ => {}
        }
    }
    Ok(artifacts)
}

/// Makes cargo compile these again, which it does where an artifact is gone.
pub fn invalidate(artifacts: &[Artifact]) -> Result<(), CargoError> {
    for artifact in artifacts {
        let path = &artifact.metadata;
        std::fs::remove_file(path).map_err(|error| CargoError::Remove { path: path.clone(), error })?;
    }
    Ok(())
}

/// An artifact that can be part of the program. What runs inside the build is not, and neither is what was compiled for
/// it: that has code, where everything else is only checked.
fn known(artifact: cargo_metadata::Artifact) -> Option<Artifact> {
    let kind = artifact.target.kind.first()?;
    if matches!(kind, TargetKind::ProcMacro | TargetKind::CustomBuild) {
        return None;
    }
    let [metadata] = artifact.filenames.as_slice() else { return None };
    (metadata.extension() == Some("rmeta")).then_some(())?;
    Some(Artifact {
        package: Package::of_id(&artifact.package_id)?,
        kind: kind.to_string(),
        target: artifact.target.name,
        test: artifact.profile.test,
        metadata: metadata.clone().into(),
        directory: artifact.manifest_path.parent()?.into(),
    })
}

/// The packages that the options select, by cargo's rules: it says so with the workspace where all or none are named,
/// and else prints them as the roots of its tree. Cargo's messages do not say it, as they come for dependencies, too. The
/// tree goes deeper where dependencies are wanted.
fn tree(settings: &Settings, project: &Project) -> Result<Tree, CargoError> {
    let (analyze, metadata) = (&settings.analyze, &project.metadata);
    let names = &analyze.packages;
    let unnamed = names.package.is_empty() && names.exclude.is_empty() && analyze.include_dep.is_empty();
    let all = names.workspace || names.all;
    if unnamed && (all || metadata.workspace_default_members.is_available()) {
        let members = if all { metadata.workspace_packages() } else { metadata.workspace_default_packages() };
        return Ok(Tree { roots: members.into_iter().map(Package::of).collect(), ..Tree::default() });
    }
    let with_dev = analyze.targets.need_dev_dependencies();
    let mut command = cargo(settings, "tree");
    command.args(["--quiet", "--prefix", "depth", "--format", "{p}"]);
    if analyze.include_dep.is_empty() {
        command.args(["--edges", "normal", "--depth", "0"]);
    } else {
        command.args(["--edges", if with_dev { "normal,dev,no-proc-macro" } else { "normal,no-proc-macro" }]);
        features(settings, &mut command);
        option(&mut command, "--target", analyze.compilation.target.as_deref());
    }
    manifest(settings, &mut command);
    packages(settings, &mut command);
    wrapped(settings, project, &mut command);
    Ok(Tree::read(&String::from_utf8_lossy(&answer(command)?)))
}

fn cargo(settings: &Settings, subcommand: &str) -> Command {
    let mut command = Command::new(&settings.cargo);
    // Configured wrappers are disabled: a compiler cache, say, would answer without running the compiler.
    command.arg(subcommand).env("RUSTC_WRAPPER", "").env("RUSTC_WORKSPACE_WRAPPER", "");
    command
}

/// Puts this program in the compiler's place, and keeps what cargo writes out of the way of the user's own builds. Cargo
/// remembers what a compiler answers, but only if it has the same wrappers each time, and no empty one.
fn wrapped<'c>(settings: &Settings, project: &Project, command: &'c mut Command) -> &'c mut Command {
    command
        .env("CARGO_TARGET_DIR", &project.target_dir)
        .env("CARGO_BUILD_BUILD_DIR", &project.target_dir)
        .env("RUSTC_WRAPPER", &settings.executable)
        .env("RUSTC_WORKSPACE_WRAPPER", &settings.executable)
        .env(VARIABLE, project.root())
}

/// The standard output of a command whose complaints are for the user.
fn answer(mut command: Command) -> Result<Vec<u8>, CargoError> {
    let program = command.get_program().to_owned();
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| CargoError::Start { program, error })?;
    if output.status.success() { Ok(output.stdout) } else { Err(CargoError::Failed) }
}

fn manifest(settings: &Settings, command: &mut Command) {
    let analyze = &settings.analyze;
    option(command, "--manifest-path", analyze.manifest.manifest_path.as_deref());
    flag(command, "--locked", analyze.resolution.locked);
    flag(command, "--offline", analyze.resolution.offline);
    flag(command, "--frozen", analyze.resolution.frozen);
}

fn packages(settings: &Settings, command: &mut Command) {
    let packages = &settings.analyze.packages;
    flag(command, "--workspace", packages.workspace || packages.all);
    packages.package.iter().for_each(|spec| option(command, "--package", Some(spec)));
    packages.exclude.iter().for_each(|spec| option(command, "--exclude", Some(spec)));
}

fn selection(settings: &Settings, command: &mut Command) {
    packages(settings, command);
    let targets = &settings.analyze.targets;
    for (name, given) in [
        ("--lib", targets.lib),
        ("--bins", targets.bins),
        ("--examples", targets.examples),
        ("--tests", targets.tests),
        ("--benches", targets.benches),
        ("--all-targets", targets.all_targets),
    ] {
        flag(command, name, given);
    }
    for (name, targets) in [
        ("--bin", &targets.bin),
        ("--example", &targets.example),
        ("--test", &targets.test),
        ("--bench", &targets.bench),
    ] {
        targets.iter().for_each(|target| option(command, name, Some(target)));
    }
    features(settings, command);
}

fn features(settings: &Settings, command: &mut Command) {
    let features = &settings.analyze.features;
    flag(command, "--all-features", features.all_features);
    flag(command, "--no-default-features", features.no_default_features);
    features.features.iter().for_each(|feature| option(command, "--features", Some(feature)));
}

fn compilation(settings: &Settings, command: &mut Command) {
    let compilation = &settings.analyze.compilation;
    flag(command, "--release", compilation.release);
    option(command, "--profile", compilation.profile.as_deref());
    option(command, "--target", compilation.target.as_deref());
    option(command, "--jobs", compilation.jobs.as_deref());
}

fn flag(command: &mut Command, name: &str, given: bool) {
    if given {
        command.arg(name);
    }
}

fn option(command: &mut Command, name: &str, value: Option<impl AsRef<OsStr>>) {
    if let Some(value) = value {
        command.arg(name).arg(value);
    }
}
