//! The runtime on its own: what is reported, what is not, in which words, and that nothing is left when it is off.
//!
//! Locks are chess pieces. What a hypervisor does with such locks is tested in `discipline.rs` and `stress.rs`, the
//! macros' errors in `ui.rs`. Every test that can cause a report holds the right to switch the sink.

#[path = "runtime/contracts.rs"]
mod contracts;
#[path = "runtime/off.rs"]
mod off;
#[path = "runtime/order.rs"]
mod order;
#[path = "runtime/recursion.rs"]
mod recursion;
#[path = "runtime/reports.rs"]
mod reports;

use std::cell::Cell;

use lockdep::{Owner, lock_owner, mm_locks, owner};
use spin::RelaxStrategy;

lockdep::lock_order! {
    /// Pieces, the first to be taken first.
    pub order Board {
        /// The squares that pawns stand on.
        pawn   = 8;
        /// One lock per knight; two are taken in ascending square.
        knight = 16, ordered_by = square;
        /// The files that rooks guard.
        rook   = 24;
        /// Held by a queen that moves as a rook and then as a bishop.
        queen  = 32, recursive = "a queen is a rook and a bishop";
    }
    /// A master may take his own pieces while he holds a pupil's.
    roles { pupil < master }
}

/// How these locks wait: they do not, so that a test that would hang fails.
struct Impatient;

impl RelaxStrategy for Impatient {
    fn relax() {
        panic!("waits for a lock that is held");
    }
}

type Mutex<T, C> = lockdep::Mutex<spin::mutex::Mutex<(), Impatient>, T, C>;
type RwLock<T, C> = lockdep::RwLock<spin::rwlock::RwLock<(), Impatient>, T, C>;
type ReentrantMutex<T, C> = lockdep::ReentrantMutex<spin::Mutex<()>, T, C>;

/// Somebody with pieces.
#[lock_owner]
#[mm_locks]
struct Player {
    #[owner]
    owner: Owner,
    #[mm_lock(order = pawn)]
    pawn: Mutex<u64>,
    #[mm_lock(order = rook)]
    rook: RwLock<u64>,
    #[mm_lock(order = queen)]
    queen: ReentrantMutex<Cell<u64>>,
}

impl Player {
    fn new() -> Player {
        let owner = Owner::register(false).expect("room for a player");
        let id = owner.id();
        Player {
            owner,
            pawn: Mutex::owned(id, 0),
            rook: RwLock::owned(id, 0),
            queen: ReentrantMutex::owned(id, Cell::new(0)),
        }
    }

    /// A pupil and his master.
    fn pair() -> [Player; 2] {
        let [pupil, master] = [Player::new(), Player::new()];
        owner::add_control(master.owner.id(), pupil.owner.id()).expect("nobody controls anybody yet");
        [pupil, master]
    }
}
