//! The checked mutex whose holder may enter again.

use core::marker::PhantomData;
use core::ops::Deref;

use lock_api::RawMutex;

use crate::class::{Declaration, Declared, Flags, LockClass};
use crate::cpu::CpuThread;
use crate::held::Mode;
use crate::owner::OwnerId;
use crate::report::Assertion;
use crate::track::{Acquired, Tracker};

/// A mutex of a class declared `recursive`, over the raw mutex `R`. Since its holder can hold several guards,
/// they give shared access only; put a `Cell` or `RefCell` inside to write.
pub struct ReentrantMutex<R, T, C> {
    tracker: Tracker<C>,
    inner: lock_api::ReentrantMutex<R, CpuThread, T>,
}

/// Access to what a [`ReentrantMutex`] protects, until dropped.
#[must_use = "dropped at once, it releases the lock at once"]
pub struct ReentrantMutexGuard<'a, R: RawMutex, T, C> {
    // Dropped first: the record of the acquisition ends before the lock is free.
    _acquired: Acquired,
    inner: lock_api::ReentrantMutexGuard<'a, R, CpuThread, T>,
    class: PhantomData<fn() -> C>,
}

impl<R: RawMutex, T, D: Declaration, const LEVEL: u16, const FLAGS: u8>
    ReentrantMutex<R, T, Declared<D, LEVEL, FLAGS>>
{
    const DECLARED_RECURSIVE: () = assert!(
        Flags::from_bits(FLAGS).contains(Flags::RECURSIVE),
        "the class of a ReentrantMutex must be declared `recursive` in its lock_order!"
    );

    /// A mutex that belongs to nobody.
    pub const fn new(value: T) -> Self {
        Self::owned(OwnerId::NOBODY, value)
    }

    /// A mutex that belongs to `owner`.
    pub const fn owned(owner: OwnerId, value: T) -> Self {
        let () = Self::DECLARED_RECURSIVE;
        ReentrantMutex { tracker: Tracker::new(owner, None), inner: lock_api::ReentrantMutex::new(value) }
    }
}

impl<R: RawMutex, T, C: LockClass> ReentrantMutex<R, T, C> {
    /// Waits until no other CPU holds it, then holds it once more.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused; and before `cpu::install`.
    #[track_caller]
    pub fn lock(&self) -> ReentrantMutexGuard<'_, R, T, C> {
        let (_acquired, inner) =
            self.tracker.enter(Mode::Exclusive, || self.inner.try_lock(), || self.inner.lock());
        ReentrantMutexGuard { _acquired, inner, class: PhantomData }
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
}

impl<R: RawMutex, T, C> Deref for ReentrantMutexGuard<'_, R, T, C> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}
