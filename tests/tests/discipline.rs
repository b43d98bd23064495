//! The operation of the thread under each discipline: a control domain reads and cleans the dirty bitmap of a subject,
//! and the bitmap is copied to it while `paging` of the subject is held.
//!
//! Each test is one case and says whom it concerns. Which nestings code can reach is not asked here
//! (`agreement.rs`), nor whether the operation does its work (`stress.rs`).

use std::sync::Arc;

use hv_core::abi::{Domctl, Request, ShadowOp, number};
use hv_core::dm_op::{ModifiedMemory, modified_memory};
use hv_core::domain::{Domain, DomainConfig, DomainKind};
use hv_core::error::HvError;
use hv_core::guest_copy::guest_write;
use hv_core::hypercall::{Outcome, hypercall};
use hv_core::locks::levels::{Control, Subject};
use hv_core::log_dirty::CopyMode::{Snapshot, UnderLock};
use hv_core::log_dirty::{self, CopyMode, Leg, Scan, ScanRequest};
use hv_core::physmap;
use hv_core::system::{System, SystemConfig};
use hv_core::types::{Gfn, Gpa, GuestHandle, PAGE_SIZE, PageOrder};
use lockdep::report::{Code, Matter};
use lockdep::{LockOwner, Report};
use lockdep_tests::alone::{Alone, panic_text};

const PAGE: Gfn = Gfn::new(1);
const PAGES: u64 = 8;

/// Upper control domain, control domain, stub domain, guest: each controls those after it, and has one page.
struct Rig {
    system: System,
    upper: Arc<Domain>,
    control: Arc<Domain>,
    stub: Arc<Domain>,
    guest: Arc<Domain>,
}

impl Rig {
    fn new(control: DomainKind, copy: CopyMode) -> Rig {
        let system = System::new(SystemConfig { copy, nr_frames: 1024, ..SystemConfig::default() });
        let config = |kind, privileged| DomainConfig { privileged, ..DomainConfig::new(kind) };
        let upper = system.boot(&config(DomainKind::Pvh, true)).expect("room").clone();
        let control = system.create(&upper, &config(control, true)).expect("room").clone();
        let stub = system.create(&control, &config(DomainKind::Hvm, false)).expect("room").clone();
        let guest = system.create(&control, &config(DomainKind::Hvm, false)).expect("room").clone();
        let rig = Rig { system, upper, control, stub, guest };
        for domain in [&rig.upper, &rig.control, &rig.stub, &rig.guest] {
            if domain.is_translated() {
                physmap::populate(rig.system.machine(), domain, PAGE, PageOrder::Page4K).expect("memory");
            }
        }
        let target = Domctl::SetTarget { target: rig.guest.id() };
        rig.domctl(&rig.control, &rig.stub, target).expect("the stub domain gets its target");
        rig
    }

    /// Where a caller wants its bitmap; for a PV caller that is a machine address.
    fn buffer(&self, caller: &Domain) -> GuestHandle {
        if caller.is_translated() {
            return GuestHandle::new(PAGE.gpa().get());
        }
        let mfn = physmap::increase_reservation(self.system.machine(), caller, PageOrder::Page4K);
        GuestHandle::new(mfn.expect("memory").get() * PAGE_SIZE as u64)
    }

    fn domctl(&self, caller: &Domain, subject: &Domain, op: Domctl) -> Result<Outcome, HvError> {
        let run = caller.enter(0).expect("vCPU 0 is free");
        hypercall(&self.system, &run, &mut Request::Domctl { domain: subject.id(), op })
    }

    /// Switches logging on, so that the one page becomes dirty with the next write.
    fn log(&self, subject: &Domain, caller: &Domain) {
        let machine = self.system.machine();
        log_dirty::enable(machine, Subject::new(subject), Control::new(caller)).expect("logging goes on");
        let run = subject.enter(0).expect("vCPU 0 is free");
        guest_write(machine, &run, PAGE.gpa(), &[1]).expect("the page is memory");
    }

    /// CLEAN as a hypercall, which only a control domain may make.
    fn clean(&self, subject: &Domain, caller: &Domain) {
        let op = ShadowOp::scan(number::SHADOW_CLEAN, Some(self.buffer(caller)), PAGES);
        let outcome = self.domctl(caller, subject, Domctl::Shadow(op));
        assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    }

    /// CLEAN without the hypercall's question who may, as under a policy that lets others.
    fn clean_unasked(&self, subject: &Domain, caller: &Domain, copy: CopyMode) {
        let machine = self.system.machine();
        let (lower, upper) = (Subject::new(subject), Control::new(caller));
        let request = ScanRequest { scan: Scan::Clean, bitmap: Some(self.buffer(caller)), pages: PAGES };
        let leg = log_dirty::scan(machine, lower, upper, &request, copy, u32::MAX, false);
        assert!(matches!(leg, Ok(Leg::Done(_))), "{leg:?}");
    }
}

/// What a CLEAN of a control domain (translated or not) on a guest comes to under a discipline.
fn clean_under(discipline: &str, control: DomainKind, copy: CopyMode) -> Result<(), String> {
    let alone = Alone::new();
    let rig = Rig::new(control, copy);
    rig.log(&rig.guest, &rig.control);
    alone.discipline(discipline);
    panic_text(|| rig.clean(&rig.guest, &rig.control))
}

#[test]
fn flat_refuses_a_translated_caller() {
    let alone = Alone::new();
    let rig = Rig::new(DomainKind::Pvh, UnderLock);
    rig.log(&rig.guest, &rig.control);
    alone.discipline("flat");
    let text = panic_text(|| rig.clean(&rig.guest, &rig.control)).expect_err("the flat order is violated");
    let (guest, control) = (rig.guest.owner_id(), rig.control.owner_id());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "mm locking order violation: 64 > 16");
    let begins = |line: &str, begin: String| assert!(line.starts_with(&begin), "{begin}: {text}");
    begins(
        lines[1],
        format!("  wanted: mm::p2m (level 16) of {control}, shared at hv-core/src/guest_copy.rs:"),
    );
    begins(
        lines[2],
        format!("  held:   mm::paging (level 64) of {guest}, exclusive at hv-core/src/log_dirty.rs:"),
    );
    assert_eq!(lines[3], "  owners: Up");
    // The flat order permits the way back, which is why it must refuse this one.
    assert!(lines[6].ends_with("waits for paging of A (exclusive), as the order permits"), "{text}");
    begins(lines[7], "  rule:   order-violation under `flat`, on CPU ".to_owned());
    assert_eq!(lines.len(), 8);
}

#[test]
fn flat_passes_a_pv_caller() {
    assert_eq!(clean_under("flat", DomainKind::Pv, UnderLock), Ok(()));
}

#[test]
fn flat_passes_a_snapshot() {
    assert_eq!(clean_under("flat", DomainKind::Pvh, Snapshot), Ok(()));
}

#[test]
fn hierarchy_passes_every_caller_and_copy() {
    for control in [DomainKind::Pvh, DomainKind::Hvm, DomainKind::Pv] {
        for copy in [UnderLock, Snapshot] {
            assert_eq!(clean_under("hierarchy", control, copy), Ok(()), "{control:?} {copy:?}");
        }
    }
}

#[test]
fn the_other_disciplines_pass_a_control_domain_on_a_guest() {
    for discipline in ["per-domain", "bias-current", "bias-control"] {
        assert_eq!(clean_under(discipline, DomainKind::Pvh, UnderLock), Ok(()), "{discipline}");
    }
}

/// What `act` comes to under each discipline: whether it passes, or the first line of the report.
fn verdicts(act: impl Fn(&Rig)) -> Vec<(&'static str, String)> {
    let alone = Alone::new();
    let verdict = |discipline: &lockdep::order::Discipline| {
        alone.discipline("hierarchy");
        let rig = Rig::new(DomainKind::Pvh, UnderLock);
        for (subject, caller) in
            [(&rig.guest, &rig.control), (&rig.stub, &rig.control), (&rig.control, &rig.upper)]
        {
            rig.log(subject, caller);
        }
        alone.discipline(discipline.name);
        let text = panic_text(|| act(&rig)).err().unwrap_or_else(|| "passes".to_owned());
        (discipline.name, text.lines().next().unwrap_or_default().to_owned())
    };
    lockdep::order::Discipline::ALL.iter().map(verdict).collect()
}

fn expected(texts: [&str; 5]) -> Vec<(&'static str, String)> {
    let names = ["hierarchy", "flat", "per-domain", "bias-current", "bias-control"];
    names.into_iter().zip(texts.map(str::to_owned)).collect()
}

const FLAT: &str = "mm locking order violation: 64 > 16";

/// The subject of the operation is itself a control domain. The bias of both is the same, and so is their level.
#[test]
fn control_domain_as_subject() {
    assert_eq!(
        verdicts(|rig| rig.clean(&rig.control, &rig.upper)),
        expected(["passes", FLAT, "passes", "passes", "mm locking order violation: 128 > 80"])
    );
}

/// The caller logs its own writes, so the copy takes `paging` of both: equal levels.
#[test]
fn control_domain_that_is_logged_itself() {
    let act = |rig: &Rig| {
        rig.clean(&rig.guest, &rig.control);
        rig.clean(&rig.control, &rig.upper);
    };
    assert_eq!(
        verdicts(act),
        expected(["passes", FLAT, "passes", "passes", "mm locking order violation: 128 > 80"])
    );
}

/// Three tiers: a stub domain is caller towards its guest and subject towards the control domain.
#[test]
fn stub_domain_between_guest_and_control() {
    let act = |rig: &Rig| {
        rig.clean_unasked(&rig.guest, &rig.stub, UnderLock);
        rig.clean(&rig.stub, &rig.control);
        rig.clean(&rig.guest, &rig.control);
    };
    assert_eq!(verdicts(act), expected(["passes", FLAT, "passes", "passes", FLAT]));
}

/// No lock is held when the extents are read, so there is nothing to order.
#[test]
fn modified_memory_of_a_stub_domain() {
    let act = |rig: &Rig| {
        let machine = rig.system.machine();
        let record = [&1_u64.to_le_bytes()[..], &PAGE.get().to_le_bytes()].concat();
        let run = rig.stub.enter(0).expect("vCPU 0 is free");
        guest_write(machine, &run, Gpa::new(PAGE.gpa().get()), &record).expect("the page is memory");
        let extents = GuestHandle::new(PAGE.gpa().get());
        let mut request = ModifiedMemory { extents, size: record.len() as u64, nr_extents: 1, opaque: 0 };
        let (lower, upper) = (Subject::new(&*rig.guest), Control::new(&*rig.stub));
        let leg = modified_memory(machine, lower, upper, &mut request, u32::MAX);
        assert_eq!(leg, Ok(Leg::Done(())));
    };
    assert_eq!(verdicts(act), expected(["passes"; 5]));
}

/// A caller without rights that goes around the hypercall: the roles are unfounded, and nothing orders the two.
#[test]
fn strangers_have_no_roles() {
    let alone = Alone::collecting();
    let rig = Rig::new(DomainKind::Pvh, UnderLock);
    rig.log(&rig.guest, &rig.control);
    let stranger =
        rig.system.create(&rig.control, &DomainConfig::new(DomainKind::Hvm)).expect("room").clone();
    physmap::populate(rig.system.machine(), &stranger, PAGE, PageOrder::Page4K).expect("memory");
    assert!(alone.reports().is_empty());

    rig.clean_unasked(&rig.guest, &stranger, Snapshot);
    let reports = alone.reports();
    let [Report { code: Code::RoleUnfounded, matter: Matter::Roles { lower, upper, site }, .. }] =
        reports[..]
    else {
        panic!("{reports:?}");
    };
    assert_eq!(lower, ("subject", rig.guest.owner_id()));
    assert_eq!(upper, ("control", stranger.owner_id()));
    assert!(site.file().ends_with("log_dirty.rs"), "{site}");

    rig.clean_unasked(&rig.guest, &stranger, UnderLock);
    // Under `paging` of the guest: `p2m` and then `paging` of the stranger.
    assert_eq!(alone.codes(), [Code::RoleUnfounded, Code::OrderViolation, Code::OrderViolation]);
}

/// Two domains that operate on each other can deadlock; which disciplines see it, apart from the roles?
#[test]
fn two_domains_on_each_other() {
    let alone = Alone::collecting();
    let rig = Rig::new(DomainKind::Pvh, UnderLock);
    let other = rig.system.create(&rig.control, &DomainConfig::new(DomainKind::Hvm)).expect("room").clone();
    physmap::populate(rig.system.machine(), &other, PAGE, PageOrder::Page4K).expect("memory");
    [&rig.guest, &other].into_iter().for_each(|domain| rig.log(domain, &rig.control));
    let mut seen = Vec::new();
    for discipline in lockdep::order::Discipline::ALL {
        alone.discipline(discipline.name);
        alone.reports();
        rig.clean_unasked(&rig.guest, &other, UnderLock);
        rig.clean_unasked(&other, &rig.guest, UnderLock);
        if alone.codes().contains(&Code::OrderViolation) {
            seen.push(discipline.name);
        }
    }
    assert_eq!(seen, ["hierarchy", "flat", "bias-control"]);
}
