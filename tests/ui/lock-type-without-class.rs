//! A type with generic arguments that is no lock: rustc says so, at the level that it did not expect.

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

#[mm_lock(order = pawn)]
static PIECE: Option<u8> = Some(1);

fn main() {}
