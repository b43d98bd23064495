//! Operations: free, methods, of traits, generic, with one role, two and three, with the order named.

#![deny(warnings)]

use lockdep::owner::add_control;
use lockdep::{LockOwner, Owner, lock_owner, operation};

lockdep::lock_order! {
    /// The pieces.
    order Board {
        /// One.
        pawn = 8;
    }
    /// Three tiers.
    roles { subject < stub < control }
}

#[lock_owner]
struct Player {
    #[owner]
    owner: Owner,
}

type Subject<'a> = levels::Subject<'a, Player>;
type Stub<'a> = board::Stub<'a, Player>;
type Control<'a> = levels::Control<'a, Player>;

/// Roles may stand in any order, and other parameters between them.
#[operation]
fn three(
    #[role(control)] c: Control<'_>,
    depth: u8,
    #[role(subject)] s: Subject<'_>,
    #[role(stub)] t: Stub<'_>,
) -> u8 {
    let _ = (s, t, c);
    depth
}

#[operation(order = crate::board)]
const fn alone<'a>(#[role(subject)] _subject: Subject<'a>, #[role(subject)] mut other: Subject<'a>) -> u8 {
    other = _subject;
    let _ = other;
    1
}

#[operation]
fn generic<D: LockOwner>(
    #[role(subject)] role_0: levels::Subject<'_, D>,
    #[role(control)] role_1: &mut levels::Control<'_, D>,
) -> bool {
    role_0.owner_id() == role_1.owner_id()
}

trait Moves {
    fn moves(&self, s: Subject<'_>, c: Control<'_>) -> bool;
}

impl Moves for Player {
    #[operation]
    fn moves(&self, #[role(subject)] s: Subject<'_>, #[role(control)] c: Control<'_>) -> bool {
        self.owner.id() == s.owner.id() || self.owner.id() == c.owner.id()
    }
}

impl Player {
    #[operation]
    #[must_use]
    pub(crate) fn method(
        self: &Self,
        #[role(control)] c: Control<'_>,
        #[role(subject)] s: Subject<'_>,
    ) -> bool {
        self.moves(s, c)
    }
}

/// Whether the entry is refused, by a panic that need not be printed.
fn refused(operation: impl FnOnce() -> u8 + std::panic::UnwindSafe) -> bool {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let refused = std::panic::catch_unwind(operation).is_err();
    std::panic::set_hook(hook);
    refused
}

fn main() {
    let [white, black, arbiter, stranger] =
        [(); 4].map(|()| Player { owner: Owner::register(false).expect("a free owner") });
    add_control(black.owner.id(), white.owner.id()).expect("no cycle");
    add_control(arbiter.owner.id(), black.owner.id()).expect("no cycle");
    let (subject, stub, mut control) = (Subject::new(&white), Stub::new(&black), Control::new(&arbiter));
    assert_eq!(three(control, 3, subject, stub), 3);
    assert_eq!(alone(subject, subject), 1);
    assert!(!generic(subject, &mut control));
    assert!(white.method(control, subject));

    if lockdep::CHECKED {
        // Each pair is compared: one that does not hold is enough.
        assert!(refused(|| three(control, 3, Subject::new(&stranger), stub)));
        assert!(refused(|| three(control, 3, subject, Stub::new(&stranger))));
        assert!(refused(|| three(Control::new(&stranger), 3, subject, stub)));
        assert!(
            refused(|| three(Control::new(&black), 3, subject, Stub::new(&black))),
            "the upper pair alone"
        );
        assert!(refused(|| three(control, 3, Subject::new(&black), stub)), "the lower pair alone");
    }
}
