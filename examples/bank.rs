//! A program for std, with two faults: each is reported by one thread that runs through it, long before two can hang in it.
//!
//! The locks are std's but for the one line that says whose they are. Run it with
//! `cargo run -p lockdep-examples --example bank`; `RUSTFLAGS="--cfg lockdep_off"` in front switches checking off.

use lockdep_std::{Condvar, Mutex, Report};

struct Bank {
    accounts: Mutex<Vec<i64>>,
    log: Mutex<Vec<String>>,
    logged: Condvar,
}

impl Bank {
    fn transfer(&self, from: usize, to: usize, amount: i64) {
        let mut accounts = self.accounts.lock().expect("nobody panics");
        accounts[from] -= amount;
        accounts[to] += amount;
        self.log.lock().expect("nobody panics").push(format!("{from} to {to}: {amount}"));
        self.logged.notify_all();
    }

    /// The wrong way round: `transfer` logs under the accounts.
    fn audit(&self) -> String {
        let log = self.log.lock().expect("nobody panics");
        let sum: i64 = self.accounts.lock().expect("nobody panics").iter().sum();
        format!("{} transfers, {sum} in all", log.len())
    }

    /// Waits for a transfer, which needs the accounts, with the accounts held.
    fn await_transfer(&self) -> usize {
        let accounts = self.accounts.lock().expect("nobody panics");
        let log = self.log.lock().expect("nobody panics");
        let log = self.logged.wait_while(log, |log| log.is_empty()).expect("nobody panics");
        accounts.len() + log.len()
    }
}

fn print(report: &Report) {
    println!("{report}\n");
}

fn main() {
    lockdep_std::set_sink(print);
    let log = Mutex::named("log", Vec::new());
    let bank =
        Bank { accounts: Mutex::named("accounts", vec![70, 30]), log, logged: Condvar::named("logged") };
    println!("transfer: one order, no report");
    bank.transfer(0, 1, 50);
    println!("audit: the other order\n");
    println!("{}\n", bank.audit());
    println!("wait for a transfer: nobody can make one meanwhile\n");
    println!("{} accounts and transfers", bank.await_transfer());
}
