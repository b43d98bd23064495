//! Two fields say who the owner is.

use lockdep::lock_owner;

#[lock_owner]
struct Player {
    #[owner]
    white: lockdep::Owner,
    #[owner]
    black: lockdep::Owner,
}

#[lock_owner]
struct Tuple(
    #[owner] lockdep::Owner,
    #[owner]
    #[owner]
    lockdep::Owner,
);

fn main() {
    let _ = |player: Player, tuple: Tuple| (player.white, player.black, tuple.0, tuple.1);
}
