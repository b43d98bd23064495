//! The log-dirty trie: one bit per guest page, found through three levels of frames.
//!
//! It sets, clears and reads bits. It does not count, does not know where its frames come from, and takes no lock:
//! it is part of what `paging` protects (`paging.rs`), its only user. Shape as in Xen's
//! `arch/x86/mm/paging.c`: a leaf is one 4 KiB bitmap of 32768 pfns (bits 0–14 of the pfn, "L1"); above it are
//! nodes of 512 frames indexed by bits 15–23 (L2), 24–32 (L3) and 33–41 (L4). An absent frame is an empty entry
//! here rather than an invalid frame number.

use core::sync::atomic::Ordering;

use crate::machine::Machine;
use crate::radix::{Entry, Radix};
use crate::types::{Mfn, PAGE_SIZE, PAGE_WORDS, Pfn};

const LEAF_BITS: u32 = PAGE_SIZE.trailing_zeros() + 3;
const TRIE: Radix = Radix::new(LEAF_BITS, 3);

/// Guest pages of one leaf: 32768, which is 128 MiB of guest.
pub const LEAF_PFNS: u64 = 1 << LEAF_BITS;
/// Leaves of one L2 node, the unit after which Xen tests for preemption.
pub const NODE_LEAVES: u32 = PAGE_WORDS as u32;
/// Leaves of a full trie.
pub const MAX_LEAVES: u32 = NODE_LEAVES * NODE_LEAVES * NODE_LEAVES;

/// The trie of one domain; its frames are given back by [`prune`](Self::prune) only.
#[derive(Debug)]
pub struct DirtyTrie {
    top: Option<Mfn>,
}

impl DirtyTrie {
    /// No bit is set and no frame is used.
    pub const EMPTY: DirtyTrie = DirtyTrie { top: None };

    /// Whether the trie has a bit for `pfn`.
    pub const fn covers(pfn: Pfn) -> bool {
        TRIE.covers(pfn.get())
    }

    /// Sets the bit of `pfn`, which the trie [covers](Self::covers); true when it was clear. Missing frames are
    /// made by `grow`, which returns a zeroed one.
    ///
    /// # Errors
    /// What `grow` returns; no bit has changed then.
    pub fn set<E>(
        &mut self,
        machine: &Machine,
        pfn: Pfn,
        mut grow: impl FnMut() -> Result<Mfn, E>,
    ) -> Result<bool, E> {
        let top = match self.top {
            Some(top) => top,
            None => *self.top.insert(grow()?),
        };
        let slot = TRIE.reach(machine, top, pfn.get(), 0, &mut grow)?;
        let leaf = match slot.get() {
            Entry::Node(leaf) => leaf,
            Entry::Empty | Entry::Leaf(_) => {
                let leaf = grow()?;
                slot.set(Entry::Node(leaf));
                leaf
            }
        };
        let (word, mask) = bit(pfn);
        Ok(machine.word(leaf, word).fetch_or(mask, Ordering::Relaxed) & mask == 0)
    }

    /// Clears the bit of `pfn`; true when it was set.
    pub fn clear(&mut self, machine: &Machine, pfn: Pfn) -> bool {
        let Some(leaf) = self.leaf(machine, leaf_of(pfn)) else { return false };
        let (word, mask) = bit(pfn);
        machine.word(leaf, word).fetch_and(!mask, Ordering::Relaxed) & mask != 0
    }

    /// Whether the bit of `pfn` is set.
    pub fn contains(&self, machine: &Machine, pfn: Pfn) -> bool {
        let (word, mask) = bit(pfn);
        let leaf = if Self::covers(pfn) { self.leaf(machine, leaf_of(pfn)) } else { None };
        leaf.is_some_and(|leaf| machine.word(leaf, word).load(Ordering::Relaxed) & mask != 0)
    }

    /// The frame of leaf number `leaf`, if it exists.
    pub fn leaf(&self, machine: &Machine, leaf: u32) -> Option<Mfn> {
        match TRIE.find(machine, self.top?, u64::from(leaf) << LEAF_BITS, 0).get() {
            Entry::Node(frame) => Some(frame),
            Entry::Empty | Entry::Leaf(_) => None,
        }
    }

    /// Gives up to `leaves` leaves and the nodes that are empty then to `free`; true when nothing is left.
    pub fn prune(&mut self, machine: &Machine, mut leaves: u32, mut free: impl FnMut(Mfn)) -> bool {
        let Some(top) = self.top else { return true };
        let empty = TRIE.prune(machine, top, &mut leaves, &mut free);
        if empty {
            free(top);
            self.top = None;
        }
        empty
    }
}

/// The number of the leaf with the bit of `pfn`, which the trie covers.
fn leaf_of(pfn: Pfn) -> u32 {
    (pfn.get() >> LEAF_BITS) as u32
}

/// Word and mask of a bit in its leaf.
fn bit(pfn: Pfn) -> (usize, u64) {
    let bit = pfn.get() % LEAF_PFNS;
    ((bit / 64) as usize, 1 << (bit % 64))
}
