//! Threads as CPUs: every living thread that asks has a number of its own, taken back when the thread ends.
//!
//! It is the hook for [`lockdep::cpu::install`] and schedules nothing. Every test that takes a checked lock calls
//! [`install`] first.
#![expect(unsafe_code, reason = "lockdep has to be told how to find the current CPU")]

use std::cell::Cell;
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
        let lowest_free = |taken: u64| (taken.trailing_ones() < FREE as u32).then(|| taken | (taken + 1));
        let before = TAKEN.fetch_update(Ordering::AcqRel, Ordering::Relaxed, lowest_free);
        let before = before.expect("at most FREE threads take checked locks at a time");
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
    static PLAYED: Cell<Option<CpuId>> = const { Cell::new(None) };
}

/// The lowest number that no thread is given: those from here on can be played, see [`with_cpu`].
pub const FREE: CpuId = MAX_CPUS / 2;

/// Runs `act` as CPU `cpu`, so that one thread can play several, in turns. The caller sees to it that nobody else plays
/// the same one.
///
/// # Panics
/// Outside the numbers that are not given to threads.
pub fn with_cpu<T>(cpu: CpuId, act: impl FnOnce() -> T) -> T {
    assert!((FREE..MAX_CPUS).contains(&cpu), "CPU {cpu} may belong to a thread");
    let before = PLAYED.replace(Some(cpu));
    let result = act();
    PLAYED.set(before);
    result
}

/// The number of this thread.
///
/// # Panics
/// With more than [`FREE`] threads that asked, and in destructors that run after the seat was given back.
pub fn current() -> CpuId {
    PLAYED.get().unwrap_or_else(|| SEAT.with(|seat| seat.0))
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
