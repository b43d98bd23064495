//! The table that an order leaves at run time, and its names.

use lockdep::class::{Flags, LockClass};

mod locks {
    lockdep::lock_order! {
        /// The pieces, in no particular order.
        pub order ChessBoard {
            /// The highest level there is.
            king = 65471;
            /// Two properties.
            queen = 32, recursive = "a rook and a bishop", ordered_by = square;
            /// None.
            pawn = 8;
            /// One.
            knight = 16, ordered_by = square;
            /// A name that is a keyword.
            r#move = 0x18, recursive;
        }
        /// Three tiers.
        roles { subject < stub_domain < control }
    }
}

/// Levels end where the bias of the runtime no longer fits.
const _: () = assert!(65471 == u16::MAX - lockdep::order::BIAS);

mod few {
    lockdep::lock_order! {
        /// The pieces of two players.
        pub order Duel {
            /// One.
            pawn = 8;
        }
        roles { subject < control; tiers = 2 }
    }
}

fn row<C: LockClass>() -> (&'static str, &'static str, u16, Flags) {
    let class = C::class();
    (class.order, class.name, class.level.get(), class.flags)
}

fn main() {
    use locks::{chess_board, levels};
    let names = chess_board::classes().map(|class| class.name);
    assert_eq!(names, ["pawn", "knight", "move", "queen", "king"], "in ascending level");
    assert_eq!(row::<levels::pawn>(), ("chess_board", "pawn", 8, Flags::NONE));
    assert_eq!(row::<levels::knight>(), ("chess_board", "knight", 16, Flags::ORDERED));
    assert_eq!(row::<levels::r#move>(), ("chess_board", "move", 24, Flags::RECURSIVE));
    assert_eq!(row::<levels::king>(), ("chess_board", "king", 65471, Flags::NONE));
    let both = row::<chess_board::queen>().3;
    assert!(both.contains(Flags::RECURSIVE) && both.contains(Flags::ORDERED));
    // The type says it all, which is what the analyzer reads.
    let queen = std::any::type_name::<levels::queen>();
    assert!(queen.ends_with("locks::chess_board::decl::queen, 32, 3>"), "{queen}");
    let stub = std::any::type_name::<levels::StubDomain<'_, u8>>();
    assert!(stub.ends_with("locks::chess_board::decl::stub_domain, 1>>"), "{stub}");
    let control = std::any::type_name::<few::levels::Control<'_, u8>>();
    assert!(control.ends_with("few::duel::decl::control, 1, 2>>"), "{control}");
}
