//! The right to switch what is global: the discipline, the sink, and what the checker has learned.
//!
//! A test that switches one of them, or that another test's switching would disturb, holds an [`Alone`] from start to
//! end. Dropping it puts back what the checker starts with, also when the test fails. It isolates nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lockdep::report::{Code, panic_sink};
use lockdep::{Report, set_discipline, set_sink};

use crate::{board, collect};

static SWITCHES: Mutex<()> = Mutex::new(());

/// Nobody else in this process holds one.
pub struct Alone(#[expect(dead_code, reason = "held, never read")] MutexGuard<'static, ()>);

impl Alone {
    /// Waits for its turn. Threads are CPUs afterwards, nothing is learned yet, and the sink panics.
    pub fn new() -> Alone {
        let turn = SWITCHES.lock().unwrap_or_else(PoisonError::into_inner);
        board::install();
        lockdep::forget();
        Alone(turn)
    }

    /// The same, with a sink that collects.
    pub fn collecting() -> Alone {
        let alone = Alone::new();
        collect::install();
        alone
    }

    /// Puts this discipline in force.
    ///
    /// # Panics
    /// When there is none of this name.
    pub fn discipline(&self, name: &str) {
        set_discipline(name).expect("a discipline of lockdep::order");
    }

    /// The reports so far.
    pub fn reports(&self) -> Vec<Report> {
        collect::take()
    }

    /// The codes of the reports so far.
    pub fn codes(&self) -> Vec<Code> {
        self.reports().iter().map(|report| report.code).collect()
    }
}

impl Default for Alone {
    fn default() -> Self {
        Alone::new()
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.discipline("hierarchy");
        set_sink(panic_sink);
        collect::take();
    }
}

/// The text with which `act` panics, as the sink of a fresh checker does on a report; `Ok` when it does not.
///
/// # Errors
/// That text.
///
/// # Panics
/// When the panic carries no text.
pub fn panic_text<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    // What the panic cut short is dropped by the test, or read only to see that nothing was done.
    catch_unwind(AssertUnwindSafe(act)).map_err(|payload| match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("a panic with a text")).to_owned(),
    })
}
