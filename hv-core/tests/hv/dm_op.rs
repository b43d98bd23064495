//! modified_memory: which pages it marks, how it is preempted, and that a paused subject is no hindrance.

use hv_core::abi::{DmOp, Domctl, Request, Response, ShadowOp, number};
use hv_core::dirty_trie::LEAF_PFNS;
use hv_core::domain::DomainKind;
use hv_core::hypercall::Outcome;
use hv_core::log_dirty::CopyMode;
use hv_core::physmap;
use hv_core::types::{Gfn, PAGE_SIZE, PageOrder, Preemption};

use crate::rig::{BOTH, KINDS, PAGES, Rig, UNPREEMPTED, extents, logging, write_all};

#[test]
fn modified_memory_marks_memory_and_skips_the_rest() {
    for kind in KINDS {
        let rig = logging(CopyMode::UnderLock, UNPREEMPTED, kind);
        let last = PAGES[4];
        // Xen refuses an extent that ends at the highest gfn.
        let request = extents(&rig, &[(0, 4), (last - 1, 2), (LEAF_PFNS, 1)]);
        assert_eq!(rig.call(&rig.control, request), Ok(Response::Nothing));
        assert_eq!(rig.peek(4), [1, LEAF_PFNS, last], "unmapped pages are not marked");
    }
}

#[test]
fn modified_memory_is_ignored_while_nothing_is_logged() {
    let rig = Rig::new();
    rig.populate(0);
    let request = extents(&rig, &[(1 << 40, 0)]);
    assert_eq!(rig.call(&rig.control, request), Ok(Response::Nothing), "not even looked at");
}

#[test]
fn modified_memory_is_preempted_and_goes_on() {
    let rig = Rig::with(CopyMode::UnderLock, Preemption { leaves: 1, pfns: 256 }, DomainKind::Pvh);
    physmap::populate(rig.machine(), &rig.guest, Gfn::new(512), PageOrder::Page2M).expect("memory");
    rig.enable();
    let mut request = extents(&rig, &[(512, 300), (900, 100)]);
    assert_eq!(rig.leg(&rig.control, &mut request), Ok(Outcome::Continue));
    let Request::DmOp { op: DmOp::ModifiedMemory(left), .. } = request else { panic!("a dm_op") };
    assert_eq!((left.nr_extents, left.opaque), (1, 156), "the last extent is done first");
    assert_eq!(rig.leg(&rig.control, &mut request), Ok(Outcome::Done(Response::Nothing)));
    let expected: Vec<u64> = (512..812).chain(900..1000).collect();
    assert_eq!(rig.peek(1), expected);
}

/// A mark that lands in a leaf already visited survives the CLEAN, and is counted.
#[test]
fn a_device_model_marks_while_the_subject_is_paused() {
    for copy in BOTH {
        let rig = logging(copy, Preemption { leaves: 1, pfns: 256 }, DomainKind::Pvh);
        write_all(&rig);
        let op = ShadowOp::scan(number::SHADOW_CLEAN, Some(rig.buffer), 4 * LEAF_PFNS);
        let mut clean = Request::Domctl { domain: rig.guest.id(), op: Domctl::Shadow(op) };
        assert_eq!(rig.leg(&rig.control, &mut clean), Ok(Outcome::Continue));
        let bitmap = rig.read_buffer(0, PAGE_SIZE);
        let marks = extents(&rig, &[(1, 1), (LEAF_PFNS, 1)]);
        rig.call(&rig.control, marks).expect("it works while the subject is paused");
        rig.write_buffer(0, &bitmap);
        rig.call(&rig.control, clean).expect("the rest of the CLEAN");
        assert_eq!(rig.bitmap(4 * LEAF_PFNS), PAGES);
        let report = rig.scan(number::SHADOW_PEEK, 4).expect("a PEEK");
        assert_eq!((rig.bitmap(4 * LEAF_PFNS), report.stats.dirty_count), (vec![1], 1));
    }
}
