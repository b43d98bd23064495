//! What the model tables know of names, as a crate prints them.
//!
//! The tables (`model.rs`) call things by family and last segments; here is how a printed path comes to that. This file
//! extends [`Context`] and decides nothing about locks.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::context::Context;
use crate::index::{BodyId, Index, last};
use crate::mir::ir::{Callee, Ty};
use crate::model::{ChannelCall, Effect, Models, Side};

/// What a callee's name alone says; there are many calls for each name.
#[derive(Clone, Debug)]
pub struct Known {
    key: Option<Rc<str>>,
    /// What the tables say.
    listed: Option<Effect>,
    /// The same, or what the name says.
    effect: Option<Effect>,
    function: Option<BodyId>,
}

/// What the tables say of a type by its name.
#[derive(Clone, Copy, Debug)]
pub struct KnownType {
    /// See [`Models::is_guard`].
    pub is_guard: bool,
    /// See [`Models::is_pointer`].
    pub is_pointer: bool,
    /// See [`Models::is_placed_lock`].
    pub is_lock: bool,
    /// See [`Models::is_signal`].
    pub is_signal: bool,
    /// See [`Models::methods_run_by_drop`].
    pub runs_ours: bool,
}

/// An answer for each name.
type ByName<T> = FxHashMap<String, T>;

/// Answers given before, by the crate that prints the name. Never iterated.
#[derive(Debug, Default)]
pub struct KnownNames {
    paths: RefCell<FxHashMap<usize, ByName<Known>>>,
    methods: RefCell<FxHashMap<usize, ByName<ByName<Known>>>>,
    types: RefCell<FxHashMap<usize, ByName<KnownType>>>,
}

impl Context<'_> {
    /// How the model tables call a callee, if they may know it.
    pub fn callee_key(&self, krate: usize, callee: &Callee) -> Option<Rc<str>> {
        self.known(krate, callee)?.key
    }

    /// The effect of a call, if the callee is known or goes by its name.
    pub fn effect(&self, krate: usize, callee: &Callee) -> Option<Effect> {
        self.known(krate, callee)?.effect
    }

    /// The effect of a call, if a table names the callee.
    pub(crate) fn known_effect(&self, krate: usize, callee: &Callee) -> Option<Effect> {
        self.known(krate, callee)?.listed
    }

    /// What a callee does with a channel: its type is told from others by its module.
    fn channel_call(&self, krate: usize, callee: &Callee) -> Option<ChannelCall> {
        let Callee::Path { path, .. } = callee else { return None };
        self.may_be_of_channels(path).then_some(())?;
        let of = |segments| self.models.channel_call(&self.key(krate, path, segments)?);
        of(3).or_else(|| of(2))
    }

    /// The side of the channel end that values of the type at this path are.
    pub(crate) fn end(&self, krate: usize, path: &str) -> Option<Side> {
        self.may_be_of_channels(path).then_some(())?;
        let of = |segments| self.models.end(&self.key(krate, path, segments)?);
        of(2).or_else(|| of(1))
    }

    fn may_be_of_channels(&self, path: &str) -> bool {
        self.models.may_be_of_channels(last(path))
    }

    /// Whether a value of this type is, or takes from, an iterator over the messages of a channel.
    pub(crate) fn drains(&self, krate: usize, ty: &Ty) -> bool {
        let of = |path: &str, segments| {
            self.key(krate, path, segments).is_some_and(|key| self.models.drains(&key))
        };
        ty.any(&mut |part| {
            matches!(part, Ty::Path(path, _)
            if self.may_be_of_channels(path) && (of(path, 2) || of(path, 1)))
        })
    }

    /// The body of a function that is called by its path, if it was read.
    pub fn functions(&self, krate: usize, callee: &Callee) -> Vec<BodyId> {
        match callee {
            // Names are of one crate nearly everywhere.
            Callee::Path { path, .. } if !self.index.namesakes.is_empty() => {
                self.index.functions(krate, path)
            }
            _ => self.known(krate, callee).and_then(|known| known.function).into_iter().collect(),
        }
    }

    fn known(&self, krate: usize, callee: &Callee) -> Option<Known> {
        match callee {
            Callee::Path { path, .. } => {
                let known = self.known_names.paths.borrow();
                if let Some(known) = known.get(&krate).and_then(|known| known.get(path)) {
                    return Some(known.clone());
                }
                drop(known);
                let found = Known { function: self.index.function(krate, path), ..self.find(krate, callee) };
                let mut known = self.known_names.paths.borrow_mut();
                known.entry(krate).or_default().insert(path.clone(), found.clone());
                Some(found)
            }
            Callee::Qualified { of: Some(Ty::Path(of, _)), method, .. } => {
                let known = self.known_names.methods.borrow();
                let methods = known.get(&krate).and_then(|known| known.get(&**of));
                if let Some(known) = methods.and_then(|known| known.get(method)) {
                    return Some(known.clone());
                }
                drop(known);
                let found = self.find(krate, callee);
                let mut known = self.known_names.methods.borrow_mut();
                let methods = known.entry(krate).or_default().entry(of.to_string()).or_default();
                methods.insert(method.clone(), found.clone());
                Some(found)
            }
            _ => None,
        }
    }

    /// What the tables say of a callee.
    fn find(&self, krate: usize, callee: &Callee) -> Known {
        let key = callee_key(self.index, self.models, krate, callee);
        let listed = key.as_ref().and_then(|key| self.models.effect(key));
        let listed = listed.or_else(|| self.channel_call(krate, callee).map(Effect::Channel));
        // What another crate calls spawning is: nobody runs the code before the call is over.
        let spawns = || (starts_code(callee) && self.is_foreign(krate, callee)).then_some(Effect::Spawn);
        Known { key: key.map(Rc::from), listed, effect: listed.or_else(spawns), function: None }
    }

    fn is_foreign(&self, krate: usize, callee: &Callee) -> bool {
        matches!(callee, Callee::Path { path, .. } if self.index.name(krate, path).krate.is_empty())
    }

    /// Whether a value of this type, or one inside it, keeps a lock held.
    pub fn is_guard(&self, krate: usize, ty: &Ty) -> bool {
        matches!(ty, Ty::Path(path, _) if self.known_type(krate, path).is_guard)
    }

    /// Whether copies of a value of this type point to one object.
    pub fn is_pointer(&self, krate: usize, ty: &Ty) -> bool {
        match ty {
            Ty::Ref(..) => true,
            Ty::Path(path, _) => self.known_type(krate, path).is_pointer,
            _ => false,
        }
    }

    /// What the tables say of the type that is printed as `path`.
    pub(crate) fn known_type(&self, krate: usize, path: &str) -> KnownType {
        let known = self.known_names.types.borrow();
        if let Some(known) = known.get(&krate).and_then(|known| known.get(path)) {
            return *known;
        }
        drop(known);
        let key = self.key(krate, path, 1);
        let says = |test: fn(&Models, &str) -> bool| key.as_ref().is_some_and(|key| test(self.models, key));
        let found = KnownType {
            is_guard: says(Models::is_guard),
            is_pointer: says(Models::is_pointer),
            is_lock: says(Models::is_placed_lock),
            is_signal: says(Models::is_signal),
            runs_ours: says(|models, key| models.methods_run_by_drop(key).next().is_some()),
        };
        let mut known = self.known_names.types.borrow_mut();
        known.entry(krate).or_default().insert(path.to_owned(), found);
        found
    }

    pub(crate) fn key(&self, krate: usize, path: &str, segments: usize) -> Option<String> {
        key(self.index, self.models, krate, path, segments)
    }
}

/// How the model tables call a callee that is printed in crate `krate`, if they may know it.
pub fn callee_key(index: &Index<'_>, models: &Models, krate: usize, callee: &Callee) -> Option<String> {
    match callee {
        Callee::Path { path, .. } => key(index, models, krate, path, 2),
        Callee::Qualified { of: Some(Ty::Path(of, _)), method, .. } => {
            let known = key(index, models, krate, of, 1).map(|of| format!("{of}::{method}"));
            let is_known =
                |key: &String| models.effect(key).is_some() || models.methods_run_by(key).next().is_some();
            known.filter(is_known).or_else(|| {
                // A trait is printed by its visible path, which may be another crate's `__Deref`.
                let name = index.name(krate, of);
                let last = name.last().trim_start_matches('_');
                name.krate.is_empty().then(|| format!("std::{last}::{method}"))
            })
        }
        _ => None,
    }
}

fn key(index: &Index<'_>, models: &Models, krate: usize, path: &str, segments: usize) -> Option<String> {
    // The tables know items by where their users see them.
    let name = index.printed(krate, path);
    models.key(&name.krate, &name.path, segments)
}

/// Whether a function's name says that it starts a task or a thread.
fn starts_code(callee: &Callee) -> bool {
    let Callee::Path { path, .. } = callee else { return false };
    let last = last(path);
    last == "spawn" || last.starts_with("spawn_")
}
