//! The renderers on a small game, as snapshots, and what must hold of every output.

use lockdep::order::Discipline;
use lockdep_analyzer::graph::LockGraph;
use lockdep_analyzer::judge::{Judgement, judge};
use lockdep_analyzer::render::{Format, Options, render};

#[path = "board/game.rs"]
mod game;
#[path = "board/notation.rs"]
mod notation;

fn shown(judgement: &Judgement, format: Format, options: &Options) -> String {
    let mut text = String::new();
    render(judgement, options, format, &mut text).expect("a string takes everything");
    text
}

fn with_sources(graph: LockGraph, discipline: &'static Discipline, format: Format) -> String {
    let options = Options { sources: &game::source, color: false, width: 120 };
    shown(&judge(graph, discipline), format, &options)
}

fn hierarchy(graph: LockGraph, format: Format) -> String {
    with_sources(graph, &Discipline::HIERARCHY, format)
}

#[test]
fn text_of_a_deadlock_between_domains() {
    let mut graph = game::graph("Other");
    graph.assumptions = game::assumptions();
    insta::assert_snapshot!(hierarchy(graph, Format::Text));
}

#[test]
fn pictures_of_deadlocks() {
    for relation in ["Other", "Same", "Up", "Down"] {
        insta::assert_snapshot!(
            format!("sequence_{}", relation.to_lowercase()),
            hierarchy(game::graph(relation), Format::Sequence)
        );
    }
}

#[test]
fn svg_of_a_deadlock_between_domains() {
    insta::assert_snapshot!(hierarchy(game::graph("Other"), Format::Svg));
}

/// As an XML parser sees it: every lock and site is there, every arrow leads from one line to another, all is on the page.
#[test]
fn svg_is_a_picture_of_each_witness() {
    let recursion = notation::graph("class a<b>&\"c\"\n a<b>&\"c\" E -> a<b>&\"c\" E  Same, same lock");
    let graphs = ["Other", "Same", "Up", "Down"].map(game::graph);
    for graph in graphs.into_iter().chain([recursion, LockGraph::default()]) {
        let judgement = judge(graph, &Discipline::HIERARCHY);
        let options = Options { sources: &game::source, color: false, width: 120 };
        let text = shown(&judgement, Format::Svg, &options);
        let document = roxmltree::Document::parse(&text).expect("well-formed XML");
        let svg = document.root_element();
        assert!(svg.has_tag_name(("http://www.w3.org/2000/svg", "svg")));
        let number = |name: &str| svg.attribute(name).and_then(|n| n.parse::<usize>().ok()).expect("a size");
        let (width, height) = (number("width"), number("height"));
        let of_class = |class: &'static str| {
            document.descendants().filter(move |node| node.attribute("class") == Some(class))
        };
        let witnesses: Vec<_> = judgement.findings.iter().filter_map(|f| f.witness.as_ref()).collect();
        let cpus: usize = witnesses.iter().map(|witness| witness.cpus.len()).sum();
        assert_eq!(of_class("hold").count(), cpus);
        assert_eq!(of_class("wait").count(), cpus);
        assert_eq!(of_class("life").count(), cpus);
        let texts: Vec<_> = document.descendants().filter(|node| node.has_tag_name("text")).collect();
        for node in &texts {
            let at =
                |name: &str| node.attribute(name).and_then(|n| n.parse::<usize>().ok()).expect("a place");
            let letters = node.text().unwrap_or_default().chars().count();
            assert!(at("x") + 8 * letters <= width && at("y") < height, "{node:?}");
        }
        let said: Vec<&str> = texts.iter().filter_map(|node| node.text()).collect();
        for witness in witnesses {
            for (cpu, step) in witness.cpus.iter().enumerate() {
                let held = format!("CPU {cpu} holds `{}`", judgement.graph.name(step.nesting.held));
                let wanted = format!("CPU {cpu} waits for `{}`", judgement.graph.name(step.nesting.wanted));
                for words in [held, wanted] {
                    assert!(said.iter().any(|text| text.starts_with(&words)), "{words}: {said:?}");
                }
            }
        }
        let verdict = format!("verdict: {}", judgement.verdict);
        assert_eq!(said.last(), Some(&verdict.as_str()));
        assert!(text.contains("prefers-color-scheme: dark") && !text.contains("http://www.w3.org/1999"));
    }
}

#[test]
fn text_of_a_cycle_in_one_domain() {
    insta::assert_snapshot!(hierarchy(game::graph("Same"), Format::Text));
}

#[test]
fn text_of_a_proof_under_assumptions() {
    let mut graph = game::graph("Up");
    graph.assumptions = game::assumptions();
    insta::assert_snapshot!(hierarchy(graph, Format::Text));
}

#[test]
fn text_under_another_discipline() {
    insta::assert_snapshot!(with_sources(game::graph("Up"), &Discipline::FLAT, Format::Text));
}

/// The sites stay, whatever is wrong with the text: not there, cut off, or another text.
#[test]
fn text_without_sources() {
    let judgement = judge(game::graph("Down"), &Discipline::HIERARCHY);
    let none = |_: &str| None;
    let options = Options { sources: &none, color: false, width: 120 };
    let bare = shown(&judgement, Format::Text, &options);
    insta::assert_snapshot!(bare);
    let cut = |path: &str| game::source(path).map(|text| text.lines().next().unwrap_or("").to_owned());
    assert_eq!(shown(&judgement, Format::Text, &Options { sources: &cut, ..options }), bare);
}

/// Whatever the text is cut off at, or shifted by, nothing breaks.
#[test]
fn any_source_text_will_do() {
    let judgement = judge(game::graph("Other"), &Discipline::HIERARCHY);
    for cut in 0..400 {
        let head = |path: &str| game::source(path).map(|text| text.chars().take(cut).collect());
        let tail = |path: &str| game::source(path).map(|text| text.chars().skip(cut).collect());
        for sources in [&head as &dyn Fn(&str) -> Option<String>, &tail] {
            let text = shown(&judgement, Format::Text, &Options { sources, color: cut % 2 == 0, width: cut });
            assert!(text.ends_with("\nverdict: refuted (1 finding)\n"));
        }
    }
}

#[test]
fn text_of_recursion_and_instances() {
    let graph = notation::graph(
        "class king
         class queen = 8
         class bishop, unowned
         king S -> king S  Same, same lock
         queen E -> queen E  Same
         bishop E -> bishop E  Same, same lock, possible",
    );
    insta::assert_snapshot!(hierarchy(graph, Format::Text));
}

#[test]
fn text_of_nothing() {
    let text = hierarchy(LockGraph::default(), Format::Text);
    assert_eq!(text, "0 bodies, 0 acquisitions, 0 classes, 0 nestings\n\nverdict: proved\n");
}

#[test]
fn json_of_a_deadlock_between_domains() {
    let mut graph = game::graph("Other");
    graph.assumptions = game::assumptions();
    insta::assert_snapshot!(hierarchy(graph, Format::Json));
}

#[test]
fn json_of_a_proof() {
    insta::assert_snapshot!(hierarchy(game::graph("Up"), Format::Json));
}

#[test]
fn dot() {
    insta::assert_snapshot!(hierarchy(game::graph("Other"), Format::Dot));
    let quoted = notation::graph("class a\"b\\c");
    assert!(hierarchy(quoted, Format::Dot).contains(r#"[label="a\"b\\c"]"#));
}

/// The lines are the tests' notation: what is written can be read back.
#[test]
fn list() {
    let text = hierarchy(game::graph("Other"), Format::List);
    insta::assert_snapshot!(text);
    let more = "class king, ordered\nclass queen, unknown-owner\n\
                king S -> queen R  Down\nking E -> king E  Same, same lock\nassumptions: 0\n";
    for text in [&text, more] {
        let graph = notation::graph(&text.replace("assumptions: 0\n", ""));
        let again = hierarchy(graph, Format::List);
        let sorted = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(sorted(&again), sorted(text));
    }
}

#[test]
fn every_format_is_the_same_on_every_run_and_ends_its_last_line() {
    for (name, format) in Format::ALL {
        let once = hierarchy(game::graph("Other"), format);
        assert_eq!(once, hierarchy(game::graph("Other"), format), "{name}");
        assert!(once.ends_with('\n') && !once.ends_with("\n\n"), "{name}");
        assert!(once.lines().all(|line| line == line.trim_end()), "{name} has trailing blanks");
    }
}

#[test]
fn colour_is_only_colour() {
    let judgement = judge(game::graph("Other"), &Discipline::HIERARCHY);
    let options = Options { sources: &game::source, color: true, width: 120 };
    let coloured = shown(&judgement, Format::Text, &options);
    assert!(coloured.contains("\u{1b}["));
    let mut plain = String::new();
    for (number, part) in coloured.split('\u{1b}').enumerate() {
        plain += if number == 0 { part } else { part.split_once('m').map_or("", |(_, rest)| rest) };
    }
    let same = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(same(&plain), same(&shown(&judgement, Format::Text, &Options { color: false, ..options })));
}
