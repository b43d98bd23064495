//! The same for the raw locks of `lock_api` 0.4: parking_lot's, spin's, anyone's.
//!
//! Name the raw lock once, `type Mutex<T> = lockdep_std::raw::Mutex<parking_lot::RawMutex, T>`, and the rest of the program
//! stays as it is: like `lock_api`'s, these locks are not poisoned. For locks with a declared class there is `lockdep::Mutex`.

use std::fmt;
use std::sync::TryLockError;

use lock_api::{RawMutex, RawRwLock, RawRwLockDowngrade, RawRwLockRecursive};
use lockdep::held::Mode;

use crate::guarded::{guarded, made, show};
use crate::track::{Acquired, Tracker};

/// [`lock_api::Mutex`], checked.
pub struct Mutex<R, T: ?Sized> {
    tracker: Tracker,
    inner: lock_api::Mutex<R, T>,
}

/// Access to what a [`Mutex`] protects, until dropped.
#[must_use = "dropped at once, it releases the lock at once"]
pub struct MutexGuard<'a, R: RawMutex, T: ?Sized> {
    // Dropped first: the record of the acquisition ends before the lock is free.
    _acquired: Acquired,
    inner: lock_api::MutexGuard<'a, R, T>,
}

/// [`lock_api::RwLock`], checked. [`read`](RwLock::read) counts as fair: it may have to wait for a writer that waits.
pub struct RwLock<R, T: ?Sized> {
    tracker: Tracker,
    inner: lock_api::RwLock<R, T>,
}

/// Shared access to what a [`RwLock`] protects, until dropped.
#[must_use = "dropped at once, it releases the lock at once"]
pub struct RwLockReadGuard<'a, R: RawRwLock, T: ?Sized> {
    _acquired: Acquired,
    inner: lock_api::RwLockReadGuard<'a, R, T>,
}

/// Exclusive access to what a [`RwLock`] protects, until dropped.
#[must_use = "dropped at once, it releases the lock at once"]
pub struct RwLockWriteGuard<'a, R: RawRwLock, T: ?Sized> {
    acquired: Acquired,
    inner: lock_api::RwLockWriteGuard<'a, R, T>,
}

impl<R: RawMutex, T> Mutex<R, T> {
    /// What it protects.
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<R: RawMutex, T: ?Sized> Mutex<R, T> {
    /// Waits until nobody holds it, then holds it.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, R, T> {
        let _acquired = self.tracker.acquire(Mode::Exclusive);
        MutexGuard { _acquired, inner: self.inner.lock() }
    }

    /// Holds it if nobody does.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, R, T>> {
        let trying = self.tracker.trying(Mode::Exclusive);
        self.inner.try_lock().map(|inner| MutexGuard { _acquired: trying.succeeded(), inner })
    }

    /// Whether somebody holds it.
    pub fn is_locked(&self) -> bool {
        self.inner.is_locked()
    }

    /// What it protects, without locking: the exclusive borrow excludes every holder.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }
}

impl<R: RawRwLock, T> RwLock<R, T> {
    /// What it protects.
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<R: RawRwLock, T: ?Sized> RwLock<R, T> {
    /// Waits until no writer holds it, then reads.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn read(&self) -> RwLockReadGuard<'_, R, T> {
        let _acquired = self.tracker.acquire(Mode::Shared);
        RwLockReadGuard { _acquired, inner: self.inner.read() }
    }

    /// Waits until nobody holds it, then writes.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn write(&self) -> RwLockWriteGuard<'_, R, T> {
        let acquired = self.tracker.acquire(Mode::Exclusive);
        RwLockWriteGuard { acquired, inner: self.inner.write() }
    }

    /// Reads if that takes no waiting.
    #[track_caller]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, R, T>> {
        let trying = self.tracker.trying(Mode::Shared);
        self.inner.try_read().map(|inner| RwLockReadGuard { _acquired: trying.succeeded(), inner })
    }

    /// Writes if nobody holds it.
    #[track_caller]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, R, T>> {
        let trying = self.tracker.trying(Mode::Exclusive);
        self.inner.try_write().map(|inner| RwLockWriteGuard { acquired: trying.succeeded(), inner })
    }

    /// What it protects, without locking: the exclusive borrow excludes every holder.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }
}

impl<R: RawRwLockRecursive, T: ?Sized> RwLock<R, T> {
    /// Waits until no writer holds it, passing writers that wait, then reads.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn read_recursive(&self) -> RwLockReadGuard<'_, R, T> {
        let _acquired = self.tracker.acquire(Mode::SharedRecursive);
        RwLockReadGuard { _acquired, inner: self.inner.read_recursive() }
    }
}

impl<'a, R: RawRwLockDowngrade, T: ?Sized> RwLockWriteGuard<'a, R, T> {
    /// The writer becomes a reader, without letting another writer in between.
    #[track_caller]
    pub fn downgrade(writer: Self) -> RwLockReadGuard<'a, R, T> {
        let RwLockWriteGuard { mut acquired, inner } = writer;
        acquired.downgrade(Mode::Shared);
        RwLockReadGuard { _acquired: acquired, inner: lock_api::RwLockWriteGuard::downgrade(inner) }
    }
}

impl<R: RawMutex, T: ?Sized + fmt::Debug> fmt::Debug for Mutex<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "Mutex", self.try_lock().ok_or(TryLockError::WouldBlock), None)
    }
}

impl<R: RawRwLock, T: ?Sized + fmt::Debug> fmt::Debug for RwLock<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "RwLock", self.try_read().ok_or(TryLockError::WouldBlock), None)
    }
}

made! { Mutex around lock_api::Mutex<R, T>, R: RawMutex }
made! { RwLock around lock_api::RwLock<R, T>, R: RawRwLock }
guarded! { mut MutexGuard, R: RawMutex }
guarded! { RwLockReadGuard, R: RawRwLock }
guarded! { mut RwLockWriteGuard, R: RawRwLock }
