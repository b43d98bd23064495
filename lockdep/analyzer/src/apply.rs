//! Calls: what a callee does to the state of its caller.
//!
//! A known function's effect comes from the model table, a read function's from its summary (`instantiate.rs`), and
//! anything else is foreign (`foreign.rs`).

use crate::flow::Flow;
use crate::graph::Step as ChainStep;
use crate::index::{BodyId, pointee};
use crate::instantiate::Arguments;
use crate::mir::ir::{Call, Callee, Operand, Place, Span, Ty};
use crate::model::Effect;
use crate::path::{Path, Step, Value};
use crate::state::State;
use crate::summary::{Chain, CodeCall, HeldLock, Note};

impl Flow<'_, '_> {
    /// A call that returns normally.
    pub(crate) fn call(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) {
        let effect = self.context.effect(self.krate, &call.callee);
        // The table knows these better than their bodies would, if those happen to be read too.
        let known = match &effect {
            Some(Effect::Deref | Effect::Copy) => {
                matches!(&call.callee, Callee::Qualified { this, .. } if self.context.is_pointer(self.krate, this))
            }
            Some(Effect::Element) | None => false,
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
            self.apply_code(state, &value, args, Calling::Surely, "a function pointer", span);
            self.pass_through(state, call);
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
            Some(Effect::Wait { lends }) => self.waiting(state, call, lends, block, span),
            Some(Effect::Unwrap) => self.unwrapping(state, call, block, span),
            Some(Effect::Roles) => {
                let second = call.args.get(1).map_or(Value::Unknown, |arg| self.value(state, arg));
                let domain = |value: &Value| state.step(value.pointee(), &Step::Deref).bare();
                let (lower, upper) = (domain(&first), domain(&second));
                if lower.is_definite() && upper.is_definite() {
                    state.roles.insert((lower, upper));
                }
                self.set_unknown(state, &call.dest, block);
            }
            Some(Effect::Same) => self.put(state, &call.dest, vec![(Vec::new(), first)], made),
            Some(Effect::Copy) if self.context.is_pointer(self.krate, &self.type_of(&call.dest)) => {
                let value = state.load(first.pointee());
                self.pass_through(state, call);
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
            Some(Effect::Copy) | None => self.foreign(state, call, block, span),
        }
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
        self.apply_code(state, &code, args, Calling::Surely, &describe(&call.callee), span);
        self.pass_through(state, call);
        self.set_unknown(state, &call.dest, block);
    }

    /// Calls code in place: its effects happen under what is held now. The guards that it returns.
    pub(crate) fn apply_code(
        &mut self,
        state: &State,
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
            Value::Code(body, slot) => {
                let closure = self.context.index.bodies[*body].body.id.contains("{closure#");
                let mut values = if closure { vec![code.clone()] } else { Vec::new() };
                values.extend(args);
                let moved = vec![None; values.len()];
                let chain = self.chain_step(*body, span, false);
                debug_assert!(closure || slot.0 == usize::MAX || slot.1.is_empty());
                return self.instantiate(
                    &mut state.clone(),
                    *body,
                    &Arguments { values, moved },
                    None,
                    &chain,
                );
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
            }
            _ if calling == Calling::Surely => self.note(Note::Unresolved(what.to_owned(), span.clone())),
            _ => {}
        }
        Vec::new()
    }

    pub(crate) fn chain_step(&self, callee: BodyId, span: &Span, possible: bool) -> Chain {
        let action = format!("calls {}", self.context.function_name(callee));
        let function = self.context.function_name(self.id);
        Chain { possible, ..Chain::of(ChainStep { function, action, span: span.clone() }) }
    }

    pub(crate) fn note(&mut self, note: Note) {
        if let Some(output) = &mut self.output {
            output.notes.insert(note);
        }
    }
}

/// Whether a value is called, or only given to somebody who may call it if it is code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calling {
    /// It is called.
    Surely,
    /// It may be called, if it is code at all.
    Perhaps,
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
