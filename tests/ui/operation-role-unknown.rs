//! A role close to a known one, and one like none.

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
fn misspelt(#[role(subjct)] s: Subject<'_>, #[role(contrl)] c: Control<'_>) {
    let _ = (s, c);
}

#[operation(order = crate::board)]
fn unknown(#[role(arbiter)] s: Subject<'_>) {
    let _ = s;
}

mod roleless {
    lockdep::lock_order! {
        /// The pieces.
        pub order Draughts {
            /// One.
            man = 8;
        }
    }
}

#[operation(order = roleless::draughts)]
fn none(#[role(subject)] s: Subject<'_>) {
    let _ = s;
}

fn main() {
    misspelt(Subject::new(&Player), Control::new(&Player));
    unknown(Subject::new(&Player));
    none(Subject::new(&Player));
}
