//! Owners, beside `#[mm_locks]` in either order and alone.

use lockdep::{LockOwner, Owner, OwnerId, lock_owner, mm_locks};

lockdep::lock_order! {
    /// The pieces.
    pub order Board {
        /// One.
        pawn = 8;
    }
}

type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;

#[lock_owner]
#[mm_locks]
struct White {
    #[owner]
    owner: Owner,
    #[mm_lock(order = pawn)]
    pawn: Mutex<u8>,
}

#[mm_locks]
#[lock_owner]
struct Black<T> {
    #[mm_lock(order = pawn)]
    pawn: Mutex<T>,
    #[owner]
    owner: Owner,
}

/// Anything with `id()` will do, and so does a field without a name.
#[lock_owner]
struct Clock<'a>(u8, #[owner] &'a Owner);

fn id(of: &impl LockOwner) -> OwnerId {
    of.owner_id()
}

fn main() {
    let register = || Owner::register(false).expect("a free owner");
    let white = White { owner: register(), pawn: Mutex::new(1) };
    let black = Black { owner: register(), pawn: Mutex::new(1) };
    assert_eq!(id(&white), white.owner.id());
    assert_eq!(id(&black), black.owner.id());
    assert_ne!(id(&white), id(&black));
    assert_eq!(id(&Clock(0, &white.owner)), id(&white));
    drop(white.pawn.lock());
    drop(black.pawn.lock());
}
