//! Model → Rust, one file per macro; it cannot fail.
//!
//! Generated code names only `::lockdep` and `::lockdep::__private`, by absolute path, so that nothing the
//! user calls `core`, `Class` or `str` changes what it means. What is written is decided by the model alone.

pub mod contract;
pub mod lock;
pub mod operation;
pub mod order;
pub mod owner;
