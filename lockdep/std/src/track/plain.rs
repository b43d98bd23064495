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

    pub(crate) const fn named(_name: &'static str) -> Tracker {
        Tracker
    }

    #[inline(always)]
    pub(crate) fn acquire(&self, _mode: Mode) -> Acquired {
        Acquired
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
    pub(crate) fn downgrade(&mut self, _mode: Mode) {}
}
