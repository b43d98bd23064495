//! Where reports go: the standard output, or the file that was named.
//!
//! A reader that has seen enough is no failure.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a report was not written.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The file cannot be written.
    #[error("cannot write to `{}`: {error}", path.display())]
    File {
        /// As it was named.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The standard output cannot be written.
    #[error("cannot write to the standard output: {0}")]
    Stdout(io::Error),
}

/// Writes `text` to the file, if one was named, else to the standard output.
pub fn write(text: &str, file: Option<&Path>) -> Result<(), OutputError> {
    match file {
        Some(path) => {
            std::fs::write(path, text).map_err(|error| OutputError::File { path: path.to_owned(), error })
        }
        None => {
            let mut stdout = io::stdout().lock();
            match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(OutputError::Stdout(error)),
                _ => Ok(()),
            }
        }
    }
}
