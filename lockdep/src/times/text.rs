//! The times as Linux prints them (`/proc/lock_stat`), to any `core::fmt::Write`, without a heap.
//!
//! Columns are called as there, in microseconds with two decimals; those about cache lines that bounce are left out, and so
//! are the places of contention. Most contended first.

use core::fmt::{self, Write};

use super::{Spans, Times, of};
use crate::graph::MAX_CLASSES;
use crate::observed::Name;

/// As wide as there.
const WIDTH: usize = 40;

/// Nanoseconds, shown as microseconds.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = self.0 / 10;
        write!(f, "{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

/// Counts what is written to it.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.chars().count();
        Ok(())
    }
}

/// To the right of a column of this width.
fn right(w: &mut dyn Write, width: usize, text: impl fmt::Display) -> fmt::Result {
    let mut length = Length(0);
    write!(length, "{text}")?;
    write!(w, "{:1$}{text}", "", width.saturating_sub(length.0))
}

fn columns(w: &mut dyn Write, spans: &Spans) -> fmt::Result {
    write!(w, " {:>14}", spans.number)?;
    for time in [spans.min, spans.max, spans.total, spans.avg()] {
        right(w, 15, Micros(time))?;
    }
    Ok(())
}

fn line(w: &mut dyn Write, times: &Times, of_both: bool) -> fmt::Result {
    let kind = match (times.shared, of_both) {
        (true, _) => "-R",
        (false, true) => "-W",
        (false, false) => "",
    };
    right(w, WIDTH, format_args!("{}{kind}:", Name(times.class)))?;
    columns(w, &times.waits)?;
    columns(w, &times.holds)?;
    w.write_char('\n')
}

/// Writes a table with a line for each class, and two for one that has readers.
///
/// # Errors
/// As `w`, and where [`for_each`](super::for_each) is [`Busy`](crate::Busy).
pub fn write_text(w: &mut dyn Write) -> fmt::Result {
    write!(w, "{:>WIDTH$}", "class name")?;
    for (number, of) in [("contentions", "waittime"), ("acquisitions", "holdtime")] {
        write!(w, " {number:>14}")?;
        for what in ["min", "max", "total", "avg"] {
            right(w, 15, format_args!("{of}-{what}"))?;
        }
    }
    w.write_char('\n')?;
    // One class after another is looked for: there is nowhere to sort them.
    let mut last = None;
    loop {
        let mut next = None;
        for node in 0..MAX_CLASSES {
            let kinds = of(node)?;
            if kinds.iter().all(Option::is_none) {
                continue;
            }
            let contentions = kinds.iter().flatten().map(|times| times.waits.number).sum::<u64>();
            // The most contended comes first, and of equals the elder.
            let place = (u64::MAX - contentions, node);
            if last.is_none_or(|last| place > last) && next.is_none_or(|next| place < next) {
                next = Some(place);
            }
        }
        let Some((_, node)) = next else { return Ok(()) };
        let kinds = of(node)?;
        for times in kinds.iter().flatten() {
            line(w, times, kinds.iter().all(Option::is_some))?;
        }
        last = next;
    }
}
