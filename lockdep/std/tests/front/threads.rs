//! Threads: how many are told apart, and how they end.

use std::mem;
use std::sync::Barrier;
use std::thread;

use lockdep::cpu::MAX_CPUS;
use lockdep_std::Mutex;

use crate::Desk;

static PAWN: Mutex<()> = Mutex::named("kept pawn", ());
static KNIGHT: Mutex<()> = Mutex::named("kept knight", ());

#[test]
fn a_thread_that_ends_and_holds() {
    let desk = Desk::new();
    thread::spawn(|| {
        drop(PAWN.lock());
        mem::forget(KNIGHT.lock());
    })
    .join()
    .unwrap();
    let reports = desk.reports();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].code.name(), "held-at-exit");
    let text = reports[0].to_string();
    assert!(text.contains("kept knight") && text.contains("threads.rs:20:"), "{text}");
    // The next thread is another one, and holds nothing.
    thread::spawn(lockdep::assert_none_held).join().unwrap();
    assert!(desk.codes().is_empty());
}

#[test]
fn a_sink_that_panics_at_the_end_of_a_thread() {
    let desk = Desk::new();
    lockdep_std::set_sink(lockdep::report::panic_sink);
    let rook = &*Box::leak(Box::new(Mutex::new(())));
    let before = lockdep::counters().reported;
    thread::spawn(|| mem::forget(rook.lock())).join().unwrap();
    assert_eq!(lockdep::counters().reported, before + 1);
    drop(desk);
}

#[test]
fn numbers_are_given_back() {
    let _desk = Desk::new();
    let pawn = Mutex::new(0);
    let before = lockdep::counters().unattributed;
    for _ in 0..2 * MAX_CPUS {
        thread::scope(|scope| {
            scope.spawn(|| *pawn.lock().unwrap() += 1);
        });
    }
    assert_eq!(*pawn.lock().unwrap(), 2 * MAX_CPUS);
    assert_eq!(lockdep::counters().unattributed, before);
}

#[test]
fn threads_beyond_the_numbers_are_counted() {
    let desk = Desk::new();
    let pawn = Mutex::new(0);
    let before = lockdep::counters().unattributed;
    let all = Barrier::new(MAX_CPUS + 8);
    thread::scope(|scope| {
        for _ in 0..MAX_CPUS + 8 {
            scope.spawn(|| {
                *pawn.lock().unwrap() += 1;
                all.wait();
            });
        }
    });
    assert_eq!(*pawn.lock().unwrap(), MAX_CPUS + 8);
    // An acquisition and a release each. The main thread and other tests' have numbers, too.
    assert!(lockdep::counters().unattributed >= before + 2 * 8);
    assert!(desk.codes().is_empty());
}
