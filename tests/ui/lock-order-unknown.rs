//! The table itself is not in scope.

mod locks {
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
}

use lockdep::mm_lock;

type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;

#[mm_lock(order = pawn)]
static PIECE: Mutex<u8> = Mutex::new(1);

fn main() {}
