//! The nestings that were seen: class by class, with relation, modes and the first pair of sites.
//!
//! A kernel exports them so that "observed is a subset of what the analyzer found" can be checked on a real
//! run. A known nesting costs one relaxed load; a new one is entered once. It judges nothing.

use core::panic::Location;
use core::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use lock_api::Mutex;

use crate::class::Class;
use crate::held::{HeldLock, Mode};
use crate::order::Relation;
use crate::report::Attempt;
use crate::spin::RawSpin;

/// How many classes are told apart; further ones are counted in [`Counters::classes_dropped`](crate::Counters).
pub const MAX_CLASSES: usize = 64;
/// How many distinct nestings are kept with their sites.
pub const MAX_NESTINGS: usize = 512;

/// A nesting as first seen.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// The class that was held.
    pub held: &'static Class,
    /// How.
    pub held_mode: Mode,
    /// The class that was wanted.
    pub wanted: &'static Class,
    /// How.
    pub wanted_mode: Mode,
    /// How the owner of the second stood to the owner of the first.
    pub relation: Relation,
    /// Where the first was acquired, and where the second.
    pub sites: (&'static Location<'static>, &'static Location<'static>),
}

/// One bit per (relation, held mode, wanted mode).
fn bit(relation: Relation, held: Mode, wanted: Mode) -> u16 {
    1 << ((relation as u16) << 2 | (held as u16) << 1 | wanted as u16)
}

struct Table {
    known: [[AtomicU16; MAX_CLASSES]; MAX_CLASSES],
    nestings: Mutex<RawSpin, ([Option<Observed>; MAX_NESTINGS], usize)>,
    classes: AtomicU16,
    classes_dropped: AtomicU32,
    nestings_dropped: AtomicU32,
}

static TABLE: Table = Table {
    known: [const { [const { AtomicU16::new(0) }; MAX_CLASSES] }; MAX_CLASSES],
    nestings: Mutex::new(([None; MAX_NESTINGS], 0)),
    classes: AtomicU16::new(0),
    classes_dropped: AtomicU32::new(0),
    nestings_dropped: AtomicU32::new(0),
};

fn row(class: &'static Class) -> Option<usize> {
    let index = class.index(|| {
        let fresh = TABLE.classes.fetch_add(1, Ordering::Relaxed);
        if fresh as usize >= MAX_CLASSES {
            TABLE.classes_dropped.fetch_add(1, Ordering::Relaxed);
        }
        fresh.min(MAX_CLASSES as u16)
    });
    (usize::from(index) < MAX_CLASSES).then_some(index.into())
}

pub(crate) fn record(held: &HeldLock, wanted: &Attempt, relation: Relation) {
    let (Some(from), Some(to)) = (row(held.instance.class), row(wanted.instance.class)) else { return };
    let cell = &TABLE.known[from][to];
    let bit = bit(relation, held.mode, wanted.mode);
    if cell.load(Ordering::Relaxed) & bit != 0 || cell.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
        return;
    }
    let mut nestings = TABLE.nestings.lock();
    let (entries, used) = &mut *nestings;
    match entries.get_mut(*used) {
        Some(free) => {
            *free = Some(Observed {
                held: held.instance.class,
                held_mode: held.mode,
                wanted: wanted.instance.class,
                wanted_mode: wanted.mode,
                relation,
                sites: (held.site, wanted.site),
            });
            *used += 1;
        }
        None => {
            TABLE.nestings_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Calls `each` with every nesting seen so far, in the order of their first sight.
pub fn for_each(mut each: impl FnMut(&Observed)) {
    let mut position = 0;
    // One entry at a time, so that `each` may take checked locks.
    while let Some(seen) = TABLE.nestings.lock().0.get(position).copied().flatten() {
        each(&seen);
        position += 1;
    }
}

pub(crate) fn dropped() -> (u32, u32) {
    (TABLE.classes_dropped.load(Ordering::Relaxed), TABLE.nestings_dropped.load(Ordering::Relaxed))
}
