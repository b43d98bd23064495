//! Locks that nobody else can reach at the time: behind an exclusive borrow, or in a local that was not lent out.
//!
//! Nobody waits for such a lock and its holder waits for nobody, so it nests in nothing; only its holder itself can
//! take it twice. The borrow checker is what makes this sound. Functions that start scoped threads or join closures are
//! left out, since what they hold exclusively is shared among those, and so are those that call such functions. Part of
//! the transfer functions.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, Reversed, Visitable};

use crate::context::Context;
use crate::flow::Flow;
use crate::index::{BodyId, Entry, last};
use crate::mir::ir::{Body, Call, Callee, Operand, Place, Projection, Rvalue, StatementKind, Terminator, Ty};
use crate::model::Effect;
use crate::path::{Path, Root, Step};
use crate::resolve::is_code_trait;
use crate::summary::ClassId;

impl Flow<'_, '_> {
    /// Whether only this function can reach the lock at `path`.
    pub(crate) fn is_alone(&self, path: &Path) -> bool {
        let lent = &*self.context.lent_locals(self.id);
        let Some(lent) = lent.as_ref().filter(|_| !self.context.crowded.contains(&self.id)) else {
            return false;
        };
        let inline = |steps: &[Step]| !steps.contains(&Step::Deref);
        match &path.root {
            Root::Local(local) => inline(&path.steps) && !lent.contains(local),
            Root::Param(param) => match (self.body.locals.get(*param), path.steps.split_first()) {
                (Some(Ty::Ref(true, of)), Some((Step::Deref, rest))) => {
                    inline(rest) && !matches!(**of, Ty::Closure(_))
                }
                _ => false,
            },
            _ => false,
        }
    }
}

impl Context<'_> {
    /// Whether no other thread can ever reach a lock of the class.
    pub(crate) fn is_solitary(&self, class: ClassId) -> bool {
        self.placed.is_solitary(class)
    }

    /// The functions during which threads that they, or those that they call, have started may run code that borrows from
    /// them; `calls` leads from each function to those that it runs.
    pub(crate) fn find_crowded(&self, calls: &DiGraph<(), ()>) -> BTreeSet<BodyId> {
        let start = (0..self.index.bodies.len()).filter(|id| self.starts_beside(*id)).map(NodeIndex::new);
        let callers = Reversed(calls);
        let mut walk = Dfs::from_parts(start.collect(), callers.visit_map());
        std::iter::from_fn(|| walk.next(callers)).map(NodeIndex::index).collect()
    }

    /// Whether a function starts, or wakes with a message, code that may borrow from it, or runs code of which nothing is
    /// known.
    fn starts_beside(&self, id: BodyId) -> bool {
        let Entry { krate, body } = self.index.bodies[id];
        let starts = |call: &Call| {
            let effect = self.effect(krate, &call.callee);
            let unknown = match &call.callee {
                Callee::Place(_) => true,
                Callee::Qualified { of: Some(Ty::Path(of, _)), .. } => is_code_trait(of),
                _ => false,
            };
            starts_others(&call.callee)
                || matches!(effect, Some(Effect::Spawn | Effect::Channel(_)))
                || self.callee_key(krate, &call.callee).is_some_and(|key| key.starts_with("rayon::"))
                || unknown && self.codes_called(id, call).is_empty()
        };
        body.blocks.iter().any(|block| matches!(&block.terminator, Terminator::Call(call) if starts(call)))
    }

    /// The locals of a body whose address goes anywhere but into a lock's own functions; none if the body starts code
    /// that runs beside it.
    fn find_lent(&self, id: BodyId) -> Option<BTreeSet<usize>> {
        let entry = self.index.bodies[id];
        let mut search = Search { address_of: BTreeMap::new(), lent: BTreeSet::new() };
        // Twice, as a loop may use an address in an earlier block than the one that takes it.
        for _ in 0..2 {
            if !search.read(self, entry.krate, entry.body) {
                return None;
            }
        }
        Some(search.lent)
    }

    fn lent_locals(&self, id: BodyId) -> std::cell::Ref<'_, Option<BTreeSet<usize>>> {
        if !self.known_lent.borrow().contains_key(&id) {
            let found = self.find_lent(id);
            self.known_lent.borrow_mut().insert(id, found);
        }
        std::cell::Ref::map(self.known_lent.borrow(), |known| &known[&id])
    }
}

struct Search {
    /// Temporaries that hold the address of (a part of) a local.
    address_of: BTreeMap<usize, usize>,
    lent: BTreeSet<usize>,
}

impl Search {
    /// False if the body starts code that runs beside it.
    fn read(&mut self, context: &Context<'_>, krate: usize, body: &Body) -> bool {
        for block in &body.blocks {
            for statement in &block.statements {
                if let StatementKind::Assign(dest, rvalue) = &statement.kind {
                    self.assign(dest, rvalue);
                }
            }
            if let Terminator::Call(call) = &block.terminator {
                let effect = context.effect(krate, &call.callee);
                if starts_others(&call.callee) || matches!(effect, Some(Effect::Spawn)) {
                    return false;
                }
                let harmless = matches!(effect, Some(Effect::Acquire(_) | Effect::Deref));
                for (at, operand) in call.args.iter().enumerate() {
                    if !(harmless && at == 0) {
                        self.lend(operand);
                    }
                }
                if let (Some(Effect::Deref), Some(of)) =
                    (effect, call.args.first().and_then(|arg| self.target(arg)))
                {
                    self.address_of.insert(call.dest.local, of);
                }
            }
        }
        true
    }

    fn assign(&mut self, dest: &Place, rvalue: &Rvalue) {
        let plain = dest.projection.is_empty();
        match rvalue {
            Rvalue::Ref { place, .. } | Rvalue::RawPtr(place) => {
                let inside = !place.projection.contains(&Projection::Deref);
                let of = if inside { Some(place.local) } else { self.address_of.get(&place.local).copied() };
                match of {
                    Some(of) if plain => {
                        self.address_of.insert(dest.local, of);
                    }
                    of => self.lent.extend(of),
                }
            }
            Rvalue::Use(operand) | Rvalue::Cast(operand, _) if plain => {
                if let Some(of) = self.target(operand) {
                    self.address_of.insert(dest.local, of);
                }
            }
            Rvalue::Use(operand) | Rvalue::Cast(operand, _) => self.lend(operand),
            Rvalue::Aggregate(aggregate) => {
                aggregate.fields.iter().for_each(|(_, operand)| self.lend(operand))
            }
            Rvalue::Other(operands) => operands.iter().for_each(|operand| self.lend(operand)),
            _ => {}
        }
    }

    fn target(&self, operand: &Operand) -> Option<usize> {
        self.address_of.get(&operand.place()?.local).copied()
    }

    fn lend(&mut self, operand: &Operand) {
        let of = self.target(operand);
        self.lent.extend(of);
    }
}

/// Whether a function runs closures on other threads before it returns.
fn starts_others(callee: &Callee) -> bool {
    let Callee::Path { path, .. } = callee else { return false };
    let last = last(path);
    matches!(
        last,
        "scope" | "scope_fifo" | "in_place_scope" | "join" | "join_context" | "broadcast" | "install"
    )
}
