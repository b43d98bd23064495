//! The witness of a refutation: a circular wait as a schedule, one CPU per nesting.
//!
//! A witness names as few domains as will do, who controls whom, and for every CPU which lock of which domain it
//! holds and which it waits for; CPU *i* + 1 holds what CPU *i* waits for. This file turns a closed walk of
//! nestings into that (or says that no owners fit). It neither finds walks (`proof/walk.rs`) nor words them
//! (`finding.rs`, `render.rs`).

mod owners;

use std::collections::BTreeSet;

use lockdep::order::Relation;

use crate::graph::{Gate, Instances, LockGraph, Nesting};

use owners::{Owners, Stop};

/// What one CPU does in a circular wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CpuStep {
    /// The nesting on which it waits.
    pub nesting: Nesting,
    /// Index of the domain that owns the lock it holds; none for a lock of nobody.
    pub held_owner: Option<usize>,
    /// Index of the domain that owns the lock it waits for.
    pub wanted_owner: Option<usize>,
    /// Which instance of the held class in that domain, from 0.
    pub held_instance: usize,
    /// Which instance of the wanted class.
    pub wanted_instance: usize,
}

/// A circular wait.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Witness {
    /// One step per CPU, CPU 0 first.
    pub cpus: Vec<CpuStep>,
    /// Names of the domains: `A`, `B`, ….
    pub domains: Vec<String>,
    /// (upper, lower) by index, sorted; what follows by transitivity is left out unless a CPU relies on it.
    pub controls: Vec<(usize, usize)>,
}

impl Witness {
    /// The schedule of a closed walk (the last nesting wants the class that the first one holds), or none if
    /// the relations fit no domains or two CPUs would have to hold one lock.
    pub(crate) fn of(graph: &LockGraph, walk: &[Nesting]) -> Option<Witness> {
        if let [nesting] = walk
            && nesting.is_recursion()
        {
            return Some(Witness::alone(graph, *nesting));
        }
        let twice: Vec<Nesting>;
        let walk = match walk {
            // Two instances of one class in one domain wait for each other: two CPUs make the same step.
            [nesting] if graph.relation(nesting) == Relation::Same => {
                twice = vec![*nesting; 2];
                &twice
            }
            walk => walk,
        };
        let instances = instances(graph, walk);
        let stops: Vec<Stop> = walk
            .iter()
            .zip(&instances)
            .map(|(nesting, &instance)| Stop {
                class: nesting.held,
                instance,
                unowned: graph.is_unowned(nesting.held),
                relation: graph.relation(nesting),
            })
            .collect();
        let Owners { of, controls, count } =
            owners::fewest(&stops, graph.tiers.map_or(usize::MAX, |tiers| tiers.get().into()))?;
        let next = |at: usize| (at + 1) % walk.len();
        let cpus = walk
            .iter()
            .enumerate()
            .map(|(at, nesting)| CpuStep {
                nesting: *nesting,
                held_owner: of[at],
                wanted_owner: of[next(at)],
                held_instance: instances[at],
                wanted_instance: instances[next(at)],
            })
            .collect();
        let domains = (0..count).map(domain_name).collect();
        Some(Witness { cpus, domains, controls: controls.into_iter().collect() })
    }

    /// One CPU that waits for what it holds.
    fn alone(graph: &LockGraph, nesting: Nesting) -> Witness {
        let owner = (!graph.is_unowned(nesting.held)).then_some(0);
        let cpu =
            CpuStep { nesting, held_owner: owner, wanted_owner: owner, held_instance: 0, wanted_instance: 0 };
        let domains = owner.into_iter().map(domain_name).collect();
        Witness { cpus: vec![cpu], domains, controls: Vec::new() }
    }

    /// The nestings of the walk, each once, in order of first appearance.
    pub fn nestings(&self) -> Vec<Nesting> {
        let mut seen = BTreeSet::new();
        self.cpus.iter().map(|cpu| cpu.nesting).filter(|nesting| seen.insert(*nesting)).collect()
    }

    /// How many domains control each other in its longest chain.
    pub fn tiers(&self) -> usize {
        let mut heights = vec![1; self.domains.len()];
        // Each round settles one more tier.
        for _ in 0..heights.len() {
            for &(upper, lower) in &self.controls {
                heights[upper] = heights[upper].max(heights[lower] + 1);
            }
        }
        heights.into_iter().max().unwrap_or(0)
    }

    /// Locks that a CPU and the one that waits for it would both hold exclusively: with one of these, the circle cannot
    /// close.
    pub fn gates<'g>(&self, graph: &'g LockGraph) -> BTreeSet<&'g Gate> {
        let steps = self.cpus.iter().map(|cpu| graph.nestings.get(&cpu.nesting));
        let next = self.cpus.iter().cycle().skip(1).map(|cpu| graph.nestings.get(&cpu.nesting));
        let mut shared = BTreeSet::new();
        for (waiter, holder) in steps.zip(next).filter(|_| self.cpus.len() > 1) {
            let (Some(waiter), Some(holder)) = (waiter, holder) else { continue };
            shared.extend(waiter.gates.wanted.intersection(&holder.gates.held));
        }
        shared
    }

    /// Whether a step rests on evidence that is merely possible.
    pub fn is_possible(&self, graph: &LockGraph) -> bool {
        self.cpus.iter().any(|cpu| graph.nestings.get(&cpu.nesting).is_some_and(|evidence| evidence.possible))
    }

    /// The total length of the call chains of its nestings.
    pub fn chain_length(&self, graph: &LockGraph) -> usize {
        let length = |nesting: &Nesting| {
            graph.nestings.get(nesting).map_or(0, |evidence| evidence.held.len() + evidence.wanted.len())
        };
        self.cpus.iter().map(|cpu| length(&cpu.nesting)).sum()
    }
}

/// Numbers the instances of one class that follow each other in one domain, at each stop of the walk.
fn instances(graph: &LockGraph, walk: &[Nesting]) -> Vec<usize> {
    let to_another = |nesting: &Nesting| {
        nesting.held == nesting.wanted
            && nesting.instances == Instances::Any
            && graph.relation(nesting) == Relation::Same
    };
    // Counting starts where a run of such nestings starts; a walk of nothing else may start anywhere.
    let start = walk.iter().position(|nesting| !to_another(nesting)).map_or(0, |at| at + 1);
    let mut instances = vec![0; walk.len()];
    for offset in 1..walk.len() {
        let (before, at) = ((start + offset - 1) % walk.len(), (start + offset) % walk.len());
        instances[at] = if to_another(&walk[before]) { instances[before] + 1 } else { 0 };
    }
    instances
}

/// `A` to `Z`, then `A1` to `Z1`, and so on.
fn domain_name(index: usize) -> String {
    let letter = char::from(b'A' + (index % 26) as u8);
    if index < 26 { letter.to_string() } else { format!("{letter}{}", index / 26) }
}
