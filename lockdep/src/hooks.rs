//! The hooks that the locks of this crate call, for a front that wraps other locks (`lockdep-std` is one).
//!
//! Not for users of locks: these have [`Mutex`](crate::Mutex) and [`RwLock`](crate::RwLock), and where the real thing
//! cannot be wrapped, [`Map`](crate::Map). A front says itself which class and address a lock has; it reports every event, in
//! this order: [`acquire`] before it waits or [`acquired_by_try`] after it did not have to, [`release`] before it lets
//! go, [`ends`] before the memory goes away. An address is a multiple of 8: within eight bytes there is one lock. With
//! checking off every hook is empty.

use crate::check;
use crate::cpu::Fresh;
use crate::held::Mode;
use crate::hold::Hold;
use crate::report::{Attempt, Code, Matter};
use crate::state::CpuState;
use crate::validator;
use crate::visit::visit;

/// Before waiting for it.
///
/// # Panics
/// As the installed sink decides, when the nesting is refused. The acquisition is not recorded then.
pub fn acquire(wanted: &Attempt) {
    if crate::CHECKED {
        validator::acquire(Hold::of(wanted));
    }
}

/// After getting it without waiting.
pub fn acquired_by_try(got: &Attempt) {
    if crate::CHECKED {
        validator::tried(Hold::of(got));
    }
}

/// Where it may be waited for on some path, though not now.
///
/// # Panics
/// As for [`acquire`].
pub fn might_acquire(wanted: &Attempt) {
    if crate::CHECKED {
        validator::might_acquire(&Hold::of(wanted));
    }
}

/// Before letting it go: the youngest hold in this mode ends.
pub fn release(held: &Attempt) {
    if crate::CHECKED {
        validator::released_here(&Hold::of(held));
    }
}

/// The holder goes on in the mode of `now`, without waiting.
pub fn downgrade(now: &Attempt, from: Mode) {
    if crate::CHECKED {
        validator::changed(Hold::of(now), from, false);
    }
}

/// Its memory goes away.
pub fn ends(address: usize) {
    if crate::CHECKED {
        validator::ends(Hold::whole(address));
    }
}

/// Whoever waits for `awaited` is let go here, so it waits for everything that is held here, too: with
/// [`might_acquire`] where it is waited for, a wait under a lock that the one who ends it needs is a circle.
///
/// # Panics
/// As for [`acquire`].
pub fn signals(awaited: &Attempt) {
    if !crate::CHECKED {
        return;
    }
    let Some(visit) = visit() else { return };
    let source = validator::entry(&visit, &Hold::of(awaited), 0);
    let fault = check::let_go(&visit, &source);
    if fault.is_some() {
        validator::report(visit, fault);
    }
}

/// This CPU goes offline, or the thread that has its number ends: reports each lock that it still holds, and says
/// whether there is none. If so, the number may be given to another; if not, it may not, since the locks are still its.
pub fn retires() -> bool {
    if !crate::CHECKED {
        return true;
    }
    let mut reported = 0;
    // One at a time, since a sink is called with nothing of the checker's borrowed.
    while let Some(mut visit) = visit() {
        let Some(kept) = visit.held.iter().nth(reported).map(|held| held.attempt()) else {
            if reported == 0 {
                *visit = CpuState::FRESH;
            }
            break;
        };
        reported += 1;
        validator::report(visit, Some((Code::HeldAtExit, Matter::Lock(kept))));
    }
    reported == 0
}
