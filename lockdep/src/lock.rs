//! The checked locks: any `lock_api` raw lock plus a class, an owner and the checks.
//!
//! The wrappers are ours because `RawMutex::lock(&self)` can carry neither the caller's location nor the owner.
//! The cell and its guards are `lock_api`'s, so there is no `unsafe` here. Guards release in any order; the check
//! of a release comes before the release itself, so that what a CPU holds is never under-reported.

mod debug;
mod mutex;
mod reentrant;
mod rwlock;
mod upgrade;

pub use mutex::{Mutex, MutexGuard};
pub use reentrant::{ReentrantMutex, ReentrantMutexGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use upgrade::RwLockUpgradableReadGuard;
