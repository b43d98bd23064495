//! A newtype more visible than the data in it: `Deref` would leak that, and the error is at the lock's type.

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

type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;

struct Square;

#[mm_lock(order = pawn)]
pub struct PawnLock(Mutex<Square>);

fn main() {
    let _ = (PawnLock::from(Mutex::new(Square)), levels::classes());
}
