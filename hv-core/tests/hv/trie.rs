//! The log-dirty trie: where the index of a pfn is cut, its frames, and agreement with a set.

use std::collections::BTreeSet;

use hv_core::dirty_trie::{DirtyTrie, LEAF_PFNS, MAX_LEAVES, NODE_LEAVES};
use hv_core::error::HvError;
use hv_core::machine::Machine;
use hv_core::paging::Paging;
use hv_core::types::{PAGE_SIZE, PageOrder, Pfn};
use proptest::prelude::*;

/// How many frames the trie has after marking `pfns`.
fn frames(pfns: &[u64]) -> u64 {
    crate::cpus::install();
    let machine = Machine::new(64);
    let mut trie = DirtyTrie::EMPTY;
    for pfn in pfns {
        let fresh = trie.set(&machine, Pfn::new(*pfn), || machine.alloc(PageOrder::Page4K));
        assert_eq!(fresh, Ok(true), "{pfn:#x}");
        assert!(trie.contains(&machine, Pfn::new(*pfn)), "{pfn:#x}");
    }
    64 - machine.nr_free()
}

#[test]
fn levels_are_cut_at_bits_15_24_and_33() {
    // One frame per level: L4, L3, L2 and the bitmap, L1.
    assert_eq!(frames(&[0]), 4);
    let rows: [(&str, &[u64], u64); 7] = [
        ("last and first bit of one leaf", &[0, 32767], 4),
        ("last bit of a leaf, first of the next", &[32767, 32768], 5),
        ("last leaf of an L2 node", &[0, (1 << 24) - 1], 5),
        ("two L2 nodes", &[(1 << 24) - 1, 1 << 24], 6),
        ("last leaf of an L3 node", &[1 << 24, (1 << 33) - 1], 6),
        ("two L3 nodes", &[(1 << 33) - 1, 1 << 33], 7),
        ("the ends of the trie", &[0, (1 << 42) - 1], 7),
    ];
    for (name, pfns, expected) in rows {
        assert_eq!(frames(pfns), expected, "{name}");
    }
    assert!(DirtyTrie::covers(Pfn::new((1 << 42) - 1)));
    assert!(!DirtyTrie::covers(Pfn::new(1 << 42)));
    assert_eq!((LEAF_PFNS, NODE_LEAVES, u64::from(MAX_LEAVES) * LEAF_PFNS), (32768, 512, 1 << 42));
}

#[test]
fn bits_of_one_leaf_are_where_the_bitmap_has_them() {
    crate::cpus::install();
    let machine = Machine::new(16);
    let mut paging = logging(&machine, 8);
    for pfn in [0, 9, 32767, 32768] {
        paging.mark_dirty(&machine, Pfn::new(pfn));
    }
    let mut page = [0; PAGE_SIZE];
    assert!(paging.read_leaf(&machine, 0, &mut page));
    assert_eq!((page[0], page[1], page[4095]), (1, 2, 0x80));
    assert!(paging.read_leaf(&machine, 1, &mut page));
    assert_eq!((page[0], page[4095]), (1, 0));
    assert!(!paging.read_leaf(&machine, 2, &mut page), "absent");
}

#[test]
fn a_pfn_beyond_the_trie_is_ignored() {
    crate::cpus::install();
    let machine = Machine::new(8);
    let mut paging = logging(&machine, 4);
    for pfn in [1 << 42, u64::MAX] {
        paging.mark_dirty(&machine, Pfn::new(pfn));
        paging.mark_clean(&machine, Pfn::new(pfn));
        assert!(!paging.is_dirty(&machine, Pfn::new(pfn)));
    }
    assert_eq!(paging.stats().dirty_count, 0);
    assert_eq!(paging.check_complete(), Ok(()));
}

#[test]
fn a_mark_without_a_frame_is_lost_and_said_so() {
    crate::cpus::install();
    let machine = Machine::new(8);
    let mut paging = logging(&machine, 4);
    paging.mark_dirty(&machine, Pfn::new(0));
    assert_eq!(paging.check_complete(), Ok(()));
    paging.mark_dirty(&machine, Pfn::new(1 << 20));
    assert_eq!(paging.check_complete(), Err(HvError::MarksLost));
    paging.mark_dirty(&machine, Pfn::new(1));
    assert_eq!(paging.stats().dirty_count, 2, "marks in leaves that exist go on");
    assert!(paging.free_trie(&machine, u32::MAX));
    assert_eq!((paging.check_complete(), paging.stats().dirty_count), (Ok(()), 0));
    assert_eq!(paging.set_allocation(&machine, 0), Ok(()), "every frame is back in the pool");
    assert_eq!(machine.nr_free(), 8);
}

#[test]
fn freeing_goes_on_where_it_stopped() {
    crate::cpus::install();
    let machine = Machine::new(32);
    let mut paging = logging(&machine, 16);
    for leaf in [0, 1, 600, 1 << 20] {
        paging.mark_dirty(&machine, Pfn::new(leaf * LEAF_PFNS));
    }
    let legs = std::iter::repeat_with(|| paging.free_trie(&machine, 1)).position(|gone| gone);
    assert_eq!(legs, Some(3), "four leaves, one a leg");
}

#[test]
fn the_pool_does_not_shrink_below_what_is_in_use() {
    crate::cpus::install();
    let machine = Machine::new(8);
    let mut paging = logging(&machine, 6);
    paging.mark_dirty(&machine, Pfn::new(0));
    assert_eq!(paging.set_allocation(&machine, 3), Err(HvError::PoolInUse));
    assert_eq!(paging.allocation(), 4, "as far as it got");
    assert_eq!(paging.set_allocation(&machine, 20), Err(HvError::HeapExhausted));
    assert!(paging.is_dirty(&machine, Pfn::new(0)));
}

fn logging(machine: &Machine, frames: u32) -> Paging {
    let mut paging = Paging::OFF;
    paging.set_allocation(machine, frames).expect("memory");
    paging.enable().expect("it was off");
    paging
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Dirty(u64),
    Clean(u64),
    /// Clean so many bytes of a leaf, and put them back if told to.
    CleanLeaf(u64, usize, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let leaf = prop_oneof![Just(0_u64), Just(1), Just(511), Just(512), Just((1 << 18) - 1), Just(1 << 18)];
    let near = prop_oneof![Just(0), Just(LEAF_PFNS - 1), 0..LEAF_PFNS, 0..64_u64];
    let pfn = (leaf.clone(), near).prop_map(|(leaf, bit)| leaf * LEAF_PFNS + bit);
    let step = prop_oneof![
        6 => pfn.clone().prop_map(Step::Dirty),
        2 => pfn.prop_map(Step::Clean),
        2 => (leaf, 0..=PAGE_SIZE, any::<bool>()).prop_map(|(leaf, bytes, back)| Step::CleanLeaf(leaf, bytes, back)),
    ];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    #[test]
    fn the_trie_agrees_with_a_set(steps in steps()) {
        crate::cpus::install();
        let machine = Machine::new(64);
        let mut paging = logging(&machine, 32);
        let mut model = BTreeSet::new();
        let mut touched = BTreeSet::new();
        for step in steps {
            match step {
                Step::Dirty(pfn) => {
                    paging.mark_dirty(&machine, Pfn::new(pfn));
                    model.insert(pfn);
                    touched.insert(pfn);
                }
                Step::Clean(pfn) => {
                    paging.mark_clean(&machine, Pfn::new(pfn));
                    model.remove(&pfn);
                }
                Step::CleanLeaf(leaf, bytes, back) => {
                    let mut page = [0; PAGE_SIZE];
                    let bits = &mut page[..bytes];
                    if paging.read_leaf(&machine, leaf as u32, bits) {
                        paging.clean_leaf(&machine, leaf as u32, bits);
                        if back {
                            paging.restore_leaf(&machine, leaf as u32, bits);
                        }
                    }
                    if !back {
                        let first = leaf * LEAF_PFNS;
                        model.retain(|pfn| !(first..first + bytes as u64 * 8).contains(pfn));
                    }
                }
            }
            prop_assert_eq!(paging.stats().dirty_count as usize, model.len());
            for pfn in &touched {
                prop_assert_eq!(paging.is_dirty(&machine, Pfn::new(*pfn)), model.contains(pfn), "pfn {:#x}", pfn);
            }
        }
        prop_assert_eq!(paging.check_complete(), Ok(()));
        prop_assert_eq!(paging.teardown(&machine), Ok(()));
        prop_assert_eq!(machine.nr_free(), 64);
    }
}
