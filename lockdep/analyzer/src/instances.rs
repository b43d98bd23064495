//! What the type parameters of functions stand for, over all calls that were read.
//!
//! A function that is called by code that was read is judged as it is called: its parameters are the types that those
//! calls give it. Types are found by comparing the types of arguments and results, since generic arguments are printed
//! without the names of what they are for. Found once; it answers nothing about places or locks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::context::Context;
use crate::index::{BodyId, Entry, Index, type_of};
use crate::mir::ir::{Body, Call, Callee, Operand, Rvalue, StatementKind, Terminator, Ty};

/// A type parameter of a body, by its name.
pub(crate) type Parameter = (BodyId, Arc<str>);

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
        let mut unknown: BTreeSet<Parameter> = BTreeSet::new();
        let mut methods: BTreeMap<Parameter, Vec<(BodyId, &Call)>> = BTreeMap::new();
        let index = context.index;
        for (caller, Entry { krate, body }) in index.bodies[..index.read()].iter().enumerate() {
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
                if let Callee::Qualified { this, of: Some(_), .. } = &call.callee
                    && let Some(name) = name_of_parameter(index, caller, this)
                {
                    // Which bodies these are depends on what the parameter stands for.
                    methods.entry((scope, name)).or_default().push((caller, call));
                    continue;
                }
                let bodies = context.resolve(*krate, &call.callee).bodies;
                for (parameter, ty) in bindings(context, caller, call, &bodies, None) {
                    let Some(ty) = ty else {
                        unknown.insert(parameter);
                        continue;
                    };
                    match name_of_parameter(index, caller, &ty) {
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
        found.follow(context, &mut given_on, &methods, &mut unknown);
        found.hand_on(&given_on, unknown);
        found
    }

    /// The types that the parameter `ty` of a body stands for, with the crates that print them; none if nobody says.
    pub fn of<'i>(
        &'i self,
        index: &'i Index<'_>,
        body: BodyId,
        ty: &Ty,
    ) -> Option<&'i BTreeSet<(usize, Ty)>> {
        let scope = outermost(index, body);
        let name = name_of_parameter(index, body, ty)?;
        if let Some(types) = index.copied_for(body, &name) {
            return Some(types);
        }
        if self.open.contains(&scope) {
            return None;
        }
        self.types.get(&(scope, name))
    }

    /// Follows the methods of parameters into the implementations for what the parameters stand for, which may give
    /// types to the parameters of those. It ends since every type is a part of one that some code spells out.
    fn follow(
        &mut self,
        context: &Context<'_>,
        given_on: &mut BTreeMap<Parameter, BTreeSet<Parameter>>,
        methods: &BTreeMap<Parameter, Vec<(BodyId, &Call)>>,
        unknown: &mut BTreeSet<Parameter>,
    ) {
        let mut done: BTreeSet<(Parameter, (usize, Ty))> = BTreeSet::new();
        loop {
            self.spread(given_on);
            let fresh: Vec<(Parameter, (usize, Ty))> = methods
                .keys()
                .flat_map(|parameter| {
                    let types = self.types.get(parameter).into_iter().flatten();
                    types.map(|ty| (parameter.clone(), ty.clone()))
                })
                .filter(|instance| !done.contains(instance))
                .collect();
            if fresh.is_empty() {
                return;
            }
            for (parameter, (printed, ty)) in fresh {
                done.insert((parameter.clone(), (printed, ty.clone())));
                for (caller, call) in methods.get(&parameter).into_iter().flatten() {
                    let Callee::Qualified { of: Some(Ty::Path(of, _)), method, .. } = &call.callee else {
                        continue;
                    };
                    let krate = context.index.bodies[*caller].krate;
                    let of = context.index.name(krate, of);
                    let bodies = context.index.implementations(printed, &ty, &of, method);
                    for (bound, given) in bindings(context, *caller, call, &bodies, Some(&ty)) {
                        match given.map(|given| (name_of_parameter(context.index, *caller, &given), given)) {
                            None => {
                                unknown.insert(bound);
                            }
                            Some((Some(name), _)) => {
                                let scope = outermost(context.index, *caller);
                                given_on.entry((scope, name)).or_default().insert(bound);
                            }
                            Some((None, given)) => {
                                self.types.entry(bound).or_default().insert((printed, given));
                            }
                        }
                    }
                }
            }
        }
    }

    /// Hands the types of each parameter on to those that it is given to.
    fn spread(&mut self, given_on: &BTreeMap<Parameter, BTreeSet<Parameter>>) {
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
    }

    fn hand_on(
        &mut self,
        given_on: &BTreeMap<Parameter, BTreeSet<Parameter>>,
        mut open: BTreeSet<Parameter>,
    ) {
        self.spread(given_on);
        // What nobody says of a parameter is not known further down either.
        let unsaid =
            |parameter: &&Parameter| !self.types.contains_key(*parameter) || self.open.contains(&parameter.0);
        let mut pending: Vec<Parameter> = given_on.keys().filter(unsaid).chain(&open).cloned().collect();
        while let Some(parameter) = pending.pop() {
            for next in given_on.get(&parameter).into_iter().flatten() {
                if open.insert(next.clone()) {
                    pending.push(next.clone());
                }
            }
        }
        self.types.retain(|parameter, _| !open.contains(parameter));
    }
}

/// What a call says about the parameters of the `callees` it may have; none where it does not say which type one stands
/// for. `this` is what the receiver is known to be.
fn bindings(
    context: &Context<'_>,
    caller: BodyId,
    call: &Call,
    callees: &[BodyId],
    this: Option<&Ty>,
) -> Vec<(Parameter, Option<Ty>)> {
    let index = context.index;
    let Entry { body, .. } = index.bodies[caller];
    let mut found = Vec::new();
    if matches!(call.callee, Callee::Place(_)) {
        return found;
    }
    for &callee in callees {
        let locals = &index.bodies[callee].body.locals;
        let scope = outermost(index, callee);
        let mut bind = |parameter: &Ty, given: Option<&Ty>| {
            unify(parameter, given, &mut |parameter, given| {
                let Some(name) = name_of_parameter(index, callee, parameter) else { return false };
                found.push(((scope, name), given.cloned()));
                true
            });
        };
        for (at, (operand, parameter)) in call.args.iter().zip(locals.iter().skip(1)).enumerate() {
            if let Some(this) = this.filter(|_| at == 0) {
                // By value or behind references.
                let (mut pattern, mut given) = (parameter, type_of_operand(body, operand));
                while let (Ty::Ref(_, inner), Some(Ty::Ref(_, outer))) = (pattern, given.clone()) {
                    pattern = inner;
                    given = Some(Ty::clone(&outer));
                }
                bind(pattern, Some(this));
                continue;
            }
            match operand {
                Operand::Copy(place) | Operand::Move(place) => {
                    bind(parameter, Some(&type_of(&body.locals, place)));
                }
                // A literal is of no type of ours.
                Operand::Const(text) if !text.starts_with(|c: char| c.is_alphabetic() || c == '<') => {}
                Operand::Const(_) | Operand::Static(_) => bind(parameter, None),
                // Code is no receiver of a method of ours.
                Operand::Fn(_) => {}
            }
        }
        if let Some(result) = locals.first() {
            bind(result, Some(&type_of(&body.locals, &call.dest)));
        }
    }
    found
}

fn type_of_operand(body: &Body, operand: &Operand) -> Option<Ty> {
    operand.place().map(|place| type_of(&body.locals, place))
}

/// Compares two types as far as they agree; `bind` takes what stands where the first has a parameter, and says whether
/// it has one there.
pub(crate) fn unify(one: &Ty, other: Option<&Ty>, bind: &mut dyn FnMut(&Ty, Option<&Ty>) -> bool) {
    if bind(one, other) {
        return;
    }
    match (one, other) {
        (Ty::Ref(_, one), Some(Ty::Ref(_, other)))
        | (Ty::Ptr(_, one), Some(Ty::Ptr(_, other)))
        | (Ty::Slice(one) | Ty::Array(one, _), Some(Ty::Slice(other) | Ty::Array(other, _))) => {
            unify(one, Some(other), bind);
        }
        (Ty::Path(_, one), Some(Ty::Path(_, other))) | (Ty::Tuple(one), Some(Ty::Tuple(other)))
            if one.len() == other.len() =>
        {
            one.iter().zip(other.iter()).for_each(|(one, other)| unify(one, Some(other), bind));
        }
        (Ty::Ref(_, inner) | Ty::Ptr(_, inner) | Ty::Slice(inner) | Ty::Array(inner, _), _) => {
            unify(inner, None, bind);
        }
        (Ty::Path(_, inner) | Ty::Tuple(inner), _) => inner.iter().for_each(|one| unify(one, None, bind)),
        _ => {}
    }
}

/// Whether the type is a parameter of a body, or of the function it is in.
pub(crate) fn is_parameter_of(index: &Index<'_>, body: BodyId, ty: &Ty) -> bool {
    name_of_parameter(index, body, ty).is_some()
}

/// The name of the parameter of a body, or of the function it is in, that the type is.
pub(crate) fn name_of_parameter(index: &Index<'_>, body: BodyId, ty: &Ty) -> Option<Arc<str>> {
    match ty {
        Ty::Path(path, _) if index.is_parameter(index.bodies[body].krate, path) => Some(Arc::clone(path)),
        Ty::Opaque(text) => {
            let home = index.bodies[outermost(index, body)].body;
            let here = index.bodies[body].body;
            let mut is_it = |inner: &Ty| matches!(inner, Ty::Opaque(other) if other == text);
            let given = home.locals.iter().skip(1).take(home.params).any(|ty| ty.any(&mut is_it));
            // What another function returns is printed alike.
            let made = here.blocks.iter().any(|block| match &block.terminator {
                Terminator::Call(call) => type_of(&here.locals, &call.dest).any(&mut is_it),
                _ => false,
            });
            (given && !made).then(|| Arc::clone(text))
        }
        _ => None,
    }
}

/// The function that a closure is in: its parameters are the closure's.
fn outermost(index: &Index<'_>, body: BodyId) -> BodyId {
    let Entry { krate, body: inner } = index.bodies[body];
    let home = inner.id.split("::{closure#").next().unwrap_or_default();
    index.by_id(krate, home).unwrap_or(body)
}
