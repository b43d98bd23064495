//! The learned graph: which class was wanted while which was held, by relation and kind, and whether that can be a
//! deadlock.
//!
//! A nesting that is known costs its CPU one relaxed load ([`row`]) from a dense table that is written only when
//! something new is seen. A new one takes the graph's own spin lock, is judged (`graph/walk.rs`) and then either
//! joins the graph or is *refused*: refused edges are known, so that each is reported once, but are not part of the
//! graph. Nor is a nesting that the declared order refused ([`note`]): it was reported, and what is in order beside it is not to
//! blame (Linux and WITNESS keep a dependency that they reported out, too). It stays unknown, since the same edge can be in
//! order between other instances. Hence the graph satisfies the criterion at all times, and every deadlock that can be built from what was
//! seen has an edge that was reported. This file decides nothing about declared orders (`order.rs`), and only
//! `validator.rs` and `observed.rs` call it.
//!
//! Ordering: bits of `KNOWN` are set under the lock and read without it, relaxed. A reader that sees a bit may
//! skip the lock: whoever set it had judged the edge while holding the lock. A reader that misses a bit takes the lock
//! and looks again, so of two CPUs that bring the two halves of a cycle the later one in lock order sees the other's
//! half. The only other thing published through the bits is an objection (`Standing::ORDER`): the class asks before the edge
//! that it is about is known (Release), and is looked at after the edge (a fence in `check.rs`).
//!
//! The lock is taken by [`learned`] alone, which wants an [`Undisturbed`]: an interrupt on this CPU that comes here is turned
//! away before it could spin on a lock that its own CPU holds (`cpu.rs`).

mod chain;
#[cfg(all(loom, test))]
mod models;
mod rank;
mod walk;

use core::cell::Cell;
use core::panic::Location;

use lock_api::{Mutex, MutexGuard};

use crate::bits::Bits;
use crate::class::{Class, Flags, Standing};
use crate::cpu::Undisturbed;
use crate::held::Mode;
use crate::observed::Observed;
use crate::order::Relation;
use crate::report::Table;
use crate::spin::RawSpin;
use crate::sync::{AtomicU8, AtomicU32, Ordering};
pub use chain::Chain;
use rank::Ranks;

/// How many classes are told apart; nestings of further ones are not learned, and counted.
pub const MAX_CLASSES: usize = 512;
/// How many nestings are kept with their sites; further ones are learned without, and counted.
pub const MAX_NESTINGS: usize = 4096;
/// How many refused nestings are kept out of the graph. Further ones join it, so that one fault may be reported again
/// by way of another edge.
pub const MAX_REFUSED: usize = 256;

const SITES: (&Location<'static>, &Location<'static>) = (Location::caller(), Location::caller());

/// A nesting as the graph sees it.
#[derive(Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) from: u16,
    pub(crate) to: u16,
    pub(crate) relation: Relation,
    pub(crate) held: Mode,
    pub(crate) wanted: Mode,
}

impl Edge {
    fn holds_shared(self) -> bool {
        self.held != Mode::Exclusive
    }

    fn wants_recursive(self) -> bool {
        self.wanted == Mode::SharedRecursive
    }

    /// Where it stands in the row of its head.
    fn column(self) -> usize {
        usize::from(self.from) * 2 + usize::from(self.holds_shared())
    }

    /// Its place in the cell there.
    fn place(self) -> u8 {
        place(self.relation, self.wanted)
    }

    /// Its place among all edges between its two classes: eight bits of E-edges, then eight of S-edges.
    fn bit(self) -> u16 {
        u16::from(self.place()) << if self.holds_shared() { 8 } else { 0 }
    }
}

/// The place of an edge in its cell: two bits per relation, wanted N or R.
#[inline(always)]
pub(crate) fn place(relation: Relation, wanted: Mode) -> u8 {
    1 << ((relation as u8) << 1 | wanted.wanted_kind())
}

#[derive(Clone, Copy)]
struct Kept {
    edge: Edge,
    sites: (&'static Location<'static>, &'static Location<'static>),
}

/// What only the holder of the graph's lock sees.
struct Learned {
    ranks: Ranks,
    classes: [Option<&'static Class>; MAX_CLASSES],
    nr_classes: usize,
    contexts: Bits,
    per_cpu: Bits,
    nestings: [Kept; MAX_NESTINGS],
    nr_nestings: usize,
    /// How many of them were only noted at first.
    nr_noted: usize,
    refused: [(u16, u16, u16); MAX_REFUSED],
    nr_refused: usize,
    /// What a class asks at first.
    asks: u64,
    /// For `walk.rs`, which would need 2 KiB of a kernel's stack.
    scratch: [Cell<u16>; 2 * MAX_CLASSES],
}

/// By wanted class, then by held class and whether that is held shared, so that one acquisition reads one row.
static KNOWN: [Row; MAX_CLASSES] = [const { [const { AtomicU8::new(0) }; 2 * MAX_CLASSES] }; MAX_CLASSES];

const _: () = assert!(size_of_val(&KNOWN) + size_of::<Learned>() <= 1 << 20, "1 MiB of graph");

static LEARNED: Mutex<RawSpin, Learned> = Mutex::new(Learned {
    ranks: Ranks::NEW,
    classes: [None; MAX_CLASSES],
    nr_classes: 0,
    contexts: Bits::NONE,
    per_cpu: Bits::NONE,
    nestings: [Kept {
        edge: Edge {
            from: 0,
            to: 0,
            relation: Relation::Same,
            held: Mode::Exclusive,
            wanted: Mode::Exclusive,
        },
        sites: SITES,
    }; MAX_NESTINGS],
    nr_nestings: 0,
    nr_noted: 0,
    refused: [(0, 0, 0); MAX_REFUSED],
    nr_refused: 0,
    asks: 0,
    scratch: [const { Cell::new(0) }; 2 * MAX_CLASSES],
});

/// The one way to what the lock protects.
fn learned(_alone: Undisturbed<'_>) -> MutexGuard<'_, RawSpin, Learned> {
    LEARNED.lock()
}

static CLASSES_DROPPED: AtomicU32 = AtomicU32::new(0);
static NESTINGS_DROPPED: AtomicU32 = AtomicU32::new(0);
static REFUSALS_DROPPED: AtomicU32 = AtomicU32::new(0);
/// One bit per [`Table`]: full, and not said yet (low), said (high).
static FULL: AtomicU8 = AtomicU8::new(0);

/// The node of a class, or `None` when there are [`MAX_CLASSES`] others.
pub(crate) fn node(class: &'static Class, alone: Undisturbed<'_>) -> Option<u16> {
    let node = class.node().unwrap_or_else(|| register(class, alone));
    (usize::from(node) < MAX_CLASSES).then_some(node)
}

#[cold]
fn register(class: &'static Class, alone: Undisturbed<'_>) -> u16 {
    let mut learned = learned(alone);
    if let Some(node) = class.node() {
        return node;
    }
    let fresh = learned.nr_classes;
    if let Some(free) = learned.classes.get_mut(fresh) {
        *free = Some(class);
        learned.nr_classes += 1;
        if class.is_context() {
            learned.contexts.add(fresh);
        }
        if class.flags.contains(Flags::PER_CPU) {
            learned.per_cpu.add(fresh);
        }
        class.register(fresh as u16, learned.asks);
    } else {
        CLASSES_DROPPED.fetch_add(1, Ordering::Relaxed);
        full(Table::Classes);
        class.register(MAX_CLASSES as u16, Standing::ORDER);
    }
    fresh as u16
}

/// What is known of the edges into one class.
pub(crate) type Row = [AtomicU8; 2 * MAX_CLASSES];

/// The edges into this class, or `None` if it has no node.
#[inline(always)]
pub(crate) fn row(to: u16) -> Option<&'static Row> {
    KNOWN.get(usize::from(to))
}

/// Whether the edge was seen before. Not if one of its ends has no node.
pub(crate) fn knows(edge: Edge) -> bool {
    let cell = row(edge.to).and_then(|row| row.get(edge.column()));
    cell.is_some_and(|cell| cell.load(Ordering::Relaxed) & edge.place() != 0)
}

/// From now on every class asks this, those that are yet to come too.
pub(crate) fn ask_all(more: u64, alone: Undisturbed<'_>) {
    let mut learned = learned(alone);
    learned.asks |= more;
    learned.classes.iter().flatten().for_each(|class| class.ask(more));
}

/// Adds an edge, unless it closes a bad walk: then the rest of that walk, and the edge as it is reported.
#[cold]
pub(crate) fn learn(
    edge: Edge,
    sites: (&'static Location<'static>, &'static Location<'static>),
    alone: Undisturbed<'_>,
) -> Option<(Chain, Observed)> {
    let mut learned = learned(alone);
    if knows(edge) {
        return None;
    }
    learned.keep(Kept { edge, sites });
    let (from, to) = (usize::from(edge.from), usize::from(edge.to));
    let affected = learned.ranks.probe(from, to);
    let component = affected.component();
    let closed = (component != Bits::NONE).then(|| walk::judge(&learned, edge, component)).flatten();
    let refused = closed.is_some() && learned.refuse(edge);
    if !refused {
        learned.ranks.insert(from, to, &affected);
    }
    if let Some(class) = learned.classes[to]
        && (from, edge.relation) == (to, Relation::Same)
    {
        // The next of its kind may be one instance twice, which no edge tells.
        class.ask(Standing::ORDER);
    }
    KNOWN[to][edge.column()].fetch_or(edge.place(), Ordering::Release);
    closed.zip(learned.observed(&Kept { edge, sites }))
}

/// Keeps what happened and was reported for another reason than the graph's, which it does not join.
#[cold]
pub(crate) fn note(
    edge: Edge,
    sites: (&'static Location<'static>, &'static Location<'static>),
    alone: Undisturbed<'_>,
) {
    let mut learned = learned(alone);
    if !knows(edge) && learned.find(edge).is_none() {
        learned.keep(Kept { edge, sites });
        learned.nr_noted += 1;
    }
}

impl Learned {
    fn find(&self, edge: Edge) -> Option<usize> {
        let is_it =
            |kept: &Kept| (kept.edge.from, kept.edge.to, kept.edge.bit()) == (edge.from, edge.to, edge.bit());
        self.nestings[..self.nr_nestings].iter().position(is_it)
    }

    fn keep(&mut self, kept: Kept) {
        // What was noted has joined now. The search is for those who have something noted.
        let noted = if self.nr_noted == 0 { None } else { self.find(kept.edge) };
        let used = noted.unwrap_or(self.nr_nestings);
        match self.nestings.get_mut(used) {
            Some(free) => {
                *free = kept;
                self.nr_nestings += usize::from(noted.is_none());
            }
            None => {
                NESTINGS_DROPPED.fetch_add(1, Ordering::Relaxed);
                full(Table::Nestings);
            }
        }
    }

    /// Keeps an edge out of the graph; false when there is no room to remember that.
    fn refuse(&mut self, edge: Edge) -> bool {
        let used = self.nr_refused;
        match self.refused.get_mut(used) {
            Some(free) => {
                *free = (edge.from, edge.to, edge.bit());
                self.nr_refused += 1;
                true
            }
            None => {
                REFUSALS_DROPPED.fetch_add(1, Ordering::Relaxed);
                full(Table::Refusals);
                false
            }
        }
    }

    /// The edges between two classes that are part of the graph.
    fn accepted(&self, from: usize, to: usize) -> u16 {
        let refused = self.refused[..self.nr_refused].iter();
        let refused = refused.filter(|(a, b, _)| (usize::from(*a), usize::from(*b)) == (from, to));
        let [exclusive, shared] = [0, 1].map(|kind| KNOWN[to][from * 2 + kind].load(Ordering::Relaxed));
        u16::from_le_bytes([exclusive, shared]) & !refused.fold(0, |all, (_, _, bit)| all | bit)
    }

    /// Where the edge of this bit was first seen, if that was kept.
    fn seen(&self, from: usize, to: usize, bit: u16) -> Option<Observed> {
        let matches = |kept: &&Kept| {
            (usize::from(kept.edge.from), usize::from(kept.edge.to), kept.edge.bit()) == (from, to, bit)
        };
        self.nestings[..self.nr_nestings].iter().find(matches).and_then(|kept| self.observed(kept))
    }

    fn observed(&self, kept: &Kept) -> Option<Observed> {
        let Kept { edge, sites } = *kept;
        Some(Observed {
            held: self.classes[usize::from(edge.from)]?,
            held_mode: edge.held,
            wanted: self.classes[usize::from(edge.to)]?,
            wanted_mode: edge.wanted,
            relation: edge.relation,
            sites,
        })
    }
}

/// The class with this node.
pub(crate) fn class(node: usize, alone: Undisturbed<'_>) -> Option<&'static Class> {
    learned(alone).classes.get(node).copied().flatten()
}

/// The nesting seen at this position in time, of those that were kept.
pub(crate) fn nesting(position: usize, alone: Undisturbed<'_>) -> Option<Observed> {
    let learned = learned(alone);
    learned.nestings[..learned.nr_nestings].get(position).and_then(|kept| learned.observed(kept))
}

/// Counts of (classes, sites, refusals) for which there was no room.
pub(crate) fn dropped() -> (u32, u32, u32) {
    let count = |counter: &AtomicU32| counter.load(Ordering::Relaxed);
    (count(&CLASSES_DROPPED), count(&NESTINGS_DROPPED), count(&REFUSALS_DROPPED))
}

/// There was no room for a context.
pub(crate) fn contexts_full() {
    full(Table::Contexts);
}

fn full(table: Table) {
    FULL.fetch_or(1 << table as u8, Ordering::Relaxed);
}

/// A table that is full and of which that was not said yet.
pub(crate) fn newly_full() -> Option<Table> {
    let seen = FULL.load(Ordering::Relaxed);
    let new = seen & !(seen >> 4) & 0b1111;
    let table = Table::ALL.into_iter().find(|&table| new >> table as u8 & 1 != 0)?;
    let said = 1 << (table as u8 + 4);
    (FULL.fetch_or(said, Ordering::Relaxed) & said == 0).then_some(table)
}

/// Forgets every edge. Classes keep their nodes.
pub(crate) fn clear(alone: Undisturbed<'_>) {
    let mut learned = learned(alone);
    let classes = learned.nr_classes;
    for row in &KNOWN[..classes] {
        row[..2 * classes].iter().for_each(|cell| cell.store(0, Ordering::Relaxed));
    }
    learned.asks &= !Standing::ORDER;
    for (node, class) in learned.classes.iter().flatten().enumerate() {
        class.register(node as u16, learned.asks);
    }
    learned.ranks.clear(classes);
    learned.nr_nestings = 0;
    learned.nr_noted = 0;
    learned.nr_refused = 0;
}

/// Runs `handler` while the lock is held.
#[cfg(test)]
pub(crate) fn interrupted(alone: Undisturbed<'_>, handler: impl FnOnce()) {
    let _learned = learned(alone);
    handler();
}
