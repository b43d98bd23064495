//! Two locks, or a lock and a role, of one name; both places are shown.

lockdep::lock_order! {
    /// The pieces.
    pub order Board {
        /// First.
        pawn = 8;
        /// Second.
        pawn = 16;
        /// Also a role.
        king = 32;
    }
    roles { king < player }
}

fn main() {
    let _ = levels::classes();
}
