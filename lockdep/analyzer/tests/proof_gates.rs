//! Gates against explicit CPUs: what is proved with them cannot happen, and what they keep apart is not refuted.
//!
//! The slow truth here is a set of CPUs, each of which holds one lock, waits for the next and holds its gates; no two of
//! them hold one lock or one gate. A gate beside a lock is told from others by that lock, one in a static is itself.

use std::collections::BTreeSet;
use std::num::NonZeroU8;

use lockdep::order::{Discipline, Relation};
use lockdep_analyzer::brute_force::{Lock, World, blocks};
use lockdep_analyzer::certificate::{self, Certificate, Direction, Gated, Position};
use lockdep_analyzer::finding::{Level, Verdict};
use lockdep_analyzer::graph::{
    Class, Evidence, Gate, Gates, Held, Instances, LockGraph, Nesting, Ownership, THREADS, Wanted, Which,
};
use lockdep_analyzer::judge::judge;
use lockdep_analyzer::proof::{Decision, decide, gated};
use lockdep_analyzer::{certificate_file, graph_file};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

#[path = "board/notation.rs"]
mod notation;

const CLASSES: usize = 3;

fn gate() -> impl Strategy<Value = Gate> {
    let beside = (0..2_u32).prop_map(|gate| Which::Beside { gate: vec![gate], lock: vec![9] });
    let which = prop_oneof![2 => beside, 1 => Just(Which::Static("king".to_owned()))];
    which.prop_map(|which| Gate { class: CLASSES, which })
}

fn nesting() -> impl Strategy<Value = (Nesting, Gates)> {
    let relation =
        prop_oneof![5 => Just(Relation::Same), 2 => Just(Relation::Up), 1 => Just(Relation::Other)];
    let held_as = prop_oneof![2 => Just(Held::Exclusive), 1 => Just(Held::Shared)];
    let wanted_as = prop_oneof![2 => Just(Wanted::Exclusive), 1 => Just(Wanted::SharedRecursive)];
    let nesting = (0..CLASSES, 0..CLASSES, relation, held_as, wanted_as).prop_map(
        |(held, wanted, relation, held_as, wanted_as)| Nesting {
            held,
            wanted,
            relation,
            held_as,
            wanted_as,
            instances: Instances::Any,
        },
    );
    let gates = (btree_set(gate(), 0..3), btree_set(gate(), 0..3)).prop_map(|(held, wanted)| {
        let mut gates = Gates { held, wanted };
        let in_static = |gate: &&Gate| matches!(gate.which, Which::Static(_));
        let everywhere: Vec<Gate> = gates.held.union(&gates.wanted).filter(in_static).cloned().collect();
        gates.extend(Gates {
            held: everywhere.iter().cloned().collect(),
            wanted: everywhere.into_iter().collect(),
        });
        gates
    });
    (nesting, gates)
}

fn evidence(gates: Gates) -> Evidence {
    let owners = (String::new(), String::new());
    Evidence { held: Vec::new(), wanted: Vec::new(), owners, possible: false, gates }
}

fn graph() -> impl Strategy<Value = LockGraph> {
    let tiers = prop_oneof![2 => Just(None), 1 => (1..4_u8).prop_map(NonZeroU8::new)];
    (vec(nesting(), 0..6), tiers).prop_map(|(nestings, tiers)| {
        let class = |number: usize| Class {
            name: format!("class{number}"),
            level: None,
            recursive: false,
            ordered: false,
            ownership: Ownership::Owned,
        };
        let classes = (0..=CLASSES).map(class).collect();
        let mut graph = LockGraph { classes, tiers, ..LockGraph::default() };
        for (nesting, gates) in nestings {
            graph.add(nesting, evidence(gates));
        }
        graph
    })
}

type Step<'a> = (Nesting, Lock, Lock, BTreeSet<(&'a Gate, Option<Lock>)>);

/// What a CPU that makes a step holds besides.
fn instances<'a>(gates: &'a Gates, held: Lock, wanted: Lock) -> BTreeSet<(&'a Gate, Option<Lock>)> {
    let instance = |gate: &'a Gate, lock: Lock| match gate.which {
        Which::Static(_) | Which::Thread(_) => (gate, None),
        Which::Beside { .. } => (gate, Some(lock)),
    };
    let of_held = gates.held.iter().map(|gate| instance(gate, held));
    of_held.chain(gates.wanted.iter().map(|gate| instance(gate, wanted))).collect()
}

/// Every hierarchy of up to three domains that the graph allows.
fn worlds(graph: &LockGraph) -> impl Iterator<Item = World> {
    let most = graph.tiers.map_or(usize::MAX, |tiers| tiers.get().into());
    (0..=3).flat_map(World::all).filter(move |world| world.tiers() <= most)
}

/// Whether CPUs can wait for each other in a circle.
fn deadlocks(world: &World, graph: &LockGraph) -> bool {
    let steps: Vec<Step> = world
        .steps(graph)
        .into_iter()
        .map(|(nesting, held, wanted)| {
            let gates = instances(&graph.nestings[&nesting].gates, held, wanted);
            (nesting, held, wanted, gates)
        })
        .collect();
    steps.iter().any(|step| closes(&steps, &mut vec![step]))
}

fn closes<'a, 'g>(steps: &'a [Step<'g>], cpus: &mut Vec<&'a Step<'g>>) -> bool {
    let (first, last) = (cpus[0], cpus[cpus.len() - 1]);
    let holds = |holder: &Step| holder.1 == last.2 && blocks(holder.0.held_as, last.0.wanted_as);
    if holds(first) {
        return true;
    }
    for next in steps.iter().filter(|next| holds(next)) {
        let apart = cpus.iter().all(|cpu| cpu.1 != next.1 && cpu.3.is_disjoint(&next.3));
        if apart {
            cpus.push(next);
            if closes(steps, cpus) {
                return true;
            }
            cpus.pop();
        }
    }
    false
}

fn without_gates(graph: &LockGraph) -> LockGraph {
    let mut graph = graph.clone();
    graph.nestings.values_mut().for_each(|evidence| evidence.gates = Gates::default());
    graph
}

fn any_certificate() -> impl Strategy<Value = Certificate> {
    let position = || (0..3_usize, 0..3_usize).prop_map(|(layer, rank)| Position { layer, rank });
    let direction = prop_oneof![Just(Direction::None), Just(Direction::Up), Just(Direction::Down)];
    let waiters = (0..CLASSES, any::<bool>(), btree_set(gate(), 0..3), position())
        .prop_map(|(class, recursive, gates, position)| Gated { class, recursive, tier: 0, gates, position });
    (vec(direction, 3), vec(position(), CLASSES + 1), vec(position(), CLASSES + 1), vec(waiters, 0..5))
        .prop_map(|(directions, non_recursive, recursive, gated)| Certificate {
            tiers: None,
            directions,
            non_recursive,
            recursive,
            gated,
        })
}

fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(1000), failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_proved_does_not_deadlock(graph in graph()) {
        if let Decision::Proved(certificate) = decide(&graph) {
            prop_assert_eq!(certificate::check(&graph, &certificate), Ok(()));
            for world in worlds(&graph) {
                prop_assert!(!deadlocks(&world, &graph), "{:?}", world);
            }
        }
    }

    /// The checker alone, with whatever it is told of waiters with gates.
    #[test]
    fn an_accepted_certificate_means_no_deadlock(graph in graph(), certificate in any_certificate()) {
        if certificate::check(&graph, &certificate).is_ok() {
            for world in worlds(&graph) {
                prop_assert!(!deadlocks(&world, &graph), "{:?}", world);
            }
        }
    }

    /// Without gates, CPUs and waiters are two views of one thing.
    #[test]
    fn without_gates_cpus_are_waiters(graph in graph()) {
        let graph = without_gates(&graph);
        for world in [World::chains(1, 2), World::chains(2, 1)] {
            let truth = deadlocks(&world, &graph);
            prop_assert_eq!(truth, world.is_deadlocked(&graph));
            prop_assert_eq!(truth, world.deadlock(&graph).is_some());
        }
    }

    /// Gates only ever help, and what they helped with is named.
    #[test]
    fn what_only_gates_prove_is_gated(graph in graph()) {
        let plain = decide(&without_gates(&graph));
        match decide(&graph) {
            Decision::Proved(certificate) => {
                prop_assert_eq!(gated(&graph).is_empty(), matches!(plain, Decision::Proved(_)));
                let text = certificate_file::write(&graph, &certificate).expect("a text");
                let file = graph_file::write(&graph).expect("a text");
                prop_assert!(certificate_file::verify(&text, &file).is_ok());
                let refused = certificate::check(&without_gates(&graph), &certificate).is_err();
                prop_assert!(refused || matches!(plain, Decision::Proved(_)));
            }
            Decision::Refuted { witnesses, .. } => {
                prop_assert!(!witnesses.is_empty());
                let refuted = matches!(plain, Decision::Refuted { .. });
                prop_assert!(refuted);
            }
        }
    }
}

fn beside(class: usize, field: u32) -> Gate {
    Gate { class, which: Which::Beside { gate: vec![0], lock: vec![field] } }
}

/// Pawns and rooks in both orders; the king of the board is held over both nestings, as the pawn's board has it.
fn kings(second: Gate) -> LockGraph {
    let mut graph = notation::graph(
        "class pawn\n class rook\n class king\n pawn E -> rook E  Same\n rook E -> pawn E  Same",
    );
    for (nesting, evidence) in &mut graph.nestings {
        match nesting.held {
            0 => evidence.gates.held.insert(beside(2, 1)),
            _ => evidence.gates.wanted.insert(second.clone()),
        };
    }
    graph
}

#[test]
fn a_gated_circle_is_a_note_that_names_the_gate() {
    let judgement = judge(kings(beside(2, 1)), &Discipline::HIERARCHY);
    assert_eq!(judgement.verdict, Verdict::Proved);
    let [finding] = &judgement.findings[..] else { panic!("{:?}", judgement.findings) };
    assert_eq!(finding.level, Level::Note);
    assert!(finding.title.ends_with("both orders, under a gate"), "{}", finding.title);
    assert!(finding.notes.iter().any(|note| note.starts_with("a gate: `king` of one object")));
}

#[test]
fn the_gate_of_another_object_is_none() {
    for other in [beside(2, 3), Gate { class: 2, which: Which::Static("KING".to_owned()) }] {
        let judgement = judge(kings(other), &Discipline::HIERARCHY);
        assert_eq!(judgement.verdict, Verdict::Refuted(1));
    }
}

/// A thread is a gate that has no class: of two nestings of the main thread one CPU makes none.
#[test]
fn a_single_thread_is_a_gate_that_is_named() {
    let thread = |name: &str| Gate { class: THREADS, which: Which::Thread(name.to_owned()) };
    let by = |names: [&str; 2]| {
        let mut graph = without_gates(&kings(beside(2, 1)));
        for (evidence, name) in graph.nestings.values_mut().zip(names) {
            evidence.gates.held.insert(thread(name));
            evidence.gates.wanted.insert(thread(name));
        }
        graph
    };
    let graph = by(["main", "main"]);
    let judgement = judge(graph.clone(), &Discipline::HIERARCHY);
    assert_eq!(judgement.verdict, Verdict::Proved);
    let [finding] = &judgement.findings[..] else { panic!("{:?}", judgement.findings) };
    assert!(finding.title.ends_with("both orders, by a single thread"), "{}", finding.title);
    assert!(finding.notes.iter().any(|note| note.starts_with("single thread: only `main`")));
    let Decision::Proved(certificate) = decide(&graph) else { panic!("refuted") };
    let certificate = certificate_file::write(&graph, &certificate).expect("a text");
    let verified = |graph: &LockGraph| {
        certificate_file::verify(&certificate, &graph_file::write(graph).expect("a text")).is_ok()
    };
    assert!(verified(&graph));
    assert!(!verified(&by(["main", "worker"])));
    assert_eq!(judge(by(["main", "worker"]), &Discipline::HIERARCHY).verdict, Verdict::Refuted(1));
}

/// A gate that is left in one of the places where a nesting is seen gates nothing.
#[test]
fn gates_are_those_of_all_places() {
    let mut graph = kings(beside(2, 1));
    let nesting = *graph.nestings.keys().next().expect("a nesting");
    graph.add(nesting, evidence(Gates::default()));
    assert!(matches!(decide(&graph), Decision::Refuted { .. }));
}

/// Waiters with gates stand apart only if they have these gates, and holders without them have to climb from there.
#[test]
fn a_certificate_is_taken_at_its_word_about_nobody() {
    let at = |layer: usize| Position { layer, rank: 0 };
    let king = BTreeSet::from([beside(2, 1)]);
    let certificate = Certificate {
        tiers: None,
        directions: vec![Direction::None; 3],
        non_recursive: vec![at(1), at(0), at(0)],
        recursive: vec![at(0), at(0), at(0)],
        gated: vec![Gated { class: 1, recursive: false, tier: 0, gates: king.clone(), position: at(2) }],
    };
    let accepted = |of_waiters: &BTreeSet<Gate>, of_holders: &BTreeSet<Gate>| {
        let mut graph = without_gates(&kings(beside(2, 1)));
        for (nesting, evidence) in &mut graph.nestings {
            match nesting.held {
                0 => evidence.gates.wanted.clone_from(of_waiters),
                _ => evidence.gates.held.clone_from(of_holders),
            }
        }
        certificate::check(&graph, &certificate).is_ok()
    };
    let nothing = BTreeSet::new();
    assert!(accepted(&king, &king));
    assert!(!accepted(&king, &nothing));
    assert!(!accepted(&nothing, &king));
    assert!(!accepted(&king, &BTreeSet::from([beside(2, 3)])));
}

#[test]
fn a_verdict_on_files_needs_the_gates_in_them() {
    let graph = kings(beside(2, 1));
    let Decision::Proved(certificate) = decide(&graph) else { panic!("refuted") };
    let [certificate_text, graph_text, plain] = [
        certificate_file::write(&graph, &certificate),
        graph_file::write(&graph),
        graph_file::write(&without_gates(&graph)),
    ]
    .map(|text| text.expect("a text"));
    assert!(certificate_file::verify(&certificate_text, &graph_text).is_ok());
    assert!(certificate_file::verify(&certificate_text, &plain).is_err());
    insta::assert_snapshot!(format!("{certificate_text}{graph_text}"));
}
