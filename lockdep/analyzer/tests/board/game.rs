//! A small program and its lock graph, for the renderers: the spans point into the text.

use lockdep_analyzer::graph::{Assumption, Evidence, Gates, LockGraph, Step};
use lockdep_analyzer::mir::ir::Span;

use crate::notation;

/// The files of the program.
pub const FILES: [(&str, &str); 2] = [
    (
        "src/castle.rs",
        "pub fn castle(white: &Side, black: &Side) {
    let rook = white.rook.lock();
    advance(black, rook.square);
}

pub fn promote(white: &Side) {
    let pawn = white.pawn.read();
    let rook = white.rook.lock();
    rook.place(pawn.square);
}
",
    ),
    (
        "src/advance.rs",
        "// Größe zählt: the columns of a line are characters, not bytes.
pub fn advance(side: &Side, to: Square) {
    /* ♟ → */ let mut pawn = side.pawn.write();
    pawn.square = to;
}
",
    ),
];

/// Looks a file up as the command line would.
pub fn source(path: &str) -> Option<String> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned())
}

/// Where `needle` stands.
fn span(path: &str, needle: &str) -> Span {
    let text = source(path).expect("a file of the program");
    let at = text.find(needle).unwrap_or_else(|| panic!("{needle} in {path}"));
    let line = text[..at].matches('\n').count() as u32 + 1;
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let column = text[start..at].chars().count() as u32 + 1;
    let end_column = column + needle.chars().count() as u32;
    Span { file: path.into(), line, column, end_line: line, end_column }
}

fn step(function: &str, action: &str, path: &str, needle: &str) -> Step {
    Step { function: function.into(), action: action.into(), span: span(path, needle) }
}

/// The graph of the program if `castle` is called with sides that stand to each other as `relation` says.
pub fn graph(relation: &str) -> LockGraph {
    let mut graph = notation::graph(&format!(
        "class chess::pawn = 8
         class chess::rook = 64, recursive
         class game::Clock.time, unowned
         chess::rook E -> chess::pawn E  {relation}
         chess::rook E -> chess::pawn S  {relation}
         chess::pawn S -> chess::rook E  Same
         chess::rook E -> game::Clock.time E  Other, possible"
    ));
    let castle = Evidence {
        held: vec![step("game::castle", "acquires chess::rook", "src/castle.rs", "white.rook.lock()")],
        wanted: vec![
            step("game::castle", "calls game::advance", "src/castle.rs", "advance(black, rook.square)"),
            step("game::advance", "acquires chess::pawn", "src/advance.rs", "side.pawn.write()"),
        ],
        owners: ("white".to_owned(), "black".to_owned()),
        possible: false,
        gates: Gates::default(),
    };
    let second =
        step("game::promote", "acquires chess::rook", "src/castle.rs", "white.rook.lock();\n    rook");
    let line =
        Span { end_line: second.span.line, end_column: second.span.column + 17, ..second.span.clone() };
    let promote = Evidence {
        held: vec![step("game::promote", "acquires chess::pawn", "src/castle.rs", "white.pawn.read()")],
        wanted: vec![Step { span: line, ..second }],
        owners: ("white".to_owned(), "white".to_owned()),
        ..castle.clone()
    };
    for (number, evidence) in graph.nestings.values_mut().enumerate() {
        let possible = evidence.possible;
        *evidence = if number == 0 { promote.clone() } else { castle.clone() };
        evidence.possible = possible;
    }
    for class in [0, 1] {
        let chain = &promote.held[0].span;
        graph.acquisitions.push((class, chain.clone()));
    }
    graph.bodies = 3;
    graph.roles = vec!["black".to_owned(), "white".to_owned()];
    graph
}

/// What the graph above rests on.
pub fn assumptions() -> Vec<Assumption> {
    let unresolved = |number: u32| Assumption {
        kind: "unresolved-call".to_owned(),
        text: format!("a call of `fn(&Side)` number {number} acquires nothing"),
        sites: (1..=number)
            .map(|line| Span { line, end_line: line, ..span("src/castle.rs", "castle") })
            .collect(),
    };
    let mut assumptions = vec![Assumption {
        kind: "closed-world".to_owned(),
        text: "no code outside the crates read calls into them".to_owned(),
        sites: Vec::new(),
    }];
    assumptions.extend((2..=5).map(unresolved));
    assumptions
}
