//! What every guard is to its user: the value it guards. And the one way in which a lock's poison goes through a wrapper.

use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};

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
