//! ENABLE, OFF, PEEK, CLEAN and modified_memory: what is reported, what is kept, what is refused meanwhile.

use hv_core::abi::{Domctl, Request, Response, ShadowOp, number};
use hv_core::dirty_trie::LEAF_PFNS;
use hv_core::domain::{Domain, DomainConfig, DomainKind};
use hv_core::error::HvError;
use hv_core::hypercall::Outcome;
use hv_core::log_dirty::CopyMode;
use hv_core::physmap;
use hv_core::types::{Gfn, GuestHandle, P2mType, PAGE_SIZE, PageOrder, Pfn, Preemption};

use crate::rig::{BOTH, BUFFER_GFN, BUFFER_PAGES, KINDS, PAGES, Rig, UNPREEMPTED, logging, write_all};

fn kind_of(rig: &Rig, domain: &Domain, gfn: u64) -> P2mType {
    let entry = physmap::lookup(rig.machine(), domain, Gfn::new(gfn)).expect("translated");
    entry.expect("mapped").kind
}

/// Every way of copying × every kind of caller × whole and preempted at every leaf.
fn everywhere(check: impl Fn(&Rig)) {
    for copy in BOTH {
        for kind in KINDS {
            for preemption in [UNPREEMPTED, Preemption { leaves: 1, pfns: 1 }] {
                check(&logging(copy, preemption, kind));
            }
        }
    }
}

#[test]
fn clean_reports_each_write_once_and_logs_anew() {
    everywhere(|rig| {
        assert_eq!(rig.clean(4), [], "nothing was written since log-dirty went on");
        write_all(rig);
        assert_eq!(kind_of(rig, &rig.guest, 1), P2mType::RamRw, "the second write does not fault");
        assert_eq!(rig.clean(4), PAGES);
        assert_eq!(kind_of(rig, &rig.guest, 1), P2mType::RamLogdirty);
        assert_eq!(rig.clean(4), []);
        rig.guest_writes(LEAF_PFNS, b"more").expect("mapped");
        assert_eq!(rig.clean(4), [LEAF_PFNS]);
        assert_eq!(rig.guest.pauses(), 0);
    });
}

#[test]
fn peek_changes_nothing() {
    everywhere(|rig| {
        write_all(rig);
        for _ in 0..2 {
            let report = rig.scan(number::SHADOW_PEEK, 4).expect("a PEEK");
            assert_eq!(
                (report.pages, report.stats.dirty_count, report.stats.fault_count),
                (4 * LEAF_PFNS, 5, 0)
            );
            assert_eq!(rig.bitmap(4 * LEAF_PFNS), PAGES);
        }
        assert_eq!(kind_of(rig, &rig.guest, 1), P2mType::RamRw);
    });
}

#[test]
fn absent_leaves_are_zeroed_in_the_buffer() {
    everywhere(|rig| {
        rig.write_buffer(2 * PAGE_SIZE as u64, &[0xff; PAGE_SIZE]);
        rig.guest_writes(1, b"dirt").expect("mapped");
        assert_eq!(rig.peek(3), [1]);
    });
}

/// Xen would clean the whole leaf and lose what it did not report.
#[test]
fn only_what_was_reported_is_cleaned() {
    for copy in BOTH {
        let rig = logging(copy, UNPREEMPTED, DomainKind::Pvh);
        for gfn in [3, 15, 16] {
            rig.populate(gfn);
        }
        let op = ShadowOp::scan(number::SHADOW_CLEAN, Some(rig.buffer), 12);
        let Ok(Response::Scan(report)) = rig.shadow(op) else { panic!("a CLEAN") };
        assert_eq!(
            (report.pages, report.stats.dirty_count),
            (12, 3),
            "what was asked for, and the count before"
        );
        assert_eq!(rig.bitmap(16), [3, 15], "whole bytes");
        let report = rig.scan(number::SHADOW_PEEK, 1).expect("a PEEK");
        assert_eq!((report.stats.dirty_count, rig.bitmap(LEAF_PFNS)), (1, vec![16]));
    }
}

#[test]
fn without_a_bitmap_clean_cleans_and_nothing_is_copied() {
    for copy in BOTH {
        let rig = logging(copy, UNPREEMPTED, DomainKind::Pvh);
        rig.write_buffer(0, &[0xaa; 8]);
        write_all(&rig);
        let peek = ShadowOp::scan(number::SHADOW_PEEK, None, 4 * LEAF_PFNS);
        let Ok(Response::Scan(peeked)) = rig.shadow(peek) else { panic!("a PEEK") };
        assert_eq!((peeked.pages, peeked.stats.dirty_count), (4 * LEAF_PFNS, 5));
        rig.shadow(ShadowOp::scan(number::SHADOW_CLEAN, None, 4 * LEAF_PFNS)).expect("a CLEAN");
        assert_eq!(rig.read_buffer(0, 8), [0xaa; 8]);
        assert_eq!(rig.peek(4), []);
    }
}

#[test]
fn off_frees_the_trie_and_stops_logging() {
    everywhere(|rig| {
        write_all(rig);
        rig.shadow(ShadowOp::new(number::SHADOW_OFF)).expect("it goes off");
        assert_eq!((rig.guest.logs_dirty(), rig.guest.pauses()), (false, 0));
        assert_eq!(kind_of(rig, &rig.guest, 1), P2mType::RamRw);
        write_all(rig);
        assert_eq!(rig.clean(4), [], "with log-dirty off the bitmap is empty");
        assert_eq!(kind_of(rig, &rig.guest, 1), P2mType::RamRw, "and CLEAN starts no logging");
        rig.shadow(ShadowOp::new(number::SHADOW_OFF)).expect("off is no error when it is off");
        rig.enable();
        write_all(rig);
        assert_eq!(rig.clean(4), PAGES);
    });
}

#[test]
fn pages_added_are_dirty_and_pages_removed_are_not() {
    let rig = logging(CopyMode::UnderLock, UNPREEMPTED, DomainKind::Pvh);
    rig.populate(40);
    physmap::populate(rig.machine(), &rig.guest, Gfn::new(1024), PageOrder::Page2M).expect("memory");
    let added: Vec<u64> = std::iter::once(40).chain(1024..1536).collect();
    assert_eq!(rig.peek(1), added);
    physmap::remove(rig.machine(), &rig.guest, Gfn::new(1024), PageOrder::Page2M).expect("mapped");
    assert_eq!(rig.peek(1), [40]);
}

/// A write to one page of a logged 2 MiB entry splits it; the rest stays logged.
#[test]
fn a_write_to_a_logged_2m_entry_marks_one_page() {
    let rig = Rig::new();
    physmap::populate(rig.machine(), &rig.guest, Gfn::new(512), PageOrder::Page2M).expect("memory");
    rig.enable();
    rig.guest_writes(600, b"dirt").expect("mapped");
    assert_eq!([600, 601].map(|gfn| kind_of(&rig, &rig.guest, gfn)), [P2mType::RamRw, P2mType::RamLogdirty]);
    assert_eq!(rig.clean(1), [600]);
}

/// What is refused, and what is not, while an operation is between two legs.
#[test]
fn an_unfinished_operation_keeps_others_out() {
    for copy in BOTH {
        let rig = logging(copy, Preemption { leaves: 1, pfns: 256 }, DomainKind::Pvh);
        let rival = DomainConfig { privileged: true, ..DomainConfig::new(DomainKind::Pvh) };
        let rival = rig.system.boot(&rival).expect("room").clone();
        lockdep::owner::add_control(owner(&rival), owner(&rig.guest)).expect("no cycle");
        write_all(&rig);
        let domain = rig.guest.id();
        let clean = ShadowOp::scan(number::SHADOW_CLEAN, Some(rig.buffer), 2 * LEAF_PFNS);
        let mut request = Request::Domctl { domain, op: Domctl::Shadow(clean) };
        assert_eq!(rig.leg(&rig.control, &mut request), Ok(Outcome::Continue));
        assert_eq!(request, Request::ContinueShadow { domain, op: clean });
        assert_eq!(rig.guest.pauses(), 1, "paused between the legs");
        assert!(rig.guest.try_enter(0).expect("vCPU 0 is free").is_none());

        let busy = Err(HvError::OperationPending);
        for op in [
            clean,
            ShadowOp::new(number::SHADOW_PEEK),
            ShadowOp::new(number::SHADOW_OFF),
            ShadowOp::new(number::SHADOW_ENABLE_LOGDIRTY),
            ShadowOp { mb: 1, ..ShadowOp::new(number::SHADOW_SET_ALLOCATION) },
        ] {
            assert_eq!(rig.shadow(op), busy, "{op:?}");
        }
        let forged = |op| Request::ContinueShadow { domain, op: ShadowOp { op, ..clean } };
        for op in [number::SHADOW_PEEK, number::SHADOW_OFF, number::SHADOW_ENABLE] {
            assert_eq!(rig.call(&rig.control, forged(op)), busy, "continued as another operation, {op}");
        }
        assert_eq!(rig.call(&rival, request), busy, "continued by another domain");
        assert_eq!(rig.guest.pauses(), 1, "who was refused leaves the pauses alone");
        let size = rig.shadow(ShadowOp::new(number::SHADOW_GET_ALLOCATION));
        assert_eq!(size, Ok(Response::Allocation { mb: 1 }));

        assert!(rig.call(&rig.control, request).is_ok());
        assert_eq!(rig.bitmap(2 * LEAF_PFNS), PAGES[..4]);
        assert_eq!(rig.guest.pauses(), 0);
        assert_eq!(rig.call(&rig.control, request), busy, "nothing is left to continue");
    }
}

fn owner(domain: &Domain) -> lockdep::OwnerId {
    lockdep::LockOwner::owner_id(domain)
}

/// Nobody comes back for the second leg; the domain can still be destroyed.
#[test]
fn an_abandoned_operation_does_not_outlive_the_subject() {
    let rig = logging(CopyMode::UnderLock, Preemption { leaves: 1, pfns: 1 }, DomainKind::Pvh);
    write_all(&rig);
    let off = Domctl::Shadow(ShadowOp::new(number::SHADOW_OFF));
    let mut request = Request::Domctl { domain: rig.guest.id(), op: off };
    assert_eq!(rig.leg(&rig.control, &mut request), Ok(Outcome::Continue));
    rig.domctl(rig.guest.id(), Domctl::Destroy).expect("no CPU works on it");
    assert_eq!(rig.leg(&rig.control, &mut request), Err(HvError::SubjectDying));
}

/// A bit is either in the bitmap that was reported or still in the trie, and its page faults again.
#[test]
fn a_failing_copy_loses_nothing() {
    for copy in BOTH {
        for preemption in [UNPREEMPTED, Preemption { leaves: 1, pfns: 1 }] {
            let rig = logging(copy, preemption, DomainKind::Pvh);
            write_all(&rig);
            let last = rig.buffer.get() + (BUFFER_PAGES - 1) * PAGE_SIZE as u64;
            let rows = [
                ("no leaf arrives", last + PAGE_SIZE as u64, 0),
                ("half a leaf arrives", last + PAGE_SIZE as u64 / 2, 0),
                ("beyond the address space", u64::MAX - 8, 0),
                ("the first leaf arrives", last, LEAF_PFNS),
            ];
            for (name, at, done) in rows {
                let before = rig.peek(4);
                let op = ShadowOp::scan(number::SHADOW_CLEAN, Some(GuestHandle::new(at)), 4 * LEAF_PFNS);
                assert_eq!(rig.shadow(op), Err(HvError::BitmapNotWritable { done }), "{name}");
                let arrived = rig.read_buffer((BUFFER_PAGES - 1) * PAGE_SIZE as u64, PAGE_SIZE);
                let kept = rig.peek(4);
                for pfn in before {
                    let bit = |bytes: &[u8]| bytes[(pfn / 8) as usize] & (1 << (pfn % 8)) != 0;
                    assert!(kept.contains(&pfn) != (pfn < done && bit(&arrived)), "{name}: pfn {pfn}");
                }
                assert_eq!(rig.guest.pauses(), 0, "{name}");
            }
            assert_eq!(rig.peek(4), PAGES[2..]);
            rig.guest_writes(1, b"more").expect("mapped");
            assert!(rig.peek(4).contains(&1), "a page that was cleaned is logged, though the CLEAN failed");
        }
    }
}

#[test]
fn a_read_only_page_of_the_caller_is_not_written() {
    for copy in BOTH {
        let rig = logging(copy, UNPREEMPTED, DomainKind::Pvh);
        write_all(&rig);
        let page = Gfn::new(BUFFER_GFN + 1);
        physmap::change_type(rig.machine(), &rig.control, page, 1, P2mType::RamRw, P2mType::RamRo)
            .expect("mapped");
        let failed = rig.scan(number::SHADOW_CLEAN, 2);
        assert_eq!(failed.map(|report| report.pages), Err(HvError::BitmapNotWritable { done: LEAF_PFNS }));
        let peek = ShadowOp::scan(number::SHADOW_PEEK, Some(rig.buffer), LEAF_PFNS);
        rig.shadow(peek).expect("the first page can be written");
        assert_eq!(rig.bitmap(LEAF_PFNS), []);
    }
}

/// Three tiers: the caller is itself a control domain's subject, and its log has the bitmap's pages.
#[test]
fn a_caller_that_is_logged_gets_its_bitmap_pages_marked() {
    for copy in BOTH {
        let rig = logging(copy, UNPREEMPTED, DomainKind::Pvh);
        let middle = DomainConfig { privileged: true, ..DomainConfig::new(DomainKind::Pvh) };
        let middle = rig.create(middle);
        let leaf = rig.system.create(&middle, &DomainConfig::new(DomainKind::Hvm)).expect("room").clone();
        for gfn in [8, 9] {
            physmap::populate(rig.machine(), &middle, Gfn::new(gfn), PageOrder::Page4K).expect("memory");
        }
        let on = Domctl::Shadow(ShadowOp::new(number::SHADOW_ENABLE_LOGDIRTY));
        rig.domctl(middle.id(), on).expect("log-dirty goes on");
        let peek = ShadowOp::scan(number::SHADOW_PEEK, Some(GuestHandle::new(Gfn::new(8).gpa().get())), 64);
        let request = Request::Domctl { domain: leaf.id(), op: Domctl::Shadow(peek) };
        rig.call(&middle, request).expect("a PEEK");
        let dirty = [8, 9].map(|pfn| middle.is_dirty(rig.machine(), Pfn::new(pfn)));
        assert_eq!(dirty, [true, false]);
        assert_eq!(kind_of(&rig, &middle, 8), P2mType::RamLogdirty, "the hypervisor writes without a fault");
    }
}
