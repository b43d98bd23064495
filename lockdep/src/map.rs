//! A lock that only the checker sees.
//!
//! For locks that are not ours to wrap, and for waits that are not locks: a work queue's flush, memory reclaim, a
//! completion (Linux: `struct lockdep_map`). Whoever has the real thing calls [`Map::acquire`] before it waits and
//! [`Map::release`] before it lets go. A map excludes nobody. With checking off the calls are empty.

use core::panic::Location;

use crate::class::{Class, Flags};
use crate::held::Mode;
use crate::hold::{Hold, Identity};
use crate::owner::OwnerId;
use crate::report::Assertion;
use crate::validator;

/// The identity of something that is waited for.
#[derive(Debug)]
pub struct Map {
    class: &'static Class,
    identity: Identity,
}

impl Map {
    /// A map of this class that belongs to nobody.
    pub const fn new(class: &'static Class) -> Map {
        Map::owned(class, OwnerId::NOBODY)
    }

    /// A map that belongs to `owner`.
    pub const fn owned(class: &'static Class, owner: OwnerId) -> Map {
        Map { class, identity: Identity::new(owner, None) }
    }

    /// A map with its place in the instance order of its class. Keys of more than 48 bits count as one, the largest.
    pub const fn keyed(class: &'static Class, owner: OwnerId, key: u64) -> Map {
        Map { class, identity: Identity::new(owner, Some(key)) }
    }

    fn address(&self) -> usize {
        core::ptr::from_ref(&self.identity).addr()
    }

    #[track_caller]
    fn hold(&self, mode: Mode) -> Hold {
        // A map is no lock: what it stands for is as its class says.
        let reentrant = self.class.flags.contains(Flags::RECURSIVE);
        Hold::new(&self.identity, self.class, mode, Location::caller()).reentrant(reentrant)
    }

    /// Before waiting for it.
    #[track_caller]
    pub fn acquire(&self, mode: Mode) {
        if crate::CHECKED {
            validator::acquire(self.hold(mode));
        }
    }

    /// Before waiting for it, under a lock that makes its class take turns. That lock must be held until after this one
    /// is released.
    #[track_caller]
    pub fn acquire_nested(&self, mode: Mode, nest: &Map) {
        if crate::CHECKED {
            validator::acquire_nested(self.hold(mode), nest.address());
        }
    }

    /// After getting it without waiting.
    #[track_caller]
    pub fn acquired_by_try(&self, mode: Mode) {
        if crate::CHECKED {
            validator::tried(self.hold(mode));
        }
    }

    /// Where it may be waited for on some path, though not now (Linux: `might_lock`).
    #[track_caller]
    pub fn might_acquire(&self, mode: Mode) {
        if crate::CHECKED {
            validator::might_acquire(&self.hold(mode));
        }
    }

    /// Before letting it go.
    #[track_caller]
    pub fn release(&self) {
        if crate::CHECKED {
            validator::released_slowly(self.hold(Mode::Exclusive), None);
        }
    }

    /// The same where this CPU may hold it several times: the youngest hold in this mode ends.
    #[track_caller]
    pub fn release_as(&self, mode: Mode) {
        if crate::CHECKED {
            validator::released_here(&self.hold(mode));
        }
    }

    /// The writer becomes a reader.
    #[track_caller]
    pub fn downgrade(&self) {
        if crate::CHECKED {
            validator::changed(self.hold(Mode::Shared), Mode::Exclusive, false);
        }
    }

    /// The real thing is initialised again.
    pub fn reinitialise(&self) {
        if crate::CHECKED {
            validator::ends(self.address());
        }
    }

    /// Reports unless this CPU holds it.
    #[track_caller]
    pub fn assert_held(&self) {
        self.assert(Assertion::Held);
    }

    /// Reports unless this CPU holds it exclusively.
    #[track_caller]
    pub fn assert_held_exclusively(&self) {
        self.assert(Assertion::HeldExclusively);
    }

    /// Reports if this CPU holds it.
    #[track_caller]
    pub fn assert_not_held(&self) {
        self.assert(Assertion::NotHeld);
    }

    #[track_caller]
    fn assert(&self, assertion: Assertion) {
        if crate::CHECKED {
            let hold = self.hold(Mode::Exclusive);
            validator::assert(assertion, Some(hold.attempt()), hold.site);
        }
    }
}

impl Drop for Map {
    /// The real thing goes away.
    fn drop(&mut self) {
        self.reinitialise();
    }
}
