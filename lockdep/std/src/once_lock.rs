//! The checked cell that is written once, over std's.

use std::fmt;
use std::sync;

use lockdep::held::Mode;

use crate::track::Tracker;

/// [`std::sync::OnceLock`], checked: held while its content is made, and waited for by everyone who wants one made.
pub struct OnceLock<T> {
    tracker: Tracker,
    inner: sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    /// An empty cell of the class of those that are made here.
    #[track_caller]
    pub const fn new() -> OnceLock<T> {
        OnceLock { tracker: Tracker::here(), inner: sync::OnceLock::new() }
    }

    /// An empty cell of the class of this name.
    pub const fn named(name: &'static str) -> OnceLock<T> {
        OnceLock { tracker: Tracker::named(name), inner: sync::OnceLock::new() }
    }

    /// The content, if there is one. Waits for nobody.
    pub fn get(&self) -> Option<&T> {
        self.inner.get()
    }

    /// The content, by the exclusive borrow.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.inner.get_mut()
    }

    /// The content; waits while there is none.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn wait(&self) -> &T {
        self.tracker.might_acquire();
        self.inner.wait()
    }

    /// Gives it a content; waits while another does.
    ///
    /// # Errors
    /// Gives `value` back if there is a content.
    ///
    /// # Panics
    /// As the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let _acquired = self.tracker.acquire(Mode::Exclusive);
        self.inner.set(value)
    }

    /// The content, made by `f` if there is none; waits while another makes it.
    ///
    /// # Panics
    /// As `f`, and as the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn get_or_init(&self, f: impl FnOnce() -> T) -> &T {
        if let Some(content) = self.inner.get() {
            self.tracker.might_acquire();
            return content;
        }
        let _acquired = self.tracker.acquire(Mode::Exclusive);
        self.inner.get_or_init(f)
    }

    /// The content.
    pub fn into_inner(self) -> Option<T> {
        self.inner.into_inner()
    }

    /// The content, which leaves an empty cell.
    pub fn take(&mut self) -> Option<T> {
        self.inner.take()
    }
}

impl<T> Default for OnceLock<T> {
    #[track_caller]
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    /// Of the class of those that are cloned here.
    #[track_caller]
    fn clone(&self) -> OnceLock<T> {
        OnceLock { tracker: Tracker::here(), inner: self.inner.clone() }
    }
}

impl<T> From<T> for OnceLock<T> {
    #[track_caller]
    fn from(value: T) -> OnceLock<T> {
        OnceLock { tracker: Tracker::here(), inner: value.into() }
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &OnceLock<T>) -> bool {
        self.inner == other.inner
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
