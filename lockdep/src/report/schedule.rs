//! A schedule that ends in the deadlock which a report is about: who holds what, and waits for what, in which order.
//!
//! The circle of a report is one of classes and relations. Here it becomes one of locks: each step gets an owner, so that
//! every two in a row stand to each other as they were seen to (DESIGN: "a smallest set of domains"), and a lock that the walk
//! comes to twice cuts it short, since its holder can be one CPU only. No heap, and nothing is looked up but how many
//! tiers of owners there may be.

use core::panic::Location;

use super::{Code, MAX_CHAIN, Matter, Report};
use crate::class::Class;
use crate::graph::Chain;
use crate::held::Mode;
use crate::observed::Observed;
use crate::order::{Relation, permits};
use crate::owner::{self, OwnerId};

/// Once round a circle of the longest chain, or twice, with owners that change places.
const MAX_STEPS: usize = 2 * (MAX_CHAIN + 1);

/// An owner in a schedule: any one that stands to the others as it does. It may be nobody where it is a stranger to all.
///
/// Of two in one chain the higher controls the lower; two of different chains are strangers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Party {
    /// Which chain.
    pub chain: u8,
    /// How high up in it.
    pub height: u8,
}

/// A lock in a schedule, and what is done with it.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Its class.
    pub class: &'static Class,
    /// Its owner.
    pub party: Party,
    /// Which of two locks of this class and owner, where the schedule has two.
    pub second: bool,
    /// How it is held or wanted.
    pub mode: Mode,
    /// Where that was seen, if it was.
    pub site: Option<&'static Location<'static>>,
}

/// One CPU of a schedule.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    /// What it holds, and keeps. A writer that makes readers wait need not hold anything.
    pub holds: Option<Part>,
    /// What interrupts it there and does the waiting, and where that began.
    pub interrupted_by: Option<(&'static Class, Option<&'static Location<'static>>)>,
    /// What it waits for.
    pub wants: Part,
}

/// A schedule: first each actor acquires what it holds, then they come to wait in their order, and nobody goes on.
#[derive(Clone, Copy, Debug)]
pub struct Schedule<'a> {
    circle: Circle<'a>,
    steps: [Step; MAX_STEPS],
    nr_steps: usize,
}

/// A lock of the circle, and by which nesting the circle goes on from it.
#[derive(Clone, Copy, Debug)]
struct Step {
    link: u8,
    party: Party,
    second: bool,
}

/// Nestings, each of which starts where the one before ends.
#[derive(Clone, Copy, Debug)]
enum Circle<'a> {
    Learned {
        closing: &'a Observed,
        chain: &'a Chain,
        nr_links: usize,
    },
    /// One that the declared order refuses, and, unless a lock meets itself or its like, the way back that it permits.
    Declared {
        refused: Observed,
        back: Option<Relation>,
    },
}

/// A nesting of the circle.
struct Link {
    held: (&'static Class, Mode, Option<&'static Location<'static>>),
    wanted: (&'static Class, Mode, Option<&'static Location<'static>>),
    relation: Relation,
}

impl Circle<'_> {
    fn len(&self) -> usize {
        match self {
            Circle::Learned { nr_links, .. } => *nr_links,
            Circle::Declared { back, .. } => 1 + usize::from(back.is_some()),
        }
    }

    fn link(&self, number: usize) -> Option<Link> {
        let seen = |of: &Observed| Link {
            held: (of.held, of.held_mode, Some(of.sites.0)),
            wanted: (of.wanted, of.wanted_mode, Some(of.sites.1)),
            relation: of.relation,
        };
        match self {
            Circle::Learned { closing, chain, .. } => match number.checked_sub(1) {
                None => Some(seen(closing)),
                Some(earlier) => chain.iter().nth(earlier).map(seen),
            },
            Circle::Declared { refused, .. } if number == 0 => Some(seen(refused)),
            Circle::Declared { refused, back } => back.map(|relation| Link {
                held: (refused.wanted, Mode::Exclusive, None),
                wanted: (refused.held, Mode::Exclusive, None),
                relation,
            }),
        }
    }
}

/// The turn that a relation takes in its chain.
fn slope(relation: Relation) -> i8 {
    match relation {
        Relation::Up => 1,
        Relation::Down => -1,
        Relation::Same | Relation::Other => 0,
    }
}

impl Report {
    /// A schedule that ends in the deadlock; `None` if the report is not about one, if its circle was not kept whole, or if this
    /// way round takes more tiers of owners than there are ([`owner::limit_tiers`]).
    pub fn schedule(&self) -> Option<Schedule<'_>> {
        let circle = match &self.matter {
            Matter::Cycle { closing, chain, .. } if chain.hidden == 0 => {
                Circle::Learned { closing, chain, nr_links: 1 + chain.iter().count() }
            }
            Matter::Nesting { held, wanted, relation, .. } => {
                let (below, above) = (&held.instance, &wanted.instance);
                let refused = Observed {
                    held: below.class,
                    held_mode: held.mode,
                    wanted: above.class,
                    wanted_mode: wanted.mode,
                    relation: *relation,
                    sites: (held.site, wanted.site),
                };
                if self.code == Code::Recursion {
                    let mut alone = Schedule::of(Circle::Declared { refused, back: None });
                    alone.nr_steps = 1;
                    return Some(alone);
                }
                let alike = core::ptr::eq(below.class, above.class) && *relation == Relation::Same;
                // Somebody who works for neither.
                let (below, above) = (below.rank(OwnerId::NOBODY), above.rank(OwnerId::NOBODY));
                let may_go_back = |back: &Relation| permits(self.discipline, above, below, *back);
                let ways_back: &[Relation] = match relation {
                    Relation::Same => &[Relation::Same],
                    Relation::Up => &[Relation::Down],
                    Relation::Down => &[Relation::Up],
                    Relation::Other if below.owned && above.owned => &[Relation::Other, Relation::Same],
                    Relation::Other => &[Relation::Other],
                };
                let back = ways_back.iter().copied().find(may_go_back);
                if !alike && back.is_none() {
                    return None;
                }
                Circle::Declared { refused, back: back.filter(|_| !alike) }
            }
            _ => return None,
        };
        let mut schedule = Schedule::of(circle);
        schedule.walk();
        schedule.cut();
        schedule.fits_tiers(owner::tiers()).then_some(schedule)
    }
}

impl<'a> Schedule<'a> {
    fn of(circle: Circle<'a>) -> Self {
        let step = Step { link: 0, party: Party { chain: 0, height: 0 }, second: false };
        Schedule { circle, steps: [step; MAX_STEPS], nr_steps: 0 }
    }

    fn relation(&self, step: usize) -> Option<Relation> {
        Some(self.circle.link(step % self.circle.len())?.relation)
    }

    /// Lays the steps out, with owners.
    fn walk(&mut self) {
        let nr_links = self.circle.len();
        let strangers = (0..nr_links).filter(|&step| self.relation(step) == Some(Relation::Other));
        let (last_strangers, nr_strangers) = (strangers.clone().next_back(), strangers.count());
        let alike = nr_links == 1 && nr_strangers == 0;
        // One change of owner does not come back to the first; two do.
        let twice = alike || nr_strangers == 1;
        self.nr_steps = if twice { 2 * nr_links } else { nr_links };
        let turns = self.nr_steps / nr_links * nr_strangers;
        for step in 0..self.nr_steps {
            self.steps[step].link = (step % nr_links) as u8;
            self.steps[step].second = alike && step == 1;
        }
        // From where a chain begins, so that no chain is cut in two.
        let first = if let Some(strangers) = last_strangers {
            strangers + 1
        } else {
            // Without strangers: at a lowest owner, which is after a way down and before a way up.
            let ways = |step: usize| self.relation(step).map_or(0, slope);
            let before =
                |step: usize| (1..=nr_links).map(|back| ways(step + nr_links - back)).find(|&way| way != 0);
            let lowest = |&step: &usize| ways(step) == 1 && before(step) == Some(-1);
            // None where all are of one owner.
            (0..nr_links).find(lowest).unwrap_or(0)
        };
        let (mut chain, mut begin) = (0, 0);
        while begin < self.nr_steps {
            let mut end = begin + 1;
            while end < self.nr_steps && self.relation(first + end - 1) != Some(Relation::Other) {
                end += 1;
            }
            // Two chains take turns; of an odd number the last is a third.
            let is_last_of_odd = turns % 2 == 1 && end == self.nr_steps;
            self.climb(first, begin..end, if is_last_of_odd { 2 } else { chain % 2 });
            chain += 1;
            begin = end;
        }
    }

    /// Gives owners of one chain to these steps, counted from `first`.
    fn climb(&mut self, first: usize, steps: core::ops::Range<usize>, chain: u8) {
        let way = |schedule: &Self, step: usize| schedule.relation(first + step).map_or(0, slope);
        // So high that it can go down from here as often as it does before it goes up again.
        let downs = |schedule: &Self, from: usize| {
            let ways = (from..steps.end).map(|step| way(schedule, step));
            ways.take_while(|&way| way != 1).filter(|&way| way == -1).count() as u8
        };
        let mut height = downs(self, steps.start);
        for step in steps.clone() {
            let at = (first + step) % self.nr_steps;
            self.steps[at].party = Party { chain, height };
            match way(self, step) {
                1 => height = (height + 1).max(downs(self, step + 1)),
                -1 => height = downs(self, step + 1),
                _ => {}
            }
        }
    }

    /// Leaves out what lies between two visits of one lock.
    fn cut(&mut self) {
        let is_again = |schedule: &Self| {
            (0..schedule.nr_steps).find_map(|early| {
                let late = (early + 1..schedule.nr_steps).find(|&late| schedule.is_one_lock(early, late))?;
                Some((early, late))
            })
        };
        while let Some((early, late)) = is_again(self) {
            // What comes to it last must fit how the circle goes on from its first visit, or else the other way round.
            let inner = self.leads(late - 1, early);
            let outer = early..late;
            let kept = if inner { outer } else { late..early + self.nr_steps };
            let nr_steps = self.nr_steps;
            let old = self.steps;
            self.nr_steps = kept.len();
            for (new, step) in kept.enumerate() {
                self.steps[new] = old[step % nr_steps];
            }
        }
        // The nesting that was reported comes first; no circle is without it.
        if let Some(closing) = (0..self.nr_steps).find(|&step| self.steps[step].link == 0) {
            self.steps[..self.nr_steps].rotate_left(closing);
        }
    }

    /// Whether no chain has more owners than there are tiers.
    fn fits_tiers(&self, tiers: Option<u8>) -> bool {
        let in_chain = |chain: u8| self.parties().filter(move |party| party.chain == chain).count();
        tiers.is_none_or(|tiers| (0..3).all(|chain| in_chain(chain) <= usize::from(tiers)))
    }

    fn is_one_lock(&self, one: usize, other: usize) -> bool {
        let lock = |step: usize| {
            let Step { link, party, second } = self.steps[step];
            let class = self.circle.link(link.into()).map(|link| core::ptr::from_ref(link.held.0));
            (class, party, second)
        };
        lock(one) == lock(other)
    }

    /// Whether who comes by this step waits for who goes on by that one: no recursive reader waits for a reader.
    fn leads(&self, step: usize, then: usize) -> bool {
        let link = |step: usize| self.circle.link(self.steps[step].link.into());
        let (Some(comes), Some(goes)) = (link(step), link(then)) else { return false };
        comes.wanted.1 != Mode::SharedRecursive || goes.held.1 == Mode::Exclusive
    }

    /// The CPUs, in the order in which they come to wait; the first is the one that reported.
    pub fn actors(&self) -> impl Iterator<Item = Actor> {
        let begins_in_handler = self.actor(0).is_none();
        let order = (0..self.nr_steps)
            .map(move |step| (step + usize::from(begins_in_handler) * (self.nr_steps - 1)) % self.nr_steps);
        order
            .filter_map(|step| self.actor(step))
            .flat_map(|(writer, actor)| writer.into_iter().chain([actor]))
    }

    /// Who makes this step, and the writer that has to wait for that; nobody if it is a handler's, whose CPU came before.
    fn actor(&self, step: usize) -> Option<(Option<Actor>, Actor)> {
        let at = |step: usize| {
            let Step { link, party, second } = self.steps[step % self.nr_steps];
            Some((self.circle.link(link.into())?, party, second))
        };
        let (link, party, second) = at(step)?;
        if link.held.0.is_context() {
            return None;
        }
        let part = |(class, mode, site), party, second| Part { class, party, second, mode, site };
        let holds = Some(part(link.held, party, second));
        let (next, party, second) = at(step + 1)?;
        let (interrupted_by, wanted, (next, party, second)) = if link.wanted.0.is_context() {
            (Some((next.held.0, next.held.2)), next.wanted, at(step + 2)?)
        } else {
            (None, link.wanted, (next, party, second))
        };
        let wants = part(wanted, party, second);
        let waits_for_its_holder = match wants.mode {
            Mode::Exclusive | Mode::SharedRecursive => true,
            Mode::Shared => next.held.1 == Mode::Exclusive,
            Mode::Upgradable => matches!(next.held.1, Mode::Exclusive | Mode::Upgradable),
        };
        let writer = Actor {
            holds: None,
            interrupted_by: None,
            wants: Part { mode: Mode::Exclusive, site: None, ..wants },
        };
        Some(((!waits_for_its_holder).then_some(writer), Actor { holds, interrupted_by, wants }))
    }

    /// The owners, lowest of each chain first.
    pub fn parties(&self) -> impl Iterator<Item = Party> {
        let steps = &self.steps[..self.nr_steps];
        let mut last = None;
        core::iter::from_fn(move || {
            let further =
                steps.iter().map(|step| step.party).filter(|party| last.is_none_or(|last| last < *party));
            last = further.min();
            last
        })
    }
}

#[cfg(test)]
mod tests;
