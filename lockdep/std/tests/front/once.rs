//! What is done once, and who waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lockdep::report::panic_sink;
use lockdep_std::{LazyLock, Mutex, Once, OnceLock};

use crate::Desk;

#[test]
fn a_lock_in_the_initialiser_and_the_value_under_the_lock() {
    let desk = Desk::new();
    let (seed, table) = (Mutex::new(1), OnceLock::new());
    assert_eq!(*table.get_or_init(|| *seed.lock().unwrap()), 1);
    assert_eq!(table.get(), Some(&1));
    let _seed = seed.lock().unwrap();
    assert!(desk.codes().is_empty());
    assert_eq!(table.get(), Some(&1));
    assert!(desk.codes().is_empty(), "`get` waits for nobody");
    // Long made. The next start may come here first.
    assert_eq!(*table.get_or_init(|| 2), 1);
    assert_eq!(desk.codes(), ["lock-order-cycle"]);
}

#[test]
fn the_other_way_round() {
    let desk = Desk::new();
    let seed = Mutex::new(1);
    {
        let _seed = seed.lock().unwrap();
        assert_eq!(*made_once(&seed, false), 3);
    }
    assert!(desk.codes().is_empty());
    assert_eq!(*made_once(&seed, true), 1);
    assert_eq!(desk.codes(), ["lock-order-cycle"]);
}

/// From a cell of one class.
fn made_once(seed: &Mutex<u32>, locks: bool) -> Box<u32> {
    let cell = OnceLock::new();
    Box::new(*cell.get_or_init(|| if locks { *seed.lock().unwrap() } else { 3 }))
}

#[test]
fn a_lazy_value() {
    static SEED: Mutex<u32> = Mutex::new(5);
    static TABLE: LazyLock<Vec<u32>> = LazyLock::new(|| vec![*SEED.lock().unwrap()]);
    let desk = Desk::new();
    assert_eq!(TABLE[0], 5);
    let _seed = SEED.lock().unwrap();
    assert!(desk.codes().is_empty());
    assert_eq!(LazyLock::force(&TABLE).len(), 1);
    let reports = desk.reports();
    assert_eq!(reports.len(), 1);
    let text = reports[0].to_string();
    assert!(text.contains("lock-order-cycle") && !text.contains("lockdep/std/src"), "{text}");
}

#[test]
fn a_call() {
    let desk = Desk::new();
    let (seed, once) = (Mutex::new(0), Once::new());
    once.call_once(|| *seed.lock().unwrap() += 1);
    let mut seed = seed.lock().unwrap();
    assert!(once.is_completed());
    once.call_once(|| unreachable!("called before"));
    assert_eq!(desk.codes(), ["lock-order-cycle"]);
    once.wait();
    *seed += 1;
    assert_eq!((*seed, desk.codes().len()), (2, 0), "reported once");
}

#[test]
fn an_initialiser_that_needs_itself() {
    let desk = Desk::new();
    // std waits for ever, or panics, in the second call: it must not get there.
    lockdep_std::set_sink(panic_sink);
    let cell = OnceLock::new();
    let made = catch_unwind(AssertUnwindSafe(|| *cell.get_or_init(|| *cell.get_or_init(|| 1) + 1)));
    let message = *made.expect_err("reported").downcast::<String>().expect("a report");
    assert!(message.contains("lock already held") && message.contains("recursion"), "{message}");
    assert_eq!(*cell.get_or_init(|| 7), 7, "nothing was made, and nothing is held");
    lockdep::assert_none_held();
    drop(desk);
}
