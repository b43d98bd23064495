//! A family of locks: what a checker's mutex and reader-writer lock can do, so that one probe runs over all of them.
//!
//! Included by the test of ours and by the package that holds the peers; it names no checker.

use std::time::Duration;

/// A mutex.
pub trait Mutex: Send + Sync + 'static {
    /// Access until dropped.
    type Guard<'a>
    where
        Self: 'a;
    /// Waits for it.
    fn lock(&self) -> Self::Guard<'_>;
    /// Does not. Only of families that say [`Family::TRIES`].
    fn try_lock(&self) -> Option<Self::Guard<'_>>;
}

/// A reader-writer lock.
pub trait RwLock: Send + Sync + 'static {
    /// A reader.
    type Read<'a>
    where
        Self: 'a;
    /// A writer.
    type Write<'a>
    where
        Self: 'a;
    /// Waits as a reader.
    fn read(&self) -> Self::Read<'_>;
    /// Waits as a writer.
    fn write(&self) -> Self::Write<'_>;
}

/// The locks of one checker. `CLASS` is what the locks of one declaration share; who wants a rank takes it as one,
/// outermost first.
pub trait Family: 'static {
    /// What the tables call it.
    const NAME: &'static str;
    /// Whether its mutexes can be tried.
    const TRIES: bool = true;
    /// How long after the deed its reports may come.
    const LAG: Duration = Duration::ZERO;
    /// Its mutex.
    type Mutex<const CLASS: u16>: Mutex;
    /// Its reader-writer lock.
    type RwLock<const CLASS: u16>: RwLock;
    /// Called once, before the first lock is made: reports go to `report`.
    fn start(report: fn());
    /// A mutex. Where classes are construction sites, its caller's is the class.
    fn mutex<const CLASS: u16>() -> Self::Mutex<CLASS>;
    /// A reader-writer lock, likewise.
    fn rwlock<const CLASS: u16>() -> Self::RwLock<CLASS>;
}
