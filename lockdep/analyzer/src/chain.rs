//! Call chains as the analysis builds them: shared, so that a step further out costs one cell.
//!
//! A chain is made once per acquisition and grows by one step at each call on the way out; thousands of summaries
//! share its tail. It judges nothing and knows no locks; reports get the steps as a list ([`Chain::steps`]).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;

use crate::graph::Step;
use crate::mir::ir::Span;

/// A call chain, outermost first, the acquisition last.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// It goes through a call that may have another callee.
    pub possible: bool,
    /// It goes through a destructor.
    pub destroys: bool,
    first: Option<Arc<Link>>,
}

#[derive(Debug)]
struct Link {
    step: Arc<Step>,
    next: Option<Arc<Link>>,
    length: usize,
}

impl Chain {
    /// The chain of one step.
    pub fn of(step: Step) -> Chain {
        let first = Link { step: Arc::new(step), next: None, length: 1 };
        Chain { first: Some(Arc::new(first)), ..Chain::default() }
    }

    /// The same, reached through `call`.
    pub fn through(&self, call: &Chain) -> Chain {
        let steps: Vec<&Arc<Link>> = call.links().collect();
        let mut first = self.first.clone();
        for link in steps.into_iter().rev() {
            let length = first.as_ref().map_or(0, |next| next.length) + 1;
            first = Some(Arc::new(Link { step: Arc::clone(&link.step), next: first, length }));
        }
        Chain { possible: self.possible || call.possible, destroys: self.destroys || call.destroys, first }
    }

    /// How many steps it has.
    pub fn length(&self) -> usize {
        self.first.as_ref().map_or(0, |link| link.length)
    }

    /// The steps, outermost first.
    pub fn steps(&self) -> Vec<Step> {
        self.links().map(|link| Step::clone(&link.step)).collect()
    }

    /// Where the chain starts.
    pub fn start(&self) -> Option<&Span> {
        self.first.as_ref().map(|link| &link.step.span)
    }

    /// Where the chain ends.
    pub fn end(&self) -> Option<&Span> {
        self.links().last().map(|link| &link.step.span)
    }

    fn links(&self) -> impl Iterator<Item = &Arc<Link>> {
        iter::successors(self.first.as_ref(), |link| link.next.as_ref())
    }
}

impl PartialEq for Chain {
    fn eq(&self, other: &Chain) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Chain {}

impl PartialOrd for Chain {
    fn partial_cmp(&self, other: &Chain) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The better chain is the smaller: certain before possible, then short, then first in order of the steps.
impl Ord for Chain {
    fn cmp(&self, other: &Chain) -> Ordering {
        let weight = |chain: &Chain| (chain.possible, chain.length());
        weight(self).cmp(&weight(other)).then_with(|| {
            for (a, b) in self.links().zip(other.links()) {
                if Arc::ptr_eq(a, b) {
                    return Ordering::Equal;
                }
                if !Arc::ptr_eq(&a.step, &b.step) {
                    let order = a.step.cmp(&b.step);
                    if order != Ordering::Equal {
                        return order;
                    }
                }
            }
            Ordering::Equal
        })
    }
}

/// Keeps the better chain of each key.
pub fn keep<K: Ord>(map: &mut BTreeMap<K, Chain>, key: K, chain: Chain) {
    match map.get_mut(&key) {
        Some(known) if *known <= chain => {}
        Some(known) => *known = chain,
        None => {
            map.insert(key, chain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(function: &str) -> Chain {
        Chain::of(Step { function: function.into(), action: "calls".into(), span: Span::default() })
    }

    #[test]
    fn a_call_comes_before_what_it_leads_to() {
        let chain = step("inner").through(&step("middle")).through(&step("outer"));
        let functions: Vec<String> =
            chain.steps().into_iter().map(|step| step.function.to_string()).collect();
        assert_eq!(functions, ["outer", "middle", "inner"]);
        assert_eq!(chain.length(), 3);
        assert_eq!(chain, step("inner").through(&step("middle").through(&step("outer"))));
    }

    #[test]
    fn the_better_chain_is_kept() {
        let possible = Chain { possible: true, ..step("a") };
        let long = step("b").through(&step("a"));
        let mut map = BTreeMap::from([((), possible)]);
        keep(&mut map, (), long.clone());
        assert_eq!(map[&()], long, "certain before short");
        keep(&mut map, (), step("c"));
        assert_eq!(map[&()], step("c"), "short before long");
        keep(&mut map, (), step("b"));
        assert_eq!(map[&()], step("b"), "first in order");
        keep(&mut map, (), long);
        assert_eq!(map[&()], step("b"));
    }
}
