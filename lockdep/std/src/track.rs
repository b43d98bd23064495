//! Which of the two trackers a lock carries: the checking one or the empty one, as in `lockdep` itself.

#[cfg(all(not(lockdep_off), any(lockdep, debug_assertions)))]
#[path = "track/checked.rs"]
mod chosen;

#[cfg(not(all(not(lockdep_off), any(lockdep, debug_assertions))))]
#[path = "track/plain.rs"]
mod chosen;

pub(crate) use chosen::{Acquired, Tracker};
