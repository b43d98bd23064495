//! How long locks are waited for and held, by class: the columns of Linux's `lock_stat`.
//!
//! Off until [`start`]ed, and then off again costs nothing: a class that is timed *asks* (`class.rs`), so that its acquisitions
//! leave the short look, which looks for that anyway. On, every acquisition goes the long way and reads the clock. Nothing
//! here judges, and nothing is kept of single locks. Counts are of all CPUs; they are read one by one while others go on.

mod text;

use core::array;

use crate::class::{Class, Standing};
use crate::cpu::Hook;
use crate::graph::{self, MAX_CLASSES};
use crate::held::{HeldLock, Mode};
use crate::sync::{AtomicBool, AtomicU64, Ordering};
use crate::visit::{Busy, alone};
pub use text::write_text;

/// Times of one sort, in the clock's unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spans {
    /// How many.
    pub number: u64,
    /// The shortest; 0 if there is none.
    pub min: u64,
    /// The longest.
    pub max: u64,
    /// Their sum. It wraps.
    pub total: u64,
}

impl Spans {
    /// Their mean; 0 if there is none.
    pub const fn avg(&self) -> u64 {
        match self.total.checked_div(self.number) {
            Some(avg) => avg,
            None => 0,
        }
    }
}

/// What was measured of one class.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The class.
    pub class: &'static Class,
    /// Whether these are its readers, or its writers and whoever else excludes all others.
    pub shared: bool,
    /// Waits of those who did not get the lock at once: their number is that of contentions. Only of locks that can be tried,
    /// so not of [`Map`](crate::Map)s; and an upgrade is not waited for but held.
    pub waits: Spans,
    /// Holds that have ended: their number is that of acquisitions.
    pub holds: Spans,
}

struct Row {
    number: AtomicU64,
    min: AtomicU64,
    max: AtomicU64,
    total: AtomicU64,
}

impl Row {
    const fn new() -> Row {
        Row {
            number: AtomicU64::new(0),
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
            total: AtomicU64::new(0),
        }
    }

    fn add(&self, span: u64) {
        self.number.fetch_add(1, Ordering::Relaxed);
        self.min.fetch_min(span, Ordering::Relaxed);
        self.max.fetch_max(span, Ordering::Relaxed);
        self.total.fetch_add(span, Ordering::Relaxed);
    }

    fn spans(&self) -> Spans {
        let [number, min, max, total] =
            [&self.number, &self.min, &self.max, &self.total].map(|cell| cell.load(Ordering::Relaxed));
        Spans { number, min: if number == 0 { 0 } else { min }, max, total }
    }

    fn clear(&self) {
        for cell in [&self.number, &self.max, &self.total] {
            cell.store(0, Ordering::Relaxed);
        }
        self.min.store(u64::MAX, Ordering::Relaxed);
    }
}

/// Waits and holds, of one class and kind.
struct Rows {
    waits: Row,
    holds: Row,
}

/// By node, exclusive and shared.
static TABLE: [[Rows; 2]; MAX_CLASSES] =
    [const { [const { Rows { waits: Row::new(), holds: Row::new() } }; 2] }; MAX_CLASSES];
static ON: AtomicBool = AtomicBool::new(false);
static CLOCK: Hook<fn() -> u64> = Hook::new(|| 0);

/// Takes times from now on, of all classes, by `clock`: nanoseconds since whenever, never less than before on one CPU. It is
/// called from anywhere a lock is, also in handlers, and takes no checked locks. What is held already is not timed. With
/// checking off nothing is.
///
/// # Errors
/// [`Busy`] from a handler that interrupted the checker.
pub fn start(clock: fn() -> u64) -> Result<(), Busy> {
    if !crate::CHECKED {
        return Ok(());
    }
    let alone = alone()?;
    CLOCK.set(clock);
    ON.store(true, Ordering::Relaxed);
    graph::ask_all(Standing::TIME, alone.undisturbed());
    Ok(())
}

/// Takes no more times; what was measured stays.
///
/// # Errors
/// [`Busy`] from a handler that interrupted the checker.
pub fn stop() -> Result<(), Busy> {
    let alone = alone()?;
    ON.store(false, Ordering::Relaxed);
    graph::answer_all(Standing::TIME, alone.undisturbed());
    Ok(())
}

/// Forgets what was measured.
pub fn clear() {
    for rows in TABLE.iter().flatten() {
        rows.waits.clear();
        rows.holds.clear();
    }
}

/// Calls `each` with what was measured, class by class in the order of their first use, writers before readers. What was
/// never held is left out.
///
/// # Errors
/// [`Busy`] from a handler that interrupted the checker.
pub fn for_each(mut each: impl FnMut(&Times)) -> Result<(), Busy> {
    for node in 0..MAX_CLASSES {
        for times in of(node)?.into_iter().flatten() {
            each(&times);
        }
    }
    Ok(())
}

/// Of the class with this node, its writers and its readers.
fn of(node: usize) -> Result<[Option<Times>; 2], Busy> {
    let class = graph::class(node, alone()?.undisturbed());
    Ok(array::from_fn(|kind| {
        let Rows { waits, holds } = &TABLE[node][kind];
        let times = Times { class: class?, shared: kind == 1, waits: waits.spans(), holds: holds.spans() };
        (times.waits.number != 0 || times.holds.number != 0).then_some(times)
    }))
}

#[inline]
pub(crate) fn are_taken() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Now, or 0 while no times are taken.
pub(crate) fn now() -> u64 {
    let clock = CLOCK.get();
    if are_taken() { clock().max(1) } else { 0 }
}

fn rows(node: u16, mode: Mode) -> Option<&'static Rows> {
    Some(&TABLE.get(usize::from(node))?[usize::from(mode != Mode::Exclusive)])
}

/// How long it is since then, if times were taken then and are now.
fn span(since: u64) -> Option<u64> {
    now().checked_sub(since).filter(|_| since != 0)
}

/// A wait that began then is over.
pub(crate) fn waited(class: &Class, mode: Mode, since: u64) {
    let rows = class.node().and_then(|node| rows(node, mode));
    if let (Some(rows), Some(span)) = (rows, span(since)) {
        rows.waits.add(span);
    }
}

/// A hold is over, if it was timed.
pub(crate) fn held(lock: &HeldLock) {
    if let (Some(rows), Some(span)) = (rows(lock.node, lock.mode), span(lock.since)) {
        rows.holds.add(span);
    }
}
