//! Lock graphs from text, in the notation of the list renderer. For tests only; panics on nonsense.
//!
//! ```text
//! class pawn = 8, ordered
//! class heap, unowned
//! pawn E -> rook S  Same, possible
//! ```

use lockdep::order::Relation;
use lockdep_analyzer::graph::{
    Class, Evidence, Gates, Held, Instances, LockGraph, Nesting, Ownership, Step, Wanted,
};
use lockdep_analyzer::mir::ir::Span;

/// The graph that `text` describes. The nesting in line *n* has its evidence in line *n* of `src/board.rs`.
pub fn graph(text: &str) -> LockGraph {
    let mut graph = LockGraph { bodies: 1, ..LockGraph::default() };
    for (number, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty()) {
        match line.strip_prefix("class ") {
            Some(class) => graph.classes.push(self::class(class)),
            None => {
                let (nesting, evidence) = nesting(&graph, line, number as u32 + 1);
                graph.add(nesting, evidence);
            }
        }
    }
    graph
}

fn class(text: &str) -> Class {
    let mut parts = text.split(", ");
    let head = parts.next().unwrap_or_default();
    let (name, level) = match head.split_once(" = ") {
        Some((name, level)) => (name, Some(level.parse().expect("a level"))),
        None => (head, None),
    };
    let flags: Vec<&str> = parts.collect();
    let has = |flag: &str| flags.contains(&flag);
    let ownership = match (has("unowned"), has("unknown-owner")) {
        (true, _) => Ownership::Unowned,
        (_, true) => Ownership::Unknown,
        _ => Ownership::Owned,
    };
    Class { name: name.to_owned(), level, recursive: has("recursive"), ordered: has("ordered"), ownership }
}

fn nesting(graph: &LockGraph, line: &str, number: u32) -> (Nesting, Evidence) {
    let mut parts = line.split(", ");
    let words: Vec<&str> = parts.next().unwrap_or_default().split_whitespace().collect();
    let [held, held_as, "->", wanted, wanted_as, relation] = words[..] else {
        panic!("not a nesting: {line}")
    };
    let flags: Vec<&str> = parts.collect();
    let index = |name: &str| graph.class(name).unwrap_or_else(|| panic!("no class {name}"));
    let nesting = Nesting {
        held: index(held),
        wanted: index(wanted),
        relation: Relation::ALL.into_iter().find(|known| known.name() == relation).expect("a relation"),
        held_as: if held_as == "E" { Held::Exclusive } else { Held::Shared },
        wanted_as: match wanted_as {
            "E" => Wanted::Exclusive,
            "S" => Wanted::Shared,
            _ => Wanted::SharedRecursive,
        },
        instances: if flags.contains(&"same lock") { Instances::SameOne } else { Instances::Any },
    };
    let step = |action: &str, column: u32| Step {
        function: format!("board::move_{number}").into(),
        action: action.into(),
        span: Span {
            file: "src/board.rs".into(),
            line: number,
            column,
            end_line: number,
            end_column: column + 4,
        },
    };
    let evidence = Evidence {
        held: vec![step(&format!("acquires {held}"), 5)],
        wanted: vec![step(&format!("acquires {wanted}"), 15)],
        owners: (String::new(), String::new()),
        possible: flags.contains(&"possible"),
        gates: Gates::default(),
    };
    (nesting, evidence)
}
