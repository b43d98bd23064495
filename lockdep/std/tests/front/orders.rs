//! Orders that could close a circle, of mutexes, readers, raw locks and condition variables.

use std::time::Duration;

use lockdep_std::{Condvar, Mutex, RwLock, raw};

use crate::Desk;

#[test]
fn an_inversion_is_found_on_one_thread() {
    let desk = Desk::new();
    let site = format!("{}:{}:27", file!(), line!() + 1);
    let (pawn, knight) = (Mutex::new(1), Mutex::new(2));
    let first = {
        let pawn = pawn.lock().unwrap();
        *pawn + *knight.lock().unwrap()
    };
    assert!(desk.codes().is_empty(), "one order is no circle");
    let knight = knight.lock().unwrap();
    assert_eq!(first, *knight + *pawn.lock().unwrap());
    let reports = desk.reports();
    assert_eq!(reports.len(), 1);
    let text = reports[0].to_string();
    assert_eq!(reports[0].code.name(), "lock-order-cycle");
    // Classes are called after the place of construction; the four acquisitions are here, not inside the front.
    assert_eq!(text.matches(&format!("{site} ")).count(), 3, "{text}");
    assert_eq!(text.matches("at lockdep/std/tests/front/orders.rs:").count(), 6, "{text}");
    assert!(!text.contains("lockdep/std/src"), "{text}");
}

#[test]
fn three_in_a_circle_are_found() {
    let desk = Desk::new();
    let (pawn, knight, rook) = (Mutex::new(()), Mutex::new(()), Mutex::new(()));
    for (outer, inner) in [(&pawn, &knight), (&knight, &rook)] {
        let _outer = outer.lock().unwrap();
        drop(inner.lock());
    }
    assert!(desk.codes().is_empty());
    let _rook = rook.lock().unwrap();
    drop(pawn.lock());
    assert_eq!(desk.codes(), ["lock-order-cycle"]);
}

#[test]
fn a_try_waits_for_nobody() {
    let desk = Desk::new();
    let (pawn, knight) = (Mutex::new(()), Mutex::new(()));
    {
        let _pawn = pawn.lock().unwrap();
        drop(knight.lock());
    }
    {
        let _knight = knight.lock().unwrap();
        assert!(knight.try_lock().is_err(), "held");
        drop(pawn.try_lock().unwrap());
    }
    assert!(desk.codes().is_empty());
    // But who tried and got it, holds it.
    let (bishop, rook) = (Mutex::new(()), Mutex::new(()));
    {
        let _bishop = bishop.try_lock().unwrap();
        drop(rook.lock());
    }
    let _rook = rook.lock().unwrap();
    drop(bishop.lock());
    assert_eq!(desk.codes(), ["lock-order-cycle"]);
}

#[test]
fn readers_count() {
    let desk = Desk::new();
    let (pawn, knight) = (RwLock::new(1), RwLock::new(2));
    {
        let pawn = pawn.read().unwrap();
        assert_eq!(*pawn + *knight.read().unwrap(), 3);
    }
    {
        let _knight = knight.write().unwrap();
        *pawn.write().unwrap() += 1;
    }
    assert_eq!(desk.codes(), ["lock-order-cycle"]);
    let reader = pawn.try_read().unwrap();
    assert!(pawn.try_write().is_err());
    // With nobody to write in between, the second read goes through.
    drop(pawn.read());
    assert_eq!(desk.codes(), ["recursion"]);
    drop(reader);
    let reader = lockdep_std::RwLockWriteGuard::downgrade(pawn.write().unwrap());
    assert_eq!(*pawn.try_read().unwrap(), *reader);
    drop(reader);
    assert!(desk.codes().is_empty(), "what was downgraded is released as what it is");
}

#[test]
fn raw_locks_of_others() {
    let desk = Desk::new();
    let pawn = raw::Mutex::<parking_lot::RawMutex, _>::new(1);
    let knight = raw::RwLock::<spin::RwLock<()>, _>::new(2);
    {
        let pawn = pawn.lock();
        assert_eq!(*pawn + *knight.read(), 3);
    }
    let mut knight = knight.write();
    *knight += *pawn.lock();
    assert_eq!(desk.codes(), ["lock-order-cycle"]);
    let rook = raw::RwLock::<parking_lot::RawRwLock, _>::new(3);
    let reader = raw::RwLockWriteGuard::downgrade(rook.try_write().unwrap());
    assert_eq!(*reader, *rook.read_recursive());
    drop((reader, rook.try_read()));
    assert!(desk.codes().is_empty(), "a recursive reader is let in again");
}

/// What ends a wait in these tests is that the condition is false already.
fn wait_in_vain(cv: &Condvar, mutex: &Mutex<bool>) {
    drop(cv.wait_while(mutex.lock().unwrap(), |waits| *waits).unwrap());
}

#[test]
fn a_wait_under_what_the_notifier_holds() {
    let desk = Desk::new();
    let (turn, open, opened) = (Mutex::new(()), Mutex::new(false), Condvar::new());
    wait_in_vain(&opened, &open);
    {
        let _open = open.lock().unwrap();
        opened.notify_all();
    }
    {
        let _turn = turn.lock().unwrap();
        wait_in_vain(&opened, &open);
    }
    opened.notify_one();
    assert!(desk.codes().is_empty(), "who notifies does without the other lock");
    let _turn = turn.lock().unwrap();
    opened.notify_one();
    let reports = desk.reports();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].code.name(), "lock-order-cycle");
}

#[test]
fn a_wait_with_a_limit_ends() {
    let desk = Desk::new();
    let (turn, open, opened) = (Mutex::new(()), Mutex::new(true), Condvar::new());
    let _turn = turn.lock().unwrap();
    let guard = open.lock().unwrap();
    let (guard, result) = opened.wait_timeout(guard, Duration::from_millis(1)).unwrap();
    assert!(result.timed_out() && *guard);
    let limit = Duration::from_millis(1);
    drop(opened.wait_timeout_while(guard, limit, |waits| *waits).unwrap());
    opened.notify_all();
    assert!(desk.codes().is_empty());
}

#[test]
fn the_mutex_is_acquired_again_under_the_other_lock() {
    let desk = Desk::new();
    let (open, log, opened) = (Mutex::new(false), Mutex::new(()), Condvar::new());
    let open = open.lock().unwrap();
    let _log = log.lock().unwrap();
    drop(opened.wait_while(open, |waits| *waits).unwrap());
    assert_eq!(desk.codes(), ["lock-order-cycle"]);
}

#[test]
fn a_wait_lets_go_and_comes_back() {
    let desk = Desk::new();
    let gate = (Mutex::new(false), Condvar::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            *gate.0.lock().unwrap() = true;
            gate.1.notify_one();
        });
        let mut open = gate.0.lock().unwrap();
        while !*open {
            open = gate.1.wait(open).unwrap();
        }
        assert!(gate.0.try_lock().is_err(), "held again");
    });
    drop(gate.0.lock());
    assert!(desk.codes().is_empty());
}

/// Shown as data, it waits for a lock.
struct Waits<'a>(&'a Mutex<u32>);

impl std::fmt::Debug for Waits<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.lock().unwrap())
    }
}

#[test]
fn what_is_shown_is_held_meanwhile() {
    fn shown(outer: &impl std::fmt::Debug, other_way: impl FnOnce()) {
        let desk = Desk::new();
        assert!(format!("{outer:?}").contains("data: 7"), "{outer:?}");
        assert!(desk.codes().is_empty());
        other_way();
        assert_eq!(desk.codes(), ["lock-order-cycle"], "{outer:?}");
    }
    let inner = Mutex::new(7);
    let mutex = Mutex::new(Waits(&inner));
    shown(&mutex, || drop((inner.lock(), mutex.lock())));
    let rwlock = RwLock::new(Waits(&inner));
    shown(&rwlock, || drop((inner.lock(), rwlock.write())));
    let mutex = raw::Mutex::<parking_lot::RawMutex, _>::new(Waits(&inner));
    shown(&mutex, || drop((inner.lock(), mutex.lock())));
    let rwlock = raw::RwLock::<parking_lot::RawRwLock, _>::new(Waits(&inner));
    shown(&rwlock, || drop((inner.lock(), rwlock.write())));
}
