//! Modes of real locks: who is recorded how, and which nestings of them are a circle.

use lockdep::context::HARDIRQ;
use lockdep::report::Code;
use lockdep::{Mutex, OwnerId, RwLock};

use crate::{Desk, Knight, Pawn, Rook};

type Lock<C> = RwLock<parking_lot::RawRwLock, u32, C>;
type Plain<C> = Mutex<parking_lot::RawMutex, u32, C>;

/// Without checking there is nothing to see.
macro_rules! checked {
    () => {
        if !lockdep::CHECKED {
            return;
        }
    };
}

#[test]
fn two_orders_are_reported_once_and_then_known() {
    checked!();
    let desk = Desk::new();
    let (pawn, knight) = (Plain::<Pawn>::new(0), Plain::<Knight>::new(0));
    for _ in 0..3 {
        drop((pawn.lock(), knight.lock()));
    }
    assert_eq!(desk.codes(), []);
    for _ in 0..3 {
        drop((knight.lock(), pawn.lock()));
    }
    assert_eq!(desk.codes(), [Code::LockOrderCycle]);
}

#[test]
fn a_recursive_reader_enters_again_and_a_fair_one_may_not() {
    checked!();
    let desk = Desk::new();
    let pawn = Lock::<Pawn>::new(0);
    drop((pawn.read_recursive(), pawn.read_recursive()));
    assert_eq!(desk.codes(), []);
    let outer = pawn.read_recursive();
    drop(pawn.try_read());
    assert_eq!(desk.codes(), [], "a try does not wait");
    drop(pawn.read());
    drop(outer);
    assert_eq!(desk.codes(), [Code::Recursion]);
}

/// Linux links the third lock to the recursive reader only, and never sees the two writers.
#[test]
fn a_recursive_reader_hides_nothing_below_it() {
    checked!();
    let desk = Desk::new();
    let (pawn, knight, rook) = (Plain::<Pawn>::new(0), Lock::<Knight>::new(0), Plain::<Rook>::new(0));
    drop((pawn.lock(), knight.read_recursive(), rook.lock()));
    drop((rook.lock(), pawn.lock()));
    assert_eq!(desk.codes(), [Code::LockOrderCycle]);
}

#[test]
fn a_downgraded_writer_is_a_reader() {
    checked!();
    let desk = Desk::new();
    let (pawn, knight) = (Lock::<Pawn>::new(0), Plain::<Knight>::new(0));
    let reader = pawn.write().downgrade();
    drop(knight.lock());
    drop(reader);
    // A recursive reader does not wait for a reader, so this closes nothing; it would with the writer.
    drop((knight.lock(), pawn.read_recursive()));
    assert_eq!(desk.codes(), []);
    drop((pawn.write(), knight.lock()));
    assert_eq!(desk.codes(), [Code::LockOrderCycle]);
}

#[test]
fn an_upgrade_waits_under_what_was_acquired_since() {
    checked!();
    let desk = Desk::new();
    let (pawn, knight) = (Lock::<Pawn>::new(0), Plain::<Knight>::new(0));
    drop(pawn.upgradable_read().upgrade());
    assert_eq!(desk.codes(), [], "nothing else is held");
    let reader = pawn.upgradable_read();
    let inner = knight.lock();
    drop((reader.upgrade(), inner));
    assert_eq!(desk.codes(), [Code::LockOrderCycle], "another reader may want the inner lock");
}

#[test]
fn a_try_makes_no_edge_into_its_lock_and_is_the_source_of_others() {
    checked!();
    let desk = Desk::new();
    let (pawn, knight) = (Plain::<Pawn>::new(0), Plain::<Knight>::new(0));
    drop((pawn.lock(), knight.try_lock()));
    drop((knight.lock(), pawn.try_lock()));
    assert_eq!(desk.codes(), []);
    drop((knight.try_lock(), pawn.lock()));
    drop((pawn.try_lock(), knight.lock()));
    assert_eq!(desk.codes(), [Code::LockOrderCycle]);
}

#[test]
fn keys_order_the_instances_of_a_class() {
    checked!();
    let desk = Desk::new();
    let keyed = |key| Plain::<Pawn>::keyed(OwnerId::NOBODY, key, 0);
    let (first, second) = (keyed(1), keyed(2));
    drop((first.lock(), second.lock()));
    assert_eq!(desk.codes(), []);
    drop((second.lock(), first.lock()));
    assert_eq!(desk.codes(), [Code::UnorderedInstances]);
}

#[test]
fn a_lock_that_goes_away_under_a_forgotten_guard_is_reported() {
    checked!();
    let desk = Desk::new();
    {
        let pawn = Plain::<Pawn>::new(0);
        std::mem::forget(pawn.lock());
    }
    assert_eq!(desk.codes(), [Code::HeldLockFreed]);
    lockdep::assert_none_held();
    assert_eq!(desk.codes(), [], "and is held no longer");
}

#[test]
fn assertions_of_locks() {
    checked!();
    let desk = Desk::new();
    let pawn = Lock::<Pawn>::new(0);
    let failed = |expected: usize| assert_eq!(desk.codes(), vec![Code::AssertionFailed; expected]);
    pawn.assert_not_held();
    lockdep::assert_none_held();
    lockdep::assert_may_sleep();
    failed(0);
    pawn.assert_held();
    failed(1);
    let reader = pawn.read();
    pawn.assert_held();
    failed(0);
    pawn.assert_held_exclusively();
    pawn.assert_not_held();
    lockdep::assert_none_held();
    failed(3);
    drop(reader);
    let writer = pawn.write();
    pawn.assert_held_exclusively();
    failed(0);
    drop(writer);
}

/// A lock is read for its text by a try: no report, no wait, and what the text of its data takes is nested in it.
#[test]
fn locks_as_text() {
    let desk = Desk::new();
    let mutex: Plain<Knight> = Plain::new(3);
    assert_eq!(format!("{mutex:?}"), "Mutex { class: knight, data: 3 }");
    let guard = mutex.lock();
    assert_eq!(format!("{mutex:?} {guard:?} {guard}"), "Mutex { class: knight, data: <locked> } 3 3");
    drop(guard);
    let lock = Lock::<Pawn>::new(7);
    let reader = lock.read();
    assert_eq!(format!("{lock:?} {reader}"), "RwLock { class: pawn, data: 7 } 7");
    drop(reader);
    let writer = lock.write();
    assert_eq!(format!("{lock:?} {writer:?}"), "RwLock { class: pawn, data: <locked> } 7");
    drop(writer);
    lockdep::assert_none_held();
    let outer: Mutex<parking_lot::RawMutex, Lock<Pawn>, Knight> = Mutex::new(Lock::new(7));
    let inner = "RwLock { class: pawn, data: 7 }";
    assert_eq!(format!("{outer:?}"), format!("Mutex {{ class: knight, data: {inner} }}"));
    assert_eq!(desk.codes(), []);
}

#[test]
fn the_older_of_two_guards_may_go_first() {
    checked!();
    let desk = Desk::new();
    let (pawn, knight) = (Plain::<Pawn>::new(0), Plain::<Knight>::new(0));
    for _ in 0..3 {
        let outer = pawn.lock();
        let inner = knight.lock();
        drop(outer);
        pawn.assert_not_held();
        knight.assert_held();
        drop(inner);
    }
    lockdep::assert_none_held();
    assert_eq!(desk.codes(), []);
}

/// A release finds its own record by how high the stack was, as long as nothing moved in it.
#[test]
fn a_release_out_of_order_is_of_its_own_lock() {
    checked!();
    let desk = Desk::new();
    let (pawn, knight, rook) = (Plain::<Pawn>::new(0), Plain::<Knight>::new(0), Plain::<Rook>::new(0));
    let (outer, inner) = (pawn.lock(), knight.lock());
    drop(outer);
    // As high as the inner one was.
    let other = rook.lock();
    drop(inner);
    rook.assert_held();
    knight.assert_not_held();
    drop(other);
    lockdep::assert_none_held();
    assert_eq!(desk.codes(), []);
}

#[test]
fn a_guard_of_which_the_record_was_taken_away_releases_no_other_lock() {
    checked!();
    let desk = Desk::new();
    let (pawn, knight) = (Plain::<Pawn>::new(0), Plain::<Knight>::new(0));
    HARDIRQ.enter();
    let kept = pawn.lock();
    HARDIRQ.exit();
    let other = knight.lock();
    drop(kept);
    knight.assert_held();
    drop(other);
    assert_eq!(desk.codes(), [Code::HeldAtContextExit, Code::NotHeld]);
    let before = knight.lock();
    lockdep::forget();
    let after = pawn.lock();
    drop(before);
    pawn.assert_held();
    drop(after);
    assert_eq!(desk.codes(), [Code::NotHeld]);
}

/// Locks acquired and released in random order, times taken now and then: what is held is what a list says.
#[test]
fn what_is_held_is_what_was_acquired_and_not_released() {
    checked!();
    let desk = Desk::new();
    let mut seed = 1_u64;
    let mut dice = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % bound
    };
    let locks: Vec<_> = (0..12).map(|_| Plain::<Pawn>::new(0)).collect();
    let mut held = Vec::new();
    for _ in 0..4_000 {
        match dice(8) {
            0..4 => {
                // A try, since any order will do here.
                let lock = dice(locks.len());
                held.extend(locks[lock].try_lock().map(|guard| (lock, guard)));
            }
            4 | 5 => drop(held.pop()),
            6 if !held.is_empty() => drop(held.remove(dice(held.len()))),
            _ if dice(10) == 0 => lockdep::times::start(|| 1).expect("a task"),
            _ => lockdep::times::stop().expect("a task"),
        }
        let lock = dice(locks.len());
        match held.iter().any(|&(other, _)| other == lock) {
            true => locks[lock].assert_held(),
            false => locks[lock].assert_not_held(),
        }
        assert_eq!(desk.codes(), [], "after {} held", held.len());
    }
    lockdep::times::stop().expect("a task");
    lockdep::times::clear();
    drop(held);
    lockdep::assert_none_held();
    assert_eq!(desk.codes(), []);
}
