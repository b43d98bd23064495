//! The checked value that is made on first use, over std's.

use std::fmt;
use std::ops::Deref;
use std::sync;

use lockdep::held::Mode;

use crate::track::Tracker;

/// [`std::sync::LazyLock`], checked: held while its value is made, and waited for by everyone who uses it.
pub struct LazyLock<T, F = fn() -> T> {
    tracker: Tracker,
    inner: sync::LazyLock<T, F>,
}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// A value that `f` makes, of the class of those that stand here.
    #[track_caller]
    pub const fn new(f: F) -> LazyLock<T, F> {
        LazyLock { tracker: Tracker::here(), inner: sync::LazyLock::new(f) }
    }

    /// A value that `f` makes, of the class of this name.
    pub const fn named(name: &'static str, f: F) -> LazyLock<T, F> {
        LazyLock { tracker: Tracker::named(name), inner: sync::LazyLock::new(f) }
    }

    /// The value; makes it, or waits while another does.
    ///
    /// # Panics
    /// As std's, and as the installed sink decides, when the nesting is refused.
    #[track_caller]
    pub fn force(this: &LazyLock<T, F>) -> &T {
        // Off, this would be a second look at what `force` looks at.
        if lockdep::CHECKED
            && let Some(value) = sync::LazyLock::get(&this.inner)
        {
            this.tracker.might_acquire();
            return value;
        }
        let _acquired = this.tracker.acquire(Mode::Exclusive);
        sync::LazyLock::force(&this.inner)
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;
    #[track_caller]
    fn deref(&self) -> &T {
        LazyLock::force(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    #[track_caller]
    fn default() -> LazyLock<T> {
        LazyLock { tracker: Tracker::here(), inner: sync::LazyLock::default() }
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
