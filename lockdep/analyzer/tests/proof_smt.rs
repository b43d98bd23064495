//! The decision against `z3`, on random graphs: both questions of `smt.rs` have to be answered as it decided.
//!
//! Skipped, and said so, where no `z3` can be started.

use std::fmt::Write as _;
use std::io::Write as _;
use std::num::NonZeroU8;
use std::process::{Command, Stdio};

use lockdep::order::Relation;
use lockdep_analyzer::graph::{
    Class, Evidence, Gate, Gates, Held, Instances, LockGraph, Nesting, Ownership, Wanted, Which,
};
use lockdep_analyzer::proof::{Decision, decide};
use lockdep_analyzer::smt::{certificate_exists, deadlock_exists};

#[path = "board/notation.rs"]
mod notation;

const GRAPHS: usize = 240;
const CLASSES: usize = 3;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// What a graph has besides nestings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum With {
    Nothing,
    Gates,
    Tiers,
}

/// Up to two of two gates each of holders and waiters; one in a static is everywhere.
fn gates(dice: &mut Dice) -> Gates {
    let beside = |field: u32| Which::Beside { gate: vec![field], lock: vec![9] };
    let all = [beside(0), beside(1), Which::Static("king".to_owned())];
    let mut gates = Gates::default();
    for _ in 0..dice.below(4) {
        let gate = Gate { class: CLASSES, which: all[dice.below(3)].clone() };
        let of = if gate.which == all[2] { 2 } else { dice.below(3) };
        if of != 0 {
            gates.held.insert(gate.clone());
        }
        if of != 1 {
            gates.wanted.insert(gate);
        }
    }
    gates
}

/// Relations are drawn from a mix of each graph's own, or nearly every graph would be refuted.
fn graph(dice: &mut Dice, with: With) -> LockGraph {
    use Relation::{Down, Same, Up};
    let mix = dice.pick(&[&[Same, Up][..], &[Same, Down], &[Same], &[Same, Same, Up, Down], &Relation::ALL]);
    let class = |number: usize, dice: &mut Dice| Class {
        name: format!("class{number}"),
        level: None,
        recursive: dice.below(2) == 0,
        ordered: dice.below(2) == 0,
        ownership: dice.pick(&[Ownership::Owned, Ownership::Owned, Ownership::Unowned, Ownership::Unknown]),
    };
    let mut graph = LockGraph::default();
    graph.classes.extend((0..CLASSES).map(|number| class(number, dice)));
    if with == With::Gates {
        graph.classes.push(class(CLASSES, dice));
    }
    if with == With::Tiers {
        graph.tiers = NonZeroU8::new(dice.pick(&[1, 2, 2, 2]));
    }
    let ring = with == With::Tiers && dice.below(2) == 0;
    if ring {
        (0..CLASSES).for_each(|held| up_to_the_next(&mut graph, held, dice));
    }
    let least = if with == With::Gates { 2 } else { 0 };
    for _ in 0..if ring { 1 } else { least + dice.below(6) } {
        let (held, wanted) = (dice.below(CLASSES), dice.below(CLASSES));
        let one = held == wanted && dice.below(4) == 0;
        let mut nesting = Nesting {
            held,
            wanted,
            relation: dice.pick(mix),
            held_as: dice.pick(&[Held::Exclusive, Held::Shared]),
            wanted_as: dice.pick(&[
                Wanted::Exclusive,
                Wanted::Shared,
                Wanted::SharedRecursive,
                Wanted::SharedRecursive,
            ]),
            instances: if one { Instances::SameOne } else { Instances::Any },
        };
        nesting.relation = graph.relation(&nesting);
        let gates = if with == With::Gates { gates(dice) } else { Gates::default() };
        graph.add(nesting, evidence(gates));
    }
    graph
}

/// One nesting of a ring that mostly goes up.
fn up_to_the_next(graph: &mut LockGraph, held: usize, dice: &mut Dice) {
    graph.classes[held].ownership = Ownership::Owned;
    let nesting = Nesting {
        held,
        wanted: (held + 1) % CLASSES,
        relation: dice.pick(&[Relation::Up, Relation::Up, Relation::Down, Relation::Other]),
        held_as: Held::Exclusive,
        wanted_as: Wanted::Exclusive,
        instances: Instances::Any,
    };
    graph.add(nesting, evidence(Gates::default()));
}

fn evidence(gates: Gates) -> Evidence {
    let owners = (String::new(), String::new());
    Evidence { held: Vec::new(), wanted: Vec::new(), owners, possible: false, gates }
}

/// The answers to scripts, or none if there is no solver.
fn answers(scripts: &[String]) -> Option<Vec<bool>> {
    let mut z3 = Command::new("z3")
        .args(["-in", "-t:60000"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = z3.stdin.take().expect("a pipe");
    let text = scripts.join("(reset)\n");
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = z3.wait_with_output().expect("an answer");
    writer.join().expect("no panic").expect("z3 reads what it is given");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let answer = |line: &str| match line {
        "sat" => true,
        "unsat" => false,
        other => panic!("z3 says {other}"),
    };
    Some(said.lines().map(answer).collect())
}

fn scripts(graph: &LockGraph) -> [String; 2] {
    let mut deadlock = String::new();
    deadlock_exists(graph, &mut deadlock).expect("a String takes everything");
    let mut certificate = String::new();
    certificate_exists(graph, &mut certificate).expect("a String takes everything");
    [deadlock, certificate]
}

/// Asks about random graphs, for how many of which a variant of the graph is decided otherwise than the graph itself.
fn compare(seed: u64, with: With, variant: impl Fn(&LockGraph) -> LockGraph) -> Option<usize> {
    let mut dice = Dice(seed);
    let graphs: Vec<LockGraph> = (0..GRAPHS).map(|_| graph(&mut dice, with)).collect();
    let Some(answers) = answers(&graphs.iter().flat_map(scripts).collect::<Vec<_>>()) else {
        println!("skipped: there is no z3");
        return None;
    };
    assert_eq!(answers.len(), 2 * GRAPHS);
    let is_refuted = |graph: &LockGraph| matches!(decide(graph), Decision::Refuted { .. });
    let (mut refuted, mut otherwise) = (0, 0);
    for (graph, answer) in graphs.iter().zip(answers.chunks(2)) {
        let ours = is_refuted(graph);
        let mut nestings = String::new();
        for (nesting, evidence) in &graph.nestings {
            writeln!(nestings, "{nesting:?} {:?}", evidence.gates).expect("a String takes everything");
        }
        assert_eq!(answer, [ours, !ours], "{:?} {:?}\n{nestings}", graph.tiers, graph.classes);
        refuted += usize::from(ours);
        otherwise += usize::from(ours != is_refuted(&variant(graph)));
    }
    assert!((GRAPHS / 4..GRAPHS * 3 / 4).contains(&refuted), "{refuted} of {GRAPHS} are refuted");
    println!("{GRAPHS} graphs, {refuted} refuted");
    Some(otherwise)
}

#[test]
fn z3_decides_as_we_do() {
    compare(1, With::Nothing, LockGraph::clone);
}

#[test]
fn z3_decides_as_we_do_with_gates() {
    let without = |graph: &LockGraph| {
        let mut graph = graph.clone();
        graph.nestings.values_mut().for_each(|evidence| evidence.gates = Gates::default());
        graph
    };
    let by_gates = compare(2, With::Gates, without);
    assert!(by_gates.is_none_or(|count| count >= 10), "gates decide {by_gates:?} of {GRAPHS}");
}

#[test]
fn z3_decides_as_we_do_with_few_tiers() {
    let unbounded = |graph: &LockGraph| LockGraph { tiers: None, ..graph.clone() };
    let by_bound = compare(3, With::Tiers, unbounded);
    assert!(by_bound.is_none_or(|count| count >= 10), "the bound decides {by_bound:?} of {GRAPHS}");
}

/// The thread's nestings with and without a hierarchy, and through a page of nobody.
#[test]
fn z3_on_graphs_that_people_know() {
    let thread = "class p2m
                  class paging
                  p2m E -> paging E  Same
                  paging E -> p2m S  RELATION";
    let page = format!(
        "{}\n class page, unowned\n p2m E -> page E  Other\n page E -> paging E  Other",
        thread.replace("RELATION", "Up")
    );
    let texts = [thread.replace("RELATION", "Up"), thread.replace("RELATION", "Other"), page];
    let questions: Vec<String> = texts.iter().flat_map(|text| scripts(&notation::graph(text))).collect();
    match answers(&questions) {
        Some(answers) => assert_eq!(answers, [false, true, true, false, true, false]),
        None => println!("skipped: there is no z3"),
    }
}
