//! Pre-copy migration against a guest and a device model that keep writing: nothing that was written is missed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use hv_core::abi::{DmOp, Domctl, Request, number};
use hv_core::dirty_trie::LEAF_PFNS;
use hv_core::dm_op::ModifiedMemory;
use hv_core::domain::{DomainConfig, DomainKind};
use hv_core::guest_copy::guest_write;
use hv_core::log_dirty::CopyMode;
use hv_core::physmap;
use hv_core::types::{Gfn, GuestHandle, Mfn, PageOrder, Preemption};

use crate::rig::{BOTH, Rig};

const LEAVES: u64 = 3;
const ROUNDS: usize = 12;

fn migrate(copy: CopyMode, kind: DomainKind) {
    let rig = &Rig::with(copy, Preemption { leaves: 1, pfns: 2 }, kind);
    let machine = rig.machine();
    let gfns: Vec<u64> = (0..LEAVES).flat_map(|leaf| leaf * LEAF_PFNS..leaf * LEAF_PFNS + 8).collect();
    gfns.iter().for_each(|gfn| rig.populate(*gfn));
    // Frames do not move during the test.
    let frames: BTreeMap<u64, Mfn> = gfns
        .iter()
        .map(|gfn| {
            let entry = physmap::lookup(machine, &rig.guest, Gfn::new(*gfn)).expect("translated");
            (*gfn, entry.expect("mapped").mfn)
        })
        .collect();
    let page = |gfn: u64| {
        let mut bytes = [0; 16];
        machine.read(frames[&gfn], 0, &mut bytes);
        bytes
    };
    let stub = rig.create(DomainConfig::new(DomainKind::Pvh));
    rig.domctl(stub.id(), Domctl::SetTarget { target: rig.guest.id() }).expect("a first target");
    physmap::populate(machine, &stub, Gfn::new(1), PageOrder::Page4K).expect("memory");

    rig.enable();
    let mut image: BTreeMap<u64, [u8; 16]> = gfns.iter().map(|gfn| (*gfn, page(*gfn))).collect();
    let stop = AtomicBool::new(false);
    let writes = [const { AtomicU64::new(0) }; 2];
    thread::scope(|scope| {
        scope.spawn(|| {
            for (count, gfn) in (1_u64..).zip(gfns.iter().cycle()) {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let run = rig.guest.enter(1).expect("vCPU 1 is free");
                guest_write(machine, &run, Gfn::new(*gfn).gpa(), &count.to_le_bytes()).expect("mapped");
                writes[0].store(count, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            let record =
                physmap::lookup(machine, &stub, Gfn::new(1)).expect("translated").expect("mapped").mfn;
            let extents = GuestHandle::new(Gfn::new(1).gpa().get());
            for (count, gfn) in (1_u64..).zip(gfns.iter().cycle().step_by(4)) {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                // Written first, told after.
                for page in *gfn..*gfn + 4 {
                    machine.write(frames[&page], 8, &count.to_le_bytes());
                }
                machine.write(record, 0, &[4, 0, 0, 0, 0, 0, 0, 0]);
                machine.write(record, 8, &gfn.to_le_bytes());
                let op = ModifiedMemory { extents, size: 16, nr_extents: 1, opaque: 0 };
                let request = Request::DmOp { domain: rig.guest.id(), op: DmOp::ModifiedMemory(op) };
                rig.call(&stub, request).expect("it is the device model");
                writes[1].store(count, Ordering::Relaxed);
            }
        });
        for _ in 0..ROUNDS {
            // Both get to write between two rounds.
            for writes in &writes {
                let before = writes.load(Ordering::Relaxed);
                while writes.load(Ordering::Relaxed) == before {
                    thread::yield_now();
                }
            }
            for gfn in rig.clean(LEAVES) {
                image.insert(gfn, page(gfn));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    for gfn in rig.clean(LEAVES) {
        image.insert(gfn, page(gfn));
    }
    for gfn in &gfns {
        assert_eq!(image[gfn], page(*gfn), "{copy:?}, {kind:?}: gfn {gfn:#x}");
    }
    assert_eq!(rig.scan(number::SHADOW_PEEK, LEAVES).expect("a PEEK").stats.dirty_count, 0);
}

#[test]
fn nothing_written_is_missed() {
    for copy in BOTH {
        for kind in [DomainKind::Pvh, DomainKind::Pv] {
            migrate(copy, kind);
        }
    }
}
