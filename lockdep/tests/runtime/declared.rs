//! The declared order beside what was learned: a nesting that is known is not thereby in order.

use lockdep::class::Class;
use lockdep::held::{Instance, Mode};
use lockdep::hooks;
use lockdep::owner::{OwnerId, add_control};
use lockdep::report::{Attempt, Code};
use lockdep::{Map, Owner, observed};

use crate::Desk;

static PAWN: Class = Class::new("chess", "pawn", 8, 0);
static KNIGHT: Class = Class::new("chess", "knight", 16, 0);

fn nest(outer: &Map, inner: &Map) {
    outer.acquire(Mode::Exclusive);
    inner.acquire(Mode::Exclusive);
    inner.release();
    outer.release();
}

#[test]
fn a_refused_nesting_is_reported_each_time() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    for _ in 0..3 {
        nest(&Map::new(&KNIGHT), &Map::new(&PAWN));
    }
    assert_eq!(desk.codes(), [Code::OrderViolation; 3]);
}

/// To the graph both are `Other`.
#[test]
fn a_lock_of_nobody_does_not_vouch_for_a_stranger() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    let [d, e] = [(); 2].map(|()| Owner::register(false).expect("a free owner"));
    let pawn = Map::owned(&PAWN, d.id());
    nest(&pawn, &Map::new(&KNIGHT));
    nest(&pawn, &Map::new(&KNIGHT));
    assert_eq!(desk.codes(), []);
    let strange = Map::owned(&KNIGHT, e.id());
    // Alone first, so that nothing about it is new but the nesting.
    strange.acquire(Mode::Exclusive);
    strange.release();
    nest(&pawn, &strange);
    assert_eq!(desk.codes(), [Code::OrderViolation]);
}

#[test]
fn what_was_in_order_is_asked_again_under_another_discipline() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    let [d, e] = [(); 2].map(|()| Owner::register(false).expect("a free owner"));
    add_control(e.id(), d.id()).expect("an order");
    let (knight, pawn) = (Map::owned(&KNIGHT, d.id()), Map::owned(&PAWN, e.id()));
    nest(&knight, &pawn);
    nest(&knight, &pawn);
    assert_eq!(desk.codes(), []);
    lockdep::set_discipline("flat").expect("a discipline");
    nest(&knight, &pawn);
    lockdep::set_discipline("hierarchy").expect("a discipline");
    assert_eq!(desk.codes(), [Code::OrderViolation]);
}

#[test]
fn without_learning_only_the_declared_order_speaks() {
    if !lockdep::CHECKED {
        return;
    }
    static ROOK: Class = Class::undeclared("rook");
    static QUEEN: Class = Class::undeclared("queen");
    let desk = Desk::new();
    let (rook, queen) = (Map::new(&ROOK), Map::new(&QUEEN));
    lockdep::set_learning(false);
    nest(&rook, &queen);
    nest(&queen, &rook);
    nest(&Map::new(&KNIGHT), &Map::new(&PAWN));
    lockdep::set_learning(true);
    assert_eq!(desk.codes(), [Code::OrderViolation]);
}

/// What may be acquired on some path is judged like what is, and not held after.
#[test]
fn what_might_be_acquired_closes_a_circle_too() {
    if !lockdep::CHECKED {
        return;
    }
    static ROOK: Class = Class::undeclared("rook");
    static QUEEN: Class = Class::undeclared("queen");
    let desk = Desk::new();
    let (rook, queen) = (Map::new(&ROOK), Map::new(&QUEEN));
    nest(&rook, &queen);
    queen.acquire(Mode::Exclusive);
    rook.might_acquire(Mode::Exclusive);
    queen.release();
    assert_eq!(desk.codes(), [Code::LockOrderCycle]);
    lockdep::assert_none_held();
    assert_eq!(desk.codes(), []);
}

/// A known edge of a class to itself is not known to be of two instances.
#[test]
fn one_instance_twice_is_no_known_nesting_of_two() {
    if !lockdep::CHECKED {
        return;
    }
    static ROOK: Class = Class::undeclared("rook");
    let desk = Desk::new();
    let (rook, other) = (Map::new(&ROOK), Map::new(&ROOK));
    nest(&rook, &other);
    assert_eq!(desk.codes(), [Code::UnorderedInstances]);
    nest(&rook, &other);
    assert_eq!(desk.codes(), []);
    nest(&rook, &rook);
    assert_eq!(desk.codes(), [Code::Recursion]);
}

/// Above the first lock the owners differ, which the shortest look does not compare levels for.
#[test]
fn known_among_the_locks_of_one_owner_is_not_known_across() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    let [d, e] = [(); 2].map(|()| Owner::register(false).expect("a free owner"));
    let [(pawn_d, knight_d), (pawn_e, knight_e)] =
        [&d, &e].map(|owner| (Map::owned(&PAWN, owner.id()), Map::owned(&KNIGHT, owner.id())));
    for (pawn, knight) in [(&pawn_d, &knight_d), (&pawn_e, &knight_e), (&pawn_d, &knight_d)] {
        nest(pawn, knight);
    }
    assert_eq!(desk.codes(), []);
    nest(&pawn_d, &knight_e);
    assert_eq!(desk.codes(), [Code::OrderViolation]);
}

/// What was let go under a lock is an edge that the declared order was not asked about.
#[test]
fn a_nesting_known_from_a_signal_is_not_thereby_in_order() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    let pawn = Map::new(&PAWN);
    let instance =
        Instance { class: &KNIGHT, owner: OwnerId::NOBODY, key: None, reentrant: false, address: 0x1000 };
    let knight = Attempt { instance, mode: Mode::Exclusive, site: std::panic::Location::caller() };
    pawn.acquire(Mode::Exclusive);
    hooks::signals(&knight);
    pawn.release();
    assert_eq!(desk.codes(), [], "who is let go waits for whoever it likes");
    hooks::acquire(&knight);
    pawn.acquire(Mode::Exclusive);
    assert_eq!(desk.codes(), [Code::OrderViolation]);
    pawn.release();
    hooks::release(&knight);
}

/// It was reported; that it happened is no reason to report what is in order.
#[test]
fn a_refused_nesting_makes_no_circle_of_what_is_in_order() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    let (pawn, knight) = (Map::new(&PAWN), Map::new(&KNIGHT));
    nest(&knight, &pawn);
    nest(&pawn, &knight);
    nest(&knight, &pawn);
    assert_eq!(desk.codes(), [Code::OrderViolation; 2]);
    // It was observed nevertheless, once.
    let mut seen = Vec::new();
    let each = |nesting: &observed::Observed| seen.push((nesting.held.name, nesting.wanted.name));
    observed::for_each(each).expect("no handler");
    let ours = ["pawn", "knight"];
    // The others are with contexts that other tests declared.
    seen.retain(|(held, wanted)| ours.contains(held) && ours.contains(wanted));
    assert_eq!(seen, [("knight", "pawn"), ("pawn", "knight")]);
}

/// To the graph both are `Other`: that strangers were refused must not hide that locks of nobody nest so.
#[test]
fn a_refused_nesting_does_not_hide_one_in_order() {
    if !lockdep::CHECKED {
        return;
    }
    static ROOK: Class = Class::undeclared("rook");
    let desk = Desk::new();
    let [d, e] = [(); 2].map(|()| Owner::register(false).expect("a free owner"));
    let (pawn, rook) = (Map::owned(&PAWN, d.id()), Map::owned(&ROOK, d.id()));
    nest(&pawn, &Map::owned(&KNIGHT, e.id()));
    assert_eq!(desk.codes(), [Code::OrderViolation]);
    let knight = Map::new(&KNIGHT);
    nest(&pawn, &knight);
    nest(&knight, &rook);
    assert_eq!(desk.codes(), []);
    nest(&rook, &pawn);
    assert_eq!(desk.codes(), [Code::LockOrderCycle]);
}
