//! From summaries to the lock graph: nestings of all functions together, ownership of classes, assumptions.
//!
//! It adds no nesting and drops none; it only settles what no single function can know (whether a class belongs to
//! domains at all). What the analysis took for granted is worded in `link/assumptions.rs`.

mod assumptions;

use std::collections::{BTreeMap, BTreeSet};

use lockdep::order::Relation;

use crate::chain::keep;
use crate::context::Context;
use crate::declared::Roles;
use crate::fixpoint::Outcome;
use crate::flow::Flow;
use crate::graph::{Assumption, CALLERS, Evidence, Held, Instances, LockGraph, Nesting, Ownership, Wanted};
use crate::home::Key;
use crate::index::BodyId;
use crate::mir::ir::Span;
use crate::numbers::Numbers;
use crate::path::Root;
use crate::summary::{ClassId, ClosedNesting, Note, Summary};
use crate::waits::{Nodes, Waited};

/// Puts the graph together, of summaries that are settled here.
pub fn run(context: &mut Context<'_>, outcome: &Outcome, problems: &[String], roles: Roles) -> LockGraph {
    let entries = &outcome.entries;
    // Each by what all had found before: code of one may be given to another.
    let found: Vec<Summary> = entries.iter().map(|body| Flow::run_entry(context, *body)).collect();
    let (ownership, deferred) = (ownership(context), assumptions::deferred(context, entries));
    settle(context, entries, found);
    let (context, settled) = (&*context, context.summaries.as_slice());
    let nodes = Nodes::new(context, settled, entries);
    let numbers = Numbers::new(context, settled, entries, &nodes);
    let Roles { names: roles, tiers } = roles;
    let mut graph = LockGraph { roles, tiers, bodies: context.index.read(), ..LockGraph::default() };
    graph.waits.clone_from(&numbers.waits);
    graph.classes = numbers.classes(context, &ownership);
    let mut sites: BTreeSet<(usize, Span)> = BTreeSet::new();
    let mut writers: BTreeSet<usize> = BTreeSet::new();
    let mut instances: BTreeMap<usize, BTreeSet<Span>> = BTreeMap::new();
    let mut either: BTreeMap<(usize, usize), BTreeSet<Span>> = BTreeMap::new();
    // A thread that waits for one of its kind waits for another one.
    let is_end = |class: ClassId| matches!(context.placed_key(class), Some((Key::Waited(Waited::End(_)), _)));
    for (closed, grounds) in &nodes.notified {
        for nesting in numbers.nestings(&closed.nesting, relation(closed, &ownership)) {
            graph.add(nesting, numbers.evidence(grounds));
        }
    }
    for summary in settled {
        for (closed, grounds) in &summary.closed {
            if nodes.leaves_out(context, closed) {
                continue;
            }
            let relation = relation(closed, &ownership);
            let undeclared = context.placed_key(closed.nesting.held).is_some();
            for pair in numbers.either(&closed.nesting) {
                either.entry(pair).or_default().extend(grounds.ways.wanted.end().cloned());
            }
            for nesting in numbers.nestings(&closed.nesting, relation) {
                if nesting.wanted == CALLERS {
                    graph.add_called_back(nesting, numbers.evidence(grounds));
                } else if undeclared
                    && nesting.held == nesting.wanted
                    && (nesting.instances == Instances::Any || is_end(closed.nesting.held))
                {
                    if context.may_be_one(closed, &grounds.ways) {
                        graph.add(nesting, Evidence { possible: true, ..numbers.evidence(grounds) });
                    } else {
                        let site = grounds.ways.wanted.end().cloned();
                        instances.entry(nesting.held).or_default().extend(site);
                    }
                } else {
                    graph.add(nesting, numbers.evidence(grounds));
                }
            }
        }
        for ((class, from, to), (nesting, grounds)) in &summary.pairs {
            // Code that has both orders chooses between them.
            let chosen = summary.pairs.contains_key(&(*class, to.clone(), from.clone()));
            for nesting in numbers.nestings(nesting, Relation::Same).into_iter().filter(|_| !chosen) {
                graph.add(nesting, numbers.evidence(grounds));
            }
        }
        for note in &summary.notes {
            if let Note::Slept(class, acquired, slept) = &**note {
                for class in numbers.class(*class) {
                    graph.slept.entry((*class, acquired.clone())).or_default().insert(slept.clone());
                }
            }
        }
        for (class, held, span) in &summary.met {
            for class in numbers.class(*class) {
                sites.insert((*class, span.clone()));
                writers.extend((*held == Held::Exclusive).then_some(*class));
            }
        }
    }
    let under = |graph: &LockGraph, lock: usize| -> BTreeSet<usize> {
        let own = instances.contains_key(&lock).then_some(lock);
        let wanted =
            graph.nestings.keys().filter(|nesting| nesting.held == lock).map(|nesting| nesting.wanted);
        wanted.chain(own).collect()
    };
    let mut channels: Vec<(Nesting, Evidence)> = Vec::new();
    for (waited, closed, grounds) in &nodes.channels {
        let contradicts = nodes.contradicting(*waited).flat_map(|class| numbers.class(class));
        let contradicts: BTreeSet<usize> = contradicts.copied().collect();
        for nesting in numbers.nestings(&closed.nesting, relation(closed, &ownership)) {
            // Under it only the opposite is waited for, which there is as long as this is waited for.
            if !under(&graph, nesting.wanted).is_subset(&contradicts) {
                channels.push((nesting, numbers.evidence(grounds)));
            }
        }
    }
    channels.into_iter().for_each(|(nesting, evidence)| graph.add(nesting, evidence));
    graph.acquisitions = sites.into_iter().collect();
    // A reader waits for writers only, and of an undeclared lock all acquisitions are here if none got lost.
    let given =
        settled.iter().flat_map(|summary| &summary.notes).any(|note| matches!(**note, Note::Given(..)));
    let all_known = !given && !numbers.has_lost();
    let written =
        |class: usize| !all_known || writers.contains(&class) || graph.classes[class].level.is_some();
    let waits = |nesting: &Nesting| nesting.wanted_as == Wanted::Exclusive || written(nesting.wanted);
    graph.nestings.retain(|nesting, _| waits(nesting));
    // A thread does wait for what it holds itself, and who ends another wait is told by no thread's name.
    let is_wait = |class: usize| numbers.waits.contains_key(&class);
    for (nesting, evidence) in &mut graph.nestings {
        if nesting.held == nesting.wanted || is_wait(nesting.held) || is_wait(nesting.wanted) {
            evidence.gates.of_locks();
        }
    }
    graph.assumptions = assumptions::all(context, outcome, deferred, problems);
    graph.assumptions.extend(unordered(&graph, instances, either));
    graph.assumptions.extend(numbers.lost(context, &graph));
    graph.assumptions.extend(numbers.stored(&graph));
    let unknown = [
        (
            nodes.unknown,
            "condition variables that are waited for with another lock held are notified without that lock",
        ),
        (
            nodes.unsent,
            "channels that are waited for with a lock held are used from the other side without that lock",
        ),
        (
            nodes.chained,
            "threads whose end is waited for with a lock held get all that they wait for from channels without that lock",
        ),
    ];
    for (count, what) in unknown.into_iter().filter(|(count, _)| *count > 0) {
        let (kind, text) = ("unknown-wait".to_owned(), format!("{count} {what}"));
        graph.assumptions.push(Assumption { kind, text, sites: Vec::new() });
    }
    graph.assumptions.sort();
    graph
}

/// Puts what closing the entry points has found in the place of what they leave open.
fn settle(context: &mut Context<'_>, entries: &BTreeSet<BodyId>, found: Vec<Summary>) {
    for (body, found) in entries.iter().zip(found) {
        let summary = &mut context.summaries[*body];
        summary.open.clear();
        for (acquire, chain) in &found.acquires {
            keep(&mut summary.acquires, acquire.clone(), chain.clone());
        }
        summary.include(found);
    }
}

/// Two instances of one undeclared class, or of two that are in the same places, where nothing says that they could not
/// be met in one order everywhere.
fn unordered(
    graph: &LockGraph,
    instances: BTreeMap<usize, BTreeSet<Span>>,
    either: BTreeMap<(usize, usize), BTreeSet<Span>>,
) -> Vec<Assumption> {
    let assumption = |text: String, sites: BTreeSet<Span>| Assumption {
        kind: "instance-order".to_owned(),
        text,
        sites: sites.into_iter().collect(),
    };
    let one = instances.into_iter().map(|(class, sites)| {
        let name = graph.name(class);
        let text = format!("two locks `{name}` that are held together are different, and nest in one order");
        assumption(text, sites)
    });
    let two = either.into_iter().map(|((a, b), sites)| {
        let (a, b) = (graph.name(a), graph.name(b));
        assumption(
            format!("a lock `{a}` and a lock `{b}` that are held together nest in one order here"),
            sites,
        )
    });
    one.chain(two).collect()
}

/// A lock of a class that belongs to nobody anywhere is known to have no owner.
fn relation(closed: &ClosedNesting, ownership: &[Ownership]) -> Relation {
    let unowned = |class: usize, ownerless: bool| ownerless && ownership[class] == Ownership::Unowned;
    let nesting = &closed.nesting;
    if unowned(nesting.held, closed.ownerless.0) && unowned(nesting.wanted, closed.ownerless.1) {
        Relation::Same
    } else {
        nesting.relation
    }
}

/// Per class: whether its instances are inside owners, by the paths of the acquisitions and by the types of owners.
fn ownership(context: &Context<'_>) -> Vec<Ownership> {
    let inside = context.classes_inside_owners();
    let mut seen: Vec<(bool, bool)> = vec![(false, false); context.class_count()];
    for summary in &context.summaries {
        for acquire in summary.acquires.keys() {
            let (owned, unowned) = &mut seen[acquire.lock.class];
            match (&acquire.lock.path.owner, &acquire.lock.path.root) {
                (Some(_), _) => *owned = true,
                (None, Root::Static(_)) => *unowned = true,
                // Seen from further out, the same acquisition may have an owner; nothing is concluded here.
                (None, _) => {}
            }
        }
    }
    seen.into_iter()
        .enumerate()
        .map(|(class, (owned, unowned))| match (owned, unowned, inside.contains(&class)) {
            // No owner was ever on the way to an instance of the class, and no owner has a place for one.
            (false, _, false) => Ownership::Unowned,
            (true, false, _) => Ownership::Owned,
            _ => Ownership::Unknown,
        })
        .collect()
}
