//! Two locks at one level; both places are shown.

lockdep::lock_order! {
    /// The pieces.
    pub order Board {
        /// First.
        pawn = 8;
        /// Between.
        knight = 16;
        /// Second.
        rook = 8;
        /// Third, written differently.
        queen = 0x8;
    }
}

fn main() {
    let _ = levels::classes();
}
