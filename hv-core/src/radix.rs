//! 512-way radix trees whose nodes are machine frames.
//!
//! It walks, grows and prunes, and knows neither what a leaf means nor where frames come from: the p2m
//! (`p2m.rs`) and the log-dirty trie (`dirty_trie.rs`) bring both. It takes no lock; whoever owns the root holds the
//! lock that protects the tree.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::machine::Machine;
use crate::types::{Mfn, PAGE_SHIFT, PAGE_WORDS};

/// Key bits per level.
const FANOUT_BITS: u32 = PAGE_WORDS.trailing_zeros();
const PRESENT: u64 = 1;
const LEAF: u64 = 2;
const FLAG_BITS: u32 = 2;

/// One decoded entry of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Nothing.
    Empty,
    /// The next lower node, or a frame that the tree's user keeps below the lowest level.
    Node(Mfn),
    /// A value of at most 62 bits.
    Leaf(u64),
}

impl Entry {
    fn decode(raw: u64) -> Entry {
        match (raw & PRESENT != 0, raw & LEAF != 0) {
            (false, _) => Entry::Empty,
            (true, false) => Entry::Node(Mfn::new(raw >> PAGE_SHIFT)),
            (true, true) => Entry::Leaf(raw >> FLAG_BITS),
        }
    }

    fn encode(self) -> u64 {
        match self {
            Entry::Empty => 0,
            Entry::Node(mfn) => mfn.get() << PAGE_SHIFT | PRESENT,
            Entry::Leaf(value) => value << FLAG_BITS | LEAF | PRESENT,
        }
    }
}

/// The place of one entry.
pub struct Slot<'m> {
    word: &'m AtomicU64,
    /// The level of the node that the entry is in; 0 is the lowest.
    pub level: u32,
}

impl<'m> Slot<'m> {
    fn of(machine: &'m Machine, node: Mfn, index: usize, level: u32) -> Slot<'m> {
        Slot { word: machine.word(node, index), level }
    }

    /// The entry.
    pub fn get(&self) -> Entry {
        Entry::decode(self.word.load(Ordering::Relaxed))
    }

    /// Replaces the entry.
    pub fn set(&self, entry: Entry) {
        self.word.store(entry.encode(), Ordering::Relaxed);
    }
}

/// How a key is cut into indices.
#[derive(Clone, Copy, Debug)]
pub struct Radix {
    low_bits: u32,
    levels: u32,
}

impl Radix {
    /// A tree of `levels` levels over keys whose lowest `low_bits` bits are no index.
    pub const fn new(low_bits: u32, levels: u32) -> Radix {
        Radix { low_bits, levels }
    }

    /// The index of `key` in a node of `level`.
    pub const fn index(self, key: u64, level: u32) -> usize {
        (key >> (self.low_bits + level * FANOUT_BITS)) as usize % PAGE_WORDS
    }

    /// Whether the tree has a place for `key`.
    pub const fn covers(self, key: u64) -> bool {
        key >> (self.low_bits + self.levels * FANOUT_BITS) == 0
    }

    /// The entry for `key` at `level`, or the higher entry that ends the way there.
    pub fn find(self, machine: &Machine, root: Mfn, key: u64, level: u32) -> Slot<'_> {
        let mut slot = self.top(machine, root, key);
        while slot.level > level {
            let Entry::Node(node) = slot.get() else { break };
            slot = self.below(machine, node, key, slot.level);
        }
        slot
    }

    /// The entry for `key` at `level`; missing nodes on the way are made by `grow`, which returns a zeroed frame.
    /// A leaf above `level` ends the way.
    ///
    /// # Errors
    /// What `grow` returns. Nodes made before stay, empty.
    pub fn reach<'m, E>(
        self,
        machine: &'m Machine,
        root: Mfn,
        key: u64,
        level: u32,
        mut grow: impl FnMut() -> Result<Mfn, E>,
    ) -> Result<Slot<'m>, E> {
        let mut slot = self.top(machine, root, key);
        while slot.level > level {
            let node = match slot.get() {
                Entry::Node(node) => node,
                Entry::Leaf(_) => break,
                Entry::Empty => {
                    let node = grow()?;
                    slot.set(Entry::Node(node));
                    node
                }
            };
            slot = self.below(machine, node, key, slot.level);
        }
        Ok(slot)
    }

    fn top(self, machine: &Machine, root: Mfn, key: u64) -> Slot<'_> {
        let level = self.levels - 1;
        Slot::of(machine, root, self.index(key, level), level)
    }

    fn below<'m>(self, machine: &'m Machine, node: Mfn, key: u64, level: u32) -> Slot<'m> {
        Slot::of(machine, node, self.index(key, level - 1), level - 1)
    }

    /// Shows every leaf, lowest key first.
    pub fn for_each_leaf(self, machine: &Machine, root: Mfn, mut visit: impl FnMut(u64, &Slot<'_>)) {
        visit_node(machine, root, self.levels - 1, 0, &mut |index, slot| visit(index << self.low_bits, slot));
    }

    /// Frees up to `budget` frames below the lowest level, and every node that is empty then; the root stays.
    /// True when nothing is left below the root. Leaves are dropped unseen.
    pub fn prune(self, machine: &Machine, root: Mfn, budget: &mut u32, free: &mut impl FnMut(Mfn)) -> bool {
        prune_node(machine, root, self.levels - 1, budget, free)
    }
}

/// Fills a zeroed node of the lowest level, as when one large leaf is split into 512 small ones.
pub fn fill(machine: &Machine, node: Mfn, entry: impl Fn(u64) -> Entry) {
    for index in 0..PAGE_WORDS {
        Slot::of(machine, node, index, 0).set(entry(index as u64));
    }
}

/// The entries of a node of the lowest level.
pub fn leaves(machine: &Machine, node: Mfn) -> impl Iterator<Item = Entry> {
    (0..PAGE_WORDS).map(move |index| Slot::of(machine, node, index, 0).get())
}

// Depth of both recursions is the number of levels.

fn visit_node(machine: &Machine, node: Mfn, level: u32, base: u64, visit: &mut impl FnMut(u64, &Slot<'_>)) {
    for index in 0..PAGE_WORDS {
        let slot = Slot::of(machine, node, index, level);
        let key = base | (index as u64) << (level * FANOUT_BITS);
        match slot.get() {
            Entry::Empty => {}
            Entry::Leaf(_) => visit(key, &slot),
            Entry::Node(_) if level == 0 => {}
            Entry::Node(child) => visit_node(machine, child, level - 1, key, visit),
        }
    }
}

fn prune_node(
    machine: &Machine,
    node: Mfn,
    level: u32,
    budget: &mut u32,
    free: &mut impl FnMut(Mfn),
) -> bool {
    for index in 0..PAGE_WORDS {
        let slot = Slot::of(machine, node, index, level);
        if let Entry::Node(child) = slot.get() {
            if level > 0 {
                if !prune_node(machine, child, level - 1, budget, free) {
                    return false;
                }
            } else if *budget == 0 {
                return false;
            } else {
                *budget -= 1;
            }
            free(child);
        }
        slot.set(Entry::Empty);
    }
    true
}
