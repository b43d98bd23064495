//! The split graph: every class as two nodes, and the nestings that a holder can make others wait on.
//!
//! A class is reached by non-recursive acquisitions at its N node and by recursive reads at its R node. A reader
//! blocks those who came to N only, so a nesting under a shared lock leaves N alone; under an exclusive lock it
//! leaves both. A closed walk here is a closed *strong* walk of lockdep (Linux
//! `Documentation/locking/lockdep-design.rst`). Recursions on one instance are not edges: they involve nobody
//! else and are judged alone. This file decides nothing; `proof.rs` and its other children call it.

use lockdep::order::Relation;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::graph::{Held, Instances, LockGraph, Nesting};

/// A nesting as an edge; it is one or two arcs of the split graph.
#[derive(Clone, Copy, Debug)]
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
}

impl Edge {
    /// The nodes that it leaves.
    pub fn from(&self) -> impl Iterator<Item = usize> + use<> {
        let n = 2 * self.nesting.held;
        n..n + if self.nesting.held_as == Held::Exclusive { 2 } else { 1 }
    }

    /// Two nestings of one group differ only in kinds, and have one cause.
    pub fn group(&self) -> (usize, usize, Relation) {
        (self.nesting.held, self.nesting.wanted, self.relation)
    }
}

/// The split graph; node 2*c* is N of class *c*, node 2*c* + 1 is R.
#[derive(Debug)]
pub struct Split {
    /// In the order of the nestings.
    pub edges: Vec<Edge>,
    /// By node: indices of the edges that leave it.
    pub out: Vec<Vec<usize>>,
}

impl Split {
    /// The split graph of `graph`.
    pub fn new(graph: &LockGraph) -> Split {
        let edges: Vec<Edge> = graph
            .nestings
            .iter()
            .filter(|(nesting, _)| !nesting.is_recursion())
            .map(|(&nesting, evidence)| Edge {
                nesting,
                relation: graph.relation(&nesting),
                possible: evidence.possible,
                chain: evidence.held.len() + evidence.wanted.len(),
                to: 2 * nesting.wanted + usize::from(nesting.wanted_as.is_recursive()),
            })
            .collect();
        // A nesting of a class that does not exist is refused by `certificate::check`; here it gets a node.
        let named = edges.iter().map(|edge| 1 + edge.nesting.held.max(edge.nesting.wanted)).max();
        let mut out = vec![Vec::new(); 2 * graph.classes.len().max(named.unwrap_or(0))];
        for (index, edge) in edges.iter().enumerate() {
            for from in edge.from() {
                out[from].push(index);
            }
        }
        Split { edges, out }
    }

    /// By node: its strongly connected component over the edges that `keep` keeps. Components are numbered such
    /// that every edge between two of them climbs.
    ///
    /// petgraph's `kosaraju_scc`, not its `tarjan_scc`: the latter recurses, and a chain of some ten thousand
    /// classes overflows the stack. Both give components in reverse topological order, the same on every run.
    pub fn components(&self, keep: impl Fn(&Edge) -> bool) -> Vec<usize> {
        let mut digraph = DiGraph::<(), ()>::with_capacity(self.out.len(), self.edges.len() * 2);
        for _ in &self.out {
            digraph.add_node(());
        }
        for edge in self.edges.iter().filter(|edge| keep(edge)) {
            for from in edge.from() {
                digraph.add_edge(NodeIndex::new(from), NodeIndex::new(edge.to), ());
            }
        }
        let mut component = vec![0; self.out.len()];
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
