//! Destructors: what runs when a value of a type goes away.
//!
//! From the type alone: its own `Drop`, then its fields as far as the code shows them, then its generic arguments.
//! What there is to run is found once for each type. Guards are released elsewhere, with the local that holds them.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::callers::owns_arguments;
use crate::context::Context;
use crate::flow::Flow;
use crate::index::{BodyId, Field};
use crate::instantiate::Arguments;
use crate::mir::ir::{Span, Ty};
use crate::path::{Path, Step, Value};
use crate::state::State;
use crate::summary::Note;

/// One thing that happens when a value goes away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destruction {
    /// A guard goes away, and what comes after it runs without its lock.
    Guard,
    /// A destructor runs, on the part at the end of these steps; none if it is not known which part that is. It may be
    /// only one of several that could.
    Runs(BodyId, Option<Vec<Step>>, bool),
    /// A value of a parameter or a trait object goes away, whose destructor may be the caller's.
    Callers(Ty),
    /// A trait object goes away, of which it is not known what it may be.
    Dynamic(String),
}

/// How a value is destroyed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destroying {
    /// The local that releases the value's one guard in its turn.
    pub holder: Option<usize>,
    /// It may be that nothing is destroyed.
    pub perhaps: bool,
    /// Nothing of the caller's is destroyed.
    pub ours: bool,
}

/// Whether a value of this type keeps nothing alive: the content of an `Arc` goes with its last strong reference.
fn is_weak(ours: bool, path: &str) -> bool {
    !ours && path.contains("::") && path.ends_with("::Weak")
}

impl Context<'_> {
    /// What happens when a value of type `ty` goes away, outermost first.
    fn destructions(&self, krate: usize, ty: &Ty) -> Rc<[Destruction]> {
        if let Some(known) = self.known_destructions.borrow().get(&krate).and_then(|known| known.get(ty)) {
            return Rc::clone(known);
        }
        let mut search =
            Search { context: self, seen: BTreeSet::new(), possible: false, lent: false, found: Vec::new() };
        search.visit(krate, ty, Some(Vec::new()));
        let mut met = BTreeSet::new();
        search.found.retain(|destruction| met.insert(destruction.clone()));
        let found: Rc<[Destruction]> = search.found.into();
        self.known_destructions.borrow_mut().entry(krate).or_default().insert(ty.clone(), Rc::clone(&found));
        found
    }
}

struct Search<'c, 'a> {
    context: &'c Context<'a>,
    seen: BTreeSet<String>,
    /// What is visited may be something else.
    possible: bool,
    /// What is visited is named by a type that need not own it.
    lent: bool,
    found: Vec<Destruction>,
}

impl Search<'_, '_> {
    fn visit(&mut self, krate: usize, ty: &Ty, at: Option<Vec<Step>>) {
        let below = |step: Step| at.as_ref().map(|at| at.iter().cloned().chain([step]).collect());
        match ty {
            Ty::Path(path, args) => {
                if self.context.is_guard(krate, ty) {
                    return self.found.push(Destruction::Guard);
                }
                let index = self.context.index;
                if index.is_parameter(krate, path) {
                    self.callers(ty);
                }
                if is_weak(index.is_ours(krate, path), path) || !self.seen.insert(ty.to_string()) {
                    return;
                }
                let lent = self.lent;
                if let Some(body) = index.drop_impl(krate, path)
                    && self.context.destructors.contains(&body)
                {
                    self.found.push(Destruction::Runs(body, at.clone(), self.possible));
                }
                let mut owns = owns_arguments(path);
                let fields = self.fields_of_instance(krate, path, args);
                let reaches_arguments = self.may_own_parameters(&fields);
                for field in fields {
                    owns |= self.owns_parameter(field.krate, &field.ty);
                    self.lent = true;
                    let mut place = at.clone();
                    if let Some(place) = &mut place {
                        if !field.variant.is_empty() {
                            place.push(Step::Variant(field.variant.as_str().into()));
                        }
                        place.push(Step::Field(field.position));
                    }
                    self.visit(field.krate, &field.ty, place);
                }
                if reaches_arguments {
                    self.lent = lent || !owns;
                    for arg in args.iter() {
                        self.visit(krate, arg, None);
                    }
                }
                self.lent = lent;
            }
            Ty::Tuple(types) => {
                for (field, ty) in types.iter().enumerate() {
                    self.visit(krate, ty, below(Step::Field(field as u32)));
                }
            }
            Ty::Slice(inner) | Ty::Array(inner, _) => self.visit(krate, inner, below(Step::Index)),
            Ty::Dyn(bounds) => match self.context.objects_of(ty) {
                Some(types) if self.seen.insert(ty.to_string()) => {
                    self.callers(ty);
                    let before = self.possible;
                    self.possible |= types.len() > 1;
                    for (krate, ty) in &types {
                        self.visit(*krate, ty, None);
                    }
                    self.possible = before;
                }
                Some(_) => {}
                None => {
                    self.callers(ty);
                    self.found.push(Destruction::Dynamic(bounds.to_string()));
                }
            },
            Ty::Opaque(_) => self.callers(ty),
            _ => {}
        }
    }

    /// Something goes away that may be the caller's. The fields of a type of ours name its own parameters.
    fn callers(&mut self, ty: &Ty) {
        if self.context.callbacks && (!self.lent || matches!(ty, Ty::Dyn(_))) {
            self.found.push(Destruction::Callers(ty.clone()));
        }
    }

    /// Whether a value of a parameter may go away with a value of a type that has these fields: not if each of those that
    /// name one is a weak reference, a guard or the like.
    fn may_own_parameters(&self, fields: &[&Field]) -> bool {
        let mut generic = fields.iter().filter(|field| self.is_generic(field)).peekable();
        generic.peek().is_none() || generic.any(|field| self.may_own_parameter(field.krate, &field.ty))
    }

    /// The same of one type. What is behind a raw pointer may be the type's own.
    fn may_own_parameter(&self, krate: usize, ty: &Ty) -> bool {
        let index = self.context.index;
        match ty {
            Ty::Path(path, _) if index.is_parameter(krate, path) => true,
            Ty::Path(path, _) if is_weak(index.is_ours(krate, path), path) => false,
            Ty::Path(..) if self.context.is_guard(krate, ty) => false,
            Ty::Path(_, types) | Ty::Tuple(types) => types.iter().any(|ty| self.may_own_parameter(krate, ty)),
            Ty::Slice(inner) | Ty::Array(inner, _) | Ty::Ptr(_, inner) => {
                self.may_own_parameter(krate, inner)
            }
            Ty::Ref(..) | Ty::FnPtr(..) => false,
            _ => true,
        }
    }

    /// Whether the type of a field names a parameter.
    fn is_generic(&self, field: &Field) -> bool {
        let index = self.context.index;
        field.ty.any(&mut |ty| matches!(ty, Ty::Path(path, _) if index.is_parameter(field.krate, path)))
    }

    /// Whether a value of a parameter goes away with a field of this type.
    fn owns_parameter(&self, krate: usize, ty: &Ty) -> bool {
        match ty {
            Ty::Path(path, _) if self.context.index.is_parameter(krate, path) => true,
            Ty::Path(path, args) => {
                let ours = self.context.index.is_ours(krate, path);
                (ours || owns_arguments(path)) && args.iter().any(|arg| self.owns_parameter(krate, arg))
            }
            Ty::Tuple(types) => types.iter().any(|ty| self.owns_parameter(krate, ty)),
            Ty::Slice(inner) | Ty::Array(inner, _) => self.owns_parameter(krate, inner),
            _ => false,
        }
    }
}

impl<'a> Search<'_, 'a> {
    /// The fields of a type with these arguments. Uses of other instances show fields, too: where the code of the type
    /// itself shows one in terms of its parameters, that is the one, and the arguments are visited by themselves.
    fn fields_of_instance(&self, krate: usize, path: &str, args: &[Ty]) -> Vec<&'a Field> {
        let index = self.context.index;
        let fields: Vec<&Field> = index.fields(krate, path).collect();
        if args.is_empty() {
            return fields;
        }
        let generic: BTreeSet<(&str, u32)> = fields
            .iter()
            .filter(|field| self.is_generic(field))
            .map(|field| (field.variant.as_str(), field.position))
            .collect();
        let is_shown = |field: &&Field| {
            !generic.contains(&(field.variant.as_str(), field.position)) || self.is_generic(field)
        };
        fields.into_iter().filter(is_shown).collect()
    }
}

impl Flow<'_, '_> {
    /// Whether destroying a value of this type may take a lock, as far as names say.
    pub(crate) fn may_lock_when_destroyed(&self, ty: &Ty) -> bool {
        let runs = |destruction: &Destruction| matches!(destruction, Destruction::Runs(..));
        self.context.destructions(self.krate, ty).iter().any(runs)
    }

    /// Runs the destructors of a value of type `ty` at `target`, outermost first. If all that `holder` holds is one
    /// guard in it, that is released in its turn.
    pub(crate) fn run_destructors(
        &mut self,
        state: &mut State,
        ty: &Ty,
        target: &Path,
        holder: Option<usize>,
        span: &Span,
    ) {
        self.destroy(state, ty, target, Destroying { holder, perhaps: false, ours: false }, span);
    }

    /// The same, of what perhaps is not destroyed.
    pub(crate) fn destroy(
        &mut self,
        state: &mut State,
        ty: &Ty,
        target: &Path,
        destroying: Destroying,
        span: &Span,
    ) {
        let Destroying { holder, perhaps, ours } = destroying;
        for destruction in self.context.destructions(self.krate, ty).iter() {
            match destruction {
                Destruction::Runs(body, at, possible) => {
                    let place = match at {
                        Some(steps) => {
                            steps.iter().fold(target.clone(), |place, step| state.step(place, step))
                        }
                        None => Path::unknown(),
                    };
                    let arguments = Arguments { values: vec![Value::To(place)], moved: vec![None] };
                    let mut chain = self.chain_step(*body, span, *possible || perhaps);
                    chain.destroys = true;
                    self.instantiate(state, *body, &arguments, None, &chain);
                }
                Destruction::Guard => {
                    if let Some(local) = holder.filter(|_| self.context.holds_one_guard(self.krate, ty)) {
                        state.release(local);
                    }
                }
                Destruction::Callers(of) => {
                    if !ours && self.context.is_callers(self.id, of) {
                        self.call_back(state, &format!("the destructor of `{of}`"), perhaps, span);
                    }
                }
                Destruction::Dynamic(bounds) => {
                    self.note(Note::DynamicDrop(bounds.clone(), span.clone()));
                }
            }
        }
    }
}
