//! What was observed, written out: as the analyzer's graph file, and as text for a console.
//!
//! To any `core::fmt::Write`, without a heap and with no table locked while writing, so the writer may be a checked lock's
//! console. A handler that interrupted the checker gets an error and writes nothing ([`Busy`]). Nestings that are seen meanwhile may or may not be in it; those without sites
//! ([`Counters::nestings_dropped`](crate::Counters)) are not: whoever compares asks [`counters`] first.

use core::fmt::{self, Write};

use crate::class::{Class, Flags};
use crate::graph;
use crate::held::Mode;
use crate::observed::{Observed, for_each, nesting};
use crate::owner;
use crate::validator::{Counters, counters};
use crate::visit::{Busy, alone};

/// Calls `each` with the classes in use, in the order of their first use, and with their position in it.
fn classes(mut each: impl FnMut(usize, &'static Class) -> fmt::Result) -> fmt::Result {
    let class = |position| Ok::<_, Busy>(graph::class(position, alone()?.undisturbed()));
    let mut position = 0;
    while let Some(class) = class(position)? {
        each(position, class)?;
        position += 1;
    }
    Ok(())
}

/// How many nestings there are. Their classes are in use already.
fn nr_nestings() -> Result<usize, Busy> {
    let mut number = 0;
    for_each(|_| number += 1)?;
    Ok(number)
}

/// Calls `each` with the first `number` nestings, and with their position.
fn nestings(number: usize, mut each: impl FnMut(usize, &Observed) -> fmt::Result) -> fmt::Result {
    for position in 0..number {
        // None if they were forgotten meanwhile.
        let Some(seen) = nesting(position)? else { break };
        each(position, &seen)?;
    }
    Ok(())
}

/// The name of a class, unlike that of any other: of two classes of one name the younger is `name#2` (as in Linux).
struct Name(&'static Class);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Name(class) = *self;
        if class.is_declared() {
            write!(f, "{}::", class.order)?;
        }
        f.write_str(class.name)?;
        let (mut elders, mut is_elder) = (0, true);
        classes(|_, other| {
            is_elder &= !core::ptr::eq(other, class);
            elders += usize::from(is_elder && (other.order, other.name) == (class.order, class.name));
            Ok(())
        })?;
        if elders == 0 { Ok(()) } else { write!(f, "#{}", elders + 1) }
    }
}

/// What is written to it, with what a JSON string may not have as it is escaped (RFC 8259, section 7).
struct Escaped<'a>(&'a mut dyn Write);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            '"' | '\\' => write!(self.0, "\\{c}"),
            '\0'..='\x1f' => write!(self.0, "\\u{:04x}", u32::from(c)),
            _ => self.0.write_char(c),
        })
    }
}

fn string(w: &mut dyn Write, text: impl fmt::Display) -> fmt::Result {
    w.write_char('"')?;
    write!(Escaped(w), "{text}")?;
    w.write_char('"')
}

fn held_as(mode: Mode) -> &'static str {
    if mode == Mode::Exclusive { "exclusive" } else { "shared" }
}

fn wanted_as(mode: Mode) -> &'static str {
    match mode {
        // An upgradable reader waits for writers and for its like.
        Mode::Exclusive | Mode::Upgradable => "exclusive",
        Mode::Shared => "shared",
        Mode::SharedRecursive => "shared-recursive",
    }
}

/// Writes the graph file (`lockdep-graph-1`) that `cargo lockdep` reads: classes, nestings and the bound of the tiers, no sites. Whether a class's
/// locks have owners is left open, since the relation of each nesting was seen.
///
/// # Errors
/// As `w`, and where [`for_each`] is [`Busy`].
pub fn write_graph(w: &mut dyn Write) -> fmt::Result {
    // Before the classes, so that every nesting's are listed.
    let nr_nestings = nr_nestings()?;
    w.write_str("{\n  \"format\": \"lockdep-graph-1\",")?;
    if let Some(tiers) = owner::tiers() {
        write!(w, "\n  \"tiers\": {tiers},")?;
    }
    w.write_str("\n  \"classes\": [")?;
    classes(|position, class| {
        w.write_str(if position == 0 { "\n    {\"name\": " } else { ",\n    {\"name\": " })?;
        string(w, Name(class))?;
        w.write_str(", \"level\": ")?;
        match class.is_declared() {
            true => write!(w, "{}", class.level.get())?,
            false => w.write_str("null")?,
        }
        let (recursive, ordered) =
            (class.flags.contains(Flags::RECURSIVE), class.flags.contains(Flags::ORDERED));
        write!(w, ", \"recursive\": {recursive}, \"ordered\": {ordered}, \"ownership\": \"unknown\"}}")
    })?;
    w.write_str("\n  ],\n  \"nestings\": [")?;
    nestings(nr_nestings, |position, seen| {
        w.write_str(if position == 0 { "\n    {\"held\": " } else { ",\n    {\"held\": " })?;
        string(w, Name(seen.held))?;
        write!(w, ", \"held_as\": \"{}\", \"wanted\": ", held_as(seen.held_mode))?;
        string(w, Name(seen.wanted))?;
        write!(w, ", \"wanted_as\": \"{}\"", wanted_as(seen.wanted_mode))?;
        write!(w, ", \"relation\": \"{}\", \"instances\": \"any\"}}", seen.relation.name())
    })?;
    w.write_str("\n  ]\n}\n")
}

/// Writes classes, nestings with their sites, and the counters: one a line, for a console.
///
/// # Errors
/// As `w`, and where [`for_each`] is [`Busy`].
pub fn write_text(w: &mut dyn Write) -> fmt::Result {
    let nr_nestings = nr_nestings()?;
    classes(|_, class| {
        write!(w, "class {}", Name(class))?;
        if class.is_declared() {
            write!(w, " = {}", class.level.get())?;
        }
        w.write_char('\n')
    })?;
    nestings(nr_nestings, |_, seen| writeln!(w, "{seen}"))?;
    // Taken apart, so that a new counter is not forgotten.
    let Counters {
        checked,
        reported,
        unattributed,
        reentered,
        unsent,
        overflowed,
        classes_dropped,
        nestings_dropped,
        refusals_dropped,
    } = counters();
    writeln!(w, "checked {checked}, reported {reported}, unsent {unsent}")?;
    writeln!(w, "not checked: unattributed {unattributed}, reentered {reentered}, overflowed {overflowed}")?;
    write!(w, "dropped: classes {classes_dropped}, nestings {nestings_dropped}")?;
    writeln!(w, ", refusals {refusals_dropped}")
}
