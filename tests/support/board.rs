//! Threads as CPUs: every living thread that asks has a number of its own, taken back when the thread ends.
//!
//! It is the hook for [`lockdep::cpu::install`] and schedules nothing. Every test that takes a checked lock calls
//! [`install`] first.
#![expect(unsafe_code, reason = "lockdep has to be told how to find the current CPU")]

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use lockdep::cpu::{CpuId, MAX_CPUS};

const _: () = assert!(MAX_CPUS == u64::BITS as usize, "one bit per CPU");

/// Bit n is set while a thread has number n.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// A number, as long as its thread lives.
struct Seat(CpuId);

impl Seat {
    fn take() -> Seat {
        let lowest_free = |taken: u64| (taken != u64::MAX).then(|| taken | (taken + 1));
        let before = TAKEN.fetch_update(Ordering::AcqRel, Ordering::Relaxed, lowest_free);
        let before = before.expect("at most MAX_CPUS threads take checked locks at a time");
        Seat(before.trailing_ones() as CpuId)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        TAKEN.fetch_and(!(1 << self.0), Ordering::AcqRel);
    }
}

thread_local! {
    static SEAT: Seat = Seat::take();
}

/// The number of this thread.
///
/// # Panics
/// With more than [`MAX_CPUS`] threads that asked, and in destructors that run after the seat was given back.
pub fn current() -> CpuId {
    SEAT.with(|seat| seat.0)
}

/// Makes lockdep see threads as CPUs, from the first call on.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: 1. a number is given to one living thread at a time, since its bit is set by a single update that
        // found it clear; 2. a thread keeps its number until its locals are destroyed, and then gets none at all.
        unsafe { lockdep::cpu::install(current) }
    });
}
