//! The checked mutex, over std's.

use std::fmt;
use std::sync::{self, LockResult, TryLockResult};

use lockdep::held::Mode;

use crate::guarded::{guarded, made, map, show, try_map};
use crate::track::{Acquired, Tracker};

/// [`std::sync::Mutex`], checked.
pub struct Mutex<T: ?Sized> {
    tracker: Tracker,
    inner: sync::Mutex<T>,
}

/// [`std::sync::MutexGuard`] of a checked mutex.
#[must_use = "dropped at once, it releases the lock at once"]
pub struct MutexGuard<'a, T: ?Sized> {
    // Dropped first: the record of the acquisition ends before the lock is free.
    pub(crate) acquired: Acquired,
    pub(crate) inner: sync::MutexGuard<'a, T>,
}

impl<T> Mutex<T> {
    /// What it protects.
    ///
    /// # Errors
    /// As std's: it is poisoned.
    pub fn into_inner(self) -> LockResult<T> {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until nobody holds it, then holds it.
    ///
    /// # Errors
    /// As std's: it is poisoned.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let acquired = self.tracker.acquire(Mode::Exclusive);
        map(self.inner.lock(), |inner| MutexGuard { acquired, inner })
    }

    /// Holds it if nobody does.
    ///
    /// # Errors
    /// As std's: somebody holds it, or it is poisoned.
    #[track_caller]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        let trying = self.tracker.trying(Mode::Exclusive);
        try_map(self.inner.try_lock(), |inner| MutexGuard { acquired: trying.succeeded(), inner })
    }

    /// Whether a holder panicked.
    pub fn is_poisoned(&self) -> bool {
        self.inner.is_poisoned()
    }

    /// From now on it counts as not poisoned.
    pub fn clear_poison(&self) {
        self.inner.clear_poison();
    }

    /// What it protects, without locking: the exclusive borrow excludes every holder.
    ///
    /// # Errors
    /// As std's: it is poisoned.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.inner.get_mut()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "Mutex", self.try_lock(), Some(self.is_poisoned()))
    }
}

made! { Mutex around sync::Mutex<T> }
guarded! { mut MutexGuard }
