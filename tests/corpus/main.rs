//! Published crates, analyzed as they are: what is found of their known bugs, and what is found besides.
//!
//! `cargo run -p lockdep-tests --example corpus [NAME[@VERSION]…]` reads `crates.toml`, analyzes each crate in a workspace
//! of its own and compares every finding with the verdict that a person gave on it, in `verdicts/`. It fails on a finding
//! nobody has read, on a verdict about nothing, and on a known bug that is found or missed against expectation.
//! `LOCKDEP_BLESS=1` writes the files anew: what is gone goes, what is new is `unread`. It needs crates.io, so it is no
//! test, and nobody but people runs it.

mod crates;
mod finding;
mod scratch;
mod table;
mod verdicts;

use std::collections::BTreeMap;
use std::process::ExitCode;

use crates::{Bug, Crate};
use finding::Finding;
use scratch::{Failure, Run};
use table::Row;
use verdicts::Judged;

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(complaints) => {
            eprintln!("{complaints} complaints");
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(101)
        }
    }
}

/// The number of complaints, which are printed.
fn run(wanted: &[String]) -> Result<usize, Failure> {
    let crates = crates::selected(wanted)?;
    let tool = scratch::build()?;
    let bless = std::env::var_os("LOCKDEP_BLESS").is_some();
    let mut complaints = Vec::new();
    let mut rows = Vec::new();
    let mut found: BTreeMap<(String, String), Vec<Finding>> = BTreeMap::new();
    for krate in &crates {
        eprintln!("   Analyzing {krate}");
        let run = match scratch::analyze(&tool, krate) {
            Ok(run) => run,
            Err(failure) => {
                complaints.push(format!("{krate}: {failure}"));
                continue;
            }
        };
        let judged = verdicts::compare(krate, &run.findings, bless)?;
        complaints.extend(judged.complaints.iter().map(|complaint| format!("{krate}: {complaint}")));
        rows.push(row(krate, &run, &judged));
        found.insert((krate.name.clone(), krate.version.clone()), run.findings);
    }
    for krate in &crates {
        let of = |version: &str| found.get(&(krate.name.clone(), version.to_owned()));
        for bug in krate.bugs.iter().filter(|_| of(&krate.version).is_some()) {
            let vulnerable = of(&krate.version).map_or(&[][..], Vec::as_slice);
            let fixed = bug.fixed.as_deref().and_then(of).map_or(&[][..], Vec::as_slice);
            complaints
                .extend(against(bug, vulnerable, fixed).map(|complaint| format!("{krate}: {complaint}")));
        }
    }
    print!("{}", table::render(&rows));
    complaints.iter().for_each(|complaint| eprintln!("\n{complaint}"));
    Ok(complaints.len())
}

fn row(krate: &Crate, run: &Run, judged: &Judged) -> Row {
    Row {
        krate: krate.to_string(),
        lines: run.lines,
        findings: run.findings.len(),
        verdicts: judged.counts.clone(),
        alarms: judged.alarms,
        alarms_of_callbacks: judged.alarms_of_callbacks,
        callbacks: krate.callbacks,
        bugs: krate.bugs.len(),
        missed: krate.bugs.iter().filter(|bug| bug.finding(&run.findings).is_none()).count(),
        seconds: run.seconds,
    }
}

/// What is not as `bug` says it is.
fn against(bug: &Bug, vulnerable: &[Finding], fixed: &[Finding]) -> Option<String> {
    match (bug.finding(vulnerable), &bug.missed) {
        (None, None) => Some(format!("missed: {}", bug.what)),
        (Some(_), Some(reason)) => Some(format!("found: {}\n  although {reason}", bug.what)),
        (Some(finding), None) if bug.is_still_in(fixed, finding) => {
            Some(format!("still found in {}: {}", bug.fixed.as_deref().unwrap_or_default(), bug.what))
        }
        _ => None,
    }
}
