//! Other lock-order checkers behind the trait that the probes and the benchmark are written to, and raw locks to compare
//! with.
//!
//! Not part of the product and not of the workspace: `cargo bench` and `cargo run --release --bin probes` in this directory
//! print the tables. What each peer is and how it reports is said at its family.

#[path = "../../tests/probes/family.rs"]
pub mod family;
#[path = "../../tests/probes/ours.rs"]
pub mod ours;
pub mod peers;
#[path = "../../tests/probes/probe.rs"]
pub mod probe;
pub mod raw;
#[path = "../../tests/probes/trial.rs"]
pub mod trial;
pub mod xen;
