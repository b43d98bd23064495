//! What is declared to be a lock has no type that a class can be appended to.

lockdep::lock_order! {
    /// The pieces.
    pub order Board {
        /// Weakest.
        pawn = 8;
        /// Jumps.
        knight = 16;
        /// Strongest.
        queen = 32;
    }
    /// Who moves, and who suffers it.
    roles { subject < control }
}

use lockdep::{mm_lock, mm_locks};

#[mm_lock(order = pawn)]
struct Number(u32);

#[mm_lock(order = pawn)]
struct Text(std::string::String);

#[mm_lock(order = pawn)]
struct Reference(&'static Vec<u8>);

#[mm_lock(order = pawn)]
struct Tuple((u8, u8));

#[mm_lock(order = pawn)]
static ARRAY: [u8; 2] = [1, 2];

#[mm_locks]
struct Fields {
    #[mm_lock(order = pawn)]
    function: fn(Vec<u8>) -> u8,
    #[mm_lock(order = pawn)]
    word: usize,
}

fn main() {
    let fields = Fields { function: |_| 1, word: 2 };
    let _ =
        (fields.function, fields.word, Number(1), Text(String::new()), Reference(&Vec::new()), Tuple((1, 2)));
    let _ = ARRAY;
}
