//! The checked mutex.

use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use lock_api::RawMutex;

use crate::class::LockClass;
use crate::held::Mode;
use crate::owner::OwnerId;
use crate::report::Assertion;
use crate::track::{Acquired, Tracker};

/// A mutex of class `C` over the raw mutex `R`.
pub struct Mutex<R, T, C> {
    tracker: Tracker<C>,
    inner: lock_api::Mutex<R, T>,
}

/// Access to what a [`Mutex`] protects, until dropped.
///
/// It stays in the context that acquired, as every guard here does: on another CPU the release would be of a lock that the
/// CPU does not hold.
///
/// ```
/// fn share<C>(guard: lockdep::MutexGuard<'_, spin::Mutex<()>, u8, C>) -> impl Sync { guard }
/// ```
/// ```compile_fail
/// fn send<C>(guard: lockdep::MutexGuard<'_, spin::Mutex<()>, u8, C>) -> impl Send { guard }
/// ```
#[must_use = "dropped at once, it releases the lock at once"]
pub struct MutexGuard<'a, R: RawMutex, T, C> {
    // Dropped first: the record of the acquisition ends before the lock is free.
    _acquired: Acquired,
    inner: lock_api::MutexGuard<'a, R, T>,
    class: PhantomData<fn() -> C>,
}

impl<R: RawMutex, T, C> Mutex<R, T, C> {
    /// A mutex that belongs to nobody.
    pub const fn new(value: T) -> Self {
        Self::owned(OwnerId::NOBODY, value)
    }

    /// A mutex that belongs to `owner`.
    pub const fn owned(owner: OwnerId, value: T) -> Self {
        Mutex { tracker: Tracker::new(owner, None), inner: lock_api::Mutex::new(value) }
    }

    /// A mutex with its place in the instance order of its class (`ordered_by`).
    pub const fn keyed(owner: OwnerId, key: u64, value: T) -> Self {
        Mutex { tracker: Tracker::new(owner, Some(key)), inner: lock_api::Mutex::new(value) }
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

impl<R: RawMutex, T, C: LockClass> Mutex<R, T, C> {
    /// Waits until nobody holds it, then holds it.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, R, T, C> {
        let (_acquired, inner) =
            self.tracker.acquire(Mode::Exclusive, || self.inner.try_lock(), || self.inner.lock());
        MutexGuard { _acquired, inner, class: PhantomData }
    }

    /// Reports unless this CPU holds it.
    #[track_caller]
    pub fn assert_held(&self) {
        self.tracker.assert(Assertion::Held);
    }

    /// Reports if this CPU holds it.
    #[track_caller]
    pub fn assert_not_held(&self) {
        self.tracker.assert(Assertion::NotHeld);
    }

    /// Holds it if nobody does.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, R, T, C>> {
        let (_acquired, inner) = self.tracker.try_acquire(Mode::Exclusive, || self.inner.try_lock())?;
        Some(MutexGuard { _acquired, inner, class: PhantomData })
    }
}

impl<R: RawMutex, T, C> Deref for MutexGuard<'_, R, T, C> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<R: RawMutex, T, C> DerefMut for MutexGuard<'_, R, T, C> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}
