//! Locks and guards as text: the class, and the data where they can be had without waiting.
//!
//! The data are read under the lock, by a try that is recorded like any other: what their own text takes is nested in it.

use core::fmt;

use lock_api::{RawMutex, RawRwLock, RawRwLockUpgrade};

use super::{
    Mutex, MutexGuard, ReentrantMutex, ReentrantMutexGuard, RwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard,
};
use crate::class::{Class, LockClass};

/// `board::pawn`, or the bare name of what no order declares.
struct Named(&'static Class);

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            class if class.is_declared() => write!(f, "{}::{}", class.order, class.name),
            class => f.write_str(class.name),
        }
    }
}

/// `Mutex { class: board::pawn, data: 3 }`, `Mutex { class: board::pawn, data: <locked> }`.
fn lock(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    class: &'static Class,
    data: Option<&dyn fmt::Debug>,
) -> fmt::Result {
    f.debug_struct(name)
        .field("class", &Named(class))
        .field("data", data.unwrap_or(&format_args!("<locked>")))
        .finish()
}

impl<R: RawMutex, T: fmt::Debug, C: LockClass> fmt::Debug for Mutex<R, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = self.try_lock();
        lock(f, "Mutex", C::class(), data.as_deref().map(|data| data as &dyn fmt::Debug))
    }
}

impl<R: RawRwLock, T: fmt::Debug, C: LockClass> fmt::Debug for RwLock<R, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = self.try_read();
        lock(f, "RwLock", C::class(), data.as_deref().map(|data| data as &dyn fmt::Debug))
    }
}

/// Its data are not shown: it has no way to try.
impl<R, T, C: LockClass> fmt::Debug for ReentrantMutex<R, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReentrantMutex").field("class", &Named(C::class())).finish_non_exhaustive()
    }
}

/// Guards are shown as what they protect.
macro_rules! as_data {
    ($($guard:ident: $raw:ident),*) => {$(
        impl<R: $raw, T: fmt::Debug, C> fmt::Debug for $guard<'_, R, T, C> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&**self, f)
            }
        }

        impl<R: $raw, T: fmt::Display, C> fmt::Display for $guard<'_, R, T, C> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&**self, f)
            }
        }
    )*};
}

as_data!(
    MutexGuard: RawMutex,
    ReentrantMutexGuard: RawMutex,
    RwLockReadGuard: RawRwLock,
    RwLockWriteGuard: RawRwLock,
    RwLockUpgradableReadGuard: RawRwLockUpgrade
);
