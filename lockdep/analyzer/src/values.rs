//! What is known of the values of a function's locals and of their parts.
//!
//! One map for each local, which the states of many points share as long as none of them changes it. What a value means is
//! decided in `state.rs`, the only user.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::home::HomeId;
use crate::path::{MAX_STEPS, Slot, Step, Value};
use crate::shared::Shared;

/// The home that is one of two.
pub type Either<'e> = dyn Fn(HomeId, HomeId) -> Option<HomeId> + 'e;

/// The values of one local's parts.
type Parts = BTreeMap<Vec<Step>, Value>;

/// Of what is further inside a part than this nothing is known: a loop that puts a value into itself has no end.
const MAX_DEPTH: usize = MAX_STEPS;

/// Of a local with more known parts than this nothing is known.
const MAX_PARTS: usize = 512;

/// Values by slot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values(Shared<BTreeMap<usize, Shared<Parts>>>);

impl Values {
    /// What is known of a slot itself.
    pub fn get(&self, local: usize, steps: &[Step]) -> Option<&Value> {
        self.0.get(&local)?.get(steps)
    }

    /// Sets a slot, and nothing of its parts.
    pub fn insert(&mut self, (local, mut steps): Slot, mut value: Value) {
        if steps.len() > MAX_DEPTH {
            steps.truncate(MAX_DEPTH);
            value = Value::Unknown;
        }
        let parts = self.0.entry(local).or_default();
        parts.insert(steps, value);
        limit(parts);
    }

    /// What is known of a slot and of its parts, with the steps to the slot cut off.
    pub fn below<'s>(
        &'s self,
        local: usize,
        fields: &'s [Step],
    ) -> impl Iterator<Item = (&'s [Step], &'s Value)> {
        let from = (Bound::Included(fields), Bound::Unbounded);
        self.0
            .get(&local)
            .into_iter()
            .flat_map(move |parts| parts.range::<[Step], _>(from))
            .take_while(move |(steps, _)| steps.starts_with(fields))
            .map(move |(steps, value)| (&steps[fields.len()..], value))
    }

    /// Forgets everything known of a slot and of its parts.
    pub fn clear(&mut self, (local, fields): &Slot) {
        let Some(parts) = self.0.get(local) else { return };
        if parts.keys().all(|steps| steps.starts_with(fields)) {
            self.0.remove(local);
        } else if parts.keys().any(|steps| steps.starts_with(fields))
            && let Some(parts) = self.0.get_mut(local)
        {
            parts.retain(|steps, _| !steps.starts_with(fields));
        }
    }

    /// Exchanges the values for which `other` gives another.
    pub fn exchange(&mut self, other: impl Fn(&Value) -> Option<Value>) {
        let affected = |parts: &Parts| parts.values().any(|value| other(value).is_some());
        let locals: Vec<usize> =
            self.0.iter().filter(|(_, parts)| affected(parts)).map(|(local, _)| *local).collect();
        for local in locals {
            for value in self.0.entry(local).or_default().values_mut() {
                if let Some(other) = other(value) {
                    *value = other;
                }
            }
        }
    }

    /// Takes in what is known on another way to the same point; whether that changed anything.
    pub fn join(&mut self, other: &Values, either: &Either<'_>) -> bool {
        if self.0.is(&other.0) {
            return false;
        }
        let mut changes: Vec<(usize, Shared<Parts>)> = Vec::new();
        for (local, there) in other.0.iter() {
            match self.0.get(local) {
                Some(here) if here.is(there) => {}
                Some(here) => {
                    changes.extend(joined(here, there, either).map(|parts| (*local, Shared::new(parts))));
                }
                None => changes.push((*local, there.clone())),
            }
        }
        let changed = !changes.is_empty();
        if changed {
            self.0.extend(changes);
        }
        changed
    }
}

/// What is known of a local on both ways, if that is not what is known on the first.
fn joined(here: &Parts, there: &Parts, either: &Either<'_>) -> Option<Parts> {
    let mut changes: Vec<(&Vec<Step>, Value)> = Vec::new();
    for (steps, known) in here {
        let value = match there.get(steps) {
            Some(other) if other == known => continue,
            Some(other) => known.or(other, either),
            // Known on one way only: the other way did not initialise it (then nobody reads it before it is
            // assigned), unless the other way knows of the whole that this is a part of.
            None if !knows_whole(there, steps) => continue,
            None => Value::Unknown,
        };
        if value != *known {
            changes.push((steps, value));
        }
    }
    for (steps, other) in there {
        if !here.contains_key(steps) {
            let value = if knows_whole(here, steps) { Value::Unknown } else { other.clone() };
            changes.push((steps, value));
        }
    }
    (!changes.is_empty()).then(|| {
        let mut parts = here.clone();
        parts.extend(changes.into_iter().map(|(steps, value)| (steps.clone(), value)));
        limit(&mut parts);
        parts
    })
}

/// Gives up what is too much.
fn limit(parts: &mut Parts) {
    if parts.len() > MAX_PARTS {
        *parts = BTreeMap::from([(Vec::new(), Value::Unknown)]);
    }
}

fn knows_whole(parts: &Parts, steps: &[Step]) -> bool {
    (0..steps.len()).any(|end| parts.contains_key(&steps[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Path;

    #[test]
    fn what_is_too_far_inside_or_too_much_is_unknown() {
        let deep = |depth: usize| vec![Step::Deref; depth];
        let mut values = Values::default();
        values.insert((1, deep(MAX_DEPTH - 1)), Value::At(Path::unknown()));
        values.insert((1, deep(MAX_DEPTH + 1)), Value::At(Path::unknown()));
        let known: Vec<_> = values.below(1, &[]).map(|(steps, value)| (steps.len(), value.clone())).collect();
        assert_eq!(known, [(MAX_DEPTH - 1, Value::At(Path::unknown())), (MAX_DEPTH, Value::Unknown)]);

        let field = |number: usize| (1, vec![Step::Field(number as u32)]);
        (0..MAX_PARTS - 1).for_each(|number| values.insert(field(number), Value::At(Path::unknown())));
        let known: Vec<_> = values.below(1, &[]).collect();
        assert_eq!(known, [(&[][..], &Value::Unknown)]);
    }
}
