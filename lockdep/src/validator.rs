//! The hooks: about to acquire, tried, released, changed, contexts, assertions. Joins judgement, record and sink.
//!
//! Called by `track.rs`, `map.rs`, `hooks.rs`, `context.rs` and `role.rs` only. An acquisition is recorded before it waits, as in
//! Linux (`lock_acquire`), so that one visit to the CPU's state does for both; an interrupt that comes while it waits
//! then sees one lock too many, never one too few. A check that could not be made is counted in [`Counters`], never
//! dropped silently: no CPU hook, a CPU that is inside the checker already, a full stack.

use core::panic::Location;

use crate::check::{self, CpuState, Fault, discipline};
use crate::context::{Context, Running};
use crate::cpu::{NoPin, PerCpu, Pin, Slot};
use crate::graph;
use crate::held::{HeldLock, Mode};
use crate::owner::OwnerId;
use crate::report::{self, Assertion, Attempt, Code, Matter, Report};
use crate::sync::{AtomicBool, AtomicU32, Ordering};
use crate::wait::Wait;

static CPUS: PerCpu<CpuState> = PerCpu::new([const { Slot::new(CpuState::NEW) }; crate::cpu::MAX_CPUS]);

const _: () = assert!(size_of::<Slot<CpuState>>() <= 4096, "4 KiB per CPU");

static UNATTRIBUTED: AtomicU32 = AtomicU32::new(0);
static REENTERED: AtomicU32 = AtomicU32::new(0);
static UNSENT: AtomicU32 = AtomicU32::new(0);
/// CPUs that are inside the sink.
static REPORTING: [AtomicBool; crate::cpu::MAX_CPUS] =
    [const { AtomicBool::new(false) }; crate::cpu::MAX_CPUS];
static OVERFLOWED: AtomicU32 = AtomicU32::new(0);
static REPORTED: AtomicU32 = AtomicU32::new(0);

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
    /// Reports about what a sink itself did, which are not sent.
    pub unsent: u32,
    /// Acquisitions not recorded because the CPU held `MAX_HELD` locks, and handlers beyond `MAX_NESTED`.
    pub overflowed: u32,
    /// Classes beyond `MAX_CLASSES`, whose nestings are checked but not learned.
    pub classes_dropped: u32,
    /// Nestings beyond `MAX_NESTINGS`, learned without their sites.
    pub nestings_dropped: u32,
    /// Refused nestings beyond `MAX_REFUSED`, which joined the graph.
    pub refusals_dropped: u32,
}

/// The counters now.
pub fn counters() -> Counters {
    let (classes_dropped, nestings_dropped, refusals_dropped) = graph::dropped();
    Counters {
        checked: CPUS.tally(),
        reported: REPORTED.load(Ordering::Relaxed),
        unattributed: UNATTRIBUTED.load(Ordering::Relaxed),
        reentered: REENTERED.load(Ordering::Relaxed),
        unsent: UNSENT.load(Ordering::Relaxed),
        overflowed: OVERFLOWED.load(Ordering::Relaxed),
        classes_dropped,
        nestings_dropped,
        refusals_dropped,
    }
}

pub(crate) fn pin() -> Option<Pin<'static, CpuState>> {
    match CPUS.pin() {
        Ok(pin) => Some(pin),
        Err(missed) => {
            note_missed(missed);
            None
        }
    }
}

#[cold]
fn note_missed(missed: NoPin) {
    let counter = match missed {
        NoPin::Unattributed => &UNATTRIBUTED,
        NoPin::Busy => &REENTERED,
    };
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cold]
fn send(cpu: usize, (code, matter): Fault) {
    /// Ends the report also when the sink panics.
    struct Reporting(usize);
    impl Drop for Reporting {
        fn drop(&mut self) {
            if let Some(busy) = REPORTING.get(self.0) {
                busy.store(false, Ordering::Relaxed);
            }
        }
    }
    // What the sink itself does wrong is counted and not reported: the report would call the sink again.
    if REPORTING.get(cpu).is_some_and(|busy| busy.swap(true, Ordering::Relaxed)) {
        UNSENT.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let _reporting = Reporting(cpu);
    REPORTED.fetch_add(1, Ordering::Relaxed);
    report::send(&Report { code, cpu, discipline: discipline(), matter });
}

/// Lets go of the CPU's state and reports: a sink may panic, print under locks, or not return.
#[cold]
pub(crate) fn report(pin: Pin<'_, CpuState>, fault: Option<Fault>) {
    let cpu = pin.cpu;
    drop(pin);
    if let Some(fault) = fault {
        send(cpu, fault);
    }
    if let Some(table) = graph::newly_full() {
        send(cpu, (Code::TableFull, Matter::Table(table)));
    }
}

#[inline]
pub(crate) fn entry(state: &CpuState, lock: &Attempt, nest: usize) -> HeldLock {
    HeldLock {
        instance: lock.instance,
        mode: lock.mode,
        site: lock.site,
        nest,
        node: graph::node(lock.instance.class).unwrap_or(graph::MAX_CLASSES as u16),
        depth: state.contexts.depth(),
        inner: lock.instance.class.inner,
    }
}

#[inline]
fn record(pin: &mut Pin<'_, CpuState>, entry: HeldLock) {
    if !pin.held.push(entry) {
        OVERFLOWED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Before an acquisition that may wait; `nest` is the address of its nest lock, or 0. At most one report.
pub(crate) fn acquire(wanted: &Attempt, nest: usize) {
    let Some(mut pin) = pin() else { return };
    let entry = entry(&pin, wanted, nest);
    pin.count(pin.held.held().len() as u32);
    if check::settled(&pin, &entry) {
        return record(&mut pin, entry);
    }
    acquire_unsettled(pin, entry);
}

#[inline(never)]
fn acquire_unsettled(mut pin: Pin<'_, CpuState>, entry: HeldLock) {
    if check::passes(&pin, &entry) {
        return record(&mut pin, entry);
    }
    examine(pin, &entry);
    if let Some(mut pin) = self::pin() {
        record(&mut pin, entry);
    }
}

/// The same for an acquisition that is possible here, and does not happen now.
pub(crate) fn might_acquire(wanted: &Attempt) {
    let Some(pin) = pin() else { return };
    let entry = entry(&pin, wanted, 0);
    if !check::passes(&pin, &entry) {
        examine(pin, &entry);
    }
}

#[cold]
fn examine(pin: Pin<'_, CpuState>, wanted: &HeldLock) {
    let fault = check::examine(&pin, wanted);
    report(pin, fault);
}

/// After an acquisition that did not wait.
pub(crate) fn tried(got: &Attempt) {
    let Some(mut pin) = pin() else { return };
    let entry = entry(&pin, got, 0);
    record(&mut pin, entry);
    let open = pin.contexts.open();
    if open != 0
        && let fault @ Some(_) = check::interruptible(&entry, open, got.site)
    {
        report(pin, fault);
    }
}

/// Before a release; in `mode`, or in whichever it is held.
pub(crate) fn released(lock: &Attempt, mode: Option<Mode>) {
    let Some(mut pin) = pin() else { return };
    let (address, depth) = (lock.instance.address, pin.contexts.depth());
    let is = |held: &HeldLock| {
        held.instance.address == address && held.depth == depth && mode.is_none_or(|mode| held.mode == mode)
    };
    if pin.held.remove(is).is_none() {
        // A full stack or an event inside the checker explains a missing entry; only an unexplained one is reported.
        let unexplained = [&OVERFLOWED, &REENTERED, &UNATTRIBUTED];
        let unexplained = unexplained.iter().all(|counter| counter.load(Ordering::Relaxed) == 0);
        return report(pin, unexplained.then_some((Code::NotHeld, Matter::Lock(*lock))));
    }
    if let Some(orphan) = pin.held.nested_under(address).copied() {
        report(pin, Some((Code::NestLockNotHeld, Matter::Lock(orphan.attempt()))));
    }
}

/// The holder goes on in another mode. With `waits`, it waits for other holders to leave first.
pub(crate) fn changed(lock: &Attempt, from: Mode, waits: bool) {
    let Some(mut pin) = pin() else { return };
    let address = lock.instance.address;
    let is = |held: &HeldLock| held.instance.address == address && held.mode == from;
    if waits {
        let mut entry = entry(&pin, lock, 0);
        // Its own hold is what it upgrades, not what it waits under.
        let Some(&own) = pin.held.remove(is) else { return };
        let fault = check::examine(&pin, &entry);
        entry.nest = own.nest;
        record(&mut pin, entry);
        return report(pin, fault);
    }
    match pin.held.find_mut(is) {
        Some(held) => held.mode = lock.mode,
        None => report(pin, Some((Code::NotHeld, Matter::Lock(*lock)))),
    }
}

/// The lock is initialised again, or its memory goes away.
pub(crate) fn ends(instance: usize) {
    let Some(mut pin) = pin() else { return };
    if let Some(&held) = pin.held.remove(|held| held.instance.address == instance) {
        report(pin, Some((Code::HeldLockFreed, Matter::Lock(held.attempt()))));
    }
}

/// A handler begins.
pub(crate) fn enter_context(context: &'static Context, bears: Wait, site: &'static Location<'static>) {
    let (Some(slot), Some(mut pin)) = (context.slot(), pin()) else { return };
    if !pin.contexts.enter(Running { slot: slot as u8, bears, site }) {
        OVERFLOWED.fetch_add(1, Ordering::Relaxed);
    }
}

/// A handler ends.
pub(crate) fn exit_context(context: &'static Context, site: &'static Location<'static>) {
    let (Some(slot), Some(mut pin)) = (context.slot(), pin()) else { return };
    let depth = pin.contexts.depth();
    let kept = pin.held.remove(|held| held.depth == depth && depth != 0);
    let kept = kept.map(|held| (Code::HeldAtContextExit, Matter::Lock(held.attempt())));
    if kept.is_some() {
        while pin.held.remove(|held| held.depth == depth).is_some() {}
    }
    let balanced = pin.contexts.exit(slot);
    let unbalanced = (!balanced).then(|| unbalanced(context, site));
    if kept.is_some() || unbalanced.is_some() {
        report(pin, kept.or(unbalanced));
    }
}

fn unbalanced(context: &'static Context, site: &'static Location<'static>) -> Fault {
    (Code::ContextUnbalanced, Matter::Context { name: context.class().name, site })
}

/// A context cannot interrupt from here on.
pub(crate) fn disable_context(context: &'static Context) {
    if let (Some(slot), Some(mut pin)) = (context.slot(), pin()) {
        pin.contexts.disable(slot);
    }
}

/// It can again: whatever is held is now held with it enabled.
pub(crate) fn enable_context(context: &'static Context, site: &'static Location<'static>) {
    let (Some(slot), Some(mut pin)) = (context.slot(), pin()) else { return };
    let before = pin.contexts.open();
    let mut fault = (!pin.contexts.enable(slot)).then(|| unbalanced(context, site));
    let opened = pin.contexts.open() & !before;
    for held in pin.held.iter() {
        fault = fault.or(check::interruptible(held, opened, site));
    }
    if fault.is_some() {
        report(pin, fault);
    }
}

/// Whether `assertion` holds, of `lock` if it is about one. On an unknown CPU it is taken to hold.
pub(crate) fn assert(assertion: Assertion, lock: Option<Attempt>, site: &'static Location<'static>) {
    let Some(pin) = pin() else { return };
    let address = lock.map_or(0, |lock| lock.instance.address);
    let held = pin.held.iter().rfind(|held| lock.is_none() || held.instance.address == address).copied();
    let (holds, against) = match assertion {
        Assertion::Held => (held.is_some(), None),
        Assertion::HeldExclusively => {
            let exclusively =
                |held: &HeldLock| held.instance.address == address && held.mode == Mode::Exclusive;
            (pin.held.iter().any(exclusively), held)
        }
        Assertion::NotHeld | Assertion::NoneHeld => (held.is_none(), held),
        Assertion::MaySleep => {
            let (bears, limit) = pin.bears();
            (bears == Wait::Sleep && !pin.contexts.any_disabled(), limit)
        }
    };
    if !holds {
        let matter = Matter::Assertion { assertion, lock, held: against, site };
        report(pin, Some((Code::AssertionFailed, matter)));
    }
}

/// Tells the checker for which domain this CPU works from now on; only the discipline `bias-current` asks.
pub fn set_current(owner: OwnerId) {
    if let Some(mut pin) = pin() {
        pin.current = owner;
    }
}

/// On entry of an operation: does `upper` control `lower`?
pub(crate) fn entered(matter: Matter, founded: bool) {
    if !founded {
        let cpu = pin().map_or(usize::MAX, |pin| pin.cpu);
        send(cpu, (Code::RoleUnfounded, matter));
    }
}

/// Forgets every nesting that was learned, on all CPUs, and what this CPU holds and runs. For tests, which start from
/// a clean graph, and for a kernel that unloads code. Classes and contexts stay known.
pub fn forget() {
    if let Some(mut pin) = pin() {
        *pin = CpuState::NEW;
        graph::clear();
    }
}
