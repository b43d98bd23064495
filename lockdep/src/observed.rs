//! The nestings that were seen: class by class, with relation, modes and the first pair of sites.
//!
//! A kernel exports them so that "observed is a subset of what the analyzer found" can be checked on a real run. This
//! is a view of the learned graph, refused edges included, in the order of first sight. It judges nothing.

mod export;

use core::panic::Location;

use crate::class::Class;
use crate::graph;
pub use crate::graph::{MAX_CLASSES, MAX_NESTINGS, MAX_REFUSED};
use crate::held::Mode;
use crate::order::Relation;
use crate::visit::{Busy, alone};
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
///
/// # Errors
/// [`Busy`] from a handler that interrupted the checker.
pub fn for_each(mut each: impl FnMut(&Observed)) -> Result<(), Busy> {
    let mut position = 0;
    // One entry at a time, so that `each` may take checked locks.
    while let Some(seen) = nesting(position)? {
        each(&seen);
        position += 1;
    }
    Ok(())
}

fn nesting(position: usize) -> Result<Option<Observed>, Busy> {
    Ok(graph::nesting(position, alone()?.undisturbed()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Map, counters, cpu, report};

    static OUTER: Class = Class::undeclared("outer");
    static INNER: Class = Class::undeclared("inner");

    /// Without the pin the handler would spin for ever on the lock that its own CPU holds.
    #[test]
    fn a_handler_that_interrupts_the_reading_is_turned_away() {
        if !crate::CHECKED {
            return;
        }
        cpu::install_for_tests(|| 0);
        let (outer, inner) = (Map::new(&OUTER), Map::new(&INNER));
        let handler = || {
            report::set_sink(report::panic_sink);
            outer.acquire(Mode::Exclusive);
            inner.acquire(Mode::Exclusive);
            inner.release();
            outer.release();
            crate::context::SOFTIRQ.declare();
            (for_each(|_| ()), crate::set_discipline("flat"))
        };
        let before = counters().reentered;
        let reading = alone().expect("a task");
        graph::interrupted(reading.undisturbed(), || {
            assert_eq!(handler(), (Err(Busy), Err("flat")));
        });
        assert_eq!(counters().reentered - before, 5, "each event is counted");
        drop(reading);
        assert_eq!(handler(), (Ok(()), Ok(())));
        crate::set_discipline("hierarchy").expect("a discipline");
    }

    #[test]
    fn so_is_one_on_an_unknown_cpu() {
        let reading = cpu::Turn::take().expect("nobody else's");
        assert!(cpu::Turn::take().is_none());
        drop(reading);
        assert!(cpu::Turn::take().is_some());
    }
}
