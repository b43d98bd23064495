//! Destructors: what runs when a value of a type goes away.
//!
//! From the type alone: its own `Drop`, then its fields as far as the code shows them, then its generic arguments.
//! What there is to run is found once for each type. Guards are released elsewhere, with the local that holds them.

mod hidden;
mod owned;

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::callers::{DESTRUCTOR, owns_arguments};
use crate::context::Context;
use crate::flow::Flow;
use crate::index::{BodyId, Entry, Name, type_of};
use crate::instantiate::Arguments;
use crate::mir::ir::{Place, Span, Terminator, Ty};
use crate::path::{Path, Step, Value};
use crate::place::slot_of;
use crate::resolve::is_code_trait;
use crate::seen::Seen;
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
    /// A destructor runs, or other code does, of what a future holds as long as it is not finished.
    Unfinished(BodyId),
    /// A value of a parameter or a trait object goes away, whose destructor may be the caller's.
    Callers(Ty),
    /// A value of a parameter, or of a type that is not printed, goes away.
    Hidden(Ty),
    /// A trait object goes away, of which it is not known what it may be.
    Dynamic(String),
}

/// How a value is destroyed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Destroying {
    /// The local that releases the value's one guard in its turn.
    pub holder: Option<usize>,
    /// It may be that nothing is destroyed.
    pub perhaps: bool,
    /// Nothing of the caller's is destroyed.
    pub ours: bool,
    /// A future has nothing left to destroy.
    pub finished: bool,
    /// It is what somebody puts in the place of a parameter or an opaque type.
    pub put_there: bool,
}

/// Whether a value of this type keeps nothing alive: the content of an `Arc` goes with its last strong reference.
fn is_weak(ours: bool, path: &str) -> bool {
    !ours && path.contains("::") && path.ends_with("::Weak")
}

impl Context<'_> {
    /// Destructors that a body may run, as far as the types of what it drops say.
    pub(crate) fn destructors_run_in(&self, id: BodyId) -> BTreeSet<BodyId> {
        let Entry { krate, body } = self.index.bodies[id];
        let mut found = BTreeSet::new();
        for block in body.blocks.iter().filter(|block| !block.cleanup) {
            let Terminator::Drop(place, _) = &block.terminator else { continue };
            for destruction in self.destructions(krate, &type_of(&body.locals, place)).iter() {
                if let Destruction::Runs(body, ..) | Destruction::Unfinished(body) = destruction {
                    found.insert(*body);
                }
            }
        }
        found
    }

    /// What happens when a value of type `ty` goes away, outermost first.
    fn destructions(&self, krate: usize, ty: &Ty) -> Rc<[Destruction]> {
        if let Some(known) = self.known_destructions.borrow().get(&krate).and_then(|known| known.get(ty)) {
            return Rc::clone(known);
        }
        let mut search = Search {
            context: self,
            seen: Seen::default(),
            possible: false,
            unfinished: false,
            lent: false,
            found: Vec::new(),
        };
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
    seen: Seen,
    /// What is visited may be something else.
    possible: bool,
    /// What is visited is in a future.
    unfinished: bool,
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
                    if !self.unfinished {
                        self.found.push(Destruction::Guard);
                    }
                    return;
                }
                let index = self.context.index;
                if index.is_parameter(krate, path) {
                    self.callers(ty);
                    self.hidden(ty);
                }
                if is_weak(index.is_ours(krate, path), path) || !self.seen.insert(krate, ty) {
                    return;
                }
                let lent = self.lent;
                if let Some(body) = index.drop_impl(krate, path)
                    && self.context.destructors.contains(&body)
                {
                    self.runs(body, at.clone());
                }
                self.runs_of_foreign(krate, path, args);
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
                Some(types) if self.seen.insert(krate, ty) => {
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
            Ty::Closure(text) if self.seen.insert(krate, ty) => {
                for closure in self.context.index.codes_of_type(krate, text) {
                    self.captured(krate, closure, at.clone());
                }
            }
            Ty::Opaque(_) => {
                self.callers(ty);
                self.hidden(ty);
            }
            _ => {}
        }
    }

    fn runs(&mut self, body: BodyId, at: Option<Vec<Step>>) {
        self.found.push(match self.unfinished {
            true => Destruction::Unfinished(body),
            false => Destruction::Runs(body, at, self.possible),
        });
    }

    /// What a closure captured, and what a future that is not finished has in its locals.
    fn captured(&mut self, krate: usize, closure: BodyId, at: Option<Vec<Step>>) {
        let index = self.context.index;
        let body = index.bodies[closure].body;
        let asleep = self.context.asleep(closure);
        let before = self.unfinished;
        self.unfinished |= asleep.is_some();
        for (position, ty) in index.captures(closure).iter().enumerate() {
            let place =
                at.as_ref().map(|at| at.iter().cloned().chain([Step::Field(position as u32)]).collect());
            self.visit(krate, ty, place);
        }
        for local in asleep.iter().flatten() {
            let ty = &body.locals[*local];
            match ty {
                Ty::Opaque(_) => {
                    for (krate, ty) in self.context.returned_as(closure, ty) {
                        self.visit(krate, &ty, None);
                    }
                }
                _ => self.visit(krate, ty, None),
            }
        }
        self.unfinished = before;
    }

    /// Code of ours that the destructor of a type which was not read runs.
    fn runs_of_foreign(&mut self, krate: usize, path: &str, args: &[Ty]) {
        let context = self.context;
        let Some(key) = context.key(krate, path, 1) else { return };
        for method in context.models.held_by_any(&key) {
            let Some((of, method)) = method.split_once("::") else { continue };
            let before = self.possible;
            self.possible = true;
            for body in context.index.implementing(of, method) {
                let entry = context.index.bodies[body];
                // What it is called with is what is held, or a pointer to that.
                match entry.body.locals.get(1) {
                    Some(Ty::Ref(_, this)) => self.visit(entry.krate, this, None),
                    Some(this) => self.visit(entry.krate, this, None),
                    None => {}
                }
            }
            self.possible = before;
        }
        for method in context.models.methods_run_by_drop(&key) {
            let Some((of, method)) = method.split_once("::") else { continue };
            let of = Name { krate: String::new(), path: of.to_owned() };
            for arg in args {
                let bodies = match arg {
                    Ty::Closure(text) if is_code_trait(&of.path) => {
                        context.index.closure(krate, text).into_iter().collect()
                    }
                    Ty::Path(path, _) if context.index.is_ours(krate, path) => {
                        context.index.implementations(krate, arg, &of, method)
                    }
                    _ => Vec::new(),
                };
                bodies.into_iter().for_each(|body| self.runs(body, None));
            }
        }
    }

    /// Something goes away whose type the function that destroys it does not say.
    fn hidden(&mut self, ty: &Ty) {
        if !self.lent && !self.unfinished {
            self.found.push(Destruction::Hidden(ty.clone()));
        }
    }

    /// Something goes away that may be the caller's. The fields of a type of ours name its own parameters.
    fn callers(&mut self, ty: &Ty) {
        if self.context.callbacks && (!self.lent || matches!(ty, Ty::Dyn(_))) {
            self.found.push(Destruction::Callers(ty.clone()));
        }
    }
}

impl Flow<'_, '_> {
    /// Drops a place: runs destructors, releases guards.
    pub(crate) fn drop_place(&mut self, state: &mut State, place: &Place, span: &Span) {
        let whole = slot_of(place).is_some_and(|slot| slot.1.is_empty());
        if whole && state.moved.contains(&place.local) {
            return;
        }
        let (ty, target) = (self.type_of(place), self.lvalue(state, place));
        let ours = self.emptied.contains(&place.local);
        // What is awaited runs to its end, and a future's own code destroys only what it captured.
        let itself = place.local == 1 && matches!(ty, Ty::Closure(_));
        let awaited = self.body.names.get(&place.local).is_some_and(|name| name == "__awaitee");
        let holder = whole.then_some(place.local);
        let finished = itself || awaited;
        let destroying = Destroying { holder, ours, finished, ..Destroying::default() };
        self.destroy(state, &ty, &target, destroying, span);
        if whole {
            state.release(place.local);
            state.clear(&(place.local, Vec::new()));
            state.set_moved(place.local, true);
        }
    }

    /// Whether destroying a value of this type may take a lock, as far as names say.
    pub(crate) fn may_lock_when_destroyed(&self, ty: &Ty) -> bool {
        let runs = |destruction: &Destruction| {
            matches!(destruction, Destruction::Runs(..) | Destruction::Unfinished(_))
        };
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
        self.destroy(state, ty, target, Destroying { holder, ..Destroying::default() }, span);
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
        self.destroy_as(state, (self.krate, ty), target, destroying, span);
    }

    /// The same, by a type that this crate prints.
    fn destroy_as(
        &mut self,
        state: &mut State,
        (krate, ty): (usize, &Ty),
        target: &Path,
        destroying: Destroying,
        span: &Span,
    ) {
        let Destroying { holder, perhaps, ours, finished, .. } = destroying;
        for destruction in self.context.destructions(krate, ty).iter() {
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
                Destruction::Unfinished(body) => {
                    if !finished {
                        let arguments = Arguments { values: vec![Value::Unknown], moved: vec![None] };
                        let mut chain = self.chain_step(*body, span, true);
                        chain.destroys = true;
                        self.instantiate(state, *body, &arguments, None, &chain);
                    }
                }
                Destruction::Guard => {
                    if let Some(local) = holder.filter(|_| self.context.holds_one_guard(krate, ty)) {
                        state.release(local);
                    }
                }
                Destruction::Callers(of) => {
                    if !ours && self.context.is_callers(self.id, of) {
                        self.call_back(state, &format!("{DESTRUCTOR}`{of}`"), perhaps, span);
                    }
                }
                Destruction::Hidden(of) => self.destroy_hidden(state, of, target, destroying, span),
                Destruction::Dynamic(bounds) => {
                    self.note(Note::DynamicDrop(format!("dyn {bounds}"), span.clone()));
                }
            }
        }
    }
}
