//! Generic functions once more for types that are known: the same body under a number of its own.
//!
//! It keeps them; which there are is for `copies.rs` to find.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{BodyId, Index};
use crate::mir::ir::Ty;

/// What parameters of a function stand for: by their names, the crate that prints the type, and the type.
pub type Types = BTreeMap<Arc<str>, (usize, Ty)>;

/// The same as sets of one, as what parameters stand for over all calls is given.
type Sets = BTreeMap<Arc<str>, BTreeSet<(usize, Ty)>>;

/// The copies of functions.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// In the order of their numbers.
    all: Vec<Sets>,
    numbers: BTreeMap<BodyId, BTreeMap<Types, BodyId>>,
    /// The parameters of each function that its copies are told apart by.
    parameters: BTreeMap<BodyId, BTreeSet<Arc<str>>>,
}

impl Index<'_> {
    /// Adds copies, which are told apart by these parameters of the functions.
    pub fn add_copies(
        &mut self,
        parameters: BTreeMap<BodyId, BTreeSet<Arc<str>>>,
        copies: BTreeSet<(BodyId, Types)>,
    ) {
        self.copies.parameters = parameters;
        for (original, types) in copies {
            let copy = self.bodies.len();
            self.bodies.push(self.bodies[original]);
            self.names.push(OnceCell::new());
            let sets = types.iter().map(|(name, ty)| (Arc::clone(name), BTreeSet::from([ty.clone()])));
            self.copies.all.push(sets.collect());
            self.copies.numbers.entry(original).or_default().insert(types, copy);
        }
    }

    /// How many bodies were read; those after them are copies.
    pub fn read(&self) -> usize {
        self.bodies.len() - self.copies.all.len()
    }

    /// What a parameter stands for in a copy.
    pub fn copied_for(&self, body: BodyId, parameter: &str) -> Option<&BTreeSet<(usize, Ty)>> {
        self.copies.all.get(body.checked_sub(self.read())?)?.get(parameter)
    }

    /// The copy of a function for these types.
    pub fn copy(&self, original: BodyId, types: &Types) -> Option<BodyId> {
        self.copies.numbers.get(&original)?.get(types).copied()
    }

    /// The parameters by which copies of a function are told apart.
    pub fn parameters_of_copies(&self, original: BodyId) -> Option<&BTreeSet<Arc<str>>> {
        self.copies.parameters.get(&original)
    }

    /// Whether there are copies of the function.
    pub fn has_copies(&self, body: BodyId) -> bool {
        self.copies.numbers.contains_key(&body)
    }
}
