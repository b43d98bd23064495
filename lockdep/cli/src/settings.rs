//! Settings: the command line and the environment, resolved and checked.
//!
//! The environment is read here and nowhere else, but for the variables that `cargo.rs` and `wrapper.rs` exchange.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ColorChoice;
use lockdep::order::Discipline;
use lockdep_analyzer::mir::Stage;
use lockdep_analyzer::model::Defaults;
use lockdep_analyzer::render::Format;
use thiserror::Error;

use crate::args::{Analyze, Terminal};
use crate::reading;
use crate::shell::Shell;

/// Why the settings make no sense.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The policy is none of ours.
    #[error("there is no policy `{0}`")]
    Discipline(String),
    /// The form of the report is none of ours.
    #[error("there is no format `{0}`")]
    Format(String),
    /// The executable cannot be found, which has to be handed to cargo.
    #[error("cannot find the path of this program: {0}")]
    OwnPath(std::io::Error),
    /// A relative path cannot be resolved.
    #[error("cannot find the current directory: {0}")]
    CurrentDirectory(std::io::Error),
}

/// What `analyze` is to do.
#[derive(Debug)]
pub struct Settings {
    /// This program, which cargo is to call in place of rustc.
    pub executable: PathBuf,
    /// The cargo that called us, else the one found by name.
    pub cargo: OsString,
    /// The compiler that cargo will use, unless its configuration files name another.
    pub rustc: OsString,
    /// What the user chose about compilation.
    pub analyze: Box<Analyze>,
    /// An absolute `--target-dir`.
    pub target_dir: Option<PathBuf>,
    /// The policy.
    pub discipline: &'static Discipline,
    /// The form of the report.
    pub format: Format,
    /// The text of the compiler that is read, if the compiler gives it.
    pub stage: Stage,
    /// Options of the terminal to be handed on to cargo.
    pub terminal: Vec<OsString>,
}

impl Settings {
    /// Resolves what was typed.
    pub fn resolve(analyze: Box<Analyze>, terminal: &Terminal) -> Result<Settings, SettingsError> {
        let discipline = analyze.discipline.as_deref().map(|name| {
            let known = Discipline::ALL.iter().find(|discipline| discipline.name == name);
            known.ok_or_else(|| SettingsError::Discipline(name.to_owned()))
        });
        let (_, format) = Format::ALL
            .into_iter()
            .find(|(name, _)| *name == analyze.format)
            .ok_or_else(|| SettingsError::Format(analyze.format.clone()))?;
        let target_dir = analyze
            .compilation
            .target_dir
            .as_deref()
            .map(|directory| std::path::absolute(directory).map_err(SettingsError::CurrentDirectory))
            .transpose()?;
        Ok(Settings {
            executable: std::env::current_exe().map_err(SettingsError::OwnPath)?,
            cargo: variable("CARGO").unwrap_or_else(|| "cargo".into()),
            rustc: variable("RUSTC")
                .or_else(|| variable("CARGO_BUILD_RUSTC"))
                .unwrap_or_else(|| "rustc".into()),
            stage: reading::stage(&analyze.compilation.mir).unwrap_or_default(),
            discipline: discipline.transpose()?.unwrap_or(&Discipline::HIERARCHY),
            format,
            target_dir,
            terminal: terminal_options(terminal),
            analyze,
        })
    }

    /// The same with what the workspace takes where nothing else was typed.
    pub fn with(mut self, defaults: &Defaults) -> Settings {
        if let (None, Some(discipline)) = (&self.analyze.discipline, defaults.discipline) {
            self.discipline = discipline;
        }
        self.analyze.include_dep.extend_from_slice(&defaults.include_dep);
        self.analyze.allow_possible |= defaults.allow_possible;
        self.analyze.refcell |= defaults.refcell;
        self.analyze.tiers = self.analyze.tiers.or(defaults.tiers);
        self
    }

    /// Where the report goes, if not to the standard output.
    pub fn output(&self) -> Option<&Path> {
        self.analyze.output.as_deref()
    }
}

/// The shell that the options and cargo's own variables ask for; options win.
pub fn shell(terminal: &Terminal) -> Shell {
    let wants = |name: &str| variable(name).is_some_and(|value| value == "true" || value == "1");
    let color = terminal.color.or_else(|| match variable("CARGO_TERM_COLOR")?.to_str()? {
        "always" => Some(ColorChoice::Always),
        "never" => Some(ColorChoice::Never),
        _ => None,
    });
    let verbose = terminal.verbose > 0 || (!terminal.quiet && wants("CARGO_TERM_VERBOSE"));
    let quiet = terminal.quiet || (!verbose && wants("CARGO_TERM_QUIET"));
    Shell::new(color.unwrap_or(ColorChoice::Auto), quiet, verbose)
}

fn terminal_options(terminal: &Terminal) -> Vec<OsString> {
    let mut options: Vec<OsString> = Vec::new();
    options.extend((0..terminal.verbose).map(|_| "--verbose".into()));
    options.extend(terminal.quiet.then(|| "--quiet".into()));
    if let Some(color) = terminal.color {
        options.extend(["--color".into(), color.to_string().into()]);
    }
    options
}

/// A variable that is set to something.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
