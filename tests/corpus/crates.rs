//! `crates.toml`: which crates, how they are built, and what is known to be wrong with them.
//!
//! It is what people wrote, checked where a slip would go unnoticed. It starts nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;

use crate::finding::{Finding, Step};
use crate::scratch::Failure;

/// One version of a crate.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Crate {
    /// On crates.io.
    pub name: String,
    /// Exactly.
    pub version: String,
    /// Beside the default ones.
    #[serde(default)]
    pub features: Vec<String>,
    /// Whether there are default ones.
    #[serde(default = "yes")]
    pub default_features: bool,
    /// Dependencies that are read, too, at exactly this version.
    #[serde(default)]
    pub also: BTreeMap<String, String>,
    /// Dependencies that have to be of this version, and are not read.
    #[serde(default)]
    pub pinned: BTreeMap<String, String>,
    /// Whether code of the caller that runs under a lock is looked for.
    #[serde(default)]
    pub callbacks: bool,
    /// What is known to be wrong.
    #[serde(default, rename = "bug")]
    pub bugs: Vec<Bug>,
}

/// A deadlock that its authors, or whoever met it, know of.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Bug {
    /// Who waits for what.
    pub what: String,
    /// Places that the chains of one finding all go through: `src/file.rs:10` or `src/file.rs:10-20`.
    pub through: Vec<Place>,
    /// The version without it.
    pub fixed: Option<String>,
    /// Places in that version that a finding would go through if it were there; said where the functions of `through` do
    /// not tell.
    #[serde(default)]
    pub gone: Vec<Place>,
    /// Why it is not found: the precision that it would take.
    pub missed: Option<String>,
}

/// Lines of a file of the crate.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Place {
    file: String,
    first: u64,
    last: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "crate")]
    crates: Vec<Crate>,
}

const fn yes() -> bool {
    true
}

impl fmt::Display for Crate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Place, String> {
        let place = || {
            let (file, lines) = text.rsplit_once(':')?;
            let (first, last) = lines.split_once('-').unwrap_or((lines, lines));
            Some(Place { file: file.to_owned(), first: first.parse().ok()?, last: last.parse().ok()? })
        };
        place().ok_or_else(|| format!("`{text}` is no place: FILE:LINE or FILE:FIRST-LAST"))
    }
}

impl Place {
    fn is_at(&self, step: &Step) -> bool {
        step.file == self.file && (self.first..=self.last).contains(&step.line)
    }
}

impl Bug {
    /// The finding that is this bug.
    pub fn finding<'a>(&self, findings: &'a [Finding]) -> Option<&'a Finding> {
        let goes_through =
            |finding: &Finding, place: &Place| finding.steps.iter().any(|step| place.is_at(step));
        findings.iter().find(|finding| self.through.iter().all(|place| goes_through(finding, place)))
    }

    /// Whether `finding`, which is this bug, is among those of the other version: lines are others there, but the
    /// functions are called alike.
    pub fn is_still_in(&self, findings: &[Finding], finding: &Finding) -> bool {
        if !self.gone.is_empty() {
            let mut steps = findings.iter().flat_map(|other| &other.steps);
            return steps.any(|step| self.gone.iter().any(|place| place.is_at(step)));
        }
        let steps = finding.steps.iter().filter(|step| self.through.iter().any(|place| place.is_at(step)));
        let functions: BTreeSet<&str> = steps.map(|step| step.function.as_str()).collect();
        findings.iter().any(|other| other.is_of(finding, &functions))
    }
}

/// The crates called `wanted`, as `NAME` or `NAME@VERSION`, and all if none is.
pub fn selected(wanted: &[String]) -> Result<Vec<Crate>, Failure> {
    let File { mut crates } =
        toml::from_str(include_str!("crates.toml")).map_err(|error| Failure::Crates(error.to_string()))?;
    let is_called = |krate: &Crate, name: &str| {
        name == krate.name || name.split_once('@') == Some((krate.name.as_str(), krate.version.as_str()))
    };
    for krate in &crates {
        let fixed = krate.bugs.iter().filter_map(|bug| bug.fixed.as_deref());
        for fixed in fixed {
            if !crates.iter().any(|other| other.name == krate.name && other.version == fixed) {
                return Err(Failure::Crates(format!("{krate} is fixed in {fixed}, which is not there")));
            }
        }
    }
    if let Some(unknown) = wanted.iter().find(|name| !crates.iter().any(|krate| is_called(krate, name))) {
        return Err(Failure::Crates(format!("no crate is called `{unknown}`")));
    }
    crates.retain(|krate| wanted.is_empty() || wanted.iter().any(|name| is_called(krate, name)));
    Ok(crates)
}
