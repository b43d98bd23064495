//! What all locks and guards here have in common: how a lock is made and shown, that a guard is the value it guards, and the one
//! way in which a lock's poison goes through a wrapper. Not how they wait: that is each lock's own.

use std::fmt;
use std::ops::Deref;
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};

/// The ways to make a lock around `$inner`, each with its class.
macro_rules! made {
    ($lock:ident around $inner:ty $(, $raw:ident: $bound:path)?) => {
        impl<$($raw: $bound,)? T> $lock<$($raw,)? T> {
            /// One of the class of those that are made here.
            #[track_caller]
            pub const fn new(value: T) -> Self {
                $lock { tracker: Tracker::here(), inner: <$inner>::new(value) }
            }

            /// One of the class of the locks of this name.
            pub const fn named(name: &'static str, value: T) -> Self {
                $lock { tracker: Tracker::named(name), inner: <$inner>::new(value) }
            }

            /// One of the class of the locks around a `T`, wherever they are made.
            pub fn of_type(value: T) -> Self {
                Self::named(std::any::type_name::<T>(), value)
            }
        }

        impl<$($raw: $bound,)? T: Default> Default for $lock<$($raw,)? T> {
            #[track_caller]
            fn default() -> Self {
                $lock::new(T::default())
            }
        }

        impl<$($raw: $bound,)? T> From<T> for $lock<$($raw,)? T> {
            #[track_caller]
            fn from(value: T) -> Self {
                $lock::new(value)
            }
        }
    };
}

pub(crate) use made;

/// `Deref`, `Debug` and `Display` by the field `inner`; with `mut`, `DerefMut` too.
macro_rules! guarded {
    ($guard:ident $(, $raw:ident: $bound:path)?) => {
        impl<$($raw: $bound,)? T: ?Sized> std::ops::Deref for $guard<'_, $($raw,)? T> {
            type Target = T;
            fn deref(&self) -> &T {
                &self.inner
            }
        }

        impl<$($raw: $bound,)? T: ?Sized + std::fmt::Debug> std::fmt::Debug for $guard<'_, $($raw,)? T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<$($raw: $bound,)? T: ?Sized + std::fmt::Display> std::fmt::Display for $guard<'_, $($raw,)? T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                (**self).fmt(f)
            }
        }
    };
    (mut $guard:ident $(, $raw:ident: $bound:path)?) => {
        crate::guarded::guarded! { $guard $(, $raw: $bound)? }

        impl<$($raw: $bound,)? T: ?Sized> std::ops::DerefMut for $guard<'_, $($raw,)? T> {
            fn deref_mut(&mut self) -> &mut T {
                &mut self.inner
            }
        }
    };
}

pub(crate) use guarded;

/// The same result around something made of the content, poisoned or not.
pub(crate) fn map<G, H>(result: LockResult<G>, wrap: impl FnOnce(G) -> H) -> LockResult<H> {
    match result {
        Ok(guard) => Ok(wrap(guard)),
        Err(poisoned) => Err(PoisonError::new(wrap(poisoned.into_inner()))),
    }
}

/// The same for a try: nothing is wrapped if it got nothing.
pub(crate) fn try_map<G, H>(result: TryLockResult<G>, wrap: impl FnOnce(G) -> H) -> TryLockResult<H> {
    match result {
        Ok(guard) => Ok(wrap(guard)),
        Err(TryLockError::Poisoned(poisoned)) => Err(PoisonError::new(wrap(poisoned.into_inner())).into()),
        Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
    }
}

/// A lock as text, with its data where `tried` got them. The try is the checked one, so that what their own text takes is
/// nested in the lock. Locks that are not poisoned have no such field.
pub(crate) fn show<T: ?Sized + fmt::Debug>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    tried: TryLockResult<impl Deref<Target = T>>,
    poisoned: Option<bool>,
) -> fmt::Result {
    let mut shown = f.debug_struct(name);
    match &tried {
        Ok(data) => shown.field("data", &&**data),
        Err(TryLockError::Poisoned(data)) => shown.field("data", &&**data.get_ref()),
        Err(TryLockError::WouldBlock) => shown.field("data", &format_args!("<locked>")),
    };
    match poisoned {
        Some(poisoned) => shown.field("poisoned", &poisoned).finish_non_exhaustive(),
        None => shown.finish(),
    }
}
