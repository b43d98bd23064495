//! `#[mm_lock]` on what is neither a newtype nor a static.

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

use lockdep::mm_lock;

struct Mutex<T>(T);

#[mm_lock(order = pawn)]
fn function() {}

#[mm_lock(order = pawn)]
enum Enum {
    Piece(Mutex<u8>),
}

#[mm_lock(order = pawn)]
struct Named {
    piece: Mutex<u8>,
}

#[mm_lock(order = pawn)]
struct Unit;

#[mm_lock(order = pawn)]
struct Empty();

#[mm_lock(order = pawn)]
struct Two(Mutex<u8>, Mutex<u8>);

#[mm_lock(order = pawn)]
const CONSTANT: Mutex<u8> = Mutex(1);

fn main() {
    function();
    let _ = (Enum::Piece(Mutex(1)), Named { piece: Mutex(1) }, Unit, Empty(), Two(Mutex(1), CONSTANT));
}
