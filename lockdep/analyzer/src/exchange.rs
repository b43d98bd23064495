//! Calls that move, exchange or turn guards, as the model table describes them: `mem::replace`, `Option::take`,
//! `ManuallyDrop`, `downgrade`, `force_unlock`.
//!
//! They matter because the general rule for foreign code, that a guard may be wherever there is room for it, would
//! have it in two places. Where it is not certain which part of a local is meant, that rule is applied after all.
//! Part of the transfer functions; called from `apply.rs`.

use crate::chain::{Chain, keep};
use crate::flow::Flow;
use crate::graph::Held;
use crate::mir::ir::{Call, Operand, Place, Span, Ty};
use crate::model::Exchange;
use crate::path::{Path, Root, Slot, Step, Value};
use crate::state::{Holding, State, Tree};
use crate::summary::HeldLock;

/// What a slot holds: what is known of it, and the guards in it.
type Content = (Tree, Vec<(HeldLock, Chain)>);

impl Flow<'_, '_> {
    /// A call that exchanges contents.
    pub(crate) fn exchanging(
        &mut self,
        state: &mut State,
        call: &Call,
        exchange: Exchange,
        block: usize,
        span: &Span,
    ) {
        let first = call.args.first().and_then(|operand| self.lent(state, operand));
        let second = call.args.get(1);
        match (exchange, first) {
            (Exchange::Moves, _) => {
                let Some(Operand::Move(place)) = call.args.first() else {
                    let value = call.args.first().map_or(Value::Unknown, |arg| self.value(state, arg));
                    return self.put(state, &call.dest, vec![(Vec::new(), value)], block * 4096);
                };
                let tree = self.copy_tree(state, place);
                // A reference does not release what it owns no more.
                let leaked =
                    matches!(self.type_of(&call.dest), Ty::Ref(..)) && self.owns(&self.type_of(place));
                let holder = if leaked { None } else { self.holder_at(state, &call.dest) };
                self.move_out(state, place, holder);
                self.put(state, &call.dest, tree, block * 4096);
            }
            (Exchange::Downgrades, _) => {
                if let Some(Operand::Move(place)) = call.args.first() {
                    self.downgrade(state, place);
                }
                self.exchanging(state, call, Exchange::Moves, block, span);
            }
            (Exchange::Unlocks, _) => {
                let lock = call.args.first().map_or(Path::unknown(), |arg| self.value(state, arg).pointee());
                state.held.retain(|holding, _| match &holding.lock {
                    HeldLock::Known(held, _) => !held.path.same_way(&lock),
                    _ => true,
                });
                self.set_unknown(state, &call.dest, block);
            }
            (Exchange::Takes, Some(slot)) => {
                let content = self.lift(state, &slot);
                self.set_down(state, &call.dest, content, block);
            }
            (Exchange::Replaces, Some(slot)) => {
                let old = self.lift(state, &slot);
                if let Some(Operand::Move(place)) = second {
                    let tree = self.copy_tree(state, place);
                    self.move_out(state, place, Some(slot.0));
                    state.store(&slot, tree);
                }
                self.set_down(state, &call.dest, old, block);
            }
            (Exchange::Swaps, Some(one)) => {
                let Some(other) = second.and_then(|operand| self.lent(state, operand)) else {
                    return self.foreign(state, call, block, span);
                };
                let (a, b) = (self.lift(state, &one), self.lift(state, &other));
                for (slot, (tree, guards)) in [(one, b), (other, a)] {
                    state.store(&slot, tree);
                    hold(state, Some(slot.0), guards);
                }
                self.set_unknown(state, &call.dest, block);
            }
            (Exchange::Drops, Some(slot)) => {
                let ty = self.body.locals.get(slot.0).cloned().unwrap_or(Ty::Never);
                let target = Path { steps: slot.1.clone(), ..Path::from(Root::Local(slot.0)) };
                self.run_destructors(state, &ty, &target, None, span);
                self.lift(state, &slot);
                self.set_unknown(state, &call.dest, block);
            }
            (Exchange::Drops, None) => {
                let first = call.args.first();
                let ty = first.and_then(Operand::place).map_or(Ty::Never, |place| self.type_of(place));
                let target = first.map_or(Path::unknown(), |first| self.value(state, first).pointee());
                self.run_destructors(state, &crate::index::pointee(&ty), &target, None, span);
                self.set_unknown(state, &call.dest, block);
            }
            (Exchange::Takes | Exchange::Replaces | Exchange::Swaps, None) => {
                self.foreign(state, call, block, span);
            }
        }
    }

    /// The slot of this function's that an argument lends, if all guards of its local are in it.
    fn lent(&self, state: &State, operand: &Operand) -> Option<Slot> {
        let path = self.value(state, operand).pointee();
        let Root::Local(local) = path.root else { return None };
        let inside = |step: &Step| matches!(step, Step::Field(_) | Step::Variant(_));
        let ty = self.body.locals.get(local)?;
        let certain = path.steps.is_empty() || self.context.holds_one_guard(self.krate, ty);
        (certain && path.steps.iter().all(inside)).then_some((local, path.steps))
    }

    /// Whether a value of the type may have guards of its own, and none that are only lent.
    fn owns(&self, ty: &Ty) -> bool {
        self.has_room(ty) && !ty.any(&mut |part| matches!(part, Ty::Ref(..)))
    }

    /// Takes the content out of a slot.
    fn lift(&self, state: &mut State, slot: &Slot) -> Content {
        let tree = state.subtree(slot.0, &slot.1);
        let guards = state.held_by(slot.0).map(|(lock, chain)| (lock.clone(), chain.clone())).collect();
        state.release(slot.0);
        state.clear(slot);
        state.values.insert(slot.clone(), Value::Unknown);
        (tree, guards)
    }

    fn set_down(&mut self, state: &mut State, dest: &Place, (tree, guards): Content, block: usize) {
        let holder = self.holder_at(state, dest);
        let tree = if tree.is_empty() { vec![(Vec::new(), Value::Unknown)] } else { tree };
        self.put(state, dest, tree, block * 4096);
        hold(state, holder, guards);
    }

    /// The guard in a local lets other readers in from here on.
    fn downgrade(&self, state: &mut State, place: &Place) {
        let guards: Vec<(HeldLock, Chain)> =
            state.held_by(place.local).map(|(lock, chain)| (lock.clone(), chain.clone())).collect();
        state.release(place.local);
        let shared = |lock: HeldLock| match lock {
            HeldLock::Known(lock, _) => HeldLock::Known(lock, Held::Shared),
            other => other,
        };
        hold(
            state,
            Some(place.local),
            guards.into_iter().map(|(lock, chain)| (shared(lock), chain)).collect(),
        );
    }
}

fn hold(state: &mut State, holder: Option<usize>, guards: Vec<(HeldLock, Chain)>) {
    for (lock, chain) in guards {
        keep(&mut state.held, Holding { lock, holder }, chain);
    }
}
