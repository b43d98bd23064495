//! Calls of functions that were not read: what is assumed of them, and what is noted.
//!
//! A foreign function is assumed to take none of the locks, to call the code it is given in place, and to put guards
//! wherever there is room for them. Called from `apply.rs`.

use std::collections::BTreeSet;

use crate::apply::{Calling, describe};
use crate::flow::Flow;
use crate::graph::{Held, Step as ChainStep};
use crate::home::{Home, HomeId};
use crate::mir::ir::{Call, Operand, Place, Span, Ty};
use crate::model::{Effect, How, canonical};
use crate::path::{Path, Root, Step, Value};
use crate::place::slot_of;
use crate::state::{Holding, State, Tree};
use crate::summary::{Acquire, Chain, ClassId, HeldLock, Lock, Note, keep};

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
        let codes: Vec<(Value, Ty)> =
            call.args.iter().flat_map(|operand| self.codes_in(state, operand)).collect();
        // Code that stands in for a content runs only where there is none.
        let mut without = state.clone();
        if ["unwrap_or_else", "or_else", "get_or_insert_with"].iter().any(|method| name.ends_with(method)) {
            self.empty(&mut without, call);
        }
        let mut returned = Vec::new();
        for (code, _) in &codes {
            returned.extend(self.apply_code(&without, code, Vec::new(), Calling::Perhaps, &name, span));
        }
        let home = self.made_home(state, call, block);
        self.acquires_in_arguments(state, call, span);
        let kept: Vec<Value> = codes
            .into_iter()
            .filter(|(code, _)| matches!(code, Value::Code(..)))
            .map(|(code, _)| code)
            .collect();
        let captures: Vec<Tree> = kept
            .into_iter()
            .map(|code| match &code {
                Value::Code(_, (local, steps)) => state.subtree(*local, steps),
                _ => Vec::new(),
            })
            .collect();
        self.pass_through(state, call);
        self.set_made(state, &call.dest, block, home);
        if self.context.holds_guard(self.krate, &self.type_of(&call.dest)) {
            let holder = self.holder_at(state, &call.dest);
            for (lock, chain) in returned {
                keep(&mut state.held, Holding { lock, holder }, chain);
            }
        }
        // An adaptor that was given a closure may call it later, when it is itself passed on.
        let lasting = self.type_of(&call.dest).any(&mut |ty| matches!(ty, Ty::Closure(_) | Ty::Opaque(_)));
        if lasting && let Some(slot) = slot_of(&call.dest) {
            for (position, tree) in captures.into_iter().enumerate() {
                let mut within = slot.clone();
                within.1.push(Step::Field(u32::MAX - position as u32));
                state.store(&within, tree);
            }
        }
    }

    /// Where locks inside the result of a foreign call live: where it was constructed, if it is a lock; otherwise it
    /// is taken to come out of the first argument that has a home.
    fn made_home(&self, state: &State, call: &Call, block: usize) -> Option<HomeId> {
        if self.context.lock_type(self.krate, &self.type_of(&call.dest)).is_some() {
            return Some(self.context.home(Home::Site(self.id, block)));
        }
        call.args.iter().find_map(|arg| self.home_of(state, &self.value(state, arg)))
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

    /// Guards in the arguments go wherever there is room for one: the result, or what another argument points to.
    /// Without room they are dropped.
    pub(crate) fn pass_through(&self, state: &mut State, call: &Call) {
        let roomy =
            |ty: &Ty| self.context.holds_guard(self.krate, ty) || self.context.may_hide(self.krate, ty);
        let mut sources: BTreeSet<usize> = BTreeSet::new();
        let mut sinks: BTreeSet<Option<usize>> = BTreeSet::new();
        if roomy(&self.type_of(&call.dest)) {
            sinks.insert(self.holder_at(state, &call.dest));
        }
        for place in call.args.iter().filter_map(Operand::place) {
            let ty = self.type_of(place);
            let Ty::Ref(mutable, inner) = &ty else { continue };
            if !roomy(inner) {
                continue;
            }
            let target = match state.load(self.lvalue(state, place)).pointee().root {
                Root::Local(local) => Some(local),
                _ => None,
            };
            sources.extend(target);
            if *mutable {
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
        let holdings: Vec<(HeldLock, Chain)> = sources
            .iter()
            .flat_map(|local| state.held_by(*local))
            .map(|(lock, chain)| (lock.clone(), chain.clone()))
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

    pub(crate) fn acquisition(&self, class: ClassId, held: Held, attempt: bool, span: &Span) -> Chain {
        let how = match held {
            Held::Exclusive => "exclusive",
            Held::Shared => "shared",
        };
        let verb = if attempt { "tries" } else { "acquires" };
        Chain::of(ChainStep {
            function: self.context.function_name(self.id),
            action: format!("{verb} {} ({how})", self.context.class_name(class)),
            span: span.clone(),
        })
    }

    /// Closures, function items and parameters that are code, in an argument.
    pub(crate) fn codes_in(&self, state: &State, operand: &Operand) -> Vec<(Value, Ty)> {
        let value = self.value(state, operand);
        let ty = operand.place().map_or(Ty::Never, |place| self.type_of(place));
        let mut found = Vec::new();
        let looked = match &value {
            Value::To(path) => state.load(path.clone()),
            other => other.clone(),
        };
        match &looked {
            Value::Code(..) => found.push((looked.clone(), ty.clone())),
            Value::At(path) if path.is_open() && self.context.may_hide(self.krate, &ty) => {
                found.push((looked.clone(), ty.clone()));
            }
            _ => {}
        }
        if let Some(place) = operand.place()
            && let Some((local, steps)) = slot_of(place)
        {
            let inner = state.subtree(local, &steps).into_iter().filter(|(steps, _)| !steps.is_empty());
            found.extend(inner.filter(|(_, v)| matches!(v, Value::Code(..))).map(|(_, v)| (v, ty.clone())));
        }
        found
    }
}
