//! Types that a search has been at.
//!
//! A type is printed as the crate that prints it knows it, so two crates may print two types alike, and a search that told
//! them apart by their texts alone would leave out one of them. It says nothing of types (`index.rs`). Used by all searches
//! through the fields of types.

use rustc_hash::FxHashSet;

use crate::mir::ir::Ty;

/// Types, each with the crate that prints it.
#[derive(Debug, Default)]
pub(crate) struct Seen(FxHashSet<(usize, Ty)>);

impl Seen {
    /// Adds a type that `krate` prints; whether it is new.
    pub(crate) fn insert(&mut self, krate: usize, ty: &Ty) -> bool {
        self.0.insert((krate, ty.clone()))
    }
}
