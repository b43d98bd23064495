//! Locks that check nothing: what the others are compared with.

use crate::family::{Family, Mutex, RwLock};

/// A family whose mutex and reader-writer lock are used as std's are, but for what `lock` gives.
macro_rules! family {
    (
        $(#[$doc:meta])* $family:ident $name:literal: $mutex:ty, $guard:ty, $rwlock:ty, $read:ty, $write:ty;
        tries $tries:literal; lag $lag:literal; lock($l:ident) $lock:expr; try_lock($t:ident) $try:expr; read($r:ident) $reading:expr; write($w:ident) $writing:expr;
        mutex($class:ident) $new:expr; rwlock $new_rw:expr; start($report:ident) $start:expr;
    ) => {
        $(#[$doc])*
        pub struct $family;

        impl<const CLASS: u16> Mutex for $crate::raw::Of<$mutex, CLASS> {
            type Guard<'a> = $guard;
            #[inline]
            #[track_caller]
            fn lock(&self) -> Self::Guard<'_> {
                let $l = &self.0;
                $lock
            }
            #[inline]
            #[track_caller]
            fn try_lock(&self) -> Option<Self::Guard<'_>> {
                let $t = &self.0;
                $try
            }
        }

        impl<const CLASS: u16> RwLock for $crate::raw::Of<$rwlock, CLASS> {
            type Read<'a> = $read;
            type Write<'a> = $write;
            #[track_caller]
            fn read(&self) -> Self::Read<'_> {
                let $r = &self.0;
                $reading
            }
            #[track_caller]
            fn write(&self) -> Self::Write<'_> {
                let $w = &self.0;
                $writing
            }
        }

        impl Family for $family {
            const NAME: &'static str = $name;
            const TRIES: bool = $tries;
            const LAG: std::time::Duration = std::time::Duration::from_millis($lag);
            type Mutex<const CLASS: u16> = $crate::raw::Of<$mutex, CLASS>;
            type RwLock<const CLASS: u16> = $crate::raw::Of<$rwlock, CLASS>;
            fn start($report: fn()) {
                $start
            }
            #[track_caller]
            fn mutex<const CLASS: u16>() -> Self::Mutex<CLASS> {
                let $class = CLASS;
                $crate::raw::Of($new)
            }
            #[track_caller]
            fn rwlock<const CLASS: u16>() -> Self::RwLock<CLASS> {
                let $class = CLASS;
                $crate::raw::Of($new_rw)
            }
        }
    };
}
pub(crate) use family;

/// A lock with the class that its type would have if it were ours.
pub struct Of<L, const CLASS: u16>(pub(crate) L);

family! {
    /// The standard library's.
    Std "std": std::sync::Mutex<()>, std::sync::MutexGuard<'a, ()>,
        std::sync::RwLock<()>, std::sync::RwLockReadGuard<'a, ()>, std::sync::RwLockWriteGuard<'a, ()>;
    tries true; lag 0; lock(lock) lock.lock().expect("not poisoned");
    try_lock(lock) lock.try_lock().ok();
    read(lock) lock.read().expect("not poisoned");
    write(lock) lock.write().expect("not poisoned");
    mutex(_class) std::sync::Mutex::new(());
    rwlock std::sync::RwLock::new(());
    start(_report) ();
}

family! {
    /// parking_lot's.
    ParkingLot "parking_lot": parking_lot::Mutex<()>, parking_lot::MutexGuard<'a, ()>,
        parking_lot::RwLock<()>, parking_lot::RwLockReadGuard<'a, ()>, parking_lot::RwLockWriteGuard<'a, ()>;
    tries true; lag 0; lock(lock) lock.lock();
    try_lock(lock) lock.try_lock();
    read(lock) lock.read();
    write(lock) lock.write();
    mutex(_class) parking_lot::Mutex::new(());
    rwlock parking_lot::RwLock::new(());
    start(_report) ();
}

type SpinMutex = lock_api::Mutex<spin::Mutex<()>, ()>;
type SpinRwLock = lock_api::RwLock<spin::RwLock<()>, ()>;

family! {
    /// spin's, the raw lock under ours.
    Spin "spin": SpinMutex, lock_api::MutexGuard<'a, spin::Mutex<()>, ()>, SpinRwLock,
        lock_api::RwLockReadGuard<'a, spin::RwLock<()>, ()>, lock_api::RwLockWriteGuard<'a, spin::RwLock<()>, ()>;
    tries true; lag 0; lock(lock) lock.lock();
    try_lock(lock) lock.try_lock();
    read(lock) lock.read();
    write(lock) lock.write();
    mutex(_class) SpinMutex::new(());
    rwlock SpinRwLock::new(());
    start(_report) ();
}
