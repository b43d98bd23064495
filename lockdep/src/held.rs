//! What one CPU holds: a fixed-capacity record of acquisitions, released in any order.
//!
//! It records and answers; it judges nothing (`validator.rs`). Readers are recorded like writers, which is where
//! Xen's one integer per CPU is blind.

use core::panic::Location;

use crate::class::Class;
use crate::hold::{Hold, Identity, Tail};
use crate::order::Rank;
use crate::owner::{self, OwnerId};
use crate::report::Attempt;

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
    /// Every mode, in the order of its number.
    pub(crate) const ALL: [Mode; 4] =
        [Mode::Exclusive, Mode::Shared, Mode::SharedRecursive, Mode::Upgradable];

    /// Its share in the place of an edge when it is held: E 0, S 2.
    #[inline(always)]
    pub(crate) const fn held_kind(self) -> u8 {
        if matches!(self, Mode::Exclusive) { 0 } else { 2 }
    }

    /// Its share when it is wanted: N 0, R 1.
    #[inline(always)]
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
    #[inline]
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
}

impl HeldLock {
    /// As in [`Hold::variant`].
    pub(crate) fn variant(&self) -> usize {
        usize::from(self.mode.held_kind()) | usize::from(self.instance.owner != OwnerId::NOBODY)
    }

    /// As something that is wanted.
    pub(crate) fn attempt(&self) -> Attempt {
        Attempt { instance: self.instance, mode: self.mode, site: self.site }
    }
}

/// What few acquisitions have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aside {
    /// As in [`HeldLock`].
    pub(crate) nest: usize,
    /// As in [`HeldLock`].
    pub(crate) depth: u8,
}

impl Aside {
    pub(crate) const NONE: Aside = Aside { nest: 0, depth: 0 };
}

static VACANT: Class = Class::undeclared("vacant");

/// What one CPU holds, oldest first.
///
/// Its height is kept with the pin of the CPU (`cpu.rs`) between two visits, and in `height` during one. One array per
/// part of a [`Hold`], so that a place in it is an index and no product.
#[derive(Debug)]
pub(crate) struct HeldStack {
    tails: [Tail; MAX_HELD],
    locks: [usize; MAX_HELD],
    identities: [Identity; MAX_HELD],
    classes: [&'static Class; MAX_HELD],
    sites: [&'static Location<'static>; MAX_HELD],
    asides: [Aside; MAX_HELD],
    height: usize,
    /// How many of them name a nest lock.
    nested: usize,
}

impl HeldStack {
    pub(crate) const EMPTY: HeldStack = HeldStack {
        tails: [Tail::VACANT; MAX_HELD],
        locks: [0; MAX_HELD],
        identities: [Identity::new(OwnerId::NOBODY, None); MAX_HELD],
        classes: [&VACANT; MAX_HELD],
        sites: [Location::caller(); MAX_HELD],
        asides: [Aside::NONE; MAX_HELD],
        height: 0,
        nested: 0,
    };

    /// The tails of the first `height` acquisitions.
    #[inline(always)]
    pub(crate) fn tails(&self, height: usize) -> &[Tail] {
        &self.tails[..height.min(MAX_HELD)]
    }

    /// Records the acquisition after the first `height`, which has nothing aside.
    #[inline(always)]
    pub(crate) fn put(&mut self, height: usize, hold: Hold, tail: Tail) {
        if height < MAX_HELD {
            self.tails[height] = tail;
            self.locks[height] = hold.lock;
            self.identities[height] = hold.identity;
            self.classes[height] = hold.class;
            self.sites[height] = hold.site;
        }
    }

    /// Whether the acquisition after the first `below` is of this lock in this mode.
    #[inline(always)]
    pub(crate) fn is_at(&self, below: usize, hold: &Hold) -> bool {
        self.locks.get(below) == Some(&hold.lock)
    }

    /// A visit begins at this height. `plain` says that no acquisition has anything aside, whatever stands there.
    pub(crate) fn resume(&mut self, height: usize, plain: bool) {
        self.height = height.min(MAX_HELD);
        if plain {
            self.asides[..self.height].fill(Aside::NONE);
        }
    }

    pub(crate) fn height(&self) -> usize {
        self.height
    }

    /// Whether an acquisition names a nest lock.
    pub(crate) fn is_nested(&self) -> bool {
        self.nested != 0
    }

    #[inline]
    pub(crate) fn hold(&self, position: usize) -> Hold {
        Hold {
            lock: self.locks[position],
            identity: self.identities[position],
            class: self.classes[position],
            site: self.sites[position],
        }
    }

    fn at(&self, position: usize) -> HeldLock {
        let (Attempt { instance, mode, site }, Aside { nest, depth }) =
            (self.hold(position).attempt(), self.asides[position]);
        HeldLock { instance, mode, site, nest, node: self.tails[position].node(), depth }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = HeldLock> {
        (0..self.height).map(|position| self.at(position))
    }

    /// The classes of the first `height` acquisitions.
    pub(crate) fn classes(
        &self,
        height: usize,
    ) -> impl DoubleEndedIterator<Item = &'static Class> + ExactSizeIterator {
        self.classes[..height.min(MAX_HELD)].iter().copied()
    }

    /// Records an acquisition; false when the stack is full and it was not recorded.
    #[must_use]
    pub(crate) fn push(&mut self, hold: Hold, tail: Tail, aside: Aside) -> bool {
        let Some(free) = self.asides.get_mut(self.height) else { return false };
        *free = aside;
        self.put(self.height, hold, tail);
        self.height += 1;
        self.nested += usize::from(aside.nest != 0);
        true
    }

    /// The youngest acquisition that `is` says yes to goes on in another mode; false when there is none.
    #[must_use]
    pub(crate) fn change(&mut self, mode: Mode, is: impl Fn(&HeldLock) -> bool) -> bool {
        let Some(position) = self.position(is) else { return false };
        let mut hold = self.hold(position);
        hold.change(mode);
        self.locks[position] = hold.lock;
        self.tails[position] = self.tails[position].with(mode);
        true
    }

    /// Forgets the youngest acquisition that `is` says yes to.
    pub(crate) fn remove(&mut self, is: impl Fn(&HeldLock) -> bool) -> Option<HeldLock> {
        let position = self.position(is)?;
        let gone = self.at(position);
        let younger = position + 1..self.height;
        self.tails.copy_within(younger.clone(), position);
        self.locks.copy_within(younger.clone(), position);
        self.identities.copy_within(younger.clone(), position);
        self.classes.copy_within(younger.clone(), position);
        self.sites.copy_within(younger.clone(), position);
        self.asides.copy_within(younger, position);
        self.height -= 1;
        self.nested -= usize::from(gone.nest != 0);
        Some(gone)
    }

    fn position(&self, is: impl Fn(&HeldLock) -> bool) -> Option<usize> {
        (0..self.height).rev().find(|&position| is(&self.at(position)))
    }

    /// An acquisition that this instance orders among its class.
    pub(crate) fn nested_under(&self, address: usize) -> Option<HeldLock> {
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

    fn push(stack: &mut HeldStack, identity: &Identity, mode: Mode) -> bool {
        let hold = Hold::new(identity, &PAWN, mode, Location::caller());
        stack.push(hold, Tail::new(&hold, 0), Aside::NONE)
    }

    #[test]
    fn any_release_order() {
        let mut stack = HeldStack::EMPTY;
        let locks = [Identity::new(OwnerId::NOBODY, None); 3];
        let [first, second, third] = locks.each_ref().map(|lock| core::ptr::from_ref(lock).addr());
        assert!(locks.iter().all(|lock| push(&mut stack, lock, Mode::Exclusive)));
        let second = |held: &HeldLock| held.instance.address == second;
        assert!(stack.remove(second).is_some());
        assert!(stack.remove(second).is_none(), "released already");
        assert!(stack.remove(|held| held.mode == Mode::Shared).is_none(), "held, but not as a reader");
        assert!(stack.iter().map(|h| h.instance.address).eq([first, third]));
    }

    #[test]
    fn full_is_said() {
        let mut stack = HeldStack::EMPTY;
        let locks = [Identity::new(OwnerId::NOBODY, None); MAX_HELD + 1];
        let [first, others @ .., last] = &locks;
        assert!(push(&mut stack, first, Mode::Shared));
        assert!(others.iter().all(|lock| push(&mut stack, lock, Mode::Shared)));
        assert!(!push(&mut stack, last, Mode::Shared));
        assert!(stack.remove(|held| held.instance.address == core::ptr::from_ref(first).addr()).is_some());
        assert!(push(&mut stack, last, Mode::Shared));
    }

    #[test]
    fn a_mode_changes_in_place() {
        let mut stack = HeldStack::EMPTY;
        let lock = Identity::new(OwnerId::NOBODY, Some(7));
        assert!(push(&mut stack, &lock, Mode::Exclusive));
        assert!(!stack.change(Mode::Shared, |held| held.mode == Mode::Shared));
        assert!(stack.change(Mode::Upgradable, |held| held.mode == Mode::Exclusive));
        let held = stack.remove(|_| true).expect("it is held");
        assert_eq!((held.mode, held.instance.key), (Mode::Upgradable, Some(7)));
    }
}
