//! Which locks nest: every nesting that this test program causes is in this list, and each one does occur.

use std::collections::BTreeSet;

use hv_core::abi::{Domctl, number};
use hv_core::domain::DomainKind;
use hv_core::log_dirty::CopyMode;
use hv_core::physmap;
use hv_core::types::{Gfn, PageOrder};
use lockdep::held::Mode;
use lockdep::order::Relation;

use crate::rig::{UNPREEMPTED, logging, write_all};

const X: Mode = Mode::Exclusive;
const S: Mode = Mode::Shared;

/// Held, wanted, whose the wanted one is, where.
const NESTINGS: [(&str, Mode, &str, Mode, Relation, &str); 7] = [
    ("p2m", X, "page_alloc", X, Relation::Same, "populate, remove, split, teardown"),
    ("p2m", X, "heap", X, Relation::Other, "the same, through page_alloc"),
    ("p2m", X, "paging", X, Relation::Same, "populate marks, remove unmarks"),
    ("page_alloc", X, "heap", X, Relation::Other, "every page"),
    ("paging", X, "heap", X, Relation::Other, "the paging pool"),
    ("paging", X, "p2m", S, Relation::Up, "scan under lock: the bitmap goes to the caller"),
    ("paging", X, "paging", X, Relation::Up, "scan under lock: the caller's own log"),
];

#[test]
fn nestings_are_the_known_ones() {
    if !lockdep::CHECKED {
        return;
    }
    let rig = logging(CopyMode::UnderLock, UNPREEMPTED, DomainKind::Pvh);
    physmap::populate(rig.machine(), &rig.guest, Gfn::new(512), PageOrder::Page2M).expect("memory");
    rig.shadow(hv_core::abi::ShadowOp::new(number::SHADOW_OFF)).expect("log-dirty goes off");
    rig.enable();
    write_all(&rig);
    rig.guest_writes(600, b"dirt").expect("mapped");
    rig.clean(4);
    physmap::remove(rig.machine(), &rig.guest, Gfn::new(512), PageOrder::Page2M).expect("mapped");
    rig.domctl(rig.guest.id(), Domctl::Destroy).expect("it is alive");

    let name = |mode| if mode == X { "exclusive" } else { "shared" };
    let known: BTreeSet<_> =
        NESTINGS.map(|(a, held, b, wanted, relation, _)| (a, name(held), b, name(wanted), relation)).into();
    let mut seen = BTreeSet::new();
    lockdep::observed::for_each(|found| {
        // Tests of a part make locks that belong to nobody; to those every lock of nobody is of the same owner.
        if (found.held.name, found.relation) != ("page_alloc", Relation::Same) {
            let (held, wanted) = (name(found.held_mode), name(found.wanted_mode));
            seen.insert((found.held.name, held, found.wanted.name, wanted, found.relation));
        }
    })
    .expect("no handler");
    assert_eq!(seen, known);
}
