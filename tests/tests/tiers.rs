//! Few tiers of domains at run time: what is declared, what is then refused, and what is no circle any more.
//!
//! The bound is the process's, and is lowered only; so these tests are a process of their own. What the learned graph makes
//! of random nestings is compared with the analyzer's decision.

use std::collections::BTreeSet;
use std::num::NonZeroU8;

use lockdep::class::Class;
use lockdep::held::Mode;
use lockdep::owner::{OwnerError, add_control, limit_tiers, relation, tiers};
use lockdep::report::{Code, Matter};
use lockdep::{Map, Owner, Report, lock_order, lock_owner, mm_locks, operation};
use lockdep_analyzer::graph::{Evidence, Gates, Held, Instances, LockGraph, Nesting, Ownership, Wanted};
use lockdep_analyzer::proof::{Decision, decide};
use lockdep_tests::alone::Alone;
use lockdep_tests::dice::Dice;

lock_order! {
    /// The pieces on the way round the board.
    pub order Board {
        /// Under it, anything of a domain above.
        pawn = 8;
        /// The same, one step higher.
        rook = 16;
        /// And one more.
        queen = 24;
        /// Nobody's.
        clock = 32;
        /// Where the way ends, and began.
        king = 64;
    }
    /// A pupil has one master, who has none.
    roles { pupil < master; tiers = 2 }
}

type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;

#[lock_owner]
#[mm_locks]
struct Player {
    #[owner]
    owner: Owner,
    #[mm_lock(order = pawn)]
    pawn: Mutex<()>,
}

impl Player {
    fn new() -> Player {
        let owner = Owner::register(false).expect("a free owner");
        let pawn = Mutex::owned(owner.id(), ());
        Player { owner, pawn }
    }
}

#[operation(order = crate::board)]
fn teach(#[role(pupil)] pupil: board::Pupil<'_, Player>, #[role(master)] _master: board::Master<'_, Player>) {
    drop(pupil.pawn.lock());
}

fn controls(upper: &Player, lower: &Player) -> Result<(), OwnerError> {
    add_control(upper.owner.id(), lower.owner.id())
}

#[test]
fn the_first_operation_sets_the_bound_and_controls_stays_within_it() {
    if !lockdep::CHECKED {
        return;
    }
    let alone = Alone::collecting();
    let [low, middle, high, aside] = [(); 4].map(|()| Player::new());
    controls(&middle, &low).expect("the first step");
    assert_eq!(tiers(), None);
    teach(board::Pupil::new(&low), board::Master::new(&middle));
    assert_eq!((alone.codes(), tiers()), (vec![], Some(2)));
    assert_eq!(controls(&high, &middle), Err(OwnerError::Deep), "above the top");
    assert_eq!(controls(&low, &aside), Err(OwnerError::Deep), "below the bottom");
    controls(&high, &low).expect("beside the middle");
    controls(&high, &aside).expect("a second pupil");
    assert_eq!(controls(&middle, &high), Err(OwnerError::Deep), "two chains of two");
    assert_eq!(controls(&low, &middle), Err(OwnerError::Cycle));
    drop(low);
    controls(&high, &middle).expect("the one below the middle is gone");
    assert!(alone.reports().is_empty());
}

#[test]
fn an_operation_in_a_deeper_hierarchy_is_reported() {
    if !lockdep::CHECKED {
        return;
    }
    let alone = Alone::collecting();
    let [low, middle, high] = [(); 3].map(|()| Player::new());
    controls(&middle, &low).expect("the first step");
    controls(&high, &middle).expect("nobody has set a bound");
    teach(board::Pupil::new(&low), board::Master::new(&middle));
    let reports = alone.reports();
    let [Report { code: Code::TiersExceeded, matter: Matter::Tiers { tiers: 2, site }, .. }] = reports[..]
    else {
        panic!("{reports:?}")
    };
    assert!(site.file().ends_with("tiers.rs"), "{site}");
    assert_eq!(tiers(), None, "a bound that does not hold is none");
}

#[test]
fn of_several_bounds_the_lowest_counts() {
    let _alone = Alone::collecting();
    let [a, b, c, d] = [(); 4].map(|()| Player::new());
    limit_tiers(3).expect("all are apart");
    limit_tiers(200).expect("a higher one is met already");
    assert_eq!(tiers(), Some(3));
    controls(&b, &a).and_then(|()| controls(&c, &b)).expect("three in a chain");
    assert_eq!(controls(&d, &c), Err(OwnerError::Deep));
    assert_eq!(limit_tiers(2), Err(OwnerError::Deep));
    assert_eq!(tiers(), Some(3));
    drop(b);
    limit_tiers(2).expect("the closure is kept: the one above still controls the one below");
    assert_eq!(controls(&a, &d), Err(OwnerError::Deep));
}

fn nest(outer: &Map, inner: &Map) {
    outer.acquire(Mode::Exclusive);
    inner.acquire(Mode::Exclusive);
    inner.release();
    outer.release();
}

/// The classes close a circle in three tiers, which the locks of two domains that are seen alone do not need.
#[test]
fn a_walk_of_three_tiers_is_no_circle_of_two() {
    if !lockdep::CHECKED {
        return;
    }
    let alone = Alone::collecting();
    let [a, b, c, d] = [(); 4].map(|()| Player::new());
    controls(&b, &a).and_then(|()| controls(&d, &c)).expect("two chains of two");
    // Each step up is in a chain of its own.
    let steps = |bound: Option<u8>| {
        lockdep::forget();
        if let Some(bound) = bound {
            limit_tiers(bound).expect("no chain is longer");
        }
        let of = |class: usize, player: &Player| Map::owned(board::classes()[class], player.owner.id());
        let clock = Map::new(board::classes()[3]);
        nest(&of(4, &a), &of(1, &b));
        nest(&of(1, &c), &of(0, &d));
        nest(&of(0, &d), &clock);
        nest(&clock, &of(4, &a));
        alone.codes()
    };
    assert_eq!(steps(None), [Code::LockOrderCycle]);
    assert_eq!(steps(Some(2)), []);
    assert_eq!(steps(Some(3)), [Code::LockOrderCycle]);
    assert_eq!(steps(Some(200)), [Code::LockOrderCycle], "too many to be told apart");
}

/// Four classes; the locks of the last belong to nobody.
const CLASSES: usize = 4;

/// A class and an owner by number.
type Lock = (usize, Option<usize>);

fn evidence() -> Evidence {
    let owners = (String::new(), String::new());
    Evidence { held: Vec::new(), wanted: Vec::new(), owners, possible: false, gates: Gates::default() }
}

/// Nestings of locks of two chains of owners, in random order: the graph refuses one iff the analyzer refutes those that
/// were accepted together with it.
#[test]
fn the_learned_graph_refuses_what_the_analyzer_refutes() {
    if !lockdep::CHECKED {
        return;
    }
    let alone = Alone::collecting();
    let classes: [&'static Class; CLASSES] =
        ["bishop", "knight", "castle", "board"].map(|name| &*Box::leak(Box::new(Class::undeclared(name))));
    let (mut refused, mut by_bound) = (0, 0);
    for number in 0..1000 {
        lockdep::forget();
        let mut dice = Dice::new(number);
        let most: usize = dice.pick(&[1, 2, 2, 3, 4]);
        let owners: Vec<Owner> =
            (0..2 * most).map(|_| Owner::register(false).expect("a free owner")).collect();
        for upper in (0..owners.len()).filter(|owner| owner % most > 0) {
            add_control(owners[upper].id(), owners[upper - 1].id()).expect("two chains");
        }
        limit_tiers(most as u8).expect("no chain is longer");
        let class = |number: usize| lockdep_analyzer::graph::Class {
            name: classes[number].name.to_owned(),
            level: None,
            recursive: false,
            ordered: false,
            ownership: if number == CLASSES - 1 { Ownership::Unowned } else { Ownership::Owned },
        };
        let tiers = NonZeroU8::new(most as u8);
        let mut graph =
            LockGraph { classes: (0..CLASSES).map(class).collect(), tiers, ..LockGraph::default() };
        let mut seen = BTreeSet::new();
        for _ in 0..16 {
            let mut lock = || -> Lock {
                let class = dice.below(CLASSES as u64) as usize;
                (class, (class < CLASSES - 1).then(|| dice.below(owners.len() as u64) as usize))
            };
            let (held, wanted) = (lock(), lock());
            let held_as = dice.pick(&[Held::Exclusive, Held::Exclusive, Held::Shared]);
            let wanted_as = dice.pick(&[Wanted::Exclusive, Wanted::Shared, Wanted::SharedRecursive]);
            let id =
                |owner: Option<usize>| owner.map_or(lockdep::OwnerId::NOBODY, |owner| owners[owner].id());
            let nesting = Nesting {
                held: held.0,
                wanted: wanted.0,
                relation: relation(id(held.1), id(wanted.1)),
                held_as,
                wanted_as,
                instances: Instances::Any,
            };
            // Two locks of one class and owner are another question; a fair reader waits like a writer, and is known then.
            let known = (held.0, wanted.0, nesting.relation, held_as, wanted_as.is_recursive());
            if held == wanted || !seen.insert(known) {
                continue;
            }
            let map = |(class, owner): Lock| Map::owned(classes[class], id(owner));
            let (outer, inner) = (map(held), map(wanted));
            outer.acquire(if held_as == Held::Exclusive { Mode::Exclusive } else { Mode::Shared });
            inner.acquire(match wanted_as {
                Wanted::Exclusive => Mode::Exclusive,
                Wanted::Shared => Mode::Shared,
                Wanted::SharedRecursive => Mode::SharedRecursive,
            });
            inner.release();
            outer.release();
            let codes = alone.codes();
            let mut more = graph.clone();
            more.add(nesting, evidence());
            let is_refuted = |graph: &LockGraph| matches!(decide(graph), Decision::Refuted { .. });
            let is_refused = codes == [Code::LockOrderCycle];
            assert!(is_refused || codes.is_empty(), "{codes:?}");
            assert_eq!(is_refused, is_refuted(&more), "{number}: {nesting:?} with {most} tiers");
            refused += usize::from(is_refused);
            by_bound += usize::from(!is_refused && is_refuted(&LockGraph { tiers: None, ..more.clone() }));
            if !is_refused {
                graph = more;
            }
        }
    }
    assert!(refused > 1000 && by_bound > 25, "{refused} refused, {by_bound} accepted for the bound alone");
}
