//! What the analysis took for granted, in words: one assumption for each kind and thing, with its places.
//!
//! It judges nothing. Called by `link.rs` only.

use std::collections::{BTreeMap, BTreeSet};

use crate::context::Context;
use crate::fixpoint::Outcome;
use crate::graph::Assumption;
use crate::index::BodyId;
use crate::mir::ir::Span;
use crate::summary::{HeldLock, Note};

/// Code that nobody read is seen to call: threads, lazy statics, futures.
pub(super) fn deferred(context: &Context<'_>, entries: &BTreeSet<BodyId>) -> Vec<Span> {
    let takes = |body: &&BodyId| !context.summaries[**body].acquires.is_empty();
    let bodies = entries.iter().filter(takes).map(|body| context.index.bodies[*body].body);
    bodies.filter(|body| body.id.ends_with('}')).map(|body| body.span.clone()).collect()
}

/// All but those about single locks; `deferred` is where code is that nobody read is seen to call.
pub(super) fn all(
    context: &Context<'_>,
    outcome: &Outcome,
    deferred: Vec<Span>,
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
            context.index.read(),
            outcome.entries.len()
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
    for (krate, packages) in &context.index.namesakes {
        let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
        let text = format!(
            "the crates `{krate}` of {} are taken for one: types, statics and lock classes that are called alike in them are",
            packages.join(" and ")
        );
        add("same-name", text, Vec::new());
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
    for note in context.summaries.iter().flat_map(|summary| &summary.notes) {
        match &**note {
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
    let mut kept: BTreeMap<String, BTreeSet<Span>> = BTreeMap::new();
    for (lock, chain) in outcome.entries.iter().flat_map(|body| &context.summaries[*body].left) {
        if let HeldLock::Known(lock, _) = lock {
            kept.entry(context.class_name(lock.class)).or_default().extend(chain.start().cloned());
        }
    }
    for (class, sites) in kept {
        let text = format!(
            "a guard of `{class}` that is left behind where it is not seen any more is released before the thread waits for \
             another of these locks, or anybody for this one, as soon as a function returns that nobody analyzed calls"
        );
        add("kept-guard", text, sites.into_iter().collect());
    }
    if !deferred.is_empty() {
        let text = format!(
            "{} closures or futures that take these locks are run by code that was not read; none of these locks is \
             held then",
            deferred.len()
        );
        add("deferred-code", text, deferred);
    }
    let unprinted = &context.sources.unprinted;
    if !unprinted.is_empty() {
        let text = format!(
            "{} constants, which the compiler does not print where it only checks, hold no code but the functions that \
             their source names",
            unprinted.len()
        );
        add("unprinted-constant", text, unprinted.iter().cloned().collect());
    }
    if !outcome.unsettled.is_empty() {
        let text = format!(
            "{} functions of those that call each other were given up while they were still changing; they do no more \
             to these locks than was found by then",
            outcome.unsettled.len()
        );
        let spans = outcome.unsettled.iter().map(|body| context.index.bodies[*body].body.span.clone());
        add("unsettled-body", text, spans.collect());
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
