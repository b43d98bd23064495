//! Times by a clock that the test sets, over a raw lock that is busy when the test says so; the table against `times.txt`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lock_api::{GuardSend, RawMutex};
use lockdep::class::{Class, LockClass};
use lockdep::held::Mode;
use lockdep::report::Code;
use lockdep::{Map, Mutex, RwLock, times};

use crate::reports::compare;
use crate::{Desk, Knight};

static NOW: AtomicU64 = AtomicU64::new(0);
/// Somebody else holds every [`Raw`], and lets go 500 ns after this one starts to wait.
static BUSY: AtomicBool = AtomicBool::new(false);

fn pass(nanoseconds: u64) {
    NOW.fetch_add(nanoseconds, Ordering::Relaxed);
}

struct Raw;

// SAFETY: there is one thread at a time (`Desk`), and no test acquires one twice.
unsafe impl RawMutex for Raw {
    const INIT: Raw = Raw;
    type GuardMarker = GuardSend;

    fn lock(&self) {
        if BUSY.load(Ordering::Relaxed) {
            pass(500);
        }
    }

    fn try_lock(&self) -> bool {
        !BUSY.load(Ordering::Relaxed)
    }

    unsafe fn unlock(&self) {}
}

struct Timed;

impl LockClass for Timed {
    fn class() -> &'static Class {
        static CLASS: Class = Class::new("chess", "timed pawn", 8, 0);
        &CLASS
    }
}

type Pawn = Mutex<Raw, (), Timed>;

/// Times are taken while this lives.
struct Taken(Desk);

impl Taken {
    fn new() -> Taken {
        let desk = Desk::new();
        times::clear();
        NOW.store(1_000, Ordering::Relaxed);
        times::start(|| NOW.load(Ordering::Relaxed)).expect("a task");
        Taken(desk)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        BUSY.store(false, Ordering::Relaxed);
        times::stop().expect("a task");
        times::clear();
    }
}

/// Of a class and kind: contentions with their sum, acquisitions with theirs.
fn measured(name: &str, shared: bool) -> Option<[u64; 4]> {
    let mut found = None;
    let each = |times: &times::Times| {
        if (times.class.name, times.shared) == (name, shared) {
            found = Some([times.waits.number, times.waits.total, times.holds.number, times.holds.total]);
        }
    };
    times::for_each(each).expect("a task");
    found
}

#[test]
fn waits_and_holds_are_measured() {
    if !lockdep::CHECKED {
        return;
    }
    let taken = Taken::new();
    let pawn = Pawn::new(());
    for hold in [100, 300] {
        let _pawn = pawn.lock();
        pass(hold);
    }
    assert_eq!(measured("timed pawn", false), Some([0, 0, 2, 400]));
    BUSY.store(true, Ordering::Relaxed);
    let guard = pawn.lock();
    BUSY.store(false, Ordering::Relaxed);
    pass(50);
    drop(guard);
    assert_eq!(measured("timed pawn", false), Some([1, 500, 3, 450]), "a wait is no hold");
    let guard = pawn.try_lock().expect("nobody has it");
    pass(7);
    drop(guard);
    assert_eq!(measured("timed pawn", false), Some([1, 500, 4, 457]));
    // Beside a lock that is not the youngest.
    let (outer, knight) = (pawn.lock(), Map::new(Knight::class()));
    knight.acquire(Mode::Exclusive);
    pass(10);
    drop(outer);
    pass(10);
    knight.release();
    assert_eq!(measured("timed pawn", false), Some([1, 500, 5, 467]));
    assert_eq!(measured("knight", false), Some([0, 0, 1, 20]));
    assert_eq!(taken.0.codes(), []);
}

#[test]
fn readers_are_told_apart() {
    if !lockdep::CHECKED {
        return;
    }
    let taken = Taken::new();
    let rook = RwLock::<parking_lot::RawRwLock, (), crate::Rook>::new(());
    let guard = rook.write();
    pass(100);
    let guard = guard.downgrade();
    pass(10);
    drop(guard);
    let guard = rook.upgradable_read();
    pass(3);
    let guard = guard.upgrade();
    pass(5);
    drop(guard);
    drop((rook.read(), rook.try_read()));
    assert_eq!(measured("rook", false), Some([0, 0, 2, 105]));
    assert_eq!(measured("rook", true), Some([0, 0, 4, 13]));
    assert_eq!(taken.0.codes(), []);
}

/// On and off at any time: what began before is not timed, and what is found is the same.
#[test]
fn what_is_checked_is_the_same() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    times::clear();
    let (pawn, knight) = (Pawn::new(()), Mutex::<Raw, (), Knight>::new(()));
    for learning in [true, false] {
        lockdep::set_learning(learning);
        let before = pawn.lock();
        times::start(|| NOW.fetch_add(1, Ordering::Relaxed)).expect("a task");
        let during = knight.lock();
        drop(before);
        times::stop().expect("a task");
        drop(during);
        drop(pawn.lock());
    }
    lockdep::set_learning(true);
    assert_eq!((measured("timed pawn", false), measured("knight", false)), (None, None));
    assert_eq!(desk.codes(), []);
    lockdep::assert_none_held();
    times::start(|| NOW.fetch_add(1, Ordering::Relaxed)).expect("a task");
    drop((knight.lock(), pawn.lock()));
    lockdep::set_learning(false);
    drop(pawn.lock());
    static ROOK: Class = Class::undeclared("rook without learning");
    let rook = Map::new(&ROOK);
    // The first makes it known, the second finds it so.
    for _ in 0..2 {
        rook.acquire(Mode::Exclusive);
        rook.release();
    }
    lockdep::set_learning(true);
    times::stop().expect("a task");
    assert_eq!(measured("rook without learning", false).map(|[.., holds, _]| holds), Some(2));
    assert_eq!(desk.codes(), [Code::LockOrderCycle]);
    assert_eq!(measured("timed pawn", false).map(|[.., holds, _]| holds), Some(2));
    times::clear();
}

#[test]
fn the_table_is_that_of_linux() {
    if !lockdep::CHECKED {
        return;
    }
    let _taken = Taken::new();
    static ROOK: Class = Class::undeclared("timed rook");
    let (pawn, rook) = (Pawn::new(()), Map::new(&ROOK));
    for mode in [Mode::Exclusive, Mode::Shared] {
        rook.acquire(mode);
        pass(12_340);
        rook.release();
    }
    BUSY.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        let _guard = pawn.lock();
        pass(1_000);
    }
    let mut text = String::new();
    times::write_text(&mut text).expect("a string");
    compare(&text, "times");
}
