//! The rest of a circle that a new edge would close. Data for a report; it decides nothing.

use crate::observed::Observed;
use crate::report::MAX_CHAIN;

/// The earlier nestings of a closed walk, in its order from the new edge's head to its tail.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    links: [Option<Observed>; MAX_CHAIN],
    used: usize,
    /// Links beyond [`MAX_CHAIN`], and links whose sites were not kept.
    pub hidden: usize,
}

impl Chain {
    pub(crate) const EMPTY: Chain = Chain { links: [None; MAX_CHAIN], used: 0, hidden: 0 };

    pub(super) fn push(&mut self, link: Option<Observed>) {
        match (self.links.get_mut(self.used), link) {
            (Some(free), Some(link)) => {
                *free = Some(link);
                self.used += 1;
            }
            _ => self.hidden += 1,
        }
    }

    /// The links that are shown.
    pub fn iter(&self) -> impl Iterator<Item = &Observed> {
        self.links.iter().flatten()
    }
}
