//! Destructors: what runs when a value of a type goes away.
//!
//! From the type alone: its own `Drop`, then its fields as far as the code shows them, then its generic arguments.
//! Guards are released elsewhere, with the local that holds them.

use std::collections::BTreeSet;

use crate::flow::Flow;
use crate::instantiate::Arguments;
use crate::mir::ir::{Span, Ty};
use crate::path::{Path, Step, Value};
use crate::state::State;
use crate::summary::Note;

impl Flow<'_, '_> {
    /// Runs the destructors of a value of type `ty` at `target`, outermost first.
    pub(crate) fn run_destructors(&mut self, state: &mut State, ty: &Ty, target: &Path, span: &Span) {
        if self.context.index.has_destructors() {
            self.destroy(state, self.krate, ty, target, span, &mut BTreeSet::new());
        }
    }

    fn destroy(
        &mut self,
        state: &mut State,
        krate: usize,
        ty: &Ty,
        target: &Path,
        span: &Span,
        seen: &mut BTreeSet<String>,
    ) {
        match ty {
            Ty::Path(path, args) => {
                if self.context.is_guard(krate, ty) || !seen.insert(ty.to_string()) {
                    return;
                }
                if let Some(body) = self.context.index.drop_impl(krate, path) {
                    let arguments = Arguments { values: vec![Value::To(target.clone())], moved: vec![None] };
                    let chain = self.chain_step(body, span, false);
                    self.instantiate(state, body, &arguments, None, &chain);
                }
                let index = self.context.index;
                for field in index.fields(krate, path) {
                    let mut place = target.clone();
                    if !field.variant.is_empty() {
                        place = state.step(place, &Step::Variant(field.variant.as_str().into()));
                    }
                    let place = state.step(place, &Step::Field(field.position));
                    self.destroy(state, field.krate, &field.ty, &place, span, seen);
                }
                for arg in args {
                    self.destroy(state, krate, arg, &Path::unknown(), span, seen);
                }
            }
            Ty::Tuple(types) => {
                for (field, ty) in types.iter().enumerate() {
                    let place = state.step(target.clone(), &Step::Field(field as u32));
                    self.destroy(state, krate, ty, &place, span, seen);
                }
            }
            Ty::Slice(inner) | Ty::Array(inner, _) => {
                let place = state.step(target.clone(), &Step::Index);
                self.destroy(state, krate, inner, &place, span, seen);
            }
            Ty::Dyn(bounds) => self.note(Note::DynamicDrop(bounds.to_string(), span.clone())),
            _ => {}
        }
    }
}
