//! What a type owns, as its fields show it: whether values of its parameters go away with it.
//!
//! Part of the search for what there is to destroy; called from `destroy.rs`.

use std::collections::BTreeSet;

use super::{Search, is_weak};
use crate::callers::owns_arguments;
use crate::index::Field;
use crate::mir::ir::Ty;

impl Search<'_, '_> {
    /// Whether a value of a parameter may go away with a value of a type that has these fields: not if each of those that
    /// name one is a weak reference, a guard or the like.
    pub(super) fn may_own_parameters(&self, fields: &[&Field]) -> bool {
        let mut generic = fields.iter().filter(|field| self.is_generic(field)).peekable();
        generic.peek().is_none() || generic.any(|field| self.may_own_parameter(field.krate, &field.ty))
    }

    /// The same of one type. What is behind a raw pointer may be the type's own.
    fn may_own_parameter(&self, krate: usize, ty: &Ty) -> bool {
        let index = self.context.index;
        match ty {
            Ty::Path(path, _) if index.is_parameter(krate, path) => true,
            Ty::Path(path, _) if is_weak(index.is_ours(krate, path), path) => false,
            Ty::Path(..) if self.context.is_guard(krate, ty) => false,
            Ty::Path(_, types) | Ty::Tuple(types) => types.iter().any(|ty| self.may_own_parameter(krate, ty)),
            Ty::Slice(inner) | Ty::Array(inner, _) | Ty::Ptr(_, inner) => {
                self.may_own_parameter(krate, inner)
            }
            Ty::Ref(..) | Ty::FnPtr(..) => false,
            _ => true,
        }
    }

    /// Whether the type of a field names a parameter.
    fn is_generic(&self, field: &Field) -> bool {
        let index = self.context.index;
        field.ty.any(&mut |ty| matches!(ty, Ty::Path(path, _) if index.is_parameter(field.krate, path)))
    }

    /// Whether a value of a parameter goes away with a field of this type.
    pub(super) fn owns_parameter(&self, krate: usize, ty: &Ty) -> bool {
        match ty {
            Ty::Path(path, _) if self.context.index.is_parameter(krate, path) => true,
            Ty::Path(path, args) => {
                let ours = self.context.index.is_ours(krate, path);
                (ours || owns_arguments(path)) && args.iter().any(|arg| self.owns_parameter(krate, arg))
            }
            Ty::Tuple(types) => types.iter().any(|ty| self.owns_parameter(krate, ty)),
            Ty::Slice(inner) | Ty::Array(inner, _) => self.owns_parameter(krate, inner),
            _ => false,
        }
    }
}

impl<'a> Search<'_, 'a> {
    /// The fields of a type with these arguments. Uses of other instances show fields, too: where the code of the type
    /// itself shows one in terms of its parameters, that is the one, and the arguments are visited by themselves.
    pub(super) fn fields_of_instance(&self, krate: usize, path: &str, args: &[Ty]) -> Vec<&'a Field> {
        let index = self.context.index;
        let fields: Vec<&Field> = index.fields(krate, path).collect();
        if args.is_empty() {
            return fields;
        }
        let generic: BTreeSet<(&str, u32)> = fields
            .iter()
            .filter(|field| self.is_generic(field))
            .map(|field| (field.variant.as_str(), field.position))
            .collect();
        let is_shown = |field: &&Field| {
            !generic.contains(&(field.variant.as_str(), field.position)) || self.is_generic(field)
        };
        fields.into_iter().filter(is_shown).collect()
    }
}
