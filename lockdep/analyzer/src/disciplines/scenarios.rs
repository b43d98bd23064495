//! The worlds in which the disciplines are judged: the nesting of the thread, and what it does not talk about.
//!
//! Each is drawn after a path of Xen's, with its levels; who controls whom is who may operate on whom. Data only.
//!
//! Sources: Xen `paging_log_dirty_op`, `shadow_track_dirty_vram`, `XEN_DOMCTL_set_target` (checks neither cycles nor
//! control domains), `mem_sharing_fork_page` and `get_two_gfns` (child before parent, against ascending domain id),
//! `altp2m_get_effective_entry`, and `__mem_sharing_unshare_page` (a page's own lock, never biased).

use super::{Kind, Lock, Occurrence, Party, Scenario};

const P2M: Kind = Kind { name: "p2m", level: 16 };
const PAGE: Kind = Kind { name: "per_page_sharing", level: 24 };
const ALTP2M: Kind = Kind { name: "altp2m", level: 40 };
const PAGING: Kind = Kind { name: "paging", level: 64 };

const fn guest(name: &'static str) -> Party {
    Party { name, control: false }
}

const fn control(name: &'static str) -> Party {
    Party { name, control: true }
}

const fn of(owner: usize, kind: Kind) -> Lock {
    Lock { kind, owner: Some(owner) }
}

/// The lock of a shared page.
const SHARED: Lock = Lock { kind: PAGE, owner: None };

const fn step(current: usize, held: Lock, wanted: Lock, doing: &'static str) -> Occurrence {
    Occurrence { current, held, wanted, doing }
}

/// A domain faults on its own memory, and the write is marked dirty.
const fn fault(domain: usize) -> Occurrence {
    step(domain, of(domain, P2M), of(domain, PAGING), "marks a page dirty")
}

/// The caller's memory is written, through its own table, with the subject's bitmap locked.
const fn copy(caller: usize, subject: usize) -> Occurrence {
    step(caller, of(subject, PAGING), of(caller, P2M), "copies the dirty bitmap")
}

/// The same with the subject's table locked only.
const fn track(caller: usize, subject: usize) -> Occurrence {
    step(caller, of(subject, P2M), of(caller, P2M), "copies the dirty video memory")
}

/// Every scenario, the thread's first.
pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            title: "the thread: a control domain copies a guest's dirty bitmap",
            parties: vec![guest("guest"), control("control")],
            controls: vec![(1, 0)],
            nestings: vec![fault(0), fault(1), copy(1, 0)],
        },
        Scenario {
            title: "mutual targets that copy under `paging`",
            parties: vec![guest("A"), guest("B")],
            controls: vec![],
            nestings: vec![fault(0), fault(1), copy(0, 1), copy(1, 0)],
        },
        Scenario {
            title: "mutual targets that copy under `p2m`",
            parties: vec![guest("A"), guest("B")],
            controls: vec![],
            nestings: vec![fault(0), fault(1), track(0, 1), track(1, 0)],
        },
        Scenario {
            title: "two control domains, one above the other",
            parties: vec![guest("guest"), control("control"), control("root")],
            controls: vec![(1, 0), (2, 0), (2, 1)],
            nestings: vec![fault(0), fault(1), fault(2), copy(1, 0), copy(2, 0), copy(2, 1)],
        },
        Scenario {
            title: "two control domains that operate on each other",
            parties: vec![control("left"), control("right")],
            controls: vec![],
            nestings: vec![fault(0), fault(1), track(0, 1), track(1, 0)],
        },
        Scenario {
            title: "three tiers: guest < stub < control",
            parties: vec![guest("guest"), guest("stub"), control("control")],
            controls: vec![(1, 0), (2, 0), (2, 1)],
            nestings: vec![fault(0), fault(1), fault(2), copy(1, 0), copy(2, 0), copy(2, 1)],
        },
        Scenario {
            title: "a control domain as subject",
            parties: vec![control("control"), guest("monitor")],
            controls: vec![(1, 0)],
            nestings: vec![fault(0), fault(1), copy(1, 0)],
        },
        Scenario {
            title: "a fork faults a page in from its parent",
            parties: vec![guest("child"), guest("parent")],
            controls: vec![(1, 0)],
            nestings: vec![
                fault(0),
                fault(1),
                step(0, of(0, P2M), of(1, P2M), "fills a hole"),
                step(0, of(0, ALTP2M), of(1, P2M), "fills a hole of a view"),
            ],
        },
        Scenario {
            title: "fork against domain id: the parent's is lower, and somebody shares pages of both",
            parties: vec![guest("child"), guest("parent"), control("control")],
            controls: vec![(1, 0), (2, 0), (2, 1)],
            nestings: vec![
                fault(0),
                fault(1),
                step(0, of(0, P2M), of(1, P2M), "fills a hole"),
                step(2, of(1, P2M), of(0, P2M), "shares two pages"),
            ],
        },
        Scenario {
            title: "a control domain unshares a page of its own",
            parties: vec![control("control")],
            controls: vec![],
            nestings: vec![
                step(0, of(0, P2M), SHARED, "unshares"),
                step(0, SHARED, of(0, PAGING), "unshares"),
                fault(0),
            ],
        },
        Scenario {
            title: "a shared page in the middle of the thread's nesting",
            parties: vec![guest("guest"), control("control")],
            controls: vec![(1, 0)],
            nestings: vec![
                fault(0),
                fault(1),
                copy(1, 0),
                step(1, of(1, P2M), SHARED, "unshares its buffer"),
                step(0, SHARED, of(0, PAGING), "unshares"),
            ],
        },
    ]
}
