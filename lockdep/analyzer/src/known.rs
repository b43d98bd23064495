//! What the model tables know of names, as a crate prints them.
//!
//! The tables (`model.rs`) call things by family and last segments; here is how a printed path comes to that. This file
//! extends [`Context`] and decides nothing about locks.

use crate::context::Context;
use crate::index::Index;
use crate::mir::ir::{Callee, Ty};
use crate::model::{ChannelCall, Effect, Models, Side};

impl Context<'_> {
    /// How the model tables call a callee, if they may know it.
    pub fn callee_key(&self, krate: usize, callee: &Callee) -> Option<String> {
        callee_key(self.index, self.models, krate, callee)
    }

    /// The effect of a call, if the callee is known or goes by its name.
    pub fn effect(&self, krate: usize, callee: &Callee) -> Option<Effect> {
        self.known_effect(krate, callee)
            // What another crate calls spawning is: nobody runs the code before the call is over.
            .or_else(|| (starts_code(callee) && self.is_foreign(krate, callee)).then_some(Effect::Spawn))
    }

    /// The effect of a call, if a table names the callee.
    pub(crate) fn known_effect(&self, krate: usize, callee: &Callee) -> Option<Effect> {
        let known = self.callee_key(krate, callee).and_then(|key| self.models.effect(&key));
        known.or_else(|| self.channel_call(krate, callee).map(Effect::Channel))
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
        self.models.may_be_of_channels(path.rsplit("::").next().unwrap_or(path))
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

    fn is_foreign(&self, krate: usize, callee: &Callee) -> bool {
        matches!(callee, Callee::Path { path, .. } if self.index.name(krate, path).krate.is_empty())
    }

    /// Whether a value of this type, or one inside it, keeps a lock held.
    pub fn is_guard(&self, krate: usize, ty: &Ty) -> bool {
        let Ty::Path(path, _) = ty else { return false };
        self.key(krate, path, 1).is_some_and(|key| self.models.is_guard(&key))
    }

    /// Whether copies of a value of this type point to one object.
    pub fn is_pointer(&self, krate: usize, ty: &Ty) -> bool {
        match ty {
            Ty::Ref(..) => true,
            Ty::Path(path, _) => self.key(krate, path, 1).is_some_and(|key| self.models.is_pointer(&key)),
            _ => false,
        }
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
    let last = path.rsplit("::").next().unwrap_or(path);
    last == "spawn" || last.starts_with("spawn_")
}
