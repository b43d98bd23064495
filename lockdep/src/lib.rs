//! A lock-order checker for kernels: every acquisition against the declared order, across domains.
//!
//! Declare the locks and their order with [`lock_order!`], give each lock its class with [`mm_lock`] or
//! [`mm_locks`], say which type owns locks with [`lock_owner`] and which operations work on whose behalf with
//! [`operation`]. Then every acquisition is checked *before* it waits, so an inversion is reported on its first
//! run on any CPU, whether or not two CPUs ever met in it. `cargo lockdep analyze` proves the same rule for all
//! paths from MIR.
//!
//! Locks of no declared order ([`class::Class::undeclared`], [`Map`]) are covered by what was learned: every nesting joins
//! a graph of classes, and one that could close a circle is reported when first seen. Interrupts are nodes of that graph
//! ([`context`]); wait types ([`wait`]) are checked beside it.
//!
//! # The argument
//!
//! A circular wait needs a CPU that waits for a lock while it holds one, and so on around. Each such pair (held,
//! wanted) was put to [`order::permits`] on the CPU that waits; under `hierarchy` the permitted pairs climb a strict
//! order (see [`order`]), so they cannot close. Where they can (a lock of nobody in the middle) or where nothing is
//! declared, the pair was judged against all pairs seen before it: `graph.rs` keeps the graph of accepted ones free of
//! bad circles. Limits: only paths that ran are seen; a CPU whose number is unknown, whose stack is full, or that is
//! interrupted inside the checker is counted ([`counters`]) and not checked; a gate that keeps two nestings apart is not
//! known, so they are reported; waits for anything but locks are seen only where a [`Map`] stands for them.
//!
//! # Switches
//!
//! On under `debug_assertions` or `--cfg lockdep`; off otherwise and under `--cfg lockdep_off`. Off means gone:
//! [`CHECKED`] is false, locks have the size of the raw locks, calls inline to theirs. There are no Cargo features.
#![no_std]
#![cfg_attr(
    not(all(not(lockdep_off), any(lockdep, debug_assertions))),
    expect(dead_code, reason = "with checking off, the validator and what only it uses have no caller")
)]

pub mod class;
pub mod context;
pub mod cpu;
pub mod held;
pub mod hooks;
pub mod observed;
pub mod order;
pub mod owner;
pub mod report;
pub mod wait;

mod assertion;
mod bits;
mod check;
mod graph;
mod hold;
mod lock;
mod map;
mod role;
mod spin;
mod state;
mod sync;
mod track;
mod validator;
mod visit;

pub use assertion::{assert_may_sleep, assert_none_held};
pub use check::{discipline, set_discipline, set_learning};
pub use lock::{
    Mutex, MutexGuard, ReentrantMutex, ReentrantMutexGuard, RwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard,
};
pub use lockdep_macros::{
    acquires, lock_order, lock_owner, mm_lock, mm_locks, must_not_hold, operation, requires_held,
};
pub use map::Map;
pub use owner::{LockOwner, Owner, OwnerError, OwnerId};
pub use report::{Report, set_sink};
pub use role::InRole;
pub use track::CHECKED;
pub use validator::{Counters, counters, forget, set_current};
pub use visit::Busy;

/// What macro output names. Not for users; it may change in any version.
#[doc(hidden)]
pub mod __private {
    pub use crate::class::{Class, Declaration, Declared, Unknown};
    pub use crate::role::{RoleAt, RoleName, enter_operation};
    pub use lockdep_macros::answer;
}
