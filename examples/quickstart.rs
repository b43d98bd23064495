//! Two locks declared, held rightly, then wrongly: prints the report that the second gets.
//!
//! A hosted program stands in for a kernel here: one CPU, and a sink that prints. Run it with
//! `cargo run -p lockdep-examples --example quickstart`; the analyzer finds the same without running it.

use lockdep::{Report, lock_order, mm_lock};

lock_order! {
    /// Pieces, outermost first.
    pub order Board {
        /// The square of the pawn.
        pawn = 8;
        /// The square of the rook.
        rook = 16;
    }
}

type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;

#[mm_lock(order = pawn)]
static PAWN: Mutex<u8> = Mutex::new(12);

#[mm_lock(order = rook)]
static ROOK: Mutex<u8> = Mutex::new(0);

fn castle() -> u8 {
    let pawn = PAWN.lock();
    *pawn + *ROOK.lock()
}

fn promote() -> u8 {
    let rook = ROOK.lock();
    *rook + *PAWN.lock()
}

fn print(report: &Report) {
    println!("{report}");
}

#[expect(unsafe_code, reason = "the checker is told which CPU this is")]
fn main() {
    // SAFETY: 1. there is one thread, so no two contexts run at once. 2. its number never changes.
    unsafe { lockdep::cpu::install(|| 0) };
    lockdep::set_sink(print);
    println!("castle: {}, no report", castle());
    println!("promote, reported before it could hang:");
    println!("{}", promote());
}
