//! Threads of which there is only one: which functions run in no thread but such a one.
//!
//! What one thread does it does not wait for itself, so a thread is a gate for its nestings, held all its life. It is
//! counted once if it is the `main` of a binary or a test, or if one call of a known function, which is made at most
//! once by another such thread, starts it. A function belongs to it if nothing else can call it: so nothing in a library
//! does, no method of a trait (code that was not read may call it), no function that is a value anywhere, no closure
//! that goes anywhere but into a call of std that runs it before it returns, and no future, which several threads may
//! run in turn and which holds locks while others run. Read off the text before the data-flow, and no part of it.

mod closures;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::context::Context;
use crate::index::{BodyId, last};
use crate::mir::ir::{AggregateKind, Body, Call, Callee, Operand, Rvalue, StatementKind, Terminator, Ty};
use crate::model::Effect;
use crate::order::is_in_loop;

/// Functions that run what they are given once, on a stack of its own.
const STARTING: [&str; 5] = [
    "std::thread::spawn",
    "std::Scope::spawn",
    "std::Builder::spawn",
    "std::Builder::spawn_scoped",
    "std::Builder::spawn_unchecked",
];

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
                found.extend(rvalue.operands().filter_map(as_function));
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
                    && !is_in_loop(self.context.index.bodies[*by].body, *block)
                    && self.is_once(*by, asked)
            }
            _ => false,
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
