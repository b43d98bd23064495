//! From summaries to the lock graph: nestings of all functions together, ownership of classes, assumptions.
//!
//! It adds no nesting and drops none; it only settles what no single function can know (whether a class belongs to
//! domains at all) and words what the analysis took for granted.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use lockdep::order::Relation;

use crate::context::Context;
use crate::flow::Flow;
use crate::graph::{Assumption, CALLERS, Evidence, Held, Instances, LockGraph, Nesting, Ownership, Wanted};
use crate::home::Key;
use crate::index::BodyId;
use crate::mir::ir::Span;
use crate::numbers::Numbers;
use crate::path::Root;
use crate::summary::{ClassId, ClosedNesting, Note, Summary};
use crate::waits::{Nodes, Waited};

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
    let nodes = Nodes::new(context, &settled, entries);
    let numbers = Numbers::new(context, &settled, entries, &nodes);
    let ownership = ownership(context);
    let mut graph = LockGraph { roles, bodies: context.index.bodies.len(), ..LockGraph::default() };
    graph.waits.clone_from(&numbers.waits);
    graph.classes = numbers.classes(context, &ownership);
    let mut sites: BTreeSet<(usize, Span)> = BTreeSet::new();
    let mut writers: BTreeSet<usize> = BTreeSet::new();
    let mut instances: BTreeMap<usize, BTreeSet<Span>> = BTreeMap::new();
    let mut either: BTreeMap<(usize, usize), BTreeSet<Span>> = BTreeMap::new();
    // A thread that waits for one of its kind waits for another one.
    let is_end = |class: ClassId| matches!(context.placed_key(class), Some((Key::Waited(Waited::End(_)), _)));
    for (closed, grounds) in &nodes.notified {
        for nesting in numbers.nestings(&closed.nesting, settle(closed, &ownership)) {
            graph.add(nesting, numbers.evidence(grounds));
        }
    }
    for summary in &settled {
        for (closed, grounds) in &summary.closed {
            if nodes.leaves_out(context, closed) {
                continue;
            }
            let relation = settle(closed, &ownership);
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
            if let Note::Slept(class, acquired, slept) = note {
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
        for nesting in numbers.nestings(&closed.nesting, settle(closed, &ownership)) {
            // Under it only the opposite is waited for, which there is as long as this is waited for.
            if !under(&graph, nesting.wanted).is_subset(&contradicts) {
                channels.push((nesting, numbers.evidence(grounds)));
            }
        }
    }
    channels.into_iter().for_each(|(nesting, evidence)| graph.add(nesting, evidence));
    graph.acquisitions = sites.into_iter().collect();
    // A reader waits for writers only, and of an undeclared lock all acquisitions are here if none got lost.
    let given = settled.iter().flat_map(|summary| &summary.notes).any(|note| matches!(note, Note::Given(..)));
    let all_known = !given && !numbers.has_lost();
    let written =
        |class: usize| !all_known || writers.contains(&class) || graph.classes[class].level.is_some();
    let waits = |nesting: &Nesting| nesting.wanted_as == Wanted::Exclusive || written(nesting.wanted);
    graph.nestings.retain(|nesting, _| waits(nesting));
    graph.assumptions = assumptions(context, &settled, entries, problems);
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
             anything but locks, threads, condition variables, barriers and channels, messages that have to \
             come before others, guards in a `dyn Any`, and unwinding are left out",
            context.index.bodies.len(),
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
    let mut started: BTreeMap<&str, BTreeSet<Span>> = BTreeMap::new();
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
            Note::Starts(what, span) => {
                started.entry(what).or_default().insert(span.clone());
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
            "{} waits for threads, notifications or messages with a lock held end without that lock",
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
    for (what, sites) in started {
        let text =
            format!("`{what}` runs the code it is given on a stack of its own, and not before it returns");
        add("foreign-spawn", text, sites.into_iter().collect());
    }
    for (what, sites) in drops {
        let text = format!("destroying a `{what}` takes none of these locks");
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
    for entry in &context.index.bodies {
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
