//! A level close to a known one: the suggestion, at the token, wherever a level can be named.

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

#[mm_lock(order = pwan)]
pub struct PawnLock(Mutex<u8>);

#[mm_lock(order = board::knigt)]
static KNIGHT: Mutex<u8> = Mutex::new(1);

#[mm_locks]
struct Player {
    #[mm_lock(order = crate::levels::quen)]
    queen: Mutex<u8>,
    #[mm_lock(order = pawn)]
    pawn: Mutex<u8>,
}

fn main() {
    // None of these is a second error.
    let player = Player { queen: Mutex::new(9), pawn: Mutex::new(1) };
    *PawnLock::from(Mutex::new(1)).lock() = *KNIGHT.lock() + *player.queen.lock() + *player.pawn.lock();
}
