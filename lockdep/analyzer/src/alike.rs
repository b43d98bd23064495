//! Two locks of one undeclared class that are held together: whether one may be the other.
//!
//! Mostly the code can be taken to see which they are, and which comes first is an assumption (`link.rs`). Where a
//! destructor takes the second, on something of which nothing is known, nobody has chosen it, and it may be the one that
//! is held: if what the lock protects leads back to the object that the lock is in, other than by what it owns. Asked when
//! the graph is made.

use crate::context::Context;
use crate::home::{Home, Key};
use crate::index::Name;
use crate::mir::ir::Ty;
use crate::seen::Seen;
use crate::stored::is_sole;
use crate::summary::{ClassId, ClosedNesting, Ways};

impl Context<'_> {
    /// Whether the lock that is wanted may be the one that is held, as far as anybody knows.
    pub(crate) fn may_be_one(&self, closed: &ClosedNesting, ways: &Ways) -> bool {
        closed.unknown && ways.wanted.destroys && self.leads_back(closed.nesting.wanted)
    }

    /// Whether what the locks of a class protect has a pointer to an object that such a lock is in.
    fn leads_back(&self, class: ClassId) -> bool {
        let Some((Key::Home(home), _)) = self.placed_key(class) else { return false };
        let Home::Field(name, variant, position) = self.placed.home(home) else { return false };
        let mut search = Search { context: self, to: &name, seen: Default::default() };
        let mut fields = self.index.fields_of(&name);
        fields.any(|field| {
            let here = field.position == position && field.variant == variant;
            here && search.visit(field.krate, &field.ty, false)
        })
    }
}

struct Search<'c, 'a> {
    context: &'c Context<'a>,
    to: &'c Name,
    /// Those that only their owner has, and those that others may have, too.
    seen: [Seen; 2],
}

impl Search<'_, '_> {
    /// Whether a value of a type leads to the object; `shared` if others may have the value, too.
    fn visit(&mut self, krate: usize, ty: &Ty, shared: bool) -> bool {
        match ty {
            Ty::Path(path, args) => {
                let index = self.context.index;
                let name = index.name(krate, path);
                if name == *self.to {
                    return shared;
                }
                if !self.seen[usize::from(shared)].insert(krate, ty) {
                    return false;
                }
                let inside = shared || (self.context.is_pointer(krate, ty) && !is_sole(path));
                index.fields_of(&name).any(|field| self.visit(field.krate, &field.ty, inside))
                    || args.iter().any(|arg| self.visit(krate, arg, inside))
            }
            Ty::Dyn(_) => {
                self.seen[usize::from(shared)].insert(krate, ty)
                    && self
                        .context
                        .objects_of(ty)
                        .into_iter()
                        .flatten()
                        .any(|(k, ty)| self.visit(k, &ty, shared))
            }
            Ty::Ref(_, inner) | Ty::Ptr(_, inner) => self.visit(krate, inner, true),
            Ty::Tuple(types) => types.iter().any(|ty| self.visit(krate, ty, shared)),
            Ty::Slice(inner) | Ty::Array(inner, _) => self.visit(krate, inner, shared),
            _ => false,
        }
    }
}
