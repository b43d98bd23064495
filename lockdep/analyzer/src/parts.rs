//! Values with several guards in them: which part holds which.
//!
//! A function that is given such a value need not know which locks they are, but it can tell them apart: by the types of
//! what they guard. So a part that it hands back brings its own guard along, and not all of them. Where two parts guard
//! content of one type, or one that is not spelt out, they are not told apart.

use std::collections::{BTreeMap, BTreeSet};

use crate::chain::Chain;
use crate::context::Context;
use crate::flow::Flow;
use crate::graph::Held;
use crate::index::last;
use crate::mir::ir::{Place, Ty};
use crate::path::{Path, Step, Value};
use crate::place::slot_of;
use crate::seen::Seen;
use crate::state::State;
use crate::summary::HeldLock;

/// A part of a value that holds one guard.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The way to it.
    pub steps: Vec<Step>,
    /// How its guard holds its lock, if the guard's name says so.
    how: Option<Held>,
    /// The type of what is guarded, and the crate that prints it.
    content: (usize, Ty),
}

/// A guard that a callee is given, and the parts of the argument that it may be in, counted from one; none if that is
/// not known.
pub(crate) type Given = (HeldLock, Chain, Option<BTreeSet<usize>>);

impl Context<'_> {
    /// The parts of a value of this type that hold its guards, if they are several and can be told apart.
    pub(crate) fn guard_parts(&self, krate: usize, ty: &Ty) -> Vec<Part> {
        let mut found = Vec::new();
        let several = self.holds_guard(krate, ty) && !self.holds_one_guard(krate, ty);
        if !several || !self.find_parts(krate, ty, &mut Vec::new(), &mut found) {
            return Vec::new();
        }
        let contents: BTreeSet<&(usize, Ty)> = found.iter().map(|part| &part.content).collect();
        if contents.len() == found.len() { found } else { Vec::new() }
    }

    /// Whether all that there is in the type has been found.
    fn find_parts(&self, krate: usize, ty: &Ty, steps: &mut Vec<Step>, found: &mut Vec<Part>) -> bool {
        if self.holds_one_guard(krate, ty) {
            let content = self.guarded_content(krate, ty);
            let how = self.guards_how(krate, ty, 0);
            found.extend(content.map(|content| Part { steps: steps.clone(), how, content }));
            return found.last().is_some_and(|part| part.steps == *steps);
        }
        if !self.holds_guard(krate, ty) {
            return !self.may_hide(krate, ty);
        }
        let mut fields: BTreeMap<u32, BTreeSet<(usize, Ty)>> = BTreeMap::new();
        match ty {
            Ty::Tuple(types) => {
                let numbered = (0..).zip(types.iter());
                fields.extend(numbered.map(|(at, ty)| (at, BTreeSet::from([(krate, ty.clone())]))));
            }
            Ty::Path(path, args) if args.is_empty() && steps.len() < 4 => {
                for field in self.index.fields(krate, path) {
                    if !field.variant.is_empty() {
                        return false;
                    }
                    fields.entry(field.position).or_default().insert((field.krate, field.ty.clone()));
                }
            }
            _ => return false,
        }
        for (at, types) in fields {
            let [(krate, ty)] = types.iter().collect::<Vec<_>>()[..] else { return false };
            steps.push(Step::Field(at));
            let all = self.find_parts(*krate, ty, steps, found);
            steps.pop();
            if !all {
                return false;
            }
        }
        true
    }

    /// Whether what is behind a reference of this type keeps the guards that it has: it is shared, and neither is there
    /// a cell to take one out of, nor can the guards be had twice. Guards that own their lock sometimes can.
    pub(crate) fn only_reads(&self, krate: usize, ty: &Ty) -> bool {
        matches!(ty, Ty::Ref(false, inner) if self.keeps_guards(krate, inner, &mut Seen::default()))
    }

    fn keeps_guards(&self, krate: usize, ty: &Ty, seen: &mut Seen) -> bool {
        if let Ty::Path(path, _) = ty
            && self.is_guard(krate, ty)
        {
            let last = last(path);
            return !last.contains("Arc") && !last.contains("Owned");
        }
        if !self.holds_guard(krate, ty) {
            return !self.may_hide(krate, ty);
        }
        match ty {
            Ty::Tuple(types) => types.iter().all(|ty| self.keeps_guards(krate, ty, seen)),
            Ty::Path(path, args) => {
                let plain = ["Option", "Result", "Box", "Vec"].contains(&last(path));
                let fields: Vec<_> = self.index.fields(krate, path).collect();
                (plain || !fields.is_empty())
                    && args.iter().all(|ty| self.keeps_guards(krate, ty, seen))
                    && (!seen.insert(krate, ty)
                        || fields.iter().all(|field| self.keeps_guards(field.krate, &field.ty, seen)))
            }
            _ => false,
        }
    }

    /// How the one guard in a type holds its lock.
    fn guards_how(&self, krate: usize, ty: &Ty, depth: usize) -> Option<Held> {
        let Ty::Path(path, _) = ty else { return None };
        if self.is_guard(krate, ty) {
            let last = last(path);
            return match last {
                _ if last.contains("Upgrad") => None,
                _ if last.contains("Read") => Some(Held::Shared),
                _ if last.contains("Write") || last.contains("Mutex") => Some(Held::Exclusive),
                _ => None,
            };
        }
        let mut fields =
            self.index.fields(krate, path).filter(|field| self.holds_guard(field.krate, &field.ty));
        let only = fields.next().filter(|_| depth < 4)?;
        let how = self.guards_how(only.krate, &only.ty, depth + 1);
        fields.all(|field| self.guards_how(field.krate, &field.ty, depth + 1) == how).then_some(how)?
    }

    /// What the one guard in a type guards.
    fn guarded_content(&self, krate: usize, ty: &Ty) -> Option<(usize, Ty)> {
        let Ty::Path(path, args) = ty else { return None };
        if let Some(content) = args.last() {
            let parameter = |ty: &Ty| matches!(ty, Ty::Path(path, _) if self.index.is_parameter(krate, path));
            let lone = self.is_guard(krate, ty) || args.len() == 1;
            let spelt_out = !content.any(&mut |ty| parameter(ty)) && !self.holds_guard(krate, content);
            return (lone && spelt_out).then(|| (krate, content.clone()));
        }
        let mut fields =
            self.index.fields(krate, path).filter(|field| self.holds_guard(field.krate, &field.ty));
        let only = fields.next().filter(|field| field.ty != *ty)?;
        if fields.next().is_some() { None } else { self.guarded_content(only.krate, &only.ty) }
    }
}

impl Flow<'_, '_> {
    /// Where the guard with this number among the parameter's may be in relation to a part of it: not in it, or in it and
    /// nowhere else; none if that is not known.
    pub(crate) fn argument_in(&self, param: usize, number: usize, place: &Place) -> Option<bool> {
        let (local, steps) = slot_of(place).filter(|(local, _)| *local == param)?;
        let parts = self.context.guard_parts(self.krate, self.body.locals.get(local)?);
        let part = parts.get(number.checked_sub(1)?)?;
        Some(part.steps.starts_with(&steps) || steps.starts_with(&part.steps))
    }

    /// Which parts of an argument the guards may be in that are moved with `place`.
    pub(crate) fn given_parts(
        &self,
        state: &State,
        place: &Place,
        (krate, ty): (usize, &Ty),
        held: Vec<(HeldLock, Chain)>,
    ) -> Vec<Given> {
        let parts = self.context.guard_parts(krate, ty);
        let slot = slot_of(place).filter(|_| !parts.is_empty());
        let Some((local, steps)) = slot else {
            return held.into_iter().map(|(lock, chain)| (lock, chain, None)).collect();
        };
        let known: Vec<Option<Path>> = parts
            .iter()
            .map(|part| {
                let way: Vec<Step> = steps.iter().chain(&part.steps).cloned().collect();
                let mut guards =
                    state.subtree(local, &way).into_iter().filter_map(|(_, value)| match value {
                        Value::GuardOf(path) => Some(path),
                        _ => None,
                    });
                let only = guards.next().filter(|path| path.is_definite());
                if guards.next().is_some() { None } else { only }
            })
            .collect();
        let within = |lock: &HeldLock| -> Option<BTreeSet<usize>> {
            match lock {
                HeldLock::Known(lock, how) if lock.path.is_definite() => {
                    let itself = |path: &Option<Path>| path.as_ref().is_some_and(|p| p.same_way(&lock.path));
                    // Of an exclusive guard there is one; readers may be several of one lock.
                    let only = *how == Held::Exclusive && known.iter().any(itself);
                    let fits = |path: &Option<Path>| itself(path) || (!only && path.is_none());
                    let held_so = |part: &Part| part.how.is_none_or(|other| other == *how);
                    let fitting = known.iter().zip(&parts).map(|(path, part)| fits(path) && held_so(part));
                    Some((1..).zip(fitting).filter(|(_, fits)| *fits).map(|(number, _)| number).collect())
                }
                HeldLock::Argument(param, number) => {
                    let own = self.context.guard_parts(self.krate, self.body.locals.get(*param)?);
                    let content = &own.get(number.checked_sub(1)?)?.content;
                    let at = parts.iter().position(|part| part.content == *content)?;
                    Some(BTreeSet::from([at + 1]))
                }
                _ => None,
            }
        };
        held.into_iter().map(|(lock, chain)| (lock.clone(), chain, within(&lock))).collect()
    }
}
