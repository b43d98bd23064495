//! Which domains can own the locks of a closed walk: the fewest that fit, and who controls whom.
//!
//! A walk says how consecutive owners stand to each other. Owners joined by `Same` are one; what remains is a
//! cyclic sequence of `Up`, `Down` and `Other`, for which domains and a strict partial order `controls` are
//! sought such that `Up` and `Down` follow the order and `Other` joins different domains that it leaves
//! unrelated. Few domains make a short schedule, so every number from one upwards is tried. This file finds no
//! walks (`proof/walk.rs`); its only caller is `witness.rs`.

use std::collections::{BTreeMap, BTreeSet};

use lockdep::order::Relation;

/// The lock that one CPU of the walk holds.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// Its class.
    pub class: usize,
    /// Told apart from other instances of the class in one domain.
    pub instance: usize,
    /// It belongs to nobody.
    pub unowned: bool,
    /// How the next lock's owner stands to this one's.
    pub relation: Relation,
}

/// Owners of the locks of a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owners {
    /// By stop; numbered in order of appearance.
    pub of: Vec<Option<usize>>,
    /// (upper, lower), sorted.
    pub controls: BTreeSet<(usize, usize)>,
    /// How many there are.
    pub count: usize,
}

/// More sets of equal owners than this are left apart rather than merged: the number of ways to merge explodes,
/// and nobody reads a schedule of that length for its domains.
const MERGED: usize = 10;
/// With more sets, all apart, it is not tested that the order fits: see [`Problem::fits`].
const TESTED: usize = 64;
/// Tried partial merges, after which all owners are left apart.
const TRIES: usize = 20_000;

/// The fewest owners that fit, of which no chain has more than `tiers`, or none if no owners do: two stops may not be at
/// the same lock, since two CPUs would hold it.
pub fn fewest(walk: &[Stop], tiers: usize) -> Option<Owners> {
    let problem = Problem::new(walk, tiers)?;
    let apart: Vec<usize> = (0..problem.sets).collect();
    let mut tries = TRIES;
    let merged = (1..problem.sets)
        .filter(|_| problem.sets <= MERGED)
        .find_map(|limit| problem.merge(&mut Vec::new(), limit, &mut tries));
    let names = merged.or_else(|| problem.fits(&apart).then_some(apart))?;
    Some(problem.owners(&names))
}

/// Sets of stops with one owner each, and what must hold between the sets.
struct Problem {
    /// By stop: its set, unless it is unowned.
    set_of: Vec<Option<usize>>,
    sets: usize,
    /// The most owners in a chain of `controls`.
    tiers: usize,
    /// (upper, lower).
    controls: BTreeSet<(usize, usize)>,
    /// Different and unrelated.
    strangers: BTreeSet<(usize, usize)>,
    /// Different.
    different: BTreeSet<(usize, usize)>,
}

impl Problem {
    fn new(walk: &[Stop], tiers: usize) -> Option<Problem> {
        let set_of = sets(walk);
        let sets = set_of.iter().flatten().max().map_or(0, |last| last + 1);
        let mut problem = Problem {
            sets,
            tiers,
            controls: BTreeSet::new(),
            strangers: BTreeSet::new(),
            different: BTreeSet::new(),
            set_of,
        };
        for (at, stop) in walk.iter().enumerate() {
            let next = (at + 1) % walk.len();
            let (Some(this), Some(next)) = (problem.set_of[at], problem.set_of[next]) else { continue };
            match stop.relation {
                Relation::Same => continue,
                Relation::Up => problem.controls.insert((next, this)),
                Relation::Down => problem.controls.insert((this, next)),
                Relation::Other => problem.strangers.insert((this, next)),
            };
            problem.different.insert((this, next));
        }
        let mut at_lock: BTreeMap<(usize, usize), Vec<Option<usize>>> = BTreeMap::new();
        for (stop, set) in walk.iter().zip(&problem.set_of) {
            let earlier = at_lock.entry((stop.class, stop.instance)).or_default();
            for other in earlier.iter() {
                match (set, other) {
                    (Some(set), Some(other)) => problem.different.insert((*other, *set)),
                    _ => return None,
                };
            }
            earlier.push(*set);
        }
        problem.different.iter().all(|(a, b)| a != b).then_some(problem)
    }

    /// Names for the sets in order, at most `limit` different ones.
    fn merge(&self, names: &mut Vec<usize>, limit: usize, tries: &mut usize) -> Option<Vec<usize>> {
        let set = names.len();
        if set == self.sets {
            return self.fits(names).then(|| names.clone());
        }
        let used = names.iter().max().map_or(0, |last| last + 1);
        for name in 0..limit.min(used + 1) {
            *tries = tries.checked_sub(1)?;
            let clashes = |&(a, b): &(usize, usize)| {
                let other = if a == set { b } else { a };
                (a == set || b == set) && names.get(other) == Some(&name)
            };
            if self.different.iter().any(clashes) {
                continue;
            }
            names.push(name);
            if let Some(done) = self.merge(names, limit, tries) {
                return Some(done);
            }
            names.pop();
        }
        None
    }

    /// Whether names keep `controls` a strict order without long chains, and strangers unrelated.
    ///
    /// With every set apart this holds by construction for the walks that `proof/walk.rs` closes (the argument is
    /// there), so it is not tested for very long ones, where the test is quadratic.
    fn fits(&self, names: &[usize]) -> bool {
        if self.sets > TESTED {
            return true;
        }
        let below =
            self.controls.iter().fold(BTreeMap::<usize, BTreeSet<usize>>::new(), |mut below, &(a, b)| {
                below.entry(names[a]).or_default().insert(names[b]);
                below
            });
        let reaches = |from: usize, to: usize| {
            let (mut seen, mut todo) = (BTreeSet::new(), vec![from]);
            while let Some(at) = todo.pop() {
                for &next in below.get(&at).into_iter().flatten() {
                    if next == to {
                        return true;
                    }
                    if seen.insert(next) {
                        todo.push(next);
                    }
                }
            }
            false
        };
        let order = || self.controls.iter().all(|&(a, b)| !reaches(names[b], names[a]));
        let unrelated = |&(a, b): &(usize, usize)| {
            let (a, b) = (names[a], names[b]);
            a != b && !reaches(a, b) && !reaches(b, a)
        };
        self.different.iter().all(|&(a, b)| names[a] != names[b])
            && order()
            && below.keys().all(|&top| height(&below, top) <= self.tiers)
            && self.strangers.iter().all(unrelated)
    }

    fn owners(&self, names: &[usize]) -> Owners {
        let mut order = BTreeMap::new();
        let mut of = Vec::with_capacity(self.set_of.len());
        for set in &self.set_of {
            let count = order.len();
            of.push(set.map(|set| *order.entry(names[set]).or_insert(count)));
        }
        let renamed = |set: usize| order[&names[set]];
        let controls = self.controls.iter().map(|&(a, b)| (renamed(a), renamed(b))).collect();
        Owners { of, controls, count: order.len() }
    }
}

/// How many owners the longest chain from `top` down has. There is no cycle, and few owners control more than two.
fn height(below: &BTreeMap<usize, BTreeSet<usize>>, top: usize) -> usize {
    1 + below.get(&top).into_iter().flatten().map(|&next| height(below, next)).max().unwrap_or(0)
}

/// Numbers the sets of stops that `Same` joins, around the end as well.
fn sets(walk: &[Stop]) -> Vec<Option<usize>> {
    let joined = |at: usize| walk[at].relation == Relation::Same && !walk[at].unowned;
    let mut set_of = Vec::with_capacity(walk.len());
    let mut count = 0;
    for (at, stop) in walk.iter().enumerate() {
        let set = match set_of.last().copied().flatten() {
            _ if stop.unowned => None,
            Some(set) if joined(at - 1) => Some(set),
            _ => {
                count += 1;
                Some(count - 1)
            }
        };
        set_of.push(set);
    }
    // The last set is the first if the walk's last step stays in the domain.
    if let (Some(Some(last)), Some(Some(first))) = (set_of.last().copied(), set_of.first().copied())
        && joined(walk.len() - 1)
        && last != first
    {
        for set in set_of.iter_mut().filter(|set| **set == Some(last)) {
            *set = Some(first);
        }
    }
    set_of
}
