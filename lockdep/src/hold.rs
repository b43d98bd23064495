//! One acquisition as guards and the stack of a CPU keep it: four words, and one more for the learned graph.
//!
//! What a report shows is unpacked from these ([`Hold::attempt`]); a lock that is acquired and released in order packs
//! them once and unpacks nothing. This file judges nothing and holds no state.

use core::panic::Location;

use crate::class::{Class, Standing};
use crate::held::{Instance, Mode};
use crate::order::Rank;
use crate::owner::{MAX_OWNERS, OwnerId};
use crate::report::Attempt;

/// Keys of 48 bits; all ones for none.
const NO_KEY: u64 = (1 << 48) - 1;
/// Set in an owner's bits when there is one.
const OWNED: u16 = 1 << 15;

const _: () = assert!(MAX_OWNERS < 1 << 15, "an owner's number has 15 bits");

/// Owner and instance key of a lock: 48 bits of key, one that says whether there is an owner, 15 of owner. Aligned, so that the
/// address has [`MODE`] and [`REENTRANT`] to spare.
#[derive(Clone, Copy, Debug)]
#[repr(align(8))]
pub(crate) struct Identity(u64);

impl Identity {
    pub(crate) const fn new(owner: OwnerId, key: Option<u64>) -> Self {
        let key = match key {
            // Keys that do not fit count as the largest one: two such instances then do not nest.
            Some(key) if key < NO_KEY => key,
            Some(_) => NO_KEY - 1,
            None => NO_KEY,
        };
        let owned = if owner.get() == OwnerId::NOBODY.get() { 0 } else { OWNED };
        Identity(key << 16 | (owned | owner.get()) as u64)
    }

    /// The owner, where a [`Tail`] has it.
    #[inline(always)]
    fn owner(self) -> u32 {
        (self.0 as u32) << 16
    }

    #[inline]
    fn key(self) -> Option<u64> {
        Some(self.0 >> 16).filter(|&key| key != NO_KEY)
    }
}

#[inline]
fn owner_of(bits: u16) -> OwnerId {
    OwnerId::from_raw(bits & !OWNED)
}

const MODE: usize = 0b011;
const REENTRANT: usize = 0b100;

/// One acquisition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    /// Address of the identity; in its low bits the mode, and whether the holder is let in again. One lock in one mode.
    pub(crate) lock: usize,
    pub(crate) identity: Identity,
    pub(crate) class: &'static Class,
    pub(crate) site: &'static Location<'static>,
    /// As in `lock`, where it would be read back: where the acquisition stands in the code it is known when that is compiled.
    mode: Mode,
}

impl Hold {
    #[inline(always)]
    pub(crate) fn new(
        identity: &Identity,
        class: &'static Class,
        mode: Mode,
        site: &'static Location<'static>,
    ) -> Hold {
        let lock = core::ptr::from_ref(identity).addr() | mode as usize;
        Hold { lock, identity: *identity, class, site, mode }
    }

    /// What a front says of a lock that it has itself.
    pub(crate) fn of(attempt: &Attempt) -> Hold {
        let Attempt { instance, mode, site } = *attempt;
        let lock = Hold::whole(instance.address) | mode as usize;
        let identity = Identity::new(instance.owner, instance.key);
        Hold { lock, identity, class: instance.class, site, mode }.reentrant(instance.reentrant)
    }

    /// As guards keep it.
    #[inline(always)]
    pub(crate) fn kept(&self) -> Kept {
        let Hold { lock, identity, class, site, mode: _ } = *self;
        Kept { lock, identity, class, site }
    }

    /// The address without the bits that a hold has other uses for.
    pub(crate) const fn whole(address: usize) -> usize {
        address & !(MODE | REENTRANT)
    }

    /// The same of a lock that lets its holder in again.
    #[must_use]
    #[inline(always)]
    pub(crate) fn reentrant(mut self, reentrant: bool) -> Hold {
        self.lock |= if reentrant { REENTRANT } else { 0 };
        self
    }

    /// Goes on in another mode.
    pub(crate) fn change(&mut self, mode: Mode) {
        self.lock = self.lock & !MODE | mode as usize;
        self.mode = mode;
    }

    #[inline]
    pub(crate) fn address(&self) -> usize {
        Hold::whole(self.lock)
    }

    #[inline(always)]
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn owner(&self) -> OwnerId {
        owner_of(self.identity.0 as u16)
    }

    /// Which edges from it to a context there can be: as a hold of its mode (2, 0) by an owner or nobody (1, 0).
    #[inline(always)]
    pub(crate) fn variant(&self) -> usize {
        usize::from(self.mode().held_kind()) | (self.identity.owner() >> 31) as usize
    }

    /// As in [`Instance::rank`].
    #[inline]
    pub(crate) fn rank(&self, current: OwnerId) -> Rank {
        self.attempt().instance.rank(current)
    }

    /// As something that is wanted.
    #[inline]
    pub(crate) fn attempt(&self) -> Attempt {
        let instance = Instance {
            class: self.class,
            owner: self.owner(),
            key: self.identity.key(),
            reentrant: self.lock & REENTRANT != 0,
            address: self.address(),
        };
        Attempt { instance, mode: self.mode(), site: self.site }
    }
}

/// A hold in four words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) lock: usize,
    pub(crate) identity: Identity,
    pub(crate) class: &'static Class,
    pub(crate) site: &'static Location<'static>,
}

impl Kept {
    #[inline]
    pub(crate) fn hold(self) -> Hold {
        let Kept { lock, identity, class, site } = self;
        Hold { lock, identity, class, site, mode: Mode::ALL[lock & MODE] }
    }
}

/// What an acquisition is as the tail of edges: its owner above, its column in the table of known edges below.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tail(u32);

impl Tail {
    pub(crate) const VACANT: Tail = Tail(0);

    /// Of a class without a node, it has a column that no table has.
    #[inline(always)]
    pub(crate) fn new(hold: &Hold, standing: Standing) -> Tail {
        // Owner and column in one shift of the two words.
        let exclusive = hold.identity.0 << 16 | standing.column();
        Tail(exclusive as u32 | u32::from(hold.mode().held_kind() >> 1))
    }

    /// Its column if `wanted` is of the same owner; otherwise a column that no table has.
    #[inline(always)]
    pub(crate) fn column_beside(self, wanted: &Hold) -> usize {
        self.0 as usize ^ wanted.identity.owner() as usize
    }

    /// Whether `wanted` is of the same owner.
    #[inline]
    pub(crate) fn is_beside(self, wanted: &Hold) -> bool {
        self.column_beside(wanted) <= usize::from(u16::MAX)
    }

    pub(crate) fn column(self) -> usize {
        (self.0 & 0xffff) as usize
    }

    pub(crate) fn node(self) -> u16 {
        (self.0 as u16) >> 1
    }

    pub(crate) fn owner(self) -> OwnerId {
        owner_of((self.0 >> 16) as u16)
    }

    /// The same in another mode.
    #[must_use]
    pub(crate) fn with(self, mode: Mode) -> Tail {
        Tail(self.0 & !1 | u32::from(mode.held_kind() >> 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static PAWN: Class = Class::undeclared("pawn");

    #[test]
    fn what_is_packed_comes_out_again() {
        for (owner, key) in [
            (OwnerId::NOBODY, None),
            (OwnerId::from_raw(256), Some(0)),
            (OwnerId::from_raw(1), Some(NO_KEY - 2)),
        ] {
            let identity = Identity::new(owner, key);
            for mode in Mode::ALL {
                let hold = Hold::new(&identity, &PAWN, mode, Location::caller()).reentrant(true);
                let attempt = hold.kept().hold().attempt();
                let instance = attempt.instance;
                assert_eq!((instance.owner, instance.key, instance.reentrant), (owner, key, true));
                assert_eq!((attempt.mode, instance.address), (mode, core::ptr::from_ref(&identity).addr()));
                let tail = Tail::new(&hold, Standing::at(511));
                assert_eq!((tail.owner(), tail.node(), tail.is_beside(&hold)), (owner, 511, true));
                let other = Identity::new(OwnerId::from_raw(owner.get() + 1), key);
                assert!(!tail.is_beside(&Hold::new(&other, &PAWN, mode, Location::caller())));
            }
        }
    }
}
