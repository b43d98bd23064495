//! No dirty page is lost: migrations of two guests and of the domain that migrates them, under full load.
//!
//! Threads stand for CPUs. It says nothing about which nestings occur (`agreement.rs`) or which are refused
//! (`discipline.rs`). `LOCKDEP_STRESS_SECONDS=n` begins further migrations for n seconds; the default is a fixed number
//! of rounds.

use std::time::{Duration, Instant};

use hv_core::types::Preemption;
use lockdep_tests::alone::Alone;
use lockdep_tests::workload::{self, Plan, Tally};
use lockdep_tests::world::World;

/// A leaf, and three pages of a device model, at a time: nothing of note is done in one leg.
const PREEMPTION: Preemption = Preemption { leaves: 1, pfns: 3 };

#[test]
fn no_dirty_page_is_lost() {
    let seconds = std::env::var("LOCKDEP_STRESS_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("LOCKDEP_STRESS_SECONDS is a number of seconds"));
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let plan = Plan { migrations: 4, epochs: 8, rounds: 6, until };

    let alone = Alone::collecting();
    let world = World::boot(PREEMPTION);
    let tally = workload::run(&world, &plan);
    let counters = lockdep::counters();
    println!("{tally:#?}\n{counters:#?}");

    assert_eq!(tally.lost, [""; 0], "pages that the image has not as the domain has them");
    let reports: Vec<String> = alone.reports().iter().map(ToString::to_string).collect();
    assert_eq!(reports, [""; 0]);
    let missed = (counters.unattributed, counters.reentered, counters.overflowed);
    assert_eq!((counters.reported, missed), (0, (0, 0, 0)), "every acquisition was checked");
    assert_eq!((counters.classes_dropped, counters.nestings_dropped), (0, 0));

    // What is counted in rounds is known; what depends on the scheduler has much room.
    let Tally { written, guests, control, images, .. } = tally;
    assert!(images >= plan.migrations * plan.epochs * 3);
    assert!(guests.rounds.0 + guests.rounds.1 >= plan.migrations * plan.epochs * (plan.rounds + 1) * 2);
    assert!(guests.rounds.0.min(guests.rounds.1) > 100 && guests.failed > 20, "{guests:?}");
    assert!(guests.preempted > 500 && guests.dirty_pages > 3000, "{guests:?}");
    assert!(control.rounds.0.min(control.rounds.1) > 20 && control.dirty_pages > 500, "{control:?}");
    assert!(written.faults > 1000 && written.model_pages > 500 && written.while_paused > 50, "{written:?}");
    assert!(counters.checked > 10_000, "{counters:?}");
}
