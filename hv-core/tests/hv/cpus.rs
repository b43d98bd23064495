//! Threads as CPUs: each living thread has a number of its own.
#![expect(unsafe_code, reason = "lockdep is told how to find the current CPU")]

use std::sync::{Mutex, Once, PoisonError};

static TAKEN: Mutex<[bool; lockdep::cpu::MAX_CPUS]> = Mutex::new([false; lockdep::cpu::MAX_CPUS]);

/// The number of one thread, given back when the thread ends.
struct Number(usize);

impl Number {
    fn take() -> Number {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let free = taken.iter().position(|taken| !taken).expect("fewer threads than CPUs");
        taken[free] = true;
        Number(free)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner)[self.0] = false;
    }
}

thread_local! {
    static NUMBER: Number = Number::take();
}

/// Makes lockdep see threads as CPUs.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: 1. living threads have different numbers. 2. a thread keeps its number until it ends, and ends
        // without guards; while its locals go away it is counted as unattributed.
        unsafe { lockdep::cpu::install(|| NUMBER.try_with(|number| number.0).unwrap_or(usize::MAX)) }
    });
}
