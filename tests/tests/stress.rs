//! No dirty page is lost: migrations of two guests and of the domain that migrates them, under full load.
//!
//! Threads stand for CPUs. It says nothing about which nestings occur (`agreement.rs`) or which are refused
//! (`discipline.rs`). `LOCKDEP_STRESS_SECONDS=n` begins further migrations for n seconds; the default is a fixed number
//! of rounds.

use std::time::{Duration, Instant};

use hv_core::types::Preemption;
use lockdep_tests::alone::Alone;
use lockdep_tests::workload::{self, Plan};
use lockdep_tests::world::World;

/// A leaf, and three pages of a device model, at a time: nothing of note is done in one leg.
const PREEMPTION: Preemption = Preemption { leaves: 1, pfns: 3 };

#[test]
fn no_dirty_page_is_lost() {
    let seconds = std::env::var("LOCKDEP_STRESS_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("LOCKDEP_STRESS_SECONDS is a number of seconds"));
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let plan = Plan { migrations: 3, epochs: 8, rounds: 6, until };

    let alone = Alone::collecting();
    let before = lockdep::counters();
    let world = World::boot(PREEMPTION);
    let tally = workload::run(&world, &plan);
    let after = lockdep::counters();
    println!("{tally:#?}\n{after:#?}");

    assert_eq!(tally.lost, [""; 0], "pages that the image has not as the domain has them");
    let reports: Vec<String> = alone.reports().iter().map(ToString::to_string).collect();
    assert_eq!(reports, [""; 0]);
    assert_eq!((after.reported, after.unattributed, after.reentered, after.overflowed), (0, 0, 0, 0));
    assert_eq!((after.classes_dropped, after.nestings_dropped), (0, 0));
    assert!(after.checked - before.checked > 10_000, "locks were nested and checked");
}
