//! The theorem of `proof.rs` against explicit domains and locks, both ways, on random graphs.
//!
//! Why two chains of twelve domains are enough to find every deadlock of three classes: the split graph has six
//! nodes, so an `Up` and a `Down` nesting of one component lie on a closed walk of at most twelve steps, eleven of
//! them `Up`; a chain of twelve domains has room for any such walk, since `controls` is transitive and a step may
//! skip domains. A walk with `Other` in it may be walked twice, at every `Other` step changing the chain. That no
//! *other* order of domains deadlocks where these do not is tested on all orders of up to four domains.

use lockdep::order::Relation;
use lockdep_analyzer::brute_force::World;
use lockdep_analyzer::certificate::{self, Certificate, Direction, Position};
use lockdep_analyzer::graph::{LockGraph, Ownership};
use lockdep_analyzer::proof::{Decision, decide};
use lockdep_analyzer::witness::Witness;
use proptest::prelude::*;

#[path = "board/random.rs"]
mod random;
#[path = "board/referee.rs"]
mod referee;

use random::{any_certificate, graph};

fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(400), failure_persistence: None, ..default }
}

fn witnesses(graph: &LockGraph) -> Vec<Witness> {
    match decide(graph) {
        Decision::Proved(_) => Vec::new(),
        Decision::Refuted { witnesses, .. } => witnesses,
    }
}

/// The certificate with one number changed, for every change that takes a nesting's climb away.
fn spoilt(graph: &LockGraph, good: &Certificate) -> Vec<Certificate> {
    let mut bad = Vec::new();
    for nesting in graph.nestings.keys().filter(|nesting| !nesting.is_recursion()) {
        let (from, to) = (good.non_recursive[nesting.held], {
            let list = if nesting.wanted_as.is_recursive() { &good.recursive } else { &good.non_recursive };
            list[nesting.wanted]
        });
        let set_to = |position: Position| {
            let mut changed = good.clone();
            let list = if nesting.wanted_as.is_recursive() {
                &mut changed.recursive
            } else {
                &mut changed.non_recursive
            };
            list[nesting.wanted] = position;
            changed
        };
        // Moving a node to itself changes nothing.
        if nesting.held == nesting.wanted && !nesting.wanted_as.is_recursive() {
            continue;
        }
        if let Some(layer) = from.layer.checked_sub(1) {
            bad.push(set_to(Position { layer, ..to }));
        }
        let keyed = nesting.held == nesting.wanted && graph.classes[nesting.held].ordered;
        match nesting.relation {
            Relation::Same if from.layer == to.layer && !keyed => {
                bad.push(set_to(Position { rank: from.rank, ..to }))
            }
            Relation::Up | Relation::Down if from.layer == to.layer => {
                for direction in [Direction::None, Direction::Up, Direction::Down] {
                    if direction != good.directions[from.layer] {
                        let mut changed = good.clone();
                        changed.directions[from.layer] = direction;
                        bad.push(changed);
                    }
                }
            }
            _ => {}
        }
    }
    bad
}

proptest! {
    #![proptest_config(config())]

    /// Both directions at once.
    #[test]
    fn refuted_iff_domains_can_deadlock(graph in graph()) {
        let refuted = matches!(decide(&graph), Decision::Refuted { .. });
        prop_assert_eq!(refuted, World::chains(2, 12).is_deadlocked(&graph));
    }

    /// No hierarchy that the chains do not contain is worse.
    #[test]
    fn proved_means_no_order_of_four_domains_deadlocks(graph in graph()) {
        if matches!(decide(&graph), Decision::Proved(_)) {
            for world in (0..=4).flat_map(World::all) {
                prop_assert!(!world.is_deadlocked(&graph), "{:?}", world);
            }
        }
    }

    #[test]
    fn every_witness_holds_against_the_definitions(graph in graph()) {
        for witness in witnesses(&graph) {
            prop_assert_eq!(referee::check(&graph, &witness), Ok(()), "{:?}", witness);
        }
    }

    /// No deadlock has fewer CPUs than the first witness, and none with as few CPUs has fewer domains.
    #[test]
    fn the_first_witness_is_smallest(graph in graph()) {
        if let Some(first) = witnesses(&graph).first() {
            let (cpus, domains) = (first.cpus.len(), first.domains.len());
            // A class of unknown ownership has locks of nobody in these worlds, not in witnesses.
            let known = graph.classes.iter().all(|class| class.ownership != Ownership::Unknown);
            for world in (0..=4).flat_map(World::all).chain([World::chains(2, 6)]) {
                let fewer = known && world.controls.len() < domains;
                let least = world.deadlock(&graph).unwrap_or(usize::MAX);
                prop_assert!(least >= cpus + usize::from(fewer), "{} in {:?}", least, world);
            }
        }
    }

    #[test]
    fn every_refutation_has_a_witness(graph in graph()) {
        if let Decision::Refuted { witnesses, further } = decide(&graph) {
            prop_assert!(!witnesses.is_empty());
            prop_assert_eq!(further, 0);
        }
    }

    #[test]
    fn a_proof_is_accepted_and_a_spoilt_one_is_not(graph in graph()) {
        if let Decision::Proved(good) = decide(&graph) {
            prop_assert_eq!(certificate::check(&graph, &good), Ok(()));
            for bad in spoilt(&graph, &good) {
                prop_assert!(certificate::check(&graph, &bad).is_err(), "{:?} from {:?}", bad, good);
            }
        }
    }

    /// The checker alone: whatever it accepts, nothing deadlocks.
    #[test]
    fn an_accepted_certificate_means_no_deadlock(graph in graph(), certificate in any_certificate(None)) {
        if certificate::check(&graph, &certificate).is_ok() {
            prop_assert!(!World::chains(2, 12).is_deadlocked(&graph));
        }
    }
}
