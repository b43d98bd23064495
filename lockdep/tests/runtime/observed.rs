//! What was observed, written out: as text, and as a graph file.

use lockdep::class::Class;
use lockdep::held::Mode;
use lockdep::observed::{write_graph, write_text};
use lockdep::{Map, OwnerId};

use crate::Desk;

/// Two of one name, which is none to put into JSON as it is.
static PAWN: [Class; 2] = [const { Class::undeclared("a \"pawn\"\\\n") }; 2];
static QUEEN: Class = Class::new("observed", "queen", 8, 2);

fn nest(desk: &Desk) {
    let [pawn, other] = PAWN.each_ref().map(Map::new);
    let queen = Map::keyed(&QUEEN, OwnerId::NOBODY, 1);
    pawn.acquire(Mode::Upgradable);
    other.acquire(Mode::Shared);
    queen.acquire(Mode::SharedRecursive);
    queen.release();
    other.release();
    pawn.release();
    assert!(desk.codes().is_empty());
}

#[test]
fn text_for_a_console() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    nest(&desk);
    let mut text = String::new();
    write_text(&mut text).expect("a string takes all");
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.contains(&"class observed::queen = 8"), "{text}");
    let nesting = " (shared) at lockdep/tests/runtime/observed.rs:18:11, then queen (shared, recursive) at \
                   lockdep/tests/runtime/observed.rs:19:11, Same";
    assert_eq!(lines.iter().filter(|line| **line == nesting).count(), 1, "{text}");
    let checked = lockdep::counters().checked;
    let reported = lockdep::counters().reported;
    assert!(lines.contains(&&*format!("checked {checked}, reported {reported}, unsent 0")), "{text}");
}

#[test]
fn names_are_escaped_and_told_apart() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    nest(&desk);
    let mut text = String::new();
    write_graph(&mut text).expect("a string takes all");
    let pawn = r#""a \"pawn\"\\\u000a""#;
    let other = r##""a \"pawn\"\\\u000a#2""##;
    let flags = r#""level": 8, "recursive": false, "ordered": true, "ownership": "unknown""#;
    assert!(text.contains(flags), "{text}");
    for (held, wanted, wanted_as) in [
        (pawn, other, "shared"),
        (pawn, "\"observed::queen\"", "shared-recursive"),
        (other, "\"observed::queen\"", "shared-recursive"),
    ] {
        let nesting = format!(
            r#"{{"held": {held}, "held_as": "shared", "wanted": {wanted}, "wanted_as": "{wanted_as}", "relation": "Same""#
        );
        assert_eq!(text.matches(&nesting).count(), 1, "{nesting} in {text}");
    }
}
