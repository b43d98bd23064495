//! `#[lock_owner]` on what is not a struct.

use lockdep::lock_owner;

#[lock_owner]
enum Enum {
    Player {
        #[owner]
        owner: lockdep::Owner,
    },
}

#[lock_owner]
union Union {
    #[owner]
    owner: std::mem::ManuallyDrop<lockdep::Owner>,
}

#[lock_owner]
trait Trait {}

#[lock_owner]
impl Trait for Enum {}

fn main() {
    let _ = |union: Union, owner| (unsafe { union.owner.id() }, Enum::Player { owner });
}
