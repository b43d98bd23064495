//! The facts files of everything that was selected, made anew where there are none that can be used.
//!
//! A unit that cargo finds fresh is not read again: its facts lie beside its artifact. They are used unless they are
//! damaged, of another format, or older than this program, as what reads MIR may have changed since; or older than the
//! artifact, which was then made anew when nobody asked for its facts.

use std::time::SystemTime;

use lockdep_analyzer::facts::{Facts, FactsError};
use thiserror::Error;

use crate::cargo::{self, Artifact, CargoError, Project};
use crate::settings::Settings;
use crate::shell::Shell;

/// Why there are no facts.
#[derive(Debug, Error)]
pub enum CollectError {
    /// Cargo or the compiler did not do what was asked.
    #[error(transparent)]
    Cargo(#[from] CargoError),
    /// The compiler ran and there are still no facts.
    #[error(
        "no facts of {} `{}` of {}, although it was just compiled: {reason}\n\
         expected in `{}`",
        artifact.kind, artifact.target, artifact.package.name, artifact.facts_file().display()
    )]
    Missing {
        /// What was compiled.
        artifact: Box<Artifact>,
        /// Why its facts cannot be used.
        reason: Unusable,
    },
    /// A file is whole and makes no sense.
    #[error(
        "the facts of {} `{}` of {} cannot be used: {reason}\n\
         they are in `{}`",
        artifact.kind, artifact.target, artifact.package.name, artifact.facts_file().display()
    )]
    Refused {
        /// What was compiled.
        artifact: Box<Artifact>,
        /// Why its facts make no sense.
        reason: FactsError,
    },
}

/// Why a facts file cannot be used.
#[derive(Debug, Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It holds no facts.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// It was written before this program was built.
    #[error("older than this program")]
    Old,
    /// The unit was compiled since, as a dependency that was not looked at.
    #[error("older than the artifact")]
    Stale,
}

/// The artifacts that were looked at, in order, and the facts file of each.
#[derive(Debug, Default)]
pub struct Collected {
    /// What was compiled.
    pub artifacts: Vec<Artifact>,
    /// What was read of it: files that are whole.
    pub files: Vec<Vec<u8>>,
}

impl Collected {
    /// The facts in the files.
    pub fn facts(self) -> Result<Vec<Facts>, CollectError> {
        let files = self.artifacts.into_iter().zip(self.files);
        files
            .map(|(artifact, file)| {
                let refused = |reason| CollectError::Refused { artifact: Box::new(artifact), reason };
                Facts::decode(&file).map_err(refused)
            })
            .collect()
    }
}

/// Has cargo compile what was selected, and reads the facts.
pub fn collect(settings: &Settings, project: &Project, shell: &Shell) -> Result<Collected, CollectError> {
    let _alone = project.lock(shell)?;
    let built = std::fs::metadata(&settings.executable).and_then(|metadata| metadata.modified()).ok();
    let (collected, unusable) = read(cargo::check(settings, project, shell)?, built);
    if unusable.is_empty() {
        return Ok(collected);
    }
    for (artifact, reason) in &unusable {
        shell.verbose("Refreshing", format_args!("facts of {} {}: {reason}", artifact.kind, artifact.target));
    }
    let artifacts: Vec<Artifact> = unusable.into_iter().map(|(artifact, _)| artifact).collect();
    cargo::invalidate(&artifacts)?;
    // Made a moment ago, these are not old whatever the clocks say.
    let (collected, unusable) = read(cargo::check(settings, project, shell)?, None);
    match unusable.into_iter().next() {
        None => Ok(collected),
        Some((artifact, reason)) => Err(CollectError::Missing { artifact: Box::new(artifact), reason }),
    }
}

fn read(mut artifacts: Vec<Artifact>, built: Option<SystemTime>) -> (Collected, Vec<(Artifact, Unusable)>) {
    // Libraries before what uses them; the rest is alphabetical.
    artifacts.sort_by(|a, b| {
        let key = |artifact: &Artifact| (artifact.package.clone(), artifact.kind != "lib");
        key(a).cmp(&key(b)).then_with(|| a.cmp(b))
    });
    let mut collected = Collected::default();
    let mut unusable = Vec::new();
    for artifact in artifacts {
        match load(&artifact, built) {
            Ok(file) => {
                collected.artifacts.push(artifact);
                collected.files.push(file);
            }
            Err(reason) => unusable.push((artifact, reason)),
        }
    }
    (collected, unusable)
}

fn load(artifact: &Artifact, built: Option<SystemTime>) -> Result<Vec<u8>, Unusable> {
    let path = artifact.facts_file();
    let written = std::fs::metadata(&path)?.modified()?;
    if built.is_some_and(|built| written < built) {
        return Err(Unusable::Old);
    }
    if written < std::fs::metadata(&artifact.metadata)?.modified()? {
        return Err(Unusable::Stale);
    }
    let file = std::fs::read(path)?;
    Facts::check(&file)?;
    Ok(file)
}
