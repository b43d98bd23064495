//! The table of disciplines as Markdown: one row per scenario, then what was refused and what got through.
//!
//! It lays out what `disciplines.rs` found and judges nothing.

use std::fmt;

use crate::disciplines::{BYTES_PER_CPU, Lock, ORDER, Occurrence, Outcome, Row, Scenario};

/// Writes the table of `rows`, the cost of each discipline, and the evidence.
pub fn render(rows: &[Row], w: &mut dyn fmt::Write) -> fmt::Result {
    writeln!(w, "| scenario | {} | whole graph |", ORDER.map(|d| format!("`{}`", d.name)).join(" | "))?;
    writeln!(w, "|---|{}---|", "---|".repeat(ORDER.len()))?;
    for row in rows {
        let cells: Vec<String> = row.outcomes.iter().map(cell).collect();
        let whole = row.deadlock.as_ref().map_or("proved".to_owned(), |circle| cpus("refuted", circle.len()));
        writeln!(w, "| {} | {} | {whole} |", row.scenario.title, cells.join(" | "))?;
    }
    let bytes = BYTES_PER_CPU.map(|bytes| format!("{} B", grouped(bytes)));
    writeln!(w, "| *state per CPU* | {} | none |", bytes.join(" | "))?;
    evidence(rows, w)
}

/// What one discipline makes of one scenario, in a few words.
fn cell(outcome: &Outcome) -> String {
    let alarms = outcome.false_alarms().count();
    let circle = outcome.let_through.as_ref().map(|circle| cpus("**deadlock**", circle.len()));
    match (alarms, circle, outcome.refused.is_empty()) {
        (0, None, true) => "ok".to_owned(),
        (0, None, false) => "refuses the deadlock".to_owned(),
        (0, Some(circle), _) => circle,
        (alarms, None, _) => format!("**refuses {alarms} correct**"),
        (alarms, Some(circle), _) => format!("**refuses {alarms} correct**, {circle}"),
    }
}

fn cpus(word: &str, count: usize) -> String {
    format!("{word}, {count} CPU{}", if count == 1 { "" } else { "s" })
}

/// The refused nestings that are correct, and a schedule for each deadlock; disciplines with the same one share it.
fn evidence(rows: &[Row], w: &mut dyn fmt::Write) -> fmt::Result {
    for row in rows {
        let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
        for (discipline, outcome) in ORDER.iter().zip(&row.outcomes) {
            let alarms = outcome.false_alarms().map(|refused| {
                let (held, wanted) = refused.levels;
                let nesting = step(&row.scenario, &refused.nesting);
                format!("refuses, though no circle has it: {nesting} ({held} against {wanted})")
            });
            let circle = outcome.let_through.iter().map(|circle| schedule(&row.scenario, circle));
            for line in alarms.chain(circle) {
                match lines.iter_mut().find(|(known, _)| *known == line) {
                    Some((_, names)) => names.push(discipline.name),
                    None => lines.push((line, vec![discipline.name])),
                }
            }
        }
        if lines.is_empty() {
            continue;
        }
        writeln!(w, "\n*{}*", row.scenario.title)?;
        for (line, names) in lines {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            writeln!(w, "- {}: {line}", names.join(", "))?;
        }
    }
    Ok(())
}

fn schedule(scenario: &Scenario, circle: &[Occurrence]) -> String {
    let steps: Vec<String> = circle
        .iter()
        .enumerate()
        .map(|(cpu, nesting)| format!("CPU {cpu} {}", step(scenario, nesting)))
        .collect();
    format!("lets through: {}", steps.join("; "))
}

/// `for control copies the dirty bitmap: holds guest's paging, wants control's p2m`.
fn step(scenario: &Scenario, nesting: &Occurrence) -> String {
    let current = scenario.parties.get(nesting.current).map_or("nobody", |party| party.name);
    let (held, wanted) = (lock(scenario, nesting.held), lock(scenario, nesting.wanted));
    format!("{} for {current} (holds {held}, wants {wanted})", nesting.doing)
}

fn lock(scenario: &Scenario, lock: Lock) -> String {
    match lock.owner.and_then(|owner| scenario.parties.get(owner)) {
        Some(party) => format!("`{}` of {}", lock.kind.name, party.name),
        None => format!("`{}` of a page", lock.kind.name),
    }
}

/// Thousands apart.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
