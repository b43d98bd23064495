//! Calls of functions that were not read: what is assumed of them, and what is noted.
//!
//! A foreign function is assumed to take none of the locks, to call the code it is given in place, and to put guards
//! wherever there is room for them. Called from `apply.rs`.

use std::collections::BTreeSet;

use crate::apply::describe;
use crate::chain::{Chain, keep};
use crate::code::{Calling, CodeSite};
use crate::destroy::Destroying;
use crate::flow::Flow;
use crate::graph::Held;
use crate::index::last;
use crate::mir::ir::{Call, Operand, Place, Span, Ty};
use crate::model::{Effect, How, canonical};
use crate::path::{Path, Root, Step, Value};
use crate::place::slot_of;
use crate::sources::{future_object, futures};
use crate::state::{Holding, State, Tree};
use crate::summary::{Acquire, ClassId, HeldLock, Lock, Note};

/// What takes values in where it is only shared.
const TAKING_IN: [&str; 9] = [
    "Cell",
    "RefCell",
    "OnceCell",
    "UnsafeCell",
    "OnceLock",
    "LocalKey",
    "Sender",
    "SyncSender",
    "UnboundedSender",
];

/// Code among the arguments.
struct Given {
    code: Value,
    /// It is kept and not called.
    kept: bool,
    /// It may be the caller's.
    outside: bool,
}

impl Flow<'_, '_> {
    /// A call of a body that was not read.
    pub(crate) fn foreign(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) {
        let name = canonical(&call.callee).unwrap_or_else(|| describe(&call.callee));
        let krate = self.context.index.foreign_crate(self.krate, &name);
        match krate {
            Some(krate) if self.context.models.trusts(&krate) => {}
            Some(krate) => self.note(Note::Foreign(krate, name.clone())),
            None => self.note(Note::Unresolved(describe(&call.callee), span.clone())),
        }
        let given: Vec<Given> = call
            .args
            .iter()
            .flat_map(|operand| {
                let (kept, outside) = (self.is_kept(call, operand), self.is_callers_code(call, operand));
                self.codes_in(state, operand).into_iter().map(move |code| Given { code, kept, outside })
            })
            .collect();
        let codes: Vec<&Given> = given.iter().filter(|given| !given.kept).collect();
        let key = self.context.callee_key(self.krate, &call.callee).unwrap_or_default();
        let once = self.context.models.calls_once(&key);
        let remembered = self.remembered_item(state, call);
        let item = if self.context.models.gives_items(&key) { self.item(state, call) } else { None };
        let lent = if self.context.models.lends_content(&key) { self.lent_content(call) } else { None };
        let items: Vec<Value> = remembered.clone().or_else(|| item.clone()).or(lent).into_iter().collect();
        let calling = if once { Calling::PerhapsOnce } else { Calling::Perhaps };
        let site = |outside| CodeSite { calling, what: &name, span, others: &[], outside };
        let mut produced = Vec::new();
        if self.context.models.runs_instead(&key) {
            let mut without = state.clone();
            self.empty(&mut without, call);
            for Given { code, outside, .. } in codes {
                produced.extend(self.apply_code(&mut without, code, Vec::new(), &site(*outside)));
            }
        } else {
            for Given { code, outside, .. } in codes {
                produced.extend(self.apply_code(state, code, items.clone(), &site(*outside)));
                if let Value::Code(body, _) = self.future_at(state, code.clone()) {
                    self.run_made(state, body, true, &call.dest, span);
                }
            }
        }
        let home = self.made_home(state, call, block);
        self.acquires_in_arguments(state, call, span);
        let captures: Vec<Tree> = given
            .iter()
            .filter_map(|Given { code, .. }| match code {
                Value::Code(_, (usize::MAX, _)) | Value::At(_) => Some(vec![(Vec::new(), code.clone())]),
                Value::Code(_, (local, steps)) => Some(state.subtree(*local, steps)),
                _ => None,
            })
            .collect();
        self.run_methods(state, call, &key, span);
        if name == "core::mem::drop" {
            self.ends_go(call, block, span);
        }
        self.dropped_by_foreign(state, call, &name, span);
        self.pass_through(state, call, produced);
        self.written_by_foreign(state, call);
        self.set_made(state, &call.dest, block, home);
        // An adaptor that was given a closure may call it later, when it is itself passed on.
        let result = self.type_of(&call.dest);
        let lasting = result.any(&mut |ty| matches!(ty, Ty::Closure(_) | Ty::Opaque(_) | Ty::FnItem(_)))
            || call.args.iter().any(|operand| self.is_kept(call, operand));
        if lasting && let Some(slot) = slot_of(&call.dest) {
            for (position, tree) in captures.into_iter().enumerate() {
                let mut within = slot.clone();
                within.1.push(Step::Field(u32::MAX - position as u32));
                state.store(&within, tree);
            }
            if let Some(item) = remembered.or(item) {
                self.remember_item(state, &slot, item);
            }
        }
    }

    /// Whether code in an argument is kept: its type is part of the result's, or of what another argument points to, or
    /// the result is an object of it.
    fn is_kept(&self, call: &Call, operand: &Operand) -> bool {
        let result = self.type_of(&call.dest);
        let Some(place) = operand.place() else {
            return result.any(&mut |ty| matches!(ty, Ty::FnItem(_)));
        };
        let mut ty = self.type_of(place);
        while let Ty::Ref(_, inner) = ty {
            ty = Ty::clone(&inner);
        }
        let is_code = |ty: &Ty| match ty {
            Ty::Closure(_) | Ty::FnItem(_) | Ty::Opaque(_) | Ty::Dyn(_) | Ty::FnPtr(..) => true,
            Ty::Path(path, _) => self.context.index.is_parameter(self.krate, path),
            _ => false,
        };
        let is_async = !futures(&ty).is_empty();
        let holds = |whole: &Ty| ty.any(&mut |part| is_code(part) && whole.any(&mut |there| there == part));
        let others = call.args.iter().filter_map(Operand::place).filter(|other| *other != place);
        holds(&result)
            || (future_object(&result).is_some() && !futures(&ty).is_empty())
            || others
                .into_iter()
                // What takes futures in is mostly shared.
                .any(|other| matches!(self.type_of(other), Ty::Ref(mutable, inner) if (mutable || is_async) && holds(&inner)))
    }

    /// Moved arguments that find no room anywhere are destroyed. What a foreign function destroys behind a mutable
    /// reference is assumed not to matter, and noted.
    fn dropped_by_foreign(&mut self, state: &mut State, call: &Call, name: &str, span: &Span) {
        let types: Vec<Ty> = call.args.iter().filter_map(Operand::place).map(|p| self.type_of(p)).collect();
        let behind: Vec<&Ty> = types
            .iter()
            .filter_map(|ty| if let Ty::Ref(true, inner) = ty { Some(&**inner) } else { None })
            .collect();
        let key = self.context.callee_key(self.krate, &call.callee).unwrap_or_default();
        let known = self.destroys_contents(state, call, &key, span) || self.context.models.only_moves(&key);
        for inner in behind.iter().filter(|_| !known) {
            if self.may_lock_when_destroyed(inner) {
                self.note(Note::ForeignDrop(name.to_owned(), span.clone()));
            }
        }
        let result = self.type_of(&call.dest);
        for operand in &call.args {
            let Operand::Move(place) = operand else { continue };
            let ty = self.type_of(place);
            let kept =
                self.shares_type(&ty, &result) || behind.iter().any(|inner| self.shares_type(&ty, inner));
            if !kept {
                let target = self.lvalue(state, place);
                let others = call.args.iter().filter(|other| *other != operand).filter_map(Operand::place);
                let types: Vec<Ty> = others.map(|place| self.type_of(place)).collect();
                let ours = self.context.callbacks
                    && ty.any(&mut |part| {
                        let named = matches!(part, Ty::Dyn(_) | Ty::Opaque(_) | Ty::Path(..));
                        let named = named && self.context.is_callers(self.id, part);
                        named && types.iter().chain([&result]).any(|ty| ty.any(&mut |there| there == part))
                    });
                self.destroy(state, &ty, &target, Destroying { ours, ..Destroying::default() }, span);
            }
        }
    }

    /// Whether a type of ours that occurs in `part` occurs in `whole`, or `whole` does not say.
    fn shares_type(&self, part: &Ty, whole: &Ty) -> bool {
        if self.context.may_hide(self.krate, whole) {
            return true;
        }
        part.any(&mut |ty| match ty {
            Ty::Closure(_) => whole.any(&mut |other| other == ty),
            Ty::Path(path, _) if self.context.index.is_ours(self.krate, path) => {
                whole.any(&mut |other| matches!(other, Ty::Path(there, _) if there == path))
            }
            _ => false,
        })
    }

    /// What mutable references in the arguments point to may be something else now.
    pub(crate) fn written_by_foreign(&mut self, state: &mut State, call: &Call) {
        for place in call.args.iter().filter_map(Operand::place) {
            if let Ty::Ref(true, inner) = self.type_of(place)
                && may_point(&inner)
            {
                let target = state.load(self.lvalue(state, place)).pointee();
                self.overwritten(state, &target);
            }
        }
    }

    /// Whether a value of this type may contain a guard, as far as it says.
    pub(crate) fn has_room(&self, ty: &Ty) -> bool {
        self.context.holds_guard(self.krate, ty) || self.context.may_hide(self.krate, ty)
    }

    /// Whether locks in a value are only lent to it.
    pub(crate) fn lends(&self, place: &Place) -> bool {
        let lent = |ty: &Ty| matches!(ty, Ty::Ref(_, inner) if self.context.names_lock(self.krate, inner));
        self.type_of(place).any(&mut |ty| lent(ty))
    }

    /// Releases what the first argument, or what it points to, holds.
    fn empty(&self, state: &mut State, call: &Call) {
        let Some(place) = call.args.first().and_then(Operand::place) else { return };
        match self.type_of(place) {
            Ty::Ref(..) => {
                if let Root::Local(local) = state.load(self.lvalue(state, place)).pointee().root {
                    state.release(local);
                }
            }
            _ => state.release(place.local),
        }
    }

    /// Guards in the arguments, and those that code among them `produced`, go wherever there is room for one: the
    /// result, or what another argument points to. Without room they are dropped.
    pub(crate) fn pass_through(&self, state: &mut State, call: &Call, produced: Vec<(HeldLock, Chain)>) {
        let roomy = |ty: &Ty| self.has_room(ty);
        let mut sources: BTreeSet<usize> = BTreeSet::new();
        let mut sinks: BTreeSet<Option<usize>> = BTreeSet::new();
        if roomy(&self.type_of(&call.dest)) {
            sinks.insert(self.holder_at(state, &call.dest));
        }
        let spells = |ty: &Ty| self.context.holds_guard(self.krate, ty);
        let types = || call.args.iter().filter_map(Operand::place).map(|place| self.type_of(place));
        let spelt_out = spells(&self.type_of(&call.dest))
            || types().any(|ty| matches!(ty, Ty::Ref(true, inner) if spells(&inner)));
        for place in call.args.iter().filter_map(Operand::place) {
            let ty = self.type_of(place);
            let Ty::Ref(mutable, inner) = &ty else { continue };
            let mutable = *mutable || takes_in(inner) && spells(inner);
            if !roomy(inner) || (!spelt_out && self.context.only_reads(self.krate, &ty)) {
                continue;
            }
            let target = match state.load(self.lvalue(state, place)).pointee().root {
                Root::Local(local) => Some(local),
                _ => None,
            };
            sources.extend(target);
            if mutable {
                sinks.insert(target);
            }
        }
        let moved: Vec<&Place> = call
            .args
            .iter()
            .filter_map(|operand| if let Operand::Move(place) = operand { Some(place) } else { None })
            .filter(|place| roomy(&self.type_of(place)))
            .collect();
        sources.extend(moved.iter().map(|place| place.local));
        // A pointer to what was owned: `Box::into_raw`.
        let points = |part: &Ty| matches!(part, Ty::Ptr(_, inner) | Ty::Ref(_, inner) if spells(inner));
        if sinks.is_empty()
            && moved.iter().any(|place| spells(&self.type_of(place)))
            && self.type_of(&call.dest).any(&mut |part| points(part))
        {
            sinks.insert(None);
        }
        let holdings: Vec<(HeldLock, Chain)> = sources
            .iter()
            .flat_map(|local| state.held_by(*local))
            .map(|(lock, chain)| (lock.clone(), chain.clone()))
            .chain(produced)
            .collect();
        for place in moved {
            if place.projection.is_empty() {
                state.release(place.local);
            }
            self.move_out(state, place, None);
        }
        for (lock, chain) in holdings {
            for holder in &sinks {
                keep(&mut state.held, Holding { lock: lock.clone(), holder: *holder }, chain.clone());
            }
        }
    }

    /// Acquiring functions that are passed as values: `map(Mutex::lock)`.
    fn acquires_in_arguments(&mut self, state: &mut State, call: &Call, span: &Span) {
        for operand in &call.args {
            let Operand::Fn(callee) = operand else { continue };
            let Some(Effect::Acquire(acquiring)) = self.context.effect(self.krate, callee) else { continue };
            // What it is called with comes from the other arguments, if they say anything.
            let home = call.args.iter().find_map(|arg| self.home_of(state, &self.value(state, arg)));
            let path = Path::unknown().living(home);
            let Some(class) = self.class_of(callee, &acquiring, &path, span) else { continue };
            let (lock, held) = (Lock { class, path }, acquiring.held);
            let chain = self.acquisition(class, held, acquiring.how == How::Tries, span);
            if acquiring.how != How::Tries {
                self.acquire(state, &Acquire { lock: lock.clone(), wanted: acquiring.wanted }, &chain);
            }
            let holder = self.holder_at(state, &call.dest);
            keep(&mut state.held, Holding { lock: HeldLock::Known(lock, held), holder }, chain);
        }
    }

    pub(crate) fn acquisition(&mut self, class: ClassId, held: Held, attempt: bool, span: &Span) -> Chain {
        self.meet(class, held, span);
        let how = match held {
            Held::Exclusive => "exclusive",
            Held::Shared => "shared",
        };
        let verb = if attempt { "tries" } else { "acquires" };
        self.step(format!("{verb} {} ({how})", self.context.class_name(class)), span)
    }

    /// Notes that a lock of a class is acquired here, if the class is known.
    pub(crate) fn meet(&mut self, class: ClassId, held: Held, span: &Span) {
        if !self.context.is_open(class)
            && !self.context.is_wait(class)
            && let Some(output) = &mut self.output
        {
            output.met.insert((class, held, span.clone()));
        }
    }

    /// Closures, function items and parameters that are code, in an argument.
    pub(crate) fn codes_in(&self, state: &State, operand: &Operand) -> Vec<Value> {
        let value = self.value(state, operand);
        let ty = operand.place().map_or(Ty::Never, |place| self.type_of(place));
        let mut found = Vec::new();
        let looked = match &value {
            Value::To(path) => state.load(path.clone()),
            other => other.clone(),
        };
        match &looked {
            Value::Code(..) => found.push(looked.clone()),
            Value::At(path) if path.is_open() && self.context.may_hide(self.krate, &ty) => {
                found.push(looked.clone());
            }
            _ => {}
        }
        let slot = match &value {
            Value::To(Path { root: Root::Local(local), steps, .. }) => Some((*local, steps.clone())),
            _ => operand.place().and_then(slot_of),
        };
        if let Some((local, steps)) = slot {
            let is_code = |steps: &[Step], value: &Value| match value {
                Value::Code(..) => true,
                Value::At(_) => steps.last().is_some_and(is_kept_code),
                _ => false,
            };
            let inner = state.subtree(local, &steps).into_iter().filter(|(steps, _)| !steps.is_empty());
            found.extend(inner.filter(|(steps, value)| is_code(steps, value)).map(|(_, value)| value));
        }
        found
    }
}

/// A part that stands for code which a foreign function put somewhere inside.
fn is_kept_code(step: &Step) -> bool {
    matches!(step, Step::Field(position) if *position > u32::MAX / 2)
}

/// Whether something may be put into a value of the type that is only shared.
fn takes_in(ty: &Ty) -> bool {
    matches!(ty, Ty::Path(path, _) if TAKING_IN.contains(&last(path)))
}

/// Whether a value of the type may be, or contain, a pointer.
fn may_point(ty: &Ty) -> bool {
    match ty {
        Ty::Path(path, _) => path.contains("::") || path.starts_with(char::is_uppercase),
        Ty::Tuple(types) => types.iter().any(may_point),
        Ty::Slice(inner) | Ty::Array(inner, _) => may_point(inner),
        Ty::Never | Ty::Const(_) => false,
        _ => true,
    }
}
