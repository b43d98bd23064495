//! One probe in a process of its own, and what came of it.
//!
//! The process is this program again, told by its environment which probe to run; so [`run_if_told`] comes first in
//! `main`. It names no checker.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::family::Family;
use crate::probe::{Probe, Should, probes};

const FAMILY: &str = "LOCKDEP_PROBE_FAMILY";
const PROBE: &str = "LOCKDEP_PROBE";
/// How the process says that a report came.
const MARK: &str = "THE CHECKER REPORTED";
/// A probe that takes longer hangs: it does a dozen acquisitions.
const PATIENCE: Duration = Duration::from_secs(4);

/// What came of a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The checker reported and nothing hung.
    Reported,
    /// It reported, and the program hung nevertheless.
    ReportedButHung,
    /// No report, and the program ended.
    Silent,
    /// No report, and the program hung.
    Hung,
    /// No report that could be read, and the process died of a signal.
    Aborted,
    /// The family cannot do this.
    NotApplicable,
}

impl Verdict {
    /// Whether it is what should come of the probe.
    pub fn is_right(self, should: Should) -> bool {
        match should {
            Should::Report => self == Verdict::Reported,
            Should::StaySilent | Should::StaySilentIfGatesAreKnown => self == Verdict::Silent,
        }
    }
}

fn report() {
    eprintln!("{MARK}");
}

/// Runs the probe that the environment names, if it names one of this family, and ends the process.
pub fn run_if_told<F: Family>() {
    let told = (std::env::var(FAMILY), std::env::var(PROBE));
    let (Ok(family), Ok(name)) = told else { return };
    if family != F::NAME {
        return;
    }
    F::start(report);
    let probe = probes::<F>().into_iter().find(|probe| probe.name == name).expect("a probe of this name");
    // A panic is how some checkers report; they say so by `report`.
    let _ = std::panic::catch_unwind(probe.run);
    thread::sleep(F::LAG);
    #[expect(clippy::disallowed_methods, reason = "what a checker left hanging must not keep the process")]
    std::process::exit(0);
}

/// Runs one probe of a family.
///
/// # Panics
/// If this program cannot be started again.
pub fn trial<F: Family>(probe: &Probe<F>, arguments: &[&str]) -> Verdict {
    if probe.tries && !F::TRIES {
        return Verdict::NotApplicable;
    }
    let this = std::env::current_exe().expect("this program has a path");
    let log = std::env::temp_dir().join(format!("lockdep-probe-{}", std::process::id()));
    let output = std::fs::File::create(&log).expect("a temporary file");
    let mut child = Command::new(this)
        .args(arguments)
        .envs([(FAMILY, F::NAME), (PROBE, probe.name)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output)
        .spawn()
        .expect("this program starts again");
    let started = Instant::now();
    let ended = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break Some(status);
        }
        if started.elapsed() > PATIENCE {
            child.kill().expect("a child can be killed");
            child.wait().expect("a killed child ends");
            break None;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let reported = std::fs::read_to_string(&log).expect("the child's output").contains(MARK);
    std::fs::remove_file(&log).expect("a temporary file can be removed");
    match (reported, ended) {
        (true, Some(_)) => Verdict::Reported,
        (true, None) => Verdict::ReportedButHung,
        (false, None) => Verdict::Hung,
        (false, Some(status)) if status.code().is_none() => Verdict::Aborted,
        (false, Some(_)) => Verdict::Silent,
    }
}
