//! How long locks are waited for and held, as Linux prints it in `/proc/lock_stat`: two threads and three locks.
//!
//! `cargo run -p lockdep-examples --example lock_times`. A kernel gives `lockdep::times::start` a clock of its own.

use std::thread;
use std::time::Duration;

use lockdep_std::{Mutex, RwLock, times};

static RATES: RwLock<[u32; 2]> = RwLock::named("rates", [3, 5]);
static LEDGER: Mutex<u32> = Mutex::named("ledger", 0);
static LOG: Mutex<Vec<u32>> = Mutex::named("log", Vec::new());

/// Holds the ledger while it works, which the other thread notices.
fn book(rate: usize) {
    for _ in 0..20 {
        let rate = RATES.read().unwrap_or_else(|poisoned| poisoned.into_inner())[rate];
        let mut ledger = LEDGER.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *ledger += rate;
        thread::sleep(Duration::from_millis(1));
        LOG.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(*ledger);
    }
}

fn main() {
    times::start();
    thread::scope(|scope| {
        scope.spawn(|| book(0));
        book(1);
    });
    times::stop();
    let mut table = String::new();
    times::write_text(&mut table).expect("a string takes everything");
    print!("{table}");
    for measured in times::all() {
        let (name, hold) = (measured.class.name, Duration::from_nanos(measured.holds.avg()));
        println!("{name}: held {} times, {hold:?} on average", measured.holds.number);
    }
}
