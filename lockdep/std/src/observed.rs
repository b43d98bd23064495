//! What was observed so far, to read and to keep: [`lockdep::observed`] for programs with std.

pub use lockdep::observed::{Observed, for_each, write_graph, write_json, write_text};

/// Classes, nestings with their sites, and counters as JSON ([`write_json`]).
pub fn to_json() -> String {
    let mut text = String::new();
    // A string takes everything, so this is a signal handler that interrupted the checker.
    write_json(&mut text).map_or_else(|_| "null".to_owned(), |()| text)
}
