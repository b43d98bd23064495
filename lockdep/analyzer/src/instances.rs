//! What the type parameters of functions stand for, over all calls that were read.
//!
//! A function that is called by code that was read is judged as it is called: its parameters are the types that those
//! calls give it. Types are found by comparing the types of arguments and results, since generic arguments are printed
//! without the names of what they are for. Found once; it answers nothing about places or locks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::context::Context;
use crate::index::{BodyId, Entry, Index, type_of};
use crate::mir::ir::{Call, Callee, Operand, Rvalue, StatementKind, Terminator, Ty};

/// A type parameter of a body, by its name.
type Parameter = (BodyId, Arc<str>);

/// The answers.
#[derive(Debug, Default)]
pub struct Instances {
    types: BTreeMap<Parameter, BTreeSet<(usize, Ty)>>,
    /// Bodies that somebody may call with other types.
    open: BTreeSet<BodyId>,
}

impl Instances {
    /// Reads all calls.
    pub fn new(context: &Context<'_>) -> Instances {
        let mut found = Instances::default();
        let mut given_on: BTreeMap<Parameter, BTreeSet<Parameter>> = BTreeMap::new();
        let index = context.index;
        for (caller, Entry { krate, body }) in index.bodies.iter().enumerate() {
            for block in body.blocks.iter().filter(|block| !block.cleanup) {
                let rvalues = block.statements.iter().map(|statement| match &statement.kind {
                    StatementKind::Assign(_, Rvalue::Use(operand) | Rvalue::Cast(operand, _)) => {
                        Some(operand)
                    }
                    _ => None,
                });
                let args =
                    if let Terminator::Call(call) = &block.terminator { call.args.as_slice() } else { &[] };
                for operand in rvalues.flatten().chain(args) {
                    if let Operand::Fn(callee) = operand {
                        found.open.extend(context.resolve(*krate, callee).bodies);
                    }
                }
                let Terminator::Call(call) = &block.terminator else { continue };
                let scope = outermost(index, caller);
                for (parameter, ty) in bindings(context, *krate, &body.locals, call) {
                    match name_of_parameter(index, *krate, &ty) {
                        Some(name) => {
                            given_on.entry((scope, name)).or_default().insert(parameter);
                        }
                        None => {
                            found.types.entry(parameter).or_default().insert((*krate, ty));
                        }
                    }
                }
            }
        }
        found.hand_on(&given_on);
        found
    }

    /// The types that the parameter `ty` of a body stands for, with the crates that print them; none if nobody says.
    pub fn of(&self, index: &Index<'_>, body: BodyId, ty: &Ty) -> Option<&BTreeSet<(usize, Ty)>> {
        let scope = outermost(index, body);
        let name = name_of_parameter(index, index.bodies[body].krate, ty)?;
        if self.open.contains(&scope) {
            return None;
        }
        self.types.get(&(scope, name))
    }

    fn hand_on(&mut self, given_on: &BTreeMap<Parameter, BTreeSet<Parameter>>) {
        // What a parameter of a function that nobody calls stands for is not known further down either.
        let called: BTreeSet<BodyId> = self.types.keys().map(|(body, _)| *body).collect();
        let mut called_on: BTreeSet<BodyId> = given_on.values().flatten().map(|(body, _)| *body).collect();
        called_on.extend(called);
        let unknown =
            given_on.keys().filter(|(body, _)| !called_on.contains(body) || self.open.contains(body));
        let mut pending: Vec<Parameter> = unknown.cloned().collect();
        let mut open: BTreeSet<Parameter> = BTreeSet::new();
        while let Some(parameter) = pending.pop() {
            for next in given_on.get(&parameter).into_iter().flatten() {
                if open.insert(next.clone()) {
                    pending.push(next.clone());
                }
            }
        }
        let mut pending: BTreeSet<Parameter> = given_on.keys().cloned().collect();
        while let Some(parameter) = pending.pop_first() {
            let Some(types) = self.types.get(&parameter).cloned() else { continue };
            for next in given_on.get(&parameter).into_iter().flatten() {
                let known = self.types.entry(next.clone()).or_default();
                let before = known.len();
                known.extend(types.iter().cloned());
                if known.len() > before {
                    pending.insert(next.clone());
                }
            }
        }
        self.types.retain(|parameter, _| !open.contains(parameter));
    }
}

/// What a call says about the parameters of what it calls.
fn bindings(context: &Context<'_>, krate: usize, locals: &[Ty], call: &Call) -> Vec<(Parameter, Ty)> {
    let index = context.index;
    let mut found = Vec::new();
    if matches!(call.callee, Callee::Place(_)) {
        return found;
    }
    for body in context.resolve(krate, &call.callee).bodies {
        let callee = index.bodies[body];
        let scope = outermost(index, body);
        let mut bind = |parameter: &Ty, given: &Ty| {
            unify(parameter, given, &mut |parameter, given| {
                let name = name_of_parameter(index, callee.krate, parameter)?;
                found.push(((scope, name), given.clone()));
                Some(())
            });
        };
        for (operand, parameter) in call.args.iter().zip(callee.body.locals.iter().skip(1)) {
            if let Some(place) = operand.place() {
                bind(parameter, &type_of(locals, place));
            }
        }
        if let Some(result) = callee.body.locals.first() {
            bind(result, &type_of(locals, &call.dest));
        }
    }
    found
}

/// Compares two types as far as they agree; `bind` takes what stands where the first has a parameter.
fn unify(one: &Ty, other: &Ty, bind: &mut dyn FnMut(&Ty, &Ty) -> Option<()>) {
    if bind(one, other).is_some() {
        return;
    }
    match (one, other) {
        (Ty::Ref(_, one), Ty::Ref(_, other))
        | (Ty::Ptr(_, one), Ty::Ptr(_, other))
        | (Ty::Slice(one) | Ty::Array(one, _), Ty::Slice(other) | Ty::Array(other, _)) => {
            unify(one, other, bind)
        }
        (Ty::Path(_, one), Ty::Path(_, other)) | (Ty::Tuple(one), Ty::Tuple(other))
            if one.len() == other.len() =>
        {
            one.iter().zip(other).for_each(|(one, other)| unify(one, other, bind));
        }
        _ => {}
    }
}

fn name_of_parameter(index: &Index<'_>, krate: usize, ty: &Ty) -> Option<Arc<str>> {
    match ty {
        Ty::Path(path, _) if index.is_parameter(krate, path) => Some(Arc::clone(path)),
        Ty::Opaque(text) => Some(Arc::clone(text)),
        _ => None,
    }
}

/// The function that a closure is in: its parameters are the closure's.
fn outermost(index: &Index<'_>, body: BodyId) -> BodyId {
    let Entry { krate, body: inner } = index.bodies[body];
    let home = inner.id.split("::{closure#").next().unwrap_or_default();
    index.by_id(krate, home).unwrap_or(body)
}
