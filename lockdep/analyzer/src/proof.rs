//! The decision: a certificate that no circular wait exists, or witnesses that one does.
//!
//! [`decide`] looks at the lock graph only. It does not know declared levels (`judge.rs` asks
//! `lockdep::order::permits`), does not word its result (`finding.rs`), and is not trusted: the pipeline gives its
//! certificate to `certificate::check`.
//!
//! # Theorem
//!
//! Let any CPU attempt any nesting at any time, for any domains that stand to each other as its relation says.
//! Take the strongly connected components of the split graph (`proof/split.rs`). No circular wait is possible,
//! for any number of domains and CPUs and any strict partial order `controls`, if and only if in each component
//! (a) all relations are in {Same, Up} or all are in {Same, Down}, and (b) the Same-nestings alone have no cycle,
//! except cycles of nothing but steps from one instance of an ordered class to another, and (c) no holder waits
//! for itself.
//!
//! *If.* A circular wait, CPU *i* + 1 holding what CPU *i* waits for in a mode that blocks it, is a closed walk of
//! the split graph, so it stays in one component. Say that has {Same, Up} only. One `Up` step leads to a
//! controller of all owners before, and no later step leads back, for `controls` has no cycle; so all steps are
//! `Same`, in one domain. By (b) they are all from instance to instance of one ordered class, whose key rises all
//! along and cannot return either. What remains is a CPU that waits for itself, which is (c).
//!
//! *Only if.* Let (a) fail in a component. There is a closed walk through an `Other` nesting, or through an `Up`
//! and a `Down` one. Walked once or twice around, it fits some domains: the argument stands in `proof/walk.rs`. If
//! (b) fails, a cycle of Same-nestings fits one domain. Each such walk, if it visits a lock twice, contains a
//! shorter closed walk that does not: where a walk comes to a lock twice and leaves twice, the first arrival with
//! the second departure or the second with the first closes one, because a nesting under an exclusive lock leaves
//! both nodes. So in a smallest one every CPU holds a lock of its own, and every CPU waits: a deadlock.
//!
//! With gates the split graph has more nodes and fewer arcs, and the *if* part stands as it is: every circular wait is
//! a closed walk of it. The *only if* part does not: the shorter walk may be one that a gate keeps from closing. So a
//! graph with gates may be refuted although nothing can happen; but it is not proved where something can.
//!
//! The certificate is the proof of the *if* part in numbers: component, then height of the owner, then the place
//! in a topological order of the Same-nestings, then the instance key.
//!
//! *Limits.* The premise is generous: nestings that no two CPUs can make at once (program phases, or a common outer
//! lock that two nestings of the walk share which do not follow each other in it) are taken to meet. Every nesting counts, those that rest on unresolved calls too. Waits for anything
//! but locks are not modelled. A fair reader is taken to wait behind a waiting writer whether or not the program
//! has writers of that class.
//!
//! Sources: strong dependency paths are Linux lockdep's (`Documentation/locking/lockdep-design.rst`); components by
//! Kosaraju and Sharir, linear time. `tests/proof_theorem.rs` compares both directions with explicit instances.

mod causes;
mod split;
mod walk;

use lockdep::order::Relation;

use crate::certificate::{self, Certificate, Direction, Fault, Gated, Position};
use crate::graph::LockGraph;
use crate::witness::Witness;

use causes::{Causes, Components};
use split::Split;

pub use causes::is_reader_recursion;

/// What can be said of a lock graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// No circular wait; [`certificate::check`] accepts it.
    Proved(Certificate),
    /// Circular waits.
    Refuted {
        /// Certain ones first, then by size. Each explains a nesting that those before it do not.
        witnesses: Vec<Witness>,
        /// Nestings that break the criterion too, and for which no witness was made since there are so many.
        further: usize,
    },
}

/// Decides whether a circular wait is possible; time linear in the graph if not.
pub fn decide(graph: &LockGraph) -> Decision {
    let split = Split::new(graph);
    let components = components(&split);
    let causes = Causes::find(graph, &split, &components);
    if !causes.is_empty() {
        let (witnesses, further) = causes.witnesses();
        if !witnesses.is_empty() {
            return Decision::Refuted { witnesses, further };
        }
        // No schedule goes around the gates, and no proof does either: what would happen without them is said.
        let (witnesses, further) = circles(graph, &Split::ungated(graph));
        return Decision::Refuted { witnesses, further };
    }
    let certificate = certify(graph, &split, &components);
    // A nesting of a class that does not exist is the maker's fault; the pipeline's check refuses it.
    debug_assert!(matches!(certificate::check(graph, &certificate), Ok(()) | Err(Fault::Class(_))));
    Decision::Proved(certificate)
}

/// Circular waits that a gate keeps from closing: a CPU and the one that waits for it hold one lock exclusively.
pub fn gated(graph: &LockGraph) -> Vec<Witness> {
    if graph.nestings.values().all(|evidence| evidence.gates.is_empty()) {
        return Vec::new();
    }
    let (witnesses, _) = circles(graph, &Split::ungated(graph));
    witnesses.into_iter().filter(|witness| !witness.gates(graph).is_empty()).collect()
}

fn circles(graph: &LockGraph, split: &Split) -> (Vec<Witness>, usize) {
    Causes::find(graph, split, &components(split)).witnesses()
}

fn components(split: &Split) -> Components {
    Components {
        all: split.components(|_| true),
        same: split.components(|edge| edge.relation == Relation::Same),
    }
}

fn certify(graph: &LockGraph, split: &Split, components: &Components) -> Certificate {
    let layers = components.all.iter().max().map_or(0, |last| last + 1);
    let mut directions = vec![Direction::None; layers];
    for edge in &split.edges {
        let layer = components.all[edge.to];
        let direction = match edge.relation {
            Relation::Up => Direction::Up,
            Relation::Down => Direction::Down,
            Relation::Same | Relation::Other => continue,
        };
        if edge.from().any(|from| components.all[from] == layer) {
            directions[layer] = direction;
        }
    }
    let position = |node: usize| Position { layer: components.all[node], rank: components.same[node] };
    let gated = split.gated.iter().map(|((class, recursive, gates), node)| Gated {
        class: *class,
        recursive: *recursive,
        gates: gates.iter().copied().cloned().collect(),
        position: position(*node),
    });
    Certificate {
        directions,
        non_recursive: (0..graph.classes.len()).map(|class| position(2 * class)).collect(),
        recursive: (0..graph.classes.len()).map(|class| position(2 * class + 1)).collect(),
        gated: gated.collect(),
    }
}
