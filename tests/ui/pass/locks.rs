//! Every kind of item that can be a lock, with every way to name an order.

#![deny(warnings, missing_docs)]

use std::ops::Deref;

use lockdep::class::LockClass;

/// The orders.
pub mod locks {
    lockdep::lock_order! {
        /// The pieces.
        pub order Board {
            /// Weakest.
            pawn = 8;
            /// Strongest.
            queen = 32, recursive;
        }
    }

    /// A second order, of another module.
    pub mod draughts {
        lockdep::lock_order! {
            /// The men.
            pub(crate) order Draughts {
                /// The only kind.
                man = 8;
            }
        }
    }
}

use locks::draughts::draughts;
use locks::{board, levels};

type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;
type RwLock<T, C> = lockdep::RwLock<spin::RwLock<()>, T, C>;

/// A newtype, with the order left out.
#[lockdep::mm_lock(order = pawn)]
#[repr(transparent)]
pub struct PawnLock(pub(crate) Mutex<u8>);

/// A newtype with generics, with the order named.
#[lockdep::mm_lock(order = board::queen)]
pub struct QueenLock<T: Copy, const N: usize>(RwLock<[T; N]>)
where
    T: Send;

/// A static, with the order named by a path; a lock type named by a path.
#[lockdep::mm_lock(order = crate::locks::board::pawn)]
pub static PAWN: lockdep::Mutex<spin::Mutex<()>, u8> = lockdep::Mutex::new(1);

/// Fields of two orders, and one that is no lock.
#[lockdep::mm_locks]
pub struct Player {
    /// A visible one.
    #[lockdep::mm_lock(order = queen)]
    pub queen: Mutex<u8>,
    #[mm_lock(order = draughts::man)]
    man: Mutex<u8>,
    moves: u32,
}

macro_rules! declare {
    ($name:ident: $ty:ty) => {
        /// A lock whose type was passed by a macro.
        #[lockdep::mm_lock(order = pawn)]
        pub struct $name($ty);
    };
}
declare!(PassedLock: Mutex<u8>);

fn class_of<C: LockClass, R, T>(_: &lockdep::Mutex<R, T, C>) -> &'static str {
    C::class().name
}

fn main() {
    #[lockdep::mm_lock(order = pawn)]
    static LOCAL: Mutex<u8> = Mutex::new(1);

    let pawn = PawnLock::from(Mutex::new(1));
    let queen = QueenLock::from(RwLock::new([1, 2]));
    let player = Player { queen: Mutex::new(9), man: Mutex::new(1), moves: 0 };
    assert_eq!(class_of(pawn.deref()), "pawn");
    assert_eq!(class_of(&PassedLock::from(Mutex::new(1))), "pawn");
    assert_eq!((class_of(&player.queen), class_of(&player.man)), ("queen", "man"));
    assert_eq!((class_of(&PAWN), class_of(&LOCAL)), ("pawn", "pawn"));
    assert_eq!(queen.read()[1] + *pawn.lock(), 3);
    assert_eq!(player.moves, 0);
}
