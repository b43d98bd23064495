//! Which locks are one class, and what it is called.

use std::collections::BTreeMap;

use lockdep::observed;
use lockdep_std::{Mutex, RwLock};

use crate::Desk;

static ROOK: Mutex<u32> = Mutex::new(1);
static QUEEN: Mutex<u32> = Mutex::named("queen", 2);

/// The names of the classes that nested so far.
fn nestings() -> Vec<(String, String)> {
    let mut seen = Vec::new();
    let each = |nesting: &observed::Observed| {
        seen.push((nesting.held.name.to_owned(), nesting.wanted.name.to_owned()))
    };
    observed::for_each(each).expect("no handler");
    seen
}

#[test]
fn one_construction_site_is_one_class() {
    let desk = Desk::new();
    let pawns: Vec<_> = (0..8).map(Mutex::new).collect();
    let knight = Mutex::new(());
    for pawn in &pawns {
        let _pawn = pawn.lock().unwrap();
        drop(knight.lock());
    }
    assert_eq!(nestings().len(), 1);
    let _knight = knight.lock().unwrap();
    drop(pawns[7].lock());
    assert_eq!(desk.codes(), ["lock-order-cycle"], "of another pawn than any before");
}

#[test]
fn two_of_one_class_at_once() {
    let desk = Desk::new();
    let pawns: Vec<_> = (0..2).map(|_| Mutex::new(0)).collect();
    let _first = pawns[0].lock().unwrap();
    drop(pawns[1].lock());
    assert_eq!(desk.codes(), ["unordered-instances"]);
}

fn board<T>(value: T) -> RwLock<T> {
    RwLock::of_type(value)
}

#[test]
fn names_and_types_make_classes() {
    let desk = Desk::new();
    {
        let _queen = QUEEN.lock().unwrap();
        drop(Mutex::named("king", ()).lock());
    }
    {
        let other = Mutex::named("queen", 3);
        let _other = other.lock().unwrap();
        drop(Mutex::named("king", 4).lock());
    }
    {
        let (one, two) = (board(1_u8), board(2_u16));
        let _one = one.read().unwrap();
        drop(two.read());
    }
    let pairs = [("queen", "king"), ("u8", "u16")];
    let expected: Vec<_> = pairs.map(|(held, wanted)| (held.to_owned(), wanted.to_owned())).into();
    assert_eq!(nestings(), expected);
    assert!(desk.codes().is_empty());
}

#[test]
fn a_static_is_called_after_its_place() {
    let desk = Desk::new();
    let _rook = ROOK.lock().unwrap();
    drop(QUEEN.lock());
    let site = "lockdep/std/tests/front/classes.rs:10:27";
    assert_eq!(nestings(), [(site.to_owned(), "queen".to_owned())]);
    assert!(desk.codes().is_empty());
}

#[test]
fn a_generic_place_is_one_place() {
    let desk = Desk::new();
    fn make<T>(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
    let (one, two) = (make(1_u8), make("two"));
    {
        let _one = one.lock().unwrap();
        drop(two.lock());
    }
    assert_eq!(desk.codes(), ["unordered-instances"]);
    let by_held: BTreeMap<_, _> = nestings().into_iter().collect();
    assert!(by_held.iter().all(|(held, wanted)| held == wanted), "{by_held:?}");
}
