//! Gates: which locks are surely held where a nesting is closed, and how others may know them again.
//!
//! What `flow.rs` knows of held locks is what *may* be held; a gate must be held. A guard is trusted to be in its local
//! only if the local is *solid*: of a type that is a guard, or surely contains one, and lent mutably to nobody who
//! could take the guard out. A guard that came by an attempt, through code that was not read or in a larger value is
//! not trusted; so a gate may be missed, and none is made up. Called by the other files of the data-flow.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::context::Context;
use crate::flow::Flow;
use crate::graph::{Gate, Gates, Held, THREADS, Which};
use crate::index::last;
use crate::mir::ir::{Body, Operand, Place, Projection, Rvalue, StatementKind, Terminator, Ty};
use crate::model::Effect;
use crate::path::{Path, Root, Step};
use crate::state::State;
use crate::summary::{HeldLock, Lock, Ways};

/// Who runs what is followed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running {
    /// The name of the thread, if there is only one such thread.
    pub thread: Option<Arc<str>>,
    /// It may be at another time, or in another thread, than the function runs in.
    pub apart: bool,
}

impl Flow<'_, '_> {
    /// What is surely held in `state` besides `held`, while `wanted` is waited for, as gates.
    pub(crate) fn gates(&self, state: &State, held: &HeldLock, wanted: &Lock) -> Gates {
        let mut gates = Gates::default();
        let held = match held {
            HeldLock::Known(lock, _) => Some(lock),
            HeldLock::Argument(..) | HeldLock::FromCode(_) => None,
        };
        for lock in self.surely(state, |_| true) {
            let itself = held.is_some_and(|held| held.path.same_way(&lock.path));
            if itself || !lock.path.is_definite() || self.context.is_open(lock.class) {
                continue;
            }
            let gate = |which| Gate { class: lock.class, which };
            if let Some(place) = in_static(&lock.path) {
                gates.held.insert(gate(Which::Static(place.clone())));
                gates.wanted.insert(gate(Which::Static(place)));
            }
            gates.wanted.extend(beside(&lock.path, &wanted.path).map(gate));
            gates.held.extend(held.and_then(|held| beside(&lock.path, &held.path)).map(gate));
        }
        gates
    }

    /// The thread that makes a nesting here is a gate, if there is only one such thread.
    pub(crate) fn in_thread(&self, ways: &mut Ways) {
        ways.apart |= self.by.apart;
        if let Some(thread) = self.by.thread.as_ref().filter(|_| !ways.apart) {
            let gate = Gate { class: THREADS, which: Which::Thread(thread.to_string()) };
            ways.gates.held.insert(gate.clone());
            ways.gates.wanted.insert(gate);
        }
    }

    /// Locks that are surely held exclusively, by locals for which `by` holds.
    pub(crate) fn surely<'s>(
        &self,
        state: &'s State,
        by: impl Fn(usize) -> bool,
    ) -> impl Iterator<Item = &'s Lock> {
        let by = move |local: usize| by(local) && self.solid.contains(&local);
        state.sure.iter().filter_map(move |holding| match &holding.lock {
            HeldLock::Known(lock, Held::Exclusive)
                if holding.holder.is_some_and(&by) && state.held.contains_key(holding) =>
            {
                Some(lock)
            }
            _ => None,
        })
    }
}

/// The name of a place in a static that no pointer leads to.
fn in_static(path: &Path) -> Option<String> {
    let Root::Static(name) = &path.root else { return None };
    let fields = fields(&path.steps)?;
    Some(fields.iter().fold(name.to_string(), |place, field| format!("{place}.{field}")))
}

/// The ways to both locks from the innermost object that contains both, if that object contains them itself.
fn beside(gate: &Path, lock: &Path) -> Option<Which> {
    if gate.root != lock.root || gate.root == Root::Unknown {
        return None;
    }
    let common = gate.steps.iter().zip(&lock.steps).take_while(|(a, b)| a == b).count();
    if gate.steps[..common].contains(&Step::Index) {
        return None;
    }
    let (gate, lock) = (fields(&gate.steps[common..])?, fields(&lock.steps[common..])?);
    (!gate.is_empty() && !lock.is_empty()).then_some(Which::Beside { gate, lock })
}

fn fields(steps: &[Step]) -> Option<Vec<u32>> {
    let field = |step: &Step| match step {
        Step::Field(field) => Some(*field),
        _ => None,
    };
    steps.iter().map(field).collect()
}

/// Locals in which a guard stays, once it is there, until the local is dropped or moved out.
pub(crate) fn solid(context: &Context<'_>, krate: usize, body: &Body) -> BTreeSet<usize> {
    let is_solid = |ty: &Ty| contains_guard(context, krate, ty);
    let mut solid: BTreeSet<usize> =
        body.locals.iter().enumerate().filter(|(_, ty)| is_solid(ty)).map(|(local, _)| local).collect();
    // Who is lent what: a reference that does anything but give access to the content may take the guard out.
    let mut lent: Vec<(usize, usize)> = Vec::new();
    let statements = body.blocks.iter().flat_map(|block| &block.statements);
    for statement in statements {
        let StatementKind::Assign(dest, Rvalue::Ref { mutable: true, place } | Rvalue::RawPtr(place)) =
            &statement.kind
        else {
            continue;
        };
        if solid.contains(&place.local) && !place.projection.contains(&Projection::Deref) {
            match dest.projection.is_empty() {
                true => lent.push((place.local, dest.local)),
                false => drop(solid.remove(&place.local)),
            }
        }
    }
    if !lent.is_empty() {
        let taken = used_otherwise(context, krate, body);
        lent.iter().filter(|(_, reference)| taken.contains(reference)).for_each(|(local, _)| {
            solid.remove(local);
        });
    }
    solid
}

/// Whether a value of the type is a guard, or has one in each of its variants.
fn contains_guard(context: &Context<'_>, krate: usize, ty: &Ty) -> bool {
    let Ty::Path(path, args) = ty else { return false };
    let last = last(path);
    match (last, &args[..]) {
        ("Result", [good, bad]) => [good, bad].iter().all(|ty| contains_guard(context, krate, ty)),
        ("PoisonError", [guard]) => contains_guard(context, krate, guard),
        // Entries and references into maps of many locks are no `…Guard`: two of them may be held at once.
        _ => last.contains("Guard") && context.is_guard(krate, ty),
    }
}

/// Locals that are used for anything but to be dereferenced by a call.
fn used_otherwise(context: &Context<'_>, krate: usize, body: &Body) -> BTreeSet<usize> {
    let mut used = BTreeSet::new();
    let operand = |used: &mut BTreeSet<usize>, operand: &Operand| {
        used.extend(operand.place().map(|place| place.local));
    };
    for block in &body.blocks {
        for statement in &block.statements {
            let StatementKind::Assign(dest, rvalue) = &statement.kind else { continue };
            if !dest.projection.is_empty() {
                used.insert(dest.local);
            }
            match rvalue {
                Rvalue::Use(of) | Rvalue::Cast(of, _) => operand(&mut used, of),
                Rvalue::Ref { place, .. }
                | Rvalue::RawPtr(place)
                | Rvalue::DerefCopy(place)
                | Rvalue::Discriminant(place) => drop(used.insert(place.local)),
                Rvalue::Aggregate(aggregate) => {
                    aggregate.fields.iter().for_each(|(_, of)| operand(&mut used, of));
                }
                Rvalue::Other(operands) => operands.iter().for_each(|of| operand(&mut used, of)),
                Rvalue::ThreadLocal(_) => {}
            }
        }
        match &block.terminator {
            Terminator::Call(call) => {
                let opens = matches!(context.effect(krate, &call.callee), Some(Effect::Deref));
                let first = usize::from(opens && is_whole(call.args.first()));
                call.args.iter().skip(first).for_each(|of| operand(&mut used, of));
            }
            Terminator::Drop(place, _) | Terminator::Yield(place, _) => drop(used.insert(place.local)),
            Terminator::Switch(switch) => operand(&mut used, &switch.on),
            Terminator::Goto(_)
            | Terminator::Return
            | Terminator::End
            | Terminator::Asm(_)
            | Terminator::Unread => {}
        }
    }
    used
}

fn is_whole(operand: Option<&Operand>) -> bool {
    operand.and_then(Operand::place).is_some_and(|place: &Place| place.projection.is_empty())
}
