//! Requests as records in guest memory.

use hv_core::abi::{Domctl, MemoryOp, Record, Request, ShadowOp, number};
use hv_core::dirty_trie::LEAF_PFNS;
use hv_core::hypercall::{RawOutcome, raw_hypercall};
use hv_core::log_dirty::CopyMode;
use hv_core::types::{Gfn, GuestHandle, PAGE_SIZE, PageOrder, Preemption};

use crate::rig::{KINDS, Rig, extents, logging, write_all};

/// The record in guest memory: restart under another number, and the reply.
#[test]
fn a_raw_hypercall_goes_through_the_callers_memory() {
    for kind in KINDS {
        let rig = logging(CopyMode::UnderLock, Preemption { leaves: 1, pfns: 256 }, kind);
        write_all(&rig);
        let bitmap = GuestHandle::new(rig.buffer.get() + PAGE_SIZE as u64);
        let op = ShadowOp::scan(number::SHADOW_CLEAN, Some(bitmap), 2 * LEAF_PFNS);
        let (first, record) =
            Record::encode(&Request::Domctl { domain: rig.guest.id(), op: Domctl::Shadow(op) });
        rig.write_buffer(0, &record.0);
        let run = rig.control.enter(0).expect("free");
        let call = |number| raw_hypercall(&rig.system, &run, number, rig.buffer);
        assert_eq!(call(first), Ok(RawOutcome::Restart { number: number::PAGING_DOMCTL_CONT }));
        assert_eq!(call(number::PAGING_DOMCTL_CONT), Ok(RawOutcome::Done));
        let reply = rig.read_buffer(0, Record::SIZE);
        assert_eq!(reply[32..40], (2 * LEAF_PFNS).to_le_bytes());
        assert_eq!(reply[44..48], 3_u32.to_le_bytes(), "the count when the last leg began");
        assert_eq!(rig.read_buffer(PAGE_SIZE as u64, 1), [2]);
    }
}

#[test]
fn requests_survive_their_record() {
    let rig = Rig::new();
    let domain = rig.guest.id();
    let (gfn, order) = (Gfn::new(0x1234_5678_9abc), PageOrder::Page2M);
    let scan = ShadowOp { mode: 1, mb: 7, ..ShadowOp::scan(number::SHADOW_PEEK, Some(rig.buffer), u64::MAX) };
    let requests = [
        Request::Domctl { domain, op: Domctl::Destroy },
        Request::Domctl { domain, op: Domctl::Shadow(scan) },
        Request::Domctl { domain, op: Domctl::SetTarget { target: rig.control.id() } },
        Request::ContinueShadow { domain, op: ShadowOp { bitmap: None, ..scan } },
        extents(&rig, &[(5, 6)]),
        Request::Memory { domain, op: MemoryOp::Increase { order } },
        Request::Memory { domain, op: MemoryOp::Decrease { gfn, order } },
        Request::Memory { domain, op: MemoryOp::Populate { gfn, order } },
    ];
    for request in requests {
        let (number, record) = Record::encode(&request);
        assert_eq!(record.decode(number), Ok(request));
    }
}
