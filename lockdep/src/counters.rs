//! What the checker did, could not do, and said: the counters, and the way of a report to the sink.
//!
//! It decides nothing. A check that could not be made is counted, never dropped silently.

use crate::check::{Fault, discipline};
use crate::cpu::MAX_CPUS;
use crate::graph;
use crate::report::{self, Code, Matter, Report};
use crate::sync::{AtomicBool, AtomicU32, Ordering};
use crate::visit::{self, REENTERED, UNATTRIBUTED, Visit};

static UNSENT: AtomicU32 = AtomicU32::new(0);
/// CPUs that are inside the sink.
static REPORTING: [AtomicBool; MAX_CPUS] = [const { AtomicBool::new(false) }; MAX_CPUS];
pub(crate) static OVERFLOWED: AtomicU32 = AtomicU32::new(0);
static REPORTED: AtomicU32 = AtomicU32::new(0);

/// What the checker did and could not do, since the start. Counts wrap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counters {
    /// Pairs of (held, wanted) that were put to the rule.
    pub checked: u32,
    /// Reports sent.
    pub reported: u32,
    /// Events on an unknown CPU: no hook installed, or a number from `MAX_CPUS` on.
    pub unattributed: u32,
    /// Events on a CPU that was inside the checker already.
    pub reentered: u32,
    /// Reports about what a sink itself did, which are not sent.
    pub unsent: u32,
    /// Acquisitions not recorded because the CPU held `MAX_HELD` locks, and handlers beyond `MAX_NESTED`.
    pub overflowed: u32,
    /// Classes beyond `MAX_CLASSES`, whose nestings are checked but not learned.
    pub classes_dropped: u32,
    /// Nestings beyond `MAX_NESTINGS`, learned without their sites.
    pub nestings_dropped: u32,
    /// Refused nestings beyond `MAX_REFUSED`, which joined the graph.
    pub refusals_dropped: u32,
}

impl Counters {
    /// Each with its name.
    pub(crate) fn named(self) -> [(&'static str, u32); 9] {
        // Taken apart, so that a new counter is not forgotten.
        let Counters {
            checked,
            reported,
            unattributed,
            reentered,
            unsent,
            overflowed,
            classes_dropped,
            nestings_dropped,
            refusals_dropped,
        } = self;
        [
            ("checked", checked),
            ("reported", reported),
            ("unattributed", unattributed),
            ("reentered", reentered),
            ("unsent", unsent),
            ("overflowed", overflowed),
            ("classes_dropped", classes_dropped),
            ("nestings_dropped", nestings_dropped),
            ("refusals_dropped", refusals_dropped),
        ]
    }
}

/// The counters now.
pub fn counters() -> Counters {
    let (classes_dropped, nestings_dropped, refusals_dropped) = graph::dropped();
    Counters {
        checked: visit::tally(),
        reported: REPORTED.load(Ordering::Relaxed),
        unattributed: UNATTRIBUTED.load(Ordering::Relaxed),
        reentered: REENTERED.load(Ordering::Relaxed),
        unsent: UNSENT.load(Ordering::Relaxed),
        overflowed: OVERFLOWED.load(Ordering::Relaxed),
        classes_dropped,
        nestings_dropped,
        refusals_dropped,
    }
}

#[cold]
pub(crate) fn send(cpu: usize, (code, matter): Fault) {
    /// Ends the report also when the sink panics.
    struct Reporting(usize);
    impl Drop for Reporting {
        fn drop(&mut self) {
            if let Some(busy) = REPORTING.get(self.0) {
                busy.store(false, Ordering::Relaxed);
            }
        }
    }
    // What the sink itself does wrong is counted and not reported: the report would call the sink again.
    if REPORTING.get(cpu).is_some_and(|busy| busy.swap(true, Ordering::Relaxed)) {
        UNSENT.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let _reporting = Reporting(cpu);
    REPORTED.fetch_add(1, Ordering::Relaxed);
    report::send(&Report { code, cpu, discipline: discipline(), matter });
}

/// Lets go of the CPU's state and reports: a sink may panic, print under locks, or not return.
#[cold]
pub(crate) fn report(visit: Visit, fault: Option<Fault>) {
    let cpu = visit.cpu;
    drop(visit);
    if let Some(fault) = fault {
        send(cpu, fault);
    }
    if let Some(table) = graph::newly_full() {
        send(cpu, (Code::TableFull, Matter::Table(table)));
    }
}
