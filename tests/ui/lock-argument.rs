//! Arguments that are not `order = …`.

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

type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;

#[mm_lock]
struct None(Mutex<u8>);

#[mm_lock()]
struct Empty(Mutex<u8>);

#[mm_lock(ordr = pawn)]
struct Misspelt(Mutex<u8>);

#[mm_lock(colour = white)]
struct Unknown(Mutex<u8>);

#[mm_lock(order = pawn, order = queen)]
struct Twice(Mutex<u8>);

#[mm_lock(order = 8)]
struct Number(Mutex<u8>);

#[mm_locks(order = pawn)]
struct Several {
    #[mm_lock]
    none: Mutex<u8>,
    #[mm_lock = "pawn"]
    value: Mutex<u8>,
}

fn main() {
    // Without a level the items are still complete.
    let several = Several { none: Mutex::new(1), value: Mutex::new(2) };
    let _ = (several.none.lock(), several.value.lock(), Misspelt::from(Mutex::new(1)).lock());
}
