//! Parameters that cannot have a role, or have too many or none.

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
fn none(s: Subject<'_>) {
    let _ = s;
}

#[operation]
fn pattern(#[role(subject)] (s, _): (Subject<'_>, u8), #[role(control)] _: Control<'_>) {
    let _ = s;
}

#[operation]
fn twice(
    #[role(subject)]
    #[role(control)]
    s: Subject<'_>,
) {
    let _ = s;
}

#[operation]
fn bare(#[role] s: Subject<'_>, #[role()] t: Subject<'_>, #[role = "subject"] u: Subject<'_>) {
    let _ = (s, t, u);
}

#[operation]
fn two(#[role(subject, control)] s: Subject<'_>) {
    let _ = s;
}

#[operation(orer = board)]
fn argument(#[role(subject)] s: Subject<'_>) {
    let _ = s;
}

impl Player {
    #[operation]
    fn receiver(#[role(subject)] &self, #[role(control)] c: Control<'_>) {
        let _ = c;
    }
}

fn main() {
    let (subject, control) = (Subject::new(&Player), Control::new(&Player));
    none(subject);
    pattern((subject, 1), control);
    twice(subject);
    bare(subject, subject, subject);
    two(subject);
    argument(subject);
    Player.receiver(control);
}
