//! Which CPU this is, and the state kept per CPU. *Unsafe 2 of 2.*
//!
//! A kernel installs one function that answers "which CPU am I on" ([`install`]); a hosted program answers with a
//! number per thread. State of a CPU is reached only with a `Pin`, the proof that the answer was asked and that
//! nobody else is inside the same CPU's state. This file knows nothing of locks.
#![expect(unsafe_code, reason = "a function pointer is kept in an atomic, and lock_api asks for thread ids")]

use core::mem;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicPtr, Ordering};

use lock_api::{GetThreadId, Mutex, MutexGuard};

use crate::spin::RawSpin;

/// How many CPUs (or threads that stand for CPUs) can be told apart at once.
pub const MAX_CPUS: usize = 64;

/// The number of a CPU, below [`MAX_CPUS`].
pub type CpuId = usize;

static HOOK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Tells the checker how to find the current CPU.
///
/// # Safety
/// Until the next call: 1. `current` returns different numbers to contexts that run at the same time; 2. it
/// returns one number to one context from the acquisition of a lock to its release. Recursive locks hand out
/// shared access on the strength of these numbers. Numbers from [`MAX_CPUS`] on are counted and not checked.
pub unsafe fn install(current: fn() -> CpuId) {
    HOOK.store(current as *mut (), Ordering::Release);
}

/// The current CPU, or `None` before [`install`].
pub fn current() -> Option<CpuId> {
    let hook = HOOK.load(Ordering::Acquire);
    if hook.is_null() {
        return None;
    }
    // SAFETY: 1. the only non-null value ever stored is a `fn() -> CpuId` (see `install`). 2. function pointers
    // and data pointers have one size on every target that Rust's `fn` to pointer casts support.
    let current = unsafe { mem::transmute::<*mut (), fn() -> CpuId>(hook) };
    Some(current())
}

/// One `T` per CPU.
pub(crate) struct PerCpu<T> {
    slots: [Mutex<RawSpin, T>; MAX_CPUS],
}

/// Proof that this context is alone in the state of its CPU.
pub(crate) struct Pin<'a, T> {
    /// The CPU.
    pub cpu: CpuId,
    /// Its state.
    pub state: MutexGuard<'a, RawSpin, T>,
}

/// Why there is no [`Pin`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoPin {
    /// No hook is installed, or the number is too large.
    Unattributed,
    /// This CPU is inside the checker already: an interrupt, or a sink that takes locks.
    Busy,
}

impl<T> PerCpu<T> {
    pub(crate) const fn new(slots: [Mutex<RawSpin, T>; MAX_CPUS]) -> Self {
        PerCpu { slots }
    }

    pub(crate) fn pin(&self) -> Result<Pin<'_, T>, NoPin> {
        let cpu = current().filter(|&cpu| cpu < MAX_CPUS).ok_or(NoPin::Unattributed)?;
        let state = self.slots[cpu].try_lock().ok_or(NoPin::Busy)?;
        Ok(Pin { cpu, state })
    }
}

/// CPUs as the "threads" of `lock_api`'s recursive locks.
pub struct CpuThread;

// SAFETY: 1. `install` makes its caller promise distinct, stable numbers. 2. without a hook no number is given
// out: the call panics. 3. the addition cannot reach zero, since it panics on overflow first.
unsafe impl GetThreadId for CpuThread {
    const INIT: Self = CpuThread;

    /// # Panics
    /// Before [`install`]: a recursive lock cannot know its holder.
    fn nonzero_thread_id(&self) -> NonZeroUsize {
        let cpu = current().expect("a recursive lock needs lockdep::cpu::install before its first use");
        NonZeroUsize::new(cpu.checked_add(1).expect("CPU numbers are below usize::MAX")).expect("not zero")
    }
}
