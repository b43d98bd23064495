//! Circles made by hand, of sorts that are rare among random ones.

use super::*;
use crate::order::Discipline;

static CLASSES: [Class; 3] = [Class::undeclared("A"), Class::undeclared("B"), Class::undeclared("C")];
const E: Mode = Mode::Exclusive;

fn report(links: &[(usize, Mode, usize, Mode, Relation)]) -> Report {
    let here = Location::caller();
    let seen =
        |&(held, held_mode, wanted, wanted_mode, relation): &(usize, Mode, usize, Mode, Relation)| Observed {
            held: &CLASSES[held],
            held_mode,
            wanted: &CLASSES[wanted],
            wanted_mode,
            relation,
            sites: (here, here),
        };
    let mut chain = Chain::EMPTY;
    links[1..].iter().for_each(|link| chain.push(Some(seen(link))));
    let matter = Matter::Cycle { closing: seen(&links[0]), wanted: None, held: None, chain };
    Report { code: Code::LockOrderCycle, cpu: 0, discipline: &Discipline::HIERARCHY, matter }
}

#[test]
fn three_that_are_strangers_in_a_row_are_three() {
    let link = |held, wanted| (held, E, wanted, E, Relation::Other);
    let report = report(&[link(0, 1), link(1, 2), link(2, 0)]);
    let schedule = report.schedule().expect("a circle");
    assert!(schedule.parties().map(|party| party.chain).eq([0, 1, 2]));
    for actor in schedule.actors() {
        assert_ne!(actor.holds.expect("a lock").party.chain, actor.wants.party.chain);
    }
}

/// The first part of the walk ends in a recursive read of what is read: nobody waits there.
#[test]
fn what_is_kept_of_a_walk_is_strong() {
    let same = Relation::Same;
    let report = report(&[
        (0, E, 1, E, same),
        (1, Mode::Shared, 2, E, same),
        (2, E, 1, Mode::SharedRecursive, same),
        (1, E, 0, E, same),
    ]);
    let schedule = report.schedule().expect("a circle");
    let pairs =
        schedule.actors().map(|actor| (actor.holds.expect("a lock").class.name, actor.wants.class.name));
    assert!(pairs.eq([("A", "B"), ("B", "A")]));
}

#[test]
fn a_longer_chain_than_there_are_tiers_is_no_schedule() {
    let link = |held, wanted, relation| (held, E, wanted, E, relation);
    let report = report(&[link(0, 1, Relation::Up), link(1, 2, Relation::Up), link(2, 0, Relation::Down)]);
    let schedule = report.schedule().expect("a circle");
    assert!(schedule.parties().map(|party| party.height).eq([0, 1, 2]));
    assert!(schedule.fits_tiers(None) && schedule.fits_tiers(Some(3)) && !schedule.fits_tiers(Some(2)));
}
