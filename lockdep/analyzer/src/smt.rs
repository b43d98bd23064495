//! Second opinions: the question of the proof as SMT-LIB 2, for a solver to answer.
//!
//! [`deadlock_exists`] asks for a closed walk with domains, in so many words: a sequence of waiters, each blocked by
//! the holder that is the next one. It is satisfiable iff the graph is refuted. [`certificate_exists`] asks for the
//! numbers of a certificate; it is satisfiable iff the graph is proved. Neither uses anything of the decision
//! (`proof.rs`), nor of the checker; both are for small graphs. No solver is started here: the tests start `z3`, and
//! `--format smt` gives the first question to whoever wants to.
//!
//! Domains are (chain, height): of two in one chain the higher controls the lower, those of two chains are strangers.
//! No other strict order deadlocks where these do not (`tests/proof_theorem.rs` has the argument). A closed walk
//! need not be longer than four times the nodes that are arrived at: twice around, through an `Up` and a `Down` nesting
//! of one component. With *k* tiers at most heights are below *k*, and twice these nodes for each tier are enough.
//!
//! Source: Barrett, Fontaine and Tinelli, "The SMT-LIB Standard: Version 2.6".

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use lockdep::order::Relation;

use crate::graph::{Evidence, Gate, Held, Instances, LockGraph, Nesting, Ownership, Wanted};

/// Those who wait for a class: whether by recursive reads, and with which gates.
type Waiters<'a> = (usize, bool, &'a BTreeSet<Gate>);

/// The nodes at which waiters stand: two per class, the second for recursive reads, then those of waiters with gates.
struct Nodes<'a> {
    gated: BTreeMap<Waiters<'a>, usize>,
    count: usize,
}

impl<'a> Nodes<'a> {
    fn new(graph: &'a LockGraph) -> Nodes<'a> {
        let plain = 2 * graph.classes.len();
        let waiters = graph.nestings.iter().map(|(nesting, evidence)| waiters(nesting, evidence));
        let gated: BTreeSet<Waiters> = waiters.filter(|(_, _, gates)| !gates.is_empty()).collect();
        let gated: BTreeMap<Waiters, usize> = gated.into_iter().zip(plain..).collect();
        let count = plain + gated.len();
        Nodes { gated, count }
    }

    /// Where the waiters of a nesting stand.
    fn arrival(&self, (nesting, evidence): (&Nesting, &Evidence)) -> usize {
        let plain = 2 * nesting.wanted + usize::from(nesting.wanted_as == Wanted::SharedRecursive);
        self.gated.get(&waiters(nesting, evidence)).copied().unwrap_or(plain)
    }

    /// Where those stand that the holder blocks: not waiters that hold what the holder holds, too.
    fn blocked(&self, (nesting, evidence): (&Nesting, &Evidence)) -> Vec<usize> {
        let exclusive = nesting.held_as == Held::Exclusive;
        let first = 2 * nesting.held;
        let gated = self.gated.iter().filter(|((class, recursive, gates), _)| {
            *class == nesting.held && (exclusive || !recursive) && gates.is_disjoint(&evidence.gates.held)
        });
        (first..=first + usize::from(exclusive)).chain(gated.map(|(_, node)| *node)).collect()
    }

    /// Nodes of a class.
    fn of(&self, class: usize) -> Vec<usize> {
        let gated = self.gated.iter().filter(|((of, _, _), _)| *of == class).map(|(_, node)| *node);
        [2 * class, 2 * class + 1].into_iter().chain(gated).collect()
    }
}

fn waiters<'a>(nesting: &Nesting, evidence: &'a Evidence) -> Waiters<'a> {
    (nesting.wanted, nesting.wanted_as == Wanted::SharedRecursive, &evidence.gates.wanted)
}

fn is_self_deadlock(graph: &LockGraph, nesting: &Nesting) -> bool {
    let let_in = || graph.classes.get(nesting.held).is_some_and(|class| class.recursive);
    nesting.is_recursion()
        && match (nesting.held_as, nesting.wanted_as) {
            (Held::Shared, Wanted::SharedRecursive) => false,
            (Held::Shared, _) => true,
            (Held::Exclusive, _) => !let_in(),
        }
}

fn is_keyed(graph: &LockGraph, nesting: &Nesting) -> bool {
    nesting.held == nesting.wanted
        && nesting.instances == Instances::Any
        && graph.classes.get(nesting.held).is_some_and(|class| class.ordered)
}

/// Nestings that involve two locks.
fn edges(graph: &LockGraph) -> impl Iterator<Item = (&Nesting, &Evidence)> {
    graph.nestings.iter().filter(|(nesting, _)| !nesting.is_recursion())
}

/// Satisfiable iff a circular wait is possible.
///
/// # Errors
/// Those of the writer.
pub fn deadlock_exists(graph: &LockGraph, w: &mut dyn fmt::Write) -> fmt::Result {
    writeln!(w, "; sat: a circular wait exists; unsat: none does, for any number of domains and CPUs")?;
    for (number, class) in graph.classes.iter().enumerate() {
        writeln!(w, "; nodes {} and {} (recursive reads): {}", 2 * number, 2 * number + 1, class.name)?;
    }
    writeln!(w, "(set-logic QF_LIA)")?;
    if let Some(nesting) = graph.nestings.keys().find(|nesting| is_self_deadlock(graph, nesting)) {
        writeln!(w, "; a holder of {} waits for itself", graph.name(nesting.held))?;
        return writeln!(w, "(check-sat)");
    }
    let nodes = Nodes::new(graph);
    for ((class, ..), node) in &nodes.gated {
        writeln!(w, "; node {node}: {}, waited for with gates", graph.name(*class))?;
    }
    let tiers = graph.tiers.map(|tiers| usize::from(tiers.get()));
    let reached: BTreeSet<usize> = edges(graph).map(|edge| nodes.arrival(edge)).collect();
    let longest = 2 * tiers.unwrap_or(2).max(2) * reached.len();
    if let Some(tiers) = tiers {
        writeln!(w, "; no chain of domains has more than {tiers}")?;
    }
    writeln!(
        w,
        "; the waiter of step i: its node, the chain and height of the owner (chain -1: nobody), the instance"
    )?;
    for step in 0..=longest {
        for what in ["node", "chain", "height", "key"] {
            writeln!(w, "(declare-const {what}{step} Int)")?;
        }
        writeln!(w, "(assert (>= chain{step} (- 1)))")?;
        writeln!(w, "(assert (=> (= chain{step} (- 1)) (= height{step} 0)))")?;
        if let Some(tiers) = tiers {
            writeln!(w, "(assert (and (<= 0 height{step}) (< height{step} {tiers})))")?;
        }
        for (number, class) in graph.classes.iter().enumerate() {
            let owned = match class.ownership {
                Ownership::Owned => ">= chain",
                Ownership::Unowned => "< chain",
                Ownership::Unknown => continue,
            };
            let at: Vec<String> =
                nodes.of(number).iter().map(|node| format!("(= node{step} {node})")).collect();
            writeln!(w, "(assert (=> (or {}) ({owned}{step} 0)))", at.join(" "))?;
        }
    }
    writeln!(w, "(declare-const length Int)")?;
    for step in 0..longest {
        writeln!(w, "(assert (=> (< {step} length) (or false")?;
        for edge in edges(graph) {
            write_step(graph, &nodes, edge, step, w)?;
        }
        writeln!(w, ")))")?;
    }
    writeln!(w, "(assert (or false")?;
    for last in 1..=longest {
        let same = |what: &str| format!("(= {what}0 {what}{last})");
        let back = ["node", "chain", "height", "key"].map(same).join(" ");
        writeln!(w, "  (and (= length {last}) {back})")?;
    }
    writeln!(w, "))\n(check-sat)")
}

/// One nesting as a step: whoever waits at its held lock comes to wait at its wanted one.
fn write_step(
    graph: &LockGraph,
    nodes: &Nodes<'_>,
    edge: (&Nesting, &Evidence),
    step: usize,
    w: &mut dyn fmt::Write,
) -> fmt::Result {
    let (nesting, next) = (edge.0, step + 1);
    let relation = graph.relation(nesting);
    let owners = match relation {
        Relation::Same => format!("(= chain{step} chain{next}) (= height{step} height{next})"),
        Relation::Up => {
            format!("(>= chain{step} 0) (= chain{step} chain{next}) (< height{step} height{next})")
        }
        Relation::Down => {
            format!("(>= chain{step} 0) (= chain{step} chain{next}) (> height{step} height{next})")
        }
        Relation::Other => format!("(not (= chain{step} chain{next}))"),
    };
    let instances = match (nesting.held == nesting.wanted, relation) {
        (true, Relation::Same) if is_keyed(graph, nesting) => format!(" (< key{step} key{next})"),
        (true, Relation::Same) => format!(" (not (= key{step} key{next}))"),
        _ => String::new(),
    };
    let from: Vec<String> = nodes.blocked(edge).iter().map(|node| format!("(= node{step} {node})")).collect();
    let to = nodes.arrival(edge);
    writeln!(w, "  (and (or {}) (= node{next} {to}) {owners}{instances})", from.join(" "))
}

/// Satisfiable iff a certificate exists.
///
/// # Errors
/// Those of the writer.
pub fn certificate_exists(graph: &LockGraph, w: &mut dyn fmt::Write) -> fmt::Result {
    writeln!(w, "; sat: a certificate exists, and these are its numbers; unsat: none does")?;
    writeln!(w, "(set-logic QF_UFLIA)\n; 1 is up, 2 is down\n(declare-fun direction (Int) Int)")?;
    let nodes = Nodes::new(graph);
    let tiers = graph.tiers.map_or(1, |tiers| usize::from(tiers.get()));
    for (node, tier) in (0..nodes.count).flat_map(|node| (0..tiers).map(move |tier| (node, tier))) {
        writeln!(w, "(declare-const layer{node}.{tier} Int)\n(declare-const rank{node}.{tier} Int)")?;
    }
    if graph.nestings.keys().any(|nesting| is_self_deadlock(graph, nesting)) {
        writeln!(w, "(assert false)")?;
    }
    for edge in edges(graph) {
        let (nesting, to) = (edge.0, nodes.arrival(edge));
        let relation = graph.relation(nesting);
        let tiers = (0..tiers).flat_map(|tier| (0..tiers).map(move |then| (tier, then)));
        for (tier, then) in tiers.filter(|&tiers| graph.tiers.is_none() || fits(relation, tiers)) {
            for from in nodes.blocked(edge) {
                let (from, to) = (format!("{from}.{tier}"), format!("{to}.{then}"));
                let inside = match relation {
                    Relation::Same if is_keyed(graph, nesting) => format!("(<= rank{from} rank{to})"),
                    Relation::Same => format!("(< rank{from} rank{to})"),
                    Relation::Up => format!("(= (direction layer{from}) 1)"),
                    Relation::Down => format!("(= (direction layer{from}) 2)"),
                    Relation::Other => "false".to_owned(),
                };
                let climbs = format!("(< layer{from} layer{to})");
                writeln!(w, "(assert (or {climbs} (and (= layer{from} layer{to}) {inside})))")?;
            }
        }
    }
    writeln!(w, "(check-sat)")
}

/// Whether a relation can be that of owners in two tiers, of the held lock and the wanted one.
fn fits(relation: Relation, (held, wanted): (usize, usize)) -> bool {
    match relation {
        Relation::Same => wanted == held,
        Relation::Up => wanted > held,
        Relation::Down => wanted < held,
        Relation::Other => true,
    }
}
