//! The tracker of an unchecked build: nothing, and the same calls.

use core::marker::PhantomData;

use crate::held::Mode;
use crate::owner::OwnerId;
use crate::report::Assertion;

/// No size, no state.
pub(crate) struct Tracker<C>(PhantomData<fn() -> C>);

/// Nothing to undo. It stays in its context, as in a checked build.
pub(crate) struct Acquired(PhantomData<lock_api::GuardNoSend>);

impl<C> Tracker<C> {
    pub(crate) const fn new(_owner: OwnerId, _key: Option<u64>) -> Self {
        Tracker(PhantomData)
    }

    #[inline(always)]
    pub(crate) fn acquire<G>(
        &self,
        _mode: Mode,
        _attempt: impl FnOnce() -> Option<G>,
        wait: impl FnOnce() -> G,
    ) -> (Acquired, G) {
        (Acquired(PhantomData), wait())
    }

    #[inline(always)]
    pub(crate) fn enter<G>(
        &self,
        mode: Mode,
        attempt: impl FnOnce() -> Option<G>,
        wait: impl FnOnce() -> G,
    ) -> (Acquired, G) {
        self.acquire(mode, attempt, wait)
    }

    #[inline(always)]
    pub(crate) fn try_acquire<G>(
        &self,
        _mode: Mode,
        attempt: impl FnOnce() -> Option<G>,
    ) -> Option<(Acquired, G)> {
        Some((Acquired(PhantomData), attempt()?))
    }

    #[inline(always)]
    pub(crate) fn assert(&self, _assertion: Assertion) {}
}

impl Acquired {
    #[inline(always)]
    pub(crate) fn downgrade(&mut self, _mode: Mode) {}

    #[inline(always)]
    pub(crate) fn upgrade(&mut self, _mode: Mode) {}
}
