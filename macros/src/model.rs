//! What the macros know once a declaration has been read: validated, every node with its span.
//!
//! Rules live in the constructors of the files below. Nothing here reads the input grammar (`parse.rs`) or
//! writes Rust (`expand.rs`).

pub mod contract;
pub mod item;
pub mod lock;
pub mod order;
pub mod table;
