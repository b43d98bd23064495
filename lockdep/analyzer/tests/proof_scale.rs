//! Large and unkind graphs: the decision is linear, the search for witnesses bounded, nothing recurses.

use std::num::NonZeroU8;
use std::time::Instant;

use lockdep::order::Relation;
use lockdep_analyzer::certificate::{self, Certificate};
use lockdep_analyzer::graph::{
    Class, Evidence, Gates, Held, Instances, LockGraph, Nesting, Ownership, Wanted,
};
use lockdep_analyzer::proof::{Decision, decide};

#[path = "board/referee.rs"]
mod referee;

/// A sequence that is the same everywhere: splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

fn classes(count: usize) -> LockGraph {
    let class = |number: usize| Class {
        name: format!("square{number}"),
        level: None,
        recursive: false,
        ordered: false,
        ownership: if number % 17 == 16 { Ownership::Unowned } else { Ownership::Owned },
    };
    LockGraph { classes: (0..count).map(class).collect(), ..LockGraph::default() }
}

fn add(graph: &mut LockGraph, held: usize, wanted: usize, relation: Relation, dice: &mut Dice) {
    let held_as = [Held::Exclusive, Held::Shared][dice.below(2)];
    let wanted_as = [Wanted::Exclusive, Wanted::Shared, Wanted::SharedRecursive][dice.below(3)];
    let mut nesting = Nesting { held, wanted, relation, held_as, wanted_as, instances: Instances::Any };
    nesting.relation = graph.relation(&nesting);
    graph.add(nesting, evidence(dice.below(8) == 0));
}

fn evidence(possible: bool) -> Evidence {
    let owners = (String::new(), String::new());
    Evidence { held: Vec::new(), wanted: Vec::new(), owners, possible, gates: Gates::default() }
}

/// The witnesses, checked, and how many causes have none.
fn refuted(graph: &LockGraph) -> (usize, usize) {
    let Decision::Refuted { witnesses, further } = decide(graph) else { panic!("not refuted") };
    for witness in &witnesses {
        assert_eq!(referee::check(graph, witness), Ok(()));
    }
    assert!(!witnesses.is_empty());
    (witnesses.len(), further)
}

/// Says how long it took, for whoever asks with `--release -- --nocapture`.
fn proved(graph: &LockGraph) -> Certificate {
    let begin = Instant::now();
    let Decision::Proved(certificate) = decide(graph) else { panic!("not proved") };
    let decided = begin.elapsed();
    assert_eq!(certificate::check(graph, &certificate), Ok(()));
    let (nestings, tiers) = (graph.nestings.len(), certificate.tiers);
    println!(
        "{nestings} nestings, tiers {tiers:?}: decided in {decided:?}, checked in {:?}",
        begin.elapsed() - decided
    );
    certificate
}

/// Nestings from classes to later ones.
fn large() -> LockGraph {
    let (mut graph, mut dice) = (classes(10_000), Dice(1));
    while graph.nestings.len() < 100_000 {
        let (a, b) = (dice.below(10_000), dice.below(10_000));
        let relation = Relation::ALL[dice.below(4)];
        if a != b {
            add(&mut graph, a.min(b), a.max(b), relation, &mut dice);
        }
    }
    graph
}

#[test]
fn a_hundred_thousand_nestings_are_proved() {
    proved(&large());
}

/// A ring besides, of four steps up and one to a stranger, that takes five tiers.
#[test]
fn a_hundred_thousand_nestings_are_proved_by_their_tiers() {
    for tiers in [2, 4] {
        let mut graph = large();
        graph.tiers = NonZeroU8::new(tiers);
        let first = graph.classes.len();
        graph.classes.extend(
            classes(5)
                .classes
                .into_iter()
                .map(|class| Class { name: format!("{} of the ring", class.name), ..class }),
        );
        for held in 0..5 {
            let relation = if held == 4 { Relation::Other } else { Relation::Up };
            let (held_as, wanted_as, instances) = (Held::Exclusive, Wanted::Exclusive, Instances::Any);
            let (held, wanted) = (first + held, first + (held + 1) % 5);
            graph.add(Nesting { held, wanted, relation, held_as, wanted_as, instances }, evidence(false));
        }
        assert_eq!(proved(&graph).tiers, graph.tiers);
    }
}

#[test]
fn a_hundred_thousand_nestings_without_order_are_refuted() {
    let (mut graph, mut dice) = (classes(10_000), Dice(2));
    while graph.nestings.len() < 100_000 {
        let (a, b, relation) = (dice.below(10_000), dice.below(10_000), Relation::ALL[dice.below(4)]);
        add(&mut graph, a, b, relation, &mut dice);
    }
    let (witnesses, further) = refuted(&graph);
    assert!(witnesses > 10 && witnesses <= 100, "bounded: {witnesses}");
    assert!(further > 0, "what is not shown is counted");
}

/// No stack frame per class: recursion would overflow here.
#[test]
fn a_long_chain_and_a_long_circle() {
    let (mut graph, mut dice) = (classes(0), Dice(3));
    graph.classes = classes(17).classes.into_iter().take(16).cycle().take(60_000).collect();
    for class in 1..60_000 {
        add(&mut graph, class - 1, class, Relation::Same, &mut dice);
    }
    proved(&graph);
    let writer = |held: usize, wanted: usize, relation: Relation| Nesting {
        held,
        wanted,
        relation,
        held_as: Held::Exclusive,
        wanted_as: Wanted::Exclusive,
        instances: Instances::Any,
    };
    let evidence = graph.nestings.values().next().expect("there are some").clone();
    graph.nestings = (1..3_000).map(|n| (writer(n - 1, n, Relation::Same), evidence.clone())).collect();
    graph.nestings.insert(writer(2_999, 0, Relation::Same), evidence.clone());
    assert_eq!(refuted(&graph), (1, 0));
    // Controllers all the way up, and one step down.
    graph.nestings = (1..60).map(|n| (writer(n - 1, n, Relation::Up), evidence.clone())).collect();
    graph.nestings.insert(writer(59, 0, Relation::Down), evidence);
    assert_eq!(refuted(&graph), (1, 0));
}

/// Rings whose domains are hard to merge, with every nesting in every mode: many equally short walks.
#[test]
fn rings_of_many_domains_in_every_mode() {
    for length in 2..16 {
        let mut graph = classes(length);
        graph.classes.iter_mut().for_each(|class| class.ownership = Ownership::Owned);
        for held in 0..length {
            let wanted = (held + 1) % length;
            let relation = [Relation::Up, Relation::Other, Relation::Down][held % 3];
            for dice in 0..200 {
                add(&mut graph, held, wanted, relation, &mut Dice(dice));
            }
        }
        refuted(&graph);
    }
}

/// Components of some two hundred nestings, from sparse to dense.
#[test]
fn random_components_of_two_hundred_nestings() {
    for seed in 0..20 {
        let (mut dice, squares) = (Dice(100 + seed), 8 + 4 * seed as usize);
        let mut graph = classes(squares);
        while graph.nestings.len() < 200 {
            let (a, b) = (dice.below(squares), dice.below(squares));
            let relation = Relation::ALL[[0, 0, 1, 1, 2, 3][dice.below(6)]];
            add(&mut graph, a, b, relation, &mut dice);
        }
        let first = decide(&graph);
        assert_eq!(first, decide(&graph), "the same on every run");
        refuted(&graph);
    }
}
