//! The captures of closures that the compiler does not print.
//!
//! A closure that captures two places of one variable (`self.a` and `self.b`) is printed with a field for each
//! *variable* it captures, so that the last captures are missing (`{ self: move _3 }` with `_4` after it). The types
//! of all captures stand in a comment, and what borrows a missing one is a temporary that nothing else uses; a missing
//! one that is moved can be told only if it is a whole variable. Nothing is guessed: if this does not agree with the
//! types, the body is incomplete. A part of a variable that is copied leaves no trace where the closure is built; what it
//! is stands in the closure's own text (`debug self__state`), and in which field in whoever builds the struct: with these
//! [`Hints`] the body is read once more. Closures that are coroutines have no such comment, and are not completed.
//! Called by `bodies.rs` only; hints are gathered by whoever has all texts.

use std::collections::BTreeMap;

use super::ir::{
    Aggregate, AggregateKind, Body, Callee, Operand, Place, Projection, Rvalue, Statement, StatementKind,
    Terminator, Ty,
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

/// Said of a body that is incomplete for this reason.
pub(crate) const NOT_PRINTED: &str = "the captures of a closure are not printed";

/// What other bodies say of captures.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    /// The names of captures by the closure's definition path: `self__state`.
    pub(crate) captures: BTreeMap<String, Vec<String>>,
    /// The names of fields by the struct's path.
    pub(crate) fields: BTreeMap<String, Vec<String>>,
}

impl Hints {
    /// The names of captures in the text of a closure, in order: `debug self__state => ((*_1).1: u8);`.
    pub(crate) fn captures_of(text: &str) -> Vec<String> {
        let named = text.lines().filter_map(|line| {
            let (name, place) = line.trim_start().strip_prefix("debug ")?.split_once(" => ")?;
            let place = place.trim_start_matches(['(', '*']).strip_prefix("_1")?.trim_start_matches(')');
            let position = place.strip_prefix('.')?.split(':').next()?.parse::<usize>().ok()?;
            Some((position, name.to_owned()))
        });
        let mut found: BTreeMap<usize, String> = BTreeMap::new();
        for (position, name) in named {
            found.entry(position).or_insert(name);
        }
        found
            .into_iter()
            .enumerate()
            .map_while(|(at, (position, name))| (at == position).then_some(name))
            .collect()
    }

    /// The capture at a position, if it is a field of a variable that is a struct by value.
    fn place(&self, body: &Body, closure: &str, position: usize) -> Option<Place> {
        let (variable, field) = self.captures.get(closure)?.get(position)?.split_once("__")?;
        let local = local_named(&body.names, variable)?;
        let Ty::Path(path, _) = body.locals.get(local)? else { return None };
        let position = self.fields.get(&**path)?.iter().position(|known| known == field)?;
        // The type is the caller's to say.
        let projection = vec![Projection::Field(u32::try_from(position).ok()?, Ty::Never)];
        Some(Place { local, projection: projection.into() })
    }
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
pub(super) fn complete(body: &mut Body, incomplete: &[Incomplete], hints: &Hints) -> bool {
    if incomplete.is_empty() {
        return true;
    }
    let uses = count_uses(body);
    let mut is_complete = true;
    for closure in incomplete {
        is_complete &=
            add_missing(body, closure, &uses).or_else(|| add_hinted(body, closure, hints)).is_some();
    }
    is_complete
}

fn add_missing(body: &mut Body, closure: &Incomplete, uses: &BTreeMap<usize, u32>) -> Option<()> {
    let types = closure.types.as_ref()?;
    let block = body.blocks.get_mut(closure.block)?;
    let (before, from) = block.statements.split_at_mut_checked(closure.statement)?;
    let StatementKind::Assign(_, Rvalue::Aggregate(aggregate)) = &mut from.first_mut()?.kind else {
        return None;
    };
    let fields = &mut aggregate.fields;
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

/// Adds the captures that the hints name, if they agree with those that are printed.
fn add_hinted(body: &mut Body, closure: &Incomplete, hints: &Hints) -> Option<()> {
    let types = closure.types.as_ref()?;
    let statement = body.blocks.get(closure.block)?.statements.get(closure.statement)?;
    let StatementKind::Assign(_, Rvalue::Aggregate(aggregate)) = &statement.kind else { return None };
    let Aggregate { kind, fields } = &**aggregate;
    let AggregateKind::Closure(id, _) = kind else { return None };
    let (Some((_, first)), 1) = (fields.first(), fields.len()) else { return None };
    let mut operands = Vec::new();
    for (position, ty) in types.iter().enumerate() {
        let mut place = hints.place(body, id, position)?;
        if let Some(Projection::Field(_, of)) = place.projection.steps_mut().last_mut() {
            *of = ty.clone();
        }
        operands.push(match ty {
            Ty::Ref(false, _) => Operand::Copy(place),
            _ => Operand::Move(place),
        });
    }
    let same = |a: &Place, b: &Place| {
        let number = |place: &Place| match &*place.projection {
            [Projection::Field(number, _)] => Some(*number),
            _ => None,
        };
        a.local == b.local && number(a).is_some() && number(a) == number(b)
    };
    same(first.place()?, operands.first()?.place()?).then_some(())?;
    let statement = body.blocks.get_mut(closure.block)?.statements.get_mut(closure.statement)?;
    if let StatementKind::Assign(_, Rvalue::Aggregate(aggregate)) = &mut statement.kind {
        aggregate.fields.extend(operands.into_iter().skip(1).map(|operand| (None, operand)));
    }
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
            Terminator::Switch(switch) => each_operand(std::slice::from_ref(&switch.on), &mut count),
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
