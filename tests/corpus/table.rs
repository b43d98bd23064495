//! The table at the end: a line for each crate, the sums, and how often the analyzer cries wolf.
//!
//! It only counts what others judged.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::verdicts::WORDS;

/// One version of a crate.
#[derive(Debug)]
pub struct Row {
    /// Name and version.
    pub krate: String,
    /// Lines of its source that are not blank.
    pub lines: usize,
    /// Findings.
    pub findings: usize,
    /// How many of them were given each of [`WORDS`].
    pub verdicts: BTreeMap<&'static str, usize>,
    /// False alarms.
    pub alarms: usize,
    /// Those of them that come of `--callbacks`.
    pub alarms_of_callbacks: usize,
    /// Whether it was analyzed with `--callbacks`.
    pub callbacks: bool,
    /// Known bugs.
    pub bugs: usize,
    /// Those of them that are not found.
    pub missed: usize,
    /// What it took, dependencies included.
    pub seconds: u64,
}

impl Row {
    fn given(&self, word: &str) -> usize {
        self.verdicts.get(word).copied().unwrap_or_default()
    }

    fn cells(&self) -> Vec<String> {
        let words = WORDS.map(|word| self.given(word).to_string());
        let counts = [self.bugs.to_string(), self.missed.to_string(), self.seconds.to_string()];
        let first = [self.krate.clone(), self.lines.to_string(), self.findings.to_string()];
        first.into_iter().chain(words).chain(counts).collect()
    }
}

/// The table, as text.
pub fn render(rows: &[Row]) -> String {
    let head = ["crate", "lines", "findings"].into_iter().chain(WORDS).chain(["known", "missed", "seconds"]);
    let sum = |of: fn(&Row) -> usize| rows.iter().map(of).sum();
    let sums = Row {
        krate: "sum".to_owned(),
        lines: sum(|row| row.lines),
        findings: sum(|row| row.findings),
        verdicts: WORDS.map(|word| (word, rows.iter().map(|row| row.given(word)).sum())).into(),
        alarms: sum(|row| row.alarms),
        alarms_of_callbacks: sum(|row| row.alarms_of_callbacks),
        callbacks: false,
        bugs: sum(|row| row.bugs),
        missed: sum(|row| row.missed),
        seconds: rows.iter().map(|row| row.seconds).sum(),
    };
    let mut lines = vec![head.map(str::to_owned).collect()];
    lines.extend(rows.iter().chain([&sums]).map(Row::cells));
    let width =
        |column: usize| lines.iter().map(|line: &Vec<String>| line[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        // Nothing fails when text is written to a string.
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  "));
    }
    let _ = writeln!(text, "\n{} of {} known bugs found", sums.bugs - sums.missed, sums.bugs);
    let plain = || rows.iter().filter(|row| !row.callbacks);
    let plainly = (plain().map(|row| row.alarms).sum(), plain().map(|row| row.lines).sum());
    let figures = [
        ("", (sums.alarms, sums.lines)),
        (" without what --callbacks looks for", (sums.alarms - sums.alarms_of_callbacks, sums.lines)),
        (" of crates analyzed without --callbacks", plainly),
    ];
    for (of, (alarms, lines)) in figures {
        let _ = writeln!(
            text,
            "reported though false or gated{of}: {alarms} in {lines} lines, {}",
            rate(alarms, lines)
        );
    }
    text
}

/// In hundredths, and rounded: figures this small need no floating point.
fn rate(alarms: usize, lines: usize) -> String {
    let hundredths = (alarms * 50_000 * 100 + lines / 2) / lines.max(1);
    format!("{}.{:02} in 50,000", hundredths / 100, hundredths % 100)
}
