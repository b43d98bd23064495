//! A witness replayed: threads that take turns acquire what its CPUs acquire, until each of them waits.
//!
//! For every CPU of the schedule a thread, for every lock a stand-in that lets in and keeps out as the lock would: one
//! holder or readers, fair readers behind a waiting writer, recursive ones not, an exclusive holder of a recursive class
//! let in again. Each thread comes to hold its lock, with the gates that the graph says are held besides; then each asks
//! for the lock it wants. That all of them wait then is observed, not computed from the witness: who wrote a witness need
//! not be trusted. What is *not* shown is that the program comes there: none of its code is run. Tests of the program do
//! that, on the same scheduler (`replay/scheduler.rs`), as those of this project do for its fixtures and `hv-core`.
//!
//! A schedule that does not fit the graph is refused before a thread starts. Called by `cargo lockdep replay`.

pub mod scheduler;

use std::collections::BTreeSet;
use std::fmt;

use lockdep::order::Relation;
use thiserror::Error;

use crate::graph::{Gate, Held, LockGraph, THREADS, Wanted, Which};
use crate::graph_file::{self, GraphFileError};
use crate::witness::{CpuStep, Witness};
use crate::witness_file::{self, WitnessFileError};

use scheduler::{Blocked, Doing, Mode, Outcome, Request, State, acquire, release, run};

/// Why a schedule is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// It has no CPU.
    #[error("the schedule has no CPU")]
    Empty,
    /// A CPU makes a nesting that is not in the graph.
    #[error("CPU {0} makes a nesting that the graph does not have")]
    NoNesting(usize),
    /// A domain controls itself, through others or not.
    #[error("domain `{0}` controls itself")]
    ControlsItself(String),
    /// A chain of domains is longer than the graph allows.
    #[error("{domains} domains control each other in a chain, and the graph allows {tiers}")]
    Deep {
        /// How many.
        domains: usize,
        /// How many the graph allows.
        tiers: u8,
    },
    /// A lock of nobody has an owner.
    #[error("CPU {cpu} makes a nesting of `{class}`, whose locks belong to nobody, and gives it an owner")]
    Nobodys {
        /// Which CPU.
        cpu: usize,
        /// The class.
        class: String,
    },
    /// The owners of a CPU's locks do not stand to each other as the nesting says.
    #[error("CPU {cpu} makes a nesting of `{nesting}`, and its owners are `{owners}`")]
    Owners {
        /// Which CPU.
        cpu: usize,
        /// What the graph says.
        nesting: &'static str,
        /// What the schedule says.
        owners: &'static str,
    },
    /// A CPU does not come to hold what it should.
    #[error("CPU {cpu} never comes to hold {lock}, since CPU {holder} does")]
    KeptOut {
        /// Which CPU.
        cpu: usize,
        /// What it needs.
        lock: String,
        /// Who has it.
        holder: usize,
    },
    /// A CPU gets what it should wait for.
    #[error("CPU {cpu} does not wait for {lock}: it gets it")]
    GoesOn {
        /// Which CPU.
        cpu: usize,
        /// What it gets.
        lock: String,
    },
    /// They wait, but not each for the next.
    #[error("CPU {0} does not wait for the next one")]
    NoCircle(usize),
}

/// Why the schedules of a witness file were not all replayed.
#[derive(Debug, Error)]
pub enum ReplayFilesError {
    /// The graph file is damaged.
    #[error(transparent)]
    Graph(#[from] GraphFileError),
    /// The witness file is damaged, or for other classes.
    #[error(transparent)]
    Witness(#[from] WitnessFileError),
    /// It has no schedule.
    #[error("the witness file has no schedule")]
    NoSchedule,
    /// A schedule does not end in a circular wait.
    #[error("schedule {0}: {1}")]
    Schedule(usize, ReplayError),
}

/// A CPU that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What it holds, in the order in which it came to hold it.
    pub holds: Vec<String>,
    /// What it waits for.
    pub wants: String,
    /// Who holds that.
    pub held_by: Vec<usize>,
}

/// A circular wait that was run: every CPU waits for the next, and the last for CPU 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// How many locks there were, gates included.
    pub locks: usize,
    /// How many CPUs the witness has; those after them are writers, behind whom fair readers wait.
    pub cpus: usize,
    /// By CPU.
    pub waiting: Vec<Waiting>,
}

/// Something that is acquired: a lock by class, owner and instance, or a gate, with the lock in whose object it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Thing {
    Lock(usize, Option<usize>, usize),
    Gate(Gate, Option<Box<Thing>>),
}

/// What a CPU does: it acquires all of `first`, then asks for the last.
struct Plan {
    first: Vec<Request>,
    last: Request,
    /// It is let in again, since it is the holder of a recursive class.
    reenters: bool,
}

/// Runs the schedule.
///
/// # Errors
/// [`ReplayError`] when it does not fit the graph, or does not end with each CPU waiting for the next.
pub fn replay(graph: &LockGraph, witness: &Witness) -> Result<Replay, ReplayError> {
    fits(graph, witness)?;
    let cpus = witness.cpus.len();
    let mut things = Vec::new();
    let mut plans: Vec<Plan> = witness.cpus.iter().map(|step| plan(graph, step, &mut things)).collect();
    // A fair reader waits for a reader only behind a writer, so there is one.
    let behind = |&cpu: &usize| {
        let (asks, next) = (plans[cpu].last, &plans[(cpu + 1) % cpus].first);
        let shared = Request { lock: asks.lock, mode: Mode::Shared };
        (asks.mode == Mode::Shared && next.contains(&shared)).then_some(asks.lock)
    };
    let read: BTreeSet<usize> = (0..cpus).filter_map(|cpu| behind(&cpu)).collect();
    let writer = |lock: usize| Plan {
        first: Vec::new(),
        last: Request { lock, mode: Mode::Exclusive },
        reenters: false,
    };
    plans.extend(read.into_iter().map(writer));
    let name = |request: Request| name(graph, witness, &things[request.lock]);
    let blocked = schedule(&plans, cpus).map_err(|stop| match stop {
        Stop::KeptOut { cpu, request, holder } => ReplayError::KeptOut { cpu, lock: name(request), holder },
        Stop::GoesOn { cpu, request } => ReplayError::GoesOn { cpu, lock: name(request) },
    })?;
    let waits = |cpu: &usize| !blocked.get(*cpu).is_some_and(|b| b.held_by.contains(&((cpu + 1) % cpus)));
    if let Some(cpu) = (0..cpus).find(waits) {
        return Err(ReplayError::NoCircle(cpu));
    }
    let waiting = blocked.into_iter().map(|cpu| Waiting {
        holds: cpu.holds.into_iter().map(name).collect(),
        wants: name(cpu.wants),
        held_by: cpu.held_by,
    });
    Ok(Replay { waiting: waiting.collect(), locks: things.len(), cpus })
}

/// Runs every schedule of the witness file in the first text, for the graph in the second.
///
/// # Errors
/// [`ReplayFilesError`] says which of the two is damaged, or which schedule is refused.
pub fn replay_files(witness: &str, graph: &str) -> Result<Vec<Replay>, ReplayFilesError> {
    let graph = graph_file::read(graph)?;
    let witnesses = witness_file::read(&graph, witness)?;
    if witnesses.is_empty() {
        return Err(ReplayFilesError::NoSchedule);
    }
    let replayed = (1..).zip(&witnesses).map(|(number, witness)| {
        replay(&graph, witness).map_err(|error| ReplayFilesError::Schedule(number, error))
    });
    replayed.collect()
}

/// Whether the nestings are the graph's, and the owners as they say.
fn fits(graph: &LockGraph, witness: &Witness) -> Result<(), ReplayError> {
    if witness.cpus.is_empty() {
        return Err(ReplayError::Empty);
    }
    let count = witness.domains.len();
    let mut controls = vec![vec![false; count]; count];
    for &(upper, lower) in &witness.controls {
        controls[upper][lower] = true;
    }
    for (middle, upper, lower) in triples(count) {
        controls[upper][lower] |= controls[upper][middle] && controls[middle][lower];
    }
    if let Some(domain) = (0..count).find(|&domain| controls[domain][domain]) {
        return Err(ReplayError::ControlsItself(witness.domains[domain].clone()));
    }
    let domains = witness.tiers();
    if let Some(tiers) = graph.tiers.filter(|tiers| usize::from(tiers.get()) < domains) {
        return Err(ReplayError::Deep { domains, tiers: tiers.get() });
    }
    for (cpu, step) in witness.cpus.iter().enumerate() {
        if !graph.nestings.contains_key(&step.nesting) {
            return Err(ReplayError::NoNesting(cpu));
        }
        let owners = match (step.held_owner, step.wanted_owner) {
            (held, wanted) if held == wanted => Relation::Same,
            (Some(held), Some(wanted)) if controls[wanted][held] => Relation::Up,
            (Some(held), Some(wanted)) if controls[held][wanted] => Relation::Down,
            _ => Relation::Other,
        };
        let locks = [(step.nesting.held, step.held_owner), (step.nesting.wanted, step.wanted_owner)];
        let of_nobody = locks.into_iter().find(|(class, owner)| graph.is_unowned(*class) && owner.is_some());
        if let Some((class, _)) = of_nobody {
            return Err(ReplayError::Nobodys { cpu, class: graph.name(class).to_owned() });
        }
        let (nesting, owners) = (graph.relation(&step.nesting).name(), owners.name());
        if nesting != owners {
            return Err(ReplayError::Owners { cpu, nesting, owners });
        }
    }
    Ok(())
}

fn triples(count: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let pairs = move |a| (0..count).flat_map(move |b| (0..count).map(move |c| (a, b, c)));
    (0..count).flat_map(pairs)
}

fn plan(graph: &LockGraph, step: &CpuStep, things: &mut Vec<Thing>) -> Plan {
    let nesting = &step.nesting;
    let held = Thing::Lock(nesting.held, step.held_owner, step.held_instance);
    let wanted = Thing::Lock(nesting.wanted, step.wanted_owner, step.wanted_instance);
    let reenters = held == wanted
        && nesting.held_as == Held::Exclusive
        && graph.classes.get(nesting.held).is_some_and(|class| class.recursive);
    let gate = |gate: &Gate, lock: &Thing| match gate.which {
        Which::Static(_) | Which::Thread(_) => Thing::Gate(gate.clone(), None),
        Which::Beside { .. } => Thing::Gate(gate.clone(), Some(Box::new(lock.clone()))),
    };
    let gates = graph.nestings.get(nesting).map(|evidence| &evidence.gates);
    let of_held = gates.into_iter().flat_map(|gates| &gates.held).map(|of| gate(of, &held));
    let of_wanted = gates.into_iter().flat_map(|gates| &gates.wanted).map(|of| gate(of, &wanted));
    let mut number = |thing: Thing| {
        let known = things.iter().position(|known| *known == thing);
        known.unwrap_or_else(|| {
            things.push(thing);
            things.len() - 1
        })
    };
    // One in a static is a gate of both.
    let gates: BTreeSet<usize> = of_held.chain(of_wanted).map(&mut number).collect();
    let mut first: Vec<Request> =
        gates.into_iter().map(|lock| Request { lock, mode: Mode::Exclusive }).collect();
    let mode = match nesting.held_as {
        Held::Exclusive => Mode::Exclusive,
        Held::Shared => Mode::Shared,
    };
    first.push(Request { lock: number(held), mode });
    let mode = match nesting.wanted_as {
        Wanted::Exclusive => Mode::Exclusive,
        Wanted::Shared => Mode::Shared,
        Wanted::SharedRecursive => Mode::Recursive,
    };
    Plan { first, last: Request { lock: number(wanted), mode }, reenters }
}

/// How a schedule ends that is none.
enum Stop {
    KeptOut { cpu: usize, request: Request, holder: usize },
    GoesOn { cpu: usize, request: Request },
}

/// Lets each of the first CPUs come to where it asks for its last lock, then the others wait for theirs, then all.
fn schedule(plans: &[Plan], cpus: usize) -> Result<Vec<Blocked>, Stop> {
    let mut stop = None;
    let mut policy = |state: &State, able: &[usize]| {
        let is_there = |&cpu: &usize| match state.doing[cpu] {
            Doing::Asks { queued, .. } => {
                state.holds[cpu].len() == plans[cpu].first.len() && (cpu < cpus || queued)
            }
            Doing::Ready | Doing::Runs | Doing::Finished => false,
        };
        if let Some(cpu) = (0..plans.len()).find(|cpu| !is_there(cpu)) {
            if let (Doing::Asks { request, .. }, false) = (state.doing[cpu], able.contains(&cpu)) {
                let holder = state.holders(request.lock).first().copied().unwrap_or(cpu);
                stop = Some(Stop::KeptOut { cpu, request, holder });
            }
            return able.contains(&cpu).then_some(cpu);
        }
        let cpu = *able.first()?;
        let Doing::Asks { request, .. } = state.doing[cpu] else { return None };
        if state.is_free(cpu, request) {
            stop = Some(Stop::GoesOn { cpu, request });
            return None;
        }
        Some(cpu)
    };
    let program = |plan: &Plan| {
        let all: Vec<Request> =
            plan.first.iter().copied().chain((!plan.reenters).then_some(plan.last)).collect();
        move || {
            all.iter().for_each(|request| acquire(request.lock, request.mode));
            all.iter().rev().for_each(|request| release(request.lock, request.mode));
        }
    };
    let programs = plans.iter().map(|plan| Box::new(program(plan)) as Box<dyn FnOnce() + Send>).collect();
    let outcome = run(programs, &mut policy);
    let entered = plans.iter().position(|plan| plan.reenters);
    match (stop, outcome, entered) {
        (Some(stop), ..) => Err(stop),
        (None, Outcome::Deadlock(blocked), _) => Ok(blocked),
        (None, _, entered) => {
            let cpu = entered.unwrap_or_default();
            Err(Stop::GoesOn { cpu, request: plans[cpu].last })
        }
    }
}

/// "`rook` of A"; instances are told apart where one is not the first.
fn name(graph: &LockGraph, witness: &Witness, thing: &Thing) -> String {
    match thing {
        Thing::Lock(class, owner, instance) => {
            let instance = if *instance > 0 { format!(" #{instance}") } else { String::new() };
            let owner = owner.and_then(|owner| witness.domains.get(owner));
            let owner = owner.map_or(String::new(), |owner| format!(" of {owner}"));
            format!("`{}`{instance}{owner}", graph.name(*class))
        }
        Thing::Gate(Gate { class: THREADS, which: Which::Thread(thread) }, _) => {
            format!("the only thread `{thread}`")
        }
        Thing::Gate(gate, None) => format!("`{}`", graph.name(gate.class)),
        Thing::Gate(gate, Some(beside)) => {
            format!("`{}` beside {}", graph.name(gate.class), name(graph, witness, beside))
        }
    }
}

impl fmt::Display for Replay {
    /// The end of the run, with a line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (cpu, waiting) in self.waiting.iter().enumerate().filter(|(_, waiting)| !waiting.holds.is_empty())
        {
            writeln!(f, "CPU {cpu} holds {}", waiting.holds.join(", "))?;
        }
        for (cpu, waiting) in self.waiting.iter().enumerate() {
            let holders: Vec<String> = waiting.held_by.iter().map(|cpu| format!("CPU {cpu}")).collect();
            write!(f, "CPU {cpu} waits for {}, held by {}", waiting.wants, holders.join(" and "))?;
            writeln!(
                f,
                "{}",
                if cpu < self.cpus { "" } else { " (a writer, behind whom fair readers wait)" }
            )?;
        }
        let circle: Vec<String> = (0..self.cpus).map(|cpu| format!("CPU {cpu} -> ")).collect();
        writeln!(f, "each waits for the next: {}CPU 0", circle.concat())
    }
}
