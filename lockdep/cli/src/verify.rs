//! `verify`: checks a certificate file against a graph file. No compiler and no cargo is started.
//!
//! The check is the library's; this file reads the two files and words the outcome. It does not say that the graph is
//! that of a program: `analyze` does, which writes both.

use std::io;
use std::path::{Path, PathBuf};

use lockdep_analyzer::certificate_file::{self, Covered};
use lockdep_analyzer::{brute_force, graph_file};
use thiserror::Error;

use crate::analyze::Failure;
use crate::args::Verify;
use crate::output;
use crate::shell::Shell;

/// A file cannot be read.
#[derive(Debug, Error)]
#[error("cannot read `{}`: {error}", path.display())]
pub struct ReadError {
    path: PathBuf,
    error: io::Error,
}

/// `cargo lockdep verify CERTIFICATE GRAPH`.
pub fn verify(verify: &Verify, shell: &Shell) -> Result<u8, Failure> {
    let (certificate, graph) = (read(&verify.certificate)?, read(&verify.graph)?);
    match certificate_file::verify(&certificate, &graph) {
        Ok(Covered { classes, nestings, tiers }) => {
            let searched = match verify.domains.map(|domains| search(&graph, domains.into())).transpose() {
                Ok(searched) => searched.unwrap_or_default(),
                Err(refusal) => {
                    shell.error(format_args!("not verified: {refusal}"));
                    return Ok(crate::REFUSED);
                }
            };
            let bound =
                tiers.map_or(String::new(), |tiers| format!(", with {tiers} tiers of domains at most"));
            let text =
                format!("verified: no circular wait among {nestings} nestings of {classes} classes{bound}\n");
            output::write(&(text + &searched), None)?;
            Ok(0)
        }
        Err(error) => {
            shell.error(format_args!("not verified: {error}"));
            Ok(crate::REFUSED)
        }
    }
}

/// What a search among explicit locks comes to: a line about it, or what it found.
fn search(graph: &str, domains: usize) -> Result<String, String> {
    let graph = graph_file::read(graph).map_err(|error| error.to_string())?;
    if graph.nestings.values().any(|evidence| !evidence.gates.is_empty()) {
        return Ok("not searched: the graph has gates, which the search does not know\n".to_owned());
    }
    match brute_force::search(&graph, domains) {
        Ok(hierarchies) => {
            Ok(format!("searched: none in {hierarchies} hierarchies of up to {domains} domains\n"))
        }
        Err(cpus) => {
            Err(format!("{cpus} CPUs wait for each other in a hierarchy of up to {domains} domains"))
        }
    }
}

/// The text of a file that was named.
pub fn read(path: &Path) -> Result<String, ReadError> {
    std::fs::read_to_string(path).map_err(|error| ReadError { path: path.to_owned(), error })
}
