//! Each deadlock as a picture in SVG: the CPUs beside each other, what they do below each other, until all wait.
//!
//! The picture of `render/sequence.rs` for documents: a line per CPU; a lock is taken (a box) before anybody waits; an
//! arrow leads from who waits to who holds what is waited for, and from then on the line of the one who waits is dashed.
//! What happens in a row stands right of it. One document for all findings with a schedule, with its own colours for light
//! and dark surroundings and no script, font or file from elsewhere. What a schedule is, `witness.rs` says.
//!
//! Source: Scalable Vector Graphics (SVG) 2, W3C, 2018.

use std::fmt::{self, Write};

use crate::graph::{LockGraph, Step};
use crate::judge::Judgement;
use crate::witness::Witness;

use super::words::{domains, locks};

/// Units (CSS pixels) from one CPU to the next.
const COLUMN: usize = 72;
/// From one row to the next.
const ROW: usize = 26;
/// Around everything, and left of the first CPU's line.
const MARGIN: usize = 24;
/// The width of a letter: the font is monospaced, of 13 units.
const LETTER: usize = 8;

/// Colours by what the surroundings are; `--line` and the others are used below.
const STYLE: &str =
    "    svg { --ground: #ffffff; --text: #1f2328; --line: #59636e; --hold: #0969da; --wait: #cf222e }
    @media (prefers-color-scheme: dark) {
      svg { --ground: #0d1117; --text: #e6edf3; --line: #9198a1; --hold: #4493f8; --wait: #ff7b72 }
    }
    .ground { fill: var(--ground) }
    text { fill: var(--text); font: 13px ui-monospace, monospace; white-space: pre }
    .title { font-weight: bold }
    .life { stroke: var(--line); stroke-width: 1.5 }
    .waits { stroke-dasharray: 3 4 }
    .hold { fill: var(--hold) }
    .wait { stroke: var(--wait); stroke-width: 1.5; fill: none }
    .tip { fill: var(--wait) }
";

/// Writes the document.
pub fn render(judgement: &Judgement, w: &mut dyn fmt::Write) -> fmt::Result {
    let mut page = Page { body: String::new(), width: 0, y: MARGIN };
    for finding in &judgement.findings {
        let Some(witness) = &finding.witness else { continue };
        let title = format!("{}[{}]: {}", finding.level.name(), finding.code.id(), finding.title);
        page.text(0, "title", &title)?;
        page.text(0, "", &domains(witness))?;
        picture(&judgement.graph, witness, &mut page)?;
        page.y += ROW;
    }
    let verdict = format!("verdict: {}", judgement.verdict);
    page.text(0, "", &verdict)?;
    let (width, height) = (page.width + MARGIN, page.y + MARGIN - ROW / 2);
    writeln!(
        w,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">"
    )?;
    writeln!(w, "  <title>{}</title>\n  <style>\n{STYLE}  </style>", Escaped(&verdict))?;
    writeln!(w, "  <defs>")?;
    writeln!(
        w,
        "    <marker id=\"tip\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" refY=\"4\" orient=\"auto\">"
    )?;
    writeln!(w, "      <path class=\"tip\" d=\"M0 0 L8 4 L0 8 Z\"/>\n    </marker>\n  </defs>")?;
    writeln!(w, "  <rect class=\"ground\" width=\"100%\" height=\"100%\"/>")?;
    writeln!(w, "{}</svg>", page.body)
}

fn picture(graph: &LockGraph, witness: &Witness, page: &mut Page) -> fmt::Result {
    let count = witness.cpus.len();
    let column = |cpu: usize| MARGIN + ROW + cpu * COLUMN;
    let right = count * COLUMN + ROW;
    let site = |steps: Option<&Vec<Step>>| {
        let step = steps.and_then(|steps| steps.last());
        step.map_or(String::new(), |step| format!("  {} in {}", step.span, step.function))
    };
    let top = page.y;
    for cpu in 0..count {
        page.line(&format!(
            "<text x=\"{}\" y=\"{top}\" text-anchor=\"middle\">CPU {cpu}</text>",
            column(cpu)
        ))?;
    }
    page.y += ROW;
    // The row of the first event, and where the last CPU waits.
    let (first, end) = (page.y, page.y + 2 * count * ROW);
    let row = |number: usize| first + number * ROW - 4;
    for cpu in 0..count {
        let (x, taken, waits) = (column(cpu), row(cpu), row(count + cpu));
        page.line(&format!("<path class=\"life\" d=\"M{x} {taken} V{waits}\"/>"))?;
        page.line(&format!("<path class=\"life waits\" d=\"M{x} {waits} V{end}\"/>"))?;
    }
    for (cpu, step) in witness.cpus.iter().enumerate() {
        let [held, _] = locks(graph, witness, step);
        let (x, y) = (column(cpu) - 6, row(cpu) - 6);
        page.line(&format!(
            "<rect class=\"hold\" x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\" rx=\"2\"/>"
        ))?;
        let evidence = graph.nestings.get(&step.nesting);
        page.text(
            right,
            "",
            &format!("CPU {cpu} holds {held}{}", site(evidence.map(|evidence| &evidence.held))),
        )?;
    }
    for (cpu, step) in witness.cpus.iter().enumerate() {
        let [_, wanted] = locks(graph, witness, step);
        let (from, to, y) = (column(cpu), column((cpu + 1) % count), row(count + cpu));
        let arrow = match from == to {
            // Back to its own line.
            true => format!("M{from} {} H{} V{y} H{}", y - 12, from + 24, from + 2),
            false => format!("M{from} {y} H{}", if from < to { to - 2 } else { to + 2 }),
        };
        page.line(&format!("<path class=\"wait\" marker-end=\"url(#tip)\" d=\"{arrow}\"/>"))?;
        let evidence = graph.nestings.get(&step.nesting);
        page.text(
            right,
            "",
            &format!("CPU {cpu} waits for {wanted}{}", site(evidence.map(|evidence| &evidence.wanted))),
        )?;
    }
    let waiting: Vec<String> = (0..count).map(|cpu| format!("CPU {cpu} → ")).collect();
    page.text(right, "", &format!("each waits for the next: {}CPU 0", waiting.concat()))
}

/// What is drawn so far.
struct Page {
    body: String,
    /// The right end of the longest text.
    width: usize,
    /// The base line of the next text.
    y: usize,
}

impl Page {
    fn line(&mut self, element: &str) -> fmt::Result {
        writeln!(self.body, "  {element}")
    }

    /// A row of text, so far from the margin.
    fn text(&mut self, x: usize, class: &str, text: &str) -> fmt::Result {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let (x, y) = (MARGIN + x, self.y);
        self.width = self.width.max(x + LETTER * text.chars().count());
        self.y += ROW;
        writeln!(self.body, "  <text{class} x=\"{x}\" y=\"{y}\">{}</text>", Escaped(text))
    }
}

/// Text that XML takes for text (Extensible Markup Language 1.0, section 2.4); what it cannot contain is left out.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}' => Ok(()),
            _ => f.write_char(letter),
        })
    }
}
