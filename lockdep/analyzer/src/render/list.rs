//! The graph in lines: one per class, one per nesting, the bound on tiers and the number of assumptions.
//!
//! Made to be committed and compared: a line changes only if what it says changes, so there are no sites in it. Not
//! a judgement, and not read back by anything.

use std::fmt;

use crate::graph::{Instances, LockGraph, Ownership};

use super::words::{held_letter, wanted_letter};

/// Writes the lines.
pub fn render(graph: &LockGraph, w: &mut dyn fmt::Write) -> fmt::Result {
    for class in &graph.classes {
        write!(w, "class {}", class.name)?;
        if let Some(level) = class.level {
            write!(w, " = {level}")?;
        }
        for (set, word) in [
            (class.recursive, "recursive"),
            (class.ordered, "ordered"),
            (class.ownership == Ownership::Unowned, "unowned"),
            (class.ownership == Ownership::Unknown, "unknown-owner"),
        ] {
            if set {
                write!(w, ", {word}")?;
            }
        }
        writeln!(w)?;
    }
    if let Some(tiers) = graph.tiers {
        writeln!(w, "tiers: {tiers}")?;
    }
    for (nesting, evidence) in &graph.nestings {
        write!(
            w,
            "{} {} -> {} {}  {}",
            graph.name(nesting.held),
            held_letter(nesting.held_as),
            graph.name(nesting.wanted),
            wanted_letter(nesting.wanted_as),
            graph.relation(nesting).name()
        )?;
        if nesting.instances == Instances::SameOne {
            write!(w, ", same lock")?;
        }
        if evidence.possible {
            write!(w, ", possible")?;
        }
        writeln!(w)?;
    }
    writeln!(w, "assumptions: {}", graph.assumptions.len())
}
