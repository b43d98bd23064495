//! `replay`: runs the schedules of a witness file on stand-ins of the locks of a graph file.
//!
//! The run is the library's; this file reads the two files and words the outcome: what was run, and what was not.

use std::fmt::Write;

use lockdep_analyzer::replay::replay_files;

use crate::analyze::Failure;
use crate::args::Replay;
use crate::output;
use crate::shell::Shell;
use crate::verify::read;

/// `cargo lockdep replay WITNESS GRAPH`.
pub fn replay(replay: &Replay, shell: &Shell) -> Result<u8, Failure> {
    let (witness, graph) = (read(&replay.witness)?, read(&replay.graph)?);
    let replayed = match replay_files(&witness, &graph) {
        Ok(replayed) => replayed,
        Err(error) => {
            shell.error(format_args!("not replayed: {error}"));
            return Ok(crate::REFUSED);
        }
    };
    let mut text = String::new();
    for (number, replayed) in (1..).zip(&replayed) {
        let threads = replayed.waiting.len();
        writeln!(text, "schedule {number}: {threads} threads on stand-ins for {} locks", replayed.locks)?;
        writeln!(text, "{replayed}")?;
    }
    let schedules = if replayed.len() == 1 { "schedule ends" } else { "schedules end" };
    writeln!(
        text,
        "replayed: {} {schedules} in a circular wait; none of the program's code was run",
        replayed.len()
    )?;
    output::write(&text, None)?;
    Ok(0)
}
