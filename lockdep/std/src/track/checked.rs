//! The tracker of a checked build: where a lock comes from, and the calls into `lockdep`'s hooks.

use std::panic::Location;

use lockdep::OwnerId;
use lockdep::held::{Instance, Mode};
use lockdep::hooks;
use lockdep::report::Attempt;

use crate::origin::Origin;

/// The identity of one lock: its own address, aligned as the hooks want it, and the origin that its class stands for.
#[repr(align(8))]
pub(crate) struct Tracker(Origin);

/// What has to be undone for one acquisition.
pub(crate) struct Acquired(Attempt);

/// An attempt that does not wait, nor count unless it succeeds.
pub(crate) struct Trying(Attempt);

impl Trying {
    /// It succeeded.
    pub(crate) fn succeeded(self) -> Acquired {
        hooks::acquired_by_try(&self.0);
        Acquired(self.0)
    }
}

impl Tracker {
    #[track_caller]
    pub(crate) const fn here() -> Tracker {
        Tracker(Origin::Site(Location::caller()))
    }

    pub(crate) const fn named(name: &'static str) -> Tracker {
        Tracker(Origin::Named(name))
    }

    #[track_caller]
    fn attempt(&self, mode: Mode) -> Attempt {
        let instance = Instance {
            class: self.0.class(),
            owner: OwnerId::NOBODY,
            key: None,
            reentrant: false,
            address: std::ptr::from_ref(self).addr(),
        };
        Attempt { instance, mode, site: Location::caller() }
    }

    /// Before waiting for it.
    #[track_caller]
    pub(crate) fn acquire(&self, mode: Mode) -> Acquired {
        let attempt = self.attempt(mode);
        hooks::acquire(&attempt);
        Acquired(attempt)
    }

    /// Before an attempt that does not wait.
    #[track_caller]
    pub(crate) fn trying(&self, mode: Mode) -> Trying {
        Trying(self.attempt(mode))
    }

    /// Where it could have been waited for, had it not been over already.
    #[track_caller]
    pub(crate) fn might_acquire(&self) {
        hooks::might_acquire(&self.attempt(Mode::Exclusive));
    }

    /// Lets go of `acquired` while this is waited for, and acquires it again. A wait with a time limit ends in any
    /// case and so waits for nobody.
    #[track_caller]
    pub(crate) fn wait_without(&self, acquired: Acquired, limited: bool) -> Acquired {
        let again = Attempt { site: Location::caller(), ..acquired.0 };
        drop(acquired);
        if !limited {
            self.might_acquire();
        }
        hooks::acquire(&again);
        Acquired(again)
    }

    /// Whoever waits for this is let go.
    #[track_caller]
    pub(crate) fn signals(&self) {
        hooks::signals(&self.attempt(Mode::Exclusive));
    }
}

impl Acquired {
    /// The holder goes on in `mode` without waiting.
    #[track_caller]
    pub(crate) fn downgrade(&mut self, mode: Mode) {
        let from = self.0.mode;
        self.0 = Attempt { mode, site: Location::caller(), ..self.0 };
        hooks::downgrade(&self.0, from);
    }
}

impl Drop for Acquired {
    fn drop(&mut self) {
        hooks::release(&self.0);
    }
}

impl Drop for Tracker {
    /// The lock goes away. A guard borrows it, so only one that was forgotten can be in the way.
    fn drop(&mut self) {
        hooks::ends(std::ptr::from_ref(self).addr());
    }
}
