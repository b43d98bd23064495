//! What sources state of types and MIR does not print: bounds and traits.
//!
//! Values only; `facts/bounds.rs` finds them, the index uses them.

use serde::{Deserialize, Serialize};

/// A type as it is written (`T`, `T::Target`), and traits that it implements, by their last segments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The type; of an associated type of a trait only the name.
    pub subject: String,
    /// The traits.
    pub traits: Vec<String>,
}

/// A trait as its source declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trait {
    /// Its name, without a path.
    pub name: String,
    /// Last segments of those that a type has to implement besides.
    pub above: Vec<String>,
    /// The bounds of its types.
    pub types: Vec<Bound>,
    /// Whether every implementation has a method of its own.
    pub demands: bool,
}
