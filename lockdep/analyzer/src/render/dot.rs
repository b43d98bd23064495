//! The lock graph for Graphviz.
//!
//! A node per class, an edge per group of nestings that differ in modes only; those that findings name are red.
//! Layout and everything else is Graphviz's business.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use lockdep::order::Relation;

use crate::judge::Judgement;

use super::words::{held_letter, wanted_letter};

/// Writes a digraph.
pub fn render(judgement: &Judgement, w: &mut dyn fmt::Write) -> fmt::Result {
    let graph = &judgement.graph;
    let mut kinds: BTreeMap<(usize, usize, Relation), BTreeSet<String>> = BTreeMap::new();
    for nesting in graph.nestings.keys() {
        let group = (nesting.held, nesting.wanted, graph.relation(nesting));
        let again = if nesting.is_recursion() { " same lock" } else { "" };
        let kind = format!("{}{}{again}", held_letter(nesting.held_as), wanted_letter(nesting.wanted_as));
        kinds.entry(group).or_default().insert(kind);
    }
    let bad: BTreeSet<(usize, usize, Relation)> = judgement
        .findings
        .iter()
        .flat_map(|finding| &finding.links)
        .map(|link| (link.nesting.held, link.nesting.wanted, graph.relation(&link.nesting)))
        .collect();

    writeln!(w, "digraph locks {{\n  node [shape=box];")?;
    for (index, class) in graph.classes.iter().enumerate() {
        let level = class.level.map_or(String::new(), |level| format!("\\n{level}"));
        writeln!(w, "  c{index} [label=\"{}{level}\"];", escaped(&class.name))?;
    }
    for (group, kinds) in &kinds {
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        let red = if bad.contains(group) { ", color=red, fontcolor=red" } else { "" };
        let (held, wanted, relation) = group;
        writeln!(w, "  c{held} -> c{wanted} [label=\"{}\\n{}\"{red}];", relation.name(), kinds.join(", "))?;
    }
    writeln!(w, "}}")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
