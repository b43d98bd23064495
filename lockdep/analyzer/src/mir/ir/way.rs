//! The way from a local to a place: a list that is mostly empty or equal to many others.
//!
//! Equal ones can share their memory, and an empty one has none: most of what is kept of a program is places. It reads
//! like a slice. Part of `ir.rs`.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Projection;

/// Projections of a place, outermost last.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Way(Option<Arc<Vec<Projection>>>);

impl Way {
    /// One step further.
    pub fn push(&mut self, step: Projection) {
        Arc::make_mut(self.0.get_or_insert_default()).push(step);
    }

    /// The steps, to be changed.
    pub fn steps_mut(&mut self) -> &mut [Projection] {
        self.0.as_mut().map_or(&mut [], |steps| Arc::make_mut(steps).as_mut_slice())
    }
}

impl Deref for Way {
    type Target = [Projection];

    fn deref(&self) -> &[Projection] {
        self.0.as_ref().map_or(&[], |steps| steps.as_slice())
    }
}

impl From<Vec<Projection>> for Way {
    fn from(steps: Vec<Projection>) -> Way {
        Way((!steps.is_empty()).then(|| Arc::new(steps)))
    }
}

impl<'w> IntoIterator for &'w Way {
    type Item = &'w Projection;
    type IntoIter = std::slice::Iter<'w, Projection>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl Serialize for Way {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Way {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Way, D::Error> {
        Vec::deserialize(deserializer).map(Way::from)
    }
}
