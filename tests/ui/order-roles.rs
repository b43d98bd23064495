//! Chains of roles that are none.

mod twice {
    lockdep::lock_order! {
        /// The pieces.
        pub order Board {
            /// One.
            pawn = 8;
        }
        roles { subject < control < subject }
    }
}

mod single {
    lockdep::lock_order! {
        /// The pieces.
        pub order Board {
            /// One.
            pawn = 8;
        }
        roles { subject }
    }
}

mod empty {
    lockdep::lock_order! {
        /// The pieces.
        pub order Board {
            /// One.
            pawn = 8;
        }
        roles {}
    }
}

mod direction {
    lockdep::lock_order! {
        /// The pieces.
        pub order Board {
            /// One.
            pawn = 8;
        }
        roles { control > subject }
    }
}

mod case {
    lockdep::lock_order! {
        /// The pieces.
        pub order Board {
            /// One.
            pawn = 8;
        }
        roles { Subject < control }
    }
}

mod one_tier {
    lockdep::lock_order! {
        /// The pieces.
        pub order Board {
            /// One.
            pawn = 8;
        }
        roles { subject < control; tiers = 1 }
    }
}

mod misspelt_tiers {
    lockdep::lock_order! {
        /// The pieces.
        pub order Board {
            /// One.
            pawn = 8;
        }
        roles { subject < control; tears = 2 }
    }
}

fn main() {
    let _: Option<(single::levels::pawn, empty::levels::pawn, direction::levels::pawn)> = None;
}
