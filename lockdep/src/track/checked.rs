//! The tracker of a checked build: a lock's identity, and the calls into the validator.

use core::marker::PhantomData;
use core::mem;
use core::panic::Location;

use crate::class::LockClass;
use crate::held::Mode;
use crate::hold::{Hold, Identity, Kept};
use crate::owner::OwnerId;
use crate::report::Assertion;
use crate::validator;
use crate::visit::Stay;

/// Identity of one lock in 8 bytes.
pub(crate) struct Tracker<C> {
    identity: Identity,
    class: PhantomData<fn() -> C>,
}

impl<C> Tracker<C> {
    pub(crate) const fn new(owner: OwnerId, key: Option<u64>) -> Self {
        Tracker { identity: Identity::new(owner, key), class: PhantomData }
    }
}

/// What has to be undone for one acquisition.
pub(crate) struct Acquired {
    kept: Kept,
    stay: Stay,
}

impl<C: LockClass> Tracker<C> {
    #[track_caller]
    #[inline(always)]
    fn hold(&self, mode: Mode) -> Hold {
        Hold::new(&self.identity, C::class(), mode, Location::caller())
    }

    /// Checks, records, acquires: with `wait`, or where a wait is to be noticed first with `attempt`.
    #[track_caller]
    #[inline(always)]
    pub(crate) fn acquire<G>(
        &self,
        mode: Mode,
        attempt: impl FnOnce() -> Option<G>,
        wait: impl FnOnce() -> G,
    ) -> (Acquired, G) {
        Acquired::by(self.hold(mode), attempt, wait)
    }

    /// The same for a lock that lets its holder in again.
    #[track_caller]
    #[inline(always)]
    pub(crate) fn enter<G>(
        &self,
        mode: Mode,
        attempt: impl FnOnce() -> Option<G>,
        wait: impl FnOnce() -> G,
    ) -> (Acquired, G) {
        Acquired::by(self.hold(mode).reentrant(true), attempt, wait)
    }

    /// Tries with `attempt`, records a success. Not checked: it never waits.
    #[track_caller]
    #[inline(always)]
    pub(crate) fn try_acquire<G>(
        &self,
        mode: Mode,
        attempt: impl FnOnce() -> Option<G>,
    ) -> Option<(Acquired, G)> {
        let guard = attempt()?;
        let hold = self.hold(mode);
        Some((Acquired { kept: hold.kept(), stay: validator::tried(hold) }, guard))
    }

    /// Reports unless `assertion` holds of this lock.
    #[track_caller]
    pub(crate) fn assert(&self, assertion: Assertion) {
        let hold = self.hold(Mode::Exclusive);
        validator::assert(assertion, Some(hold.attempt()), hold.site);
    }
}

impl Acquired {
    #[inline(always)]
    fn by<G>(hold: Hold, attempt: impl FnOnce() -> Option<G>, wait: impl FnOnce() -> G) -> (Acquired, G) {
        let stay = if let Some(stay) = validator::acquire_at_once(&hold) {
            stay
        } else if let Some(stay) = validator::acquire_across(&hold) {
            stay
        } else {
            let (stay, got) = Acquired::by_and_by(hold, attempt, wait);
            return (Acquired { kept: hold.kept(), stay }, got);
        };
        // Undoes the record also when the raw lock panics.
        let acquired = Acquired { kept: hold.kept(), stay };
        (acquired, wait())
    }

    /// Gives parts back and not the whole, which would have to be in memory where it is made at once, too.
    #[cold]
    #[inline(never)]
    fn by_and_by<G>(hold: Hold, attempt: impl FnOnce() -> Option<G>, wait: impl FnOnce() -> G) -> (Stay, G) {
        let acquired = Acquired { kept: hold.kept(), stay: validator::acquire_nested(hold, 0) };
        let got = validator::get(&hold, attempt, wait);
        let stay = acquired.stay.clone();
        mem::forget(acquired);
        (stay, got)
    }

    /// The holder goes on in `mode` without waiting.
    #[track_caller]
    pub(crate) fn downgrade(&mut self, mode: Mode) {
        self.change(mode, false);
    }

    /// The holder waits until it can go on in `mode`.
    #[track_caller]
    pub(crate) fn upgrade(&mut self, mode: Mode) {
        self.change(mode, true);
    }

    #[track_caller]
    fn change(&mut self, mode: Mode, waits: bool) {
        let mut hold = self.kept.hold();
        let from = hold.mode();
        hold.change(mode);
        hold.site = Location::caller();
        self.kept = hold.kept();
        validator::changed(hold, from, waits);
    }
}

impl<C> Drop for Tracker<C> {
    /// The lock goes away. A guard borrows it, so only one that was forgotten can be in the way.
    fn drop(&mut self) {
        validator::ends(core::ptr::from_ref(&self.identity).addr());
    }
}

impl Drop for Acquired {
    #[inline(always)]
    fn drop(&mut self) {
        validator::released(self.kept, &self.stay);
    }
}
