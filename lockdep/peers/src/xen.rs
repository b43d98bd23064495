//! What Xen's `mm-locks.h` does: one level per CPU (here per thread), compared before a lock is taken and put back after.
//!
//! The least an order check can cost, and what it can see: a level that is lower than the one held. Equal levels pass.
//! The smallest form: no bias for a control domain, no name of the holder.

use std::cell::Cell;
use std::sync::OnceLock;

use crate::family::{Family, Mutex, RwLock};

thread_local! {
    static LEVEL: Cell<u32> = const { Cell::new(0) };
}

static REPORT: OnceLock<fn()> = OnceLock::new();

/// A lock and its level.
pub struct Level<L, const CLASS: u16>(L);

/// Puts the level back.
struct Before(u32);

impl Before {
    #[inline]
    fn enter(level: u32) -> Before {
        let before = LEVEL.get();
        if before > level {
            refuse(before, level);
        }
        LEVEL.set(level);
        Before(before)
    }
}

impl Drop for Before {
    #[inline]
    fn drop(&mut self) {
        LEVEL.set(self.0);
    }
}

#[cold]
fn refuse(before: u32, level: u32) {
    if let Some(report) = REPORT.get() {
        report();
    }
    panic!("level {level} wanted at level {before}");
}

/// A guard with what has to be undone after it.
pub struct Guard<G> {
    _guard: G,
    _before: Before,
}

impl<const CLASS: u16> Level<(), CLASS> {
    #[inline]
    fn enter() -> Before {
        Before::enter(u32::from(CLASS) + 1)
    }
}

type RawMutex = lock_api::Mutex<spin::Mutex<()>, ()>;
type RawRwLock = lock_api::RwLock<spin::RwLock<()>, ()>;

impl<const CLASS: u16> Mutex for Level<RawMutex, CLASS> {
    type Guard<'a> = Guard<lock_api::MutexGuard<'a, spin::Mutex<()>, ()>>;

    #[inline]
    fn lock(&self) -> Self::Guard<'_> {
        let _before = Level::<(), CLASS>::enter();
        Guard { _guard: self.0.lock(), _before }
    }

    /// Not checked, but the level is taken.
    fn try_lock(&self) -> Option<Self::Guard<'_>> {
        let _guard = self.0.try_lock()?;
        Some(Guard { _guard, _before: Before(LEVEL.replace(u32::from(CLASS) + 1)) })
    }
}

impl<const CLASS: u16> RwLock for Level<RawRwLock, CLASS> {
    type Read<'a> = Guard<lock_api::RwLockReadGuard<'a, spin::RwLock<()>, ()>>;
    type Write<'a> = Guard<lock_api::RwLockWriteGuard<'a, spin::RwLock<()>, ()>>;

    fn read(&self) -> Self::Read<'_> {
        let _before = Level::<(), CLASS>::enter();
        Guard { _guard: self.0.read(), _before }
    }

    fn write(&self) -> Self::Write<'_> {
        let _before = Level::<(), CLASS>::enter();
        Guard { _guard: self.0.write(), _before }
    }
}

/// One integer per thread.
pub struct Xen;

impl Family for Xen {
    const NAME: &'static str = "one integer";
    type Mutex<const CLASS: u16> = Level<RawMutex, CLASS>;
    type RwLock<const CLASS: u16> = Level<RawRwLock, CLASS>;

    fn start(report: fn()) {
        let _ = REPORT.set(report);
    }

    fn mutex<const CLASS: u16>() -> Self::Mutex<CLASS> {
        Level(RawMutex::new(()))
    }

    fn rwlock<const CLASS: u16>() -> Self::RwLock<CLASS> {
        Level(RawRwLock::new(()))
    }
}
