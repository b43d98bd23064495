//! The peers: published crates that check locks at run time.

use std::sync::OnceLock;
use std::time::Duration;

use crate::family::{Family, Mutex, RwLock};
use crate::raw::family;

/// A checker that panics reports by panicking. Poison that comes of it is no report.
fn report_panics(report: fn()) {
    static REPORT: OnceLock<fn()> = OnceLock::new();
    let _ = REPORT.set(report);
    std::panic::set_hook(Box::new(|found| {
        eprintln!("{found}");
        let text = found.payload_as_str().unwrap_or_default();
        if let (false, Some(report)) = (text.contains("Poison"), REPORT.get()) {
            report();
        }
    }));
}

type Traced<R> = tracing_mutex::lockapi::TracingWrapper<R>;
type TracingMutex = lock_api::Mutex<Traced<spin::Mutex<()>>, ()>;
type TracingRwLock = lock_api::RwLock<Traced<spin::RwLock<()>>, ()>;

family! {
    /// tracing-mutex over the raw lock of ours: an order graph of instances; panics.
    Tracing "tracing-mutex": TracingMutex, lock_api::MutexGuard<'a, Traced<spin::Mutex<()>>, ()>, TracingRwLock,
        lock_api::RwLockReadGuard<'a, Traced<spin::RwLock<()>>, ()>,
        lock_api::RwLockWriteGuard<'a, Traced<spin::RwLock<()>>, ()>;
    tries true; lag 0; lock(lock) lock.lock();
    try_lock(lock) lock.try_lock();
    read(lock) lock.read();
    write(lock) lock.write();
    mutex(_class) TracingMutex::new(());
    rwlock TracingRwLock::new(());
    start(report) report_panics(report);
}

family! {
    /// parking_lot with `deadlock_detection`: wait-for graph, polled by a thread of the user's (here every 100 ms).
    Detecting "parking_lot dd": parking_lot_detecting::Mutex<()>, parking_lot_detecting::MutexGuard<'a, ()>,
        parking_lot_detecting::RwLock<()>, parking_lot_detecting::RwLockReadGuard<'a, ()>,
        parking_lot_detecting::RwLockWriteGuard<'a, ()>;
    tries true; lag 300; lock(lock) lock.lock();
    try_lock(lock) lock.try_lock();
    read(lock) lock.read();
    write(lock) lock.write();
    mutex(_class) parking_lot_detecting::Mutex::new(());
    rwlock parking_lot_detecting::RwLock::new(());
    start(report) {
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(100));
                if !parking_lot_detecting::deadlock::check_deadlock().is_empty() {
                    report();
                }
            }
        });
    };
}

family! {
    /// deloxide with `lock-order-graph`: wait-for graph and an order graph of instances; calls back
    /// from a thread of its own.
    Deloxide "deloxide log": deloxide::Mutex<()>, deloxide::MutexGuard<'a, ()>, deloxide::RwLock<()>,
        deloxide::RwLockReadGuard<'a, ()>, deloxide::RwLockWriteGuard<'a, ()>;
    tries true; lag 300; lock(lock) lock.lock();
    try_lock(lock) lock.try_lock();
    read(lock) lock.read();
    write(lock) lock.write();
    mutex(_class) deloxide::Mutex::new(());
    rwlock deloxide::RwLock::new(());
    start(report) {
        let started = deloxide::Deloxide::new().callback(move |_| report()).start();
        started.expect("the detector starts once");
    };
}

/// Ranks descend inwards: 8 is above all the classes of the probes.
fn rank(class: u16) -> u32 {
    8 - u32::from(class)
}

family! {
    /// lock-hierarchy: numbers given by the user, a stack of them per thread; panics. It has no try-lock.
    Hierarchy "lock-hierarchy": lock_hierarchy::Mutex<()>, lock_hierarchy::MutexGuard<'a, ()>,
        lock_hierarchy::RwLock<()>, lock_hierarchy::RwLockReadGuard<'a, ()>, lock_hierarchy::RwLockWriteGuard<'a, ()>;
    tries false; lag 0; lock(lock) lock.lock().expect("not poisoned");
    try_lock(_lock) unimplemented!("lock-hierarchy has no try-lock");
    read(lock) lock.read().expect("not poisoned");
    write(lock) lock.write().expect("not poisoned");
    mutex(class) lock_hierarchy::Mutex::with_level((), rank(class));
    rwlock lock_hierarchy::RwLock::with_level((), rank(class));
    start(report) report_panics(report);
}

type AxGuard = ax_kernel_guard::NoOp;

family! {
    /// ax-kspin with its lockdep, hosted: an order graph of construction sites, searched anew at every acquisition.
    AxKspin "ax-kspin": ax_kspin::SpinRaw<()>, ax_kspin::BaseSpinLockGuard<'a, AxGuard, ()>, ax_kspin::SpinRwLock<()>,
        ax_kspin::BaseSpinRwLockReadGuard<'a, AxGuard, ()>, ax_kspin::BaseSpinRwLockWriteGuard<'a, AxGuard, ()>;
    tries true; lag 0; lock(lock) lock.lock();
    try_lock(lock) lock.try_lock();
    read(lock) lock.read();
    write(lock) lock.write();
    mutex(_class) ax_kspin::SpinRaw::new(());
    rwlock ax_kspin::SpinRwLock::new(());
    start(report) report_panics(report);
}
