//! Who controls whom, who may therefore do what, and that nobody ends up controlling himself.

use hv_core::abi::{DmOp, Domctl, MemoryOp, Request, Response, ShadowOp, number};
use hv_core::dm_op::ModifiedMemory;
use hv_core::domain::{Domain, DomainConfig, DomainKind};
use hv_core::error::HvError;
use hv_core::locks::levels::{Control, Subject};
use hv_core::log_dirty::{self, Leg};
use hv_core::types::{DomainId, Gfn, PageOrder};

use crate::rig::Rig;

const HVM: DomainConfig = DomainConfig::new(DomainKind::Hvm);
const CONTROL: DomainConfig = DomainConfig { privileged: true, ..DomainConfig::new(DomainKind::Pvh) };

fn set_target(rig: &Rig, domain: &Domain, target: DomainId) -> Result<(), HvError> {
    rig.domctl(domain.id(), Domctl::SetTarget { target }).map(|_| ())
}

#[test]
fn a_creator_controls_what_it_creates_and_nobody_else_does() {
    let rig = Rig::new();
    let stranger = rig.system.boot(&CONTROL).expect("room").clone();
    assert!(rig.control.controls(&rig.guest));
    assert!(!rig.guest.controls(&rig.control));
    assert!(!stranger.controls(&rig.guest) && !rig.guest.controls(&stranger));
    assert_eq!(rig.system.create(&rig.guest, &HVM).err(), Some(HvError::PermissionDenied));
}

#[test]
fn a_device_model_controls_its_target_and_the_target_of_that() {
    let rig = Rig::new();
    let [stub, stub_of_stub] = [(); 2].map(|()| rig.create(HVM));
    set_target(&rig, &stub, rig.guest.id()).expect("a first target");
    assert!(stub.controls(&rig.guest) && rig.control.controls(&stub));
    assert_eq!(stub.target(), Some(rig.guest.id()));
    set_target(&rig, &stub_of_stub, stub.id()).expect("chains are allowed");
    assert!(stub_of_stub.controls(&rig.guest));
    let other = rig.create(HVM);
    set_target(&rig, &other, rig.guest.id()).expect("a target may have several device models");
}

#[test]
fn set_target_is_refused() {
    let rig = Rig::new();
    let stub = rig.create(HVM);
    let pv = rig.create(DomainConfig::new(DomainKind::Pv));
    let foreign = rig.system.boot(&HVM).expect("room").clone();
    let rows = [
        ("no such target", DomainId::new(60), HvError::NoSuchTarget),
        ("a reserved id", DomainId::SELF, HvError::NoSuchTarget),
        ("itself", stub.id(), HvError::TargetInvalid),
        ("a PV domain", pv.id(), HvError::TargetNotTranslated),
        ("the caller, who controls it", rig.control.id(), HvError::ControlCycle),
        ("a domain that the caller does not control", foreign.id(), HvError::PermissionDenied),
    ];
    for (name, target, error) in rows {
        assert_eq!(set_target(&rig, &stub, target), Err(error), "{name}");
        assert_eq!(stub.target(), None, "{name}");
    }
    set_target(&rig, &stub, rig.guest.id()).expect("a first target");
    assert_eq!(set_target(&rig, &stub, rig.guest.id()), Err(HvError::TargetInvalid), "a second target");
}

#[test]
fn mutual_targets_and_longer_circles_are_refused() {
    let rig = Rig::new();
    let [a, b, c] = [(); 3].map(|()| rig.create(HVM));
    set_target(&rig, &a, b.id()).expect("first");
    assert_eq!(set_target(&rig, &b, a.id()), Err(HvError::ControlCycle));
    set_target(&rig, &b, c.id()).expect("second");
    assert_eq!(set_target(&rig, &c, a.id()), Err(HvError::ControlCycle));
    assert_eq!(c.target(), None);
    assert!(a.controls(&c) && !c.controls(&a));
}

/// Rules × callers: the control domain, the device model, the guest itself, a stranger, a foreign control domain.
#[test]
fn the_default_policy() {
    let rig = Rig::new();
    let stub = rig.create(HVM);
    set_target(&rig, &stub, rig.guest.id()).expect("a first target");
    let stranger = rig.create(HVM);
    let foreign = rig.system.boot(&CONTROL).expect("room").clone();
    let callers = [&rig.control, &stub, &rig.guest, &stranger, &foreign];
    let domain = rig.guest.id();

    let off = Domctl::Shadow(ShadowOp::new(number::SHADOW_GET_ALLOCATION));
    let privileged = callers.map(|caller| rig.call(caller, Request::Domctl { domain, op: off }).err());
    let denied = Some(HvError::PermissionDenied);
    assert_eq!(privileged, [None, denied, denied, denied, denied], "PRIV");

    let op = ModifiedMemory { extents: rig.buffer, size: 0, nr_extents: 0, opaque: 0 };
    let request = Request::DmOp { domain, op: DmOp::ModifiedMemory(op) };
    let device_model = callers.map(|caller| rig.call(caller, request).err());
    assert_eq!(device_model, [None, None, Some(HvError::DmOpOnSelf), denied, denied], "DM_PRIV");

    let target = [0, 1, 2, 3, 4].map(|at| {
        let op = MemoryOp::Populate { gfn: Gfn::new(at as u64), order: PageOrder::Page4K };
        rig.call(callers[at], Request::Memory { domain, op }).err()
    });
    assert_eq!(target, [None, None, None, denied, denied], "TARGET");
}

#[test]
fn memory_operations_on_oneself() {
    let rig = Rig::new();
    let itself = |op| rig.call(&rig.guest, Request::Memory { domain: DomainId::SELF, op });
    let (gfn, order) = (Gfn::new(77), PageOrder::Page4K);
    assert!(matches!(itself(MemoryOp::Populate { gfn, order }), Ok(Response::Frame(_))));
    assert_eq!(itself(MemoryOp::Decrease { gfn, order }), Ok(Response::Nothing));
    assert_eq!(itself(MemoryOp::Increase { order }), Err(HvError::UnknownOperation));
}

/// A control domain as the subject of another one.
#[test]
fn a_control_domain_can_be_logged_by_the_one_that_controls_it() {
    let rig = Rig::new();
    let middle = rig.create(CONTROL);
    let on = Domctl::Shadow(ShadowOp::new(number::SHADOW_ENABLE_LOGDIRTY));
    rig.domctl(middle.id(), on).expect("log-dirty goes on");
    let back = Request::Domctl { domain: rig.control.id(), op: on };
    assert_eq!(rig.call(&middle, back), Err(HvError::PermissionDenied));
}

#[test]
fn the_domain_table_is_finite() {
    let rig = Rig::new();
    let config = DomainConfig { paging_frames: 0, ..HVM };
    let refused = std::iter::repeat_with(|| rig.system.create(&rig.control, &config).err()).find_map(|e| e);
    assert_eq!(refused, Some(HvError::TooManyDomains));
    assert!(rig.system.domain(DomainId::new(hv_core::system::MAX_DOMAINS - 1)).is_some());
}

#[test]
fn a_domain_that_cannot_be_built_leaves_nothing_behind() {
    let rig = Rig::new();
    let free = rig.machine().nr_free();
    let greedy = DomainConfig { paging_frames: 1 << 20, ..HVM };
    assert_eq!(rig.system.create(&rig.control, &greedy).err(), Some(HvError::HeapExhausted));
    assert_eq!(rig.machine().nr_free(), free);
    let wide = DomainConfig { vcpus: 33, ..HVM };
    assert_eq!(rig.system.create(&rig.control, &wide).err(), Some(HvError::TooManyVcpus));
}

/// Whoever gets round `hypercall.rs` is caught on entry of the operation, where locks are checked.
#[test]
fn an_operation_checks_the_roles_itself() {
    let rig = Rig::new();
    let entered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let (subject, caller) = (Subject::new(&*rig.control), Control::new(&*rig.guest));
        log_dirty::disable(rig.machine(), subject, caller, 1, false)
    }));
    match entered {
        Ok(leg) => assert_eq!((leg, lockdep::CHECKED), (Ok(Leg::Done(())), false)),
        Err(report) => {
            let text = report.downcast_ref::<String>().expect("a report is text");
            assert!(lockdep::CHECKED && text.contains("does not control its subject"), "{text}");
        }
    }
}
