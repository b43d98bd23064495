//! The sink that keeps reports for the test to read.
//!
//! It judges nothing and prints nothing. There is one for the process, so whoever uses it holds
//! [`Alone`](crate::alone::Alone), which also puts the old sink back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use lockdep::Report;

static REPORTS: Mutex<Vec<Report>> = Mutex::new(Vec::new());

fn reports() -> MutexGuard<'static, Vec<Report>> {
    // A test that failed while it held the list has not damaged it.
    REPORTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends reports here from now on.
pub fn install() {
    lockdep::set_sink(|report| reports().push(*report));
}

/// The reports since the last call, oldest first.
pub fn take() -> Vec<Report> {
    std::mem::take(&mut *reports())
}
