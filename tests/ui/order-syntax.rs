//! Lines that cannot be read; those around them are.

mod lines {
    lockdep::lock_order! {
        /// The pieces.
        pub order Board {
            pawn;
            knight = "sixteen";
            bishop = 24 recursive;
            rook = 32
            #[cfg(test)]
            queen = 40;
            King = 48;
            decl = 56;
            fn = 64;
            castle = 72
        }
    }
}

mod keyword {
    lockdep::lock_order! {
        pub ordr Board { pawn = 8; }
    }
}

mod rest {
    lockdep::lock_order! {
        /// The pieces.
        pub order Board {
            /// One.
            pawn = 8;
        }
        rolls { subject < control }
    }
}

mod nothing {
    lockdep::lock_order! {
        /// No pieces.
        pub order Board {}
    }
}

fn main() {
    let _: Option<(lines::levels::bishop, lines::levels::rook, lines::levels::queen, lines::levels::castle)> =
        None;
}
