//! Levels are 1 to 65471: 0 is "nothing held", and above that a bias does not fit.

lockdep::lock_order! {
    /// The pieces.
    pub order Board {
        pawn = 0;
        knight = 65472;
        bishop = 65536;
        rook = -1;
        queen = 8u32;
        /// The highest.
        king = 65471;
    }
}

fn main() {
    let _: Option<levels::king> = None;
    let _: Option<levels::pawn> = None;
}
