//! What is known at one point of a function: values of locals, locks held, locals moved out, roles established.
//!
//! The lattice of the data-flow in `flow.rs`. Order: more locks held, fewer locals surely moved, fewer roles
//! established, less known of values. `join` is the least upper bound, except that two different values of one
//! slot become unknown at once but for their homes, of which few are kept, which bounds the height. Only `flow.rs` and `apply.rs` change a state.

use std::collections::{BTreeMap, BTreeSet};

use crate::chain::{Chain, keep};
use crate::path::{Path, Root, Slot, Step, Value};
use crate::shared::Shared;
use crate::summary::HeldLock;
use crate::values::{Either, Values};

/// A lock held, and the local whose drop releases it; none if it got out of sight.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holding {
    /// The lock.
    pub lock: HeldLock,
    /// The local that contains the guard.
    pub holder: Option<usize>,
}

/// The values of a slot's parts, by the way to them.
pub type Tree = Vec<(Vec<Step>, Value)>;

/// What is known at one point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Values of locals and of their fields.
    pub values: Values,
    /// What may be held.
    pub held: Shared<BTreeMap<Holding, Chain>>,
    /// Of these, those that surely are: by a guard that is in its local on every way here.
    pub sure: Shared<BTreeSet<Holding>>,
    /// Locals that are surely moved out.
    pub moved: Shared<BTreeSet<usize>>,
    /// (subject, controller): the second surely controls the first.
    pub roles: BTreeSet<(Path, Path)>,
}

/// So many slots may be looked into to follow one path. Where a value leads back to its own slot, the way has no end;
/// what is not found after this many is not known.
const MAX_LOOKUPS: usize = 256;

impl State {
    /// The value stored at `path`.
    pub fn load(&self, path: Path) -> Value {
        self.load_within(path, &mut { MAX_LOOKUPS })
    }

    /// The place at the end of `steps`, which are not empty, from a value.
    pub fn place_from(&self, value: Value, steps: &[Step]) -> Path {
        self.place_within(value, steps, &mut { MAX_LOOKUPS })
    }

    /// The place one step from a place.
    pub fn step(&self, place: Path, step: &Step) -> Path {
        self.step_within(place, step, &mut { MAX_LOOKUPS })
    }

    fn load_within(&self, path: Path, lookups: &mut usize) -> Value {
        let Root::Local(local) = path.root else { return Value::At(path) };
        let Some(left) = lookups.checked_sub(1) else { return Value::Unknown };
        *lookups = left;
        for end in (0..=path.steps.len()).rev() {
            let steps = &path.steps[..end];
            match self.values.get(local, steps) {
                // A capture that is not known: its slot would be found below the closure's own.
                Some(Value::Code(_, (owner, fields)))
                    if (*owner, fields.as_slice()) == (local, steps) && end < path.steps.len() =>
                {
                    return Value::Unknown;
                }
                Some(value) if value.beyond(&path.steps[end..]).is_empty() => return value.clone(),
                Some(value) => {
                    let place = self.place_within(value.clone(), &path.steps[end..], lookups);
                    return self.load_within(place, lookups);
                }
                None => {}
            }
        }
        Value::At(path)
    }

    fn place_within(&self, value: Value, steps: &[Step], lookups: &mut usize) -> Path {
        let Some((first, rest)) = value.beyond(steps).split_first() else { return Path::unknown() };
        let mut place = match (first, value) {
            (Step::Deref, value) => value.pointee(),
            (step, Value::At(path)) => path.then(step.clone()),
            (step, Value::Code(_, (local, fields))) => {
                let path = Path { steps: fields, ..Path::from(Root::Local(local)) };
                path.then(step.clone())
            }
            _ => Path::unknown(),
        };
        for step in rest {
            place = self.step_within(place, step, lookups);
        }
        place
    }

    fn step_within(&self, place: Path, step: &Step, lookups: &mut usize) -> Path {
        let below = place.clone().then(step.clone());
        if let Root::Local(local) = below.root
            && self.values.below(local, &below.steps).next().is_some()
        {
            return below;
        }
        match step {
            Step::Deref => self.load_within(place, lookups).pointee(),
            _ => match self.load_within(place, lookups) {
                // A place inside a local that is known by its parts stays a place of the local.
                Value::At(path) => path.then(step.clone()),
                Value::Code(_, (local, fields)) => {
                    Path { steps: fields, ..Path::from(Root::Local(local)) }.then(step.clone())
                }
                value if value.beyond(std::slice::from_ref(step)).is_empty() => below,
                _ => Path::unknown(),
            },
        }
    }

    /// Everything known of `local` below `fields`, with those fields cut off.
    pub fn subtree(&self, local: usize, fields: &[Step]) -> Tree {
        self.values.below(local, fields).map(|(steps, value)| (steps.to_vec(), value.clone())).collect()
    }

    /// Forgets everything known of the slot and its parts.
    pub fn clear(&mut self, slot: &Slot) {
        self.values.clear(slot);
    }

    /// Puts a tree of values into a slot that was cleared.
    pub fn store(&mut self, slot: &Slot, tree: Tree) {
        for (steps, mut value) in tree {
            let place: Vec<Step> = slot.1.iter().chain(&steps).cloned().collect();
            match &mut value {
                Value::Code(_, captures) => *captures = (slot.0, place.clone()),
                // "Stored where it is stored" says nothing and would lead in circles.
                Value::At(Path { root: Root::Local(_), .. }) => value = Value::Unknown,
                _ => {}
            }
            self.values.insert((slot.0, place), value);
        }
    }

    /// Moves guards from one local to another, or out of sight.
    pub fn rehold(&mut self, from: usize, to: Option<usize>) {
        let moving: Vec<Holding> = self.held.keys().filter(|h| h.holder == Some(from)).cloned().collect();
        for holding in moving {
            if let Some(chain) = self.held.remove(&holding) {
                let sure = self.sure.contains(&holding) && self.sure.remove(&holding) && to.is_some();
                let holding = Holding { holder: to, ..holding };
                if sure {
                    self.sure.insert(holding.clone());
                }
                keep(&mut self.held, holding, chain);
            }
        }
    }

    /// Releases what `local` holds.
    pub fn release(&mut self, local: usize) {
        if self.held_by(local).next().is_some() {
            self.held.retain(|holding, _| holding.holder != Some(local));
        }
        self.keep_sure(|holding, _| holding.holder != Some(local));
    }

    /// Forgets that something is surely held where it is not held or not by one of the locals for which `keeps`
    /// holds.
    pub fn doubt(&mut self, keeps: impl Fn(usize) -> bool) {
        self.keep_sure(|holding, held| held.contains_key(holding) && holding.holder.is_some_and(&keeps));
    }

    /// Forgets that something is surely held unless `keeps` holds of it and of all that is held.
    fn keep_sure(&mut self, keeps: impl Fn(&Holding, &BTreeMap<Holding, Chain>) -> bool) {
        if !self.sure.iter().all(|holding| keeps(holding, &self.held)) {
            self.sure.retain(|holding| keeps(holding, &self.held));
        }
    }

    /// Whether the local is surely moved out, from here on.
    pub fn set_moved(&mut self, local: usize, moved: bool) {
        if self.moved.contains(&local) == moved {
            return;
        }
        if moved {
            self.moved.insert(local);
        } else {
            self.moved.remove(&local);
        }
    }

    /// What `local` holds.
    pub fn held_by(&self, local: usize) -> impl Iterator<Item = (&HeldLock, &Chain)> {
        self.held.iter().filter(move |(h, _)| h.holder == Some(local)).map(|(h, chain)| (&h.lock, chain))
    }

    /// Replaces every path for which `stale` holds by the unknown one.
    pub fn age(&mut self, stale: impl Fn(&Path) -> bool) {
        self.values.exchange(|value| match value {
            Value::To(path) | Value::At(path) | Value::GuardOf(path) if stale(path) => {
                Some(value.forgotten())
            }
            _ => None,
        });
        self.roles.retain(|(lower, upper)| !stale(lower) && !stale(upper));
        let stale = |lock: &HeldLock| matches!(lock, HeldLock::Known(lock, _) if stale(&lock.path));
        if self.held.keys().any(|holding| stale(&holding.lock)) {
            for (mut holding, chain) in std::mem::take(&mut *self.held) {
                let is_stale = stale(&holding.lock);
                if let HeldLock::Known(lock, _) = &mut holding.lock
                    && is_stale
                {
                    lock.path = lock.path.forgotten();
                }
                keep(&mut self.held, holding, chain);
            }
        }
        // One whose path is forgotten is held still, but nobody knows which it is.
        self.keep_sure(|holding, held| held.contains_key(holding));
    }

    /// Takes in what is known on another way to the same point; whether that changed anything.
    pub fn join(&mut self, other: &State, either: &Either<'_>) -> bool {
        let mut changed = self.values.join(&other.values, either);
        let surely = self.sure.len();
        self.keep_sure(|holding, held| {
            let there = other.sure.contains(holding) && other.held.contains_key(holding);
            there && held.contains_key(holding)
        });
        changed |= self.sure.len() != surely;
        if !self.held.is(&other.held) {
            for (holding, chain) in &other.held {
                if self.held.get(holding).is_none_or(|known| chain < known) {
                    self.held.insert(holding.clone(), chain.clone());
                    changed = true;
                }
            }
        }
        let before = self.roles.len();
        self.roles.retain(|role| other.roles.contains(role));
        changed |= before != self.roles.len();
        if self.moved.iter().any(|local| !other.moved.contains(local)) {
            self.moved.retain(|local| other.moved.contains(local));
            changed = true;
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_to_itself_leads_nowhere() {
        let local = |steps: &[Step]| Path { steps: steps.to_vec(), ..Path::from(Root::Local(3)) };
        let nowhere = |value: Value| value.path().is_none_or(|path| *path == Path::unknown());
        let mut state = State::default();
        state.values.insert((3, Vec::new()), Value::To(local(&[Step::Deref])));
        assert!(nowhere(state.load(local(&[Step::Deref]))));
        assert_eq!(state.step(local(&[Step::Deref]), &Step::Field(0)), Path::unknown());
        // Two that point to each other, further apart.
        state.values.insert((3, Vec::new()), Value::To(Path::from(Root::Local(4)).then(Step::Deref)));
        state.values.insert((4, Vec::new()), Value::To(local(&[Step::Deref])));
        assert!(nowhere(state.load(local(&[Step::Deref, Step::Field(1)]))));
        assert_eq!(state.load(local(&[])), Value::To(Path::from(Root::Local(4)).then(Step::Deref)));
    }
}
