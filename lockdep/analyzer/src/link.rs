//! From summaries to the lock graph: nestings of all functions together, ownership of classes, assumptions.
//!
//! It adds no nesting and drops none; it only settles what no single function can know (whether a class belongs to
//! domains at all) and words what the analysis took for granted.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use lockdep::order::Relation;

use crate::context::Context;
use crate::flow::Flow;
use crate::graph::{Assumption, CALLERS, Held, Instances, LockGraph, Nesting, Ownership, Wanted};
use crate::index::BodyId;
use crate::mir::ir::Span;
use crate::numbers::Numbers;
use crate::path::Root;
use crate::summary::{ClosedNesting, Note, Summary};
use crate::waits::Nodes;

/// Puts the graph together.
pub fn run(
    context: &Context<'_>,
    entries: &BTreeSet<BodyId>,
    problems: &[String],
    roles: Vec<String>,
) -> LockGraph {
    let settled: Vec<Cow<'_, Summary>> = (0..context.summaries.len())
        .map(|body| match entries.contains(&body) {
            true => Cow::Owned(Flow::run_entry(context, body)),
            false => Cow::Borrowed(&context.summaries[body]),
        })
        .collect();
    let nodes = Nodes::new(context, &settled);
    let numbers = Numbers::new(context, &settled, &nodes);
    let ownership = ownership(context);
    let mut graph = LockGraph { roles, bodies: context.index.read(), ..LockGraph::default() };
    graph.waits.clone_from(&numbers.waits);
    graph.classes = numbers.classes(context, &ownership);
    let mut sites: BTreeSet<(usize, Span)> = BTreeSet::new();
    let mut writers: BTreeSet<usize> = BTreeSet::new();
    let mut instances: BTreeMap<usize, BTreeSet<Span>> = BTreeMap::new();
    for (closed, grounds) in &nodes.notified {
        if let Some(nesting) = numbers.nesting(&closed.nesting, settle(closed, &ownership)) {
            graph.add(nesting, numbers.evidence(grounds));
        }
    }
    for summary in &settled {
        for (closed, grounds) in &summary.closed {
            let relation = settle(closed, &ownership);
            let Some(nesting) = numbers.nesting(&closed.nesting, relation) else { continue };
            if nesting.wanted == CALLERS {
                graph.add_called_back(nesting, numbers.evidence(grounds));
                continue;
            }
            let undeclared = context.placed_key(closed.nesting.held).is_some();
            if undeclared && nesting.held == nesting.wanted && nesting.instances == Instances::Any {
                let site = grounds.ways.wanted.end().cloned();
                instances.entry(nesting.held).or_default().extend(site);
                continue;
            }
            graph.add(nesting, numbers.evidence(grounds));
        }
        for ((class, from, to), (nesting, grounds)) in &summary.pairs {
            // Code that has both orders chooses between them.
            let chosen = summary.pairs.contains_key(&(*class, to.clone(), from.clone()));
            if let Some(nesting) = numbers.nesting(nesting, Relation::Same).filter(|_| !chosen) {
                graph.add(nesting, numbers.evidence(grounds));
            }
        }
        for note in &summary.notes {
            if let Note::Slept(class, acquired, slept) = note
                && let Some(class) = numbers.class(*class)
            {
                graph.slept.entry((class, acquired.clone())).or_default().insert(slept.clone());
            }
        }
        for (class, held, span) in &summary.met {
            if let Some(class) = numbers.class(*class) {
                sites.insert((class, span.clone()));
                writers.extend((*held == Held::Exclusive).then_some(class));
            }
        }
    }
    graph.acquisitions = sites.into_iter().collect();
    // A reader waits for writers only, and of an undeclared lock all acquisitions are here if none got lost.
    let given = settled.iter().flat_map(|summary| &summary.notes).any(|note| matches!(note, Note::Given(..)));
    let all_known = !given && !numbers.has_lost();
    let written =
        |class: usize| !all_known || writers.contains(&class) || graph.classes[class].level.is_some();
    let waits = |nesting: &Nesting| nesting.wanted_as == Wanted::Exclusive || written(nesting.wanted);
    graph.nestings.retain(|nesting, _| waits(nesting));
    graph.assumptions = assumptions(context, &settled, entries, problems);
    graph.assumptions.extend(unordered(&graph, instances));
    graph.assumptions.extend(numbers.lost(context, &graph));
    graph.assumptions.extend((nodes.unknown > 0).then(|| Assumption {
        kind: "unknown-wait".to_owned(),
        text: format!(
            "{} condition variables that are waited for with another lock held are notified without that lock",
            nodes.unknown
        ),
        sites: Vec::new(),
    }));
    graph.assumptions.sort();
    graph
}

/// Two instances of one undeclared class, where nothing says that they could not be met in one order everywhere.
fn unordered(graph: &LockGraph, instances: BTreeMap<usize, BTreeSet<Span>>) -> Vec<Assumption> {
    let assumption = |(class, sites): (usize, BTreeSet<Span>)| Assumption {
        kind: "instance-order".to_owned(),
        text: format!(
            "two locks `{}` that are held together are different, and nest in one order",
            graph.name(class)
        ),
        sites: sites.into_iter().collect(),
    };
    instances.into_iter().map(assumption).collect()
}

/// A lock of a class that belongs to nobody anywhere is known to have no owner.
fn settle(closed: &ClosedNesting, ownership: &[Ownership]) -> Relation {
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

fn assumptions(
    context: &Context<'_>,
    settled: &[Cow<'_, Summary>],
    entries: &BTreeSet<BodyId>,
    problems: &[String],
) -> Vec<Assumption> {
    let mut found: Vec<Assumption> = Vec::new();
    let mut add = |kind: &str, text: String, sites: Vec<Span>| {
        found.push(Assumption { kind: kind.to_owned(), text, sites });
    };
    add(
        "closed-world",
        format!(
            "the code that takes these locks is the code analyzed: {} bodies, entered through {} functions that none \
             of it calls; code outside neither nests these locks nor combines their guards; locks that no model knows, waits for \
             anything but locks, threads, condition variables and barriers, and unwinding are left out",
            context.index.read(),
            entries.len()
        ),
        Vec::new(),
    );
    add(
        "stable-path",
        "an access path names one object while an operation runs: pointers it goes through are not changed \
         by others meanwhile"
            .to_owned(),
        Vec::new(),
    );
    let described = context.models.described();
    if described > 0 {
        let text = format!("{described} names in `lockdep.toml` do what is said of them there, and no more");
        add("described-code", text, Vec::new());
    }
    let mut roles: BTreeSet<Span> = BTreeSet::new();
    let mut waits: BTreeSet<Span> = BTreeSet::new();
    let mut unfollowed: BTreeSet<Span> = BTreeSet::new();
    let mut foreign: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut unresolved: BTreeMap<&str, BTreeSet<Span>> = BTreeMap::new();
    let mut drops: BTreeMap<&str, BTreeSet<Span>> = BTreeMap::new();
    let mut foreign_drops: BTreeMap<&str, BTreeSet<Span>> = BTreeMap::new();
    let mut unclassed: BTreeMap<&str, BTreeSet<Span>> = BTreeMap::new();
    let mut given: BTreeMap<&str, BTreeSet<Span>> = BTreeMap::new();
    for note in settled.iter().flat_map(|summary| &summary.notes) {
        match note {
            // A finding, not an assumption.
            Note::Slept(..) => {}
            Note::Waits(span) => {
                waits.insert(span.clone());
            }
            Note::Roles(span) => {
                roles.insert(span.clone());
            }
            Note::Foreign(krate, function) => {
                foreign.entry(krate).or_default().insert(function);
            }
            Note::Unresolved(what, span) => {
                unresolved.entry(what).or_default().insert(span.clone());
            }
            Note::ForeignDrop(what, span) => {
                foreign_drops.entry(what).or_default().insert(span.clone());
            }
            Note::DynamicDrop(what, span) => {
                drops.entry(what).or_default().insert(span.clone());
            }
            Note::GuardsOfCode(span) => {
                unfollowed.insert(span.clone());
            }
            Note::Unclassed(what, span) => {
                unclassed.entry(what).or_default().insert(span.clone());
            }
            Note::Given(what, span) => {
                given.entry(what).or_default().insert(span.clone());
            }
        }
    }
    if !roles.is_empty() {
        let text = format!(
            "{} operations are entered only by domains that control their subjects, as each checks on entry where \
             checking is on",
            roles.len()
        );
        add("roles", text, roles.into_iter().collect());
    }
    if !waits.is_empty() {
        let text = format!(
            "{} waits for threads or notifications with a lock held end without that lock",
            waits.len()
        );
        add("unknown-wait", text, waits.into_iter().collect());
    }
    if !unfollowed.is_empty() {
        let text = format!(
            "guards that closures hand out to {} functions with many of them are released before other locks are taken",
            unfollowed.len()
        );
        add("guards-of-code", text, unfollowed.into_iter().collect());
    }
    for (krate, functions) in foreign {
        let text = format!(
            "{} functions of `{krate}` take none of these locks and call back only the closures given to them",
            functions.len()
        );
        add("foreign-code", text, Vec::new());
    }
    for (what, sites) in unresolved {
        let text = format!("`{what}` runs none but the implementations read, or takes none of these locks");
        add("unresolved-call", text, sites.into_iter().collect());
    }
    for (what, sites) in drops {
        let text = format!("destroying a `dyn {what}` takes none of these locks");
        add("dynamic-drop", text, sites.into_iter().collect());
    }
    for (what, sites) in foreign_drops {
        let text = format!("`{what}` does not destroy what it is lent, whose destructor takes locks");
        add("foreign-drop", text, sites.into_iter().collect());
    }
    for (what, sites) in unclassed {
        let text = format!("locks whose class is the parameter `{what}` nest with none of these locks");
        add("generic-class", text, sites.into_iter().collect());
    }
    for (what, sites) in given {
        let text = format!("locks of type `{what}` that callers outside give nest with none of these locks");
        add("given-lock", text, sites.into_iter().collect());
    }
    // Code that nobody read is seen to call: threads, lazy statics, futures.
    let deferred: Vec<Span> = entries
        .iter()
        .filter(|body| !context.summaries[**body].acquires.is_empty())
        .map(|body| context.index.bodies[*body].body)
        .filter(|body| body.id.ends_with('}'))
        .map(|body| body.span.clone())
        .collect();
    if !deferred.is_empty() {
        let text = format!(
            "{} closures or futures that take these locks are run by code that was not read; none of these locks is \
             held then",
            deferred.len()
        );
        add("deferred-code", text, deferred);
    }
    for entry in &context.index.bodies[..context.index.read()] {
        if !entry.body.unread.is_empty() {
            let text = format!(
                "{} lines of `{}` could not be read and do nothing to these locks",
                entry.body.unread.len(),
                entry.body.path
            );
            add("unread-body", text, vec![entry.body.span.clone()]);
        }
    }
    for problem in problems {
        add("unread-text", problem.clone(), Vec::new());
    }
    found.sort();
    found
}
