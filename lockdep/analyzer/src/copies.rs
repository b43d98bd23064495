//! Which generic functions are judged once for each type that they are called with.
//!
//! What a parameter stands for over all calls together (`instances.rs`) says too much of functions that everybody calls
//! with types of his own, as implementations for references and pairs are, and methods that a trait provides: the one
//! type that locks would lock for all. So functions of which the methods of parameters matter to locks get a copy for
//! each such types. It ends by a bound; what gets no copy is called as it is, for all types together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::callgraph::Plan;
use crate::context::Context;
use crate::index::{BodyId, Index, Types, type_of};
use crate::instances::{Parameter, name_of_parameter, unify};
use crate::mir::ir::{Call, Callee, Operand, Terminator, Ty};

/// The parameters of functions that matter.
type Parameters = BTreeMap<BodyId, BTreeSet<Arc<str>>>;

/// More copies are not made.
const MANY: usize = 10_000;

/// A type of more parts is not told apart: code can make ever larger ones of itself.
const LARGE: usize = 24;

/// A function of more blocks gets no copies: those that hand on what they are given are small.
const LONG: usize = 64;

/// The parameters that tell copies apart, and the copies.
pub fn find(context: &Context<'_>, plan: &Plan) -> (Parameters, BTreeSet<(BodyId, Types)>) {
    let relevant = &plan.reaching;
    let parameters = parameters(context, relevant);
    let mut copies: BTreeSet<(BodyId, Types)> = BTreeSet::new();
    if parameters.is_empty() {
        return (parameters, copies);
    }
    let mut pending: Vec<(BodyId, Types)> = relevant.iter().map(|body| (*body, Types::new())).collect();
    while let Some((body, types)) = pending.pop() {
        for call in calls(context.index, body) {
            for (callee, all) in context.reached(body, &types, &call.callee, &call.args).0 {
                let Some(names) = parameters.get(&callee) else { continue };
                let copy = (callee, context.telling(all, names));
                if !copy.1.is_empty() && copies.len() < MANY && copies.insert(copy.clone()) {
                    pending.push(copy);
                }
            }
        }
    }
    (parameters, copies)
}

fn calls<'a>(index: &Index<'a>, body: BodyId) -> impl Iterator<Item = &'a Call> + use<'a> {
    index.bodies[body].body.blocks.iter().filter(|block| !block.cleanup).filter_map(|block| {
        match &block.terminator {
            Terminator::Call(call) => Some(&**call),
            _ => None,
        }
    })
}

/// The parameters whose methods may take locks, in the function itself or in those that it hands them to.
fn parameters(context: &Context<'_>, relevant: &BTreeSet<BodyId>) -> Parameters {
    let mut found = Parameters::new();
    // Of a parameter of a callee: the parameters of callers that are in what it is given.
    let mut inside: BTreeMap<Parameter, BTreeSet<Parameter>> = BTreeMap::new();
    let mut pending: Vec<Parameter> = Vec::new();
    for &caller in relevant.iter().filter(|body| !context.index.bodies[**body].body.id.ends_with('}')) {
        for call in calls(context.index, caller) {
            if let Callee::Qualified { this, .. } = &call.callee
                && let Some(name) = name_of_parameter(context.index, caller, this)
                && context
                    .callees(caller, &call.callee, &call.args)
                    .bodies
                    .iter()
                    .any(|b| relevant.contains(b))
            {
                pending.push((caller, name));
                continue;
            }
            for (callee, types) in context.reached(caller, &Types::new(), &call.callee, &call.args).0 {
                if !relevant.contains(&callee) {
                    continue;
                }
                for (name, (_, ty)) in types {
                    ty.any(&mut |part| {
                        if let Some(outer) = name_of_parameter(context.index, caller, part) {
                            let to = (callee, Arc::clone(&name));
                            inside.entry(to).or_default().insert((caller, outer));
                        }
                        false
                    });
                }
            }
        }
    }
    while let Some((body, name)) = pending.pop() {
        if context.index.bodies[body].body.blocks.len() > LONG {
            continue;
        }
        if found.entry(body).or_default().insert(Arc::clone(&name)) {
            pending.extend(inside.get(&(body, name)).into_iter().flatten().cloned());
        }
    }
    found
}

impl Context<'_> {
    /// What a call in `caller` says that parameters of `callee` stand for, if those of `caller` stand for `types`; `this`
    /// is what the receiver is known to be.
    pub(crate) fn given(
        &self,
        caller: BodyId,
        types: &Types,
        callee: BodyId,
        args: &[Operand],
        this: Option<&(usize, Ty)>,
    ) -> Types {
        let index = self.index;
        let caller_entry = index.bodies[caller];
        let mut found: BTreeMap<Arc<str>, BTreeSet<(usize, Ty)>> = BTreeMap::new();
        let patterns = index.bodies[callee].body.locals.iter().skip(1);
        for (at, (operand, mut pattern)) in args.iter().zip(patterns).enumerate() {
            let Some(place) = operand.place() else { continue };
            let given = type_of(&caller_entry.body.locals, place);
            let this = this.filter(|_| at == 0);
            if this.is_some() {
                // By value or behind references.
                let mut given = &given;
                while let (Ty::Ref(_, inner), Ty::Ref(_, outer)) = (pattern, given) {
                    (pattern, given) = (inner, outer);
                }
            }
            unify(pattern, Some(this.map_or(&given, |(_, ty)| ty)), &mut |pattern, part| {
                let Some(name) = name_of_parameter(index, callee, pattern) else { return false };
                // What the receiver is known to be is in nobody's terms.
                let part = part.map(|part| match this {
                    Some((krate, _)) => (*krate, part.clone()),
                    None => self.with(caller, types, part),
                });
                found.entry(name).or_default().extend(part);
                true
            });
        }
        let one = |(name, types): (Arc<str>, BTreeSet<(usize, Ty)>)| {
            (types.len() == 1).then_some((name, types.into_iter().next()?))
        };
        found.into_iter().filter_map(one).collect()
    }

    /// Those that tell copies of a function apart.
    pub(crate) fn telling(&self, types: Types, parameters: &BTreeSet<Arc<str>>) -> Types {
        let is_open = |krate: usize, ty: &Ty| match ty {
            Ty::Path(path, _) => self.index.is_parameter(krate, path),
            Ty::Opaque(_) | Ty::Projection(_) | Ty::Never | Ty::Dyn(_) => true,
            _ => false,
        };
        let tells = |name: &Arc<str>, (krate, ty): &(usize, Ty)| {
            parameters.contains(name) && !is_open(*krate, ty) && size(ty) <= LARGE
        };
        types.into_iter().filter(|(name, ty)| tells(name, ty)).collect()
    }

    /// A type of the caller's with what its parameters stand for.
    pub(crate) fn with(&self, caller: BodyId, types: &Types, ty: &Ty) -> (usize, Ty) {
        let krate = self.index.bodies[caller].krate;
        let of = |ty: &Ty| -> Option<&(usize, Ty)> {
            let name = name_of_parameter(self.index, caller, ty)?;
            let copied = self.index.copied_for(caller, &name).and_then(BTreeSet::first);
            types.get(&name).or(copied)
        };
        if let Some(known) = of(ty) {
            return known.clone();
        }
        let inside = |ty: &Ty| of(ty).filter(|(home, _)| *home == krate).map(|(_, ty)| ty.clone());
        (krate, replace(ty, &inside))
    }
}

fn size(ty: &Ty) -> usize {
    let mut count = 0;
    ty.any(&mut |_| {
        count += 1;
        false
    });
    count
}

/// The type with parts of it replaced.
fn replace(ty: &Ty, by: &impl Fn(&Ty) -> Option<Ty>) -> Ty {
    if let Some(other) = by(ty) {
        return other;
    }
    let all = |types: &[Ty]| types.iter().map(|ty| replace(ty, by)).collect();
    match ty {
        Ty::Path(path, types) if !types.is_empty() => Ty::Path(Arc::clone(path), all(types)),
        Ty::Tuple(types) => Ty::Tuple(all(types)),
        Ty::Ref(mutable, inner) => Ty::Ref(*mutable, Arc::new(replace(inner, by))),
        Ty::Ptr(mutable, inner) => Ty::Ptr(*mutable, Arc::new(replace(inner, by))),
        Ty::Slice(inner) => Ty::Slice(Arc::new(replace(inner, by))),
        Ty::Array(inner, length) => Ty::Array(Arc::new(replace(inner, by)), Arc::clone(length)),
        other => other.clone(),
    }
}
