//! The probes: programs that can deadlock, and programs that cannot; what a checker should say of each.
//!
//! Each runs in a process of its own, because a checker may hang, abort, or remember the probe before. It names no
//! checker; `trial.rs` starts the processes.

use std::sync::{Arc, Barrier};
use std::thread;

use crate::family::{Family, Mutex, RwLock};

/// What a checker should do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Should {
    /// Some run of the program deadlocks.
    Report,
    /// None does.
    StaySilent,
    /// None does, but saying so needs to know the common lock around both orders.
    StaySilentIfGatesAreKnown,
}

/// A probe over the locks of `F`.
pub struct Probe<F> {
    /// What it does.
    pub name: &'static str,
    /// What should come of it.
    pub should: Should,
    /// Whether it needs try-locks.
    pub tries: bool,
    /// It.
    pub run: fn(),
    family: std::marker::PhantomData<F>,
}

const fn probe<F>(name: &'static str, should: Should, tries: bool, run: fn()) -> Probe<F> {
    Probe { name, should, tries, run, family: std::marker::PhantomData }
}

/// On another thread, to its end. A panic there is the checker's.
fn elsewhere(work: impl FnOnce() + Send + 'static) {
    let _ = thread::spawn(work).join();
}

fn two<F: Family>() -> (Arc<F::Mutex<0>>, Arc<F::Mutex<1>>) {
    (Arc::new(F::mutex::<0>()), Arc::new(F::mutex::<1>()))
}

fn nested(outer: &impl Mutex, inner: &impl Mutex) {
    let _outer = outer.lock();
    let _inner = inner.lock();
}

fn one_after_the_other<F: Family>() {
    let (a, b) = two::<F>();
    nested(&*a, &*b);
    elsewhere(move || nested(&*b, &*a));
}

fn live<F: Family>() {
    let (a, b) = two::<F>();
    let both_hold = Arc::new(Barrier::new(2));
    let (a2, b2, both) = (Arc::clone(&a), Arc::clone(&b), Arc::clone(&both_hold));
    let other = thread::spawn(move || {
        let _b = b2.lock();
        both.wait();
        let _a = a2.lock();
    });
    elsewhere(move || {
        let _a = a.lock();
        both_hold.wait();
        let _b = b.lock();
    });
    let _ = other.join();
}

fn three<F: Family>() {
    let (a, b) = two::<F>();
    let c = F::mutex::<2>();
    nested(&*a, &*b);
    nested(&*b, &c);
    nested(&c, &*a);
}

fn twice<F: Family>() {
    let a = F::mutex::<0>();
    let _first = a.lock();
    let _second = a.lock();
}

fn read_then_write<F: Family>() {
    let a = F::rwlock::<0>();
    let _read = a.read();
    let _write = a.write();
}

fn readers_against_writers<F: Family>() {
    let (a, b) = (F::rwlock::<0>(), F::rwlock::<1>());
    {
        let _read = a.read();
        let _write = b.write();
    }
    let _read = b.read();
    let _write = a.write();
}

fn writers<F: Family>() {
    let (a, b) = (F::rwlock::<0>(), F::rwlock::<1>());
    {
        let _outer = a.write();
        let _inner = b.write();
    }
    let _outer = b.write();
    let _inner = a.write();
}

fn reader_and_mutex<F: Family>() {
    let (a, m) = (F::rwlock::<0>(), F::mutex::<1>());
    {
        let _read = a.read();
        let _lock = m.lock();
    }
    let _lock = m.lock();
    let _write = a.write();
}

fn two_of_a_class<F: Family>() {
    let make = || F::mutex::<0>();
    let (first, second) = (make(), make());
    nested(&first, &second);
    nested(&second, &first);
}

fn other_instances<F: Family>() {
    let make = || two::<F>();
    let ((a, b), (other_a, other_b)) = (make(), make());
    nested(&*a, &*b);
    nested(&*other_b, &*other_a);
}

fn tried_then_blocked<F: Family>() {
    let (a, b) = two::<F>();
    {
        let _a = a.try_lock();
        let _b = b.lock();
    }
    let _b = b.try_lock();
    let _a = a.lock();
}

fn middle_freed<F: Family>() {
    let (a, b) = two::<F>();
    let c = F::mutex::<2>();
    {
        let _a = a.lock();
        let _b = b.lock();
        let _c = c.lock();
    }
    drop(b);
    nested(&c, &*a);
}

fn tries_both_ways<F: Family>() {
    let (a, b) = two::<F>();
    {
        let _a = a.lock();
        let _b = b.try_lock();
    }
    let _b = b.lock();
    let _a = a.try_lock();
}

fn tries_one_way<F: Family>() {
    // The order that a checker of ranks is told is the one that is waited in.
    let (b, a) = two::<F>();
    {
        let _a = a.lock();
        let _b = b.try_lock();
    }
    nested(&*b, &*a);
}

fn tries_its_own<F: Family>() {
    let a = F::mutex::<0>();
    let _held = a.lock();
    assert!(a.try_lock().is_none());
}

fn any_release_order<F: Family>() {
    let (a, b) = two::<F>();
    let outer = a.lock();
    let inner = b.lock();
    drop(outer);
    drop(inner);
}

fn hand_over_hand<F: Family>() {
    let (a, b) = two::<F>();
    let c = F::mutex::<2>();
    let first = a.lock();
    let second = b.lock();
    drop(first);
    let third = c.lock();
    drop(second);
    drop(third);
    // A was free when C was taken.
    nested(&*b, &c);
}

fn released_is_forgotten<F: Family>() {
    let (c, a, b) = (F::mutex::<0>(), F::mutex::<1>(), F::mutex::<2>());
    let first = a.lock();
    let second = b.lock();
    drop(first);
    drop(second);
    // Wrong only if A were believed held here.
    drop(c.lock());
    nested(&c, &a);
}

fn gate<F: Family>() {
    let g = F::mutex::<2>();
    let (a, b) = two::<F>();
    let _gate = g.lock();
    nested(&*a, &*b);
    nested(&*b, &*a);
}

/// All of them, those that deadlock first.
pub fn probes<F: Family>() -> Vec<Probe<F>> {
    use Should::{Report, StaySilent, StaySilentIfGatesAreKnown};
    vec![
        probe("A-B, then B-A on another thread", Report, false, one_after_the_other::<F>),
        probe("A-B and B-A first ever seen as a live race", Report, false, live::<F>),
        probe("A-B, B-C, C-A", Report, false, three::<F>),
        probe("one mutex twice", Report, false, twice::<F>),
        probe("read, then write, of one lock", Report, false, read_then_write::<F>),
        probe("read A, write B; read B, write A", Report, false, readers_against_writers::<F>),
        probe("write A, write B; write B, write A", Report, false, writers::<F>),
        probe("read A, lock M; lock M, write A", Report, false, reader_and_mutex::<F>),
        probe("two of one class, both ways", Report, false, two_of_a_class::<F>),
        probe("A1-B1, then B2-A2 of the same classes", Report, false, other_instances::<F>),
        probe("try A, lock B; try B, lock A", Report, true, tried_then_blocked::<F>),
        probe("A-B-C, B freed, C-A", Report, false, middle_freed::<F>),
        probe("lock A, try B; lock B, try A", StaySilent, true, tries_both_ways::<F>),
        probe("lock A, try B; lock B, lock A", StaySilent, true, tries_one_way::<F>),
        probe("try a mutex that this thread holds", StaySilent, true, tries_its_own::<F>),
        probe("unlock A before B", StaySilent, false, any_release_order::<F>),
        probe("hand over hand", StaySilent, false, hand_over_hand::<F>),
        probe("unlock A before B, lock C, C-A", StaySilent, false, released_is_forgotten::<F>),
        probe("G around A-B and B-A", StaySilentIfGatesAreKnown, false, gate::<F>),
    ]
}
