//! `explain` and `list`: the registry of finding codes, and the table of known locks, for people.
//!
//! The words are theirs; this file only looks them up and lays them out.

use std::path::Path;

use lockdep_analyzer::finding::Code;

use crate::analyze::Failure;
use crate::args::{List, Listed};
use crate::config;
use crate::output;
use crate::shell::Shell;

/// `cargo lockdep explain CODE`.
pub fn explain(id: &str, shell: &Shell) -> Result<u8, Failure> {
    let Some(code) = Code::from_id(id) else {
        shell.error(unknown(id));
        return Ok(crate::USAGE);
    };
    let text =
        format!("{} ({}): {}\n\n{}\n", code.id(), code.level().name(), code.gist(), code.explanation());
    output::write(&text, None)?;
    Ok(0)
}

/// `cargo lockdep list [WHAT]`.
pub fn list(list: &List) -> Result<u8, Failure> {
    let text = match list.what {
        Listed::Codes => table(),
        Listed::Models => {
            let (models, _) = config::read(list.config.as_deref(), Path::new(""))?;
            models.to_toml()?
        }
    };
    output::write(&text, None)?;
    Ok(0)
}

fn table() -> String {
    let width = Code::ALL.iter().map(|code| code.id().len()).max().unwrap_or_default();
    let line = |code: &Code| format!("{:width$}  {:7}  {}\n", code.id(), code.level().name(), code.gist());
    Code::ALL.iter().map(line).collect()
}

fn unknown(id: &str) -> String {
    let mut near: Vec<(usize, &str)> = Code::ALL
        .iter()
        .map(|code| (strsim::damerau_levenshtein(id, code.id()), code.id()))
        .filter(|(distance, known)| *distance <= known.len() / 3 || known.contains(id))
        .collect();
    near.sort_unstable();
    let hint = near.first().map(|(_, known)| format!("; did you mean `{known}`?")).unwrap_or_default();
    format!("there is no finding code `{id}`{hint}\n\nThe codes are:\n{}", table().trim_end())
}
