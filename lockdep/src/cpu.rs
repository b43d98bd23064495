//! Which CPU this is, and the state kept per CPU. *Unsafe 2 of 2.*
//!
//! A kernel installs one function that answers "which CPU am I on" ([`install`]); a hosted program answers with a
//! number per thread. State of a CPU is reached only with a `Pin`, the proof that the answer was asked and that
//! nobody else is inside the same CPU's state. This file knows nothing of locks.
#![expect(
    unsafe_code,
    reason = "a function pointer in an atomic, state per CPU without a lock, lock_api's thread ids"
)]

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem;
use core::num::NonZeroUsize;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicPtr, compiler_fence};

use lock_api::GetThreadId;

use crate::sync::{AtomicBool, AtomicU32, Ordering};

/// How many CPUs (or threads that stand for CPUs) can be told apart at once.
pub const MAX_CPUS: usize = 64;

/// The number of a CPU, below [`MAX_CPUS`].
pub type CpuId = usize;

static HOOK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Tells the checker how to find the current CPU.
///
/// # Safety
/// Until the next call: 1. `current` returns different numbers to contexts that run at the same time; 2. it
/// returns one number to one context from the acquisition of a lock to its release, and within any one call of this
/// crate; an interrupt has the number of what it interrupts and ends before that goes on; 3. when a number passes from
/// one context to another, the first's doings happen before the second's. Recursive locks hand out shared access,
/// and the checker reaches its own state, on the strength of these numbers. Numbers from [`MAX_CPUS`] on are
/// counted and not checked.
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

/// One `T` per CPU, each on cache lines of its own.
pub(crate) struct PerCpu<T> {
    slots: [Slot<T>; MAX_CPUS],
}

/// The state of one CPU. 128: pairs of lines are fetched together on x86, and lines are that long on some Arm.
#[repr(align(128))]
pub(crate) struct Slot<T> {
    busy: AtomicBool,
    tally: AtomicU32,
    state: UnsafeCell<T>,
}

// SAFETY: 1. a `T` is reached only through a `Pin`, and at most one `Pin` per slot exists at a time (see `pin`), so
// sharing the slots hands `T` from context to context like a mutex, for which `T: Send` is enough.
unsafe impl<T: Send> Sync for PerCpu<T> {}

/// Proof that this context is alone in the state of its CPU.
pub(crate) struct Pin<'a, T> {
    /// The CPU.
    pub cpu: CpuId,
    slot: &'a Slot<T>,
    /// A pin belongs to the context that made it.
    stays: PhantomData<*mut ()>,
}

/// Why there is no [`Pin`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoPin {
    /// No hook is installed, or the number is too large.
    Unattributed,
    /// This CPU is inside the checker already: an interrupt, or a sink that takes locks.
    Busy,
}

impl<T> Slot<T> {
    pub(crate) const fn new(state: T) -> Self {
        Slot { busy: AtomicBool::new(false), tally: AtomicU32::new(0), state: UnsafeCell::new(state) }
    }
}

impl<T> PerCpu<T> {
    pub(crate) const fn new(slots: [Slot<T>; MAX_CPUS]) -> Self {
        PerCpu { slots }
    }

    /// A load and a store, no read-modify-write: only contexts of one CPU come to a slot, and of these only an
    /// interrupt can come between the two, which is done before they go on.
    pub(crate) fn pin(&self) -> Result<Pin<'_, T>, NoPin> {
        let cpu = current().filter(|&cpu| cpu < MAX_CPUS).ok_or(NoPin::Unattributed)?;
        let slot = &self.slots[cpu];
        // Acquires what the last context released that had this number.
        if slot.busy.load(Ordering::Acquire) {
            return Err(NoPin::Busy);
        }
        slot.busy.store(true, Ordering::Relaxed);
        compiler_fence(Ordering::Acquire);
        Ok(Pin { cpu, slot, stays: PhantomData })
    }

    /// The sum of the tallies of all CPUs.
    pub(crate) fn tally(&self) -> u32 {
        self.slots.iter().fold(0, |sum, slot| sum.wrapping_add(slot.tally.load(Ordering::Relaxed)))
    }
}

impl<T> Pin<'_, T> {
    /// Counts on this CPU alone, so that no line is shared.
    pub(crate) fn count(&self, more: u32) {
        let before = self.slot.tally.load(Ordering::Relaxed);
        self.slot.tally.store(before.wrapping_add(more), Ordering::Relaxed);
    }
}

impl<T> Deref for Pin<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: 1. `busy` was found false and set, and is false again only after this pin is dropped. 2. By the
        // contract of `install` nobody else ran with this number meanwhile but interrupts, and those saw `busy`.
        unsafe { &*self.slot.state.get() }
    }
}

impl<T> DerefMut for Pin<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; 3. the pin is borrowed mutably, so no other reference comes from it.
        unsafe { &mut *self.slot.state.get() }
    }
}

impl<T> Drop for Pin<'_, T> {
    fn drop(&mut self) {
        // Releases the state to the next context that is given this number.
        self.slot.busy.store(false, Ordering::Release);
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

/// Installs a hook that asks `current`, for the models.
#[cfg(all(loom, test))]
pub(crate) fn install_for_models(current: fn() -> CpuId) {
    // SAFETY: 1. a model numbers its threads, each differently. 2. It has no interrupts. 3. A number passes on when
    // its thread has been joined, or with a new execution.
    unsafe { install(current) };
}
