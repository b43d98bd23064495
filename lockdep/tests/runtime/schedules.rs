//! Schedules of circles of every sort, as text, against `schedules.txt`; `LOCKDEP_BLESS=1` writes it anew. That schedules
//! end in a deadlock is tested on thousands of programs in `ground_truth`.

use lockdep::class::Class;
use lockdep::context::{HARDIRQ, SOFTIRQ};
use lockdep::held::Mode;
use lockdep::owner::add_control;
use lockdep::{Map, Owner, OwnerId};

use crate::Desk;
use crate::reports::compare;

static PAWN: Class = Class::new("chess", "pawn", 8, 0);
static KNIGHT: Class = Class::new("chess", "knight", 16, 0);
static BISHOP: Class = Class::undeclared("bishop");
static ROOK: Class = Class::undeclared("rook");
static QUEEN: Class = Class::undeclared("queen");
const X: Mode = Mode::Exclusive;
const S: Mode = Mode::Shared;
const R: Mode = Mode::SharedRecursive;

fn nest((outer, held): (&Map, Mode), (inner, wanted): (&Map, Mode)) {
    outer.acquire(held);
    inner.acquire(wanted);
    inner.release();
    outer.release();
}

/// The last report that this makes.
fn report(desk: &Desk, make: impl FnOnce()) -> String {
    lockdep::forget();
    desk.reports();
    make();
    let reports = desk.reports();
    format!("{}\n\n", reports.last().expect("a report"))
}

#[test]
fn of_every_sort() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    let (bishop, rook) = (Map::new(&BISHOP), Map::new(&ROOK));
    let [a, b, c, stranger] = [(); 4].map(|()| Owner::register(false).expect("a free owner"));
    for (above, below) in [(&b, &a), (&c, &b)] {
        add_control(above.id(), below.id()).expect("an order");
    }
    let of = |class, owner: &Owner| Map::owned(class, owner.id());
    let mut text = report(&desk, || nest((&rook, S), (&rook, S)));
    text += &report(&desk, || {
        nest((&rook, S), (&bishop, S));
        nest((&bishop, S), (&rook, S));
    });
    text += &report(&desk, || {
        nest((&rook, X), (&bishop, R));
        nest((&bishop, X), (&rook, X));
    });
    // One way up, one down, and only the last nesting leads from the one to the other.
    text += &report(&desk, || {
        nest((&of(&ROOK, &a), X), (&of(&QUEEN, &c), R));
        nest((&of(&QUEEN, &c), X), (&of(&BISHOP, &c), X));
        nest((&of(&ROOK, &c), S), (&of(&ROOK, &b), X));
        nest((&of(&ROOK, &b), X), (&of(&BISHOP, &a), X));
        nest((&of(&BISHOP, &a), X), (&of(&ROOK, &a), X));
    });
    // What the declared order refuses: strangers, the way down, two by key.
    text += &report(&desk, || nest((&of(&KNIGHT, &a), X), (&of(&PAWN, &stranger), X)));
    text += &report(&desk, || nest((&of(&PAWN, &a), X), (&of(&KNIGHT, &stranger), X)));
    text += &report(&desk, || nest((&of(&PAWN, &b), X), (&of(&KNIGHT, &a), X)));
    let keyed = |key| Map::keyed(&PAWN, OwnerId::NOBODY, key);
    text += &report(&desk, || nest((&keyed(7), X), (&keyed(2), X)));
    // A soft interrupt holds what a hard one wants, elsewhere.
    text += &report(&desk, || {
        SOFTIRQ.disable();
        HARDIRQ.enter();
        rook.acquire(X);
        rook.release();
        HARDIRQ.exit();
        SOFTIRQ.enable();
        HARDIRQ.disable();
        nest((&rook, X), (&bishop, X));
        HARDIRQ.enable();
        SOFTIRQ.enter();
        bishop.acquire(X);
        bishop.release();
        SOFTIRQ.exit();
    });
    compare(&text, "schedules");
}
