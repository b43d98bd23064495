//! Tries with a time limit. Such a wait ends in any case, so it waits for nobody, and what it gets is held like what a try gets.

use lock_api::{GetThreadId, RawMutexTimed, RawRwLockRecursiveTimed, RawRwLockTimed, RawRwLockUpgradeTimed};
use lockdep::held::Mode;

use super::{
    Mutex, MutexGuard, ReentrantMutex, ReentrantMutexGuard, RwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard,
};

/// A method with a duration and one with an instant: how the tracker is told, in which mode, and the guard.
macro_rules! limited {
    ($for:ident, $until:ident: $trying:ident($mode:ident) -> $guard:ident<$($parameter:ident),*>.$acquired:ident) => {
        /// Tries for as long as `timeout`.
        #[track_caller]
        pub fn $for(&self, timeout: R::Duration) -> Option<$guard<'_, $($parameter),*>> {
            let trying = self.tracker.$trying(Mode::$mode);
            self.inner.$for(timeout).map(|inner| $guard { $acquired: trying.succeeded(), inner })
        }

        /// Tries until `timeout`.
        #[track_caller]
        pub fn $until(&self, timeout: R::Instant) -> Option<$guard<'_, $($parameter),*>> {
            let trying = self.tracker.$trying(Mode::$mode);
            self.inner.$until(timeout).map(|inner| $guard { $acquired: trying.succeeded(), inner })
        }
    };
}

impl<R: RawMutexTimed, T: ?Sized> Mutex<R, T> {
    limited! { try_lock_for, try_lock_until: trying(Exclusive) -> MutexGuard<R, T>._acquired }
}

impl<R: RawMutexTimed, G: GetThreadId, T: ?Sized> ReentrantMutex<R, G, T> {
    limited! { try_lock_for, try_lock_until: trying_to_enter(Exclusive) -> ReentrantMutexGuard<R, G, T>._acquired }
}

impl<R: RawRwLockTimed, T: ?Sized> RwLock<R, T> {
    limited! { try_read_for, try_read_until: trying(Shared) -> RwLockReadGuard<R, T>._acquired }
    limited! { try_write_for, try_write_until: trying(Exclusive) -> RwLockWriteGuard<R, T>.acquired }
}

impl<R: RawRwLockRecursiveTimed, T: ?Sized> RwLock<R, T> {
    limited! {
        try_read_recursive_for, try_read_recursive_until:
            trying(SharedRecursive) -> RwLockReadGuard<R, T>._acquired
    }
}

impl<R: RawRwLockUpgradeTimed, T: ?Sized> RwLock<R, T> {
    limited! {
        try_upgradable_read_for, try_upgradable_read_until:
            trying(Upgradable) -> RwLockUpgradableReadGuard<R, T>.acquired
    }
}

impl<'a, R: RawRwLockUpgradeTimed, T: ?Sized> RwLockUpgradableReadGuard<'a, R, T> {
    /// Tries to become the writer for as long as `timeout`.
    ///
    /// # Errors
    /// Gives the reader back if other readers stay.
    #[track_caller]
    pub fn try_upgrade_for(reader: Self, timeout: R::Duration) -> Result<RwLockWriteGuard<'a, R, T>, Self> {
        let RwLockUpgradableReadGuard { acquired, inner } = reader;
        let result = lock_api::RwLockUpgradableReadGuard::try_upgrade_for(inner, timeout);
        RwLockUpgradableReadGuard::upgraded(acquired, result)
    }

    /// Tries to become the writer until `timeout`.
    ///
    /// # Errors
    /// Gives the reader back if other readers stay.
    #[track_caller]
    pub fn try_upgrade_until(reader: Self, timeout: R::Instant) -> Result<RwLockWriteGuard<'a, R, T>, Self> {
        let RwLockUpgradableReadGuard { acquired, inner } = reader;
        let result = lock_api::RwLockUpgradableReadGuard::try_upgrade_until(inner, timeout);
        RwLockUpgradableReadGuard::upgraded(acquired, result)
    }
}
