//! What a function demands of its caller.

use proc_macro2::TokenStream;
use syn::{Expr, ItemFn};

/// Which attribute it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Contract {
    /// The caller holds the locks.
    RequiresHeld,
    /// The caller does not.
    MustNotHold,
    /// The function takes the locks itself, so that the caller must not hold them.
    Acquires,
}

impl Contract {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Contract::RequiresHeld => "requires_held",
            Contract::MustNotHold => "must_not_hold",
            Contract::Acquires => "acquires",
        }
    }
}

/// A lock that is asked about.
pub struct Demand {
    /// A reader is not enough.
    pub exclusively: bool,
    /// The lock, in terms of the parameters.
    pub lock: Expr,
}

/// What the attribute stands on.
pub enum ContractItem {
    /// A function, with what it demands; nothing where that is in error.
    Function(Box<ItemFn>, Vec<Demand>),
    /// Anything else: it is in error, and stays as it is.
    Inert(TokenStream),
}
