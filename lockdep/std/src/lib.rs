//! The locks of `std::sync` with every acquisition checked by `lockdep`, for programs that have std.
//!
//! Write `use lockdep_std as sync;` (or name single types) where `std::sync` was used: names, signatures and poisoning
//! are std's, and what is no lock is std's own. Nothing has to be declared or installed. An order that could close a circle
//! is reported when it is first seen, on one thread, before anything hangs.
//!
//! # Classes
//!
//! Locks made by one call of `new` in the source are one class, however many there are ([`Mutex::new`] is
//! `#[track_caller]`); the class is called after the place. [`keyed`](Mutex::keyed) makes a class per key of such a place, for
//! the levels of a tree; [`named`](Mutex::named) makes one class of all locks of one name,
//! [`of_type`](Mutex::of_type) one of all locks around one type, for locks that a helper makes for others.
//!
//! # What is seen
//!
//! - [`Mutex`] and [`RwLock`], tries included (a try waits for nobody). Readers are fair, as std's are: a second read by one
//!   thread can wait for a writer that waits for the first.
//! - [`Condvar`]: the mutex is let go and acquired again; whoever waits for ever with another lock held waits for those who
//!   notify, and they wait for what they hold when they do.
//! - [`Once`], [`OnceLock`], [`LazyLock`]: the one who runs the initialiser holds them, and whoever asks waits for it, also
//!   where it is long over: the next start may have another order.
//! - [`raw`]: the same for the raw locks of `lock_api`: those of parking_lot, spin and others.
//! - A thread that ends and holds a lock.
//!
//! Not seen: channels, barriers, joining a thread. Of more than [`MAX_CPUS`](lockdep::cpu::MAX_CPUS) threads at once that
//! use locks the further ones are not checked, for as long as they live; their events are counted
//! ([`Counters::unattributed`](lockdep::Counters)).
//!
//! # Reports and switches
//!
//! A report panics in the thread that is about to wait, before it waits; [`set_sink`] chooses something else. Checking is on
//! under `debug_assertions` or `--cfg lockdep`, off otherwise and under `--cfg lockdep_off`. Off means gone: the types have the
//! size of std's and call nothing but std's.
//!
//! Not for kernels, which never see std: they use `lockdep` itself. A program that uses this crate does not call
//! [`lockdep::cpu::install`]: the numbers of its threads are given out here. Nor is it for the locks of a global
//! allocator, since the first use of a class allocates.

#[cfg(all(not(lockdep_off), any(lockdep, debug_assertions)))]
mod origin;
#[cfg(all(not(lockdep_off), any(lockdep, debug_assertions)))]
mod thread;

mod condvar;
mod guarded;
mod lazy_lock;
mod mutex;
pub mod observed;
mod once;
mod once_lock;
pub mod raw;
mod rwlock;
pub mod times;
mod track;

pub use condvar::Condvar;
pub use lazy_lock::LazyLock;
pub use lockdep::{Report, counters, set_sink};
pub use mutex::{Mutex, MutexGuard};
pub use once::Once;
pub use once_lock::OnceLock;
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use std::sync::{
    Arc, Barrier, BarrierWaitResult, LockResult, OnceState, PoisonError, TryLockError, TryLockResult,
    WaitTimeoutResult, Weak, atomic, mpsc,
};
