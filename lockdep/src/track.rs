//! Which of the two trackers a lock carries: the checking one or the empty one.
//!
//! Checking is on under `debug_assertions` or `--cfg lockdep`; `--cfg lockdep_off` forces it off. It is a `--cfg`
//! and not a Cargo feature, because features are merged over everything built together. Off means gone: the
//! lock has the size of the raw lock and its calls inline to the raw lock's.

#[cfg(all(not(lockdep_off), any(lockdep, debug_assertions)))]
#[path = "track/checked.rs"]
mod chosen;

#[cfg(not(all(not(lockdep_off), any(lockdep, debug_assertions))))]
#[path = "track/plain.rs"]
mod chosen;

pub(crate) use chosen::{Acquired, Tracker};

/// Whether locks are checked in this build.
pub const CHECKED: bool = cfg!(all(not(lockdep_off), any(lockdep, debug_assertions)));
