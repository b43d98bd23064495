//! Few tiers of domains at run time: what is declared, what is then refused, and what is no circle any more.
//!
//! The bound is the process's, and is lowered only; so these tests are a process of their own.

use lockdep::owner::{OwnerError, add_control, limit_tiers, tiers};
use lockdep::report::{Code, Matter};
use lockdep::{Map, Owner, Report, lock_order, lock_owner, mm_locks, operation};
use lockdep_tests::alone::Alone;

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
    outer.acquire(lockdep::held::Mode::Exclusive);
    inner.acquire(lockdep::held::Mode::Exclusive);
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
