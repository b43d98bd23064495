//! The split graph: every class as two nodes, and the nestings that a holder can make others wait on.
//!
//! A class is reached by non-recursive acquisitions at its N node and by recursive reads at its R node. A reader
//! blocks those who came to N only, so a nesting under a shared lock leaves N alone; under an exclusive lock it
//! leaves both. A closed walk here is a closed *strong* walk of lockdep (Linux
//! `Documentation/locking/lockdep-design.rst`). Gates split nodes further: those who wait for a class and hold certain
//! gates stand at a node of their own, which nestings of holders of one of these gates do not leave, since of a waiter
//! and a holder with one gate, one cannot be there. Recursions on one instance are not edges: they involve nobody
//! else and are judged alone. This file decides nothing; `proof.rs` and its other children call it.

use std::collections::{BTreeMap, BTreeSet};

use lockdep::order::Relation;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::tiers::Tiers;
use crate::graph::{Gate, Held, Instances, LockGraph, Nesting};

/// A node of the split graph, and the tier of the owner of the lock that is waited for there.
pub type Spot = (usize, usize);

/// A nesting as an edge; it is one or more arcs of the split graph.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The nesting.
    pub nesting: Nesting,
    /// The relation of the owners, with what the classes say taken into account.
    pub relation: Relation,
    /// Its evidence rests on an unresolved call.
    pub possible: bool,
    /// The length of both call chains.
    pub chain: usize,
    /// The node at which it arrives.
    pub to: usize,
    /// The nodes that it leaves.
    from: Vec<usize>,
}

impl Edge {
    /// The nodes that it leaves.
    pub fn from(&self) -> impl Iterator<Item = usize> {
        self.from.iter().copied()
    }

    /// Where it leads from, and the tier in which it then arrives.
    pub fn steps(&self, tiers: Tiers) -> impl Iterator<Item = (Spot, usize)> {
        let spots = self.from().flat_map(move |from| (0..tiers.count()).map(move |tier| (from, tier)));
        spots.flat_map(move |spot| tiers.after(spot.1, self.relation).map(move |then| (spot, then)))
    }

    /// Two nestings of one group differ only in kinds, and have one cause.
    pub fn group(&self) -> (usize, usize, Relation) {
        (self.nesting.held, self.nesting.wanted, self.relation)
    }
}

/// Waiters for a class that hold gates: the class, whether they are recursive readers, the gates.
pub type GatedWaiters<'a> = (usize, bool, BTreeSet<&'a Gate>);

/// The split graph; node 2*c* is N of class *c*, node 2*c* + 1 is R. Nodes of waiters with gates come last.
#[derive(Debug)]
pub struct Split<'a> {
    /// In the order of the nestings.
    pub edges: Vec<Edge>,
    /// By node: indices of the edges that leave it.
    pub out: Vec<Vec<usize>>,
    /// The nodes of waiters with gates.
    pub gated: BTreeMap<GatedWaiters<'a>, usize>,
}

impl<'a> Split<'a> {
    /// The split graph of `graph`, in which gates keep nobody apart.
    pub fn ungated(graph: &'a LockGraph) -> Split<'a> {
        Split::with(graph, BTreeMap::new())
    }

    /// The split graph of `graph`.
    pub fn new(graph: &'a LockGraph) -> Split<'a> {
        // Of the gates of waiters only those matter that holders of the class have somewhere.
        let mut of_holders: BTreeMap<usize, BTreeSet<&Gate>> = BTreeMap::new();
        for (nesting, evidence) in &graph.nestings {
            of_holders.entry(nesting.held).or_default().extend(&evidence.gates.held);
        }
        Split::with(graph, of_holders)
    }

    fn with(graph: &'a LockGraph, of_holders: BTreeMap<usize, BTreeSet<&'a Gate>>) -> Split<'a> {
        let edges = || graph.nestings.iter().filter(|(nesting, _)| !nesting.is_recursion());
        // A nesting of a class that does not exist is refused by `certificate::check`; here it gets a node.
        let named = edges().map(|(nesting, _)| 1 + nesting.held.max(nesting.wanted)).max();
        let plain = 2 * graph.classes.len().max(named.unwrap_or(0));
        let waiters = |nesting: &Nesting, gates: &'a BTreeSet<Gate>| -> GatedWaiters<'a> {
            let known = of_holders.get(&nesting.wanted);
            let gates = gates.iter().filter(|gate| known.is_some_and(|known| known.contains(gate)));
            (nesting.wanted, nesting.wanted_as.is_recursive(), gates.collect())
        };
        let waiting: BTreeSet<GatedWaiters> = edges()
            .map(|(nesting, evidence)| waiters(nesting, &evidence.gates.wanted))
            .filter(|(_, _, gates)| !gates.is_empty())
            .collect();
        let gated: BTreeMap<GatedWaiters, usize> = waiting.into_iter().zip(plain..).collect();
        let edges: Vec<Edge> = edges()
            .map(|(&nesting, evidence)| {
                let exclusive = nesting.held_as == Held::Exclusive;
                let first = 2 * nesting.held;
                let blocked = gated.iter().filter(|((class, recursive, gates), _)| {
                    let kept_apart = gates.iter().any(|gate| evidence.gates.held.contains(gate));
                    *class == nesting.held && (exclusive || !recursive) && !kept_apart
                });
                let plain = 2 * nesting.wanted + usize::from(nesting.wanted_as.is_recursive());
                Edge {
                    nesting,
                    relation: graph.relation(&nesting),
                    possible: evidence.possible,
                    chain: evidence.held.len() + evidence.wanted.len(),
                    to: gated.get(&waiters(&nesting, &evidence.gates.wanted)).copied().unwrap_or(plain),
                    from: (first..=first + usize::from(exclusive))
                        .chain(blocked.map(|(_, node)| *node))
                        .collect(),
                }
            })
            .collect();
        let mut out = vec![Vec::new(); plain + gated.len()];
        for (index, edge) in edges.iter().enumerate() {
            for from in edge.from() {
                out[from].push(index);
            }
        }
        Split { edges, out, gated }
    }

    /// By node and tier: its strongly connected component over the edges that `keep` keeps. Components are numbered such
    /// that every edge between two of them climbs.
    ///
    /// petgraph's `kosaraju_scc`, not its `tarjan_scc`: the latter recurses, and a chain of some ten thousand
    /// classes overflows the stack. Both give components in reverse topological order, the same on every run.
    pub fn components(&self, tiers: Tiers, keep: impl Fn(&Edge) -> bool) -> Vec<usize> {
        let count = tiers.count();
        let mut digraph =
            DiGraph::<(), ()>::with_capacity(self.out.len() * count, self.edges.len() * 2 * count);
        for _ in 0..self.out.len() * count {
            digraph.add_node(());
        }
        for edge in self.edges.iter().filter(|edge| keep(edge)) {
            for ((from, tier), then) in edge.steps(tiers) {
                let (from, to) = (from * count + tier, edge.to * count + then);
                digraph.add_edge(NodeIndex::new(from), NodeIndex::new(to), ());
            }
        }
        let mut component = vec![0; self.out.len() * count];
        for (number, nodes) in kosaraju_scc(&digraph).into_iter().rev().enumerate() {
            for node in nodes {
                component[node.index()] = number;
            }
        }
        component
    }
}

/// Whether an edge goes from one instance of an ordered class to another in one domain; the key rises on it.
pub fn raises_key(graph: &LockGraph, edge: &Edge) -> bool {
    edge.relation == Relation::Same
        && edge.nesting.held == edge.nesting.wanted
        && edge.nesting.instances == Instances::Any
        && graph.classes.get(edge.nesting.held).is_some_and(|class| class.ordered)
}
