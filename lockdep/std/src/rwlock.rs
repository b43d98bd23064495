//! The checked reader-writer lock, over std's.

use std::fmt;
use std::sync::{self, LockResult, TryLockResult};

use lockdep::held::Mode;

use crate::guarded::{guarded, made, map, show, try_map};
use crate::track::{Acquired, Tracker};

/// [`std::sync::RwLock`], checked. Readers are fair: they may have to wait for a writer that waits.
pub struct RwLock<T: ?Sized> {
    tracker: Tracker,
    inner: sync::RwLock<T>,
}

/// [`std::sync::RwLockReadGuard`] of a checked lock.
#[must_use = "dropped at once, it releases the lock at once"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    // Dropped first: the record of the acquisition ends before the lock is free.
    _acquired: Acquired,
    inner: sync::RwLockReadGuard<'a, T>,
}

/// [`std::sync::RwLockWriteGuard`] of a checked lock.
#[must_use = "dropped at once, it releases the lock at once"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    acquired: Acquired,
    inner: sync::RwLockWriteGuard<'a, T>,
}

impl<T> RwLock<T> {
    /// What it protects.
    ///
    /// # Errors
    /// As std's: it is poisoned.
    pub fn into_inner(self) -> LockResult<T> {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until no writer holds it or waits for it, then reads.
    ///
    /// # Errors
    /// As std's: it is poisoned.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        let _acquired = self.tracker.acquire(Mode::Shared);
        map(self.inner.read(), |inner| RwLockReadGuard { _acquired, inner })
    }

    /// Waits until nobody holds it, then writes.
    ///
    /// # Errors
    /// As std's: it is poisoned.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        let acquired = self.tracker.acquire(Mode::Exclusive);
        map(self.inner.write(), |inner| RwLockWriteGuard { acquired, inner })
    }

    /// Reads if that takes no waiting.
    ///
    /// # Errors
    /// As std's: a writer holds it, or it is poisoned.
    #[track_caller]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        let trying = self.tracker.trying(Mode::Shared);
        try_map(self.inner.try_read(), |inner| RwLockReadGuard { _acquired: trying.succeeded(), inner })
    }

    /// Writes if nobody holds it.
    ///
    /// # Errors
    /// As std's: somebody holds it, or it is poisoned.
    #[track_caller]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        let trying = self.tracker.trying(Mode::Exclusive);
        try_map(self.inner.try_write(), |inner| RwLockWriteGuard { acquired: trying.succeeded(), inner })
    }

    /// Whether a writer panicked.
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

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// The writer becomes a reader, without letting another writer in between.
    #[track_caller]
    pub fn downgrade(writer: RwLockWriteGuard<'a, T>) -> RwLockReadGuard<'a, T> {
        let RwLockWriteGuard { mut acquired, inner } = writer;
        acquired.downgrade(Mode::Shared);
        RwLockReadGuard { _acquired: acquired, inner: sync::RwLockWriteGuard::downgrade(inner) }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "RwLock", self.try_read(), Some(self.is_poisoned()))
    }
}

made! { RwLock around sync::RwLock<T> }
guarded! { RwLockReadGuard }
guarded! { mut RwLockWriteGuard }
