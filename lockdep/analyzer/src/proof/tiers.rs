//! Tiers of domains: where the owner of the next lock can be, if a hierarchy has so many tiers at most.
//!
//! A hierarchy with no chain of more than *k* domains has a tier for every domain, from 0 to *k* − 1, such that who
//! controls somebody is in a higher tier: the length of the longest chain below (Mirsky's theorem, 1971). With no bound
//! there is one tier, which says nothing. Locks of nobody are in any tier: they are entered and left by `Other`, which
//! says nothing of tiers either. This file knows no graph; the other children of `proof.rs` use it.

use std::num::NonZeroU8;
use std::ops::Range;

use lockdep::order::Relation;

/// How many tiers there are at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiers(pub Option<NonZeroU8>);

impl Tiers {
    /// Any number.
    pub const ANY: Tiers = Tiers(None);

    /// How many are told apart.
    pub fn count(self) -> usize {
        self.0.map_or(1, |bound| bound.get().into())
    }

    /// Where the owner of the wanted lock can be, if that of the held lock is in `tier`.
    pub fn after(self, tier: usize, relation: Relation) -> Range<usize> {
        match (self.0, relation) {
            (None, _) => 0..1,
            (Some(_), Relation::Same) => tier..tier + 1,
            (Some(_), Relation::Up) => tier + 1..self.count(),
            (Some(_), Relation::Down) => 0..tier,
            (Some(_), Relation::Other) => 0..self.count(),
        }
    }
}
