//! Calls: what a callee does to the state of its caller.
//!
//! A known function's effect comes from the model table, a read function's from its summary (`instantiate.rs`), and
//! anything else is foreign (`foreign.rs`).

use crate::chain::{Chain, keep};
use crate::flow::Flow;
use crate::graph::{Held, Step as ChainStep, Wanted};
use crate::index::{BodyId, pointee};
use crate::instantiate::Arguments;
use crate::mir::ir::{Call, Callee, Operand, Place, Span, Ty};
use crate::model::Effect;
use crate::path::{Path, Step, Value};
use crate::state::{Holding, State};
use crate::summary::{Acquire, CodeCall, HeldLock, Lock, Note};

impl Flow<'_, '_> {
    /// A call that returns normally.
    pub(crate) fn call(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) {
        let effect = self.context.effect(self.krate, &call.callee);
        // The table knows these better than their bodies would, if those happen to be read too.
        let known = match &effect {
            Some(Effect::Deref | Effect::Copy) => {
                matches!(&call.callee, Callee::Qualified { this, .. } if self.context.is_pointer(self.krate, this))
            }
            Some(Effect::Element | Effect::Iterate(_)) | None => false,
            Some(_) => true,
        };
        if known {
            return self.modelled(state, call, effect, block, span);
        }
        if matches!(&call.callee, Callee::Qualified { method, .. } if method == "poll")
            && self.poll(state, call, block, span)
        {
            return;
        }
        if let Callee::Qualified { of: Some(Ty::Path(of, _)), method, .. } = &call.callee
            && matches!(of.rsplit("::").next(), Some("Fn" | "FnMut" | "FnOnce"))
            && method.starts_with("call")
        {
            return self.call_code(state, call, block, span);
        }
        if let Callee::Place(place) = &call.callee {
            let value = state.load(self.lvalue(state, place));
            let args = call.args.iter().map(|arg| self.value(state, arg)).collect();
            let produced = self.apply_code(state, &value, args, Calling::Surely, "a function pointer", span);
            self.pass_through(state, call, produced);
            self.written_by_foreign(state, call);
            return self.set_unknown(state, &call.dest, block);
        }
        let resolution = self.context.resolve(self.krate, &call.callee);
        if resolution.bodies.is_empty() {
            return self.modelled(state, call, effect, block, span);
        }
        let before = state.clone();
        let mut after: Option<State> = None;
        for body in resolution.bodies {
            let mut branch = before.clone();
            let arguments = self.arguments(&branch, &call.args);
            let chain = self.chain_step(body, span, !resolution.certain);
            self.instantiate(&mut branch, body, &arguments, Some((&call.dest, block)), &chain);
            match &mut after {
                Some(known) => {
                    known.join(&branch);
                }
                None => after = Some(branch),
            }
        }
        if let Some(after) = after {
            *state = after;
        }
    }

    fn arguments(&self, state: &State, operands: &[Operand]) -> Arguments {
        Arguments {
            values: operands.iter().map(|operand| self.value(state, operand)).collect(),
            moved: operands
                .iter()
                .map(|operand| match operand {
                    Operand::Move(place) => Some(place.clone()),
                    _ => None,
                })
                .collect(),
        }
    }

    fn modelled(
        &mut self,
        state: &mut State,
        call: &Call,
        effect: Option<Effect>,
        block: usize,
        span: &Span,
    ) {
        let first = call.args.first().map_or(Value::Unknown, |arg| self.value(state, arg));
        let to = |path: Path| vec![(Vec::new(), Value::To(path))];
        let made = block * 4096;
        match effect {
            Some(Effect::Acquire(acquiring)) => self.acquiring(state, call, &acquiring, block, span),
            Some(Effect::Wait(waiting)) => self.waiting(state, call, waiting, block, span),
            Some(Effect::Iterate(iteration)) => {
                if !self.iterating(state, call, iteration, block) {
                    self.foreign(state, call, block, span);
                }
            }
            Some(Effect::Exchange(exchange)) => self.exchanging(state, call, exchange, block, span),
            Some(Effect::Unwrap) => self.unwrapping(state, call, block, span),
            Some(Effect::Roles) => {
                let second = call.args.get(1).map_or(Value::Unknown, |arg| self.value(state, arg));
                let domain = |value: &Value| state.step(value.pointee(), &Step::Deref).bare();
                let (lower, upper) = (domain(&first), domain(&second));
                if lower.is_definite() && upper.is_definite() {
                    state.roles.insert((lower, upper));
                    self.note(Note::Roles(span.clone()));
                }
                self.set_unknown(state, &call.dest, block);
            }
            Some(Effect::Copy) if self.context.is_pointer(self.krate, &self.type_of(&call.dest)) => {
                let value = state.load(first.pointee());
                self.pass_through(state, call, Vec::new());
                self.put(state, &call.dest, vec![(Vec::new(), value)], made);
            }
            Some(Effect::Deref) => {
                let mut path = state.step(first.pointee(), &Step::Deref);
                if self.context.index.is_owner(self.krate, &pointee(&self.type_of(&call.dest))) {
                    path = path.owning();
                }
                self.put(state, &call.dest, to(path), made);
            }
            Some(Effect::Element) => {
                let mut path = state.step(first.pointee(), &Step::Index);
                if self.context.index.is_owner(self.krate, &pointee(&self.type_of(&call.dest))) {
                    path = path.owning();
                }
                self.put(state, &call.dest, to(path), made);
            }
            Some(Effect::Forget | Effect::Spawn) => {
                for operand in &call.args {
                    if let Operand::Move(place) = operand {
                        self.move_out(state, place, None);
                    }
                }
                self.set_unknown(state, &call.dest, block);
            }
            Some(Effect::Upgrade) => self.upgrade(state, call, block, span),
            Some(Effect::Unclassed) => {
                self.note(Note::Unclassed(describe(&call.callee), span.clone()));
                self.set_unknown(state, &call.dest, block);
            }
            Some(Effect::Copy) | None => self.foreign(state, call, block, span),
        }
    }

    /// An upgradable reader becomes the writer: it waits for the readers, holding all that it has acquired since.
    fn upgrade(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) {
        if let Some(Operand::Move(place)) = call.args.first() {
            let upgraded: Vec<HeldLock> = state.held_by(place.local).map(|(lock, _)| lock.clone()).collect();
            let mut others = state.clone();
            others.release(place.local);
            for held in &upgraded {
                if let HeldLock::Known(lock, _) = held {
                    let chain = self.acquisition(lock.class, Held::Exclusive, false, span);
                    let acquire = Acquire { lock: lock.clone(), wanted: Wanted::Exclusive };
                    self.acquire(&others, &acquire, &chain);
                }
            }
        }
        self.pass_through(state, call, Vec::new());
        self.set_unknown(state, &call.dest, block);
    }

    /// `<F as Fn…>::call…(code, (args,))`.
    fn call_code(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) {
        let code = call.args.first().map_or(Value::Unknown, |arg| self.value(state, arg));
        let args = match call.args.get(1).and_then(Operand::place) {
            Some(tuple) => {
                let Ty::Tuple(types) = self.type_of(tuple) else {
                    return self.foreign(state, call, block, span);
                };
                let at = self.lvalue(state, tuple);
                let field = |k: usize| state.load(state.step(at.clone(), &Step::Field(k as u32)));
                (0..types.len()).map(field).collect()
            }
            None => Vec::new(),
        };
        let produced = self.apply_code(state, &code, args, Calling::Surely, &describe(&call.callee), span);
        self.pass_through(state, call, produced);
        self.set_unknown(state, &call.dest, block);
    }

    /// Calls code in place: its effects happen under what is held now. Returns the guards that it hands out.
    pub(crate) fn apply_code(
        &mut self,
        state: &mut State,
        code: &Value,
        args: Vec<Value>,
        calling: Calling,
        what: &str,
        span: &Span,
    ) -> Vec<(HeldLock, Chain)> {
        let code = match code {
            Value::To(path) => state.load(path.clone()),
            other => other.clone(),
        };
        match &code {
            Value::Code(body, _) => {
                let chain = self.chain_step(*body, span, false);
                let arguments = self.code_arguments(&code, *body, args);
                if self.output.is_some() {
                    self.instantiate(&mut state.clone(), *body, &arguments, None, &chain);
                }
                let produced = self.produced(state, &code, &chain, MAX_CODE_DEPTH);
                let again = calling == Calling::Perhaps && self.context.index.runs_again(*body);
                if again && !produced.is_empty() && self.output.is_some() {
                    // Foreign code may call it again while it keeps what the first call handed out.
                    let mut again = state.clone();
                    for (lock, chain) in &produced {
                        keep(&mut again.held, Holding { lock: lock.clone(), holder: None }, chain.clone());
                    }
                    self.instantiate(&mut again, *body, &arguments, None, &chain);
                }
                self.written_by(state, *body, &arguments);
                produced
            }
            Value::At(path) if path.is_open() => {
                let chain = Chain::of(ChainStep {
                    function: self.context.function_name(self.id),
                    action: "calls the code it was given".to_owned(),
                    span: span.clone(),
                });
                let held = state.held.iter().map(|(h, chain)| (h.lock.clone(), chain.clone())).collect();
                let called = calling == Calling::Surely;
                if let Some(output) = &mut self.output {
                    output.add_call(CodeCall { code: path.bare(), args, called }, held, &chain);
                }
                vec![(HeldLock::FromCode(path.bare()), chain)]
            }
            _ => {
                if calling == Calling::Surely {
                    self.note(Note::Unresolved(what.to_owned(), span.clone()));
                }
                Vec::new()
            }
        }
    }

    fn code_arguments(&self, code: &Value, body: BodyId, args: Vec<Value>) -> Arguments {
        // A closure's body gets the closure first; a function item has nothing to get.
        let closure = self.context.index.bodies[body].body.id.contains("{closure#");
        let values: Vec<Value> = closure.then(|| code.clone()).into_iter().chain(args).collect();
        Arguments { moved: vec![None; values.len()], values }
    }

    /// The guards that a call of `code` hands out, as the caller knows them.
    pub(crate) fn produced(
        &self,
        state: &State,
        code: &Value,
        call: &Chain,
        depth: usize,
    ) -> Vec<(HeldLock, Chain)> {
        let code = match code {
            Value::To(path) => state.load(path.clone()),
            other => other.clone(),
        };
        match &code {
            Value::Code(body, _) if depth > 0 => {
                let arguments = self.code_arguments(&code, *body, Vec::new());
                let mut found = Vec::new();
                for (held, chain) in &self.context.summaries[*body].returned {
                    match held {
                        HeldLock::Known(lock, how) => {
                            let path = arguments.path(state, &lock.path);
                            let lock = Lock { class: self.context.reclassed(lock.class, &path), path };
                            found.push((HeldLock::Known(lock, *how), chain.through(call)));
                        }
                        HeldLock::FromCode(path) => {
                            let inner = arguments.value(state, &Value::At(path.clone()));
                            found.extend(self.produced(state, &inner, &chain.through(call), depth - 1));
                        }
                        // Guards given to code that somebody else calls are that caller's.
                        HeldLock::Argument(_) => {}
                    }
                }
                found
            }
            Value::At(path) if path.is_open() => vec![(HeldLock::FromCode(path.bare()), call.clone())],
            _ => Vec::new(),
        }
    }

    /// What a callee writes through what it is given.
    pub(crate) fn written_by(&mut self, state: &mut State, body: BodyId, arguments: &Arguments) {
        let context = self.context;
        for place in &context.summaries[body].writes {
            let target = arguments.path(state, place);
            self.overwritten(state, &target);
        }
    }

    pub(crate) fn chain_step(&self, callee: BodyId, span: &Span, possible: bool) -> Chain {
        let action = format!("calls {}", self.context.function_name(callee));
        let function = self.context.function_name(self.id);
        let mut chain = Chain::of(ChainStep { function, action, span: span.clone() });
        chain.possible = possible;
        chain
    }

    pub(crate) fn note(&mut self, note: Note) {
        if let Some(output) = &mut self.output {
            output.notes.insert(note);
        }
    }
}

/// Code that returns what code returns that …: not followed further than this.
pub(crate) const MAX_CODE_DEPTH: usize = 8;

/// Whether a value is called, or only given to somebody who may call it if it is code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calling {
    /// It is called.
    Surely,
    /// It may be called any number of times, if it is code at all.
    Perhaps,
    /// It may be called, but not again.
    PerhapsOnce,
}

/// A callee as a person would write it.
pub(crate) fn describe(callee: &Callee) -> String {
    match callee {
        Callee::Path { path, .. } => path.clone(),
        Callee::Qualified { this, of: Some(of), method, .. } => format!("<{this} as {of}>::{method}"),
        Callee::Qualified { this, of: None, method, .. } => format!("<{this}>::{method}"),
        Callee::Place(Place { local, .. }) => format!("the function pointer in _{local}"),
    }
}
