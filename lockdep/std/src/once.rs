//! The checked one-time call, over std's.

use std::fmt;
use std::sync::{self, OnceState};

use lockdep::held::Mode;

use crate::track::Tracker;

/// [`std::sync::Once`], checked: held while the call runs, and waited for by everyone who asks for the call.
pub struct Once {
    tracker: Tracker,
    inner: sync::Once,
}

impl Once {
    /// One of the class of those that are made here.
    #[expect(clippy::new_without_default, reason = "as std's")]
    #[track_caller]
    pub const fn new() -> Once {
        Once { tracker: Tracker::here(), inner: sync::Once::new() }
    }

    /// One of the class of this name.
    pub const fn named(name: &'static str) -> Once {
        Once { tracker: Tracker::named(name), inner: sync::Once::new() }
    }

    /// Calls `f` unless it was called before; waits while another calls it.
    ///
    /// # Panics
    /// As std's, and as the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn call_once(&self, f: impl FnOnce()) {
        if self.inner.is_completed() {
            return self.tracker.might_acquire();
        }
        let _acquired = self.tracker.acquire(Mode::Exclusive);
        self.inner.call_once(f);
    }

    /// The same, also after a call that panicked.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn call_once_force(&self, f: impl FnOnce(&OnceState)) {
        if self.inner.is_completed() {
            return self.tracker.might_acquire();
        }
        let _acquired = self.tracker.acquire(Mode::Exclusive);
        self.inner.call_once_force(f);
    }

    /// Whether a call has returned.
    pub fn is_completed(&self) -> bool {
        self.inner.is_completed()
    }

    /// Waits until a call has returned.
    ///
    /// # Panics
    /// As [`call_once`](Once::call_once).
    #[track_caller]
    pub fn wait(&self) {
        self.tracker.might_acquire();
        self.inner.wait();
    }

    /// Waits until a call has returned, also if one panicked.
    ///
    /// # Panics
    /// As [`call_once_force`](Once::call_once_force).
    #[track_caller]
    pub fn wait_force(&self) {
        self.tracker.might_acquire();
        self.inner.wait_force();
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
