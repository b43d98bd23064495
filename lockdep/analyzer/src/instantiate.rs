//! A summary at a call: its paths become the caller's, and what the caller holds meets what the callee takes.
//!
//! Here nestings are made, and their owners' relation is decided or left to the callers. Used by `apply.rs` only.

use std::collections::{BTreeMap, BTreeSet};

use crate::chain::{Chain, keep};
use crate::code::{Calling, CodeSite, MAX_CODE_DEPTH};
use crate::flow::Flow;
use crate::graph::{Held, Wanted};
use crate::index::{BodyId, Entry};
use crate::mir::ir::{Place, Span};
use crate::parts::Given;
use crate::path::{Path, Root, Step, Value};
use crate::state::{Holding, State, Tree};
use crate::summary::{Acquire, HeldLock, Lock, Ways};

/// What a callee is given.
pub(crate) struct Arguments {
    /// Values by position.
    pub values: Vec<Value>,
    /// The places that are moved in, by position.
    pub moved: Vec<Option<Place>>,
}

impl Arguments {
    /// The caller's path for a path of the callee.
    pub(crate) fn path(&self, state: &State, path: &Path) -> Path {
        let Root::Param(_) = path.root else {
            // What the callee made or kept in locals is a stranger to its caller.
            return if matches!(path.root, Root::Static(_)) { path.clone() } else { path.forgotten() };
        };
        let Some(value) = self.given(path) else { return path.forgotten() };
        let mut place = None;
        let skipped = path.steps.len() - value.beyond(&path.steps).len();
        for (at, step) in path.steps.iter().enumerate().skip(skipped) {
            // What the callee has done to each element, it has done to all when it returns.
            let step = if *step == Step::Each { &Step::All } else { step };
            let next = match place {
                None => state.place_from(value.clone(), std::slice::from_ref(step)),
                Some(place) => state.step(place, step),
            };
            place = Some(if path.owner == Some(at + 1) { next.owning() } else { next });
        }
        let translated = match (place, value) {
            (Some(place), _) => place,
            (None, Value::At(path)) => path.clone(),
            (None, _) => Path::unknown(),
        };
        let stored = match translated.root {
            Root::Local(_) => state.load(translated.clone()).path().and_then(|path| path.home),
            _ => None,
        };
        let home = path.home.or(translated.home).or(stored);
        translated.living(home)
    }

    /// What is given for the parameter that a path starts at.
    fn given(&self, path: &Path) -> Option<&Value> {
        let Root::Param(param) = path.root else { return None };
        param.checked_sub(1).and_then(|at| self.values.get(at))
    }

    pub(crate) fn value(&self, state: &State, value: &Value) -> Value {
        match value {
            Value::To(path) => Value::To(self.path(state, path)),
            Value::GuardOf(path) => Value::GuardOf(self.path(state, path)),
            Value::At(path) => match (self.given(path), &path.steps[..]) {
                (Some(given), steps) if given.beyond(steps).is_empty() => given.clone(),
                (None, []) if matches!(path.root, Root::Param(_)) => Value::Unknown,
                _ => state.load(self.path(state, path)),
            },
            Value::Running(body) => Value::Running(*body),
            Value::Code(..) | Value::Pending(_) | Value::Unknown => Value::Unknown,
        }
    }

    /// A value in the result: code brings what it captured along.
    fn result(&self, state: &State, value: &Value) -> Value {
        if let Value::Code(..) = value { value.clone() } else { self.value(state, value) }
    }
}

impl Flow<'_, '_> {
    /// Calls `body`; `dest` is where the result goes and the block that makes it, none for code called in place: then
    /// the guards in the result are returned.
    pub(crate) fn instantiate(
        &mut self,
        state: &mut State,
        body: BodyId,
        arguments: &Arguments,
        dest: Option<(&Place, usize)>,
        call: &Chain,
    ) -> Vec<(HeldLock, Chain)> {
        self.used.insert(body);
        let surely = std::mem::take(&mut self.course.surely);
        let context = self.context;
        let (summary, callee) = (&context.summaries[body], context.index.bodies[body]);
        // Guards that the callee knows it is given are its business from here on.
        let mut given: BTreeMap<usize, Vec<Given>> = BTreeMap::new();
        for (at, place) in arguments.moved.iter().enumerate() {
            let ty = callee.body.locals.get(at + 1).filter(|ty| context.holds_guard(callee.krate, ty));
            if let (Some(ty), Some(place)) = (ty, place) {
                let held = state.held_by(place.local).map(|(lock, chain)| (lock.clone(), chain.clone()));
                let held = held.collect();
                given.insert(at + 1, self.given_parts(state, place, (callee.krate, ty), held));
                state.release(place.local);
            }
        }
        let translate = |this: &Self, held: &HeldLock, chain: &Chain| -> Vec<(HeldLock, Chain)> {
            match held {
                HeldLock::Known(lock, how) => {
                    let path = this.given_path(state, arguments, &lock.path);
                    let lock = Lock { class: context.reclassed(lock.class, &path), path };
                    vec![(HeldLock::Known(lock, *how), chain.through(call))]
                }
                HeldLock::Argument(param, number) => {
                    let inside = |parts: &Option<BTreeSet<usize>>| {
                        *number == 0 || parts.as_ref().is_none_or(|parts| parts.contains(number))
                    };
                    let given = given.get(param).into_iter().flatten();
                    let given = given.filter(|(_, _, parts)| inside(parts));
                    given.map(|(lock, chain, _)| (lock.clone(), chain.clone())).collect()
                }
                HeldLock::FromCode(path) => {
                    let code = arguments.value(state, &Value::At(path.clone()));
                    this.produced(state, &code, &chain.through(call), MAX_CODE_DEPTH)
                }
            }
        };
        // Effects are read off once the fixpoint of the function is known; until then, only the state matters.
        if self.output.is_some() {
            for (open, ways) in &summary.open {
                let acquire = self.translated(state, arguments, &open.acquire);
                for (held, chain) in translate(self, &open.held, &ways.held) {
                    let wanted = ways.wanted.through(call);
                    let apart = ways.apart || context.roots.is_open(body);
                    let ways = Ways { held: chain, wanted, gates: ways.gates.clone(), apart };
                    self.nest(state, &held, &acquire, ways);
                }
            }
            self.signals_of(state, body, arguments, call);
            let passes = &summary.passes;
            for (acquire, chain) in &summary.acquires {
                let open = context.is_open(acquire.lock.class);
                let open_one = self.passing(acquire);
                let acquire = self.translated(state, arguments, acquire);
                if let Some(span) = chain.end().filter(|_| open) {
                    let shared = acquire.wanted != Wanted::Exclusive;
                    self.meet(acquire.lock.class, if shared { Held::Shared } else { Held::Exclusive }, span);
                }
                self.course.surely = surely && passes.contains(&open_one);
                self.acquire(state, &acquire, &chain.through(call));
                self.course.surely = false;
            }
            for (taken, span) in &summary.elsewhere {
                let taken = self.translated(state, arguments, taken);
                self.taken_elsewhere(taken, span);
            }
            self.stored_by(state, &summary.stores, arguments);
            for (code_call, occurrence) in &summary.calls {
                let mut during = state.clone();
                for (held, known) in &occurrence.held {
                    for (lock, chain) in translate(self, held, known) {
                        keep(&mut during.held, Holding { lock, holder: None }, chain);
                    }
                }
                let code = arguments.value(state, &Value::At(code_call.code.clone()));
                let args = code_call.args.iter().map(|value| arguments.value(state, value)).collect();
                let span = call.start().cloned().unwrap_or_default();
                let span = occurrence.chain.end().cloned().unwrap_or(span);
                let calling = if code_call.called { Calling::Surely } else { Calling::Perhaps };
                let (what, others) = ("the code a parameter holds", code_call.others.as_slice());
                let site = CodeSite { calling, what, span: &span, others, outside: code_call.outside };
                let apart = self.by.apart;
                self.by.apart |= context.roots.is_open(body);
                self.apply_code(&mut during, &code, args, &site);
                self.by.apart = apart;
            }
        }
        if let Some(output) = &mut self.output {
            output.scoped.extend(&summary.scoped);
        }
        let returned: Vec<_> = summary.returned.iter().flat_map(|(h, c)| translate(self, h, c)).collect();
        let sure: Vec<HeldLock> = (summary.sure.iter().flatten().filter(|_| !call.possible))
            .flat_map(|lock| {
                translate(self, &HeldLock::Known(lock.clone(), Held::Exclusive), &Chain::default())
            })
            .map(|(lock, _)| lock)
            .collect();
        let left: Vec<_> = summary.left.iter().flat_map(|(h, c)| translate(self, h, c)).collect();
        for code_call in summary.calls.keys() {
            let code = match arguments.value(state, &Value::At(code_call.code.clone())) {
                Value::To(path) => state.load(path),
                other => other,
            };
            if let Value::Code(body, _) = code {
                let args = code_call.args.iter().map(|value| arguments.value(state, value)).collect();
                let arguments = self.code_arguments(&code, body, args);
                self.left_by(state, &code, &arguments, call);
            }
        }
        let lent = dest.is_some_and(|(dest, _)| self.lends(dest));
        let result: Tree = summary
            .result
            .iter()
            .map(|(steps, value)| {
                // What a parameter or static leads to is not made by the call, and neither is what is lent.
                let made = value.path().is_some_and(|path| path.root == Root::Unknown) && !lent;
                let value = arguments.result(state, value);
                let value = match dest {
                    Some((_, block)) if made => self.made_anew(value, block),
                    _ => value,
                };
                (steps.clone(), value)
            })
            .collect();
        let homes = || arguments.values.iter().filter_map(|value| self.home_of(state, value));
        let chosen = dest.and_then(|(dest, _)| self.out_of(homes(), &self.type_of(dest)));
        let hint = chosen.or_else(|| homes().next());
        self.written_by(state, body, arguments);
        let mut holder = None;
        if let Some((dest, block)) = dest {
            holder = self.holder_at(state, dest);
            self.hand_over(state, (arguments, callee), &given, dest);
            self.set_made(state, dest, block, hint);
            if !result.is_empty() {
                let whole = result.iter().any(|(steps, _)| steps.is_empty());
                let mut tree = state.subtree(dest.local, &[]);
                tree.retain(|(steps, _)| steps.is_empty() && !whole);
                tree.extend(result);
                self.put(state, dest, tree, block * 4096);
            }
        }
        for (lock, chain) in left {
            keep(&mut state.held, Holding { lock, holder: None }, chain);
        }
        if dest.is_none() {
            return returned;
        }
        state.sure.extend(sure.into_iter().map(|lock| Holding { lock, holder }));
        for (lock, chain) in returned {
            keep(&mut state.held, Holding { lock, holder }, chain);
        }
        Vec::new()
    }

    /// Moved arguments that the callee did not know to hold guards: the result keeps them if it has room.
    fn hand_over(
        &self,
        state: &mut State,
        (arguments, callee): (&Arguments, Entry<'_>),
        given: &BTreeMap<usize, Vec<Given>>,
        dest: &Place,
    ) {
        let result = self.type_of(dest);
        let spelt_out = self.context.holds_guard(self.krate, &result);
        let keeps = spelt_out || self.context.may_hide(self.krate, &result);
        for (at, value) in arguments.values.iter().enumerate().filter(|_| keeps) {
            // A callee that is given a reference to something with a guard may take the guard out and return it.
            let Value::To(Path { root: Root::Local(local), .. }) = value else { continue };
            let param = callee.body.locals.get(at + 1);
            if !spelt_out && param.is_some_and(|ty| self.context.only_reads(callee.krate, ty)) {
                continue;
            }
            let inside: Vec<_> = state.held_by(*local).map(|(h, c)| (h.clone(), c.clone())).collect();
            let holder = self.holder_at(state, dest);
            for (lock, chain) in inside {
                keep(&mut state.held, Holding { lock, holder }, chain);
            }
        }
        for (at, place) in arguments.moved.iter().enumerate() {
            let Some(place) = place else { continue };
            if keeps && !given.contains_key(&(at + 1)) {
                self.move_out(state, place, self.holder_at(state, dest));
            } else {
                state.release(place.local);
                self.move_out(state, place, None);
            }
        }
    }

    /// Code made by a callee takes a lock whenever it runs.
    fn taken_elsewhere(&mut self, taken: Acquire, span: &Span) {
        if !self.context.is_open(taken.lock.class) {
            let shared = taken.wanted != Wanted::Exclusive;
            self.meet(taken.lock.class, if shared { Held::Shared } else { Held::Exclusive }, span);
        } else if let Some(output) = &mut self.output {
            output.elsewhere.entry(taken.into()).or_insert_with(|| span.clone());
        }
    }

    /// The caller's path for that of a lock: what the callee was lent may be nobody else's here.
    fn given_path(&self, state: &State, arguments: &Arguments, lock: &Path) -> Path {
        let mut path = arguments.path(state, lock);
        path.alone |= self.is_alone(&path);
        path
    }

    fn translated(&self, state: &State, arguments: &Arguments, acquire: &Acquire) -> Acquire {
        let handle = |path: &Path| arguments.value(state, &Value::At(path.clone()));
        if let Some(joined) = self.context.joined(acquire, &handle) {
            return joined;
        }
        let path = self.given_path(state, arguments, &acquire.lock.path);
        let class = self.context.reclassed(acquire.lock.class, &path);
        Acquire { lock: Lock { class, path }, wanted: acquire.wanted }
    }
}
