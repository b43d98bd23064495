//! The runtime from outside: modes, contexts, assertions, and one report of every code as text.
//!
//! The tests share the one checker of the process, in turns ([`Desk`]).
#![expect(unsafe_code, reason = "lockdep has to be told how to find the current CPU")]

mod contexts;
mod declared;
mod modes;
mod observed;
mod reports;
mod schedules;
mod times;

use std::sync::{Mutex, MutexGuard, PoisonError};

use lockdep::Report;
use lockdep::class::{Class, LockClass};
use lockdep::report::Code;

static TURN: Mutex<()> = Mutex::new(());
static REPORTS: Mutex<Vec<Report>> = Mutex::new(Vec::new());

/// A turn with a checker that has learned nothing, and whose reports are kept.
struct Desk(#[expect(dead_code, reason = "held, never read")] MutexGuard<'static, ()>);

impl Desk {
    fn new() -> Desk {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: 1. and 2. only the holder of the turn uses checked locks, so one number does for all threads; 3. the
        // turn passes through a mutex.
        unsafe { lockdep::cpu::install(|| 0) };
        lockdep::forget();
        lockdep::set_sink(|report| REPORTS.lock().unwrap_or_else(PoisonError::into_inner).push(*report));
        let desk = Desk(turn);
        desk.reports();
        desk
    }

    fn reports(&self) -> Vec<Report> {
        std::mem::take(&mut *REPORTS.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn codes(&self) -> Vec<Code> {
        self.reports().iter().map(|report| report.code).collect()
    }
}

macro_rules! undeclared {
    ($($marker:ident = $name:literal;)*) => {$(
        /// A class outside every order.
        struct $marker;

        impl LockClass for $marker {
            fn class() -> &'static Class {
                static CLASS: Class = Class::undeclared($name);
                &CLASS
            }
        }
    )*};
}

undeclared! {
    Pawn = "pawn";
    Knight = "knight";
    Rook = "rook";
}
