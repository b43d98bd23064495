//! The numbers of threads, and the end of a thread that holds a lock. *Has `unsafe`: it answers for the numbers.*
//!
//! `lockdep` knows CPUs by number; here a thread is one. A thread asks for a number with its first checked lock and gives
//! it back when it ends, unless it holds a lock then. Threads for which there is none get numbers that nobody checks, and no
//! two the same, since recursive locks tell holders apart by them. Only checked builds have this file.
#![expect(unsafe_code, reason = "lockdep has to be told how to find the current thread")]

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use lockdep::cpu::{self, CpuId, MAX_CPUS};

/// One bit per number that is checked.
static TAKEN: AtomicU64 = AtomicU64::new(0);
const NR_CHECKED: usize = if MAX_CPUS < 64 { MAX_CPUS } else { 64 };

/// The next number that is not checked.
static FURTHER: AtomicUsize = AtomicUsize::new(MAX_CPUS);

const NOT_ASKED: CpuId = usize::MAX;

thread_local! {
    /// Without a destructor, so that it can be read to the very end of the thread.
    static NUMBER: Cell<CpuId> = const { Cell::new(NOT_ASKED) };
    static LEASE: Lease = const { Lease };
}

/// Gives the number back at the end of the thread.
struct Lease;

/// Makes the checker know threads.
pub(crate) fn introduce() {
    static INTRODUCED: Once = Once::new();
    // SAFETY: 1. `take` gives one number to one thread at a time: a bit of `TAKEN` is claimed by one exchange, and
    // `FURTHER` only grows. 2. A thread's number changes only in `drop` of its lease, and then only if it holds nothing;
    // signal handlers run on the thread they interrupt and end first. 3. A number is released in `drop` after everything
    // its thread did with it, and acquired in `take`.
    INTRODUCED.call_once(|| unsafe { cpu::install(current) });
}

fn current() -> CpuId {
    match NUMBER.get() {
        NOT_ASKED => ask(),
        number => number,
    }
}

#[cold]
fn ask() -> CpuId {
    // Reading the lease has it dropped at the end of the thread; where that is over already, nothing would give the number back.
    let number = LEASE.try_with(|_| take()).unwrap_or(None).unwrap_or_else(further);
    NUMBER.set(number);
    number
}

/// The lowest number that no thread has.
fn take() -> Option<CpuId> {
    let free = |taken: u64| {
        let number = taken.trailing_ones() as usize;
        (number < NR_CHECKED).then(|| taken | 1 << number)
    };
    let before = TAKEN.fetch_update(Ordering::Acquire, Ordering::Relaxed, free).ok()?;
    Some(before.trailing_ones() as usize)
}

fn further() -> CpuId {
    FURTHER.fetch_add(1, Ordering::Relaxed)
}

impl Drop for Lease {
    fn drop(&mut self) {
        let number = NUMBER.get();
        if number >= NR_CHECKED {
            return;
        }
        // A panic here would end the process. What the sink had to say it has said: the panic hook printed it.
        let holds_nothing = panic::catch_unwind(AssertUnwindSafe(lockdep::hooks::retires)).unwrap_or(false);
        if holds_nothing {
            // Destructors that run after this one may still use locks, unchecked.
            NUMBER.set(further());
            TAKEN.fetch_and(!(1 << number), Ordering::Release);
        }
    }
}
