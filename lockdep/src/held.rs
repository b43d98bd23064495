//! What one CPU holds: a fixed-capacity record of acquisitions, released in any order.
//!
//! It records and answers; it judges nothing (`validator.rs`). Readers are recorded like writers, which is where
//! Xen's one integer per CPU is blind.

use core::panic::Location;

use crate::class::Class;
use crate::order::Rank;
use crate::owner::{self, OwnerId};

/// How many locks one CPU can hold at once and still be checked.
pub const MAX_HELD: usize = 48;

/// How a lock is acquired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// By a mutex holder or a writer.
    Exclusive,
    /// By a reader that queues behind waiting writers.
    Shared,
}

/// A lock instance as the checker sees it.
#[derive(Clone, Copy, Debug)]
pub struct Instance {
    /// Its class.
    pub class: &'static Class,
    /// Its owner, or nobody.
    pub owner: OwnerId,
    /// Its place in the instance order of its class, if it has one.
    pub key: Option<u64>,
    /// Its address: what makes it this instance and no other.
    pub address: usize,
}

impl Instance {
    /// What the ordering rule needs to know, `current` being the domain this CPU works for.
    pub(crate) fn rank(&self, current: OwnerId) -> Rank {
        Rank {
            level: self.class.level,
            key: self.key,
            owned: self.owner != OwnerId::NOBODY,
            current: self.owner != OwnerId::NOBODY && self.owner == current,
            control: owner::is_control(self.owner),
        }
    }
}

/// One acquisition that has not been released.
#[derive(Clone, Copy, Debug)]
pub struct HeldLock {
    /// The lock.
    pub instance: Instance,
    /// How it is held.
    pub mode: Mode,
    /// Where it was acquired.
    pub site: &'static Location<'static>,
}

/// What one CPU holds, oldest first.
#[derive(Debug)]
pub(crate) struct HeldStack {
    entries: [Option<HeldLock>; MAX_HELD],
    depth: usize,
}

impl HeldStack {
    pub(crate) const EMPTY: HeldStack = HeldStack { entries: [None; MAX_HELD], depth: 0 };

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &HeldLock> {
        self.entries[..self.depth].iter().flatten()
    }

    /// Records an acquisition; false when the stack is full and it was not recorded.
    #[must_use]
    pub(crate) fn push(&mut self, held: HeldLock) -> bool {
        let Some(free) = self.entries.get_mut(self.depth) else { return false };
        *free = Some(held);
        self.depth += 1;
        true
    }

    /// Forgets the youngest acquisition of this instance in this mode; false when there is none.
    #[must_use]
    pub(crate) fn remove(&mut self, address: usize, mode: Mode) -> bool {
        let matches = |e: &Option<HeldLock>| {
            e.as_ref().is_some_and(|held| held.instance.address == address && held.mode == mode)
        };
        let Some(at) = self.entries[..self.depth].iter().rposition(matches) else { return false };
        self.entries[at..self.depth].rotate_left(1);
        self.depth -= 1;
        self.entries[self.depth] = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static PAWN: Class = Class::new("chess", "pawn", 8, 0);

    fn held(address: usize, mode: Mode) -> HeldLock {
        let instance = Instance { class: &PAWN, owner: OwnerId::NOBODY, key: None, address };
        HeldLock { instance, mode, site: Location::caller() }
    }

    #[test]
    fn any_release_order() {
        let mut stack = HeldStack::EMPTY;
        for address in 1..=3 {
            assert!(stack.push(held(address, Mode::Exclusive)));
        }
        assert!(stack.remove(2, Mode::Exclusive));
        assert!(!stack.remove(2, Mode::Exclusive), "released already");
        assert!(!stack.remove(1, Mode::Shared), "held, but not as a reader");
        assert!(stack.iter().map(|h| h.instance.address).eq([1, 3]));
    }

    #[test]
    fn full_is_said() {
        let mut stack = HeldStack::EMPTY;
        for address in 0..MAX_HELD {
            assert!(stack.push(held(address, Mode::Shared)));
        }
        assert!(!stack.push(held(99, Mode::Shared)));
        assert!(stack.remove(0, Mode::Shared));
        assert!(stack.push(held(99, Mode::Shared)));
    }
}
