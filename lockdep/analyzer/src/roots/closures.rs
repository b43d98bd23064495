//! Closures: whether all that is done with one is seen where it is made, and who runs it then.
//!
//! A closure is followed through the locals of its maker only, by its type, of which there is no other value. Put into
//! anything, returned, handed to a function that was read, or to one of another crate than std, it may be run by any
//! thread. Called by `roots.rs` only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Search, Way};
use crate::index::{BodyId, last, type_of};
use crate::mir::ir::{
    AggregateKind, Body, Call, Callee, Operand, Place, Rvalue, StatementKind, Terminator, Ty,
};
use crate::model::{Effect, canonical};
use crate::resolve::is_code_trait;

/// Functions of std that keep what they are given, or run it elsewhere, though neither their result nor the type of
/// another argument says so.
const KEEPING: [&str; 4] = ["set_hook", "update_hook", "pre_exec", "spawn"];

impl Search<'_, '_> {
    /// Closures: what is done with them where they are made, and whether they are known anywhere else.
    pub(super) fn closures(&mut self) {
        let index = self.context.index;
        let mut known: BTreeMap<(usize, Arc<str>), BTreeSet<Option<BodyId>>> = BTreeMap::new();
        let bodies = index.bodies.iter().enumerate().map(|(id, entry)| (Some(id), entry));
        for (id, entry) in bodies.chain(index.constants.iter().map(|entry| (None, entry))) {
            for ty in &entry.body.locals {
                ty.any(&mut |part| {
                    if let Ty::Closure(text) = part {
                        known.entry((entry.krate, Arc::clone(text))).or_default().insert(id);
                    }
                    false
                });
            }
        }
        let made = std::mem::take(&mut self.made);
        let mut makers: BTreeMap<BodyId, BTreeSet<BodyId>> = BTreeMap::new();
        for (maker, closures) in &made {
            for (closure, ty) in closures {
                makers.entry(*closure).or_default().insert(*maker);
                let entry = index.bodies[*maker];
                let ways =
                    Uses { search: self, maker: *maker, krate: entry.krate, body: entry.body, ty }.ways();
                match ways {
                    Some(ways) => self.ways.entry(*closure).or_default().extend(ways),
                    None => drop(self.open.insert(*closure)),
                }
            }
        }
        for (id, entry) in index.bodies.iter().enumerate() {
            if !entry.body.id.contains("{closure#") || self.begin.contains(&id) {
                continue;
            }
            let makers = makers.get(&id);
            let ty = makers.and_then(|makers| made[makers.first()?].get(&id));
            let elsewhere = |text: &Arc<str>| {
                let of = |one: &Option<BodyId>| {
                    one.is_some_and(|one| one == id || makers.is_some_and(|makers| makers.contains(&one)))
                };
                known.get(&(entry.krate, Arc::clone(text))).is_some_and(|all| !all.iter().all(of))
            };
            match ty {
                Some(Ty::Closure(text)) if text.starts_with("closure@") && !elsewhere(text) => {}
                _ => drop(self.open.insert(id)),
            }
        }
    }
}

/// What a function does with a closure that it makes.
struct Uses<'s, 'c, 'a> {
    search: &'s Search<'c, 'a>,
    maker: BodyId,
    krate: usize,
    body: &'a Body,
    ty: &'s Ty,
}

impl Uses<'_, '_, '_> {
    /// The ways to the closure; none if it may go elsewhere.
    fn ways(&self) -> Option<BTreeSet<(BodyId, usize, Way)>> {
        let mut ways = BTreeSet::new();
        if self.knows(self.body.locals.first()?) {
            return None;
        }
        for (number, block) in self.body.blocks.iter().enumerate() {
            for statement in &block.statements {
                if let StatementKind::Assign(dest, rvalue) = &statement.kind
                    && !self.stays(dest, rvalue)
                {
                    return None;
                }
            }
            if let Terminator::Call(call) = &block.terminator {
                ways.extend(self.given(call)?.map(|way| (self.maker, number, way)));
            }
        }
        Some(ways)
    }

    fn knows(&self, ty: &Ty) -> bool {
        ty.any(&mut |part| part == self.ty)
    }

    fn has(&self, place: &Place) -> bool {
        self.body.locals.get(place.local).is_none_or(|ty| self.knows(ty))
    }

    /// Whether an assignment leaves the closure in a local of its type, or of references to it.
    fn stays(&self, dest: &Place, rvalue: &Rvalue) -> bool {
        let makes = matches!(rvalue, Rvalue::Aggregate(made)
            if matches!(&made.kind, AggregateKind::Closure(_, ty) if ty == self.ty));
        let from = match rvalue {
            Rvalue::Ref { place, .. } | Rvalue::RawPtr(place) | Rvalue::DerefCopy(place) => self.has(place),
            other => other.operands().filter_map(Operand::place).any(|place| self.has(place)),
        };
        if !makes && !from {
            return true;
        }
        let moves = matches!(rvalue, Rvalue::Use(_) | Rvalue::Ref { .. });
        let mut to = self.body.locals.get(dest.local);
        while let Some(Ty::Ref(_, inner)) = to {
            to = Some(inner);
        }
        (makes != moves) && dest.projection.is_empty() && to == Some(self.ty)
    }

    /// How a call leads to the closure, if it does; none if the closure may be kept.
    fn given(&self, call: &Call) -> Option<Option<Way>> {
        let context = self.search.context;
        let mut given =
            call.args.iter().filter(|operand| operand.place().is_some_and(|place| self.has(place)));
        let (first, second) = (given.next(), given.next());
        let Some(operand) = first else { return Some(None) };
        if second.is_some() || self.has(&call.dest) {
            return None;
        }
        if let Callee::Qualified { of: Some(Ty::Path(of, _)), method, .. } = &call.callee
            && is_code_trait(of)
            && method.starts_with("call")
        {
            return (call.args.first() == Some(operand)).then_some(Some(Way::Called));
        }
        let ty = operand.place().map(|place| type_of(&self.body.locals, place));
        if ty.as_ref() != Some(self.ty) {
            return None;
        }
        if self.search.starts(self.krate, call) {
            return Some(Some(Way::Started));
        }
        let effect = context.known_effect(self.krate, &call.callee);
        let name = canonical(&call.callee)?;
        let result = type_of(&self.body.locals, &call.dest);
        let of_std = |krate: String| ["std", "core", "alloc"].contains(&krate.as_str());
        let is_std = context.index.foreign_crate(self.krate, &name).is_some_and(of_std)
            && context.callees(self.maker, &call.callee, &call.args).bodies.is_empty();
        if !is_std || KEEPING.contains(&last(&name)) {
            return None;
        }
        match effect {
            // What the function starts is waited for; it gets the closure by itself, once.
            Some(Effect::Scope) => Some(Some(Way::Called)),
            _ if context.may_hide(self.krate, &result) => None,
            _ => Some(Some(Way::Given)),
        }
    }
}
