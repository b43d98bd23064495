//! Assertions about what this CPU holds and may do; those about one lock are methods of the locks.
//!
//! They report through the sink like any finding, and are silent where the CPU is unknown. They cost a search of the
//! held stack, and nothing when checking is off.

use core::panic::Location;

use crate::report::Assertion;
use crate::validator;

/// Reports unless this CPU holds no checked lock, as before it returns to a guest or goes idle.
#[track_caller]
pub fn assert_none_held() {
    if crate::CHECKED {
        validator::assert(Assertion::NoneHeld, None, Location::caller());
    }
}

/// Reports unless this CPU may sleep: no handler runs, nothing is disabled, and no held lock forbids it.
#[track_caller]
pub fn assert_may_sleep() {
    if crate::CHECKED {
        validator::assert(Assertion::MaySleep, None, Location::caller());
    }
}
