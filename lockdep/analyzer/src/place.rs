//! Places of a function: their paths, types and values, and moving guards with what is moved.
//!
//! Part of the transfer functions of `flow.rs` and `apply.rs`; it judges nothing.

use crate::chain::{Chain, keep};
use crate::flow::Flow;
use crate::home::{Home, HomeId};
use crate::index::{element, pointee, type_of};
use crate::mir::ir::{Operand, Place, Projection, Ty};
use crate::path::{Path, Root, Slot, Step, Value};
use crate::state::{Holding, State, Tree};
use crate::summary::HeldLock;

impl Flow<'_, '_> {
    /// Takes guards and contents out of `place`.
    pub(crate) fn move_out(&self, state: &mut State, place: &Place, to: Option<usize>) {
        if place.projection.is_empty() {
            state.rehold(place.local, to);
        } else {
            self.move_part(state, place, to);
        }
        if let Some(slot) = slot_of(place) {
            state.clear(&slot);
            if slot.1.is_empty() {
                state.set_moved(place.local, true);
            }
        }
    }

    /// Takes the guards in a part of a local along. Where it is not certain which of several they are, both the
    /// part and the rest are taken to hold them.
    fn move_part(&self, state: &mut State, place: &Place, to: Option<usize>) {
        let part = self.type_of(place);
        if !self.context.holds_guard(self.krate, &part) && !self.context.may_hide(self.krate, &part) {
            return;
        }
        let value = state.load(self.lvalue(state, place));
        let classes = self.context.classes_of_guards(self.krate, &part);
        let whole = self.body.locals.get(place.local).cloned().unwrap_or(Ty::Never);
        let only_one = self.context.holds_one_guard(self.krate, &whole)
            && self.context.holds_one_guard(self.krate, &part);
        let holdings: Vec<(HeldLock, Chain)> =
            state.held_by(place.local).map(|(lock, chain)| (lock.clone(), chain.clone())).collect();
        for (lock, chain) in holdings {
            let mut exact = only_one;
            if let HeldLock::Argument(param, number) = lock {
                match self.argument_in(param, number, place) {
                    Some(false) => continue,
                    Some(true) => exact = self.context.holds_guard(self.krate, &part),
                    None => {}
                }
            }
            if let HeldLock::Known(known, _) = &lock {
                let spelt_out = !classes.is_empty() && classes.iter().all(Option::is_some);
                if spelt_out && !classes.contains(&Some(known.class)) {
                    continue;
                }
                if let Value::GuardOf(path) = &value
                    && path.is_definite()
                    && known.path.is_definite()
                {
                    if !path.same_way(&known.path) {
                        continue;
                    }
                    exact = true;
                }
            }
            let there = Holding { lock: lock.clone(), holder: Some(place.local) };
            let sure = state.sure.remove(&there);
            if exact {
                state.held.remove(&there);
                state.sure.extend((sure && to.is_some()).then_some(Holding { holder: to, ..there }));
            }
            keep(&mut state.held, Holding { lock, holder: to }, chain);
        }
    }

    /// The local whose drop releases what is put into `place`.
    pub(crate) fn holder_at(&self, state: &State, place: &Place) -> Option<usize> {
        if slot_of(place).is_some() {
            return Some(place.local);
        }
        match self.lvalue(state, place).root {
            Root::Local(local) => Some(local),
            _ => None,
        }
    }

    /// Puts values into a place; `made` names them if they are not known.
    pub(crate) fn put(&mut self, state: &mut State, dest: &Place, tree: Tree, made: usize) {
        let stale = |path: &Path| path.root == Root::Made(self.id, made);
        state.age(stale);
        let slot = match slot_of(dest) {
            Some(slot) => slot,
            None => {
                let target = self.lvalue(state, dest);
                let Root::Local(local) = target.root else {
                    return self.overwritten(state, &target);
                };
                (local, target.steps)
            }
        };
        state.clear(&slot);
        if slot.1.is_empty() {
            state.set_moved(slot.0, false);
        }
        state.store(&slot, tree);
    }

    /// Something else may be in `target` now: whatever was reached through the old content is another object.
    pub(crate) fn overwritten(&mut self, state: &mut State, target: &Path) {
        if let Root::Local(local) = target.root {
            let slot = (local, target.steps.clone());
            // What a container is given is put where the container lives (`stored.rs`).
            let left = state.load(target.clone()).forgotten();
            state.clear(&slot);
            state.values.insert(slot, left);
            return;
        }
        state.age(|path| path.goes_through(target));
        if let (Root::Param(_), Some(output)) = (&target.root, &mut self.output) {
            output.add_write(target);
        }
    }

    /// A fresh value, named by where it is made.
    pub(crate) fn set_unknown(&mut self, state: &mut State, dest: &Place, block: usize) {
        self.set_made(state, dest, block, None);
    }

    /// A fresh value, named by where it is made; locks inside it would live there.
    pub(crate) fn set_made(&mut self, state: &mut State, dest: &Place, block: usize, home: Option<HomeId>) {
        let made = block * 4096;
        let owning = self.context.index.is_owner(self.krate, &self.type_of(dest));
        let path = Path::from(Root::Made(self.id, made)).living(home);
        let value = Value::At(if owning { path.owning() } else { path });
        self.put(state, dest, vec![(Vec::new(), value)], made);
    }

    /// The path of a place, with its owner marked.
    pub(crate) fn lvalue(&self, state: &State, place: &Place) -> Path {
        let mut path = Path::from(Root::Local(place.local));
        let mut ty = self.body.locals.get(place.local).cloned().unwrap_or(Ty::Never);
        let mut variant = "";
        for projection in &place.projection {
            let step = match projection {
                Projection::Deref => Step::Deref,
                Projection::Field(field, _) => Step::Field(*field),
                Projection::Downcast(variant) => Step::Variant(variant.as_str().into()),
                Projection::Index => Step::Index,
                Projection::Cast(to) => {
                    ty = to.clone();
                    continue;
                }
            };
            path = state.step(path, &step);
            // A field of a parameter's type is whatever the type is used with: a counted pointer of one's own, say.
            let generic =
                |of: &Ty| matches!(of, Ty::Path(of, _) if self.context.index.is_parameter(self.krate, of));
            if let Projection::Field(field, of) = projection
                && !generic(of)
            {
                let home = self.context.home_of_field(self.krate, &ty, variant, *field, of, &path);
                path = path.living(home);
            }
            variant = if let Projection::Downcast(variant) = projection { variant } else { "" };
            ty = match projection {
                Projection::Deref => pointee(&ty),
                Projection::Field(_, of) => of.clone(),
                Projection::Index => element(&ty),
                Projection::Downcast(_) | Projection::Cast(_) => ty,
            };
            if self.context.index.is_owner(self.krate, &ty) {
                path = path.owning();
            }
        }
        path
    }

    /// The path of a static.
    pub(crate) fn static_path(&self, path: &str) -> Path {
        let name = self.context.static_name(self.krate, path);
        let home = self.context.home(Home::Static(name.clone()));
        Path::from(Root::Static(name)).living(Some(home))
    }

    /// The home of the object that a value is or points to.
    pub(crate) fn home_of(&self, state: &State, value: &Value) -> Option<HomeId> {
        let path = value.path()?;
        match (path.home, &path.root) {
            (None, Root::Local(_)) => state.load(path.clone()).path()?.home,
            (home, _) => home,
        }
    }

    /// The type of a place, as far as the text says.
    pub(crate) fn type_of(&self, place: &Place) -> Ty {
        type_of(&self.body.locals, place)
    }

    /// The value of an operand.
    pub(crate) fn value(&self, state: &State, operand: &Operand) -> Value {
        match operand {
            Operand::Copy(place) | Operand::Move(place) => match state.load(self.lvalue(state, place)) {
                // An aggregate known by its parts is passed as its storage.
                Value::At(path) if matches!(path.root, Root::Local(_)) => Value::At(path),
                value => value,
            },
            Operand::Static(path) => Value::To(self.static_path(path)),
            Operand::Fn(callee) => match self.context.resolve(self.krate, callee).exactly_one() {
                Some(body) => Value::Code(body, (usize::MAX, Vec::new())),
                None => Value::Unknown,
            },
            Operand::Const(_) => Value::Unknown,
        }
    }
}

/// The slot of a place that stays inside its local.
pub(crate) fn slot_of(place: &Place) -> Option<Slot> {
    let mut steps = Vec::new();
    for projection in &place.projection {
        match projection {
            Projection::Field(field, _) => steps.push(Step::Field(*field)),
            Projection::Downcast(variant) => steps.push(Step::Variant(variant.as_str().into())),
            Projection::Cast(_) => {}
            Projection::Deref | Projection::Index => return None,
        }
    }
    Some((place.local, steps))
}
