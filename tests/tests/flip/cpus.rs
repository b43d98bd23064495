//! The flipped hv-core on simulated CPUs, along a witness: `cpus A disable:A:B scan:B:A`.
//!
//! The first argument is the domain in control; each other one is a CPU: the operation, whose lock it holds, and whose it
//! waits for. Each CPU runs its operation until it asks for a lock of the one domain with a lock of the other held; then
//! all go on until they wait. Built by `flip.rs` in its copy of the workspace, where `spin` is the locks of simulated CPUs.

use std::env::args;
use std::ptr;
use std::sync::Arc;

use hv_core::domain::{Domain, DomainConfig, DomainKind};
use hv_core::guest_copy::guest_write;
use hv_core::locks::levels::{Control, Subject};
use hv_core::log_dirty::{self, CopyMode, Scan, ScanRequest};
use hv_core::physmap;
use hv_core::system::{System, SystemConfig};
use hv_core::types::{Gfn, GuestHandle, PageOrder};
use lockdep_analyzer::replay::scheduler::{Doing, Outcome, State, run};

const PAGE: Gfn = Gfn::new(1);

struct Cpu {
    operation: String,
    held: String,
    wanted: String,
}

fn main() {
    let mut arguments = args().skip(1);
    let upper = arguments.next().expect("the domain in control");
    let cpu = |argument: String| match argument.split(':').collect::<Vec<_>>()[..] {
        [operation, held, wanted] => {
            Cpu { operation: operation.into(), held: held.into(), wanted: wanted.into() }
        }
        _ => panic!("{argument} is not OPERATION:HELD:WANTED"),
    };
    let cpus: Vec<Cpu> = arguments.map(cpu).collect();

    let config = SystemConfig { copy: CopyMode::UnderLock, nr_frames: 1024, ..SystemConfig::default() };
    let system = System::new(config);
    let privileged = DomainConfig { privileged: true, ..DomainConfig::new(DomainKind::Pvh) };
    let control = system.boot(&privileged).expect("room").clone();
    let guest = system.create(&control, &DomainConfig::new(DomainKind::Hvm)).expect("room").clone();
    let machine = system.machine();
    for domain in [&control, &guest] {
        physmap::populate(machine, domain, PAGE, PageOrder::Page4K).expect("memory");
    }
    log_dirty::enable(machine, Subject::new(&guest), Control::new(&control)).expect("logging goes on");
    let vcpu = guest.enter(0).expect("vCPU 0 is free");
    guest_write(machine, &vcpu, PAGE.gpa(), &[1]).expect("the page is memory");
    drop(vcpu);

    let domain = |name: &str| if name == upper { &control } else { &guest };
    let inside = |name: &str, lock: usize| {
        let start = ptr::from_ref::<Domain>(Arc::as_ref(domain(name))).addr();
        (start..start + size_of::<Domain>()).contains(&lock)
    };
    let is_there = |state: &State, number: usize| match state.doing[number] {
        Doing::Asks { request, .. } => {
            let cpu = &cpus[number];
            let holds = state.holds[number].iter().any(|held| inside(&cpu.held, held.lock));
            holds && inside(&cpu.wanted, request.lock)
        }
        _ => false,
    };
    let program = |cpu: &Cpu| -> Box<dyn FnOnce() + Send + '_> {
        let (subject, caller) = (Subject::new(&*guest), Control::new(&*control));
        let bitmap = Some(GuestHandle::new(PAGE.gpa().get()));
        let request = ScanRequest { scan: Scan::Clean, bitmap, pages: 8 };
        match cpu.operation.as_str() {
            "scan" => Box::new(move || {
                let _ = log_dirty::scan(machine, subject, caller, &request, CopyMode::UnderLock, u32::MAX, false);
            }),
            "disable" => Box::new(move || {
                let _ = log_dirty::disable(machine, subject, caller, u32::MAX, false);
            }),
            other => panic!("no operation {other}"),
        }
    };
    let outcome = run(cpus.iter().map(program).collect(), &mut |state, able| {
        let next = (0..cpus.len()).find(|&number| !is_there(state, number));
        next.map_or_else(|| able.first().copied(), |number| able.contains(&number).then_some(number))
    });
    let Outcome::Deadlock(blocked) = outcome else { panic!("no deadlock: {outcome:?}") };
    for cpu in blocked {
        let Cpu { operation, wanted, .. } = &cpus[cpu.cpu];
        assert!(inside(wanted, cpu.wants.lock));
        println!("CPU {} ({operation}) waits for a lock of {wanted}, held by {:?}", cpu.cpu, cpu.held_by);
    }
}
