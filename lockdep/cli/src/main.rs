//! `cargo lockdep`: proves a workspace's lock order from the compiler's own MIR, or shows the deadlock.
//!
//! Dispatch, writers and exit codes: 0 proved, 1 findings, 2 usage, 101 the tool failed. The report goes to the
//! standard output and everything else to the standard error. The work is done in the library `lockdep-analyzer`;
//! this is the only package that starts processes, prints or exits.

mod analyze;
mod args;
mod cargo;
mod collect;
mod config;
mod explain;
mod linked;
mod output;
mod packages;
mod paths;
mod reading;
mod replay;
mod settings;
mod shell;
mod unit;
mod verify;
mod wrapper;

use std::process::ExitCode;

use clap::Parser;

use args::{Command, CommandLine};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A certificate does not prove a graph, or a schedule does not end in a circular wait.
const REFUSED: u8 = 1;
/// Wrong arguments, or nothing to prove.
const USAGE: u8 = 2;
/// The tool failed.
const FAILED: u8 = 101;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().peekable();
    let name = arguments.next();
    if std::env::var_os(wrapper::VARIABLE).is_some() {
        return wrapper::run(name, arguments).unwrap_or_else(|error| {
            settings::shell(&args::Terminal::default()).error(error);
            ExitCode::from(FAILED)
        });
    }
    // Cargo repeats the subcommand's name; people who call the program by its own name do not.
    arguments.next_if(|first| first == "lockdep");
    let line = CommandLine::parse_from(name.into_iter().chain(arguments));
    let shell = settings::shell(&line.terminal);
    let result = match line.command {
        Command::Analyze(analyze) => analyze::run(analyze, &line.terminal, &shell),
        Command::Explain(explain) => explain::explain(&explain.code, &shell),
        Command::List(list) => explain::list(&list),
        Command::Verify(verify) => verify::verify(&verify, &shell),
        Command::Replay(replay) => replay::replay(&replay, &shell),
    };
    ExitCode::from(result.unwrap_or_else(|failure| {
        if !failure.is_said() {
            shell.error(&failure);
        }
        failure.exit_code()
    }))
}
