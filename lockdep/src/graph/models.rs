//! Models of what CPUs do to the learned graph at the same time, run by loom in every interleaving and with every value
//! that the memory model lets a relaxed load return.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --target-dir target/loom -p lockdep --lib models`, a matter of seconds. Claims: of the CPUs that
//! bring the parts of one cycle at least one reports, and no more than have to; an edge seen known without the lock was
//! judged; whoever sees an edge sees what was objected to it; one class gets one node; the lock excludes and publishes. What
//! single-threaded code decides is tested elsewhere.

extern crate std;

use core::panic::Location;
use core::sync::atomic::{AtomicUsize, Ordering as Plain};
use std::boxed::Box;
use std::cell::Cell;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use loom::cell::UnsafeCell;
use loom::thread;

use super::*;
use crate::sync::fence;
use crate::{cpu, validator};

loom::thread_local! {
    static CPU: Cell<usize> = Cell::new(0);
}

const ALONE: Undisturbed<'static> = Undisturbed::BY_MODEL;
static CLASSES: [Class; 3] = [const { Class::undeclared("a class of a model") }; 3];
const A: u16 = 0;
const B: u16 = 1;
const C: u16 = 2;

/// Runs `model` in every interleaving.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    // The graph is one for the process, and `cargo test` runs models at the same time.
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    cpu::install_for_tests(|| CPU.with(Cell::get));
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    loom::model(move || {
        count.fetch_add(1, Plain::Relaxed);
        start();
        model();
    });
    // One interleaving would mean that the threads share nothing.
    assert!(runs.load(Plain::Relaxed) > 1, "nothing was interleaved");
}

/// Empties the graph, which outlives an execution, and so touches all that threads share.
fn start() {
    // One more than there are, whatever an earlier execution left: every execution has to begin alike.
    let mut learned = LEARNED.lock();
    (learned.nr_classes, learned.classes) = (CLASSES.len() + 1, [None; MAX_CLASSES]);
    drop(learned);
    validator::forget();
    LEARNED.lock().nr_classes = 0;
    for class in &CLASSES {
        node(class, ALONE);
    }
    validator::counters();
    newly_full();
    crate::check::discipline();
}

/// Each on a CPU of its own; what each gave.
fn cpus<T: 'static>(programs: Vec<Box<dyn FnOnce() -> T>>) -> Vec<T> {
    let threads: Vec<_> = programs
        .into_iter()
        .enumerate()
        .map(|(number, program)| {
            thread::spawn(move || {
                CPU.with(|cpu| cpu.set(number + 1));
                program()
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().expect("a CPU that does not panic")).collect()
}

fn exclusive(from: u16, to: u16) -> Edge {
    Edge { from, to, relation: Relation::Same, held: Mode::Exclusive, wanted: Mode::Exclusive }
}

/// Learns a nesting; whether it was refused, and so reported.
fn want(from: u16, to: u16) -> bool {
    let here = Location::caller();
    learn(exclusive(from, to), (here, here), ALONE).is_some()
}

/// How many of the nestings were reported, each being brought by a CPU of its own.
fn reported(nestings: &[(u16, u16)]) -> usize {
    let cpu = |&(from, to): &(u16, u16)| Box::new(move || want(from, to)) as Box<dyn FnOnce() -> bool>;
    cpus(nestings.iter().map(cpu).collect()).into_iter().filter(|&reported| reported).count()
}

#[test]
fn one_of_two_halves_is_reported() {
    explore(|| assert_eq!(reported(&[(A, B), (B, A)]), 1));
}

#[test]
fn one_of_the_last_two_of_three_parts_is_reported() {
    explore(|| {
        assert!(!want(A, B));
        assert_eq!(reported(&[(B, C), (C, A)]), 1);
    });
}

#[test]
fn the_same_half_is_reported_once() {
    explore(|| {
        assert!(!want(A, B));
        assert_eq!(reported(&[(B, A), (B, A)]), 1);
    });
}

#[test]
fn nestings_that_fit_are_not_reported() {
    explore(|| {
        assert_eq!(reported(&[(A, B), (A, C)]), 0);
        assert!([(A, B), (A, C)].into_iter().all(|(from, to)| knows(exclusive(from, to))));
    });
}

/// Seen without the lock, an edge was judged: it has its sites, and it either joined the graph or is kept out of it.
#[test]
fn a_known_edge_was_judged() {
    explore(|| {
        assert!(!want(A, B));
        let refused = cpus(vec![
            Box::new(|| want(B, A)),
            Box::new(|| {
                if knows(exclusive(B, A)) {
                    let learned = LEARNED.lock();
                    assert_eq!(learned.nr_nestings, 2, "known, and not kept");
                    assert_eq!(learned.accepted(B.into(), A.into()), 0, "known, and part of the graph");
                }
                false
            }),
        ]);
        assert_eq!(refused, [true, false]);
    });
}

/// Whoever holds the lock sees a graph without a cycle, whatever is known.
#[test]
fn the_graph_is_free_of_cycles_at_all_times() {
    fn look() {
        let learned = LEARNED.lock();
        let accepted = |from: u16, to: u16| learned.accepted(from.into(), to.into()) != 0;
        assert!(!(accepted(A, B) && accepted(B, A)));
    }
    explore(|| {
        cpus(vec![
            Box::new(|| want(A, B)),
            Box::new(|| {
                look();
                let refused = want(B, A);
                look();
                refused
            }),
        ]);
    });
}

/// `check::settled` asks about objections after it saw the edge, and without the lock.
#[test]
fn an_edge_is_not_seen_without_its_objection() {
    explore(|| {
        cpus(vec![
            Box::new(|| {
                CLASSES[usize::from(B)].ask(Standing::ORDER);
                want(A, B);
            }),
            Box::new(|| {
                if knows(exclusive(A, B)) {
                    fence(Ordering::Acquire);
                    let asks = CLASSES[usize::from(B)].standing().asks(Standing::ORDER);
                    assert!(asks != 0, "the edge is seen, and its objection is not");
                }
            }),
        ]);
    });
}

#[test]
fn one_class_gets_one_node() {
    static FRESH: Class = Class::undeclared("a class that two CPUs use first");
    explore(|| {
        // Touches its index, see `sync.rs`.
        let _ = std::format!("{FRESH:?}");
        let nodes = cpus(vec![Box::new(|| node(&FRESH, ALONE)), Box::new(|| node(&FRESH, ALONE))]);
        assert!(nodes[0].is_some() && nodes[0] == nodes[1], "{nodes:?}");
        assert_eq!(nodes[0], node(&FRESH, ALONE));
    });
}

#[test]
fn a_full_table_is_said_once() {
    explore(|| {
        let program = || {
            full(Table::Nestings);
            newly_full().is_some()
        };
        let said = cpus(vec![Box::new(program), Box::new(program)]);
        assert_eq!(said.into_iter().filter(|&said| said).count(), 1);
    });
}

#[test]
fn the_lock_excludes_and_publishes() {
    explore(|| {
        // loom's cell complains of two that are inside, and of one that does not see what the one before wrote.
        let lock = Arc::new(Mutex::<RawSpin, UnsafeCell<()>>::new(UnsafeCell::new(())));
        drop(lock.lock());
        let program = |lock: Arc<Mutex<RawSpin, UnsafeCell<()>>>| {
            Box::new(move || lock.lock().with_mut(|_| ())) as Box<dyn FnOnce()>
        };
        cpus(vec![program(Arc::clone(&lock)), program(lock)]);
    });
}
