//! Bounded hierarchies: the decision with at most *k* tiers of domains against explicit domains, both ways.
//!
//! Two chains of *k* domains have every deadlock that *k* tiers allow: a closed walk of the split graph through the tiers
//! stays in one chain until a stranger, where it changes to the other, and walked twice it comes back to the first. That
//! no other order within the bound deadlocks where these do not is tested on all orders of up to four domains.

use std::num::NonZeroU8;

use lockdep::order::Relation;
use lockdep_analyzer::brute_force::{World, search};
use lockdep_analyzer::certificate::{self, Certificate, Fault, Position};
use lockdep_analyzer::certificate_file::{self, VerifyError};
use lockdep_analyzer::graph::{Held, Instances, LockGraph, Nesting, Ownership, Wanted};
use lockdep_analyzer::graph_file;
use lockdep_analyzer::proof::{Decision, decide};
use lockdep_analyzer::witness::Witness;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

#[path = "board/notation.rs"]
mod notation;
#[path = "board/random.rs"]
mod random;
#[path = "board/referee.rs"]
mod referee;

use random::any_certificate;

fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(400), failure_persistence: None, ..default }
}

fn bound() -> impl Strategy<Value = NonZeroU8> {
    prop_oneof![1 => Just(1_u8), 4 => Just(2), 1 => Just(3)]
        .prop_map(|tiers| NonZeroU8::new(tiers).expect("not 0"))
}

/// Often with a ring through all classes and little else: of such graphs the bound decides many.
fn graph() -> impl Strategy<Value = LockGraph> {
    let ring = proptest::option::of(proptest::array::uniform3(relation()));
    (random::graph(), bound(), ring).prop_map(|(mut graph, tiers, ring)| {
        if let Some(relations) = ring {
            graph.nestings = graph.nestings.into_iter().take(1).collect();
            for (held, relation) in relations.into_iter().enumerate() {
                graph.classes[held].ownership = Ownership::Owned;
                let wanted = (held + 1) % relations.len();
                let (held_as, wanted_as, instances) = (Held::Exclusive, Wanted::Shared, Instances::Any);
                let nesting = Nesting { held, wanted, relation, held_as, wanted_as, instances };
                graph.add(nesting, random::evidence());
            }
        }
        LockGraph { tiers: Some(tiers), ..graph }
    })
}

fn relation() -> impl Strategy<Value = Relation> {
    prop_oneof![3 => Just(Relation::Up), 1 => Just(Relation::Down), 1 => Just(Relation::Other)]
}

fn unbounded(graph: &LockGraph) -> LockGraph {
    LockGraph { tiers: None, ..graph.clone() }
}

fn is_refuted(graph: &LockGraph) -> bool {
    matches!(decide(graph), Decision::Refuted { .. })
}

fn tiers(graph: &LockGraph) -> usize {
    graph.tiers.map_or(usize::MAX, |tiers| tiers.get().into())
}

fn deepest(graph: &LockGraph) -> World {
    World::chains(2, tiers(graph))
}

fn witnesses(graph: &LockGraph) -> Vec<Witness> {
    match decide(graph) {
        Decision::Proved(_) => Vec::new(),
        Decision::Refuted { witnesses, .. } => witnesses,
    }
}

/// The hierarchy of a witness.
fn hierarchy(witness: &Witness) -> World {
    let domains = 0..witness.domains.len();
    let mut controls: Vec<Vec<bool>> = domains
        .clone()
        .map(|upper| domains.clone().map(|lower| witness.controls.contains(&(upper, lower))).collect())
        .collect();
    for middle in domains.clone() {
        for (upper, lower) in
            domains.clone().flat_map(|upper| domains.clone().map(move |lower| (upper, lower)))
        {
            controls[upper][lower] |= controls[upper][middle] && controls[middle][lower];
        }
    }
    World { controls }
}

proptest! {
    #![proptest_config(config())]

    /// Both directions at once.
    #[test]
    fn refuted_iff_so_many_tiers_can_deadlock(graph in graph()) {
        prop_assert_eq!(is_refuted(&graph), deepest(&graph).is_deadlocked(&graph));
    }

    /// No hierarchy within the bound that the chains do not contain is worse.
    #[test]
    fn proved_means_no_order_within_the_bound_deadlocks(graph in graph()) {
        if !is_refuted(&graph) {
            for world in (0..=4).flat_map(World::all).filter(|world| world.tiers() <= tiers(&graph)) {
                prop_assert!(!world.is_deadlocked(&graph), "{:?}", world);
            }
        }
    }

    /// A closed walk through an `Up` and a `Down` nesting has twelve steps at most, so thirteen tiers are no bound.
    #[test]
    fn a_wide_bound_is_none(graph in random::graph()) {
        let bounded = LockGraph { tiers: NonZeroU8::new(13), ..graph.clone() };
        prop_assert_eq!(is_refuted(&bounded), is_refuted(&graph));
    }

    #[test]
    fn every_witness_holds_and_stays_within_the_bound(graph in graph()) {
        if let Decision::Refuted { witnesses, further } = decide(&graph) {
            prop_assert!(!witnesses.is_empty());
            prop_assert_eq!(further, 0);
            for witness in witnesses {
                prop_assert_eq!(referee::check(&graph, &witness), Ok(()), "{:?}", witness);
                let deep = hierarchy(&witness).tiers();
                prop_assert!(deep <= tiers(&graph), "{:?}", witness);
                prop_assert_eq!(deep, witness.tiers());
            }
        }
    }

    /// No deadlock within the bound has fewer CPUs than the first witness, and none with as few has fewer domains.
    #[test]
    fn the_first_witness_is_smallest(graph in graph()) {
        if let Some(first) = witnesses(&graph).first() {
            let (cpus, domains) = (first.cpus.len(), first.domains.len());
            let known = graph.classes.iter().all(|class| class.ownership != Ownership::Unknown);
            let within = (0..=4).flat_map(World::all).filter(|world| world.tiers() <= tiers(&graph));
            for world in within.chain([deepest(&graph)]) {
                let fewer = known && world.controls.len() < domains;
                let least = world.deadlock(&graph).unwrap_or(usize::MAX);
                prop_assert!(least >= cpus + usize::from(fewer), "{} in {:?}", least, world);
            }
        }
    }

    /// The bound is in the certificate iff there is no proof without, and such a certificate is for that bound.
    #[test]
    fn a_proof_says_whether_it_rests_on_the_bound(graph in graph()) {
        if let Decision::Proved(good) = decide(&graph) {
            prop_assert_eq!(good.tiers, graph.tiers.filter(|_| is_refuted(&unbounded(&graph))));
            prop_assert_eq!(certificate::check(&graph, &good), Ok(()));
            let certificate = certificate_file::write(&graph, &good).expect("a text");
            let verified = |graph: &LockGraph| {
                certificate_file::verify(&certificate, &graph_file::write(graph).expect("a text"))
            };
            prop_assert_eq!(verified(&graph).expect("a proof").tiers, good.tiers);
            let one_more = graph.tiers.and_then(|tiers| tiers.checked_add(1));
            for wider in [None, one_more] {
                let refusal = verified(&LockGraph { tiers: wider, ..graph.clone() });
                let refused = matches!(refusal, Err(VerifyError::Fault(Fault::Tiers { graph, .. })) if graph == wider);
                prop_assert_eq!(refused, good.tiers.is_some());
            }
            let narrower = LockGraph { tiers: NonZeroU8::new(1), ..graph.clone() };
            prop_assert!(verified(&narrower).is_ok());
        }
    }

    /// The checker alone: whatever it accepts, nothing deadlocks.
    #[test]
    fn an_accepted_certificate_means_no_deadlock(
        (certificate, graph) in (bound(), graph()).prop_flat_map(|(tiers, graph)| {
            (any_certificate(Some(tiers)), Just(LockGraph { tiers: Some(tiers), ..graph }))
        })
    ) {
        if certificate::check(&graph, &certificate).is_ok() {
            prop_assert!(!deepest(&graph).is_deadlocked(&graph));
        }
    }

    /// With a nesting's climb between two tiers taken away, a certificate is refused.
    #[test]
    fn a_spoilt_proof_is_refused(graph in graph()) {
        if let Decision::Proved(good) = decide(&graph) {
            for bad in spoilt(&graph, &good) {
                prop_assert!(certificate::check(&graph, &bad).is_err(), "{:?} from {:?}", bad, good);
            }
        }
    }
}

/// The certificate with the wanted lock's place moved down to the held one's, for each nesting and each two tiers in which
/// its owners can be.
fn spoilt(graph: &LockGraph, good: &Certificate) -> Vec<Certificate> {
    let told_apart = good.nr_tiers();
    let world = World::chains(2, tiers(graph));
    let mut bad = Vec::new();
    for (nesting, held, wanted) in
        world.steps(graph).into_iter().filter(|(nesting, ..)| !nesting.is_recursion())
    {
        let at = |class: usize, owner: Option<usize>| {
            class * told_apart
                + owner.map_or(0, |domain| domain % told_apart * usize::from(good.tiers.is_some()))
        };
        let (from, to) = (at(held.0, held.1), at(wanted.0, wanted.1));
        let recursive = nesting.wanted_as.is_recursive();
        let place = good.non_recursive[from];
        // Moving a node to itself changes nothing.
        if from == to && !recursive {
            continue;
        }
        let keyed = nesting.held == nesting.wanted && graph.classes[nesting.held].ordered;
        let same = nesting.relation == Relation::Same && !keyed;
        let lower = place.layer.checked_sub(1).map(|layer| Position { layer, rank: usize::MAX });
        for position in lower.into_iter().chain(same.then_some(place)) {
            let mut changed = good.clone();
            let list = if recursive { &mut changed.recursive } else { &mut changed.non_recursive };
            list[to] = position;
            bad.push(changed);
        }
    }
    bad
}

/// Three tiers close the circle, two do not: under the pawn of a domain the rook of its controller, under that the queen
/// of the controller's controller, and from there by way of a page of nobody back to a pawn.
const BOARD: &str = "class pawn
                     class rook
                     class queen
                     class page, unowned
                     pawn E -> rook E  Up
                     rook E -> queen E  Up
                     queen E -> page E  Other
                     page E -> pawn E  Other";

fn board(tiers: Option<u8>) -> LockGraph {
    LockGraph { tiers: tiers.and_then(NonZeroU8::new), ..notation::graph(BOARD) }
}

#[test]
fn two_tiers_prove_what_three_refute() {
    for tiers in [None, Some(3), Some(4)] {
        let [witness] = &witnesses(&board(tiers))[..] else { panic!("one circle") };
        assert_eq!((witness.cpus.len(), witness.domains.len(), hierarchy(witness).tiers()), (4, 3, 3));
    }
    for tiers in [1, 2] {
        let graph = board(Some(tiers));
        let Decision::Proved(certificate) = decide(&graph) else { panic!("refuted with {tiers}") };
        assert_eq!(certificate.tiers, graph.tiers);
    }
}

/// Explicit locks say the same, in as many domains as it takes.
#[test]
fn a_search_finds_what_it_takes() {
    assert_eq!(search(&board(None), 3), Err(4));
    assert_eq!(search(&board(Some(3)), 4), Err(4));
    // None, one, two apart or one above the other; of three no chain.
    assert_eq!(search(&board(None), 2), Ok(1 + 1 + 2));
    assert_eq!(search(&board(Some(2)), 3), Ok(1 + 1 + 2 + 6));
}

/// Three steps lead back to the first lock, and with two tiers to the other tier of it: so it takes three more.
#[test]
fn a_walk_returns_to_the_tier_where_it_began() {
    let mut board = "class pawn\n class rook\n class queen\n".to_owned();
    for (held, wanted) in [("pawn", "rook"), ("rook", "queen"), ("queen", "pawn")] {
        board += &format!("{held} E -> {wanted} E  Up\n {held} E -> {wanted} E  Down\n");
    }
    let cpus = |tiers: Option<u8>| {
        let graph = LockGraph { tiers: tiers.and_then(NonZeroU8::new), ..notation::graph(&board) };
        let first = witnesses(&graph)[0].clone();
        assert_eq!(referee::check(&graph, &first), Ok(()));
        assert!(hierarchy(&first).tiers() <= tiers.map_or(usize::MAX, usize::from));
        first.cpus.len()
    };
    assert_eq!([None, Some(3), Some(2)].map(cpus), [3, 3, 6]);
}

#[test]
fn the_files_of_two_tiers() {
    let graph = board(Some(2));
    let Decision::Proved(certificate) = decide(&graph) else { panic!("refuted") };
    let certificate = certificate_file::write(&graph, &certificate).expect("a text");
    let file = graph_file::write(&graph).expect("a text");
    let complaint = |certificate: &str, graph: &str| {
        certificate_file::verify(certificate, graph).expect_err("no proof").to_string()
    };
    assert_eq!(
        complaint(&certificate, &file.replace("\"tiers\": 2", "\"tiers\": 3")),
        "certificate for 2 tiers of domains, and the graph may have 3"
    );
    assert_eq!(
        complaint(&certificate, &file.replace("  \"tiers\": 2,\n", "")),
        "certificate for 2 tiers of domains, and the graph may have any number"
    );
    assert_eq!(
        complaint(&certificate.replace("\"tier\": 1", "\"tier\": 2"), &file),
        "the certificate places class `pawn` in tier 2, but has only 2 tiers"
    );
    assert_eq!(
        complaint(&certificate.replace("      \"tier\": 1,\n", ""), &file),
        "the certificate places class `pawn` twice"
    );
    assert_eq!(
        complaint(&certificate.replace("\"tiers\": 2", "\"tiers\": 3"), &file),
        "the certificate does not place class `pawn`"
    );
    let bounds = ["\"tiers\": 0", "\"tiers\": -1", "\"tiers\": 256", "\"tiers\": \"2\""];
    for wrong in bounds {
        assert!(
            complaint(&certificate.replace("\"tiers\": 2", wrong), &file)
                .starts_with("not a certificate file")
        );
        assert!(
            complaint(&certificate, &file.replace("\"tiers\": 2", wrong)).starts_with("not a graph file")
        );
    }
    let relation = file.replacen("\"relation\": \"Up\"", "\"relation\": \"Other\"", 1);
    let refusal = complaint(&certificate, &relation);
    assert!(
        refusal.starts_with("certificate does not cover `pawn` -> `rook` (Other): from layer "),
        "{refusal}"
    );
    assert!(
        refusal.ends_with(", from tier 0 to tier 0") || refusal.ends_with(", from tier 1 to tier 0"),
        "{refusal}"
    );
    insta::assert_snapshot!(format!("{certificate}{file}"));
}

/// Without this, the properties above could be about graphs to which the bound is all the same.
#[test]
fn the_bound_decides_some_of_the_random_graphs() {
    let mut runner = TestRunner::deterministic();
    let strategy = graph();
    let decides = |graph: &LockGraph| !is_refuted(graph) && is_refuted(&unbounded(graph));
    let count =
        (0..1000).filter(|_| decides(&strategy.new_tree(&mut runner).expect("a graph").current())).count();
    assert!(count > 100, "{count} of 1000");
}
