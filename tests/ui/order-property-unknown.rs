//! Properties that do not exist, or are given twice.

lockdep::lock_order! {
    /// The pieces.
    pub order Board {
        pawn = 8, recursve;
        knight = 16, ordred_by = square;
        bishop = 24, colour = "white";
        rook = 32, recursive, recursive = "again";
        queen = 40, ordered_by = square, ordered_by = file;
    }
}

fn main() {
    let _: Option<(levels::pawn, levels::queen)> = None;
}
