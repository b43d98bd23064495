//! `#[operation]` on what has no body to check in.

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
struct Struct;

#[operation]
static STATIC: u8 = 1;

#[operation]
mod module {}

trait Moves {
    #[operation]
    fn declared(&self, #[role(subject)] s: Subject<'_>);
}

impl Moves for Player {
    fn declared(&self, s: Subject<'_>) {
        let _ = (s, Struct, STATIC);
    }
}

fn main() {}
