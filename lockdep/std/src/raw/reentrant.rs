//! The raw mutex whose holder may enter again.

use std::fmt;
use std::sync::TryLockError;

use lock_api::{GetThreadId, RawMutex};
use lockdep::held::Mode;

use crate::guarded::{guarded, made, show};
use crate::track::{Acquired, Tracker};

/// [`lock_api::ReentrantMutex`], checked: to enter it again is no recursion, two of one class are still two.
pub struct ReentrantMutex<R, G, T: ?Sized> {
    pub(super) tracker: Tracker,
    pub(super) inner: lock_api::ReentrantMutex<R, G, T>,
}

/// Shared access to what a [`ReentrantMutex`] protects, until dropped.
#[must_use = "dropped at once, it releases the lock at once"]
pub struct ReentrantMutexGuard<'a, R: RawMutex, G: GetThreadId, T: ?Sized> {
    // Dropped first: the record of the acquisition ends before the lock is free.
    pub(super) _acquired: Acquired,
    pub(super) inner: lock_api::ReentrantMutexGuard<'a, R, G, T>,
}

impl<R: RawMutex, G: GetThreadId, T> ReentrantMutex<R, G, T> {
    /// What it protects.
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<R: RawMutex, G: GetThreadId, T: ?Sized> ReentrantMutex<R, G, T> {
    /// Waits until no other thread holds it, then holds it once more.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn lock(&self) -> ReentrantMutexGuard<'_, R, G, T> {
        let _acquired = self.tracker.enter(Mode::Exclusive);
        let inner = _acquired.get(|| self.inner.try_lock(), || self.inner.lock());
        ReentrantMutexGuard { _acquired, inner }
    }

    /// Holds it once more if no other thread does.
    #[track_caller]
    pub fn try_lock(&self) -> Option<ReentrantMutexGuard<'_, R, G, T>> {
        let trying = self.tracker.trying_to_enter(Mode::Exclusive);
        self.inner.try_lock().map(|inner| ReentrantMutexGuard { _acquired: trying.succeeded(), inner })
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

impl<R: RawMutex, G: GetThreadId, T: ?Sized + fmt::Debug> fmt::Debug for ReentrantMutex<R, G, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "ReentrantMutex", self.try_lock().ok_or(TryLockError::WouldBlock), None)
    }
}

made! { ReentrantMutex around lock_api::ReentrantMutex<R, G, T>, R: RawMutex, G: GetThreadId }
guarded! { ReentrantMutexGuard, R: RawMutex, G: GetThreadId }
