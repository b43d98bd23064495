//! The changes of mode of the raw reader-writer lock: upgradable read, upgrade, and the ways back.
//!
//! An upgrade waits for the other readers to leave, under everything else that is held: it is checked as an acquisition.

use lock_api::{RawRwLockUpgrade, RawRwLockUpgradeDowngrade};
use lockdep::held::Mode;

use super::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::guarded::guarded;
use crate::track::Acquired;

/// Shared access to what a [`RwLock`] protects, by the one reader that may become the writer.
#[must_use = "dropped at once, it releases the lock at once"]
pub struct RwLockUpgradableReadGuard<'a, R: RawRwLockUpgrade, T: ?Sized> {
    // Dropped first: the record of the acquisition ends before the lock is free.
    pub(super) acquired: Acquired,
    pub(super) inner: lock_api::RwLockUpgradableReadGuard<'a, R, T>,
}

impl<R: RawRwLockUpgrade, T: ?Sized> RwLock<R, T> {
    /// Waits until neither a writer nor another upgradable reader holds it, then reads.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn upgradable_read(&self) -> RwLockUpgradableReadGuard<'_, R, T> {
        let acquired = self.tracker.acquire(Mode::Upgradable);
        let inner = acquired.get(|| self.inner.try_upgradable_read(), || self.inner.upgradable_read());
        RwLockUpgradableReadGuard { acquired, inner }
    }

    /// The same if that takes no waiting.
    #[track_caller]
    pub fn try_upgradable_read(&self) -> Option<RwLockUpgradableReadGuard<'_, R, T>> {
        let trying = self.tracker.trying(Mode::Upgradable);
        let inner = self.inner.try_upgradable_read()?;
        Some(RwLockUpgradableReadGuard { acquired: trying.succeeded(), inner })
    }
}

impl<'a, R: RawRwLockUpgrade, T: ?Sized> RwLockUpgradableReadGuard<'a, R, T> {
    /// Waits until the other readers have left, then writes.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn upgrade(reader: Self) -> RwLockWriteGuard<'a, R, T> {
        let RwLockUpgradableReadGuard { mut acquired, inner } = reader;
        acquired.upgrade(Mode::Exclusive);
        RwLockWriteGuard { acquired, inner: lock_api::RwLockUpgradableReadGuard::upgrade(inner) }
    }

    /// Writes if there are no other readers.
    ///
    /// # Errors
    /// Gives the reader back if there are.
    #[track_caller]
    pub fn try_upgrade(reader: Self) -> Result<RwLockWriteGuard<'a, R, T>, Self> {
        let RwLockUpgradableReadGuard { acquired, inner } = reader;
        let upgraded = lock_api::RwLockUpgradableReadGuard::try_upgrade(inner);
        RwLockUpgradableReadGuard::upgraded(acquired, upgraded)
    }

    /// The result of a try that waits for nobody.
    #[track_caller]
    pub(super) fn upgraded(
        mut acquired: Acquired,
        result: Result<lock_api::RwLockWriteGuard<'a, R, T>, lock_api::RwLockUpgradableReadGuard<'a, R, T>>,
    ) -> Result<RwLockWriteGuard<'a, R, T>, Self> {
        match result {
            Ok(inner) => {
                acquired.change(Mode::Exclusive);
                Ok(RwLockWriteGuard { acquired, inner })
            }
            Err(inner) => Err(RwLockUpgradableReadGuard { acquired, inner }),
        }
    }
}

impl<'a, R: RawRwLockUpgradeDowngrade, T: ?Sized> RwLockUpgradableReadGuard<'a, R, T> {
    /// Goes on as a reader like any other.
    #[track_caller]
    pub fn downgrade(reader: Self) -> RwLockReadGuard<'a, R, T> {
        let RwLockUpgradableReadGuard { mut acquired, inner } = reader;
        acquired.change(Mode::Shared);
        let inner = lock_api::RwLockUpgradableReadGuard::downgrade(inner);
        RwLockReadGuard { _acquired: acquired, inner }
    }
}

impl<'a, R: RawRwLockUpgradeDowngrade, T: ?Sized> RwLockWriteGuard<'a, R, T> {
    /// The writer becomes the upgradable reader, without letting another writer in between.
    #[track_caller]
    pub fn downgrade_to_upgradable(writer: Self) -> RwLockUpgradableReadGuard<'a, R, T> {
        let RwLockWriteGuard { mut acquired, inner } = writer;
        acquired.change(Mode::Upgradable);
        let inner = lock_api::RwLockWriteGuard::downgrade_to_upgradable(inner);
        RwLockUpgradableReadGuard { acquired, inner }
    }
}

guarded! { RwLockUpgradableReadGuard, R: RawRwLockUpgrade }
