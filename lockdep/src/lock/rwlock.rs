//! The checked reader-writer lock.

use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use lock_api::{RawRwLock, RawRwLockRecursive};

use crate::class::LockClass;
use crate::held::Mode;
use crate::owner::OwnerId;
use crate::report::Assertion;
use crate::track::{Acquired, Tracker};

/// A reader-writer lock of class `C` over the raw lock `R`. Readers count as fair: they may have to wait for a
/// writer that waits, so a second read of one instance by its holder is a recursion. Where the raw lock lets readers
/// pass waiting writers, [`read_recursive`](RwLock::read_recursive) says that this one does.
pub struct RwLock<R, T, C> {
    pub(super) tracker: Tracker<C>,
    pub(super) inner: lock_api::RwLock<R, T>,
}

/// Shared access to what a [`RwLock`] protects, until dropped.
#[must_use = "dropped at once, it releases the lock at once"]
pub struct RwLockReadGuard<'a, R: RawRwLock, T, C> {
    // Dropped first: the record of the acquisition ends before the lock is free.
    pub(super) _acquired: Acquired,
    pub(super) inner: lock_api::RwLockReadGuard<'a, R, T>,
    pub(super) class: PhantomData<fn() -> C>,
}

/// Exclusive access to what a [`RwLock`] protects, until dropped.
#[must_use = "dropped at once, it releases the lock at once"]
pub struct RwLockWriteGuard<'a, R: RawRwLock, T, C> {
    pub(super) _acquired: Acquired,
    pub(super) inner: lock_api::RwLockWriteGuard<'a, R, T>,
    pub(super) class: PhantomData<fn() -> C>,
}

impl<R: RawRwLock, T, C> RwLock<R, T, C> {
    /// A lock that belongs to nobody.
    pub const fn new(value: T) -> Self {
        Self::owned(OwnerId::NOBODY, value)
    }

    /// A lock that belongs to `owner`.
    pub const fn owned(owner: OwnerId, value: T) -> Self {
        RwLock { tracker: Tracker::new(owner, None), inner: lock_api::RwLock::new(value) }
    }

    /// A lock with its place in the instance order of its class (`ordered_by`).
    pub const fn keyed(owner: OwnerId, key: u64, value: T) -> Self {
        RwLock { tracker: Tracker::new(owner, Some(key)), inner: lock_api::RwLock::new(value) }
    }

    /// What it protects, without locking: the exclusive borrow excludes every holder.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }

    /// What it protects.
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<R: RawRwLock, T, C: LockClass> RwLock<R, T, C> {
    /// Waits until no writer holds it, then reads.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn read(&self) -> RwLockReadGuard<'_, R, T, C> {
        let (_acquired, inner) =
            self.tracker.acquire(Mode::Shared, || self.inner.try_read(), || self.inner.read());
        RwLockReadGuard { _acquired, inner, class: PhantomData }
    }

    /// Waits until nobody holds it, then writes.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn write(&self) -> RwLockWriteGuard<'_, R, T, C> {
        let (_acquired, inner) =
            self.tracker.acquire(Mode::Exclusive, || self.inner.try_write(), || self.inner.write());
        RwLockWriteGuard { _acquired, inner, class: PhantomData }
    }

    /// Reports unless this CPU holds it.
    #[track_caller]
    pub fn assert_held(&self) {
        self.tracker.assert(Assertion::Held);
    }

    /// Reports unless this CPU writes.
    #[track_caller]
    pub fn assert_held_exclusively(&self) {
        self.tracker.assert(Assertion::HeldExclusively);
    }

    /// Reports if this CPU holds it.
    #[track_caller]
    pub fn assert_not_held(&self) {
        self.tracker.assert(Assertion::NotHeld);
    }

    /// Reads if no writer holds it.
    #[track_caller]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, R, T, C>> {
        let (_acquired, inner) = self.tracker.try_acquire(Mode::Shared, || self.inner.try_read())?;
        Some(RwLockReadGuard { _acquired, inner, class: PhantomData })
    }

    /// Writes if nobody holds it.
    #[track_caller]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, R, T, C>> {
        let (_acquired, inner) = self.tracker.try_acquire(Mode::Exclusive, || self.inner.try_write())?;
        Some(RwLockWriteGuard { _acquired, inner, class: PhantomData })
    }
}

impl<R: RawRwLockRecursive, T, C: LockClass> RwLock<R, T, C> {
    /// Waits until no writer holds it, whoever else waits, then reads. Its reader may read it again.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn read_recursive(&self) -> RwLockReadGuard<'_, R, T, C> {
        let (_acquired, inner) = self.tracker.acquire(
            Mode::SharedRecursive,
            || self.inner.try_read_recursive(),
            || self.inner.read_recursive(),
        );
        RwLockReadGuard { _acquired, inner, class: PhantomData }
    }
}

impl<R: RawRwLock, T, C> Deref for RwLockReadGuard<'_, R, T, C> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<R: RawRwLock, T, C> Deref for RwLockWriteGuard<'_, R, T, C> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<R: RawRwLock, T, C> DerefMut for RwLockWriteGuard<'_, R, T, C> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}
