//! Findings and verdicts under each discipline.

use lockdep::order::Discipline;
use lockdep_analyzer::finding::{Code, Finding, Level, Verdict};
use lockdep_analyzer::graph::{Assumption, Nesting};
use lockdep_analyzer::judge::{Judgement, judge};

#[path = "board/notation.rs"]
mod notation;

use notation::graph;

fn codes(judgement: &Judgement) -> Vec<&'static str> {
    judgement.findings.iter().map(|finding| finding.code.id()).collect()
}

fn judged(text: &str) -> Judgement {
    judge(graph(text), &Discipline::HIERARCHY)
}

fn only(judgement: &Judgement) -> &Finding {
    let [finding] = &judgement.findings[..] else { panic!("not one finding: {:?}", codes(judgement)) };
    finding
}

/// The nesting of the thread, with a caller that controls its subject.
const THREAD: &str = "class pawn = 16
    class rook = 64
    pawn E -> rook E  Same
    rook E -> pawn E  Up";

#[test]
fn only_flat_refuses_the_nesting_of_the_thread() {
    let disciplines: &'static [Discipline] = &Discipline::ALL;
    let verdicts: Vec<(&str, Verdict)> =
        disciplines.iter().map(|d| (d.name, judge(graph(THREAD), d).verdict)).collect();
    assert_eq!(
        verdicts,
        [
            ("hierarchy", Verdict::Proved),
            ("flat", Verdict::Refuted(1)),
            ("per-domain", Verdict::Proved),
            ("bias-current", Verdict::Proved),
            ("bias-control", Verdict::Proved),
        ]
    );
}

#[test]
fn flat_says_what_xen_prints() {
    let judgement = judge(graph(THREAD), &Discipline::FLAT);
    let finding = only(&judgement);
    assert_eq!((finding.code, finding.level), (Code::OrderViolation, Level::Error));
    assert!(finding.notes.iter().any(|note| note == "Xen prints: mm locking order violation: 64 > 16"));
    assert_eq!(judgement.graph.nestings.len(), 2, "the refused nesting is still in the graph");
}

/// Nothing says for whom a CPU works that nests locks of strangers, and each of two domains is the current one to its
/// own CPUs: the copy gets through, and four CPUs wait for each other. Ordinary domains have no bias by owner.
#[test]
fn bias_current_lets_strangers_through() {
    let strangers = THREAD.replace("Up", "Other");
    let judgement = judge(graph(&strangers), &Discipline::BIAS_CURRENT);
    assert_eq!(codes(&judgement), ["cross-domain-nesting"]);
    let witness = only(&judgement).witness.as_ref().expect("a schedule");
    assert_eq!((witness.cpus.len(), witness.domains.len()), (4, 2));
    assert_eq!(codes(&judge(graph(&strangers), &Discipline::BIAS_CONTROL)), ["order-violation"]);
    // A lock of nobody has no current owner: from one to a domain's lock of lower level, the bias helps.
    let page = "class pawn = 16\n class page = 24, unowned\n page E -> pawn E  Other";
    assert_eq!(judge(graph(page), &Discipline::BIAS_CURRENT).verdict, Verdict::Proved);
    assert_eq!(codes(&judge(graph(page), &Discipline::BIAS_CONTROL)), ["order-violation"]);
}

/// `bias-control` counts the controller's locks 64 higher; the same nesting down is then refused.
#[test]
fn levels_are_shown_as_the_discipline_counts_them() {
    let down = "class pawn = 16\n class rook = 64\n pawn E -> rook E  Down";
    let judgement = judge(graph(down), &Discipline::BIAS_CONTROL);
    let refusal = only(&judgement).links[0].refused.expect("refused");
    assert_eq!(refusal.to_string(), "80 > 64");
}

/// `per-domain` checks nothing across domains, so the four-CPU deadlock passes.
#[test]
fn deadlocks_that_a_discipline_lets_through() {
    let strangers = THREAD.replace("Up", "Other");
    let judgement = judge(graph(&strangers), &Discipline::PER_DOMAIN);
    assert_eq!(codes(&judgement), ["cross-domain-nesting"]);
    assert_eq!(only(&judgement).witness.as_ref().map(|witness| witness.cpus.len()), Some(4));
    // `flat` refuses the nesting, and without it there is no circle.
    assert_eq!(codes(&judge(graph(&strangers), &Discipline::FLAT)), ["order-violation"]);
    // Xen's comparison is strict: equal levels pass.
    let equals = "class pawn = 16\n pawn E -> pawn E  Other";
    assert_eq!(codes(&judge(graph(equals), &Discipline::FLAT)), ["cross-domain-nesting"]);
}

#[test]
fn the_refused_nesting_of_a_circle_is_named_in_it_and_not_reported_again() {
    let judgement = judged(
        "class pawn = 8
         class rook = 16
         pawn E -> rook E  Same
         rook E -> pawn E  Same",
    );
    let finding = only(&judgement);
    assert_eq!(finding.code, Code::LockOrderCycle);
    assert_eq!(finding.links[0].nesting.held, 1, "the one to change comes first");
    assert_eq!(finding.links[0].refused.expect("refused").to_string(), "16 > 8");
    assert!(finding.links[1].refused.is_none());
    assert_eq!(judgement.verdict, Verdict::Refuted(1));
}

#[test]
fn a_refused_nesting_without_a_circle_is_a_violation() {
    let judgement = judged(
        "class pawn = 8
         class rook = 16
         rook E -> pawn E  Same
         rook E -> pawn S  Same",
    );
    let finding = only(&judgement);
    assert_eq!(finding.code, Code::OrderViolation);
    assert_eq!(finding.links[0].variants, 1, "the other mode is counted, not reported");
    assert_eq!(
        codes(&judged("class pawn\n class rook = 16\n rook E -> pawn E  Same")),
        [""; 0],
        "undeclared"
    );
}

#[test]
fn codes_of_circles() {
    for (text, code) in [
        ("class pawn\n pawn E -> pawn E  Same, same lock", "recursion"),
        ("class pawn\n pawn S -> pawn E  Same, same lock", "recursion"),
        ("class pawn\n pawn S -> pawn S  Same, same lock", "reader-recursion"),
        ("class pawn\n pawn E -> pawn E  Same", "unordered-instances"),
        ("class pawn\n pawn E -> pawn E  Other", "cross-domain-nesting"),
        (
            "class pawn\n class board, unowned\n pawn E -> board E  Other\n board E -> pawn E  Other",
            "lock-order-cycle",
        ),
    ] {
        assert_eq!(codes(&judged(text)), [code], "{text}");
    }
}

/// One instance again, and two instances: two different mistakes.
#[test]
fn a_recursion_does_not_hide_two_instances() {
    let judgement = judged(
        "class pawn = 8
         pawn E -> pawn E  Same
         pawn E -> pawn E  Same, same lock",
    );
    assert_eq!(codes(&judgement), ["recursion", "unordered-instances"]);
    // Recursive readers of two instances do not deadlock, but have no declared order either.
    let readers = "class pawn = 8\n pawn S -> pawn R  Same\n pawn E -> pawn E  Same, same lock";
    assert_eq!(codes(&judged(readers)), ["recursion", "order-violation"]);
}

#[test]
fn an_ordered_class_nests_by_key_under_the_hierarchy() {
    assert_eq!(judged("class pawn = 8, ordered\n pawn E -> pawn E  Same").verdict, Verdict::Proved);
}

#[test]
fn what_is_merely_possible_is_a_warning_and_no_proof() {
    let judgement = judged(
        "class pawn
         class rook
         pawn E -> rook E  Same
         rook E -> pawn E  Same, possible",
    );
    assert_eq!(only(&judgement).level, Level::Warning);
    assert_eq!((judgement.verdict.clone(), judgement.verdict.exit_code()), (Verdict::Undecided(1), 1));
    assert_eq!(judgement.verdict.to_string(), "undecided (1 possible finding)");
    let both = judged(
        "class pawn
         class rook
         pawn E -> rook E  Same
         rook E -> pawn E  Same, possible
         rook E -> rook E  Same, same lock",
    );
    let levels: Vec<Level> = both.findings.iter().map(|finding| finding.level).collect();
    assert_eq!((levels, both.verdict), (vec![Level::Error, Level::Warning], Verdict::Refuted(2)));
    let violation = judged("class pawn = 8\n class rook = 16\n rook E -> pawn E  Same, possible");
    assert_eq!(only(&violation).level, Level::Warning);
}

#[test]
fn assumptions_are_counted_and_are_notes() {
    let mut graph = graph("class pawn");
    let assumption =
        Assumption { kind: "closed-world".into(), text: "nobody else calls".into(), sites: vec![] };
    graph.assumptions = vec![assumption; 2];
    let judgement = judge(graph, &Discipline::HIERARCHY);
    assert_eq!(judgement.verdict, Verdict::ProvedUnder(2));
    assert_eq!(judgement.verdict.to_string(), "proved under 2 assumptions");
    assert_eq!(judgement.verdict.exit_code(), 0);
    assert_eq!(judgement.findings.len(), 2);
    assert!(judgement.findings.iter().all(|f| f.code == Code::Assumption && f.level == Level::Note));
}

#[test]
fn a_graph_that_is_none_fails() {
    let mut graph = graph("class pawn\n class rook\n pawn E -> rook E  Same");
    graph.classes.pop();
    let judgement = judge(graph, &Discipline::HIERARCHY);
    assert!(matches!(judgement.verdict, Verdict::Failed(_)));
    assert_eq!(judgement.verdict.exit_code(), 101);
}

#[test]
fn waiting_writers_are_remarked() {
    let judgement = judged("class pawn\n class rook\n pawn S -> rook S  Same\n rook S -> pawn S  Same");
    let notes = &only(&judgement).notes;
    assert!(notes.iter().any(|note| note.contains("(CPU 0, CPU 1)")), "{notes:?}");
}

#[test]
fn every_code_is_explained() {
    for code in Code::ALL {
        assert_eq!(Code::from_id(code.id()), Some(code));
        assert!(code.id().chars().all(|c| c.is_ascii_lowercase() || c == '-'));
        let lines = code.explanation().lines().count();
        assert!((8..=15).contains(&lines), "{}: {lines} lines", code.id());
        assert!(code.explanation().lines().all(|line| line.len() <= 120), "{}", code.id());
        assert!(code.explanation().contains("\nExample:") && code.explanation().contains("\nFix:"));
        assert!(!code.gist().ends_with('.'));
    }
    assert_eq!(Code::from_id("stalemate"), None);
}

/// Every finding about nestings has both sites and both chains.
#[test]
fn findings_have_two_sites() {
    let judgement = judged("class pawn\n class rook\n pawn E -> rook E  Same\n rook E -> pawn E  Same");
    for link in &only(&judgement).links {
        let Nesting { held, wanted, .. } = link.nesting;
        assert_ne!(held, wanted);
        let (primary, secondary) = (link.primary().expect("wanted"), link.secondary().expect("held"));
        assert_eq!((primary.line, primary.column, secondary.column), (secondary.line, 15, 5));
    }
}
