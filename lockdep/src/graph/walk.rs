//! The criterion: may an edge be added, or does it close a walk that can be a deadlock?
//!
//! Every class is two nodes, reached by N (a writer, a fair reader) and by R (a recursive reader). An edge from a
//! holder that is shared leaves only the N node, one from an exclusive holder leaves both: a recursive reader that was
//! let in does not wait for a reader. A closed walk here is a closed *strong* walk of Linux's lockdep
//! (Documentation/locking/lockdep-design.rst). The search marks nodes, not classes, so that a weak arrival cannot
//! hide a strong one; that, and edges from every held lock (`validator.rs`), are the two places where Linux misses.
//!
//! The new edge e is refused iff, with it, the strongly connected component of the split graph that contains e
//! (a) has an `Other` edge, or both `Up` and `Down`, or (b) has a closed walk of `Same` edges. Everything accepted
//! before satisfies the criterion, so a violation is in e's component, and a closed walk of (b) passes through e.
//! Walks need not be simple: in a strongly connected component any two edges lie on one closed walk. The component
//! is what e's head reaches and what reaches e's tail, both without e: a path that uses e can be cut at its last, or
//! first, use.
//!
//! Where `controls` has few tiers (`owner::limit_tiers`), (a) is asked of the graph in which every node stands once for
//! each tier of the owner: a walk must come back to the tier where it began, so one that would take more tiers closes no
//! circle and e may be added after all. That criterion is met by what met the other, and a bound is only ever lowered,
//! so what was accepted before still satisfies it. More than [`TIERS`] tiers are taken for any number. The chain that is
//! reported shows nestings of the component, not the tiers.

use core::ops::Range;

use super::{Chain, Edge, Learned};
use crate::bits::Bits;
use crate::order::Relation;
use crate::owner;

/// A class (even: reached by N, odd: reached by R).
type Node = u16;

fn node(class: usize, kind: usize) -> Node {
    (class * 2 + kind) as Node
}

fn parts(node: Node) -> (usize, usize) {
    (usize::from(node) / 2, usize::from(node) % 2)
}

/// Nodes by kind.
#[derive(Clone, Copy)]
struct Nodes([Bits; 2]);

impl Nodes {
    const NONE: Nodes = Nodes([Bits::NONE; 2]);

    fn has(&self, at: Node) -> bool {
        let (class, kind) = parts(at);
        self.0[kind].has(class)
    }

    fn add(&mut self, at: Node) {
        let (class, kind) = parts(at);
        self.0[kind].add(class);
    }

    fn and(&self, other: &Nodes) -> Nodes {
        Nodes([self.0[0].and(&other.0[0]), self.0[1].and(&other.0[1])])
    }

    fn iter(&self) -> impl Iterator<Item = Node> + use<> {
        let Nodes([fair, recursive]) = *self;
        fair.iter().map(|class| node(class, 0)).chain(recursive.iter().map(|class| node(class, 1)))
    }
}

/// As many tiers are told apart, so that a kernel's stack has room.
const TIERS: usize = 4;

/// Where the owner of the wanted lock can be, if that of the held one is in `tier`.
fn after(tier: usize, relation: Relation, tiers: usize) -> Range<usize> {
    match relation {
        Relation::Same => tier..tier + 1,
        Relation::Up => tier + 1..tiers,
        Relation::Down => 0..tier,
        Relation::Other => 0..tiers,
    }
}

/// Relations as bits.
type Mask = u8;
const ANY: Mask = 0b1111;

const fn mask(relation: Relation) -> Mask {
    1 << relation as u8
}

/// The kinds (N, R) by which a bundle of edges leads on from a node of `kind`.
fn leads(cell: u16, kind: usize, relations: Mask) -> [bool; 2] {
    let [exclusive, shared] = cell.to_le_bytes();
    let usable = if kind == 0 { exclusive | shared } else { exclusive };
    let wanted = (0..4).filter(|relation| relations >> relation & 1 != 0);
    let wanted = wanted.fold(0, |all, relation| all | usable >> (relation * 2) & 0b11);
    [wanted & 1 != 0, wanted & 2 != 0]
}

/// The part of the graph that a judgement looks at.
struct View<'a> {
    learned: &'a Learned,
    members: Bits,
}

impl View<'_> {
    /// Every node one step on, or with `back` one step before.
    fn step(&self, at: Node, relations: Mask, back: bool, mut each: impl FnMut(Node)) {
        let (class, kind) = parts(at);
        let ranks = &self.learned.ranks;
        let row = if back { &ranks.into[class] } else { &ranks.out[class] };
        for other in row.and(&self.members).iter() {
            for other_kind in 0..2 {
                let leads = if back {
                    leads(self.learned.accepted(other, class), other_kind, relations)[kind]
                } else {
                    leads(self.learned.accepted(class, other), kind, relations)[other_kind]
                };
                if leads {
                    each(node(other, other_kind));
                }
            }
        }
    }

    /// What can be reached from `start`, or with `back` what reaches it, `start` included. Leaves in `scratch` for each
    /// node found the node it was found from, on a shortest way.
    fn reach(&self, start: Nodes, relations: Mask, back: bool) -> Nodes {
        let (mut found, mut frontier) = (start, start);
        loop {
            let mut fresh = Nodes::NONE;
            for at in frontier.iter() {
                self.step(at, relations, back, |other| {
                    if !found.has(other) {
                        found.add(other);
                        fresh.add(other);
                        self.learned.scratch[usize::from(other)].set(at);
                    }
                });
            }
            if fresh.iter().next().is_none() {
                return found;
            }
            frontier = fresh;
        }
    }

    /// Appends a shortest way to one of `goals`; false when there is none.
    fn route(&self, from: Node, goals: Nodes, relations: Mask, chain: &mut Chain) -> bool {
        if !self.reach(goals, relations, true).has(from) {
            return false;
        }
        let mut at = from;
        while !goals.has(at) {
            let then = self.learned.scratch[usize::from(at)].get();
            self.hop(at, then, relations, chain);
            at = then;
        }
        true
    }

    /// Appends one edge that leads from `at` to `then`.
    fn hop(&self, at: Node, then: Node, relations: Mask, chain: &mut Chain) {
        let ((from, kind), (to, wanted)) = (parts(at), parts(then));
        let cell = self.learned.accepted(from, to);
        let mut bits = (0..4).flat_map(|relation| [0, 8].map(|held| 1 << (held + relation * 2 + wanted)));
        let bit = bits.find(|bit| leads(cell & bit, kind, relations)[wanted]);
        chain.push(bit.and_then(|bit| self.learned.seen(from, to, bit)));
    }

    /// Whether a walk from `start`, where `edge` arrives, leads back to `goals`, where it leaves, and to the same tier.
    fn closes_within(&self, tiers: usize, edge: Edge, start: Node, goals: Nodes) -> bool {
        (0..tiers).any(|began| {
            let mut found = [Nodes::NONE; TIERS];
            after(began, edge.relation, tiers).for_each(|tier| found[tier].add(start));
            let mut grows = true;
            while grows {
                grows = false;
                for (tier, relation) in
                    (0..tiers).flat_map(|tier| Relation::ALL.map(|relation| (tier, relation)))
                {
                    for at in found[tier].iter() {
                        self.step(at, mask(relation), false, |other| {
                            for then in after(tier, relation, tiers) {
                                grows |= !found[then].has(other);
                                found[then].add(other);
                            }
                        });
                    }
                }
            }
            goals.iter().any(|goal| found[began].has(goal))
        })
    }

    fn judge(&self, edge: Edge) -> Option<Chain> {
        let start = node(edge.to.into(), usize::from(edge.wants_recursive()));
        let mut goals = Nodes::NONE;
        goals.add(node(edge.from.into(), 0));
        if !edge.holds_shared() {
            goals.add(node(edge.from.into(), 1));
        }
        let mut chain = Chain::EMPTY;
        let same = mask(Relation::Same);
        if edge.relation == Relation::Same && self.route(start, goals, same, &mut chain) {
            return Some(chain);
        }
        let behind = self.reach(goals, ANY, true);
        if !behind.has(start) {
            return None;
        }
        let mut head = Nodes::NONE;
        head.add(start);
        let component = behind.and(&self.reach(head, ANY, false));
        let find = |relation| {
            component.iter().find_map(|at| {
                let mut found = None;
                self.step(at, mask(relation), false, |then| {
                    if component.has(then) {
                        found = Some((at, then));
                    }
                });
                found
            })
        };
        let has = |relation| edge.relation == relation || find(relation).is_some();
        let needed: &[Relation] = if has(Relation::Other) {
            &[Relation::Other]
        } else if has(Relation::Up) && has(Relation::Down) {
            &[Relation::Up, Relation::Down]
        } else {
            return None;
        };
        let tiers = owner::tiers().map(usize::from).filter(|&tiers| tiers <= TIERS);
        if tiers.is_some_and(|tiers| !self.closes_within(tiers, edge, start, goals)) {
            return None;
        }
        let mut at = start;
        for &relation in needed.iter().filter(|&&relation| relation != edge.relation) {
            if let Some((tail, then)) = find(relation) {
                let mut goal = Nodes::NONE;
                goal.add(tail);
                if !self.route(at, goal, ANY, &mut chain) {
                    // Everything here is reached from the new edge and reaches it, but perhaps not without it.
                    self.route(at, goals, ANY, &mut chain);
                    chain.push(self.learned.seen(edge.from.into(), edge.to.into(), edge.bit()));
                    self.route(start, goal, ANY, &mut chain);
                }
                self.hop(tail, then, mask(relation), &mut chain);
                at = then;
            }
        }
        self.route(at, goals, ANY, &mut chain);
        Some(chain)
    }
}

/// The earlier nestings that close a bad walk with `edge`, which is not in the graph; `None` when it may be added.
/// `component` is the edge's, by `rank.rs`.
pub(super) fn judge(learned: &Learned, edge: Edge, component: Bits) -> Option<Chain> {
    let (from, to) = (usize::from(edge.from), usize::from(edge.to));
    let view = |without: &Bits| {
        let members = component.without(without);
        let whole = members.has(from) && members.has(to);
        whole.then(|| View { learned, members }.judge(edge)).flatten()
    };
    // Locks alone first: what two CPUs can do without an interrupt is the plainer report. A walk through an interrupt
    // passes per-CPU classes by, since only the interrupted CPU could wait there.
    let interrupted = component.and(&learned.contexts) != Bits::NONE;
    view(&learned.contexts).or_else(|| interrupted.then(|| view(&learned.per_cpu)).flatten())
}
