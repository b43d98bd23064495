//! The tracker of an unchecked build: nothing, and the same calls.

use lockdep::held::Mode;

/// No size, no state.
pub(crate) struct Tracker;

/// Nothing to undo.
pub(crate) struct Acquired;

/// Nothing to remember.
pub(crate) struct Trying;

impl Trying {
    #[inline(always)]
    pub(crate) fn succeeded(self) -> Acquired {
        Acquired
    }
}

impl Tracker {
    pub(crate) const fn here() -> Tracker {
        Tracker
    }

    pub(crate) const fn here_keyed(_key: u32) -> Tracker {
        Tracker
    }

    pub(crate) const fn named(_name: &'static str) -> Tracker {
        Tracker
    }

    #[inline(always)]
    pub(crate) fn acquire(&self, _mode: Mode) -> Acquired {
        Acquired
    }

    #[inline(always)]
    pub(crate) fn enter(&self, _mode: Mode) -> Acquired {
        Acquired
    }

    #[inline(always)]
    pub(crate) fn trying_to_enter(&self, _mode: Mode) -> Trying {
        Trying
    }

    #[inline(always)]
    pub(crate) fn trying(&self, _mode: Mode) -> Trying {
        Trying
    }

    #[inline(always)]
    pub(crate) fn might_acquire(&self) {}

    #[inline(always)]
    pub(crate) fn wait_without(&self, acquired: Acquired, _limited: bool) -> Acquired {
        acquired
    }

    #[inline(always)]
    pub(crate) fn signals(&self) {}
}

impl Acquired {
    #[inline(always)]
    pub(crate) fn get<G>(&self, _attempt: impl FnOnce() -> Option<G>, wait: impl FnOnce() -> G) -> G {
        wait()
    }

    #[inline(always)]
    pub(crate) fn got_again(&self) {}

    #[inline(always)]
    pub(crate) fn change(&mut self, _mode: Mode) {}

    #[inline(always)]
    pub(crate) fn upgrade(&mut self, _mode: Mode) {}
}
