//! Witnesses replayed: what the analyzer says of random graphs ends in a circular wait, and what does not is refused.

use std::collections::BTreeSet;
use std::num::NonZeroU8;

use lockdep::order::Relation;
use lockdep_analyzer::graph::{Gate, Held, LockGraph, Wanted, Which};
use lockdep_analyzer::proof::{Decision, decide, gated};
use lockdep_analyzer::replay::{Replay, ReplayError, replay, replay_files};
use lockdep_analyzer::witness::Witness;
use lockdep_analyzer::{graph_file, witness_file};
use proptest::prelude::*;

#[path = "board/notation.rs"]
mod notation;
#[path = "board/random.rs"]
#[expect(dead_code, reason = "no certificates here")]
mod random;

fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(200), failure_persistence: None, ..default }
}

fn witnesses(graph: &LockGraph) -> Vec<Witness> {
    match decide(graph) {
        Decision::Proved(_) => Vec::new(),
        Decision::Refuted { witnesses, .. } => witnesses,
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_witness_replays(graph in random::graph(), tiers in 0..4_u8) {
        let graph = LockGraph { tiers: NonZeroU8::new(tiers), ..graph };
        for witness in witnesses(&graph) {
            let replayed = replay(&graph, &witness);
            prop_assert!(replayed.is_ok(), "{:?}: {:?}", replayed, witness);
            let Replay { waiting, cpus, .. } = replayed.expect("just tested");
            prop_assert_eq!(cpus, witness.cpus.len());
            for (cpu, waits) in waiting[..cpus].iter().enumerate() {
                let next = &waiting[(cpu + 1) % cpus];
                prop_assert!(next.holds.contains(&waits.wants), "{:?}", waiting);
            }
        }
    }

    /// By way of the files, which say the same; and a schedule with one word changed is refused or another deadlock.
    #[test]
    fn a_changed_schedule_is_refused_or_waits(graph in random::graph(), cpu in 0..4_usize, change in 0..7_u8) {
        for witness in witnesses(&graph) {
            let files = |witness: &Witness| {
                let schedule = witness_file::write(&graph, [witness]).expect("a text");
                replay_files(&schedule, &graph_file::write(&graph).expect("a text"))
            };
            prop_assert_eq!(files(&witness).expect("a deadlock").len(), 1);
            let mut changed = witness.clone();
            let cpus = changed.cpus.len();
            let step = &mut changed.cpus[cpu % cpus];
            match change {
                0 => step.nesting.relation = Relation::ALL[(step.nesting.relation as usize + 1) % 4],
                1 => step.held_instance += 1,
                2 => step.wanted_instance += 1,
                3 => step.held_owner = None,
                4 => step.wanted_owner = step.wanted_owner.map(|owner| (owner + 1) % witness.domains.len()),
                5 => drop(changed.controls.pop()),
                _ => drop(changed.cpus.pop()),
            }
            let outcome = replay(&graph, &changed);
            // What the classes say of owners overrides what a nesting says, and a control that nobody uses may go.
            let relations = |witness: &Witness| -> Vec<Relation> {
                witness.cpus.iter().map(|step| graph.relation(&step.nesting)).collect()
            };
            let across = relations(&witness).iter().any(|relation| *relation != Relation::Same);
            let is_the_same = changed == witness
                || change == 0 && relations(&changed) == relations(&witness)
                || change == 5 && !across;
            prop_assert!(outcome.is_err() || is_the_same, "{:?} of {:?}", changed, witness);
        }
    }
}

/// Two orders of a pawn and a rook.
const BOARD: &str = "class pawn
                     class rook
                     class king
                     pawn E -> rook E  Same
                     rook E -> pawn E  Same";

fn only(graph: &LockGraph) -> Witness {
    let [witness] = &witnesses(graph)[..] else { panic!("one witness") };
    witness.clone()
}

#[test]
fn the_end_of_a_run() {
    let graph = notation::graph(BOARD);
    insta::assert_snapshot!(replay(&graph, &only(&graph)).expect("a deadlock").to_string(), @r"
    CPU 0 holds `pawn` of A
    CPU 1 holds `rook` of A
    CPU 0 waits for `rook` of A, held by CPU 1
    CPU 1 waits for `pawn` of A, held by CPU 0
    each waits for the next: CPU 0 -> CPU 1 -> CPU 0
    ");
}

/// A fair reader waits for a reader, because of a writer who came in between.
#[test]
fn a_writer_stands_between_readers() {
    let graph = notation::graph("class pawn\n class rook\n pawn S -> rook S  Same\n rook S -> pawn S  Same");
    insta::assert_snapshot!(replay(&graph, &only(&graph)).expect("a deadlock").to_string(), @r"
    CPU 0 holds `pawn` of A
    CPU 1 holds `rook` of A
    CPU 0 waits for `rook` of A, held by CPU 1
    CPU 1 waits for `pawn` of A, held by CPU 0
    CPU 2 waits for `pawn` of A, held by CPU 0 (a writer, behind whom fair readers wait)
    CPU 3 waits for `rook` of A, held by CPU 1 (a writer, behind whom fair readers wait)
    each waits for the next: CPU 0 -> CPU 1 -> CPU 0
    ");
}

#[test]
fn who_waits_for_itself_is_a_circle() {
    let graph = notation::graph("class pawn\n pawn S -> pawn E  Same, same lock");
    insta::assert_snapshot!(replay(&graph, &only(&graph)).expect("a deadlock").to_string(), @r"
    CPU 0 holds `pawn` of A
    CPU 0 waits for `pawn` of A, held by CPU 0
    each waits for the next: CPU 0 -> CPU 0
    ");
    let mut let_in = notation::graph("class pawn, recursive\n pawn E -> pawn E  Same, same lock");
    let mut witness = only(&graph);
    witness.cpus[0].nesting = *let_in.nestings.keys().next().expect("a nesting");
    let goes_on = ReplayError::GoesOn { cpu: 0, lock: "`pawn` of A".to_owned() };
    assert_eq!(replay(&let_in, &witness), Err(goes_on));
    let_in.classes[0].recursive = false;
    assert!(replay(&let_in, &witness).is_ok());
}

#[test]
fn a_gate_keeps_the_second_cpu_out() {
    let mut graph = notation::graph(BOARD);
    let ungated = only(&graph);
    let beside = |field: u32| Gate { class: 2, which: Which::Beside { gate: vec![0], lock: vec![field] } };
    for (nesting, evidence) in &mut graph.nestings {
        match nesting.held {
            0 => evidence.gates.held.insert(beside(1)),
            _ => evidence.gates.wanted.insert(beside(1)),
        };
    }
    let [witness] = &gated(&graph)[..] else { panic!("one gated circle") };
    assert_eq!(*witness, ungated);
    let kept_out = ReplayError::KeptOut { cpu: 1, lock: "`king` beside `pawn` of A".to_owned(), holder: 0 };
    assert_eq!(replay(&graph, witness), Err(kept_out));
    // Gates of different objects keep nobody apart.
    for evidence in graph.nestings.values_mut() {
        evidence.gates.wanted = BTreeSet::new();
    }
    assert!(replay(&graph, witness).is_ok());
}

/// What is written by hand.
#[test]
fn each_refusal_says_why() {
    let graph = notation::graph(BOARD);
    let good = only(&graph);
    let refusal = |change: &dyn Fn(&mut Witness)| {
        let mut witness = good.clone();
        change(&mut witness);
        replay(&graph, &witness).expect_err("a refusal").to_string()
    };
    assert_eq!(refusal(&|witness| witness.cpus.clear()), "the schedule has no CPU");
    assert_eq!(
        refusal(&|witness| witness.cpus[1].nesting.held_as = Held::Shared),
        "CPU 1 makes a nesting that the graph does not have"
    );
    assert_eq!(refusal(&|witness| witness.controls.push((0, 0))), "domain `A` controls itself");
    assert_eq!(
        refusal(&|witness| witness.cpus[0].held_owner = None),
        "CPU 0 makes a nesting of `Same`, and its owners are `Other`"
    );
    assert_eq!(
        refusal(&|witness| witness.cpus[1].held_instance = 1),
        "CPU 0 does not wait for `rook` of A: it gets it"
    );
    assert_eq!(
        refusal(&|witness| witness.cpus[1] = witness.cpus[0]),
        "CPU 1 never comes to hold `pawn` of A, since CPU 0 does"
    );
    let chain = |witness: &mut Witness| {
        witness.domains = ["A", "B", "C"].map(str::to_owned).to_vec();
        witness.controls = vec![(0, 1), (1, 2)];
    };
    let few = LockGraph { tiers: NonZeroU8::new(2), ..graph.clone() };
    let mut witness = good.clone();
    chain(&mut witness);
    assert!(replay(&graph, &witness).is_ok(), "nobody minds domains that do nothing");
    let deep = replay(&few, &witness).expect_err("a refusal").to_string();
    assert_eq!(deep, "3 domains control each other in a chain, and the graph allows 2");
    let pages = notation::graph(
        "class page, unowned\n class clock, unowned\n page E -> clock E  Same\n clock E -> page E  Same",
    );
    let mut witness = only(&pages);
    witness.domains = vec!["A".to_owned()];
    for step in &mut witness.cpus {
        (step.held_owner, step.wanted_owner) = (Some(0), Some(0));
    }
    let nobodys = ReplayError::Nobodys { cpu: 0, class: "page".to_owned() };
    assert_eq!(replay(&pages, &witness), Err(nobodys));
    // Three CPUs of which the first waits for the third.
    let three = notation::graph(
        "class pawn\n class rook\n class king\n pawn E -> rook E  Same\n rook E -> king E  Same\n king E -> pawn E  Same",
    );
    let mut witness = only(&three);
    witness.cpus.swap(1, 2);
    assert_eq!(replay(&three, &witness), Err(ReplayError::NoCircle(0)));
}

#[test]
fn damaged_files_are_refused() {
    let graph = notation::graph(BOARD);
    let (schedule, file) = (
        witness_file::write(&graph, [&only(&graph)]).expect("a text"),
        graph_file::write(&graph).expect("a text"),
    );
    let complaint = |schedule: &str| replay_files(schedule, &file).expect_err("a refusal").to_string();
    assert_eq!(
        complaint(&schedule.replace("\"held\": \"rook\"", "\"held\": \"tower\"")),
        "schedule 1 names class `tower`, which the graph does not have"
    );
    assert_eq!(
        complaint(&schedule.replacen("_owner\": \"A\"", "_owner\": \"B\"", 1)),
        "schedule 1 names domain `B`, which it does not list"
    );
    assert_eq!(
        complaint(&schedule.replace("      \"A\"\n", "\"A\", \"A\"\n")),
        "schedule 1 lists domain `A` twice"
    );
    assert_eq!(
        complaint(&schedule.replace("witness-1", "witness-2")),
        "not a witness file: `format` is `lockdep-witness-2`, not `lockdep-witness-1`"
    );
    let empty = "{\"format\": \"lockdep-witness-1\", \"schedules\": []}";
    assert_eq!(complaint(empty), "the witness file has no schedule");
    assert!(complaint(&file).starts_with("not a witness file: unknown field"));
    let nothing = replay_files(&schedule, "{}").expect_err("a refusal").to_string();
    assert!(nothing.starts_with("not a graph file: "), "{nothing}");
    for at in 0..schedule.len() - 1 {
        assert!(replay_files(&schedule[..at], &file).is_err(), "cut at {at}");
    }
    let second = only(&graph);
    let mut bad = second.clone();
    bad.cpus[0].nesting.wanted_as = Wanted::Shared;
    let two = witness_file::write(&graph, [&second, &bad]).expect("a text");
    assert_eq!(complaint(&two), "schedule 2: CPU 0 makes a nesting that the graph does not have");
}
