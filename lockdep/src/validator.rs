//! The hooks: about to acquire, tried, released, changed, contexts, assertions. Joins judgement, record and sink.
//!
//! Called by `track.rs`, `map.rs`, `hooks.rs`, `context.rs` and `role.rs` only. An acquisition is recorded before it waits, as in
//! Linux (`lock_acquire`), so that one visit to the CPU's state does for both; an interrupt that comes while it waits
//! then sees one lock too many, never one too few. A check that could not be made is counted in [`Counters`], never
//! dropped silently: no CPU hook, a CPU that is inside the checker already, a full stack.

use core::hint::cold_path;
use core::panic::Location;

use crate::check::{self, Fault, discipline};
use crate::class::Standing;
use crate::context::{Context, Running};
use crate::cpu::{Fresh, Pin};
use crate::graph;
use crate::held::{Aside, HeldLock, Mode};
use crate::hold::{Hold, Tail};
use crate::owner::{self, OwnerId};
use crate::report::{self, Assertion, Attempt, Code, Matter, Report};
use crate::state::CpuState;
use crate::sync::{AtomicBool, AtomicU32, Ordering};
use crate::visit::{self, REENTERED, Stay, UNATTRIBUTED, Visit, visit};
use crate::wait::Wait;

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
        checked: visit::tally(),
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
pub(crate) fn report(visit: Visit, fault: Option<Fault>) {
    let cpu = visit.cpu;
    drop(visit);
    if let Some(fault) = fault {
        send(cpu, fault);
    }
    if let Some(table) = graph::newly_full() {
        send(cpu, (Code::TableFull, Matter::Table(table)));
    }
}

/// `hold` as it would be recorded now, under this nest lock.
pub(crate) fn entry(state: &Visit, hold: &Hold, nest: usize) -> HeldLock {
    let Attempt { instance, mode, site } = hold.attempt();
    let node = graph::node(hold.class, state.undisturbed()).unwrap_or(graph::MAX_CLASSES as u16);
    HeldLock { instance, mode, site, nest, node, depth: state.contexts.depth() }
}

fn column(entry: &HeldLock) -> u32 {
    u32::from(entry.node) * 2
}

fn record(visit: &mut Visit, hold: Hold, tail: Tail, nest: usize) -> Stay {
    let aside = Aside { nest, depth: visit.contexts.depth() };
    if !visit.held.push(hold, tail, aside) {
        OVERFLOWED.fetch_add(1, Ordering::Relaxed);
    }
    visit.stay()
}

/// Before an acquisition that may wait. At most one report.
#[inline(always)]
pub(crate) fn acquire(wanted: Hold) -> Stay {
    if let Some(pin) = visit::plain()
        && let Some(tail) = check::settled(&pin, pin.word as usize, &wanted, |_, _| false, 0)
    {
        pin.count(pin.word);
        return visit::put(pin, wanted, tail);
    }
    cold_path();
    acquire_slowly(wanted)
}

#[cold]
#[inline(never)]
fn acquire_slowly(wanted: Hold) -> Stay {
    if let Some(pin) = visit::plain() {
        let height = pin.word as usize;
        let passed = if check::learning() { check::settled_across } else { check::in_order };
        if let Some(tail) = passed(&pin, height, &wanted) {
            pin.count(pin.word);
            return visit::put(pin, wanted, tail);
        }
    }
    acquire_nested(wanted, 0)
}

/// The same under the nest lock at this address, or 0, and for everything that is not simple.
#[cold]
#[inline(never)]
pub(crate) fn acquire_nested(wanted: Hold, nest: usize) -> Stay {
    let Some(mut visit) = visit() else { return visit::nowhere() };
    visit.count();
    let entry = entry(&visit, &wanted, nest);
    let tail = Tail::new(&wanted, column(&entry));
    if check::passes(&visit, &entry) {
        return record(&mut visit, wanted, tail, nest);
    }
    examine(visit, &entry);
    visit::visit().map_or_else(visit::nowhere, |mut visit| record(&mut visit, wanted, tail, nest))
}

/// The same for an acquisition that is possible here, and does not happen now.
pub(crate) fn might_acquire(wanted: &Hold) {
    let Some(visit) = visit() else { return };
    let entry = entry(&visit, wanted, 0);
    if !check::passes(&visit, &entry) {
        examine(visit, &entry);
    }
}

#[cold]
fn examine(visit: Visit, wanted: &HeldLock) {
    let fault = check::examine(&visit, wanted);
    report(visit, fault);
}

/// After an acquisition that did not wait.
#[inline(always)]
pub(crate) fn tried(got: Hold) -> Stay {
    // Under nothing: it makes no edge from what is held.
    if let Some(pin) = visit::plain()
        && let Some(tail) = check::settled(&pin, 0, &got, |_, _| false, Standing::WAIT)
    {
        return visit::put(pin, got, tail);
    }
    cold_path();
    tried_slowly(got)
}

#[cold]
#[inline(never)]
fn tried_slowly(got: Hold) -> Stay {
    let Some(mut visit) = visit() else { return visit::nowhere() };
    let entry = entry(&visit, &got, 0);
    let stay = record(&mut visit, got, Tail::new(&got, column(&entry)), 0);
    let open = visit.contexts.open();
    if open != 0
        && let fault @ Some(_) = check::interruptible(&entry, open, got.site, visit.undisturbed())
    {
        report(visit, fault);
    }
    stay
}

/// Before a release by whoever acquired.
#[inline(always)]
pub(crate) fn released(hold: &Hold, stay: &Stay) {
    released_from(stay.pin_if(visit::is_not_empty), hold);
}

/// The same where nothing but the lock was kept.
pub(crate) fn released_here(hold: &Hold) {
    released_from(visit::holding(), hold);
}

#[inline(always)]
fn released_from(pin: Option<Pin<'_, CpuState>>, hold: &Hold) {
    // Mostly the youngest of all goes first, and nothing moves.
    if let Some(mut pin) = pin
        && pin.held.is_at(pin.word as usize - 1, hold)
    {
        pin.word -= 1;
        return;
    }
    cold_path();
    released_slowly(*hold, Some(hold.mode()));
}

/// Before a release; in `mode`, or in whichever it is held.
#[cold]
#[inline(never)]
pub(crate) fn released_slowly(lock: Hold, mode: Option<Mode>) {
    let Some(mut visit) = visit() else { return };
    let (address, depth) = (lock.address(), visit.contexts.depth());
    let is = |held: &HeldLock| {
        held.instance.address == address && held.depth == depth && mode.is_none_or(|mode| held.mode == mode)
    };
    if visit.held.remove(is).is_none() {
        // A full stack or an event inside the checker explains a missing entry; only an unexplained one is reported.
        let unexplained = [&OVERFLOWED, &REENTERED, &UNATTRIBUTED];
        let unexplained = unexplained.iter().all(|counter| counter.load(Ordering::Relaxed) == 0);
        return report(visit, unexplained.then_some((Code::NotHeld, Matter::Lock(lock.attempt()))));
    }
    if let Some(orphan) = visit.held.nested_under(address) {
        report(visit, Some((Code::NestLockNotHeld, Matter::Lock(orphan.attempt()))));
    }
}

/// The holder goes on in another mode. With `waits`, it waits for other holders to leave first.
pub(crate) fn changed(lock: Hold, from: Mode, waits: bool) {
    let Some(mut visit) = visit() else { return };
    let address = lock.address();
    let is = |held: &HeldLock| held.instance.address == address && held.mode == from;
    if waits {
        let entry = entry(&visit, &lock, 0);
        // Its own hold is what it upgrades, not what it waits under.
        let Some(own) = visit.held.remove(is) else { return };
        let fault = check::examine(&visit, &entry);
        record(&mut visit, lock, Tail::new(&lock, column(&entry)), own.nest);
        return report(visit, fault);
    }
    if !visit.held.change(lock.mode(), is) {
        report(visit, Some((Code::NotHeld, Matter::Lock(lock.attempt()))));
    }
}

/// The lock is initialised again, or its memory goes away.
pub(crate) fn ends(instance: usize) {
    let Some(mut visit) = visit() else { return };
    if let Some(held) = visit.held.remove(|held| held.instance.address == instance) {
        report(visit, Some((Code::HeldLockFreed, Matter::Lock(held.attempt()))));
    }
}

/// A visit for an event of `context`, if that has a slot.
fn at(context: &'static Context) -> Option<(usize, Visit)> {
    let visit = visit()?;
    let slot = context.slot(visit.undisturbed())?;
    Some((slot, visit))
}

/// The kernel has it, also where no CPU is known yet.
pub(crate) fn declare_context(context: &'static Context) {
    match visit::alone() {
        Ok(alone) => _ = context.slot(alone.undisturbed()),
        // A handler; its context declares itself with its next event.
        Err(visit::Busy) => _ = REENTERED.fetch_add(1, Ordering::Relaxed),
    }
}

/// A handler begins.
pub(crate) fn enter_context(context: &'static Context, bears: Wait, site: &'static Location<'static>) {
    let Some((slot, mut visit)) = at(context) else { return };
    if !visit.contexts.enter(Running { slot: slot as u8, bears, site }) {
        OVERFLOWED.fetch_add(1, Ordering::Relaxed);
    }
}

/// A handler ends.
pub(crate) fn exit_context(context: &'static Context, site: &'static Location<'static>) {
    let Some((slot, mut visit)) = at(context) else { return };
    let depth = visit.contexts.depth();
    let kept = visit.held.remove(|held| held.depth == depth && depth != 0);
    let kept = kept.map(|held| (Code::HeldAtContextExit, Matter::Lock(held.attempt())));
    if kept.is_some() {
        while visit.held.remove(|held| held.depth == depth).is_some() {}
    }
    let balanced = visit.contexts.exit(slot);
    let unbalanced = (!balanced).then(|| unbalanced(context, site));
    if kept.is_some() || unbalanced.is_some() {
        report(visit, kept.or(unbalanced));
    }
}

fn unbalanced(context: &'static Context, site: &'static Location<'static>) -> Fault {
    (Code::ContextUnbalanced, Matter::Context { name: context.class().name, site })
}

/// A context cannot interrupt from here on.
pub(crate) fn disable_context(context: &'static Context) {
    if let Some((slot, mut visit)) = at(context) {
        visit.contexts.disable(slot);
    }
}

/// It can again: whatever is held is now held with it enabled.
pub(crate) fn enable_context(context: &'static Context, site: &'static Location<'static>) {
    let Some((slot, mut visit)) = at(context) else { return };
    let before = visit.contexts.open();
    let mut fault = (!visit.contexts.enable(slot)).then(|| unbalanced(context, site));
    let opened = visit.contexts.open() & !before;
    for held in visit.held.iter() {
        fault = fault.or(check::interruptible(&held, opened, site, visit.undisturbed()));
    }
    if fault.is_some() {
        report(visit, fault);
    }
}

/// Whether `assertion` holds, of `lock` if it is about one. On an unknown CPU it is taken to hold.
pub(crate) fn assert(assertion: Assertion, lock: Option<Attempt>, site: &'static Location<'static>) {
    let Some(visit) = visit() else { return };
    let address = lock.map_or(0, |lock| lock.instance.address);
    let held = visit.held.iter().rfind(|held| lock.is_none() || held.instance.address == address);
    let (holds, against) = match assertion {
        Assertion::Held => (held.is_some(), None),
        Assertion::HeldExclusively => {
            let exclusively =
                |held: HeldLock| held.instance.address == address && held.mode == Mode::Exclusive;
            (visit.held.iter().any(exclusively), held)
        }
        Assertion::NotHeld | Assertion::NoneHeld => (held.is_none(), held),
        Assertion::MaySleep => {
            let (bears, limit) = visit.bears();
            (bears == Wait::Sleep && !visit.contexts.any_disabled(), limit)
        }
    };
    if !holds {
        let matter = Matter::Assertion { assertion, lock, held: against, site };
        report(visit, Some((Code::AssertionFailed, matter)));
    }
}

/// Tells the checker for which domain this CPU works from now on; only the discipline `bias-current` asks.
pub fn set_current(owner: OwnerId) {
    if let Some(mut visit) = visit() {
        visit.current = owner;
    }
}

/// On entry of an operation: does `upper` control `lower`?
pub(crate) fn entered(code: Code, matter: Matter, founded: bool) {
    if !founded {
        let cpu = visit().map_or(usize::MAX, |visit| visit.cpu);
        send(cpu, (code, matter));
    }
}

/// Forgets every nesting that was learned, on all CPUs, how many tiers of owners there may be, and what this CPU holds and
/// runs. For tests, which start from a clean graph, and for a kernel that unloads code. Classes and contexts stay known.
pub fn forget() {
    if let Some(mut visit) = visit() {
        *visit = CpuState::FRESH;
        graph::clear(visit.undisturbed());
    }
    owner::forget_tiers();
}
