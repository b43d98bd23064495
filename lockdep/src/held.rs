//! What one CPU holds: a fixed-capacity record of acquisitions, released in any order.
//!
//! It records and answers; it judges nothing (`validator.rs`). Readers are recorded like writers, which is where
//! Xen's one integer per CPU is blind.

use core::panic::Location;

use crate::class::Class;
use crate::order::Rank;
use crate::owner::{self, OwnerId};
use crate::report::Attempt;
use crate::wait::Wait;

/// How many locks one CPU can hold at once and still be checked.
pub const MAX_HELD: usize = 48;

/// How a lock is acquired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// By a mutex holder or a writer.
    Exclusive,
    /// By a reader that queues behind waiting writers.
    Shared,
    /// By a reader that waits for a writer that holds, never for one that waits.
    SharedRecursive,
    /// By a reader that may become the writer; one at a time, beside other readers.
    Upgradable,
}

impl Mode {
    /// Its share in the place of an edge when it is held: E 0, S 2.
    pub(crate) const fn held_kind(self) -> u8 {
        if matches!(self, Mode::Exclusive) { 0 } else { 2 }
    }

    /// Its share when it is wanted: N 0, R 1.
    pub(crate) const fn wanted_kind(self) -> u8 {
        if matches!(self, Mode::SharedRecursive) { 1 } else { 0 }
    }

    /// The word used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Exclusive => "exclusive",
            Mode::Shared => "shared",
            Mode::SharedRecursive => "shared, recursive",
            Mode::Upgradable => "upgradable",
        }
    }
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
    /// Its holder is let in again.
    pub reentrant: bool,
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
    /// The address of the lock that orders it among its class, or 0.
    pub(crate) nest: usize,
    /// Its node in the learned graph; `MAX_CLASSES` when it has none.
    pub(crate) node: u16,
    /// How many handlers were stacked on the CPU.
    pub(crate) depth: u8,
    /// Of its class, so that the short pass stays in the stack.
    pub(crate) inner: Wait,
}

impl HeldLock {
    const VACANT: HeldLock = HeldLock {
        instance: Instance {
            class: &VACANT,
            owner: OwnerId::NOBODY,
            key: None,
            reentrant: false,
            address: 0,
        },
        mode: Mode::Exclusive,
        site: Location::caller(),
        nest: 0,
        node: 0,
        depth: 0,
        inner: Wait::Unchecked,
    };

    /// As something that is wanted.
    pub(crate) fn attempt(&self) -> Attempt {
        Attempt { instance: self.instance, mode: self.mode, site: self.site }
    }
}

static VACANT: Class = Class::undeclared("vacant");

/// What one CPU holds, oldest first.
#[derive(Debug)]
pub(crate) struct HeldStack {
    entries: [HeldLock; MAX_HELD],
    depth: usize,
    /// How many of them name a nest lock.
    nested: usize,
}

impl HeldStack {
    pub(crate) const EMPTY: HeldStack =
        HeldStack { entries: [HeldLock::VACANT; MAX_HELD], depth: 0, nested: 0 };

    #[inline]
    pub(crate) fn held(&self) -> &[HeldLock] {
        &self.entries[..self.depth.min(MAX_HELD)]
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &HeldLock> {
        self.held().iter()
    }

    /// Records an acquisition; false when the stack is full and it was not recorded.
    #[must_use]
    #[inline]
    pub(crate) fn push(&mut self, held: HeldLock) -> bool {
        let Some(free) = self.entries.get_mut(self.depth) else { return false };
        *free = held;
        self.depth += 1;
        self.nested += usize::from(held.nest != 0);
        true
    }

    /// The youngest acquisition that `is` says yes to.
    pub(crate) fn find_mut(&mut self, is: impl Fn(&HeldLock) -> bool) -> Option<&mut HeldLock> {
        self.entries[..self.depth.min(MAX_HELD)].iter_mut().rev().find(|held| is(held))
    }

    /// Forgets the youngest acquisition that `is` says yes to.
    #[inline]
    pub(crate) fn remove(&mut self, is: impl Fn(&HeldLock) -> bool) -> Option<&HeldLock> {
        let last = self.depth.min(MAX_HELD).checked_sub(1)?;
        // Mostly the youngest of all goes first, and nothing moves.
        if !is(&self.entries[last]) {
            self.bring_up(last, is)?;
        }
        self.depth = last;
        self.nested -= usize::from(self.entries[last].nest != 0);
        Some(&self.entries[last])
    }

    /// Moves the youngest acquisition that `is` says yes to up to `last`.
    #[cold]
    #[inline(never)]
    fn bring_up(&mut self, last: usize, is: impl Fn(&HeldLock) -> bool) -> Option<()> {
        let at = self.entries[..last].iter().rposition(is)?;
        self.entries[at..=last].rotate_left(1);
        Some(())
    }

    /// An acquisition that this instance orders among its class.
    pub(crate) fn nested_under(&self, address: usize) -> Option<&HeldLock> {
        if self.nested == 0 {
            return None;
        }
        self.iter().find(|held| held.nest == address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static PAWN: Class = Class::new("chess", "pawn", 8, 0);

    fn held(address: usize, mode: Mode) -> HeldLock {
        let instance =
            Instance { class: &PAWN, owner: OwnerId::NOBODY, key: None, reentrant: false, address };
        HeldLock {
            instance,
            mode,
            site: Location::caller(),
            nest: 0,
            node: 0,
            depth: 0,
            inner: Wait::Unchecked,
        }
    }

    #[test]
    fn any_release_order() {
        let mut stack = HeldStack::EMPTY;
        for address in 1..=3 {
            assert!(stack.push(held(address, Mode::Exclusive)));
        }
        let second = |held: &HeldLock| held.instance.address == 2;
        assert!(stack.remove(second).is_some());
        assert!(stack.remove(second).is_none(), "released already");
        assert!(stack.remove(|held| held.mode == Mode::Shared).is_none(), "held, but not as a reader");
        assert!(stack.iter().map(|h| h.instance.address).eq([1, 3]));
    }

    #[test]
    fn full_is_said() {
        let mut stack = HeldStack::EMPTY;
        for address in 0..MAX_HELD {
            assert!(stack.push(held(address, Mode::Shared)));
        }
        assert!(!stack.push(held(99, Mode::Shared)));
        assert!(stack.remove(|held| held.instance.address == 0).is_some());
        assert!(stack.push(held(99, Mode::Shared)));
    }
}
