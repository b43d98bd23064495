//! `lockdep.toml`: what a workspace says of its own locks, and its defaults for options.
//!
//! It lies at the root of the workspace, or where `--config` says. This file finds and reads it; what is in it is the
//! analyzer's to understand.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use lockdep_analyzer::model::{Defaults, Models};
use lockdep_analyzer::render;
use thiserror::Error;

/// The name of the file at the root of a workspace.
const NAME: &str = "lockdep.toml";

/// Why what a workspace says cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {error}", path.display())]
    Read {
        /// As it was named.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It says what makes no sense, as a text with its place.
    #[error("{0}")]
    Wrong(String),
}

/// What the file that was named says, else the one in `root`, if there is one.
pub fn read(named: Option<&Path>, root: &Path) -> Result<(Models, Defaults), ConfigError> {
    let path = named.map_or_else(|| root.join(NAME), Path::to_owned);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => {
            return Ok((Models::shipped(), Defaults::default()));
        }
        Err(error) => return Err(ConfigError::Read { path, error }),
    };
    let shown = named.unwrap_or_else(|| Path::new(NAME)).to_string_lossy();
    Models::configured(&text).map_err(|error| ConfigError::Wrong(render::config_error(&error, &shown, &text)))
}
