//! What a function does to locks, in terms of its parameters: the vocabulary of the interprocedural analysis.
//!
//! A summary is computed once per function from the summaries of its callees (`flow.rs`) and is instantiated at
//! every call with the caller's paths (`apply.rs`), so that `p2m.lookup()` called for the caller and for the
//! subject gives two nestings. Lattice: finite maps that only grow; chains only get shorter; paths are cut at a
//! fixed length. Hence the fixpoint over call-graph cycles (`fixpoint.rs`) ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::before::{Before, Signal};
use crate::chain::{Chain, keep};
use crate::graph::{Evidence, Gates, Held, Nesting, Wanted};
use crate::index::BodyId;
use crate::limits::Coarse;
use crate::mir::ir::Span;
use crate::path::{Path, Step, Value};
use crate::stored::Origin;

/// A class by its position in the graph's list.
pub type ClassId = usize;

/// A lock instance as seen from one function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lock {
    /// Its class.
    pub class: ClassId,
    /// Where it is.
    pub path: Path,
}

/// A lock that is held, as far as this function knows which.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HeldLock {
    /// This one.
    Known(Lock, Held),
    /// Whatever guards are inside the argument for parameter `_n`: in that of its parts, counted from one, or, with
    /// zero, anywhere in it.
    Argument(usize, usize),
    /// Whatever guards the code at this path returned, which came in through a parameter.
    FromCode(Path),
}

/// An acquisition that may wait.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acquire {
    /// The lock.
    pub lock: Lock,
    /// How it is wanted.
    pub wanted: Wanted,
}

/// A nesting whose owners' relation the callers may know better.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenNesting {
    /// What is held.
    pub held: HeldLock,
    /// What is wanted.
    pub acquire: Acquire,
}

/// A call of code that came in through a parameter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodeCall {
    /// Where the code came from.
    pub code: Path,
    /// What it is given.
    pub args: Vec<Value>,
    /// It is surely code; otherwise it was only handed to foreign code that may call it.
    pub called: bool,
    /// What it may be if no caller knows.
    pub others: Vec<BodyId>,
    /// It may be code of the callers of all that is analyzed, if no caller here knows.
    pub outside: bool,
}

/// How a [`CodeCall`] happens, all its occurrences together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Occurrence {
    /// What may be held meanwhile.
    pub held: BTreeMap<HeldLock, Chain>,
    /// The way to one of the calls.
    pub chain: Chain,
}

/// What a function does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Locks that it, or what it calls, waits for.
    pub acquires: BTreeMap<Arc<Acquire>, Chain>,
    /// Locks of classes that only callers know, which code made here takes whenever it runs, and where.
    pub elsewhere: BTreeMap<Arc<Acquire>, Span>,
    /// Where locks of known classes are acquired, tries included, and whether exclusively.
    pub met: BTreeSet<(ClassId, Held, Span)>,
    /// Nestings for the callers to decide.
    pub open: BTreeMap<OpenNesting, Ways>,
    /// Calls of its parameters.
    pub calls: BTreeMap<CodeCall, Occurrence>,
    /// Guards inside what it returns.
    pub returned: BTreeMap<HeldLock, Chain>,
    /// Locks whose guards are surely inside what it returns, held exclusively; none if it does not return.
    pub sure: Option<BTreeSet<Lock>>,
    /// Guards that it leaves behind elsewhere.
    pub left: BTreeMap<HeldLock, Chain>,
    /// Places it writes through its parameters: what was reached through their old content is reached no more.
    pub writes: BTreeSet<Path>,
    /// What is known of what it returns, by fields.
    pub result: BTreeMap<Vec<Step>, Value>,
    /// Nestings that are decided here.
    pub closed: BTreeMap<ClosedNesting, Grounds>,
    /// Two instances of one undeclared class that two parameters of this function or its callers stand for: class,
    /// the held lock's path, the wanted one's.
    pub pairs: BTreeMap<(ClassId, Path, Path), (Nesting, Grounds)>,
    /// Where it, or what it calls, puts locks behind shared pointers, and which they are.
    pub stores: BTreeSet<(Origin, Origin)>,
    /// Code that runs in threads for which a scope further out waits.
    pub scoped: BTreeSet<BodyId>,
    /// What it surely waits for before it returns.
    pub passes: BTreeSet<Acquire>,
    /// What it does to channels, and what comes first.
    pub signals: BTreeMap<Signal, Before>,
    /// What could not be followed.
    pub notes: BTreeSet<Arc<Note>>,
    /// What is not told apart any more.
    pub coarse: Coarse,
}

impl Summary {
    /// Takes in the nestings of `other`, and nothing of what it acquires, calls or leaves held.
    pub fn include(&mut self, other: Summary) {
        for (closed, evidence) in other.closed {
            self.add_closed(closed, evidence);
        }
        for (open, ways) in other.open {
            self.add_open(open, ways);
        }
        for (pair, evidence) in other.pairs {
            self.pairs.entry(pair).or_insert(evidence);
        }
        for (acquire, span) in other.elsewhere {
            self.elsewhere.entry(acquire).or_insert(span);
        }
        self.stores.extend(other.stores);
        self.met.extend(other.met);
        self.notes.extend(other.notes);
    }

    /// Adds a place that is written through a parameter; one that is reached through a written place adds nothing.
    pub fn add_write(&mut self, place: &Path) {
        let place = place.bare();
        if !self.writes.iter().any(|known| *known == place || place.goes_through(known)) {
            self.writes.retain(|known| !known.goes_through(&place));
            self.writes.insert(place);
        }
    }

    /// Takes in what an earlier analysis of the same function found, so that from here on the summary only grows (and
    /// what is known of the result only shrinks): that ends, where exchanging one summary for another need not.
    pub fn widen(&mut self, earlier: &Summary) {
        for (map, known) in [(&mut self.returned, &earlier.returned), (&mut self.left, &earlier.left)] {
            for (lock, chain) in known {
                keep(map, lock.clone(), chain.clone());
            }
        }
        for (acquire, chain) in &earlier.acquires {
            keep(&mut self.acquires, acquire.clone(), chain.clone());
        }
        for (acquire, span) in &earlier.elsewhere {
            self.elsewhere.entry(Arc::clone(acquire)).or_insert_with(|| span.clone());
        }
        for (call, occurrence) in &earlier.calls {
            self.add_call(call.clone(), occurrence.held.clone(), &occurrence.chain);
        }
        for (open, ways) in &earlier.open {
            self.add_open(open.clone(), ways.clone());
        }
        if let (Some(sure), Some(known)) = (&mut self.sure, &earlier.sure) {
            sure.retain(|lock| known.contains(lock));
        }
        for (closed, evidence) in &earlier.closed {
            self.add_closed(closed.clone(), evidence.clone());
        }
        for (pair, evidence) in &earlier.pairs {
            self.pairs.entry(pair.clone()).or_insert_with(|| evidence.clone());
        }
        earlier.writes.iter().for_each(|place| self.add_write(place));
        self.met.extend(earlier.met.iter().cloned());
        self.stores.extend(earlier.stores.iter().cloned());
        self.scoped.extend(&earlier.scoped);
        self.passes.retain(|acquire| earlier.passes.contains(acquire));
        for (signal, before) in &earlier.signals {
            self.add_signal(*signal, before.clone());
        }
        self.notes.extend(earlier.notes.iter().cloned());
        self.coarse.widen(&earlier.coarse);
        self.result.retain(|steps, value| earlier.result.get(steps) == Some(value));
    }

    /// Adds a nesting for the callers to decide, or a better way to one that is known.
    pub fn add_open(&mut self, open: OpenNesting, mut ways: Ways) {
        let known = self.open.entry(open).or_insert_with(|| ways.clone());
        known.gates.intersect(&ways.gates);
        ways.gates = known.gates.clone();
        known.apart |= ways.apart;
        ways.apart = known.apart;
        if ways.weight() < known.weight() {
            *known = ways;
        }
    }

    /// Adds a nesting that is decided here, or better grounds for one that is known.
    pub fn add_closed(&mut self, closed: ClosedNesting, mut grounds: Grounds) {
        match self.closed.get_mut(&closed) {
            Some(known) => {
                known.ways.gates.intersect(&grounds.ways.gates);
                grounds.ways.gates = known.ways.gates.clone();
                if grounds.weight() < known.weight() {
                    *known = grounds;
                }
            }
            None => {
                self.closed.insert(closed, grounds);
            }
        }
    }

    /// Adds a call of a parameter to those known.
    pub fn add_call(&mut self, call: CodeCall, held: BTreeMap<HeldLock, Chain>, chain: &Chain) {
        let known = self
            .calls
            .entry(call)
            .or_insert_with(|| Occurrence { chain: chain.clone(), ..Default::default() });
        if *chain < known.chain {
            known.chain = chain.clone();
        }
        for (lock, chain) in held {
            keep(&mut known.held, lock, chain);
        }
    }
}

/// The ways to a nesting, while they are still shared with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ways {
    /// The way to the acquisition of the held lock.
    pub held: Chain,
    /// The way to the acquisition of the wanted lock.
    pub wanted: Chain,
    /// What is surely held besides, whichever way.
    pub gates: Gates,
    /// It may be made at another time, or in another thread, than the function runs in that has this.
    pub apart: bool,
}

impl Ways {
    fn weight(&self) -> (bool, usize, &Chain, &Chain) {
        let possible = self.held.possible || self.wanted.possible;
        (possible, self.held.length() + self.wanted.length(), &self.held, &self.wanted)
    }
}

/// Where a nesting was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounds {
    /// How the locks are come by.
    pub ways: Ways,
    /// How the owners of both are called there, if known.
    pub owners: (String, String),
}

impl Grounds {
    fn weight(&self) -> ((bool, usize, &Chain, &Chain), &(String, String)) {
        (self.ways.weight(), &self.owners)
    }

    /// As reports want it.
    pub fn evidence(&self) -> Evidence {
        let Ways { held, wanted, gates, .. } = &self.ways;
        Evidence {
            held: held.steps(),
            wanted: wanted.steps(),
            owners: self.owners.clone(),
            possible: held.possible || wanted.possible,
            gates: gates.clone(),
        }
    }
}

/// A nesting that no caller can say more about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClosedNesting {
    /// The nesting; where an owner is not known, the relation is `Other`.
    pub nesting: Nesting,
    /// Of which of the two locks no owner is known. If the class turns out to belong to nobody everywhere, the
    /// relation is better known than that.
    pub ownerless: (bool, bool),
    /// Of the lock that is wanted nothing is known but its class.
    pub unknown: bool,
    /// Where it is, if that tells it from others.
    pub place: Option<Span>,
}

/// Something that was not followed and becomes an assumption.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Note {
    /// A task sleeps and holds a lock of threads: its class, where it was acquired, and where the task sleeps.
    Slept(ClassId, Span, Span),
    /// Something is held while something is waited for of which it is not known who ends it.
    Waits(Span),
    /// Roles were taken from a check on entry.
    Roles(Span),
    /// A function of another crate, whose body was not read.
    Foreign(String, String),
    /// A call whose callee is not known: what it calls, and where.
    Unresolved(String, Span),
    /// A foreign function that goes by its name starts the code it is given on a stack of its own.
    Starts(String, Span),
    /// A foreign function was given a mutable reference to something whose destruction takes locks.
    ForeignDrop(String, Span),
    /// A trait object was destroyed.
    DynamicDrop(String, Span),
    /// So many codes hand out guards here that their guards are not followed.
    GuardsOfCode(Span),
    /// A lock whose class is not known here.
    Unclassed(String, Span),
    /// An undeclared lock that a caller outside gives: its type, and where the function is.
    Given(String, Span),
}
