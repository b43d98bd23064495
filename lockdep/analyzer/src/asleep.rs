//! What a future holds while it sleeps: locals that have something in them where it yields.
//!
//! Forward over one body, on the set of locals that may be filled. Whoever destroys a future that is not finished destroys
//! these (`destroy.rs`). Called through `context.rs`, which remembers.

use std::collections::BTreeSet;

use crate::mir::ir::{Block, Body, Operand, StatementKind, Terminator};
use crate::order::successors;

/// The locals of a future that may have something in them where it sleeps; none if the body is no future's. What it
/// captured is not among them.
pub(crate) fn locals(body: &Body) -> Option<BTreeSet<usize>> {
    let yields = |block: &Block| matches!(block.terminator, Terminator::Yield(..));
    if !body.blocks.iter().any(yields) {
        return None;
    }
    let mut asleep = BTreeSet::new();
    let mut known: Vec<Option<BTreeSet<usize>>> = vec![None; body.blocks.len()];
    let mut pending: Vec<(usize, BTreeSet<usize>)> = vec![(0, BTreeSet::new())];
    while let Some((at, before)) = pending.pop() {
        let Some(block) = body.blocks.get(at).filter(|block| !block.cleanup) else { continue };
        let known = &mut known[at];
        if known.as_ref().is_some_and(|known| before.is_subset(known)) {
            continue;
        }
        let known = known.get_or_insert_default();
        known.extend(before);
        let mut filled = known.clone();
        for statement in &block.statements {
            match &statement.kind {
                StatementKind::Assign(dest, rvalue) => {
                    rvalue.operands().for_each(|operand| empty(&mut filled, operand));
                    filled.insert(dest.local);
                }
                StatementKind::StorageLive(local) | StatementKind::StorageDead(local) => {
                    filled.remove(local);
                }
            }
        }
        match &block.terminator {
            Terminator::Drop(place, _) if place.projection.is_empty() => {
                filled.remove(&place.local);
            }
            Terminator::Call(call) => {
                call.args.iter().for_each(|operand| empty(&mut filled, operand));
                filled.insert(call.dest.local);
            }
            Terminator::Yield(..) => asleep.extend(filled.iter().filter(|local| **local > body.params)),
            _ => {}
        }
        pending.extend(successors(block).map(|next| (next, filled.clone())));
    }
    Some(asleep)
}

fn empty(filled: &mut BTreeSet<usize>, operand: &Operand) {
    if let Operand::Move(place) = operand
        && place.projection.is_empty()
    {
        filled.remove(&place.local);
    }
}
