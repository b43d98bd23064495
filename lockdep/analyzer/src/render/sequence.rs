//! Each deadlock as a picture in text: the CPUs beside each other, what they do below each other, until all wait.
//!
//! Time runs down. A lock is taken (`hold`) before anybody waits; an arrow leads from who waits (`wait`) to who holds what
//! is waited for (`*`), and from then on the line of the one who waits is dotted. What a schedule is, `witness.rs` says;
//! nothing is found out here.

use std::fmt;

use crate::graph::{LockGraph, Step};
use crate::judge::Judgement;
use crate::witness::Witness;

use super::words::{domains, locks};

/// Characters from one CPU to the next; "CPU 99" and a blank fit.
const COLUMN: usize = 8;
/// Where the line of a CPU is in its column.
const LINE: usize = 2;

/// Writes the pictures of all findings that have a schedule.
pub fn render(judgement: &Judgement, w: &mut dyn fmt::Write) -> fmt::Result {
    for finding in &judgement.findings {
        let Some(witness) = &finding.witness else { continue };
        writeln!(w, "{}[{}]: {}", finding.level.name(), finding.code.id(), finding.title)?;
        writeln!(w, "{}\n", domains(witness))?;
        picture(&judgement.graph, witness, w)?;
        writeln!(w)?;
    }
    writeln!(w, "verdict: {}", judgement.verdict)
}

fn picture(graph: &LockGraph, witness: &Witness, w: &mut dyn fmt::Write) -> fmt::Result {
    let count = witness.cpus.len();
    let next = |cpu: usize| (cpu + 1) % count;
    let heads: Vec<String> = (0..count).map(|cpu| format!("{:COLUMN$}", format!("CPU {cpu}"))).collect();
    writeln!(w, "{}", heads.concat().trim_end())?;
    let site = |steps: Option<&Vec<Step>>| {
        let step = steps.and_then(|steps| steps.last());
        step.map_or(String::new(), |step| format!("  {} in {}", step.span, step.function))
    };
    for (cpu, step) in witness.cpus.iter().enumerate() {
        let mut row = Row::new(count, |other| if other < cpu { '|' } else { ' ' });
        row.put(cpu * COLUMN, "hold");
        let [held, _] = locks(graph, witness, step);
        let evidence = graph.nestings.get(&step.nesting);
        writeln!(w, "{row}{held}{}", site(evidence.map(|evidence| &evidence.held)))?;
    }
    for (cpu, step) in witness.cpus.iter().enumerate() {
        let mut row = Row::new(count, |other| if other < cpu { ':' } else { '|' });
        row.arrow(cpu, next(cpu));
        let [_, wanted] = locks(graph, witness, step);
        let evidence = graph.nestings.get(&step.nesting);
        writeln!(w, "{row}{wanted}{}", site(evidence.map(|evidence| &evidence.wanted)))?;
    }
    let waiting: Vec<String> = (0..count).map(|cpu| format!("CPU {cpu}")).collect();
    writeln!(w, "{}", Row::new(count, |_| ':').to_string().trim_end())?;
    writeln!(w, "each waits for the next: {} -> CPU 0", waiting.join(" -> "))
}

/// One line of a picture.
struct Row(Vec<char>);

impl Row {
    /// The lines of all CPUs.
    fn new(count: usize, line: impl Fn(usize) -> char) -> Row {
        let mut row = Row(vec![' '; count * COLUMN + 2]);
        (0..count).for_each(|cpu| row.0[cpu * COLUMN + LINE] = line(cpu));
        row
    }

    fn put(&mut self, at: usize, text: &str) {
        text.chars().enumerate().for_each(|(offset, letter)| self.0[at + offset] = letter);
    }

    /// From who waits to who holds; nothing leads to oneself.
    fn arrow(&mut self, from: usize, to: usize) {
        let (start, end) = (from * COLUMN, to * COLUMN + LINE);
        if start < end && from != to {
            (start..end).for_each(|at| self.0[at] = '-');
            self.put(end - 1, ">*");
        } else if from != to {
            (end..start).for_each(|at| self.0[at] = '-');
            self.put(end, "*<");
        }
        self.put(start, "wait");
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.iter().collect::<String>())
    }
}
