//! What checking costs in time: a lock and an unlock, one inside the other, over the same raw lock and beside peers.
//!
//! `RUSTFLAGS="--cfg lockdep" cargo bench -p lockdep --bench cost`; without the flag checking is off and "checked" is
//! the raw lock. Times of a shared machine: quote ratios of medians to `swap_and_store`, and counts from
//! `instructions.sh`.
#![expect(unsafe_code, reason = "lockdep has to be told how to find the current CPU")]

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

use divan::{Bencher, bench};
use lockdep::class::{Class, LockClass};
use lockdep::held::Mode;
use lockdep::{Map, Mutex};

fn main() {
    std::thread_local! {
        static CPU: usize = {
            static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
            NEXT.fetch_add(1, Ordering::Relaxed)
        };
    }
    // SAFETY: every thread has a number of its own, for as long as it lives and never again.
    unsafe { lockdep::cpu::install(|| CPU.with(|cpu| *cpu)) };
    divan::main();
    let missed = lockdep::counters().unattributed;
    assert_eq!(missed, 0, "acquisitions on threads without a number were not checked");
}

struct Pawn;
struct Knight;

impl LockClass for Pawn {
    fn class() -> &'static Class {
        static CLASS: Class = Class::undeclared("pawn");
        &CLASS
    }
}

impl LockClass for Knight {
    fn class() -> &'static Class {
        static CLASS: Class = Class::undeclared("knight");
        &CLASS
    }
}

type Checked<C> = Mutex<spin::Mutex<()>, u32, C>;
type Raw = lock_api::Mutex<spin::Mutex<()>, u32>;

#[bench(threads = [1, 2], sample_size = 1000)]
fn swap_and_store(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(|| AtomicBool::new(false)).bench_refs(|flag| {
        black_box(flag.swap(true, Ordering::Acquire));
        flag.store(false, Ordering::Release);
    });
}

#[bench(threads = [1, 2], sample_size = 1000)]
fn raw_one(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(|| Raw::new(0)).bench_refs(|lock| *lock.lock() += 1);
}

#[bench(threads = [1, 2], sample_size = 1000)]
fn checked_one(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(|| Checked::<Pawn>::new(0)).bench_refs(|lock| *lock.lock() += 1);
}

#[bench(threads = [1, 2], sample_size = 1000)]
fn raw_two(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(|| (Raw::new(0), Raw::new(0))).bench_refs(|(a, b)| {
        let _outer = a.lock();
        *b.lock() += 1;
    });
}

#[bench(threads = [1, 2], sample_size = 1000)]
fn checked_two(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(|| (Checked::<Pawn>::new(0), Checked::<Knight>::new(0))).bench_refs(|(a, b)| {
        let _outer = a.lock();
        *b.lock() += 1;
    });
}

/// The first sight of a nesting among 500 classes, in a hidden total order.
#[bench(sample_size = 1, sample_count = 2000)]
fn new_edge(bencher: Bencher<'_, '_>) {
    let maps: Vec<Map> = {
        static CLASSES: [Class; 500] = [const { Class::undeclared("one of 500") }; 500];
        CLASSES.iter().map(Map::new).collect()
    };
    let mut seed = 1_u64;
    let mut dice = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % 500
    };
    // A permutation, so that the order learned is not the order of creation.
    let place = |class: usize| class * 211 % 500;
    bencher
        .with_inputs(|| {
            let (a, b) = (dice(), dice());
            if place(a) < place(b) { (a, b) } else { (b, a) }
        })
        .bench_local_values(|(outer, inner)| {
            if outer != inner {
                maps[outer].acquire(Mode::Exclusive);
                maps[inner].acquire(Mode::Exclusive);
                maps[inner].release();
                maps[outer].release();
            }
        });
}
