//! `verify`: checks a certificate file against a graph file. No compiler and no cargo is started.
//!
//! The check is the library's; this file reads the two files and words the outcome. It does not say that the graph is
//! that of a program: `analyze` does, which writes both.

use std::io;
use std::path::{Path, PathBuf};

use lockdep_analyzer::certificate_file::{self, Covered};
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
            let bound =
                tiers.map_or(String::new(), |tiers| format!(", with {tiers} tiers of domains at most"));
            let text =
                format!("verified: no circular wait among {nestings} nestings of {classes} classes{bound}\n");
            output::write(&text, None)?;
            Ok(0)
        }
        Err(error) => {
            shell.error(format_args!("not verified: {error}"));
            Ok(crate::REFUSED)
        }
    }
}

/// The text of a file that was named.
pub fn read(path: &Path) -> Result<String, ReadError> {
    std::fs::read_to_string(path).map_err(|error| ReadError { path: path.to_owned(), error })
}
