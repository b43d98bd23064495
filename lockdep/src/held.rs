//! What one CPU holds: a fixed-capacity record of acquisitions, released in any order.
//!
//! It records and answers; it judges nothing (`validator.rs`). Readers are recorded like writers, which is where
//! Xen's one integer per CPU is blind.

use core::panic::Location;

use crate::class::Class;
use crate::hold::{Hold, Identity, Kept, Tail};
use crate::order::Rank;
use crate::owner::{self, OwnerId};
use crate::report::Attempt;

/// How many locks one CPU can hold at once and still be checked.
pub const MAX_HELD: usize = 48;
/// A power of two, so that the height of a stack is an index without a comparison. Those beyond [`MAX_HELD`] stay unused.
const PLACES: usize = MAX_HELD.next_power_of_two();

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
    /// When it was got, by the clock of `times.rs`; 0 when it is not timed.
    pub(crate) since: u64,
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
    pub(crate) since: u64,
    /// As in [`HeldLock`].
    pub(crate) depth: u8,
}

impl Aside {
    pub(crate) const NONE: Aside = Aside { nest: 0, since: 0, depth: 0 };

    /// Whether its acquisition has something that the short looks do not know of.
    fn matters(&self) -> bool {
        self.nest != 0 || self.since != 0
    }
}

static VACANT: Class = Class::undeclared("vacant");

/// What one CPU holds, oldest first.
///
/// Its height is kept in the word of the CPU (`word.rs`) between two visits, and in `height` during one. One array per
/// part of a [`Hold`], so that a place in it is an index and no product.
#[derive(Debug)]
pub(crate) struct HeldStack {
    tails: [Tail; PLACES],
    locks: [usize; PLACES],
    identities: [Identity; PLACES],
    classes: [&'static Class; PLACES],
    sites: [&'static Location<'static>; PLACES],
    asides: [Aside; MAX_HELD],
    height: usize,
    /// How many of them have something aside that matters.
    aside: usize,
    /// In this visit, some acquisition lost or changed its position.
    shuffled: bool,
}

impl HeldStack {
    pub(crate) const EMPTY: HeldStack = HeldStack {
        tails: [Tail::VACANT; PLACES],
        locks: [0; PLACES],
        identities: [Identity::new(OwnerId::NOBODY, None); PLACES],
        classes: [&VACANT; PLACES],
        sites: [Location::caller(); PLACES],
        asides: [Aside::NONE; MAX_HELD],
        height: 0,
        aside: 0,
        shuffled: true,
    };

    /// The tails of the first `height` acquisitions.
    #[inline(always)]
    pub(crate) fn tails(&self, height: usize) -> &[Tail] {
        &self.tails[..height % PLACES]
    }

    /// Records the acquisition after the first `height`, which has nothing aside.
    #[inline(always)]
    pub(crate) fn put(&mut self, height: usize, hold: Hold, tail: Tail) {
        let place = height % PLACES;
        self.tails[place] = tail;
        self.locks[place] = hold.lock;
        self.identities[place] = hold.identity;
        self.classes[place] = hold.class;
        self.sites[place] = hold.site;
    }

    /// Whether the acquisition after the first `below` is of this lock in this mode.
    #[inline(always)]
    pub(crate) fn is_at(&self, below: usize, hold: &Hold) -> bool {
        self.locks.get(below) == Some(&hold.lock)
    }

    /// A visit begins at this height. `plain` says that no acquisition has anything aside, whatever stands there.
    pub(crate) fn resume(&mut self, height: usize, plain: bool) {
        self.height = height.min(MAX_HELD);
        self.shuffled = false;
        if plain {
            self.asides[..self.height].fill(Aside::NONE);
        }
    }

    /// Whether, since the visit began, an acquisition moved, or was taken from whoever will release it.
    pub(crate) fn is_shuffled(&self) -> bool {
        self.shuffled
    }

    pub(crate) fn height(&self) -> usize {
        self.height
    }

    /// Whether an acquisition names a nest lock or is timed.
    pub(crate) fn has_asides(&self) -> bool {
        self.aside != 0
    }

    #[inline]
    pub(crate) fn hold(&self, position: usize) -> Hold {
        let kept = Kept {
            lock: self.locks[position],
            identity: self.identities[position],
            class: self.classes[position],
            site: self.sites[position],
        };
        kept.hold()
    }

    fn at(&self, position: usize) -> HeldLock {
        let (Attempt { instance, mode, site }, Aside { nest, since, depth }) =
            (self.hold(position).attempt(), self.asides[position]);
        HeldLock { instance, mode, site, nest, since, node: self.tails[position].node(), depth }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = HeldLock> {
        (0..self.height).map(|position| self.at(position))
    }

    /// The classes of the first `height` acquisitions.
    pub(crate) fn classes(
        &self,
        height: usize,
    ) -> impl DoubleEndedIterator<Item = &'static Class> + ExactSizeIterator {
        self.classes[..height % PLACES].iter().copied()
    }

    /// Records an acquisition; false when the stack is full and it was not recorded.
    #[must_use]
    pub(crate) fn push(&mut self, hold: Hold, tail: Tail, aside: Aside) -> bool {
        let Some(free) = self.asides.get_mut(self.height) else { return false };
        *free = aside;
        self.put(self.height, hold, tail);
        self.height += 1;
        self.aside += usize::from(aside.matters());
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

    /// The youngest acquisition that `is` says yes to counts as got now; what it was.
    pub(crate) fn start(&mut self, now: u64, is: impl Fn(&HeldLock) -> bool) -> Option<HeldLock> {
        let position = self.position(is)?;
        let (before, aside) = (self.at(position), &mut self.asides[position]);
        self.aside -= usize::from(aside.matters());
        aside.since = now;
        self.aside += usize::from(aside.matters());
        Some(before)
    }

    /// Forgets the youngest acquisition that `is` says yes to.
    pub(crate) fn remove(&mut self, is: impl Fn(&HeldLock) -> bool) -> Option<HeldLock> {
        let position = self.position(is)?;
        let (gone, aside) = (self.at(position), self.asides[position]);
        let younger = position + 1..self.height;
        self.tails.copy_within(younger.clone(), position);
        self.locks.copy_within(younger.clone(), position);
        self.identities.copy_within(younger.clone(), position);
        self.classes.copy_within(younger.clone(), position);
        self.sites.copy_within(younger.clone(), position);
        self.asides.copy_within(younger, position);
        self.shuffled |= position + 1 != self.height;
        self.height -= 1;
        self.aside -= usize::from(aside.matters());
        Some(gone)
    }

    /// The same behind the back of whoever acquired it.
    pub(crate) fn take_away(&mut self, is: impl Fn(&HeldLock) -> bool) -> Option<HeldLock> {
        let gone = self.remove(is);
        self.shuffled |= gone.is_some();
        gone
    }

    fn position(&self, is: impl Fn(&HeldLock) -> bool) -> Option<usize> {
        (0..self.height).rev().find(|&position| is(&self.at(position)))
    }

    /// An acquisition that this instance orders among its class.
    pub(crate) fn nested_under(&self, address: usize) -> Option<HeldLock> {
        if self.aside == 0 {
            return None;
        }
        self.iter().find(|held| held.nest == address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Standing;

    static PAWN: Class = Class::new("chess", "pawn", 8, 0);

    fn push(stack: &mut HeldStack, identity: &Identity, mode: Mode) -> bool {
        let hold = Hold::new(identity, &PAWN, mode, Location::caller());
        stack.push(hold, Tail::new(&hold, Standing::at(0)), Aside::NONE)
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
