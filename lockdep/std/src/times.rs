//! How long locks are waited for and held, by class, measured with [`Instant`]: [`lockdep::times`] for programs with std.
//!
//! Off until [`start`]. With checking off there is nothing to measure, and the list is empty.

use std::sync::LazyLock;
use std::time::Instant;

pub use lockdep::times::{Spans, Times, clear, write_text};

/// Takes times of all locks from now on.
pub fn start() {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    // Busy can only be a signal handler.
    _ = lockdep::times::start(|| BEGIN.elapsed().as_nanos() as u64);
}

/// Takes no more; what was measured stays.
pub fn stop() {
    _ = lockdep::times::stop();
}

/// What was measured, class by class in the order of their first use, times in nanoseconds.
pub fn all() -> Vec<Times> {
    let mut all = Vec::new();
    _ = lockdep::times::for_each(|times| all.push(*times));
    all
}
