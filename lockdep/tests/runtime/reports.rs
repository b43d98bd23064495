//! One report of every code, as text, against `reports.txt`. `LOCKDEP_BLESS=1` writes the file anew.

use std::path::Path;

use lockdep::class::Class;
use lockdep::context::HARDIRQ;
use lockdep::held::Mode;
use lockdep::observed::MAX_REFUSED;
use lockdep::owner::add_control;
use lockdep::report::Code;
use lockdep::wait::Wait;
use lockdep::{InRole, LockOwner, Map, Owner, OwnerId};

use crate::Desk;

static PAWN: Class = Class::new("chess", "pawn", 8, 0);
static KNIGHT: Class = Class::new("chess", "knight", 16, 0);
static BISHOP: Class = Class::undeclared("bishop");
static ROOK: Class = Class::undeclared("rook");
static QUEEN: Class = Class::undeclared("queen").waiting(Wait::Sleep, Wait::Sleep);
static KING: Class = Class::undeclared("king").waiting(Wait::Spin, Wait::Spin);
const X: Mode = Mode::Exclusive;

/// Named roles, as `lock_order!` makes them.
enum Low {}
enum High {}

impl lockdep::__private::RoleName for Low {
    const NAME: &'static str = "subject";
}

impl lockdep::__private::RoleName for High {
    const NAME: &'static str = "control";
}

struct Player(OwnerId);

impl LockOwner for Player {
    fn owner_id(&self) -> OwnerId {
        self.0
    }
}

fn nest(outer: &Map, inner: &Map) {
    outer.acquire(X);
    inner.acquire(X);
    inner.release();
    outer.release();
}

/// Makes a report of this code, and others on the way if it must.
fn provoke(code: Code) {
    let map = |class| Map::new(class);
    let (bishop, rook, queen, king) = (map(&BISHOP), map(&ROOK), map(&QUEEN), map(&KING));
    match code {
        Code::OrderViolation => nest(&map(&KNIGHT), &map(&PAWN)),
        Code::Recursion => nest(&rook, &rook),
        Code::RoleUnfounded => {
            let (low, high) = (Player(OwnerId::NOBODY), Player(OwnerId::NOBODY));
            let low = InRole::<_, lockdep::__private::RoleAt<Low, 0>>::new(&low);
            let high = InRole::<_, lockdep::__private::RoleAt<High, 1>>::new(&high);
            lockdep::__private::enter_operation(&low, &high);
        }
        Code::TiersExceeded => {
            let [low, middle, high] = [(); 3].map(|()| Owner::register(false).expect("a free owner"));
            add_control(middle.id(), low.id()).expect("no cycle");
            add_control(high.id(), middle.id()).expect("no cycle");
            let (low, high) = (Player(low.id()), Player(high.id()));
            let low = InRole::<_, lockdep::__private::RoleAt<Low, 0, 2>>::new(&low);
            let high = InRole::<_, lockdep::__private::RoleAt<High, 1, 2>>::new(&high);
            lockdep::__private::enter_operation(&low, &high);
        }
        Code::NotHeld => rook.release(),
        Code::LockOrderCycle => {
            let [d, e] = [(); 2].map(|()| Owner::register(false).expect("a free owner"));
            let of = |class, owner: &Owner| Map::owned(class, owner.id());
            nest(&of(&BISHOP, &d), &of(&ROOK, &d));
            nest(&of(&ROOK, &d), &of(&QUEEN, &e));
            let held = of(&QUEEN, &d);
            held.acquire(Mode::Shared);
            of(&BISHOP, &d).acquire(X);
        }
        Code::UnorderedInstances => nest(&rook, &map(&ROOK)),
        Code::InterruptInversion => {
            HARDIRQ.enter();
            rook.acquire(Mode::SharedRecursive);
            rook.release();
            HARDIRQ.exit();
            HARDIRQ.disable();
            nest(&rook, &bishop);
            HARDIRQ.enable();
            bishop.acquire(X);
            bishop.release();
        }
        Code::InvalidWaitContext => nest(&king, &queen),
        Code::NestLockNotHeld => {
            bishop.acquire_nested(X, &rook);
            bishop.release();
        }
        Code::HeldLockFreed => {
            rook.acquire(X);
            rook.reinitialise();
        }
        Code::HeldAtContextExit => {
            HARDIRQ.enter();
            rook.acquire(X);
            HARDIRQ.exit();
        }
        Code::HeldAtExit => {
            rook.acquire(X);
            assert!(!lockdep::hooks::retires());
            rook.release();
            assert!(lockdep::hooks::retires());
        }
        Code::ContextUnbalanced => HARDIRQ.enable(),
        Code::AssertionFailed => {
            let reader = Map::keyed(&ROOK, OwnerId::NOBODY, 7);
            reader.acquire(Mode::Shared);
            reader.assert_held_exclusively();
            reader.release();
        }
        Code::TableFull => {
            for _ in 0..=MAX_REFUSED {
                let class = Box::leak(Box::new(Class::undeclared("one of many pawns")));
                nest(&map(class), &map(class));
            }
        }
    }
}

#[test]
fn one_of_every_code() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    let mut text = String::new();
    for code in Code::ALL {
        lockdep::forget();
        desk.reports();
        provoke(code);
        let reports = desk.reports();
        let report = reports.iter().find(|report| report.code == code);
        text += &format!("{}\n\n", report.unwrap_or_else(|| panic!("no {code:?}, but {reports:?}")));
    }
    compare(&text, "reports");
}

/// Compares `text` with the golden `NAME.txt`.
pub fn compare(text: &str, name: &str) {
    // What is after the file name moves with every edit.
    let file = format!("{name}.rs:");
    let parts = text.split(&file).enumerate().map(|(number, part)| match number {
        0 => part.to_owned(),
        _ => part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':').to_owned(),
    });
    let text = parts.collect::<Vec<_>>().join(&format!("{name}.rs"));
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/runtime/{name}.txt"));
    if std::env::var_os("LOCKDEP_BLESS").is_some() {
        std::fs::write(&golden, &text).expect("a writable tree");
    }
    assert_eq!(text, std::fs::read_to_string(&golden).expect("the golden is there"));
}
