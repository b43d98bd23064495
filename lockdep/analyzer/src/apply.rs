//! Calls: what a callee does to the state of its caller.
//!
//! A known function's effect comes from the model table, a read function's from its summary (`instantiate.rs`), and
//! anything else is foreign (`foreign.rs`).

use std::sync::Arc;

use crate::chain::Chain;
use crate::flow::Flow;
use crate::graph::{Held, Step as ChainStep, Wanted};
use crate::index::{BodyId, pointee};
use crate::instantiate::Arguments;
use crate::mir::ir::{Call, Callee, Operand, Place, Span, Ty};
use crate::model::{Acquiring, Effect, Iteration};
use crate::path::{Path, Step, Value};
use crate::resolve::is_code_trait;
use crate::state::State;
use crate::summary::{Acquire, HeldLock, Note};

impl Flow<'_, '_> {
    /// A call that returns normally.
    pub(crate) fn call(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) {
        let effect = self.context.effect(self.krate, &call.callee);
        self.draining(state, call, block, span);
        // The table knows these better than their bodies would, if those happen to be read too.
        let known = match &effect {
            Some(Effect::Deref | Effect::Copy) => {
                matches!(&call.callee, Callee::Qualified { this, .. } if self.context.is_pointer(self.krate, this))
            }
            Some(Effect::Acquire(Acquiring { composite: true, .. }))
            | Some(Effect::Element | Effect::Iterate(_))
            | None => false,
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
        self.call_back_by_method(state, call, span);
        if let Callee::Qualified { of: Some(Ty::Path(of, _)), method, .. } = &call.callee
            && is_code_trait(of)
            && method.starts_with("call")
        {
            return self.call_code(state, call, block, span);
        }
        if let Callee::Place(place) = &call.callee {
            return self.call_pointer(state, call, place, block, span);
        }
        if let Callee::Qualified { method, .. } = &call.callee
            && method == "into_iter"
            && let [Operand::Move(place)] = &call.args[..]
            && self.type_of(place) == self.type_of(&call.dest)
        {
            let tree = self.take(state, &call.args[0], &call.dest);
            return self.put(state, &call.dest, tree, block * 4096);
        }
        let resolution = self.context.callees(self.id, &call.callee, &call.args);
        if resolution.bodies.is_empty() {
            return self.modelled(state, call, effect, block, span);
        }
        let before = state.clone();
        let mut after: Option<State> = None;
        let only = resolution.certain && resolution.bodies.len() == 1;
        for body in resolution.bodies {
            let mut branch = before.clone();
            let arguments = self.arguments(&branch, &call.args);
            let chain = self.chain_step(body, span, !resolution.certain);
            self.course.surely = only;
            self.instantiate(&mut branch, body, &arguments, Some((&call.dest, block)), &chain);
            match &mut after {
                Some(known) => {
                    known.join(&branch, &|one, other| self.context.either(one, other));
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
        self.stores_by_call(state, call, span);
        match effect {
            Some(Effect::Acquire(acquiring)) => self.acquiring(state, call, &acquiring, block, span),
            Some(Effect::Wait(waiting)) => self.waiting(state, call, waiting, block, span),
            Some(Effect::Iterate(iteration)) => {
                if matches!(iteration, Iteration::Finds) {
                    self.run_keys(state, call, span);
                }
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
                self.force(state, call, span);
                let mut path = state.step(first.pointee(), &Step::Deref);
                if self.context.index.is_owner(self.krate, &pointee(&self.type_of(&call.dest))) {
                    path = path.owning();
                }
                self.put(state, &call.dest, to(path), made);
            }
            Some(Effect::Element) => {
                self.run_keys(state, call, span);
                let mut path = state.step(first.pointee(), &Step::Index);
                if self.context.index.is_owner(self.krate, &pointee(&self.type_of(&call.dest))) {
                    path = path.owning();
                }
                self.put(state, &call.dest, to(path), made);
            }
            Some(Effect::Spawn) => self.spawning(state, call, block, span),
            Some(Effect::Join) => self.joining(state, call, block, span),
            Some(Effect::Scope) => self.scope(state, call, block, span),
            Some(Effect::Meet) => self.meeting(state, call, block, span),
            Some(Effect::Channel(what)) => self.channel(state, call, what, block, span),
            Some(Effect::Notify) => self.notifying(state, call, block, span),
            Some(Effect::Forget) => {
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

    /// Runs the methods of ours that a function runs to find what is at a key.
    fn run_keys(&mut self, state: &mut State, call: &Call, span: &Span) {
        let key = self.context.callee_key(self.krate, &call.callee).unwrap_or_default();
        self.run_methods(state, call, &key, span);
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

    /// What a callee writes through what it is given.
    pub(crate) fn written_by(&mut self, state: &mut State, body: BodyId, arguments: &Arguments) {
        let context = self.context;
        for place in &context.summaries[body].writes {
            let target = arguments.path(state, place);
            self.overwritten(state, &target);
        }
    }

    pub(crate) fn chain_step(&self, callee: BodyId, span: &Span, possible: bool) -> Chain {
        let mut chain = self.step(Arc::clone(&self.context.index.shown(callee).call), span);
        chain.possible = possible;
        chain
    }

    /// The chain of one step of this function.
    pub(crate) fn step(&self, action: impl Into<Arc<str>>, span: &Span) -> Chain {
        let function = Arc::clone(self.context.function_name(self.id));
        Chain::of(ChainStep { function, action: action.into(), span: span.clone() })
    }

    pub(crate) fn note(&mut self, note: Note) {
        if let Some(output) = &mut self.output {
            output.notes.insert(self.context.notes.one(&note));
        }
    }
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
