//! The hooks that the locks of this crate call, for a front that wraps other locks (`lockdep-std` is one).
//!
//! Not for users of locks: these have [`Mutex`](crate::Mutex) and [`RwLock`](crate::RwLock), and where the real thing
//! cannot be wrapped, [`Map`](crate::Map). A front says itself which class and address a lock has; it reports every event, in
//! this order: [`acquire`] before it waits or [`acquired_by_try`] after it did not have to, [`release`] before it lets
//! go, [`ends`] before the memory goes away. With checking off every hook is empty.

use crate::check::{self, CpuState};
use crate::held::Mode;
use crate::report::{Attempt, Code, Matter};
use crate::validator;

/// Before waiting for it.
///
/// # Panics
/// As the installed sink decides, when the nesting is refused. The acquisition is not recorded then.
pub fn acquire(wanted: &Attempt) {
    if crate::CHECKED {
        validator::acquire(wanted, 0);
    }
}

/// After getting it without waiting.
pub fn acquired_by_try(got: &Attempt) {
    if crate::CHECKED {
        validator::tried(got);
    }
}

/// Where it may be waited for on some path, though not now.
///
/// # Panics
/// As for [`acquire`].
pub fn might_acquire(wanted: &Attempt) {
    if crate::CHECKED {
        validator::might_acquire(wanted);
    }
}

/// Before letting it go: the youngest hold in this mode ends.
pub fn release(held: &Attempt) {
    if crate::CHECKED {
        validator::released(held, Some(held.mode));
    }
}

/// The holder goes on in the mode of `now`, without waiting.
pub fn downgrade(now: &Attempt, from: Mode) {
    if crate::CHECKED {
        validator::changed(now, from, false);
    }
}

/// Its memory goes away.
pub fn ends(address: usize) {
    if crate::CHECKED {
        validator::ends(address);
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
    let Some(pin) = validator::pin() else { return };
    let source = validator::entry(&pin, awaited, 0);
    let fault = check::let_go(&pin, &source);
    if fault.is_some() {
        validator::report(pin, fault);
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
    while let Some(mut pin) = validator::pin() {
        let Some(kept) = pin.held.iter().nth(reported).map(|held| held.attempt()) else {
            if reported == 0 {
                *pin = CpuState::NEW;
            }
            break;
        };
        reported += 1;
        validator::report(pin, Some((Code::HeldAtExit, Matter::Lock(kept))));
    }
    reported == 0
}
