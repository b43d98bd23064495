//! Which CPU this is, and the state kept per CPU. *Unsafe 2 of 2.*
//!
//! A kernel installs one function that answers "which CPU am I on" ([`install`]); a hosted program answers with a
//! number per thread. State of a CPU is reached only with a `Pin`, the proof that the answer was asked and that
//! nobody else is inside the same CPU's state; tables of the checker that have a lock are reached only with an
//! `Undisturbed`, the proof that nobody on this CPU spins on it meanwhile. This file knows nothing of the locks it serves.
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

/// What is answered when nobody knows.
const NO_CPU: CpuId = CpuId::MAX;

static HOOK: Hook<fn() -> CpuId> = Hook::new(|| NO_CPU);

/// What a [`Hook`] can hold: a function pointer.
pub(crate) trait Function: Copy {}

impl<R> Function for fn() -> R {}
impl<A, R> Function for fn(&A) -> R {}

/// A function that the kernel chooses, in an atomic: read by any context at any time, without a lock.
pub(crate) struct Hook<F>(AtomicPtr<()>, PhantomData<F>);

impl<F: Function> Hook<F> {
    pub(crate) const fn new(function: F) -> Self {
        Hook(AtomicPtr::new(Self::address(function)), PhantomData)
    }

    const fn address(function: F) -> *mut () {
        const { assert!(size_of::<F>() == size_of::<*mut ()>(), "function and data pointers of one size") };
        // SAFETY: 1. `F` is a function pointer (`Function` has no other types), and of the size of a data pointer.
        unsafe { mem::transmute_copy(&function) }
    }

    pub(crate) fn set(&self, function: F) {
        self.0.store(Self::address(function), Ordering::Release);
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> F {
        let function = self.0.load(Ordering::Acquire);
        // SAFETY: 1. the only values ever stored come from `address`, that is, from an `F`. 2. The sizes are equal, as there.
        unsafe { mem::transmute_copy(&function) }
    }
}

/// Tells the checker how to find the current CPU.
///
/// # Safety
/// Until the next call: 1. `current` returns different numbers to contexts that run at the same time; 2. it
/// returns one number to one context from the acquisition of a lock to its release, and within any one call of this
/// crate; an interrupt has the number of what it interrupts and ends before that goes on; 3. when a number passes from
/// one context to another, the first's doings happen before the second's. Recursive locks hand out shared access,
/// and the checker reaches its own state, on the strength of these numbers. Numbers from [`MAX_CPUS`] on are
/// counted and not checked. 4. it is called while nobody holds a checked lock, or with the same function again.
pub unsafe fn install(current: fn() -> CpuId) {
    HOOK.set(current);
}

/// The current CPU, or `None` before [`install`].
pub fn current() -> Option<CpuId> {
    Some(ask()).filter(|&cpu| cpu != NO_CPU)
}

#[inline(always)]
fn ask() -> CpuId {
    let current = HOOK.get();
    current()
}

/// One `T` per CPU, each on cache lines of its own.
pub(crate) struct PerCpu<T> {
    slots: [Slot<T>; MAX_CPUS],
    /// Nobody's, and nobody gets in.
    nowhere: Slot<T>,
}

/// A state to start from, with the word 0.
pub(crate) trait Fresh {
    const FRESH: Self;
}

/// The state of one CPU. 128: pairs of lines are fetched together on x86, and lines are that long on some Arm.
#[repr(align(128))]
pub(crate) struct Slot<T> {
    /// [`BUSY`], or what [`Pin::word`] was left at.
    word: AtomicU32,
    tally: AtomicU32,
    state: UnsafeCell<T>,
}

/// Somebody is inside.
const BUSY: u32 = u32::MAX;

// SAFETY: 1. a `T` is reached only through a `Pin`, and at most one `Pin` per slot exists at a time (see `pin`), so
// a shared slot hands `T` from context to context like a mutex, for which `T: Send` is enough.
unsafe impl<T: Send> Sync for Slot<T> {}

/// Proof that this context is alone in the state of its CPU.
pub(crate) struct Pin<'a, T> {
    /// A part of the state that travels with the pin, so that one load tells it and that nobody is inside. Never
    /// `u32::MAX`.
    pub(crate) word: u32,
    slot: &'a Slot<T>,
    /// A pin belongs to the context that made it.
    stays: PhantomData<*mut ()>,
}

/// Proof that no handler on this CPU gets into the checker: one that came there would spin on a lock of the checker's own
/// that its CPU holds. Whoever takes such a lock asks for this.
#[derive(Clone, Copy)]
pub(crate) struct Undisturbed<'a>(PhantomData<(&'a (), *mut ())>);

#[cfg(all(loom, test))]
impl Undisturbed<'static> {
    /// A model has no handlers.
    pub(crate) const BY_MODEL: Self = Undisturbed(PhantomData);
}

static TURN: AtomicBool = AtomicBool::new(false);

/// The turn of a context whose CPU is unknown. Events on such a CPU do not get into the checker; that others who come
/// without one do not, either, is what this sees to.
pub(crate) struct Turn(PhantomData<*mut ()>);

impl Turn {
    /// `None` while it is another's, who may be interrupted by this context.
    pub(crate) fn take() -> Option<Turn> {
        (!TURN.swap(true, Ordering::Acquire)).then_some(Turn(PhantomData))
    }

    pub(crate) fn undisturbed(&self) -> Undisturbed<'_> {
        Undisturbed(PhantomData)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TURN.store(false, Ordering::Release);
    }
}

/// Where a context is from the acquisition of a lock to its release.
///
/// It does not leave the context (`GuardNoSend`), and the number is the context's until the release, by the contract of
/// [`install`]; so the way back to the state needs no question which CPU this is.
pub(crate) struct Stay<T: 'static> {
    slot: &'static Slot<T>,
    stays: PhantomData<lock_api::GuardNoSend>,
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
    const fn new(word: u32, state: T) -> Self {
        Slot { word: AtomicU32::new(word), tally: AtomicU32::new(0), state: UnsafeCell::new(state) }
    }

    /// A load and a store, no read-modify-write: only contexts of one CPU come to a slot, and of these only an
    /// interrupt can come between the two, which is done before they go on.
    #[inline(always)]
    fn pin_if(&self, fits: impl FnOnce(u32) -> bool) -> Option<Pin<'_, T>> {
        // Acquires what the last context released that had this number.
        let word = self.word.load(Ordering::Acquire);
        if word == BUSY || !fits(word) {
            return None;
        }
        self.word.store(BUSY, Ordering::Relaxed);
        compiler_fence(Ordering::Acquire);
        Some(Pin { word, slot: self, stays: PhantomData })
    }
}

impl<T> PerCpu<T> {
    /// The same state for all.
    pub(crate) const fn new() -> Self
    where
        T: Fresh,
    {
        PerCpu { slots: [const { Slot::new(0, T::FRESH) }; MAX_CPUS], nowhere: Slot::new(BUSY, T::FRESH) }
    }

    /// Where a context is whose CPU is unknown.
    pub(crate) fn nowhere(&'static self) -> Stay<T> {
        Stay { slot: &self.nowhere, stays: PhantomData }
    }

    /// The number of this CPU, and the way into its state.
    pub(crate) fn pin(&self) -> Result<(CpuId, Pin<'_, T>), NoPin> {
        let cpu = ask();
        let slot = self.slots.get(cpu).ok_or(NoPin::Unattributed)?;
        slot.pin_if(|_| true).map(|pin| (cpu, pin)).ok_or(NoPin::Busy)
    }

    /// The way into the state of this CPU if it is known, nobody is inside, and the word `fits`.
    #[inline(always)]
    pub(crate) fn pin_if(&self, fits: impl FnOnce(u32) -> bool) -> Option<Pin<'_, T>> {
        self.slots.get(ask())?.pin_if(fits)
    }

    /// The sum of the tallies of all CPUs.
    pub(crate) fn tally(&self) -> u32 {
        self.slots.iter().fold(0, |sum, slot| sum.wrapping_add(slot.tally.load(Ordering::Relaxed)))
    }
}

impl<T> Stay<T> {
    /// The way back, if nobody is inside and the word `fits`.
    #[inline(always)]
    pub(crate) fn pin_if(&self, fits: impl FnOnce(u32) -> bool) -> Option<Pin<'_, T>> {
        self.slot.pin_if(fits)
    }
}

impl<T> Pin<'static, T> {
    /// For the release of a lock that is acquired now.
    #[inline(always)]
    pub(crate) fn stay(&self) -> Stay<T> {
        Stay { slot: self.slot, stays: PhantomData }
    }
}

impl<T> Pin<'_, T> {
    #[inline(always)]
    pub(crate) fn undisturbed(&self) -> Undisturbed<'_> {
        Undisturbed(PhantomData)
    }

    /// Counts on this CPU alone, so that no line is shared.
    #[inline(always)]
    pub(crate) fn count(&self, more: u32) {
        let before = self.slot.tally.load(Ordering::Relaxed);
        self.slot.tally.store(before.wrapping_add(more), Ordering::Relaxed);
    }
}

impl<T> Deref for Pin<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: 1. the word was found not to be `BUSY` and made so, and is another again only after this pin is dropped.
        // 2. By the contract of `install` nobody else ran with this number meanwhile but interrupts, and those saw `BUSY`;
        // where the number was not asked for, it is still this context's (`Stay`).
        unsafe { &*self.slot.state.get() }
    }
}

impl<T> DerefMut for Pin<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; 3. the pin is borrowed mutably, so no other reference comes from it.
        unsafe { &mut *self.slot.state.get() }
    }
}

impl<T> Drop for Pin<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        // Releases the state to the next context that is given this number.
        self.slot.word.store(self.word, Ordering::Release);
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

/// Installs a hook that asks `current`, for the models and the tests of this crate.
#[cfg(test)]
pub(crate) fn install_for_tests(current: fn() -> CpuId) {
    // SAFETY: 1. a model numbers its threads, each differently; of the other tests one uses numbers. 2. They have no
    // interrupts. 3. A number passes on when its thread has been joined, or with a new execution.
    unsafe { install(current) };
}
