//! An order of a function's blocks in which each comes after all from which it is reached, if there is one.
//!
//! With it the data-flow has the final state of a block when it comes to it, so that once is enough. It knows nothing of
//! locks. Used by `flow.rs` only.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::flow::Flow;
use crate::mir::ir::{Block, Body, Terminator};
use crate::state::State;

/// The order of the blocks of a body without loops.
pub struct Order {
    /// Where each block comes; those that are not reached come last.
    pub place: Vec<usize>,
    /// The order is that of the blocks' numbers.
    pub is_numeric: bool,
}

/// How far the search is with a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    Before,
    Within,
    After,
}

impl Order {
    /// The order of the blocks that are reached without unwinding; none if there is a loop.
    pub fn of(body: &Body) -> Option<Order> {
        let blocks = &body.blocks;
        let mut visits = vec![Visit::Before; blocks.len()];
        let mut place = vec![usize::MAX; blocks.len()];
        let mut next = blocks.len();
        let mut is_numeric = true;
        // A block, and how many of its successors were looked at.
        let mut pending: Vec<(usize, usize)> = blocks.first().map(|_| (0, 0)).into_iter().collect();
        while let Some((block, done)) = pending.pop() {
            visits[block] = Visit::Within;
            let Some(successor) = successor(&blocks[block], done) else {
                visits[block] = Visit::After;
                next -= 1;
                place[block] = next;
                continue;
            };
            pending.push((block, done + 1));
            if blocks.get(successor).is_none_or(|block| block.cleanup) {
                continue;
            }
            is_numeric &= successor > block;
            match visits[successor] {
                Visit::Before => pending.push((successor, 0)),
                Visit::Within => return None,
                Visit::After => {}
            }
        }
        if is_numeric {
            place = (0..blocks.len()).collect();
        }
        Some(Order { place, is_numeric })
    }
}

impl Flow<'_, '_> {
    /// Effects and states at once, as without loops each block needs to be looked at only once; false if the order in
    /// which blocks are looked at matters, and it is not that of their numbers.
    pub(crate) fn run_once(&mut self, order: &Order) -> bool {
        let returns = |block: &&Block| matches!(block.terminator, Terminator::Return);
        if !order.is_numeric && self.body.blocks.iter().filter(returns).count() > 1 {
            return false;
        }
        let mut pending: BTreeMap<(usize, usize), State> = BTreeMap::new();
        if !self.body.blocks.is_empty() {
            pending.insert((0, 0), self.initial());
        }
        while let Some(((_, block), state)) = pending.pop_first() {
            self.course.block = block;
            let states = self.block(block, state);
            self.course.leads_to(states.iter().map(|(next, _)| *next));
            for (next, state) in states {
                if self.body.blocks.get(next).is_none_or(|b| b.cleanup) {
                    continue;
                }
                match pending.entry((order.place[next], next)) {
                    Entry::Occupied(mut known) => {
                        known.get_mut().join(&state, &|one, other| self.context.either(one, other));
                    }
                    Entry::Vacant(entry) => drop(entry.insert(state)),
                }
            }
        }
        let first_counts = self.output.as_ref().is_some_and(|output| !output.pairs.is_empty());
        order.is_numeric || !first_counts && !self.course.has_signals()
    }
}

/// The blocks that may come next.
pub(crate) fn successors(block: &Block) -> impl Iterator<Item = usize> {
    (0..).map_while(|position| successor(block, position))
}

/// Whether a block can be come to again from itself.
pub(crate) fn is_in_loop(body: &Body, block: usize) -> bool {
    let mut seen = BTreeSet::new();
    let mut pending = vec![block];
    while let Some(at) = pending.pop() {
        for next in body.blocks.get(at).into_iter().flat_map(successors) {
            if next == block {
                return true;
            }
            if seen.insert(next) {
                pending.push(next);
            }
        }
    }
    false
}

/// The successor at a position among all.
fn successor(block: &Block, position: usize) -> Option<usize> {
    let only = |block: &usize| (position == 0).then_some(*block);
    match &block.terminator {
        Terminator::Goto(next) | Terminator::Drop(_, next) | Terminator::Yield(_, next) => only(next),
        Terminator::Switch(switch) => {
            switch.targets.iter().map(|(_, block)| *block).chain(switch.otherwise).nth(position)
        }
        Terminator::Call(call) => call.target.as_ref().and_then(only),
        Terminator::Asm(next) => next.get(position).copied(),
        Terminator::Return | Terminator::End | Terminator::Unread => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mir::read_body;

    fn place(blocks: &[&str]) -> Option<Vec<usize>> {
        let mut text = "fn f(_1: u8) -> () {\n    let mut _0: ();\n".to_owned();
        for (number, end) in blocks.iter().enumerate() {
            text.push_str(&format!("\n    bb{number}: {{\n        {end};\n    }}\n"));
        }
        text.push_str("}\n");
        let (bodies, problems) = read_body("f", &text);
        assert_eq!(problems, []);
        Order::of(&bodies[0]).map(|order| order.place)
    }

    #[test]
    fn a_block_comes_after_those_before_it() {
        let branch = "switchInt(copy _1) -> [0: bb1, otherwise: bb2]";
        assert_eq!(place(&[branch, "goto -> bb3", "goto -> bb3", "return"]), Some(vec![0, 1, 2, 3]));
        // The ways meet in a block of a low number.
        let branch = "switchInt(copy _1) -> [0: bb2, otherwise: bb3]";
        let order = place(&[branch, "return", "goto -> bb3", "goto -> bb1"]).expect("no loop");
        assert!(order[0] < order[2] && order[2] < order[3] && order[3] < order[1], "{order:?}");
    }

    #[test]
    fn a_loop_has_no_order() {
        let branch = "switchInt(copy _1) -> [0: bb0, otherwise: bb1]";
        assert_eq!(place(&[branch, "return"]), None);
    }
}
