//! `analyze`: from what was typed to a report and an exit code.
//!
//! The steps in order; each is elsewhere. It knows what the steps say when they have nothing to work on.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

use lockdep_analyzer::facts::Facts;
use lockdep_analyzer::finding::{Level, Verdict};
use lockdep_analyzer::judge::{self, Judgement};
use lockdep_analyzer::model::Models;
use lockdep_analyzer::proof::Decision;
use lockdep_analyzer::witness::Witness;
use lockdep_analyzer::{AnalyzeError, Options, certificate_file, graph_file, render, witness_file};
use thiserror::Error;

use crate::args::{Analyze, Terminal};
use crate::cargo::{self, Artifact, CargoError, Project};
use crate::collect::{self, CollectError, Collected};
use crate::config::{self, ConfigError};
use crate::linked::Linked;
use crate::output::{self, OutputError};
use crate::packages::Package;
use crate::reading;
use crate::settings::{Settings, SettingsError};
use crate::shell::Shell;
use crate::verify::ReadError;

/// The compilers whose MIR the reader is tested with.
pub const TESTED: [&str; 2] = ["1.95", "1.97"];

/// The width of reports where no terminal has one.
const WIDTH: usize = 140;

/// Why there is no report.
#[derive(Debug, Error)]
pub enum Failure {
    /// The settings make no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Nothing was compiled, or nothing could be read of it.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// What the workspace says of its locks makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The table of known locks cannot be written.
    #[error("cannot write what is known of locks: {0}")]
    Models(#[from] lockdep_analyzer::model::WriteError),
    /// A text cannot be laid out.
    #[error("cannot lay out the report, the graph or the proof")]
    Render(#[from] std::fmt::Error),
    /// A file that was named cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The report cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// There are no locks.
    #[error(
        "nothing to prove: no lock is acquired in {packages}\n\
         Locks are those of std, of the crates that README.md lists, those declared with `lockdep::lock_order!`, and those \
         that `lockdep.toml` describes. To look at other packages, select them with `--package` or `--workspace`."
    )]
    NoLocks {
        /// What was looked at.
        packages: String,
    },
    /// There is no code that could have locks.
    #[error(
        "nothing to prove: no library, binary or other program of this workspace was selected\n\
         Procedural macros, build scripts and packages outside the workspace are not analyzed."
    )]
    NoCode,
}

impl From<CargoError> for Failure {
    fn from(error: CargoError) -> Failure {
        Failure::Collect(error.into())
    }
}

impl Failure {
    /// Whether cargo has said it already.
    pub fn is_said(&self) -> bool {
        matches!(self, Failure::Collect(CollectError::Cargo(CargoError::Failed)))
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::NoLocks { .. }
            | Failure::NoCode
            | Failure::Settings(_)
            | Failure::Config(_)
            | Failure::Read(_) => crate::USAGE,
            Failure::Collect(CollectError::Cargo(CargoError::Dependency(_))) => crate::USAGE,
            _ => crate::FAILED,
        }
    }
}

/// `cargo lockdep analyze`.
pub fn run(analyze: Box<Analyze>, terminal: &Terminal, shell: &Shell) -> Result<u8, Failure> {
    let settings = Settings::resolve(analyze, terminal)?;
    let project = cargo::project(&settings, shell)?;
    let (models, defaults) = config::read(settings.analyze.config.as_deref(), project.root())?;
    let settings = settings.with(&defaults);
    let models = if settings.analyze.refcell { models.with_refcells() } else { models };
    let collected = collect::collect(&settings, &project, shell)?;
    if collected.files.is_empty() {
        return Err(Failure::NoCode);
    }
    let directories = directories(&collected.artifacts);
    let begin = Instant::now();
    let judgement = judge(&settings, &project, &models, collected, shell)?;
    let seconds = begin.elapsed().as_secs_f64();
    write_proof(&settings, shell, &judgement)?;
    let sources = |file: &str| source(&project, &directories, file);
    let report = report(&settings, &sources, shell, &judgement)?;
    output::write(&report, settings.output())?;
    let peak = reading::peak().map_or(String::new(), |peak| format!(", {peak} MB of memory"));
    shell.verbose("Judged", format_args!("in {seconds:.3} s{peak}"));
    shell.status("Finished", &judgement.verdict);
    match judgement.verdict {
        Verdict::Undecided(_) if settings.analyze.allow_possible => Ok(0),
        verdict => Ok(verdict.exit_code()),
    }
}

fn judge(
    settings: &Settings,
    project: &Project,
    models: &Models,
    collected: Collected,
    shell: &Shell,
) -> Result<Judgement, Failure> {
    let packages = packages(&collected.artifacts);
    for (package, targets) in &packages {
        shell.status("Analyzing", format_args!("{package} ({})", targets.join(", ")));
    }
    let options = Options { callbacks: settings.analyze.callbacks, tiers: settings.analyze.tiers };
    let linked = Linked::new(settings, project, &collected, models, options);
    let graph = match linked.read() {
        Some(graph) => graph,
        None => {
            let count = collected.files.len();
            shell.status("Linking", format_args!("{count} facts file{}", if count == 1 { "" } else { "s" }));
            let facts = collected.facts()?;
            note_untested(&facts, shell);
            let graph =
                shell.while_busy("linking", || lockdep_analyzer::analyze_with(facts, models, options));
            let graph = graph.map_err(|AnalyzeError::NoLocks(_)| {
                let names: Vec<&str> = packages.iter().map(|(package, _)| package.as_str()).collect();
                Failure::NoLocks { packages: names.join(", ") }
            })?;
            linked.write(&graph);
            graph
        }
    };
    Ok(shell.while_busy("judging", || judge::judge(graph, settings.discipline)))
}

/// The files that `verify` and `replay` read, where they were asked for.
fn write_proof(settings: &Settings, shell: &Shell, judgement: &Judgement) -> Result<(), Failure> {
    let graph = &judgement.graph;
    if let Some(file) = &settings.analyze.graph {
        output::write(&graph_file::write(graph)?, Some(file))?;
    }
    if let Some(file) = &settings.analyze.witness {
        let found = judgement.findings.iter().filter(|finding| finding.level != Level::Note);
        let witnesses: Vec<&Witness> = found.filter_map(|finding| finding.witness.as_ref()).collect();
        match witnesses.is_empty() {
            true => {
                let file = file.display();
                shell.note(format_args!("there is no deadlock with a schedule, so `{file}` was not written"));
            }
            false => output::write(&witness_file::write(graph, witnesses)?, Some(file))?,
        }
    }
    let Some(file) = &settings.analyze.certificate else { return Ok(()) };
    match (&judgement.decision, &judgement.verdict) {
        (Decision::Proved(certificate), Verdict::Proved | Verdict::ProvedUnder(_)) => {
            output::write(&certificate_file::write(graph, certificate)?, Some(file))?;
        }
        _ => shell.note(format_args!("there is no proof, so `{}` was not written", file.display())),
    }
    Ok(())
}

fn report(
    settings: &Settings,
    sources: &dyn Fn(&str) -> Option<String>,
    shell: &Shell,
    judgement: &Judgement,
) -> Result<String, Failure> {
    let to_terminal = settings.output().is_none();
    let options = render::Options {
        sources,
        color: to_terminal && shell.colors_stdout(),
        width: if to_terminal { shell.width_stdout().unwrap_or(WIDTH) } else { WIDTH },
    };
    let mut text = String::new();
    render::render(judgement, &options, settings.format, &mut text)?;
    if !text.ends_with('\n') {
        text.write_char('\n')?;
    }
    Ok(text)
}

/// The directories of packages, by what their files are called in reports.
fn directories(artifacts: &[Artifact]) -> BTreeMap<String, PathBuf> {
    let named = |artifact: &Artifact| {
        let Package { name, version } = &artifact.package;
        (format!("{name}-{version}"), artifact.directory.clone())
    };
    artifacts.iter().map(named).collect()
}

/// The text of a source file by its name in reports.
fn source(project: &Project, directories: &BTreeMap<String, PathBuf>, file: &str) -> Option<String> {
    let outside = || {
        let (package, rest) = file.split_once('/')?;
        std::fs::read_to_string(directories.get(package)?.join(rest)).ok()
    };
    std::fs::read_to_string(project.root().join(file)).ok().or_else(outside)
}

/// Packages with their targets, in order.
fn packages(artifacts: &[Artifact]) -> Vec<(String, Vec<String>)> {
    let mut packages: Vec<(String, Vec<String>)> = Vec::new();
    for artifact in artifacts {
        let package = format!("{} v{}", artifact.package.name, artifact.package.version);
        let target = match artifact.kind.as_str() {
            "lib" if artifact.test => "lib test".to_owned(),
            "lib" => "lib".to_owned(),
            kind if artifact.test && kind != "test" => format!("{kind} {} test", artifact.target),
            kind => format!("{kind} {}", artifact.target),
        };
        match packages.last_mut() {
            Some((last, targets)) if *last == package => targets.push(target),
            _ => packages.push((package, vec![target])),
        }
    }
    packages
}

/// Says so if the compiler is one whose MIR this version has not been tested with.
fn note_untested(facts: &[Facts], shell: &Shell) {
    let untested = facts.iter().map(|facts| facts.header.rustc_release()).find(|release| {
        !TESTED.iter().any(|tested| release.strip_prefix(tested).is_some_and(|rest| rest.starts_with('.')))
    });
    if let Some(release) = untested {
        let unread: usize = facts.iter().map(|facts| facts.problems.len()).sum();
        let unread = match unread {
            0 => "everything was understood".to_owned(),
            1 => "1 thing was not understood and is listed".to_owned(),
            count => format!("{count} things were not understood and are listed"),
        };
        shell.note(format_args!("rustc {release} has not been tested with this version; {unread}"));
    }
}
