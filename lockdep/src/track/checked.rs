//! The tracker of a checked build: a lock's identity, and the calls into the validator.

use core::marker::PhantomData;
use core::panic::Location;

use crate::class::LockClass;
use crate::held::{Instance, Mode};
use crate::owner::OwnerId;
use crate::report::{Assertion, Attempt};
use crate::validator;

const KEY_BITS: u32 = 48;
const NO_KEY: u64 = (1 << KEY_BITS) - 1;

/// Identity of one lock in 8 bytes: 16 bits of owner, 48 bits of instance key.
pub(crate) struct Tracker<C> {
    identity: u64,
    class: PhantomData<fn() -> C>,
}

impl<C> Tracker<C> {
    pub(crate) const fn new(owner: OwnerId, key: Option<u64>) -> Self {
        let key = match key {
            // Keys that do not fit count as the largest one: two such instances then do not nest.
            Some(key) if key < NO_KEY => key,
            Some(_) => NO_KEY - 1,
            None => NO_KEY,
        };
        Tracker { identity: (owner.get() as u64) << KEY_BITS | key, class: PhantomData }
    }
}

/// What has to be undone for one acquisition.
pub(crate) struct Acquired(Attempt);

impl<C: LockClass> Tracker<C> {
    #[track_caller]
    fn attempt(&self, mode: Mode) -> Attempt {
        let key = self.identity & NO_KEY;
        let instance = Instance {
            class: C::class(),
            owner: OwnerId::from_raw((self.identity >> KEY_BITS) as u16),
            key: (key != NO_KEY).then_some(key),
            reentrant: false,
            address: core::ptr::from_ref(self).addr(),
        };
        Attempt { instance, mode, site: Location::caller() }
    }

    /// Checks, acquires with `wait`, records.
    #[track_caller]
    pub(crate) fn acquire<G>(&self, mode: Mode, wait: impl FnOnce() -> G) -> (Acquired, G) {
        Acquired::by(self.attempt(mode), wait)
    }

    /// The same for a lock that lets its holder in again.
    #[track_caller]
    pub(crate) fn enter<G>(&self, mode: Mode, wait: impl FnOnce() -> G) -> (Acquired, G) {
        let mut attempt = self.attempt(mode);
        attempt.instance.reentrant = true;
        Acquired::by(attempt, wait)
    }

    /// Tries with `attempt`, records a success. Not checked: it never waits.
    #[track_caller]
    pub(crate) fn try_acquire<G>(
        &self,
        mode: Mode,
        attempt: impl FnOnce() -> Option<G>,
    ) -> Option<(Acquired, G)> {
        let guard = attempt()?;
        let attempt = self.attempt(mode);
        validator::tried(&attempt);
        Some((Acquired(attempt), guard))
    }

    /// Reports unless `assertion` holds of this lock.
    #[track_caller]
    pub(crate) fn assert(&self, assertion: Assertion) {
        let attempt = self.attempt(Mode::Exclusive);
        validator::assert(assertion, Some(attempt), attempt.site);
    }
}

impl Acquired {
    fn by<G>(attempt: Attempt, wait: impl FnOnce() -> G) -> (Acquired, G) {
        validator::acquire(&attempt, 0);
        // Undoes the record also when the raw lock panics.
        let acquired = Acquired(attempt);
        (acquired, wait())
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
        let from = self.0.mode;
        self.0 = Attempt { mode, site: Location::caller(), ..self.0 };
        validator::changed(&self.0, from, waits);
    }
}

impl<C> Drop for Tracker<C> {
    /// The lock goes away. A guard borrows it, so only one that was forgotten can be in the way.
    fn drop(&mut self) {
        validator::ends(core::ptr::from_ref(self).addr());
    }
}

impl Drop for Acquired {
    fn drop(&mut self) {
        validator::released(&self.0, Some(self.0.mode));
    }
}
