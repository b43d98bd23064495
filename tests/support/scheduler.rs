//! The locks of simulated CPUs, under the names of `spin`'s.
//!
//! They keep nothing: who holds what stands in the state of the run. [`Mutex`] and [`RwLock`] have the interface of
//! `spin`'s, too, so that code which takes its raw locks from a crate called `spin` runs on them unchanged.
#![expect(unsafe_code, reason = "raw locks of lock_api are unsafe traits")]

use std::marker::PhantomData;
use std::sync::OnceLock;

use lock_api::{GuardSend, RawMutex, RawRwLock};

pub use lockdep_analyzer::replay::scheduler::{
    Blocked, Doing, Mode, Outcome, Policy, Request, State, acquire, release, run,
};

/// A raw lock; its address is its identity, and who holds it stands in the state of the run.
#[derive(Debug)]
struct Raw(u8);

impl Raw {
    const NEW: Raw = Raw(0);

    fn address(&self) -> usize {
        std::ptr::from_ref(&self.0).addr()
    }
}

/// Stands in for `spin::Mutex`.
#[derive(Debug)]
pub struct Mutex<T>(Raw, PhantomData<T>);

/// Stands in for `spin::RwLock`.
#[derive(Debug)]
pub struct RwLock<T>(Raw, PhantomData<T>);

// SAFETY: 1. a CPU gets the lock only from `control`, which asks `State::is_free` first. 2. outside a run there is one
// thread, which sets the world up and takes no lock twice.
unsafe impl RawMutex for Mutex<()> {
    const INIT: Self = Mutex(Raw::NEW, PhantomData);
    type GuardMarker = GuardSend;

    fn lock(&self) {
        acquire(self.0.address(), Mode::Exclusive);
    }

    fn try_lock(&self) -> bool {
        unimplemented!("no program that is replayed tries");
    }

    unsafe fn unlock(&self) {
        release(self.0.address(), Mode::Exclusive);
    }
}

// SAFETY: as above; readers share with readers only.
unsafe impl RawRwLock for RwLock<()> {
    const INIT: Self = RwLock(Raw::NEW, PhantomData);
    type GuardMarker = GuardSend;

    fn lock_shared(&self) {
        acquire(self.0.address(), Mode::Shared);
    }

    fn try_lock_shared(&self) -> bool {
        unimplemented!("no program that is replayed tries");
    }

    unsafe fn unlock_shared(&self) {
        release(self.0.address(), Mode::Shared);
    }

    fn lock_exclusive(&self) {
        acquire(self.0.address(), Mode::Exclusive);
    }

    fn try_lock_exclusive(&self) -> bool {
        unimplemented!("no program that is replayed tries");
    }

    unsafe fn unlock_exclusive(&self) {
        release(self.0.address(), Mode::Exclusive);
    }
}

/// Stands in for `spin::Once`; it never waits in these programs.
#[derive(Debug)]
pub struct Once<T>(OnceLock<T>);

impl<T> Once<T> {
    /// Not yet called.
    pub const fn new() -> Once<T> {
        Once(OnceLock::new())
    }

    /// Calls `make` if it is the first call.
    pub fn call_once(&self, make: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(make)
    }

    /// What was made.
    pub fn get(&self) -> Option<&T> {
        self.0.get()
    }
}

impl<T> Default for Once<T> {
    fn default() -> Once<T> {
        Once::new()
    }
}
