//! Every refused request, with the errno that Xen gives: the rows of `error.rs`.

use hv_core::abi::{DOMCTL_INTERFACE_VERSION, DmOp, Domctl, MemoryOp, Record, Request, ShadowOp, number};
use hv_core::dirty_trie::LEAF_PFNS;
use hv_core::dm_op::ModifiedMemory;
use hv_core::domain::{DomainConfig, DomainKind};
use hv_core::error::HvError;
use hv_core::hypercall::{Outcome, raw_hypercall};
use hv_core::log_dirty::CopyMode;
use hv_core::physmap;
use hv_core::types::{DomainId, Gfn, GuestHandle, P2mType, PageOrder, Preemption};

use crate::rig::{Rig, UNPREEMPTED};

const EPERM: i32 = -1;
const ENOENT: i32 = -2;
const ESRCH: i32 = -3;
const ENOMEM: i32 = -12;
const EACCES: i32 = -13;
const EFAULT: i32 = -14;
const EBUSY: i32 = -16;
const EEXIST: i32 = -17;
const EINVAL: i32 = -22;
const ENOSYS: i32 = -38;
const EOPNOTSUPP: i32 = -95;

/// Name of the row, the errno, the cause, and how to bring it about on a fresh system.
type Row = (&'static str, i32, HvError, fn(&Rig) -> Result<(), HvError>);

fn check(rows: &[Row]) {
    for (name, errno, error, attempt) in rows {
        let got = attempt(&Rig::new());
        assert_eq!(got, Err(*error), "{name}");
        assert_eq!(error.errno(), *errno, "{name}");
        assert!(!error.to_string().is_empty(), "{name}");
    }
}

/// Makes hypercall `number` with `record` in the control domain's buffer.
fn raw(rig: &Rig, number: u32, record: &Record) -> Result<(), HvError> {
    rig.write_buffer(0, &record.0);
    raw_at(rig, number, rig.buffer)
}

fn raw_at(rig: &Rig, number: u32, at: GuestHandle) -> Result<(), HvError> {
    let run = rig.control.enter(0).expect("vCPU 0 is free");
    raw_hypercall(&rig.system, &run, number, at).map(|_| ())
}

/// A record with a domctl, changed at one place.
fn patched(rig: &Rig, at: usize, value: u32) -> Record {
    let op = Domctl::Shadow(ShadowOp::new(number::SHADOW_PEEK));
    let (_, mut record) = Record::encode(&Request::Domctl { domain: rig.guest.id(), op });
    record.0[at..at + 4].copy_from_slice(&value.to_le_bytes());
    record
}

const UNMAPPED: GuestHandle = GuestHandle::new(0x7_0000_0000);
const NOBODY: DomainId = DomainId::new(63);

fn shadow(rig: &Rig, op: u32) -> Result<(), HvError> {
    rig.shadow(ShadowOp::new(op)).map(|_| ())
}

fn domctl(rig: &Rig, domain: DomainId, op: Domctl) -> Result<(), HvError> {
    rig.domctl(domain, op).map(|_| ())
}

const PEEK: Domctl = Domctl::Shadow(ShadowOp::new(number::SHADOW_PEEK));
const ENABLE: Domctl = Domctl::Shadow(ShadowOp::new(number::SHADOW_ENABLE_LOGDIRTY));
const HVM: DomainConfig = DomainConfig::new(DomainKind::Hvm);

#[test]
fn do_domctl() {
    check(&[
        ("request copy fails", EFAULT, HvError::RequestNotReadable, |rig| {
            raw_at(rig, number::DOMCTL, UNMAPPED)
        }),
        ("wrong interface version", EACCES, HvError::InterfaceVersion, |rig| {
            raw(rig, number::DOMCTL, &patched(rig, 4, DOMCTL_INTERFACE_VERSION + 1))
        }),
        ("no such domain, caller is a control domain", ESRCH, HvError::NoSuchDomain, |rig| {
            domctl(rig, NOBODY, PEEK)
        }),
        ("no such domain, caller is not", EPERM, HvError::PermissionDenied, |rig| {
            rig.call(&rig.guest, Request::Domctl { domain: NOBODY, op: PEEK }).map(|_| ())
        }),
        ("a reserved id is no domain", ESRCH, HvError::NoSuchDomain, |rig| domctl(rig, DomainId::SELF, PEEK)),
        ("XSM refuses", EPERM, HvError::PermissionDenied, |rig| {
            let other = rig.create(HVM);
            rig.call(&other, Request::Domctl { domain: rig.guest.id(), op: PEEK }).map(|_| ())
        }),
        ("unknown domctl", EOPNOTSUPP, HvError::UnknownOperation, |rig| {
            raw(rig, number::DOMCTL, &patched(rig, 0, 9999))
        }),
        ("unknown hypercall", ENOSYS, HvError::UnknownHypercall, |rig| raw(rig, 77, &patched(rig, 0, 0))),
        ("write-back fails", EFAULT, HvError::RequestNotWritable, |rig| {
            rig.write_buffer(0, &patched(rig, 16, number::SHADOW_GET_ALLOCATION).0);
            let page = Gfn::new(crate::rig::BUFFER_GFN);
            let (from, to) = (P2mType::RamRw, P2mType::RamRo);
            physmap::change_type(rig.machine(), &rig.control, page, 1, from, to).expect("mapped");
            raw_at(rig, number::DOMCTL, rig.buffer)
        }),
    ]);
}

#[test]
fn continuation_entry() {
    let cont = number::PAGING_DOMCTL_CONT;
    assert_eq!(cont, 49);
    check(&[
        ("copy fails", EFAULT, HvError::RequestNotReadable, |rig| {
            raw_at(rig, number::PAGING_DOMCTL_CONT, UNMAPPED)
        }),
        ("wrong version", EOPNOTSUPP, HvError::NotAContinuation, |rig| {
            raw(rig, number::PAGING_DOMCTL_CONT, &patched(rig, 4, 0))
        }),
        ("not shadow_op", EOPNOTSUPP, HvError::NotAContinuation, |rig| {
            raw(rig, number::PAGING_DOMCTL_CONT, &patched(rig, 0, number::DOMCTL_SET_TARGET))
        }),
        ("no domain", ESRCH, HvError::NoSuchDomain, |rig| {
            raw(rig, number::PAGING_DOMCTL_CONT, &patched(rig, 8, u32::from(NOBODY.get())))
        }),
        ("nothing to continue", EBUSY, HvError::OperationPending, |rig| {
            raw(rig, number::PAGING_DOMCTL_CONT, &patched(rig, 0, number::DOMCTL_SHADOW_OP))
        }),
    ]);
}

#[test]
fn paging_domctl() {
    check(&[
        ("the subject is the caller", EINVAL, HvError::DomctlOnSelf, |rig| {
            domctl(rig, rig.control.id(), PEEK)
        }),
        ("the subject is dying", EINVAL, HvError::SubjectDying, |rig| {
            domctl(rig, rig.guest.id(), Domctl::Destroy)?;
            domctl(rig, rig.guest.id(), PEEK)
        }),
        ("the subject has no vCPU 0", EINVAL, HvError::NoVcpus, |rig| {
            domctl(rig, rig.create(DomainConfig { vcpus: 0, ..HVM }).id(), PEEK)
        }),
        ("CLEAN with mode bits other than FINAL", EINVAL, HvError::BadMode, |rig| {
            rig.shadow(ShadowOp { mode: 3, ..ShadowOp::new(number::SHADOW_CLEAN) }).map(|_| ())
        }),
        ("PEEK with mode bits other than FINAL", EINVAL, HvError::BadMode, |rig| {
            rig.shadow(ShadowOp { mode: 2, ..ShadowOp::new(number::SHADOW_PEEK) }).map(|_| ())
        }),
        ("unknown op", EINVAL, HvError::UnknownShadowOp, |rig| shadow(rig, 99)),
        ("ENABLE_TEST is shadow paging's", EINVAL, HvError::UnknownShadowOp, |rig| shadow(rig, 1)),
        ("no paging support", EOPNOTSUPP, HvError::PagingUnsupported, |rig| {
            domctl(rig, rig.create(DomainConfig::new(DomainKind::Pv)).id(), PEEK)
        }),
        ("SET_ALLOCATION beyond the heap", ENOMEM, HvError::HeapExhausted, |rig| {
            let op = ShadowOp { mb: u32::MAX, ..ShadowOp::new(number::SHADOW_SET_ALLOCATION) };
            rig.shadow(op).map(|_| ())
        }),
        ("SET_ALLOCATION below what is in use", ENOMEM, HvError::PoolInUse, |rig| {
            rig.enable();
            rig.populate(0);
            shadow(rig, number::SHADOW_SET_ALLOCATION)
        }),
    ]);
}

#[test]
fn final_is_a_mode_of_peek_and_clean() {
    let rig = Rig::new();
    for op in [number::SHADOW_PEEK, number::SHADOW_CLEAN] {
        let last = ShadowOp { mode: number::SHADOW_MODE_FINAL, ..ShadowOp::new(op) };
        assert!(rig.shadow(last).is_ok());
    }
}

#[test]
fn enable() {
    check(&[
        ("passthrough devices assigned", EINVAL, HvError::DevicesAssigned, |rig| {
            domctl(rig, rig.create(DomainConfig { passthrough: true, ..HVM }).id(), ENABLE)
        }),
        ("already enabled", EINVAL, HvError::AlreadyEnabled, |rig| {
            rig.enable();
            shadow(rig, number::SHADOW_ENABLE_LOGDIRTY)
        }),
        ("ioreq_server entries outstanding", EBUSY, HvError::IoreqEntries, |rig| {
            rig.populate(4);
            let (from, to) = (P2mType::RamRw, P2mType::IoreqServer);
            physmap::change_type(rig.machine(), &rig.guest, Gfn::new(4), 1, from, to).expect("mapped");
            shadow(rig, number::SHADOW_ENABLE_LOGDIRTY)
        }),
        ("ENABLE without the log-dirty bit", EINVAL, HvError::BadMode, |rig| {
            shadow(rig, number::SHADOW_ENABLE)
        }),
    ]);
    let rig = Rig::new();
    let with_bit = ShadowOp { mode: number::SHADOW_MODE_LOG_DIRTY, ..ShadowOp::new(number::SHADOW_ENABLE) };
    assert!(rig.shadow(with_bit).is_ok());
    assert!(rig.guest.logs_dirty());
    assert_eq!(rig.guest.pauses(), 0);
}

#[test]
fn clean_and_peek() {
    check(&[
        ("earlier trie allocation failures", ENOMEM, HvError::MarksLost, |rig| {
            rig.enable();
            // 32 frames: two for the upper levels, then two for each further L2 node.
            for node in 0..20_u64 {
                physmap::populate(rig.machine(), &rig.guest, Gfn::new(node << 24), PageOrder::Page4K)?;
            }
            shadow(rig, number::SHADOW_CLEAN)
        }),
        ("caller buffer not writable", EFAULT, HvError::BitmapNotWritable { done: 0 }, |rig| {
            rig.shadow(ShadowOp::scan(number::SHADOW_PEEK, Some(UNMAPPED), 8)).map(|_| ())
        }),
    ]);
    let rig = Rig::new();
    assert_eq!(rig.guest.pauses(), 0);
}

#[test]
fn preempted_is_not_an_error() {
    let rig = Rig::with(CopyMode::UnderLock, Preemption { leaves: 1, pfns: 1 }, DomainKind::Pvh);
    let op = Domctl::Shadow(ShadowOp::scan(number::SHADOW_PEEK, None, 2 * LEAF_PFNS));
    let mut request = Request::Domctl { domain: rig.guest.id(), op };
    assert_eq!(rig.leg(&rig.control, &mut request), Ok(Outcome::Continue));
}

#[test]
fn off_collides_with_another_operation() {
    let rig = Rig::with(CopyMode::UnderLock, Preemption { leaves: 1, pfns: 1 }, DomainKind::Pvh);
    let op = Domctl::Shadow(ShadowOp::scan(number::SHADOW_PEEK, None, 2 * LEAF_PFNS));
    let mut request = Request::Domctl { domain: rig.guest.id(), op };
    rig.leg(&rig.control, &mut request).expect("a first leg");
    let collision = shadow(&rig, number::SHADOW_OFF);
    assert_eq!(collision, Err(HvError::OperationPending));
    assert_eq!(HvError::OperationPending.errno(), EBUSY);
}

fn dm_op(rig: &Rig, domain: DomainId, op: ModifiedMemory) -> Result<(), HvError> {
    rig.call(&rig.control, Request::DmOp { domain, op: DmOp::ModifiedMemory(op) }).map(|_| ())
}

/// One extent in the buffer of a guest that logs and whose highest gfn is 9.
fn extent(rig: &Rig, first: u64, nr: u32, pad: u32, opaque: u32) -> Result<(), HvError> {
    rig.enable();
    rig.populate(9);
    rig.write_buffer(0, &nr.to_le_bytes());
    rig.write_buffer(4, &pad.to_le_bytes());
    rig.write_buffer(8, &first.to_le_bytes());
    let op = ModifiedMemory { extents: rig.buffer, size: 16, nr_extents: 1, opaque };
    dm_op(rig, rig.guest.id(), op)
}

#[test]
fn modified_memory() {
    check(&[
        ("extent buffer smaller than nr_extents", EINVAL, HvError::ExtentsTruncated, |rig| {
            rig.enable();
            let op = ModifiedMemory { extents: rig.buffer, size: 31, nr_extents: 2, opaque: 0 };
            dm_op(rig, rig.guest.id(), op)
        }),
        ("extent not readable", EFAULT, HvError::ExtentNotReadable, |rig| {
            rig.enable();
            let op = ModifiedMemory { extents: UNMAPPED, size: 16, nr_extents: 1, opaque: 0 };
            dm_op(rig, rig.guest.id(), op)
        }),
        ("pad is not 0", EINVAL, HvError::ExtentPadding, |rig| extent(rig, 0, 1, 1, 0)),
        ("nr = 0", EINVAL, HvError::ExtentRange, |rig| extent(rig, 0, 0, 0, 0)),
        ("wrap", EINVAL, HvError::ExtentRange, |rig| extent(rig, u64::MAX, 2, 0, 0)),
        ("end beyond max gfn", EINVAL, HvError::ExtentRange, |rig| extent(rig, 9, 2, 0, 0)),
        ("opaque = nr", EINVAL, HvError::ExtentCursor, |rig| extent(rig, 0, 1, 0, 1)),
    ]);
    assert_eq!(extent(&Rig::new(), 9, 1, 0, 0), Ok(()), "the last page is in");
}

#[test]
fn a_failing_extent_is_named() {
    let rig = Rig::new();
    rig.enable();
    rig.populate(9);
    rig.write_buffer(16, &1_u32.to_le_bytes());
    let op = ModifiedMemory { extents: rig.buffer, size: 32, nr_extents: 2, opaque: 0 };
    let mut request = Request::DmOp { domain: rig.guest.id(), op: DmOp::ModifiedMemory(op) };
    assert_eq!(rig.leg(&rig.control, &mut request), Err(HvError::ExtentRange));
    let Request::DmOp { op: DmOp::ModifiedMemory(left), .. } = request else { panic!("a dm_op") };
    assert_eq!(left.nr_extents, 1, "the second one is good, the first one is empty");
}

#[test]
fn dm_op_generic() {
    const NOTHING: ModifiedMemory = ModifiedMemory { extents: UNMAPPED, size: 0, nr_extents: 0, opaque: 0 };
    check(&[
        ("self", EPERM, HvError::DmOpOnSelf, |rig| dm_op(rig, rig.control.id(), NOTHING)),
        ("no domain", ESRCH, HvError::NoSuchDomain, |rig| dm_op(rig, NOBODY, NOTHING)),
        ("not HVM", EINVAL, HvError::NotTranslated, |rig| {
            dm_op(rig, rig.create(DomainConfig::new(DomainKind::Pv)).id(), NOTHING)
        }),
        ("XSM refuses", EPERM, HvError::PermissionDenied, |rig| {
            let foreign = rig.system.boot(&HVM)?.id();
            dm_op(rig, foreign, NOTHING)
        }),
        ("bad size", EFAULT, HvError::RequestNotReadable, |rig| raw_at(rig, number::DM_OP, UNMAPPED)),
        ("unknown op", EOPNOTSUPP, HvError::UnknownDmOp, |rig| {
            let mut record = patched(rig, 4, 0);
            record.0[0] = 99;
            raw(rig, number::DM_OP, &record)
        }),
        ("pad", EINVAL, HvError::DmOpPadding, |rig| raw(rig, number::DM_OP, &patched(rig, 4, 1))),
    ]);
}

fn memory(rig: &Rig, domain: DomainId, op: MemoryOp) -> Result<(), HvError> {
    rig.call(&rig.control, Request::Memory { domain, op }).map(|_| ())
}

#[test]
fn memory_op() {
    const PAGE: PageOrder = PageOrder::Page4K;
    check(&[
        ("no domain", ESRCH, HvError::NoSuchDomain, |rig| {
            memory(rig, NOBODY, MemoryOp::Increase { order: PAGE })
        }),
        ("unknown operation", EOPNOTSUPP, HvError::UnknownOperation, |rig| {
            let mut record = patched(rig, 24, 0);
            record.0[0] = 99;
            raw(rig, number::MEMORY_OP, &record)
        }),
        ("no such order", EINVAL, HvError::BadOrder, |rig| raw(rig, number::MEMORY_OP, &patched(rig, 24, 1))),
        ("misaligned", EINVAL, HvError::BadOrder, |rig| {
            memory(rig, rig.guest.id(), MemoryOp::Populate { gfn: Gfn::new(1), order: PageOrder::Page2M })
        }),
        ("beyond the address space", EINVAL, HvError::GfnOutOfRange, |rig| {
            memory(rig, rig.guest.id(), MemoryOp::Populate { gfn: Gfn::new(u64::MAX), order: PAGE })
        }),
        ("removed beyond the address space", EINVAL, HvError::GfnOutOfRange, |rig| {
            memory(rig, rig.guest.id(), MemoryOp::Decrease { gfn: Gfn::new(1 << 36), order: PAGE })
        }),
        ("mapped already", EEXIST, HvError::GfnInUse, |rig| {
            rig.populate(3);
            memory(rig, rig.guest.id(), MemoryOp::Populate { gfn: Gfn::new(3), order: PAGE })
        }),
        ("mapped within", EEXIST, HvError::GfnInUse, |rig| {
            rig.populate(3);
            memory(rig, rig.guest.id(), MemoryOp::Populate { gfn: Gfn::new(0), order: PageOrder::Page2M })
        }),
        ("not mapped", ENOENT, HvError::GfnNotMapped, |rig| {
            memory(rig, rig.guest.id(), MemoryOp::Decrease { gfn: Gfn::new(3), order: PAGE })
        }),
        ("PV has no p2m", EINVAL, HvError::NotTranslated, |rig| {
            let pv = rig.create(DomainConfig::new(DomainKind::Pv));
            memory(rig, pv.id(), MemoryOp::Populate { gfn: Gfn::new(3), order: PAGE })
        }),
        ("max_pages", ENOMEM, HvError::MaxPages, |rig| {
            let pv = rig.create(DomainConfig { max_pages: 0, ..DomainConfig::new(DomainKind::Pv) });
            memory(rig, pv.id(), MemoryOp::Increase { order: PAGE })
        }),
        ("own memory is not mapped", EINVAL, HvError::NotForeign, |rig| {
            let kind = P2mType::RamRw;
            let entry = hv_core::p2m::P2mEntry { mfn: hv_core::types::Mfn::new(0), kind, order: PAGE };
            physmap::map(rig.machine(), &rig.guest, Gfn::new(0), entry)
        }),
        ("a device's page changes no type", EINVAL, HvError::NotMemory, |rig| {
            let (from, to) = (P2mType::MmioDirect, P2mType::RamRw);
            physmap::change_type(rig.machine(), &rig.guest, Gfn::new(0), 1, from, to).map(|_| ())
        }),
    ]);
}

/// A PV caller's address is its own frame or nothing.
#[test]
fn a_pv_caller_reaches_only_its_own_frames() {
    let rig = Rig::with(CopyMode::UnderLock, UNPREEMPTED, DomainKind::Pv);
    rig.populate(0);
    let entry = physmap::lookup(rig.machine(), &rig.guest, Gfn::new(0)).expect("translated").expect("mapped");
    let foreign = GuestHandle::new(entry.mfn.get() << 12);
    for at in [foreign, UNMAPPED, GuestHandle::new(u64::MAX)] {
        assert_eq!(raw_at(&rig, number::DOMCTL, at), Err(HvError::RequestNotReadable));
    }
}
