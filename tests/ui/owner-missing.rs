//! No field says who the owner is, or the one that does cannot.

use lockdep::lock_owner;

#[lock_owner]
struct Player {
    owner: lockdep::Owner,
}

#[lock_owner]
struct Unit;

#[lock_owner]
struct Number {
    #[owner]
    owner: u32,
}

#[lock_owner(owner)]
struct Arguments {
    #[owner(control)]
    owner: lockdep::Owner,
}

fn owner<T: lockdep::LockOwner>(of: T) -> lockdep::OwnerId {
    of.owner_id()
}

fn main() {
    // An owner in error is no second error here.
    let _ = (owner(Unit), owner::<Player>, owner::<Number>, owner::<Arguments>);
}
