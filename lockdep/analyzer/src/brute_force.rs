//! A second opinion on small hierarchies: explicit domains and locks, and a search for a circular wait among them.
//!
//! It shares nothing with the decision (`proof.rs`) but the data types: no split nodes, no components, no relation of
//! classes. A waiter is a lock and how it is wanted; it waits for whoever holds the lock in a mode that blocks it, and that
//! one waits in turn. A circular wait is a cycle of waiters. What it finds in one hierarchy says nothing of others, and it
//! knows no gates. Slow; for the tests of the decision, and for `cargo lockdep verify --domains`.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Held, Instances, LockGraph, Nesting, Ownership, Wanted};
use lockdep::order::Relation;

/// Domains and who controls whom.
#[derive(Clone, Debug)]
pub struct World {
    /// `controls[upper][lower]`, a strict partial order.
    pub controls: Vec<Vec<bool>>,
}

impl World {
    /// `count` chains of `height` domains each; a later domain of a chain controls all earlier ones.
    pub fn chains(count: usize, height: usize) -> World {
        let domains = count * height;
        let above = |a: usize, b: usize| a / height == b / height && a > b;
        World { controls: (0..domains).map(|a| (0..domains).map(|b| above(a, b)).collect()).collect() }
    }

    /// All strict partial orders of `domains` in which only later domains control earlier ones: every order is one
    /// of these up to the names of the domains.
    pub fn all(domains: usize) -> Vec<World> {
        let pairs: Vec<(usize, usize)> = (0..domains).flat_map(|a| (0..a).map(move |b| (a, b))).collect();
        let order = |choice: usize| {
            let mut controls = vec![vec![false; domains]; domains];
            for (bit, &(a, b)) in pairs.iter().enumerate() {
                controls[a][b] = choice >> bit & 1 == 1;
            }
            World { controls }
        };
        (0..1 << pairs.len()).map(order).filter(World::is_transitive).collect()
    }

    /// How many domains its longest chain has.
    pub fn tiers(&self) -> usize {
        let domains = self.controls.len();
        let mut heights = vec![1; domains];
        for _ in 0..domains {
            for (upper, row) in self.controls.iter().enumerate() {
                let below = row.iter().zip(&heights).filter(|(controlled, _)| **controlled);
                heights[upper] = 1 + below.map(|(_, height)| *height).max().unwrap_or(0);
            }
        }
        heights.into_iter().max().unwrap_or(0)
    }

    fn is_transitive(&self) -> bool {
        let all = 0..self.controls.len();
        let leads = |a: usize, b: usize, c: usize| {
            !(self.controls[a][b] && self.controls[b][c]) || self.controls[a][c]
        };
        all.clone().all(|a| all.clone().all(|b| all.clone().all(|c| leads(a, b, c))))
    }

    fn relation(&self, held: Option<usize>, wanted: Option<usize>) -> Relation {
        match (held, wanted) {
            (None, None) => Relation::Same,
            (Some(held), Some(wanted)) if held == wanted => Relation::Same,
            (Some(held), Some(wanted)) if self.controls[wanted][held] => Relation::Up,
            (Some(held), Some(wanted)) if self.controls[held][wanted] => Relation::Down,
            _ => Relation::Other,
        }
    }

    /// The number of CPUs in the smallest circular wait, if there is one.
    pub fn deadlock(&self, graph: &LockGraph) -> Option<usize> {
        let waits = self.waits(graph);
        waits.keys().filter_map(|&waiter| shortest_way_back(&waits, waiter)).min()
    }

    /// Whether there is a circular wait.
    pub fn is_deadlocked(&self, graph: &LockGraph) -> bool {
        // Remove waiters that lead nowhere until none or a cycle is left.
        let mut waits = self.waits(graph);
        loop {
            let before = waits.len();
            let alive: BTreeSet<Waiter> = waits.keys().copied().collect();
            waits.values_mut().for_each(|next| next.retain(|waiter| alive.contains(waiter)));
            waits.retain(|_, next| !next.is_empty());
            if waits.len() == before {
                return before > 0;
            }
        }
    }

    fn waits(&self, graph: &LockGraph) -> BTreeMap<Waiter, BTreeSet<Waiter>> {
        let mut waits: BTreeMap<Waiter, BTreeSet<Waiter>> = BTreeMap::new();
        for (nesting, held, wanted) in self.steps(graph) {
            for waiting in [Wanted::Exclusive, Wanted::Shared, Wanted::SharedRecursive] {
                if blocks(nesting.held_as, waiting) {
                    waits.entry((held, waiting)).or_default().insert((wanted, nesting.wanted_as));
                }
            }
        }
        waits
    }

    /// Every nesting with every two locks that it may be about.
    pub fn steps(&self, graph: &LockGraph) -> Vec<(Nesting, Lock, Lock)> {
        let mut steps = Vec::new();
        for nesting in graph.nestings.keys() {
            for held in self.locks(graph, nesting.held) {
                for wanted in self.locks(graph, nesting.wanted) {
                    if self.fits(graph, nesting, held, wanted) {
                        steps.push((*nesting, held, wanted));
                    }
                }
            }
        }
        steps
    }

    /// Two instances per owner where it can matter.
    fn locks(&self, graph: &LockGraph, class: usize) -> Vec<Lock> {
        let several = graph.nestings.keys().any(|nesting| nesting.held == class && nesting.wanted == class);
        let mut owners: Vec<Option<usize>> = Vec::new();
        if graph.classes[class].ownership != Ownership::Unowned {
            owners.extend((0..self.controls.len()).map(Some));
        }
        if graph.classes[class].ownership != Ownership::Owned {
            owners.push(None);
        }
        let keys = if several { 0..2 } else { 0..1 };
        owners.into_iter().flat_map(|owner| keys.clone().map(move |key| (class, owner, key))).collect()
    }

    fn fits(&self, graph: &LockGraph, nesting: &Nesting, held: Lock, wanted: Lock) -> bool {
        let class = &graph.classes[nesting.held];
        if nesting.instances == Instances::SameOne {
            let let_in = class.recursive && nesting.held_as == Held::Exclusive;
            return held == wanted && !let_in;
        }
        let relation = self.relation(held.1, wanted.1);
        let ascends = !class.ordered || held.0 != wanted.0 || relation != Relation::Same || held.2 < wanted.2;
        held != wanted && relation == nesting.relation && ascends
    }
}

/// Class, owner, key.
pub type Lock = (usize, Option<usize>, usize);
type Waiter = (Lock, Wanted);

/// Whether a holder makes a waiter wait; a fair reader waits for a reader, since a writer may wait in between.
pub fn blocks(held: Held, wanted: Wanted) -> bool {
    held == Held::Exclusive || wanted != Wanted::SharedRecursive
}

/// How many hierarchies of up to `domains` domains the graph allows, or the number of CPUs in the smallest circular wait in
/// one of them. Gates are not known here.
///
/// # Errors
/// That number.
pub fn search(graph: &LockGraph, domains: usize) -> Result<usize, usize> {
    let most = graph.tiers.map_or(usize::MAX, |tiers| tiers.get().into());
    let worlds: Vec<World> =
        (0..=domains).flat_map(World::all).filter(|world| world.tiers() <= most).collect();
    match worlds.iter().filter_map(|world| world.deadlock(graph)).min() {
        Some(cpus) => Err(cpus),
        None => Ok(worlds.len()),
    }
}

fn shortest_way_back(waits: &BTreeMap<Waiter, BTreeSet<Waiter>>, start: Waiter) -> Option<usize> {
    let (mut seen, mut level, mut steps) = (BTreeSet::new(), BTreeSet::from([start]), 0);
    while !level.is_empty() {
        steps += 1;
        let next: BTreeSet<Waiter> =
            level.iter().filter_map(|waiter| waits.get(waiter)).flatten().copied().collect();
        if next.contains(&start) {
            return Some(steps);
        }
        level = next.into_iter().filter(|waiter| seen.insert(*waiter)).collect();
    }
    None
}
