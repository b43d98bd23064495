//! The policies of the mailing-list thread on small worlds: what each refuses wrongly and what it lets through.
//!
//! A [`Scenario`] names domains, says which are control domains and who controls whom, and lists nestings with the
//! domain on whose behalf the CPU works. So a bias by `current` and one by owner can be asked what they would have
//! been asked at run time; in a lock graph of code (`judge.rs`) that is known only as far as roles show it. Every
//! lock of a scenario is one lock, so that its graph is decided with the locks for classes, and a witness is a deadlock
//! among the domains that were named. The rule is `lockdep::order::permits` and the decision `proof::decide`, as
//! everywhere. The scenarios stand in `disciplines/scenarios.rs`, the words in `render/disciplines.rs`.
//!
//! Sources: xen-devel, December 2018 (flat, per-domain and biased levels); Xen e5268a3ce3 (the bias that landed).

mod scenarios;

use std::mem::size_of;

use lockdep::held::{HeldLock, MAX_HELD};
use lockdep::order::{Discipline, Level, Rank, Relation, permits};

use crate::graph::{Class, Evidence, Gates, Held, Instances, LockGraph, Nesting, Ownership, Wanted};
use crate::proof::{self, Decision};

pub use scenarios::scenarios;

/// A lock class of the scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name in Xen.
    pub name: &'static str,
    /// Its level in Xen.
    pub level: u16,
}

/// A domain of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// What it is called.
    pub name: &'static str,
    /// Whether it is a control domain, for which the bias was made.
    pub control: bool,
}

/// One lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Its class.
    pub kind: Kind,
    /// Whose it is, by index; nobody's if none.
    pub owner: Option<usize>,
}

/// A nesting that occurs: one lock is acquired while another is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The domain for which the CPU works, by index.
    pub current: usize,
    /// What is held.
    pub held: Lock,
    /// What is wanted.
    pub wanted: Lock,
    /// What the CPU is doing.
    pub doing: &'static str,
}

/// A world and what happens in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What it is about.
    pub title: &'static str,
    /// Its domains.
    pub parties: Vec<Party>,
    /// (upper, lower) by index, transitively closed.
    pub controls: Vec<(usize, usize)>,
    /// What occurs.
    pub nestings: Vec<Occurrence>,
}

/// A nesting that a discipline refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub nesting: Occurrence,
    /// The levels of both locks as the discipline counts them.
    pub levels: (u16, u16),
    /// It lies on no circle of the scenario, so that the refusal is a false alarm.
    pub harmless: bool,
}

/// What a discipline makes of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it refuses.
    pub refused: Vec<Refused>,
    /// The smallest circular wait among what it permits: one CPU per nesting, each waits for what the next holds.
    pub let_through: Option<Vec<Occurrence>>,
}

impl Outcome {
    /// The refused nestings that could not have been part of a deadlock.
    pub fn false_alarms(&self) -> impl Iterator<Item = &Refused> {
        self.refused.iter().filter(|refused| refused.harmless)
    }
}

/// A scenario under every discipline.
#[derive(Clone, Debug)]
pub struct Row {
    /// The scenario.
    pub scenario: Scenario,
    /// In the order of [`ORDER`].
    pub outcomes: [Outcome; 5],
    /// The smallest circular wait among all its nestings, as the decision on the whole graph finds it.
    pub deadlock: Option<Vec<Occurrence>>,
}

/// The disciplines in the order in which the thread came to them.
pub const ORDER: [&Discipline; 5] = [
    &Discipline::FLAT,
    &Discipline::PER_DOMAIN,
    &Discipline::BIAS_CURRENT,
    &Discipline::BIAS_CONTROL,
    &Discipline::HIERARCHY,
];

/// What a discipline keeps per CPU, in bytes; in the order of [`ORDER`].
///
/// Flat and biased levels are one `int` (Xen's `mm_lock_level`). Levels kept apart by domain are one byte for each
/// domain id below `DOMID_FIRST_RESERVED` = 0x7FF0, as weighed in the thread. Ours is the stack of held locks, which
/// the reports need as well; it does not grow with the number of domains.
pub const BYTES_PER_CPU: [usize; 5] = {
    let stack = MAX_HELD * size_of::<Option<HeldLock>>() + size_of::<usize>();
    [4, 0x7FF0, 4, 4, stack]
};

/// Every scenario under every discipline.
pub fn table() -> Vec<Row> {
    let row = |scenario: Scenario| {
        let outcomes = ORDER.map(|discipline| scenario.judge(discipline));
        let deadlock = scenario.deadlock(|_| true);
        Row { scenario, outcomes, deadlock }
    };
    scenarios().into_iter().map(row).collect()
}

impl Scenario {
    /// How the owner of the wanted lock stands to that of the held one.
    pub fn relation(&self, nesting: &Occurrence) -> Relation {
        match (nesting.held.owner, nesting.wanted.owner) {
            (held, wanted) if held == wanted => Relation::Same,
            (Some(held), Some(wanted)) if self.controls.contains(&(wanted, held)) => Relation::Up,
            (Some(held), Some(wanted)) if self.controls.contains(&(held, wanted)) => Relation::Down,
            _ => Relation::Other,
        }
    }

    /// What the rule is told of a lock at run time.
    fn rank(&self, lock: Lock, current: usize) -> Rank {
        let party = lock.owner.and_then(|owner| self.parties.get(owner));
        Rank {
            level: Level::new(lock.kind.level),
            key: None,
            owned: lock.owner.is_some(),
            current: lock.owner == Some(current),
            control: party.is_some_and(|party| party.control),
        }
    }

    /// What `discipline` makes of it.
    pub fn judge(&self, discipline: &Discipline) -> Outcome {
        let ranks =
            |n: &Occurrence| (self.rank(n.held, n.current), self.rank(n.wanted, n.current), self.relation(n));
        let is_permitted = |nesting: &Occurrence| {
            let (held, wanted, relation) = ranks(nesting);
            permits(discipline, held, wanted, relation)
        };
        let refused = self.nestings.iter().filter(|nesting| !is_permitted(nesting)).map(|nesting| {
            let (held, wanted, _) = ranks(nesting);
            Refused {
                nesting: *nesting,
                levels: (discipline.effective(held), discipline.effective(wanted)),
                harmless: !self.lies_on_circle(nesting),
            }
        });
        Outcome { refused: refused.collect(), let_through: self.deadlock(is_permitted) }
    }

    /// The smallest circular wait among the nestings that `keep` keeps.
    pub fn deadlock(&self, keep: impl Fn(&Occurrence) -> bool) -> Option<Vec<Occurrence>> {
        let locks = self.locks();
        let index = |lock: Lock| locks.iter().position(|known| *known == lock);
        let mut graph = LockGraph { classes: locks.iter().map(single).collect(), ..LockGraph::default() };
        let mut occurrences = Vec::new();
        for occurrence in self.nestings.iter().filter(|occurrence| keep(occurrence)) {
            let (Some(held), Some(wanted)) = (index(occurrence.held), index(occurrence.wanted)) else {
                continue;
            };
            let nesting = Nesting {
                held,
                wanted,
                relation: Relation::Same,
                held_as: Held::Exclusive,
                wanted_as: Wanted::Exclusive,
                instances: Instances::Any,
            };
            graph.add(nesting, unwritten());
            occurrences.push((nesting, *occurrence));
        }
        let Decision::Refuted { witnesses, .. } = proof::decide(&graph) else { return None };
        let of = |nesting: &Nesting| occurrences.iter().find(|(known, _)| known == nesting).map(|(_, o)| *o);
        witnesses.first().map(|witness| witness.cpus.iter().filter_map(|cpu| of(&cpu.nesting)).collect())
    }

    /// Whether the nestings lead from its wanted lock back to its held one.
    fn lies_on_circle(&self, nesting: &Occurrence) -> bool {
        let mut reached = vec![nesting.wanted];
        let mut at = 0;
        while let Some(&lock) = reached.get(at) {
            for next in self.nestings.iter().filter(|next| next.held == lock) {
                if !reached.contains(&next.wanted) {
                    reached.push(next.wanted);
                }
            }
            at += 1;
        }
        reached.contains(&nesting.held)
    }

    /// Every lock once, in order of first mention.
    fn locks(&self) -> Vec<Lock> {
        let mut locks = Vec::new();
        for lock in self.nestings.iter().flat_map(|nesting| [nesting.held, nesting.wanted]) {
            if !locks.contains(&lock) {
                locks.push(lock);
            }
        }
        locks
    }
}

/// A class that stands for one lock: it has no domains beside it, so ownership says nothing.
fn single(lock: &Lock) -> Class {
    let owner = lock.owner.map_or(String::new(), |owner| format!(" of {owner}"));
    Class {
        name: format!("{}{owner}", lock.kind.name),
        level: None,
        recursive: false,
        ordered: false,
        ownership: Ownership::Unowned,
    }
}

/// Scenarios are drawn, not found in code.
fn unwritten() -> Evidence {
    Evidence {
        held: Vec::new(),
        wanted: Vec::new(),
        owners: (String::new(), String::new()),
        possible: false,
        gates: Gates::default(),
    }
}
