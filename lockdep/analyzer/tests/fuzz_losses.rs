//! Parts of a dump that are lost: what is noticed, exactly.
//!
//! A text that ends inside a body; a line, other than a comment, a name or a whole statement; a file, if its function is
//! called by name, takes part in locks, or is a closure. Random damage is in `fuzz_text.rs`.

#[path = "fuzz/seed.rs"]
mod seed;

use lockdep_analyzer::graph::Assumption;
use lockdep_analyzer::mir::{Problem, read_dump};
use seed::{CRATE, dump, facts, judged};

/// What is wrong with one file of the dump.
fn problems(name: &str, text: &str) -> Vec<Problem> {
    read_dump(CRATE, &[(name.to_owned(), text.to_owned())]).1
}

/// What may be lost without a trace: a comment, a name, a whole statement.
fn may_be_lost(line: &str) -> bool {
    let content = line.trim_start();
    let is_statement = content.starts_with(['_', '(', 'S']) && !content.contains(" -> [return: ");
    let is_named = ["debug ", "FakeRead(", "PlaceMention(", "nop;", "AscribeUserType("];
    // Allocations are listed whether anything refers to them or not; the others are noticed.
    content.is_empty()
        || content.starts_with("//")
        || line.starts_with("alloc")
        || line.starts_with('|')
        || is_statement
        || is_named.iter().any(|start| content.starts_with(start))
}

#[test]
fn a_lost_line_is_noticed() {
    let mut silent = 0;
    for (name, text) in &dump() {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for at in 0..lines.len() {
            let problems = problems(name, &[&lines[..at], &lines[at + 1..]].concat().concat());
            silent += usize::from(problems.is_empty());
            assert!(!problems.is_empty() || may_be_lost(lines[at]), "{name}: {}", lines[at]);
        }
    }
    assert!(silent > 0, "the claim is wider than it was");
}

#[test]
fn a_text_that_ends_inside_a_body_is_noticed() {
    for (name, text) in &dump() {
        let end = text.rfind("\n}\n").expect("a body") + 2;
        let every = if text.len() < 4_000 { 1 } else { 61 };
        for at in (0..end).step_by(every).map(|at| text.floor_char_boundary(at)) {
            assert!(!problems(name, &text[..at]).is_empty(), "{name}: {:?}", &text[..at]);
        }
    }
}

#[test]
fn a_lost_file_is_noticed() {
    let files = dump();
    let all = facts(&files);
    assert_eq!(all.problems, Vec::<String>::new());
    let words = |files: &[(String, String)]| -> Vec<Assumption> {
        let assumptions = judged(facts(files)).expect("there are locks").graph.assumptions;
        assumptions.into_iter().filter(|assumption| assumption.kind != "closed-world").collect()
    };
    let usual = words(&files);
    let mut silent = Vec::new();
    for lost in 0..files.len() {
        let mut files = files.clone();
        let (name, _) = files.remove(lost);
        if words(&files) == usual {
            silent.push(
                name.trim_start_matches("kernel.").trim_end_matches(".2-1-000.analysis.after.mir").to_owned(),
            );
        }
    }
    // Nothing calls them by name; statics and constants have no code that could run.
    let unnamed = ["OPENINGS", "board-classes", "board-{impl#0}-class-CLASS", "board-{impl#0}-class"];
    let more = ["board-{impl#1}-class-CLASS", "board-{impl#1}-class", "{impl#2}-owner_id"];
    assert_eq!(silent, [&unnamed[..], &more[..]].concat());
}
