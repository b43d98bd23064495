//! Ranks of classes: a topological order of the learned graph's components, kept up to date edge by edge.
//!
//! Classes of one strongly connected component share a rank, every edge between components ascends. An edge that
//! ascends already closes nothing, whatever its kind and relation, and costs two bits: that is the common case. Only
//! an edge that descends is searched for, and only among the ranks between its ends (Pearce and Kelly, "A dynamic
//! topological sort algorithm for directed acyclic graphs", 2006; components as in Pearce's thesis, 2005). This file
//! knows nothing of kinds and relations: a component here is coarser than one of the split graph, so it can only
//! make the criterion (`walk.rs`) look, never make it miss.
//!
//! Why reordering is right: let the new edge be x → y with rank x > rank y. `forward` is what y reaches at ranks up to
//! x's, `backward` what reaches x from ranks down to y's; their common part is on paths y ⇝ x and becomes one
//! component. The ranks of all these are dealt out anew: `backward` takes the lowest, the component the next,
//! `forward` the highest. A class of `backward` hence never rises, and its successors outside were above it; one of
//! `forward` never sinks, and its predecessors outside were below it; the component's outside neighbours lie outside
//! the window altogether. So every old edge still ascends, and the new one does too, or is inside the component.

use super::MAX_CLASSES;
use crate::bits::Bits;

/// Adjacency of classes and their ranks.
pub(super) struct Ranks {
    pub(super) out: [Bits; MAX_CLASSES],
    pub(super) into: [Bits; MAX_CLASSES],
    rank: [u16; MAX_CLASSES],
}

/// What a new edge touches: empty when it ascends.
pub(super) struct Affected {
    forward: Bits,
    backward: Bits,
}

impl Affected {
    /// The classes that the edge makes, or finds, one component.
    pub(super) fn component(&self) -> Bits {
        self.forward.and(&self.backward)
    }
}

impl Ranks {
    pub(super) const NEW: Ranks = {
        let mut rank = [0; MAX_CLASSES];
        let mut class = 0;
        while class < MAX_CLASSES {
            rank[class] = class as u16;
            class += 1;
        }
        Ranks { out: [Bits::NONE; MAX_CLASSES], into: [Bits::NONE; MAX_CLASSES], rank }
    };

    /// No edges among the first `classes` classes.
    pub(super) fn clear(&mut self, classes: usize) {
        for class in 0..classes {
            self.out[class] = Bits::NONE;
            self.into[class] = Bits::NONE;
            self.rank[class] = class as u16;
        }
    }

    /// What the edge would touch.
    pub(super) fn probe(&self, from: usize, to: usize) -> Affected {
        let (top, bottom) = (self.rank[from], self.rank[to]);
        if top < bottom {
            return Affected { forward: Bits::NONE, backward: Bits::NONE };
        }
        Affected {
            forward: reach(&self.out, to, |class| self.rank[class] <= top),
            backward: reach(&self.into, from, |class| self.rank[class] >= bottom),
        }
    }

    /// Adds the edge that `affected` was asked for.
    pub(super) fn insert(&mut self, from: usize, to: usize, affected: &Affected) {
        self.out[from].add(to);
        self.into[to].add(from);
        if self.rank[from] <= self.rank[to] {
            return;
        }
        let common = affected.component();
        let ranks_of = |classes: &Bits| {
            let mut ranks = Bits::NONE;
            classes.iter().for_each(|class| ranks.add(self.rank[class].into()));
            ranks
        };
        let touched = affected.forward.or(&affected.backward);
        let (below, above) =
            (ranks_of(&affected.backward.without(&common)), ranks_of(&affected.forward.without(&common)));
        let (pool, size) = (ranks_of(&touched), ranks_of(&touched).count());
        let first_above = size - above.count();
        // The n-th rank of the pool goes to the n-th of `below`, or counted from its end to that of `above`.
        let mut renamed = [0; MAX_CLASSES];
        let mut component = 0;
        let (mut lower, mut upper) = (below.iter(), above.iter());
        for (position, rank) in pool.iter().enumerate() {
            if let Some(old) = lower.next() {
                renamed[old] = rank as u16;
            } else if position < first_above {
                component = rank as u16;
            } else if let Some(old) = upper.next() {
                renamed[old] = rank as u16;
            }
        }
        for class in touched.iter() {
            self.rank[class] =
                if common.has(class) { component } else { renamed[usize::from(self.rank[class])] };
        }
    }
}

fn reach(rows: &[Bits; MAX_CLASSES], start: usize, inside: impl Fn(usize) -> bool) -> Bits {
    let mut found = Bits::NONE;
    found.add(start);
    let mut todo = found;
    while let Some(at) = { todo.iter().next() } {
        todo.remove(at);
        for next in rows[at].without(&found).iter().filter(|&next| inside(next)) {
            found.add(next);
            todo.add(next);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;

    /// After every insertion: edges ascend or stay in a component, and components are exactly the strongly
    /// connected ones, by a closure computed from scratch.
    #[test]
    fn ranks_agree_with_a_closure() {
        const NODES: usize = 9;
        let mut seed = 1_u64;
        let mut dice = |bound: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % bound
        };
        let mut ranks = std::boxed::Box::new(Ranks::NEW);
        for _ in 0..300 {
            ranks.clear(NODES);
            let mut reaches = [[false; NODES]; NODES];
            for _ in 0..14 {
                let (from, to) = (dice(NODES), dice(NODES));
                let affected = ranks.probe(from, to);
                ranks.insert(from, to, &affected);
                let before = reaches;
                let pairs = (0..NODES).flat_map(|a| (0..NODES).map(move |b| (a, b)));
                for (a, b) in pairs.clone() {
                    reaches[a][b] |= (a == from || before[a][from]) && (b == to || before[to][b]);
                }
                for (a, b) in pairs.filter(|(a, b)| a != b) {
                    let together = reaches[a][b] && reaches[b][a];
                    assert_eq!(ranks.rank[a] == ranks.rank[b], together, "{a} {b}");
                    assert!(!reaches[a][b] || ranks.rank[a] <= ranks.rank[b], "{a} reaches {b}");
                }
            }
        }
    }
}
