//! A value that is shared until somebody changes it.
//!
//! States of the data-flow are copied at every branch and before every call that is tried, and few copies are changed. It
//! knows nothing of what it holds. Used by `state.rs` and `values.rs`.

use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// A value whose copies are one until they are written to: reading is free, and so is a copy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shared<T>(Rc<T>);

impl<T> Shared<T> {
    /// Shares `value` with nobody yet.
    pub fn new(value: T) -> Shared<T> {
        Shared(Rc::new(value))
    }

    /// Whether both are copies of one, which nobody has changed.
    pub fn is(&self, other: &Shared<T>) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Parts with the copies, if there are any.
impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Rc::make_mut(&mut self.0)
    }
}

impl<'s, T> IntoIterator for &'s Shared<T>
where
    &'s T: IntoIterator,
{
    type Item = <&'s T as IntoIterator>::Item;
    type IntoIter = <&'s T as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        (**self).into_iter()
    }
}
