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
//! Where no chain of `controls` has more than *k* domains ([`LockGraph::tiers`]), the same holds of the product of the
//! split graph with the *k* tiers (`proof/tiers.rs`): a node for each tier of the owner, an arc from tier to tier for each
//! nesting whose relation can be that of domains in these tiers. *If*: give the waiters of a circular wait the tiers of
//! the owners of their locks; the owner does not change while somebody waits, and of a lock of nobody any tier will do,
//! since `Other` leads to it and away from it; the wait is then a closed walk of the product, and the argument above
//! stands. There is even less to be feared: a component with an `Up` nesting inside has a way back to the lower tier.
//! *Only if*: a closed walk of the product through another nesting than `Same`, walked twice around if `Other` is in it
//! once, fits a domain of its own for each stretch of `Same`, in the tier that the walk gives it. `Up` and `Down` follow
//! the tiers, so they make a strict order without longer chains, and the two ends of `Other` are in different parts
//! of it. Instance order, recursions, readers and gates are about nodes and locks, not about owners, and stay what they
//! are; a preempting context is a lock of nobody. The order may grow meanwhile, but not beyond the bound, which
//! `lockdep::owner` sees to at run time. A graph is decided without its bound first, so that a proof that can do
//! without it does not rest on it.
//!
//! The certificate is the proof of the *if* part in numbers: component, then height of the owner, then the place
//! in a topological order of the Same-nestings, then the instance key; with a bound, for each tier.
//!
//! *Limits.* The premise is generous: nestings that no two CPUs can make at once (program phases, or a common outer
//! lock that two nestings of the walk share which do not follow each other in it) are taken to meet. Every nesting counts, those that rest on unresolved calls too. Waits for anything
//! but locks are not modelled. A fair reader is taken to wait behind a waiting writer whether or not the program
//! has writers of that class.
//!
//! Sources: strong dependency paths are Linux lockdep's (`Documentation/locking/lockdep-design.rst`); components by
//! Kosaraju and Sharir, linear time. `tests/proof_theorem.rs` compares both directions with explicit instances, and
//! `tests/proof_tiers.rs` where there is a bound.

mod causes;
mod split;
mod tiers;
mod walk;

use lockdep::order::Relation;

use crate::certificate::{self, Certificate, Direction, Fault, Gated, Position};
use crate::graph::LockGraph;
use crate::witness::Witness;

use causes::{Causes, Components};
use split::{Split, Spot};
use tiers::Tiers;

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
    let mut components = Components::new(&split, Tiers::ANY);
    let is_proved = |components: &Components| Causes::find(graph, &split, components).is_empty();
    // A proof that needs no bound says nothing of it.
    if graph.tiers.is_some() && !is_proved(&components) {
        components = Components::new(&split, Tiers(graph.tiers));
    }
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
    Causes::find(graph, split, &Components::new(split, Tiers(graph.tiers))).witnesses()
}

fn certify(graph: &LockGraph, split: &Split, components: &Components) -> Certificate {
    let mut directions = vec![Direction::None; components.count()];
    for edge in &split.edges {
        let direction = match edge.relation {
            Relation::Up => Direction::Up,
            Relation::Down => Direction::Down,
            Relation::Same | Relation::Other => continue,
        };
        components.inside(edge).for_each(|layer| directions[layer] = direction);
    }
    let tiers = || 0..components.tiers.count();
    let position = |spot: Spot| Position { layer: components.of(spot), rank: components.same[spot.0] };
    let gated = split.gated.iter().flat_map(|((class, recursive, gates), node)| {
        tiers().map(move |tier| Gated {
            class: *class,
            recursive: *recursive,
            tier,
            gates: gates.iter().copied().cloned().collect(),
            position: position((*node, tier)),
        })
    });
    let stand = |kind: usize| {
        let of_class = move |class: usize| tiers().map(move |tier| position((2 * class + kind, tier)));
        (0..graph.classes.len()).flat_map(of_class).collect()
    };
    Certificate {
        tiers: components.tiers.0,
        directions,
        non_recursive: stand(0),
        recursive: stand(1),
        gated: gated.collect(),
    }
}
