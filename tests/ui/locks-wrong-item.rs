//! `#[mm_locks]` on what has no named fields, or marks none.

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

use lockdep::mm_locks;

type Mutex<T, C = u8> = std::mem::ManuallyDrop<(T, C)>;

#[mm_locks]
enum Enum {
    Piece {
        #[mm_lock(order = pawn)]
        piece: Mutex<u8>,
    },
}

#[mm_locks]
struct Tuple(#[mm_lock(order = pawn)] Mutex<u8>);

#[mm_locks]
struct Unit;

#[mm_locks]
union Union {
    #[mm_lock(order = pawn)]
    piece: Mutex<u8>,
}

#[mm_locks]
fn function() {}

#[mm_locks]
struct Unmarked {
    piece: Mutex<u8>,
}

#[mm_locks]
struct Twice {
    #[mm_lock(order = pawm)]
    #[mm_lock(order = queen)]
    piece: Mutex<u8>,
}

fn main() {
    function();
    let _ = |piece| Enum::Piece { piece };
    let _ = |piece| Union { piece };
    let _ = |a, piece| (Tuple(a), Unit, Unmarked { piece });
}
