//! Every error of a file, and of an item, in one run of the compiler.

lockdep::lock_order! {
    /// The pieces.
    pub order Board {
        pawn = 0, recursve;
        knight = 16, ordered_by = square, colour;
        rook = 16;
        knight = 24;
    }
    roles { subject < control < subject }
}

use lockdep::{lock_owner, mm_lock, mm_locks, operation};

type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;

#[mm_lock(order = pwan)]
struct Wrong(u32);

#[mm_locks(here)]
#[lock_owner]
struct Player {
    #[mm_lock(order = night)]
    knight: Mutex<u8>,
    #[mm_lock(order = rok)]
    rook: u8,
    #[mm_lock(order = pawn)]
    pawn: Mutex<u8>,
    #[owner]
    owner: lockdep::Owner,
    #[owner]
    other: lockdep::Owner,
}

#[operation]
fn capture(
    #[role(subjct)] (s, _): (levels::Subject<'_, Player>, u8),
    #[role(controll)]
    #[role(control)]
    c: levels::Control<'_, Player>,
) {
    let _ = (s, c);
}

fn main() {
    let _ = |player: Player| (*player.knight.lock(), *player.pawn.lock(), player.rook, player.other);
    let _ = (Wrong(1), capture);
}
