//! Threads of which there is only one: which functions run in no thread but such a one.
//!
//! What one thread does it does not wait for itself, so a thread is a gate for its nestings, held all its life. It is
//! counted once if it is the `main` of a binary or a test, or if one call of a known function, which is made at most
//! once by another such thread, starts it. A function belongs to it if nothing else can call it: so nothing in a library
//! does, no method of a trait (code that was not read may call it), no function that is a value anywhere, no closure
//! that goes anywhere but into a call of std that runs it before it returns, and no future, which several threads may
//! run in turn and which holds locks while others run. Read off the text before the data-flow, and no part of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::context::Context;
use crate::index::{BodyId, last, type_of};
use crate::mir::ir::{
    AggregateKind, Body, Call, Callee, Operand, Place, Rvalue, StatementKind, Terminator, Ty,
};
use crate::model::{Effect, canonical};
use crate::resolve::is_code_trait;

/// Functions that run what they are given once, on a stack of its own.
const STARTING: [&str; 5] = [
    "std::thread::spawn",
    "std::Scope::spawn",
    "std::Builder::spawn",
    "std::Builder::spawn_scoped",
    "std::Builder::spawn_unchecked",
];

/// Functions of std that keep what they are given, or run it elsewhere, though neither their result nor the type of
/// another argument says so.
const KEEPING: [&str; 4] = ["set_hook", "update_hook", "pre_exec", "spawn"];

/// What calls a test in what rustc makes of it.
const HARNESS: &str = "test::assert_test_result";

/// The threads that functions run in.
#[derive(Debug, Default)]
pub struct Roots {
    /// By function: the name of the only thread that runs it, if there is one such thread.
    only: Vec<Option<Arc<str>>>,
    /// Functions that code may call which is not seen to.
    open: BTreeSet<BodyId>,
}

impl Roots {
    /// Reads who starts and calls what.
    pub(crate) fn new(context: &Context<'_>) -> Roots {
        if context.index.programs.is_empty() {
            return Roots::default();
        }
        // Who polls futures holds what they hold while they sleep.
        let polls = |body: &Body| !sleeps(body) && calls(body).any(|(_, call)| is_poll(&call.callee));
        if context.index.bodies.iter().any(|entry| polls(entry.body)) {
            return Roots::default();
        }
        let mut search = Search::new(context);
        search.read();
        let only = search.only();
        Roots { only, open: search.open }
    }

    /// The name of the only thread that runs a function, if it is one of which there is one.
    pub(crate) fn only(&self, body: BodyId) -> Option<&Arc<str>> {
        self.only.get(body)?.as_ref()
    }

    /// Whether code may call the function that is not seen to.
    pub(crate) fn is_open(&self, body: BodyId) -> bool {
        self.open.contains(&body)
    }
}

/// How one function leads to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// In its thread, where it is called.
    Called,
    /// In its thread, by a function of std, any number of times.
    Given,
    /// In a thread of its own.
    Started,
}

/// In which threads a function runs, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    None,
    One(BodyId),
    Any,
}

struct Search<'c, 'a> {
    context: &'c Context<'a>,
    open: BTreeSet<BodyId>,
    /// Those that begin a thread by themselves: `main` and tests.
    begin: BTreeSet<BodyId>,
    /// By function: the calls that lead to it, by the function and the block that they are in.
    ways: BTreeMap<BodyId, BTreeSet<(BodyId, usize, Way)>>,
    /// Closures by the function that makes them: what is made, and its type.
    made: BTreeMap<BodyId, BTreeMap<BodyId, Ty>>,
    /// Names of functions of ours that are called and not found.
    missed: BTreeSet<String>,
}

impl<'c, 'a> Search<'c, 'a> {
    fn new(context: &'c Context<'a>) -> Self {
        Search {
            context,
            open: BTreeSet::new(),
            begin: BTreeSet::new(),
            ways: BTreeMap::new(),
            made: BTreeMap::new(),
            missed: BTreeSet::new(),
        }
    }

    fn read(&mut self) {
        let index = self.context.index;
        for (id, entry) in index.bodies.iter().enumerate() {
            let body = entry.body;
            let is_test = index.programs.get(&entry.krate).copied();
            let tests = calls(body).any(|(_, call)| is_harness(&call.callee));
            match is_test {
                // In tests of a binary nobody but tests can call it.
                Some(_) if body.path == "main" => drop(self.begin.insert(id)),
                Some(true) if tests => drop(self.begin.insert(id)),
                Some(_) if is_plain(body) => {}
                _ => drop(self.open.insert(id)),
            }
            self.made_in(id, body);
        }
        for entry in &index.constants {
            self.values_in(entry.krate, entry.body);
        }
        for (id, entry) in index.bodies.iter().enumerate() {
            self.values_in(entry.krate, entry.body);
            for (block, call) in calls(entry.body) {
                self.call(id, block, call);
            }
        }
        self.closures();
        let is_test = |id: &BodyId| calls(index.bodies[*id].body).any(|(_, call)| is_harness(&call.callee));
        let tests: Vec<BodyId> = self.begin.iter().copied().filter(is_test).collect();
        self.open.retain(|body| !tests.contains(body));
        for (id, entry) in index.bodies.iter().enumerate() {
            if self.missed.contains(last(&entry.body.path)) {
                self.open.insert(id);
            }
        }
    }

    fn made_in(&mut self, id: BodyId, body: &Body) {
        for statement in body.blocks.iter().flat_map(|block| &block.statements) {
            if let StatementKind::Assign(_, Rvalue::Aggregate(made)) = &statement.kind
                && let AggregateKind::Closure(closure, ty) = &made.kind
                && let Some(closure) = self.context.index.by_id(self.context.index.bodies[id].krate, closure)
            {
                self.made.entry(id).or_default().insert(closure, ty.clone());
            }
        }
    }

    /// Functions that are values in a body: who calls them is not followed. Those that a thread is started with are.
    fn values_in(&mut self, krate: usize, body: &Body) {
        let mut found: Vec<&Callee> = Vec::new();
        for block in &body.blocks {
            for statement in &block.statements {
                let StatementKind::Assign(_, rvalue) = &statement.kind else { continue };
                found.extend(operands(rvalue).into_iter().filter_map(as_function));
            }
            if let Terminator::Call(call) = &block.terminator
                && !self.starts(krate, call)
            {
                found.extend(call.args.iter().filter_map(as_function));
            }
        }
        for callee in found {
            self.open.extend(self.context.resolve(krate, callee).bodies);
        }
    }

    fn starts(&self, krate: usize, call: &Call) -> bool {
        let key = self.context.callee_key(krate, &call.callee);
        matches!(self.context.known_effect(krate, &call.callee), Some(Effect::Spawn))
            && key.is_some_and(|key| STARTING.contains(&&*key))
    }

    fn call(&mut self, id: BodyId, block: usize, call: &Call) {
        let krate = self.context.index.bodies[id].krate;
        let callees = self.context.callees(id, &call.callee, &call.args).bodies;
        if callees.is_empty() && self.context.known_effect(krate, &call.callee).is_none() {
            self.missed.extend(self.name_of_ours(krate, &call.callee));
        }
        for callee in callees {
            self.ways.entry(callee).or_default().insert((id, block, Way::Called));
        }
        if self.starts(krate, call) {
            for callee in call.args.iter().filter_map(as_function) {
                for started in self.context.resolve(krate, callee).bodies {
                    self.ways.entry(started).or_default().insert((id, block, Way::Started));
                }
            }
        }
    }

    /// The last name of a function of ours that is called.
    fn name_of_ours(&self, krate: usize, callee: &Callee) -> Option<String> {
        let ours = |path: &str| !self.context.index.name(krate, path).krate.is_empty();
        match callee {
            Callee::Path { path, .. } => ours(path).then(|| last(path).to_owned()),
            Callee::Qualified { method, .. } => Some(last(method).to_owned()),
            Callee::Place(_) => None,
        }
    }

    /// Closures: what is done with them where they are made, and whether they are known anywhere else.
    fn closures(&mut self) {
        let index = self.context.index;
        let mut known: BTreeMap<(usize, Arc<str>), BTreeSet<Option<BodyId>>> = BTreeMap::new();
        let bodies = index.bodies.iter().enumerate().map(|(id, entry)| (Some(id), entry));
        for (id, entry) in bodies.chain(index.constants.iter().map(|entry| (None, entry))) {
            for ty in &entry.body.locals {
                ty.any(&mut |part| {
                    if let Ty::Closure(text) = part {
                        known.entry((entry.krate, Arc::clone(text))).or_default().insert(id);
                    }
                    false
                });
            }
        }
        let made = std::mem::take(&mut self.made);
        let mut makers: BTreeMap<BodyId, BTreeSet<BodyId>> = BTreeMap::new();
        for (maker, closures) in &made {
            for (closure, ty) in closures {
                makers.entry(*closure).or_default().insert(*maker);
                let entry = index.bodies[*maker];
                let ways =
                    Uses { search: self, maker: *maker, krate: entry.krate, body: entry.body, ty }.ways();
                match ways {
                    Some(ways) => self.ways.entry(*closure).or_default().extend(ways),
                    None => drop(self.open.insert(*closure)),
                }
            }
        }
        for (id, entry) in index.bodies.iter().enumerate() {
            if !entry.body.id.contains("{closure#") || self.begin.contains(&id) {
                continue;
            }
            let makers = makers.get(&id);
            let ty = makers.and_then(|makers| made[makers.first()?].get(&id));
            let elsewhere = |text: &Arc<str>| {
                let of = |one: &Option<BodyId>| {
                    one.is_some_and(|one| one == id || makers.is_some_and(|makers| makers.contains(&one)))
                };
                known.get(&(entry.krate, Arc::clone(text))).is_some_and(|all| !all.iter().all(of))
            };
            match ty {
                Some(Ty::Closure(text)) if text.starts_with("closure@") && !elsewhere(text) => {}
                _ => drop(self.open.insert(id)),
            }
        }
    }

    /// By function: the thread that is the only one that runs it.
    fn only(&self) -> Vec<Option<Arc<str>>> {
        let index = self.context.index;
        let mut found = vec![In::None; index.bodies.len()];
        let mut pending: Vec<BodyId> = Vec::new();
        let mut leads: BTreeMap<BodyId, BTreeSet<BodyId>> = BTreeMap::new();
        let reach = |found: &mut Vec<In>, pending: &mut Vec<BodyId>, body: BodyId, by: In| {
            let joined = match (found[body], by) {
                (In::None, by) => by,
                (known, In::None) => known,
                (known, by) if known == by => known,
                _ => In::Any,
            };
            if joined != found[body] {
                found[body] = joined;
                pending.push(body);
            }
        };
        for body in 0..index.bodies.len() {
            let ways = self.ways.get(&body);
            if self.open.contains(&body) || (ways.is_none() && !self.begin.contains(&body)) {
                reach(&mut found, &mut pending, body, In::Any);
            } else if self.begin.contains(&body) {
                reach(&mut found, &mut pending, body, In::One(body));
            }
            for (by, _, way) in ways.into_iter().flatten() {
                if *way == Way::Started {
                    let once = self.is_once(body, &mut BTreeSet::new());
                    let by = if once { In::One(body) } else { In::Any };
                    reach(&mut found, &mut pending, body, by);
                } else {
                    leads.entry(*by).or_default().insert(body);
                }
            }
        }
        while let Some(body) = pending.pop() {
            let by = found[body];
            for next in leads.get(&body).into_iter().flatten() {
                reach(&mut found, &mut pending, *next, by);
            }
        }
        let name = |root: BodyId| {
            let name = self.context.function_name(root);
            if self.begin.contains(&root) {
                name.trim_end_matches("::{closure#0}").into()
            } else {
                Arc::clone(name)
            }
        };
        let one = |only| if let In::One(root) = only { Some(name(root)) } else { None };
        found.into_iter().map(one).collect()
    }

    /// Whether a function is run at most once.
    fn is_once(&self, body: BodyId, asked: &mut BTreeSet<BodyId>) -> bool {
        if self.open.contains(&body) || !asked.insert(body) {
            return false;
        }
        let mut ways = self.ways.get(&body).into_iter().flatten();
        match (ways.next(), ways.next()) {
            (None, _) => self.begin.contains(&body),
            (Some((by, block, way)), None) => {
                !self.begin.contains(&body)
                    && *way != Way::Given
                    && !is_repeated(self.context.index.bodies[*by].body, *block)
                    && self.is_once(*by, asked)
            }
            _ => false,
        }
    }
}

/// What a function does with a closure that it makes.
struct Uses<'s, 'c, 'a> {
    search: &'s Search<'c, 'a>,
    maker: BodyId,
    krate: usize,
    body: &'a Body,
    ty: &'s Ty,
}

impl Uses<'_, '_, '_> {
    /// The ways to the closure; none if it may go elsewhere.
    fn ways(&self) -> Option<BTreeSet<(BodyId, usize, Way)>> {
        let mut ways = BTreeSet::new();
        if self.knows(self.body.locals.first()?) {
            return None;
        }
        for (number, block) in self.body.blocks.iter().enumerate() {
            for statement in &block.statements {
                if let StatementKind::Assign(dest, rvalue) = &statement.kind
                    && !self.stays(dest, rvalue)
                {
                    return None;
                }
            }
            if let Terminator::Call(call) = &block.terminator {
                ways.extend(self.given(call)?.map(|way| (self.maker, number, way)));
            }
        }
        Some(ways)
    }

    fn knows(&self, ty: &Ty) -> bool {
        ty.any(&mut |part| part == self.ty)
    }

    fn has(&self, place: &Place) -> bool {
        self.body.locals.get(place.local).is_none_or(|ty| self.knows(ty))
    }

    /// Whether an assignment leaves the closure in a local of its type, or of references to it.
    fn stays(&self, dest: &Place, rvalue: &Rvalue) -> bool {
        let makes = matches!(rvalue, Rvalue::Aggregate(made)
            if matches!(&made.kind, AggregateKind::Closure(_, ty) if ty == self.ty));
        let from = match rvalue {
            Rvalue::Ref { place, .. } | Rvalue::RawPtr(place) | Rvalue::DerefCopy(place) => self.has(place),
            other => operands(other).into_iter().filter_map(Operand::place).any(|place| self.has(place)),
        };
        if !makes && !from {
            return true;
        }
        let moves = matches!(rvalue, Rvalue::Use(_) | Rvalue::Ref { .. });
        let mut to = self.body.locals.get(dest.local);
        while let Some(Ty::Ref(_, inner)) = to {
            to = Some(inner);
        }
        (makes != moves) && dest.projection.is_empty() && to == Some(self.ty)
    }

    /// How a call leads to the closure, if it does; none if the closure may be kept.
    fn given(&self, call: &Call) -> Option<Option<Way>> {
        let context = self.search.context;
        let mut given =
            call.args.iter().filter(|operand| operand.place().is_some_and(|place| self.has(place)));
        let (first, second) = (given.next(), given.next());
        let Some(operand) = first else { return Some(None) };
        if second.is_some() || self.has(&call.dest) {
            return None;
        }
        if let Callee::Qualified { of: Some(Ty::Path(of, _)), method, .. } = &call.callee
            && is_code_trait(of)
            && method.starts_with("call")
        {
            return (call.args.first() == Some(operand)).then_some(Some(Way::Called));
        }
        let ty = operand.place().map(|place| type_of(&self.body.locals, place));
        if ty.as_ref() != Some(self.ty) {
            return None;
        }
        if self.search.starts(self.krate, call) {
            return Some(Some(Way::Started));
        }
        let effect = context.known_effect(self.krate, &call.callee);
        let name = canonical(&call.callee)?;
        let result = type_of(&self.body.locals, &call.dest);
        let of_std = |krate: String| ["std", "core", "alloc"].contains(&krate.as_str());
        let is_std = context.index.foreign_crate(self.krate, &name).is_some_and(of_std)
            && context.callees(self.maker, &call.callee, &call.args).bodies.is_empty();
        if !is_std || KEEPING.contains(&last(&name)) {
            return None;
        }
        match effect {
            // What the function starts is waited for; it gets the closure by itself, once.
            Some(Effect::Scope) => Some(Some(Way::Called)),
            _ if context.may_hide(self.krate, &result) => None,
            _ => Some(Some(Way::Given)),
        }
    }
}

fn calls(body: &Body) -> impl Iterator<Item = (usize, &Call)> {
    body.blocks.iter().enumerate().filter_map(|(number, block)| match &block.terminator {
        Terminator::Call(call) => Some((number, &**call)),
        _ => None,
    })
}

fn is_harness(callee: &Callee) -> bool {
    matches!(callee, Callee::Path { path, .. } if path == HARNESS)
}

fn as_function(operand: &Operand) -> Option<&Callee> {
    if let Operand::Fn(callee) = operand { Some(callee) } else { None }
}

fn operands(rvalue: &Rvalue) -> Vec<&Operand> {
    match rvalue {
        Rvalue::Use(operand) | Rvalue::Cast(operand, _) => vec![operand],
        Rvalue::Aggregate(aggregate) => aggregate.fields.iter().map(|(_, operand)| operand).collect(),
        Rvalue::Other(operands) => operands.iter().collect(),
        _ => Vec::new(),
    }
}

/// Whether a body is whole, of a text with positions, and neither a method of a trait nor a future.
fn is_plain(body: &Body) -> bool {
    let of_trait =
        body.impl_at.is_some() && body.impl_header.as_ref().is_none_or(|header| header.contains(" for "));
    body.span.line > 0 && body.unread.is_empty() && !of_trait && !sleeps(body)
}

fn sleeps(body: &Body) -> bool {
    body.blocks.iter().any(|block| matches!(block.terminator, Terminator::Yield(..)))
}

fn is_poll(callee: &Callee) -> bool {
    matches!(callee, Callee::Qualified { method, .. } if method == "poll")
}

/// Whether a block can be come to again from itself.
fn is_repeated(body: &Body, block: usize) -> bool {
    let next = |block: usize| -> Vec<usize> {
        match body.blocks.get(block).map(|block| &block.terminator) {
            Some(Terminator::Goto(next) | Terminator::Drop(_, next) | Terminator::Yield(_, next)) => {
                vec![*next]
            }
            Some(Terminator::Switch { targets, otherwise, .. }) => {
                targets.iter().map(|(_, next)| *next).chain(*otherwise).collect()
            }
            Some(Terminator::Call(call)) => call.target.into_iter().collect(),
            Some(Terminator::Asm(next)) => next.clone(),
            Some(Terminator::Return | Terminator::End | Terminator::Unread) | None => Vec::new(),
        }
    };
    let mut seen = BTreeSet::new();
    let mut pending = next(block);
    while let Some(at) = pending.pop() {
        if at == block {
            return true;
        }
        if seen.insert(at) {
            pending.extend(next(at));
        }
    }
    false
}
