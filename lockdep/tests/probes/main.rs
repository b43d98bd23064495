//! Ours under the probes of correctness: every true inversion is reported before anything hangs, and of the programs
//! that cannot deadlock only one with a gate is.
//!
//! The package in `lockdep/peers` runs the same probes over other checkers and prints them side by side.

mod family;
mod ours;
mod probe;
mod trial;

use ours::Ours;
use probe::{Should, probes};
use trial::{Verdict, run_if_told, trial};

/// Runs first in the child: the only test that it is asked for.
#[test]
fn child() {
    run_if_told::<Ours>();
}

#[test]
fn ours_reports_what_it_should_and_nothing_else() {
    if !lockdep::CHECKED {
        return;
    }
    let wrong: Vec<_> = probes::<Ours>()
        .iter()
        .map(|probe| (probe.name, probe.should, trial(probe, &["--exact", "child", "--nocapture"])))
        .filter(|&(_, should, verdict)| match should {
            // A gate is not known at run time (`lib.rs`, limits).
            Should::StaySilentIfGatesAreKnown => verdict != Verdict::Reported,
            _ => !verdict.is_right(should),
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
