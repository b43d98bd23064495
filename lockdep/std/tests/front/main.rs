//! The front as a program uses it: every fault is found by one thread after another, so that none of them can hang.
//!
//! The tests share the one checker of the process, in turns ([`Desk`]). With checking off only what must be std's is tested.

#[cfg(all(not(lockdep_off), any(lockdep, debug_assertions)))]
mod classes;
#[cfg(all(not(lockdep_off), any(lockdep, debug_assertions)))]
mod once;
#[cfg(all(not(lockdep_off), any(lockdep, debug_assertions)))]
mod orders;
#[cfg(all(not(lockdep_off), any(lockdep, debug_assertions)))]
mod raw_modes;
mod std_like;
#[cfg(all(not(lockdep_off), any(lockdep, debug_assertions)))]
mod threads;

use std::sync::{Mutex, MutexGuard, PoisonError};

use lockdep_std::Report;

static TURN: Mutex<()> = Mutex::new(());
static REPORTS: Mutex<Vec<Report>> = Mutex::new(Vec::new());

/// A turn with a checker that has learned nothing, and whose reports are kept.
struct Desk(#[expect(dead_code, reason = "held, never read")] MutexGuard<'static, ()>);

impl Desk {
    fn new() -> Desk {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        // Its first lock gives this thread a number, without which there is nothing to forget.
        drop(lockdep_std::Mutex::named("first", ()).lock());
        lockdep::forget();
        lockdep_std::set_sink(|report| REPORTS.lock().unwrap_or_else(PoisonError::into_inner).push(*report));
        let desk = Desk(turn);
        desk.reports();
        desk
    }

    fn reports(&self) -> Vec<Report> {
        std::mem::take(&mut *REPORTS.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The codes of the reports since the last call.
    fn codes(&self) -> Vec<&'static str> {
        self.reports().iter().map(|report| report.code.name()).collect()
    }
}
