//! The ordering rule: whether one lock may be acquired while another is held.
//!
//! [`permits`] is the only place in the project that compares levels. The runtime asks it before an
//! acquisition, the analyzer asks it about every nesting found in MIR, so the two can disagree about which
//! nestings exist and never about the rule. A [`Discipline`] is data that [`permits`] reads, not a code path.
//! This file holds no state and knows no lock, no CPU and no domain.
//!
//! Why `hierarchy` is free of circular waits among the locks of domains: order acquisitions by (height of the owner
//! in `controls`, level, instance key). `Up` raises the first component, `Same` the second or third, and nothing
//! else is permitted, so every permitted step climbs a strict order and no sequence of permitted waits returns to its
//! start. Locks of nobody have no height and meet the others by level. If they are all outside every level of the
//! domains' locks, or all inside, that is another strict order around the first. If one stands *between* (Xen's
//! per-page sharing lock does), pairs alone cannot tell: `Up` may drop from a level above it to one below. That
//! circle has three pairs, each permitted; the analyzer's criterion over the whole graph finds it, this rule does
//! not (the last test below shows it). Also not claimed: anything about try-acquisitions, which never wait, nor
//! about locks that the rule is never asked about.
//!
//! Sources: Xen `arch/x86/mm/mm-locks.h` (levels, the strict comparison, the control-domain bias of 64), the
//! xen-devel thread of December 2018 (per-domain levels, bias by `current`).

/// The position of a lock class in a declared order; lower is acquired first. Unit-less, as Xen's levels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Level(u16);

impl Level {
    /// A level; the macros refuse 0, which Xen reserves for "nothing held".
    pub const fn new(value: u16) -> Self {
        Level(value)
    }

    /// The number that was declared.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// How the owner of the wanted lock stands to the owner of the held one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Relation {
    /// One owner, or neither lock has an owner.
    Same = 0,
    /// The wanted lock's owner controls the held lock's owner.
    Up = 1,
    /// The held lock's owner controls the wanted lock's owner.
    Down = 2,
    /// Unrelated, unknown, or exactly one of the locks has an owner.
    Other = 3,
}

impl Relation {
    /// Every relation, in the order of its number.
    pub const ALL: [Relation; 4] = [Relation::Same, Relation::Up, Relation::Down, Relation::Other];

    /// The word used in reports, goldens and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Relation::Same => "Same",
            Relation::Up => "Up",
            Relation::Down => "Down",
            Relation::Other => "Other",
        }
    }
}

impl Level {
    /// Whether every discipline permits a lock of this level under one of `held`, both of one owner or of nobody: enough,
    /// not needed, and the whole question where a lock is mostly acquired under others of its domain.
    #[inline]
    pub const fn is_deeper_than(self, held: Level) -> bool {
        held.0 < self.0
    }
}

/// What the rule needs to know of one lock instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rank {
    /// The declared level of its class.
    pub level: Level,
    /// The declared instance order (`ordered_by`), if the instance has a key.
    pub key: Option<u64>,
    /// Whether a domain owns it.
    pub owned: bool,
    /// Whether its owner is the domain that this CPU is working for.
    pub current: bool,
    /// Whether its owner is a control domain.
    pub control: bool,
}

/// What a discipline says to a meeting of two locks before it looks at their levels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meeting {
    /// Permitted whatever the levels.
    Allow,
    /// Refused whatever the levels.
    Refuse,
    /// Decided by the levels.
    Compare,
}

/// Which locks count [`BIAS`] levels higher.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bias {
    /// None.
    None,
    /// Those of the domain this CPU is working for.
    Current,
    /// Those of a control domain (what Xen has shipped since 4.12).
    Control,
}

/// Two locks of equal level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Equal {
    /// Nest freely, in either order: Xen's comparison is strict.
    Pass,
    /// Nest only where both have an instance key and the keys ascend.
    ByKey,
}

/// By how much a biased lock counts higher; Xen's `MM_LOCK_ORDER_MAX`.
pub const BIAS: u16 = 64;

/// A policy of the mailing-list thread, as data for [`permits`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Discipline {
    /// The name used on the command line.
    pub name: &'static str,
    /// Indexed by [`Relation`]; `Other` here means two domains that are strangers.
    by_relation: [Meeting; 4],
    /// A lock of a domain meets a lock of nobody.
    with_unowned: Meeting,
    bias: Bias,
    equal: Equal,
}

impl Discipline {
    /// One level per CPU: Xen until 4.11.
    pub const FLAT: Discipline = Discipline {
        name: "flat",
        by_relation: [Meeting::Compare; 4],
        with_unowned: Meeting::Compare,
        bias: Bias::None,
        equal: Equal::Pass,
    };

    /// Levels kept apart by domain; nothing is checked across domains.
    pub const PER_DOMAIN: Discipline = Discipline {
        name: "per-domain",
        by_relation: [Meeting::Compare, Meeting::Allow, Meeting::Allow, Meeting::Allow],
        with_unowned: Meeting::Allow,
        ..Self::FLAT
    };

    /// Locks of the current domain count [`BIAS`] higher.
    pub const BIAS_CURRENT: Discipline =
        Discipline { name: "bias-current", bias: Bias::Current, ..Self::FLAT };

    /// Locks owned by a control domain count [`BIAS`] higher.
    pub const BIAS_CONTROL: Discipline =
        Discipline { name: "bias-control", bias: Bias::Control, ..Self::FLAT };

    /// Ours: up the hierarchy, or deeper in one domain; never down, never to a stranger.
    pub const HIERARCHY: Discipline = Discipline {
        name: "hierarchy",
        by_relation: [Meeting::Compare, Meeting::Allow, Meeting::Refuse, Meeting::Refuse],
        with_unowned: Meeting::Compare,
        bias: Bias::None,
        equal: Equal::ByKey,
    };

    /// Every discipline; the default comes first.
    pub const ALL: [Discipline; 5] =
        [Self::HIERARCHY, Self::FLAT, Self::PER_DOMAIN, Self::BIAS_CURRENT, Self::BIAS_CONTROL];

    /// The level of `rank` after the bias.
    #[inline]
    pub const fn effective(&self, rank: Rank) -> u16 {
        let biased = match self.bias {
            Bias::None => false,
            Bias::Current => rank.current,
            Bias::Control => rank.control,
        };
        if biased { rank.level.0.saturating_add(BIAS) } else { rank.level.0 }
    }

    /// Whether the verdict depends on who the owners are, beyond their relation.
    #[inline]
    pub const fn is_biased(&self) -> bool {
        !matches!(self.bias, Bias::None)
    }

    #[inline]
    const fn meeting(&self, held: Rank, wanted: Rank, relation: Relation) -> Meeting {
        if held.owned == wanted.owned { self.by_relation[relation as usize] } else { self.with_unowned }
    }
}

/// Whether `wanted` may be acquired (waiting for it if need be) while `held` is held, `relation` being how
/// the wanted lock's owner stands to the held lock's. Re-acquiring the very same instance is not a nesting and
/// is not asked here.
#[inline]
pub const fn permits(discipline: &Discipline, held: Rank, wanted: Rank, relation: Relation) -> bool {
    match discipline.meeting(held, wanted, relation) {
        Meeting::Allow => true,
        Meeting::Refuse => false,
        Meeting::Compare => {
            let (below, above) = (discipline.effective(held), discipline.effective(wanted));
            if below != above {
                return below < above;
            }
            match (discipline.equal, held.key, wanted.key) {
                (Equal::Pass, _, _) => true,
                (Equal::ByKey, Some(first), Some(second)) => first < second,
                (Equal::ByKey, _, _) => false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn rank(level: u16) -> Rank {
        Rank { level: Level::new(level), key: None, owned: true, current: false, control: false }
    }

    /// The nesting of the thread: paging of the subject is held, p2m of the caller is wanted.
    #[test]
    fn every_discipline_on_the_nesting_of_the_thread() {
        let paging = rank(64);
        let p2m = Rank { current: true, control: true, ..rank(16) };
        let verdicts: [(&str, bool); 5] =
            Discipline::ALL.map(|d| (d.name, permits(&d, paging, p2m, Relation::Up)));
        assert_eq!(
            verdicts,
            [
                ("hierarchy", true),
                ("flat", false),
                ("per-domain", true),
                ("bias-current", true),
                ("bias-control", true)
            ]
        );
    }

    #[test]
    fn hierarchy_refuses_down_and_strangers_whatever_the_levels() {
        for relation in [Relation::Down, Relation::Other] {
            assert!(!permits(&Discipline::HIERARCHY, rank(16), rank(64), relation));
        }
        assert!(permits(&Discipline::FLAT, rank(16), rank(64), Relation::Other));
    }

    #[test]
    fn deeper_in_one_domain_is_always_permitted() {
        let flags = [false, true];
        let ranks = [0, 8, 16].into_iter().flat_map(|level| {
            let of = move |current, control| Rank { current, control, ..rank(level) };
            flags.into_iter().flat_map(move |current| flags.map(|control| of(current, control)))
        });
        for wanted in ranks {
            for key in [None, Some(1)] {
                let held = Rank { level: Level::new(8), key, ..wanted };
                let permitted = Discipline::ALL.iter().all(|d| permits(d, held, wanted, Relation::Same));
                assert_eq!(wanted.level.is_deeper_than(held.level), permitted, "{held:?} {wanted:?}");
            }
        }
    }

    #[test]
    fn equal_levels_nest_by_key_only() {
        let keyed = |key| Rank { key: Some(key), ..rank(24) };
        let hierarchy = |held, wanted| permits(&Discipline::HIERARCHY, held, wanted, Relation::Same);
        assert!(hierarchy(keyed(1), keyed(2)));
        assert!(!hierarchy(keyed(2), keyed(1)));
        assert!(!hierarchy(keyed(1), keyed(1)));
        assert!(!hierarchy(rank(24), keyed(2)));
        assert!(permits(&Discipline::FLAT, rank(24), rank(24), Relation::Same), "Xen's comparison is strict");
    }

    #[test]
    fn a_lock_of_nobody_is_met_by_level() {
        let heap = Rank { owned: false, ..rank(72) };
        assert!(permits(&Discipline::HIERARCHY, rank(64), heap, Relation::Other));
        assert!(!permits(&Discipline::HIERARCHY, heap, rank(64), Relation::Other));
        assert!(permits(&Discipline::HIERARCHY, heap, rank(80), Relation::Other));
        assert!(!permits(&Discipline::HIERARCHY, rank(80), heap, Relation::Other));
    }

    /// A lock: its owner (0 is nobody; 1 < 2 < 3 in `controls`) and its level.
    type Lock = (u8, u16);

    fn may(held: Lock, wanted: Lock) -> bool {
        let relation = match (held.0, wanted.0) {
            (h, w) if h == w => Relation::Same,
            (0, _) | (_, 0) => Relation::Other,
            (h, w) if h < w => Relation::Up,
            _ => Relation::Down,
        };
        let of = |(owner, level): Lock| Rank { owned: owner != 0, ..rank(level) };
        permits(&Discipline::HIERARCHY, of(held), of(wanted), relation)
    }

    /// All closed walks of up to three locks over two levels and three domains in a chain, with locks of nobody
    /// outside and inside all of them.
    #[test]
    fn hierarchy_permits_no_short_cycle() {
        let locks: [Lock; 8] = [(0, 8), (0, 72), (1, 16), (1, 64), (2, 16), (2, 64), (3, 16), (3, 64)];
        for a in locks {
            assert!(!may(a, a));
            for b in locks {
                assert!(!(may(a, b) && may(b, a)), "{a:?} {b:?}");
                for c in locks {
                    assert!(!(may(a, b) && may(b, c) && may(c, a)), "{a:?} {b:?} {c:?}");
                }
            }
        }
    }

    /// The limit that the module states: pairs cannot see this circle, the graph can.
    #[test]
    fn a_lock_of_nobody_in_the_middle_needs_the_graph() {
        let (paging_of_subject, p2m_of_caller, page) = ((1, 64), (2, 16), (0, 24));
        assert!(may(paging_of_subject, p2m_of_caller));
        assert!(may(p2m_of_caller, page));
        assert!(may(page, paging_of_subject));
    }
}
