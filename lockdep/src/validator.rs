//! The hooks: about to acquire, acquired, released, operation entered. Joins rule, record, table and sink.
//!
//! Called by `track.rs` only. A check that could not be made is counted in [`Counters`], never dropped silently:
//! no CPU hook, a CPU that is inside the checker already, a full stack.

use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use lock_api::Mutex;

use crate::class::Flags;
use crate::cpu::{NoPin, PerCpu};
use crate::held::{HeldLock, HeldStack};
use crate::observed;
use crate::order::{Discipline, permits};
use crate::owner::{self, OwnerId};
use crate::report::{self, Attempt, Code, Matter, Report};

struct CpuState {
    held: HeldStack,
    /// The domain this CPU works for; only `bias-current` reads it.
    current: OwnerId,
}

static CPUS: PerCpu<CpuState> = PerCpu::new(
    [const { Mutex::new(CpuState { held: HeldStack::EMPTY, current: OwnerId::NOBODY }) };
        crate::cpu::MAX_CPUS],
);

/// Index into [`Discipline::ALL`].
static DISCIPLINE: AtomicU8 = AtomicU8::new(0);

static UNATTRIBUTED: AtomicU32 = AtomicU32::new(0);
static REENTERED: AtomicU32 = AtomicU32::new(0);
static OVERFLOWED: AtomicU32 = AtomicU32::new(0);
static REPORTED: AtomicU32 = AtomicU32::new(0);
static CHECKED: AtomicU32 = AtomicU32::new(0);

/// What the checker did and could not do, since the start. Counts wrap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counters {
    /// Pairs of (held, wanted) that were put to the rule.
    pub checked: u32,
    /// Reports sent.
    pub reported: u32,
    /// Events on an unknown CPU: no hook installed, or a number from `MAX_CPUS` on.
    pub unattributed: u32,
    /// Events on a CPU that was inside the checker already.
    pub reentered: u32,
    /// Acquisitions not recorded because the CPU held `MAX_HELD` locks.
    pub overflowed: u32,
    /// Classes beyond `MAX_CLASSES`, whose nestings are checked but not kept.
    pub classes_dropped: u32,
    /// Nestings beyond `MAX_NESTINGS`, checked but not kept.
    pub nestings_dropped: u32,
}

/// The counters now.
pub fn counters() -> Counters {
    let (classes_dropped, nestings_dropped) = observed::dropped();
    Counters {
        checked: CHECKED.load(Ordering::Relaxed),
        reported: REPORTED.load(Ordering::Relaxed),
        unattributed: UNATTRIBUTED.load(Ordering::Relaxed),
        reentered: REENTERED.load(Ordering::Relaxed),
        overflowed: OVERFLOWED.load(Ordering::Relaxed),
        classes_dropped,
        nestings_dropped,
    }
}

/// The discipline in force.
pub fn discipline() -> &'static Discipline {
    static ALL: [Discipline; 5] = Discipline::ALL;
    &ALL[usize::from(DISCIPLINE.load(Ordering::Relaxed))]
}

/// Puts another discipline in force, on all CPUs. Meant for boot and for tests.
///
/// # Errors
/// Gives `name` back when no discipline is called so.
pub fn set_discipline(name: &str) -> Result<(), &str> {
    let index = Discipline::ALL.iter().position(|discipline| discipline.name == name).ok_or(name)?;
    DISCIPLINE.store(index as u8, Ordering::Relaxed);
    Ok(())
}

/// Tells the checker for which domain this CPU works from now on; only the discipline `bias-current` asks.
pub fn set_current(owner: OwnerId) {
    with_state((), |state, _| state.current = owner);
}

fn with_state<T>(otherwise: T, act: impl FnOnce(&mut CpuState, usize) -> T) -> T {
    let missed = match CPUS.pin() {
        Ok(mut pin) => return act(&mut pin.state, pin.cpu),
        Err(NoPin::Unattributed) => &UNATTRIBUTED,
        Err(NoPin::Busy) => &REENTERED,
    };
    missed.fetch_add(1, Ordering::Relaxed);
    otherwise
}

fn send(code: Code, cpu: usize, matter: Matter) {
    REPORTED.fetch_add(1, Ordering::Relaxed);
    report::send(&Report { code, cpu, discipline: discipline(), matter });
}

/// Before an acquisition that may wait. At most one report: about the youngest held lock that objects.
pub(crate) fn about_to_acquire(wanted: &Attempt) {
    let found = with_state(None, |state, cpu| {
        let mut found = None;
        for held in state.held.iter() {
            let same = held.instance.address == wanted.instance.address;
            if same && wanted.instance.class.flags.contains(Flags::RECURSIVE) {
                // Owned already: no wait, hence no nesting with anything held.
                return None;
            }
            let relation = owner::relation(held.instance.owner, wanted.instance.owner);
            observed::record(held, wanted, relation);
            CHECKED.fetch_add(1, Ordering::Relaxed);
            let (below, above) = (held.instance.rank(state.current), wanted.instance.rank(state.current));
            let rule = discipline();
            let code = if same { Code::Recursion } else { Code::OrderViolation };
            if same || !permits(rule, below, above, relation) {
                let effective = (rule.effective(below), rule.effective(above));
                found =
                    Some((code, cpu, Matter::Nesting { held: *held, wanted: *wanted, relation, effective }));
            }
        }
        found
    });
    // Outside the CPU's state, because a sink may panic, print under locks, or not return.
    if let Some((code, cpu, matter)) = found {
        send(code, cpu, matter);
    }
}

/// After an acquisition.
pub(crate) fn acquired(got: &Attempt) {
    let entry = HeldLock { instance: got.instance, mode: got.mode, site: got.site };
    if !with_state(true, |state, _| state.held.push(entry)) {
        OVERFLOWED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Before a release.
pub(crate) fn released(lock: &Attempt) {
    let missing =
        with_state(None, |state, cpu| (!state.held.remove(lock.instance.address, lock.mode)).then_some(cpu));
    // A full stack or an event inside the checker explains a missing entry; only an unexplained one is reported.
    if let Some(cpu) = missing
        && OVERFLOWED.load(Ordering::Relaxed) == 0
        && REENTERED.load(Ordering::Relaxed) == 0
        && UNATTRIBUTED.load(Ordering::Relaxed) == 0
    {
        send(Code::NotHeld, cpu, Matter::Lock(*lock));
    }
}

/// On entry of an operation: does `upper` control `lower`?
pub(crate) fn entered(matter: Matter, founded: bool) {
    if !founded {
        let cpu = with_state(usize::MAX, |_, cpu| cpu);
        send(Code::RoleUnfounded, cpu, matter);
    }
}
