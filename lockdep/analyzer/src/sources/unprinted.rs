//! What constants hold that were not printed: the functions that their source names, wherever in their type there is room.
//!
//! Which of them is in which field is not known, so each is in all that take as many arguments. Called by `read.rs`.

use super::read::Reader;
use super::{Source, Spot, carries, is_ours, kind};
use crate::index::Name;
use crate::mir::ir::{Body, Operand, Rvalue, StatementKind, Ty};

/// So deep in one another types are looked into.
const MAX_DEPTH: usize = 4;

impl<'a> Reader<'_, 'a> {
    /// Reads the body that stands for a constant which was not printed.
    pub(super) fn unprinted(&mut self, body: &'a Body) {
        let Some(ty) = body.locals.first() else { return };
        let mut rooms = Vec::new();
        self.rooms(ty, Spot::Static(self.static_name(&body.path)), MAX_DEPTH, &mut rooms);
        let mut may_hold_code = !rooms.is_empty();
        for statement in body.blocks.iter().flat_map(|block| &block.statements) {
            let StatementKind::Assign(_, Rvalue::Cast(Operand::Fn(callee), _)) = &statement.kind else {
                continue;
            };
            for function in self.context.resolve(self.krate, callee).bodies {
                // There may be room for it where types are not shown.
                may_hold_code = true;
                let taken = format!("fn/{}", self.context.index.bodies[function].body.params);
                for (spot, of) in &rooms {
                    if of.as_ref().is_none_or(|kind| *kind == taken) {
                        self.sources.add(Some(spot.clone()), String::new(), Source::Code(function));
                    }
                }
                if rooms.iter().any(|(_, kind)| kind.as_ref() == Some(&taken)) {
                    self.sources.everywhere.entry(taken).or_default().insert(Source::Code(function));
                }
            }
        }
        self.sources.unprinted.extend(may_hold_code.then(|| body.span.clone()));
    }

    /// The spots in a value of the type at `spot` in which code may be, with its kind if the type says one.
    fn rooms(&self, ty: &Ty, spot: Spot<'a>, depth: usize, found: &mut Vec<(Spot<'a>, Option<String>)>) {
        let index = self.context.index;
        match ty {
            Ty::Path(path, args) if is_ours(index, self.krate, path) => {
                let name: Name = index.name(self.krate, path);
                for field in index.fields(self.krate, path).filter(|_| depth > 0) {
                    let within = Spot::Field(name.clone(), field.variant.clone(), field.position);
                    match &field.ty {
                        // What it stands for here is one of the arguments.
                        Ty::Path(of, _) if index.is_parameter(field.krate, of) => {
                            args.iter().for_each(|ty| self.rooms(ty, within.clone(), depth - 1, found));
                        }
                        of => self.rooms(of, within, depth - 1, found),
                    }
                }
            }
            Ty::Ref(_, inner) | Ty::Ptr(_, inner) | Ty::Slice(inner) | Ty::Array(inner, _) => {
                self.rooms(inner, spot, depth, found);
            }
            Ty::Tuple(types) => types.iter().for_each(|ty| self.rooms(ty, spot.clone(), depth, found)),
            Ty::Path(_, args) if !args.is_empty() => {
                args.iter().for_each(|ty| self.rooms(ty, spot.clone(), depth, found));
            }
            Ty::FnPtr(..) => found.push((spot, kind(ty))),
            _ if carries(index, self.krate, ty) => found.push((spot, None)),
            _ => {}
        }
    }
}
