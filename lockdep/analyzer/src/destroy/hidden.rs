//! Destruction of values whose types are not said where they go away: of a parameter, of what `impl Trait` stands for.
//!
//! What the program puts there is known from the calls (`instances.rs`), from the value if that is code, and from what the
//! functions of such a result return. Called from `destroy.rs`.

use std::collections::BTreeSet;

use super::Destroying;
use crate::context::Context;
use crate::flow::Flow;
use crate::index::{BodyId, Entry, type_of};
use crate::instances::is_parameter_of;
use crate::mir::ir::{AggregateKind, Body, Operand, Rvalue, Span, StatementKind, Terminator, Ty};
use crate::path::{Path, Root, Value};
use crate::state::State;
use crate::summary::Note;

impl Flow<'_, '_> {
    /// Destroys a value of type `ty`, which is a parameter or opaque, in `target`.
    pub(super) fn destroy_hidden(
        &mut self,
        state: &mut State,
        ty: &Ty,
        target: &Path,
        destroying: Destroying,
        span: &Span,
    ) {
        let context = self.context;
        let mut found: BTreeSet<(usize, Ty)> = BTreeSet::new();
        if destroying.put_there {
            // The parameters of what was put there are those of another function.
        } else if let Some(types) = context.instances.of(context.index, self.id, ty) {
            found.extend(types.iter().cloned());
        } else if let Ty::Opaque(_) = ty {
            found.extend(codes(state, target).into_iter().filter_map(|code| self.type_of_code(code)));
            if found.is_empty() {
                found = context.returned_as(self.id, ty);
            }
        }
        let given = || is_parameter_of(context.index, self.id, ty);
        let unknown = found.is_empty() && matches!(ty, Ty::Opaque(_)) && !destroying.finished;
        let takes_locks = |body: BodyId| context.destructors.contains(&body);
        if unknown && context.index.destructors().any(takes_locks) && !given() {
            self.note(Note::DynamicDrop(ty.to_string(), span.clone()));
        }
        let perhaps = destroying.perhaps || found.len() > 1;
        for (krate, ty) in found {
            let destroying = Destroying { perhaps, holder: None, put_there: true, ..destroying };
            self.destroy_as(state, (krate, &ty), &Path::unknown(), destroying, span);
        }
    }

    /// The type of a closure or a future.
    fn type_of_code(&self, code: BodyId) -> Option<(usize, Ty)> {
        let entry = self.context.index.bodies[code];
        let mut ty = entry.body.locals.get(1)?;
        loop {
            match ty {
                Ty::Closure(_) => return Some((entry.krate, ty.clone())),
                Ty::Ref(_, inner) => ty = inner,
                Ty::Path(_, args) => ty = args.first()?,
                _ => return None,
            }
        }
    }
}

impl Context<'_> {
    /// What a value of this opaque type may be in a body, by what the functions return that it has it from, or, if it has it
    /// from none, those of such a result.
    pub(super) fn returned_as(&self, body: BodyId, ty: &Ty) -> BTreeSet<(usize, Ty)> {
        let Entry { krate, body } = self.index.bodies[body];
        let calls = body.blocks.iter().filter_map(|block| match &block.terminator {
            Terminator::Call(call) if type_of(&body.locals, &call.dest) == *ty => Some(&call.callee),
            _ => None,
        });
        let makers: BTreeSet<BodyId> = calls.flat_map(|callee| self.resolve(krate, callee).bodies).collect();
        let of = |entry: &Entry<'_>| -> Vec<(usize, Ty)> {
            let types = match entry.body.locals.first() {
                Some(Ty::Opaque(_)) => returned(entry.body),
                Some(other) => vec![other.clone()],
                None => Vec::new(),
            };
            types.into_iter().map(|ty| (entry.krate, ty)).collect()
        };
        let found: BTreeSet<(usize, Ty)> =
            makers.iter().flat_map(|maker| of(&self.index.bodies[*maker])).collect();
        if !found.is_empty() {
            return found;
        }
        let alike = self.index.bodies.iter().filter(|entry| entry.body.locals.first() == Some(ty));
        alike.flat_map(of).collect()
    }
}

/// Code that is in a place.
fn codes(state: &State, target: &Path) -> Vec<BodyId> {
    let code = |value: &Value| if let Value::Code(body, _) = value { Some(*body) } else { None };
    let whole = code(&state.load(target.clone()));
    let parts = match target.root {
        Root::Local(local) => state.subtree(local, &target.steps),
        _ => Vec::new(),
    };
    whole.into_iter().chain(parts.iter().filter_map(|(_, value)| code(value))).collect()
}

/// The types of what is assigned to the result of a body as a whole.
fn returned(body: &Body) -> Vec<Ty> {
    let statements = body.blocks.iter().flat_map(|block| &block.statements);
    let mut found = Vec::new();
    for statement in statements {
        let StatementKind::Assign(dest, rvalue) = &statement.kind else { continue };
        if dest.local != 0 || !dest.projection.is_empty() {
            continue;
        }
        match rvalue {
            Rvalue::Use(Operand::Copy(place) | Operand::Move(place)) => {
                found.push(type_of(&body.locals, place));
            }
            Rvalue::Aggregate(aggregate) => match &aggregate.kind {
                AggregateKind::Closure(_, ty) => found.push(ty.clone()),
                // Of a struct, or of a variant of an enum.
                AggregateKind::Adt(path) => {
                    let outer = path.rsplit_once("::").map(|(outer, _)| outer);
                    let paths = [Some(path.as_str()), outer].into_iter().flatten();
                    found.extend(paths.map(|path| Ty::Path(path.into(), [].into())));
                }
                AggregateKind::Tuple | AggregateKind::Array => {}
            },
            _ => {}
        }
    }
    found
}
