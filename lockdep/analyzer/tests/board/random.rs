//! Random lock graphs and certificates of three classes, for the properties of the decision.

use std::num::NonZeroU8;

use lockdep::order::Relation;
use lockdep_analyzer::certificate::{Certificate, Direction, Position};
use lockdep_analyzer::graph::{
    Class, Evidence, Gates, Held, Instances, LockGraph, Nesting, Ownership, Wanted,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// How many classes the graphs have.
pub const CLASSES: usize = 3;

fn class() -> impl Strategy<Value = Class> {
    let ownership = prop_oneof![
        6 => Just(Ownership::Owned),
        2 => Just(Ownership::Unowned),
        1 => Just(Ownership::Unknown),
    ];
    (ownership, any::<bool>(), any::<bool>()).prop_map(|(ownership, recursive, ordered)| Class {
        name: String::new(),
        level: None,
        recursive,
        ordered,
        ownership,
    })
}

/// Relations are drawn with one of them scarce or absent now and then, or nearly every graph would be refuted.
fn nesting(relations: [u32; 4]) -> impl Strategy<Value = Nesting> {
    let relation = proptest::sample::select(
        Relation::ALL.iter().zip(relations).flat_map(|(r, n)| vec![*r; n as usize]).collect::<Vec<_>>(),
    );
    let held_as = prop_oneof![Just(Held::Exclusive), Just(Held::Shared)];
    let wanted_as = prop_oneof![
        1 => Just(Wanted::Exclusive),
        1 => Just(Wanted::Shared),
        2 => Just(Wanted::SharedRecursive)
    ];
    let instances = prop_oneof![3 => Just(Instances::Any), 1 => Just(Instances::SameOne)];
    (0..CLASSES, 0..CLASSES, relation, held_as, wanted_as, instances).prop_map(
        |(held, wanted, relation, held_as, wanted_as, instances)| {
            let instances = if held == wanted { instances } else { Instances::Any };
            Nesting { held, wanted, relation, held_as, wanted_as, instances }
        },
    )
}

/// Of nestings that are drawn, not found in code.
pub fn evidence() -> Evidence {
    Evidence {
        held: Vec::new(),
        wanted: Vec::new(),
        owners: (String::new(), String::new()),
        possible: false,
        gates: Gates::default(),
    }
}

/// A graph, refuted about every second time.
pub fn graph() -> impl Strategy<Value = LockGraph> {
    let mix = prop_oneof![
        Just([4, 4, 0, 0]),
        Just([4, 0, 4, 0]),
        Just([1, 0, 0, 0]),
        Just([3, 2, 2, 0]),
        Just([4, 1, 1, 1])
    ];
    let nestings = mix.prop_flat_map(|mix| vec(nesting(mix), 0..7));
    (vec(class(), CLASSES), nestings).prop_map(|(classes, nestings)| {
        let mut graph = LockGraph { classes, ..LockGraph::default() };
        for (number, class) in graph.classes.iter_mut().enumerate() {
            class.name = format!("class{number}");
        }
        for mut nesting in nestings {
            // What the ownership of the classes leaves open, as the flow analysis would say it.
            nesting.relation = match (graph.is_unowned(nesting.held), graph.is_unowned(nesting.wanted)) {
                (true, true) => Relation::Same,
                (false, false) if nesting.instances == Instances::SameOne => Relation::Same,
                (false, false) => nesting.relation,
                _ => Relation::Other,
            };
            graph.add(nesting, evidence());
        }
        graph
    })
}

fn position() -> impl Strategy<Value = Position> {
    (0..3_usize, 0..3_usize).prop_map(|(layer, rank)| Position { layer, rank })
}

/// Any certificate, for so many tiers if a number is given.
pub fn any_certificate(tiers: Option<NonZeroU8>) -> impl Strategy<Value = Certificate> {
    let positions = CLASSES * tiers.map_or(1, |tiers| usize::from(tiers.get()));
    let direction = prop_oneof![Just(Direction::None), Just(Direction::Up), Just(Direction::Down)];
    (vec(direction, 3), vec(position(), positions), vec(position(), positions)).prop_map(
        move |(directions, non_recursive, recursive)| Certificate {
            tiers,
            directions,
            non_recursive,
            recursive,
            gated: Vec::new(),
        },
    )
}
