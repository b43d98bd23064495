//! The changes of mode of the reader-writer lock: downgrade, upgradable read, upgrade.
//!
//! An upgradable reader excludes writers and its like, so it is held as a reader is; an upgrade waits for the other
//! readers to leave while everything else stays held, so it is checked as an acquisition under all of that.

use core::marker::PhantomData;
use core::ops::Deref;

use lock_api::{RawRwLockDowngrade, RawRwLockUpgrade};

use super::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::class::LockClass;
use crate::held::Mode;
use crate::track::Acquired;

/// Shared access to what a [`RwLock`] protects, by the one reader that may become the writer.
#[must_use = "dropped at once, it releases the lock at once"]
pub struct RwLockUpgradableReadGuard<'a, R: RawRwLockUpgrade, T, C> {
    // Dropped first: the record of the acquisition ends before the lock is free.
    acquired: Acquired,
    inner: lock_api::RwLockUpgradableReadGuard<'a, R, T>,
    class: PhantomData<fn() -> C>,
}

impl<'a, R: RawRwLockDowngrade, T, C> RwLockWriteGuard<'a, R, T, C> {
    /// Goes on as a reader, without letting a writer in between.
    #[track_caller]
    pub fn downgrade(mut self) -> RwLockReadGuard<'a, R, T, C> {
        self._acquired.downgrade(Mode::Shared);
        let inner = lock_api::RwLockWriteGuard::downgrade(self.inner);
        RwLockReadGuard { _acquired: self._acquired, inner, class: PhantomData }
    }
}

impl<R: RawRwLockUpgrade, T, C: LockClass> RwLock<R, T, C> {
    /// Waits until neither a writer nor another upgradable reader holds it, then reads.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn upgradable_read(&self) -> RwLockUpgradableReadGuard<'_, R, T, C> {
        let (acquired, inner) = self.tracker.acquire(
            Mode::Upgradable,
            || self.inner.try_upgradable_read(),
            || self.inner.upgradable_read(),
        );
        RwLockUpgradableReadGuard { acquired, inner, class: PhantomData }
    }
}

impl<'a, R: RawRwLockUpgrade, T, C> RwLockUpgradableReadGuard<'a, R, T, C> {
    /// Waits until the other readers have left, then writes.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn upgrade(mut self) -> RwLockWriteGuard<'a, R, T, C> {
        self.acquired.upgrade(Mode::Exclusive);
        let inner = lock_api::RwLockUpgradableReadGuard::upgrade(self.inner);
        RwLockWriteGuard { _acquired: self.acquired, inner, class: PhantomData }
    }
}

impl<R: RawRwLockUpgrade, T, C> Deref for RwLockUpgradableReadGuard<'_, R, T, C> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}
