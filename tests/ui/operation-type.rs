//! A parameter whose type is not that of its role.

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

use lockdep::operation;

struct Player;

impl lockdep::LockOwner for Player {
    fn owner_id(&self) -> lockdep::OwnerId {
        lockdep::OwnerId::NOBODY
    }
}

type Subject<'a> = levels::Subject<'a, Player>;
type Control<'a> = levels::Control<'a, Player>;

#[operation]
fn swapped(#[role(control)] s: Subject<'_>, #[role(subject)] c: Control<'_>) {
    let _ = (s, c);
}

#[operation]
fn alone(#[role(subject)] s: &Player) {
    let _ = s;
}

fn main() {}
