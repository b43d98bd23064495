//! Two locks of one undeclared class that are held together: whether one may be the other.
//!
//! Where a function takes both it can see which they are, and which comes first is an assumption (`link.rs`). Where the
//! second is taken further down, by a destructor or an observer, on something of which nothing is known, it may be the
//! one that is held; only what a lock itself contains cannot have that lock. Asked when the graph is made.

use crate::context::Context;
use crate::home::{Home, Key};
use crate::mir::ir::Ty;
use crate::stored::is_sole;
use crate::summary::{ClassId, ClosedNesting, Ways};

impl Context<'_> {
    /// Whether the lock that is wanted may be the one that is held, as far as anybody knows.
    pub(crate) fn may_be_one(&self, closed: &ClosedNesting, ways: &Ways) -> bool {
        closed.unknown && ways.wanted.length() > 1 && !self.is_above(closed.nesting.wanted)
    }

    /// Whether the locks of the class are in the objects that such a lock protects, and belong to it: a tree. Of locks
    /// that are known by no place nothing can be said.
    fn is_above(&self, class: ClassId) -> bool {
        let Some((Key::Home(home), _)) = self.placed_key(class) else { return true };
        let Home::Field(name, variant, position) = self.placed.home(home) else { return false };
        let mut fields = self.index.fields_of(&name);
        fields.any(|field| {
            field.position == position
                && field.variant == variant
                && self.owns(field.krate, &field.ty, &|path| self.index.name(field.krate, path) == name)
        })
    }

    /// Whether a value of a type has one of those that `is` knows, and not by a pointer that others may have.
    fn owns(&self, krate: usize, ty: &Ty, is: &dyn Fn(&str) -> bool) -> bool {
        match ty {
            Ty::Path(path, args) => {
                is(path)
                    || ((is_sole(path) || !self.is_pointer(krate, ty))
                        && args.iter().any(|arg| self.owns(krate, arg, is)))
            }
            Ty::Tuple(types) => types.iter().any(|ty| self.owns(krate, ty, is)),
            Ty::Slice(inner) | Ty::Array(inner, _) => self.owns(krate, inner, is),
            _ => false,
        }
    }
}
