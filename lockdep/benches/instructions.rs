//! What a lock and an unlock execute, for `instructions.sh`: one workload, a given number of times.
//!
//! `instructions WORKLOAD DEPTH TIMES`. The script runs it under callgrind with two numbers of times and takes the
//! difference, so that start-up and the first sight of each nesting drop out. It measures no time (`cost.rs`).
#![expect(unsafe_code, reason = "lockdep has to be told how to find the current CPU")]

use std::hint::black_box;

use lockdep::class::{Class, LockClass};
use lockdep::context::{HARDIRQ, SOFTIRQ};
use lockdep::owner::add_control;
use lockdep::{Mutex, Owner, RwLock};

type Raw = lock_api::Mutex<spin::Mutex<()>, u32>;

macro_rules! rank {
    ($($marker:ident = $level:literal;)*) => {$(
        struct $marker;

        impl LockClass for $marker {
            fn class() -> &'static Class {
                static CLASS: Class = Class::new("chess", stringify!($marker), $level, 0);
                &CLASS
            }
        }
    )*};
}

rank! { A = 1; B = 2; C = 3; D = 4; E = 5; F = 6; G = 7; H = 8; }

type Checked<K> = Mutex<spin::Mutex<()>, u32, K>;

/// Acquires the first `depth` of eight locks, one inside the other.
macro_rules! nested {
    ($depth:expr, $times:expr, $locks:ident, $acquire:ident) => {
        match $depth {
            1 => nested!(@ $times, $locks, $acquire, 0),
            2 => nested!(@ $times, $locks, $acquire, 0 1),
            4 => nested!(@ $times, $locks, $acquire, 0 1 2 3),
            8 => nested!(@ $times, $locks, $acquire, 0 1 2 3 4 5 6 7),
            other => panic!("depth 1, 2, 4 or 8, not {other}"),
        }
    };
    (@ $times:expr, $locks:ident, $acquire:ident, $($lock:tt)*) => {
        for _ in 0..$times {
            // Released in reverse, as variables are.
            $(let _guard = black_box(&$locks.$lock).$acquire();)*
        }
    };
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [workload, depth, times] = &arguments[..] else { return };
    let depth: u32 = depth.parse().expect("a depth");
    let times: u32 = times.parse().expect("a number of times");
    // SAFETY: there is one thread.
    unsafe { lockdep::cpu::install(|| 0) };
    macro_rules! eight {
        ($lock:ident) => {
            (
                $lock::<A>::new(0),
                $lock::<B>::new(0),
                $lock::<C>::new(0),
                $lock::<D>::new(0),
                $lock::<E>::new(0),
                $lock::<F>::new(0),
                $lock::<G>::new(0),
                $lock::<H>::new(0),
            )
        };
    }
    match workload.as_str() {
        "raw" => {
            let locks: [Raw; 8] = [const { Raw::new(0) }; 8];
            let [a, b, c, d, e, f, g, h] = locks;
            let locks = (a, b, c, d, e, f, g, h);
            nested!(depth, times, locks, lock);
        }
        "declared" => {
            lockdep::set_learning(false);
            let locks = eight!(Checked);
            nested!(depth, times, locks, lock);
        }
        "learned" | "timed" | "stopped" => {
            if workload != "learned" {
                lockdep::times::start(|| 1).expect("a task");
            }
            if workload == "stopped" {
                lockdep::times::stop().expect("a task");
            }
            let locks = eight!(Checked);
            nested!(depth, times, locks, lock);
        }
        "across" => {
            let owners = [(); 8].map(|()| Owner::register(false).expect("a free owner"));
            let chain = owners.iter().zip(&owners[1..]);
            chain.for_each(|(low, high)| add_control(high.id(), low.id()).expect("an order"));
            let [a, b, c, d, e, f, g, h] = owners.each_ref().map(Owner::id);
            let locks = (
                Checked::<A>::owned(a, 0),
                Checked::<B>::owned(b, 0),
                Checked::<C>::owned(c, 0),
                Checked::<D>::owned(d, 0),
                Checked::<E>::owned(e, 0),
                Checked::<F>::owned(f, 0),
                Checked::<G>::owned(g, 0),
                Checked::<H>::owned(h, 0),
            );
            nested!(depth, times, locks, lock);
        }
        "contexts" => {
            HARDIRQ.declare();
            SOFTIRQ.declare();
            let locks = eight!(Checked);
            nested!(depth, times, locks, lock);
        }
        "readers" => {
            type Reading<K> = RwLock<spin::RwLock<()>, u32, K>;
            let locks = eight!(Reading);
            nested!(depth, times, locks, read);
        }
        "raw-readers" => {
            let locks: [lock_api::RwLock<spin::RwLock<()>, u32>; 8] = [const { lock_api::RwLock::new(0) }; 8];
            let [a, b, c, d, e, f, g, h] = locks;
            let locks = (a, b, c, d, e, f, g, h);
            nested!(depth, times, locks, read);
        }
        other => panic!("no such workload: {other}"),
    }
}
