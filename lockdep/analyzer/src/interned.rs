//! Values of which thousands of summaries have the same: each is kept once.
//!
//! It compares and counts nothing, and is never iterated, so that its order says nothing. Used through `context.rs`.

use std::cell::RefCell;
use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxHashSet;

/// All values that were asked for.
#[derive(Debug)]
pub struct Interned<T>(RefCell<FxHashSet<Arc<T>>>);

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Interned(RefCell::default())
    }
}

impl<T: Clone + Eq + Hash> Interned<T> {
    /// The one of all that are equal to `value`.
    pub fn one(&self, value: &T) -> Arc<T> {
        let mut known = self.0.borrow_mut();
        match known.get(value) {
            Some(known) => Arc::clone(known),
            None => {
                let value = Arc::new(value.clone());
                known.insert(Arc::clone(&value));
                value
            }
        }
    }
}
