//! The nestings that were seen: class by class, with relation, modes and the first pair of sites.
//!
//! A kernel exports them so that "observed is a subset of what the analyzer found" can be checked on a real run. This
//! is a view of the learned graph, refused edges included, in the order of first sight. It judges nothing.

mod export;

use core::panic::Location;

use crate::class::Class;
pub use crate::graph::{MAX_CLASSES, MAX_NESTINGS, MAX_REFUSED};
use crate::held::Mode;
use crate::order::Relation;
pub use export::{write_graph, write_text};

/// A nesting as first seen. Modes that make the same kind of edge (a reader of either sort holds, a writer or a fair
/// reader wants) are one nesting, with the modes of its first sight.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// The class that was held, or the context that was running.
    pub held: &'static Class,
    /// How.
    pub held_mode: Mode,
    /// The class that was wanted, or the context that could have interrupted.
    pub wanted: &'static Class,
    /// How.
    pub wanted_mode: Mode,
    /// How the owner of the second stood to the owner of the first.
    pub relation: Relation,
    /// Where the first was acquired, and where the second.
    pub sites: (&'static Location<'static>, &'static Location<'static>),
}

/// Calls `each` with every nesting seen so far, in the order of their first sight.
pub fn for_each(mut each: impl FnMut(&Observed)) {
    let mut position = 0;
    // One entry at a time, so that `each` may take checked locks.
    while let Some(seen) = crate::graph::nesting(position) {
        each(&seen);
        position += 1;
    }
}
