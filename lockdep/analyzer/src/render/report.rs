//! One finding as text: source excerpts with both sites, call chains, schedule, rule, help.
//!
//! The shape is rustc's, by annotate-snippets (the renderer that rustc uses). Where source text is not to be had,
//! or does not fit the span, the excerpt is `file:line:column` and nothing else is lost. Called by
//! `render/text.rs` only.

use std::ops::Range;

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level as Mark, Origin, Renderer, Snippet,
};

use crate::finding::{Finding, Level, Link};
use crate::graph::{CALLERS, LockGraph, Step};
use crate::mir::ir::Span;
use crate::witness::Witness;

use super::words::{counted, domains, held_word, locks, wanted_word};

/// What the reader wants.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The text of a source file, by its path as in the spans.
    pub sources: &'a dyn Fn(&str) -> Option<String>,
    /// Terminal colours.
    pub color: bool,
    /// The width of the terminal, for cutting long source lines.
    pub width: usize,
}

/// Nestings shown with excerpts; a longer circle is in the schedule.
const LINKS: usize = 6;
/// CPUs shown in a schedule; JSON has them all.
const CPUS: usize = 24;

/// The finding as text, without a line end after it.
pub fn render(graph: &LockGraph, finding: &Finding, options: &Options) -> String {
    let mark = match finding.level {
        Level::Error => Mark::ERROR,
        Level::Warning => Mark::WARNING,
        Level::Note => Mark::NOTE,
    };
    let mut group =
        mark.primary_title(finding.title.as_str()).id(finding.code.id()).elements(Vec::<Element>::new());
    let sites = sites(graph, finding);
    let texts = texts(&sites, options);
    for element in excerpts(&sites, &texts) {
        group = group.element(element);
    }
    for (name, text) in remarks(graph, finding) {
        group = group.element(Mark::NOTE.with_name(Some(name)).message(text));
    }
    let renderer = if options.color { Renderer::styled() } else { Renderer::plain() };
    let report: &[Group] = &[group];
    renderer.term_width(options.width.max(40)).render(report)
}

/// A site of a finding and what it is.
struct Site<'a> {
    span: &'a Span,
    label: String,
    primary: bool,
}

/// The sites in order: for each nesting the wanted lock's, then the held one's.
fn sites<'a>(graph: &LockGraph, finding: &'a Finding) -> Vec<Site<'a>> {
    let mut sites = Vec::new();
    for (number, link) in finding.links.iter().take(LINKS).enumerate() {
        let (first, second) = (2 * number + 1, 2 * number + 2);
        let (held, wanted) = (&link.nesting.held, &link.nesting.wanted);
        if let Some(span) = link.primary() {
            let lock = lock(graph, *wanted, &link.evidence.owners.1, wanted_word(link.nesting.wanted_as));
            let label = match *wanted {
                CALLERS => format!("({second}) runs {}", graph.name(CALLERS)),
                _ if graph.waits.contains_key(wanted) => {
                    format!("({second}) waits for the {}", graph.name(*wanted))
                }
                _ => format!("({second}) acquires {lock}"),
            };
            sites.push(Site { span, label, primary: number == 0 });
        }
        if let Some(span) = link.secondary() {
            let lock = lock(graph, *held, &link.evidence.owners.0, held_word(link.nesting.held_as));
            sites.push(Site { span, label: format!("({first}) {lock} is held from here"), primary: false });
        }
    }
    for (number, span) in finding.sites.iter().take(LINKS).enumerate() {
        sites.push(Site { span, label: "here".to_owned(), primary: number == 0 });
    }
    sites
}

/// `` `rook` of white (level 64, exclusive)``.
fn lock(graph: &LockGraph, class: usize, owner: &str, how: &str) -> String {
    let name = graph.name(class);
    let owner = if owner.is_empty() { String::new() } else { format!(" of {owner}") };
    match graph.classes.get(class).and_then(|class| class.level) {
        Some(level) => format!("`{name}`{owner} (level {level}, {how})"),
        None => format!("`{name}`{owner} ({how})"),
    }
}

/// Each file of the sites once, in order of first appearance, with its text.
fn texts<'a>(sites: &[Site<'a>], options: &Options) -> Vec<(&'a str, Option<String>)> {
    let mut texts: Vec<(&str, Option<String>)> = Vec::new();
    for site in sites {
        let file: &str = &site.span.file;
        if !texts.iter().any(|(known, _)| *known == file) {
            texts.push((file, (options.sources)(file)));
        }
    }
    texts
}

fn excerpts<'a>(sites: &'a [Site], texts: &'a [(&str, Option<String>)]) -> Vec<Element<'a>> {
    let mut elements = Vec::new();
    for (file, text) in texts {
        let here = sites.iter().filter(|site| &*site.span.file == *file);
        let mut annotations: Vec<Annotation> = Vec::new();
        for site in here {
            match text.as_deref().and_then(|text| range(text, site.span)) {
                Some(range) => {
                    let kind = if site.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
                    annotations.push(kind.span(range).label(site.label.as_str()));
                }
                None => elements.push(bare(site)),
            }
        }
        if let Some(text) = text
            && !annotations.is_empty()
        {
            elements.push(Snippet::source(text.as_str()).path(*file).annotations(annotations).into());
        }
    }
    elements
}

/// A site without its source.
fn bare<'a>(site: &'a Site) -> Element<'a> {
    let origin = Origin::path(&*site.span.file);
    match (site.span.line, site.span.column) {
        (0, _) => origin.into(),
        (line, 0) => origin.line(line as usize).into(),
        (line, column) => origin.line(line as usize).char_column(column as usize).into(),
    }
}

/// The bytes of `text` that a span covers; none if the span is not in the text (which may have changed).
fn range(text: &str, span: &Span) -> Option<Range<usize>> {
    let start = offset(text, span.line, span.column)?;
    let end = offset(text, span.end_line, span.end_column).filter(|end| *end > start);
    let rest = text[start..].chars().next()?;
    Some(start..end.unwrap_or(start + rest.len_utf8()))
}

fn offset(text: &str, line: u32, column: u32) -> Option<usize> {
    let (line, column) =
        (usize::try_from(line).ok()?.checked_sub(1)?, usize::try_from(column).ok()?.checked_sub(1)?);
    let mut start = 0;
    for _ in 0..line {
        start += text[start..].find('\n')? + 1;
    }
    let content = text[start..].lines().next().unwrap_or("");
    let mut columns = content.char_indices().map(|(at, _)| at).chain([content.len()]);
    columns.nth(column).map(|at| start + at)
}

/// Everything below the excerpts.
fn remarks(graph: &LockGraph, finding: &Finding) -> Vec<(&'static str, String)> {
    let mut remarks = Vec::new();
    for (number, link) in finding.links.iter().take(LINKS).enumerate() {
        for (steps, label) in [(&link.evidence.held, 2 * number + 1), (&link.evidence.wanted, 2 * number + 2)]
        {
            if !steps.is_empty() {
                remarks.push(("chain", format!("({label}) {}", chain(steps))));
            }
        }
        remarks.extend(variants(graph, link).map(|text| ("note", text)));
    }
    if let Some(witness) = &finding.witness {
        remarks.push(("schedule", schedule(graph, witness)));
    }
    remarks.extend(finding.notes.iter().map(|note| ("note", note.clone())));
    remarks.push(("rule", finding.rule.clone()));
    remarks.push(("help", finding.help.clone()));
    remarks.push(("see", format!("cargo lockdep explain {}", finding.code.id())));
    remarks
}

fn chain(steps: &[Step]) -> String {
    let steps: Vec<String> = steps.iter().map(|step| format!("{} ({})", step.function, step.span)).collect();
    steps.join(" → ")
}

fn variants(graph: &LockGraph, link: &Link) -> Option<String> {
    (link.variants > 0).then(|| {
        format!(
            "{} of `{}` in `{}` ({}) in other modes",
            counted(link.variants, "further nesting", "further nestings"),
            graph.name(link.nesting.wanted),
            graph.name(link.nesting.held),
            graph.relation(&link.nesting).name()
        )
    })
}

/// The schedule: domains, then one line per CPU.
fn schedule(graph: &LockGraph, witness: &Witness) -> String {
    let mut lines = vec![domains(witness)];
    for (number, cpu) in witness.cpus.iter().take(CPUS).enumerate() {
        let site = |steps: Option<&Vec<Step>>| {
            let step = steps.and_then(|steps| steps.last());
            step.map_or(String::new(), |step| format!(" ({}, {})", step.function, step.span))
        };
        let evidence = graph.nestings.get(&cpu.nesting);
        let [held, wanted] = locks(graph, witness, cpu);
        lines.push(format!(
            "CPU {number}: holds {held}{}, waits for {wanted}{}",
            site(evidence.map(|evidence| &evidence.held)),
            site(evidence.map(|evidence| &evidence.wanted))
        ));
    }
    if witness.cpus.len() > CPUS {
        lines.push(format!("and so on for {} more CPUs", witness.cpus.len() - CPUS));
    }
    lines.join("\n")
}
