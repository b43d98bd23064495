//! The report for people: tables, findings with source excerpts, assumptions, and the verdict as the last line.
//!
//! What a finding looks like is `render/report.rs`. Not for programs to read: use JSON.

use std::collections::BTreeMap;
use std::fmt;

use crate::finding::{Code, Level};
use crate::graph::{Class, Instances, LockGraph, Ownership};
use crate::judge::Judgement;
use crate::proof::Decision;

use super::report::{self, Options};
use super::words::{counted, held_word, wanted_word};

/// Sites listed per kind of assumption.
const SITES: usize = 3;

/// Writes the report.
pub fn render(judgement: &Judgement, options: &Options, w: &mut dyn fmt::Write) -> fmt::Result {
    let graph = &judgement.graph;
    writeln!(
        w,
        "{}, {}, {}, {}",
        counted(graph.bodies, "body", "bodies"),
        counted(graph.acquisitions.len(), "acquisition", "acquisitions"),
        counted(graph.classes.len(), "class", "classes"),
        counted(graph.nestings.len(), "nesting", "nestings")
    )?;
    classes(graph, w)?;
    nestings(graph, w)?;
    if let Some(tiers) = graph.tiers {
        let used = matches!(&judgement.decision, Decision::Proved(proof) if proof.tiers.is_some());
        writeln!(
            w,
            "\ntiers of domains: {tiers} at most{}",
            if used { ", on which the proof rests" } else { "" }
        )?;
    }
    let mut possible = false;
    for finding in judgement.findings.iter().filter(|finding| finding.code != Code::Assumption) {
        if finding.level == Level::Warning && !possible {
            possible = true;
            writeln!(w, "\npossible: these rest on calls that could not be resolved to one function")?;
        }
        writeln!(w, "\n{}", report::render(graph, finding, options))?;
    }
    if let Decision::Refuted { further, .. } = &judgement.decision
        && *further > 0
    {
        writeln!(
            w,
            "\n{} without a schedule of their own",
            counted(*further, "further nesting", "further nestings")
        )?;
    }
    assumptions(graph, w)?;
    if judgement.discipline.name != lockdep::order::Discipline::HIERARCHY.name {
        writeln!(w, "\ndiscipline: {}", judgement.discipline.name)?;
    } else {
        writeln!(w)?;
    }
    writeln!(w, "verdict: {}", judgement.verdict)
}

fn classes(graph: &LockGraph, w: &mut dyn fmt::Write) -> fmt::Result {
    if graph.classes.is_empty() {
        return Ok(());
    }
    writeln!(w, "\nclasses")?;
    let width = graph.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0);
    for class in &graph.classes {
        let level = class.level.map_or("-".to_owned(), |level| level.to_string());
        let line = format!("{level:>7}  {:width$}  {:7}  {}", class.name, ownership(class), flags(class));
        writeln!(w, "{}", line.trim_end())?;
    }
    Ok(())
}

fn ownership(class: &Class) -> &'static str {
    match class.ownership {
        Ownership::Owned => "owned",
        Ownership::Unowned => "unowned",
        Ownership::Unknown => "unknown",
    }
}

fn flags(class: &Class) -> String {
    let flags = [(class.recursive, "recursive"), (class.ordered, "ordered")];
    let set: Vec<&str> = flags.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect();
    set.join(", ")
}

fn nestings(graph: &LockGraph, w: &mut dyn fmt::Write) -> fmt::Result {
    if graph.nestings.is_empty() {
        return Ok(());
    }
    writeln!(w, "\nnestings")?;
    let rows: Vec<[String; 3]> = graph
        .nestings
        .iter()
        .map(|(nesting, evidence)| {
            let pair = format!(
                "{} ({}) -> {} ({})",
                graph.name(nesting.held),
                held_word(nesting.held_as),
                graph.name(nesting.wanted),
                wanted_word(nesting.wanted_as)
            );
            let mut relation = graph.relation(nesting).name().to_owned();
            if nesting.instances == Instances::SameOne {
                relation.push_str(", same lock");
            }
            let mut sites = Vec::new();
            sites.extend(evidence.held.last().map(|step| step.span.to_string()));
            sites.extend(evidence.wanted.last().map(|step| format!("{} in {}", step.span, step.function)));
            let possible = if evidence.possible { " (possible)" } else { "" };
            [pair, relation, format!("{}{possible}", sites.join(" -> "))]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = (width(0), width(1));
    for [pair, relation, sites] in &rows {
        let line = format!("  {pair:0$}   {relation:1$}   {sites}", widths.0, widths.1);
        writeln!(w, "{}", line.trim_end())?;
    }
    Ok(())
}

fn assumptions(graph: &LockGraph, w: &mut dyn fmt::Write) -> fmt::Result {
    let mut kinds: BTreeMap<&str, Vec<&crate::graph::Assumption>> = BTreeMap::new();
    for assumption in &graph.assumptions {
        kinds.entry(&assumption.kind).or_default().push(assumption);
    }
    if kinds.is_empty() {
        return Ok(());
    }
    writeln!(w, "\nassumptions")?;
    for (kind, list) in kinds {
        writeln!(w, "  {kind}: {}", list.len())?;
        for assumption in list.iter().take(SITES) {
            writeln!(w, "    {}", assumption.text)?;
            for site in assumption.sites.iter().take(SITES) {
                writeln!(w, "      at {site}")?;
            }
            if assumption.sites.len() > SITES {
                writeln!(w, "      and {} more", assumption.sites.len() - SITES)?;
            }
        }
        if list.len() > SITES {
            writeln!(w, "    and {} more", list.len() - SITES)?;
        }
    }
    Ok(())
}
