//! The captures of closures that the compiler does not print.
//!
//! A closure that captures two places of one variable (`self.a` and `self.b`) is printed with a field for each
//! *variable* it captures, so that the last captures are missing (`{ self: move _3 }` with `_4` after it). The types
//! of all captures stand in a comment, and what borrows a missing one is a temporary that nothing else uses; a missing
//! one that is moved can be told only if it is a whole variable. Nothing is guessed: if this does not agree with the
//! types, the body is incomplete. Closures that are coroutines have no such comment, and are not completed. Called by
//! `bodies.rs` only.

use std::collections::BTreeMap;

use super::ir::{
    Aggregate, Body, Callee, Operand, Place, Projection, Rvalue, Statement, StatementKind, Terminator, Ty,
};
use super::lex::split_list;
use super::types::Types;

/// A closure with fewer fields than captures.
pub(super) struct Incomplete {
    /// The block that builds it.
    pub(super) block: usize,
    /// The statement that builds it.
    pub(super) statement: usize,
    /// The types of all its captures; none if they could not be read.
    pub(super) types: Option<Vec<Ty>>,
}

/// Reads the tuple of captures in a comment: `(&'{erased} S<T/#0>, u8),`. None if it cannot be read.
pub(super) fn capture_types(argument: &str) -> Option<Vec<Ty>> {
    let inner = argument.trim_end_matches(',').strip_prefix('(')?.strip_suffix(')')?;
    let parts = split_list(inner)?;
    Some(parts.into_iter().map(|part| Types::default().read(&plain(part)).unwrap_or(Ty::Never)).collect())
}

/// The comment prints `'{erased}` for lifetimes, and parameters with their indexes (`T/#0`).
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let erased = text.replace("'{erased}", "'_");
    let mut parts = erased.split("/#");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    out
}

/// Adds the missing captures; false if some cannot be found.
pub(super) fn complete(body: &mut Body, incomplete: &[Incomplete]) -> bool {
    if incomplete.is_empty() {
        return true;
    }
    let uses = count_uses(body);
    let mut is_complete = true;
    for closure in incomplete {
        is_complete &= add_missing(body, closure, &uses).is_some();
    }
    is_complete
}

fn add_missing(body: &mut Body, closure: &Incomplete, uses: &BTreeMap<usize, u32>) -> Option<()> {
    let types = closure.types.as_ref()?;
    let block = body.blocks.get_mut(closure.block)?;
    let (before, from) = block.statements.split_at_mut_checked(closure.statement)?;
    let StatementKind::Assign(_, Rvalue::Aggregate(Aggregate { fields, .. })) = &mut from.first_mut()?.kind
    else {
        return None;
    };
    let missing = types.get(fields.len()..)?;
    let last_variable = fields.last().and_then(|(name, _)| local_named(&body.names, name.as_deref()?));
    // The temporaries that only this closure uses, the last one first.
    let mut unused = before.iter().rev().filter_map(assigned).take_while(|local| !uses.contains_key(local));
    let mut found = Vec::new();
    for ty in missing.iter().rev() {
        // The last capture is of the variable printed last; it is all of it if the types say so.
        let whole = last_variable.filter(|local| found.is_empty() && agrees(&body.locals, *local, ty));
        let local = whole.or_else(|| unused.next())?;
        agrees(&body.locals, local, ty).then_some(())?;
        found.push((None, Operand::Move(Place::local(local))));
    }
    // Names and captures agree for the first only.
    fields.iter_mut().skip(1).for_each(|(name, _)| *name = None);
    fields.extend(found.into_iter().rev());
    Some(())
}

/// Whether a local has a type.
fn agrees(locals: &[Ty], local: usize, ty: &Ty) -> bool {
    locals.get(local).is_some_and(|printed| is_same(printed, ty))
}

/// Whether two types are the same; the comment prints default arguments too.
fn is_same(printed: &Ty, full: &Ty) -> bool {
    let all = |printed: &[Ty], full: &[Ty]| printed.iter().zip(full).all(|(a, b)| is_same(a, b));
    match (printed, full) {
        (Ty::Path(a, some), Ty::Path(b, more)) => a == b && some.len() <= more.len() && all(some, more),
        (Ty::Tuple(a), Ty::Tuple(b)) => a.len() == b.len() && all(a, b),
        (Ty::Ref(m, a), Ty::Ref(n, b)) | (Ty::Ptr(m, a), Ty::Ptr(n, b)) => m == n && is_same(a, b),
        (Ty::Slice(a), Ty::Slice(b)) => is_same(a, b),
        _ => printed == full,
    }
}

/// The local of that name, if there is only one.
fn local_named(names: &BTreeMap<usize, String>, name: &str) -> Option<usize> {
    let mut found = names.iter().filter(|(_, known)| *known == name).map(|(local, _)| *local);
    found.next().filter(|_| found.next().is_none())
}

/// The local that a statement assigns a borrow or a value to.
fn assigned(statement: &Statement) -> Option<usize> {
    match &statement.kind {
        StatementKind::Assign(dest, _) => Some(dest.local),
        StatementKind::StorageLive(_) | StatementKind::StorageDead(_) => None,
    }
}

/// How often each local is used other than by being assigned to as a whole.
fn count_uses(body: &Body) -> BTreeMap<usize, u32> {
    let mut uses = BTreeMap::new();
    let mut count = |place: &Place| *uses.entry(place.local).or_default() += 1;
    for block in &body.blocks {
        for statement in &block.statements {
            let StatementKind::Assign(dest, value) = &statement.kind else { continue };
            if dest.projection.iter().any(|step| *step != Projection::Index) {
                count(dest);
            }
            each_place(value, &mut count);
        }
        match &block.terminator {
            Terminator::Drop(place, _) | Terminator::Yield(place, _) => count(place),
            Terminator::Switch { on, .. } => each_operand(std::slice::from_ref(on), &mut count),
            Terminator::Call(call) => {
                count(&call.dest);
                each_operand(&call.args, &mut count);
                if let Callee::Place(place) = &call.callee {
                    count(place);
                }
            }
            _ => {}
        }
    }
    uses
}

fn each_place(value: &Rvalue, count: &mut impl FnMut(&Place)) {
    match value {
        Rvalue::Use(operand) | Rvalue::Cast(operand, _) => each_operand(std::slice::from_ref(operand), count),
        Rvalue::Ref { place, .. }
        | Rvalue::RawPtr(place)
        | Rvalue::DerefCopy(place)
        | Rvalue::Discriminant(place) => count(place),
        Rvalue::ThreadLocal(_) => {}
        Rvalue::Aggregate(aggregate) => aggregate.fields.iter().for_each(|(_, operand)| {
            each_operand(std::slice::from_ref(operand), count);
        }),
        Rvalue::Other(operands) => each_operand(operands, count),
    }
}

fn each_operand(operands: &[Operand], count: &mut impl FnMut(&Place)) {
    for operand in operands {
        if let Operand::Copy(place) | Operand::Move(place) = operand {
            count(place);
        }
    }
}
