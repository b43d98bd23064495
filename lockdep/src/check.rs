//! The judgement of one acquisition: short looks that most leave by, and a long one that says what is wrong.
//!
//! [`settled`] is inlined where a lock is acquired. It answers yes only if every edge is known, all locks have one owner, and
//! the class asks nothing of this CPU ([`Standing`]): one load per held lock. [`settled_across`] and, with learning off,
//! [`in_order`] are the same out of line for what the shortest look leaves open. [`passes`] asks the declared order again,
//! for classes that were objected to, for keys and in handlers; it too says yes only if nothing is wrong or new. [`examine`]
//! asks everything, learns what is new, and returns the first fault: waiting, the declared order, interrupts, nest lock, graph.
//!
//! Why a known edge needs no second look at the declared order: it became known in [`examine`], which asked
//! `order::permits` about the same pair without instance keys and makes the wanted class ask ([`Standing::ORDER`]) when the
//! answer is no. The answer depends on the classes, the relation and whether either is owned; an edge stands for all that
//! but one: `Other` is also two strangers, who are never settled. It depends on the discipline too: under a biased one, which
//! asks who is current, every class asks, and after a change of discipline as well.
//!
//! Edges come from *every* lock held in the innermost context, not only from the nearest: behind a recursive reader the
//! way from a lock further down is weak, though the nesting itself is not (Linux: `check_prevs_add` stops at the first
//! lock that was not tried).

use crate::class::{Flags, Standing};
use crate::context::{self, Mask};
use crate::cpu::Undisturbed;
use crate::graph::{self, Edge, MAX_CLASSES, Row};
use crate::held::{HeldLock, Instance, Mode};
use crate::hold::{Hold, Tail};
use crate::observed::Observed;
use crate::order::{Discipline, Rank, Relation, permits};
use crate::owner::{self, OwnerId};
use crate::report::{Code, Matter};
use crate::state::CpuState;
use crate::sync::{AtomicBool, AtomicU8, Ordering, fence};
use crate::visit::{Visit, alone};
use crate::wait::Wait;

/// Index into [`Discipline::ALL`].
static DISCIPLINE: AtomicU8 = AtomicU8::new(0);
static LEARNING: AtomicBool = AtomicBool::new(true);

/// The discipline in force.
#[inline]
pub fn discipline() -> &'static Discipline {
    static ALL: [Discipline; 5] = Discipline::ALL;
    &ALL[usize::from(DISCIPLINE.load(Ordering::Relaxed))]
}

/// Puts another discipline in force, on all CPUs. Meant for boot and for tests.
///
/// # Errors
/// Gives `name` back when no discipline is called so, or [`Busy`](crate::Busy) applies here.
pub fn set_discipline(name: &str) -> Result<(), &str> {
    let index = Discipline::ALL.iter().position(|discipline| discipline.name == name).ok_or(name)?;
    let alone = alone().map_err(|_| name)?;
    if DISCIPLINE.swap(index as u8, Ordering::Relaxed) != index as u8 {
        graph::ask_all(Standing::ORDER, alone.undisturbed());
    }
    Ok(())
}

/// Whether nestings are learned and judged (at first they are); with `false` the declared order alone is checked, and
/// nothing is added to what was observed.
pub fn set_learning(on: bool) {
    LEARNING.store(on, Ordering::Relaxed);
}

#[inline]
pub(crate) fn learning() -> bool {
    LEARNING.load(Ordering::Relaxed)
}

/// The edge from a held lock, unless one of the two has no node, or an instance order covers it.
fn edge(held: &HeldLock, wanted: &HeldLock, relation: Relation) -> Option<Edge> {
    let (from, to) = (held.node, wanted.node);
    let ascends = || match (held.instance.key, wanted.instance.key) {
        (Some(first), Some(second)) => relation == Relation::Same && first < second,
        _ => false,
    };
    let usable = usize::from(from) < MAX_CLASSES && usize::from(to) < MAX_CLASSES;
    let usable = usable && !held.instance.class.flags.contains(Flags::NO_EDGES);
    (usable && !(from == to && ascends())).then_some(Edge {
        from,
        to,
        relation,
        held: held.mode,
        wanted: wanted.mode,
    })
}

/// How an interrupt, which is nobody's, stands to the owner of a lock.
fn relation_to_context(lock: &HeldLock) -> Relation {
    if lock.instance.owner == OwnerId::NOBODY { Relation::Same } else { Relation::Other }
}

fn into_context(lock: &HeldLock, slot: usize) -> Edge {
    let relation = relation_to_context(lock);
    Edge { from: lock.node, to: context::node(slot), relation, held: lock.mode, wanted: Mode::Exclusive }
}

fn out_of_context(slot: u8, lock: &HeldLock) -> Edge {
    let relation = relation_to_context(lock);
    let from = context::node(slot.into());
    Edge { from, to: lock.node, relation, held: Mode::Exclusive, wanted: lock.mode }
}

/// Whether the holder's own hold lets it in, so that it cannot wait: a reentrant lock, or a recursive read under any
/// read. That a class is declared recursive lets nobody in; its locks do.
fn enters_again(held: &HeldLock, wanted: &HeldLock) -> bool {
    wanted.instance.reentrant || wanted.mode == Mode::SharedRecursive && held.mode != Mode::Exclusive
}

fn has_edges(wanted: &HeldLock) -> bool {
    !wanted.instance.class.flags.contains(Flags::NO_EDGES) && usize::from(wanted.node) < MAX_CLASSES
}

/// Whether every edge is known and nothing about the wanted class was ever objected to: then what it is as a tail.
///
/// For a CPU that holds `height` locks with nothing aside. Every lock held has the owner of the wanted one, or `other`
/// says of it that its edge is known and in order; `excused` is what the caller sees to itself. That no instance is
/// acquired twice follows: a known edge of a class and one owner to itself makes the class ask.
#[inline(always)]
pub(crate) fn settled(
    state: &CpuState,
    height: usize,
    wanted: &Hold,
    other: impl Fn(&Row, Tail) -> bool,
    excused: u64,
) -> Option<Tail> {
    if height != 0 {
        let row = graph::row(wanted.class.standing().node())?;
        let known = state.held.tails(height).iter().rev().try_fold(u8::MAX, |known, &below| {
            match row.get(below.column_beside(wanted)) {
                Some(cell) => Some(known & cell.load(Ordering::Relaxed)),
                None => other(row, below).then_some(known),
            }
        })?;
        if known & graph::place(Relation::Same, wanted.mode()) == 0 {
            return None;
        }
        // An objection is made before the edge that it is about becomes known (Release there): whoever saw the edge sees it.
        fence(Ordering::Acquire);
    }
    let standing = wanted.class.standing();
    let asked = state.contexts.asked(wanted.variant()) & !excused;
    (standing.asks(asked) == 0).then(|| Tail::new(wanted, standing.column()))
}

/// [`settled`] for locks of several owners, and of a class that needs something of what the CPU bears.
pub(crate) fn settled_across(state: &CpuState, height: usize, wanted: &Hold) -> Option<Tail> {
    let other = |row: &Row, below: Tail| {
        let relation = owner::relation(below.owner(), wanted.owner());
        // To the graph `Other` is a stranger or nobody; the declared order tells them apart.
        let strangers = below.owner() != OwnerId::NOBODY && wanted.owner() != OwnerId::NOBODY;
        let place = graph::place(relation, wanted.mode());
        !(relation == Relation::Other && strangers)
            && row.get(below.column()).is_some_and(|cell| cell.load(Ordering::Relaxed) & place != 0)
    };
    let tail = settled(state, height, wanted, other, Standing::WAIT)?;
    is_borne(state, height, wanted).then_some(tail)
}

/// Whether nothing is wrong when nothing is learned: the declared order and what is borne are all there is. For a CPU
/// that holds `height` locks with nothing aside.
pub(crate) fn in_order(state: &CpuState, height: usize, wanted: &Hold) -> Option<Tail> {
    let standing = wanted.class.standing();
    if usize::from(standing.node()) >= MAX_CLASSES {
        return None;
    }
    let level = wanted.class.level;
    let below = state.held.tails(height).iter().zip(state.held.classes(height)).enumerate();
    let in_order = below.rev().all(|(position, (tail, class))| {
        tail.is_beside(wanted) && level.is_deeper_than(class.level)
            || is_permitted(state.current, &state.held.hold(position), wanted)
    });
    (in_order && is_borne(state, height, wanted)).then(|| Tail::new(wanted, standing.column()))
}

/// Whether the declared order says nothing against `wanted` under `below`, and they are two locks.
#[inline(never)]
fn is_permitted(current: OwnerId, below: &Hold, wanted: &Hold) -> bool {
    let relation = owner::relation(below.owner(), wanted.owner());
    below.address() != wanted.address()
        && (!below.class.is_declared()
            || !wanted.class.is_declared()
            || permits(discipline(), below.rank(current), wanted.rank(current), relation))
}

fn is_borne(state: &CpuState, height: usize, wanted: &Hold) -> bool {
    let bears = || state.held.classes(height).fold(Wait::Sleep, |bears, class| bears.with(class.inner));
    wanted.class.outer == Wait::Unchecked || wanted.class.outer <= bears()
}

fn known_as_interruptible(lock: &HeldLock, open: Mask) -> bool {
    context::members(open).all(|slot| graph::knows(into_context(lock, slot)))
}

/// Whether nothing is wrong and nothing is new.
pub(crate) fn passes(state: &CpuState, wanted: &HeldLock) -> bool {
    let class = wanted.instance.class;
    let (rule, learning) = (discipline(), learning());
    if wanted.nest != 0 {
        return false;
    }
    let edges = has_edges(wanted);
    for held in state.held_here().filter(|_| edges) {
        let (below, above) = (&held.instance, &wanted.instance);
        if below.address == above.address {
            return false;
        }
        let relation = owner::relation(below.owner, above.owner);
        if is_refused(rule, state.current, below, above, relation) {
            return false;
        }
        if learning && edge(&held, wanted, relation).is_some_and(|edge| !graph::knows(edge)) {
            return false;
        }
    }
    if class.outer > state.bears().0 {
        return false;
    }
    let inside = state.contexts.innermost();
    !learning
        || !edges
        || inside.is_none_or(|running| graph::knows(out_of_context(running.slot, wanted)))
            && known_as_interruptible(wanted, state.contexts.open())
}

/// A fault, with everything that a report needs but the CPU.
pub(crate) type Fault = (Code, Matter);

/// Learns what is new about the acquisition of `wanted` and says what is wrong with it.
#[cold]
#[inline(never)]
pub(crate) fn examine(state: &Visit, wanted: &HeldLock) -> Option<Fault> {
    let alone = state.undisturbed();
    let attempt = wanted.attempt();
    let (bears, limit) = state.bears();
    let mut fault = (wanted.instance.class.outer > bears)
        .then_some((Code::InvalidWaitContext, Matter::Wait { wanted: attempt, bears, limit }));
    let mut note = |found: Option<Fault>| {
        if fault.is_none() {
            fault = found;
        }
    };
    let own = |held: &HeldLock| held.instance.address == wanted.instance.address;
    if state.held_here().any(|held| own(&held) && enters_again(&held, wanted)) || !has_edges(wanted) {
        return fault;
    }
    note(declared(state, wanted));
    if learning() {
        if let Some(running) = state.contexts.innermost() {
            let edge = out_of_context(running.slot, wanted);
            note(learn(edge, running.site, wanted, (None, Some(wanted)), alone));
        }
        note(interruptible(wanted, state.contexts.open(), wanted.site, alone));
    }
    let nest_lock = |held: &HeldLock| held.instance.address == wanted.nest;
    if wanted.nest != 0 && !state.held.iter().any(|held| nest_lock(&held)) {
        note(Some((Code::NestLockNotHeld, Matter::Lock(attempt))));
    }
    if learning() {
        // Under the nest lock its class takes turns, so what was acquired since cannot be the other half of a circle
        // with another of the class (Linux: `check_deadlock` returns 2 and no edge is added).
        let excused = wanted.nest != 0 && state.held_here().any(|held| held.node == wanted.node);
        // Two of a class first: that is the plainer report.
        for same_class in [true, false] {
            for held in state.held_here().filter(|held| !own(held)) {
                if (held.node == wanted.node) == same_class {
                    let relation = owner::relation(held.instance.owner, wanted.instance.owner);
                    let refused =
                        is_refused(discipline(), state.current, &held.instance, &wanted.instance, relation);
                    match edge(&held, wanted, relation) {
                        Some(edge) if refused => graph::note(edge, (held.site, wanted.site), alone),
                        Some(edge) => {
                            note(learn(edge, held.site, wanted, (Some(&held), Some(wanted)), alone))
                        }
                        None => {}
                    }
                }
                if excused && nest_lock(&held) {
                    break;
                }
            }
        }
    }
    fault
}

/// Whether the declared order has both and refuses the second under the first.
fn is_refused(
    rule: &Discipline,
    current: OwnerId,
    below: &Instance,
    above: &Instance,
    relation: Relation,
) -> bool {
    let both = below.class.is_declared() && above.class.is_declared();
    both && !permits(rule, below.rank(current), above.rank(current), relation)
}

/// The youngest held lock under which the declared order refuses `wanted`.
fn declared(state: &CpuState, wanted: &HeldLock) -> Option<Fault> {
    let rule = discipline();
    let mut found = None;
    for held in state.held_here() {
        let relation = owner::relation(held.instance.owner, wanted.instance.owner);
        let (below, above) = (held.instance.rank(state.current), wanted.instance.rank(state.current));
        let same = held.instance.address == wanted.instance.address;
        let both = held.instance.class.is_declared() && wanted.instance.class.is_declared();
        let keyless = |rank| Rank { key: None, ..rank };
        if both && (rule.is_biased() || !permits(rule, keyless(below), keyless(above), relation)) {
            wanted.instance.class.ask(Standing::ORDER);
        }
        if same || is_refused(rule, state.current, &held.instance, &wanted.instance, relation) {
            let code = if same { Code::Recursion } else { Code::OrderViolation };
            let effective = (rule.effective(below), rule.effective(above));
            let wanted = wanted.attempt();
            found = Some((code, Matter::Nesting { held, wanted, relation, effective }));
        }
    }
    found
}

/// Learns that these contexts can interrupt the holder of `lock`.
pub(crate) fn interruptible(
    lock: &HeldLock,
    open: Mask,
    since: &'static core::panic::Location<'static>,
    alone: Undisturbed<'_>,
) -> Option<Fault> {
    if !learning() || !has_edges(lock) {
        return None;
    }
    let at = HeldLock { site: since, ..*lock };
    let variant = lock.variant();
    context::members(open).fold(None, |fault, slot| {
        let edge = into_context(lock, slot);
        let found =
            if graph::knows(edge) { None } else { learn(edge, lock.site, &at, (Some(lock), None), alone) };
        lock.instance.class.answer(Standing::contexts(1 << slot, variant));
        fault.or(found)
    })
}

/// Learns that whoever waits for `awaited`, which is let go here, waits for what is held here.
pub(crate) fn let_go(state: &Visit, awaited: &HeldLock) -> Option<Fault> {
    let held = state.held_here().filter(|held| learning() && has_edges(held));
    held.fold(None, |fault, held| {
        let relation = owner::relation(awaited.instance.owner, held.instance.owner);
        let edge = edge(awaited, &held, relation).filter(|&edge| !graph::knows(edge));
        // The declared order is not asked here, so a known edge does not speak for it.
        held.instance.class.ask(Standing::ORDER);
        let ends = (Some(awaited), Some(&held));
        let found = edge.and_then(|edge| learn(edge, awaited.site, &held, ends, state.undisturbed()));
        fault.or(found)
    })
}

/// Learns one edge. `first` is where its tail was acquired or entered, `second` where its head is.
fn learn(
    edge: Edge,
    first: &'static core::panic::Location<'static>,
    second: &HeldLock,
    (held, wanted): (Option<&HeldLock>, Option<&HeldLock>),
    alone: Undisturbed<'_>,
) -> Option<Fault> {
    let sites = (first, second.site);
    let (chain, closing): (_, Observed) = graph::learn(edge, sites, alone)?;
    let through_context = closing.held.is_context()
        || closing.wanted.is_context()
        || chain.iter().any(|link| link.held.is_context() || link.wanted.is_context());
    let code = if through_context {
        Code::InterruptInversion
    } else if edge.from == edge.to && edge.relation == Relation::Same {
        Code::UnorderedInstances
    } else {
        Code::LockOrderCycle
    };
    let wanted = wanted.map(HeldLock::attempt);
    Some((code, Matter::Cycle { closing, wanted, held: held.copied(), chain }))
}
