//! The checked condition variable, over std's.
//!
//! To wait is to let go of the mutex and to acquire it again, under whatever else is held. A condition variable is a node of
//! the learned graph as well: a wait without a time limit waits for it, and whoever notifies makes it wait for what is
//! held then. So a wait under a lock that some notifier holds is a circle.

use std::fmt;
use std::sync::{self, LockResult, WaitTimeoutResult};
use std::time::Duration;

use crate::guarded::map;
use crate::mutex::MutexGuard;
use crate::track::Tracker;

/// [`std::sync::Condvar`], checked.
pub struct Condvar {
    tracker: Tracker,
    inner: sync::Condvar,
}

impl Condvar {
    /// A condition variable of the class of those that are made here.
    #[track_caller]
    pub const fn new() -> Condvar {
        Condvar { tracker: Tracker::here(), inner: sync::Condvar::new() }
    }

    /// A condition variable of the class of this name.
    pub const fn named(name: &'static str) -> Condvar {
        Condvar { tracker: Tracker::named(name), inner: sync::Condvar::new() }
    }

    /// Waits to be notified.
    ///
    /// # Errors
    /// As std's: the mutex is poisoned.
    ///
    /// # Panics
    /// As std's, and as the installed sink decides, when the wait is refused.
    #[track_caller]
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let MutexGuard { acquired, inner } = guard;
        let acquired = self.tracker.wait_without(acquired, false);
        let result = self.inner.wait(inner);
        acquired.got_again();
        map(result, |inner| MutexGuard { acquired, inner })
    }

    /// Waits to be notified for as long as the condition is true.
    ///
    /// # Errors
    /// As std's: the mutex is poisoned.
    ///
    /// # Panics
    /// As [`wait`](Condvar::wait), also where the condition is false at first.
    #[track_caller]
    pub fn wait_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        let MutexGuard { acquired, inner } = guard;
        let acquired = self.tracker.wait_without(acquired, false);
        let result = self.inner.wait_while(inner, condition);
        acquired.got_again();
        map(result, |inner| MutexGuard { acquired, inner })
    }

    /// Waits to be notified, but not for longer than `limit`.
    ///
    /// # Errors
    /// As std's: the mutex is poisoned.
    ///
    /// # Panics
    /// As std's, and as the installed sink decides, when acquiring the mutex again is refused.
    #[track_caller]
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let MutexGuard { acquired, inner } = guard;
        let acquired = self.tracker.wait_without(acquired, true);
        let result = self.inner.wait_timeout(inner, limit);
        acquired.got_again();
        map(result, |(inner, timed_out)| (MutexGuard { acquired, inner }, timed_out))
    }

    /// Waits to be notified for as long as the condition is true, but not for longer than `limit`.
    ///
    /// # Errors
    /// As std's: the mutex is poisoned.
    ///
    /// # Panics
    /// As [`wait_timeout`](Condvar::wait_timeout).
    #[track_caller]
    pub fn wait_timeout_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Duration,
        condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let MutexGuard { acquired, inner } = guard;
        let acquired = self.tracker.wait_without(acquired, true);
        let result = self.inner.wait_timeout_while(inner, limit, condition);
        acquired.got_again();
        map(result, |(inner, timed_out)| (MutexGuard { acquired, inner }, timed_out))
    }

    /// Ends one wait.
    ///
    /// # Panics
    /// As the installed sink decides, when somebody waits under what is held here.
    #[track_caller]
    pub fn notify_one(&self) {
        self.tracker.signals();
        self.inner.notify_one();
    }

    /// Ends all waits.
    ///
    /// # Panics
    /// As [`notify_one`](Condvar::notify_one).
    #[track_caller]
    pub fn notify_all(&self) {
        self.tracker.signals();
        self.inner.notify_all();
    }
}

impl Default for Condvar {
    #[track_caller]
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
