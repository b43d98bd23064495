//! Iterators and optional contents: which object a loop variable or the parameter of a closure means.
//!
//! An iterator over references is taken as a pointer to "each element" of its container. What a function takes of each
//! element, it has taken of *all* when it returns (`instantiate.rs`), those its caller holds included: that is how
//! `self.len()`, which locks every shard, is a recursion under the lock of one. Adaptors that leave elements out give
//! "some element". Part of the transfer functions; called from `apply.rs` and `foreign.rs`.

use crate::flow::Flow;
use crate::index::pointee;
use crate::mir::ir::{Call, Operand, Place, Projection, Ty};
use crate::model::Iteration;
use crate::path::{Path, Slot, Step, Value};
use crate::place::slot_of;
use crate::state::State;

impl Flow<'_, '_> {
    /// A call that iterates, if enough is known of what over; else it is to be taken as foreign.
    pub(crate) fn iterating(
        &mut self,
        state: &mut State,
        call: &Call,
        iteration: Iteration,
        block: usize,
    ) -> bool {
        let Some(operand) = call.args.first() else { return false };
        let (value, ty) =
            (self.value(state, operand), operand.place().map_or(Ty::Never, |p| self.type_of(p)));
        let made = block * 4096;
        let found = match (iteration, value.elements()) {
            (Iteration::Starts, Some(_)) => Some((Vec::new(), value.clone())),
            (Iteration::Starts, None) => match (&value, &ty) {
                (Value::To(_), Ty::Ref(..)) => {
                    Some((Vec::new(), Value::To(self.below(state, &value, &ty, Step::Each))))
                }
                _ => None,
            },
            (Iteration::Advances, _) => match state.load(value.pointee()) {
                item if item.elements().is_some() => Some((some(), item)),
                _ => None,
            },
            (Iteration::Finds, _) if matches!(value, Value::To(_)) => {
                Some((some(), Value::To(self.below(state, &value, &ty, Step::Index))))
            }
            (Iteration::Finds, _) => None,
            (Iteration::Borrows, _) => match &value {
                Value::To(path) => {
                    let content = [Step::Variant("Some".into()), Step::Field(0)];
                    let place = content.iter().fold(path.clone(), |place, step| state.step(place, step));
                    Some((some(), Value::To(place)))
                }
                _ => None,
            },
            (Iteration::Opens, _) if matches!(value, Value::To(_)) => {
                Some((some(), Value::To(state.step(value.pointee(), &Step::Deref))))
            }
            (Iteration::Opens, _) => None,
            (Iteration::Sifts, Some(path)) => {
                let mut path = path.clone();
                path.steps.pop();
                Some((Vec::new(), Value::To(path.then(Step::Index))))
            }
            (Iteration::Sifts, None) => None,
        };
        let Some((at, value)) = found else { return false };
        if let Operand::Move(place) = operand {
            self.move_out(state, place, self.holder_at(state, &call.dest));
        }
        self.put(state, &call.dest, vec![(at, value)], made);
        true
    }

    /// An element of the container that a reference points to.
    fn below(&self, state: &State, container: &Value, ty: &Ty, step: Step) -> Path {
        let path = state.step(container.pointee(), &step);
        let owning = self.context.index.is_owner(self.krate, &crate::index::element(&pointee(ty)));
        if owning { path.owning() } else { path }
    }

    /// An adaptor in `slot` will call the code that it keeps with `item`.
    pub(crate) fn remember_item(&self, state: &mut State, slot: &Slot, item: Value) {
        let mut within = slot.clone();
        within.1.push(ITEM);
        state.values.insert(within, item);
    }

    /// What the adaptor that is the first argument calls the code that it keeps with.
    pub(crate) fn remembered_item(&self, state: &State, call: &Call) -> Option<Value> {
        let (local, mut steps) = slot_of(call.args.first()?.place()?)?;
        steps.push(ITEM);
        state.values.get(local, &steps).cloned()
    }

    /// What code that is given to a function on this receiver is called with: an element, or the content.
    pub(crate) fn item(&self, state: &State, call: &Call) -> Option<Value> {
        let operand = call.args.first()?;
        let value = self.value(state, operand);
        if value.elements().is_some() {
            return Some(value);
        }
        let place = operand.place()?;
        let Ty::Path(path, args) = self.type_of(place) else { return None };
        let variant = match path.rsplit("::").next()? {
            "Option" => "Some",
            "Result" => "Ok",
            _ => return None,
        };
        let mut inner = Place::clone(place);
        inner.projection.push(Projection::Downcast(variant.to_owned()));
        inner.projection.push(Projection::Field(0, args.first().cloned()?));
        Some(state.load(self.lvalue(state, &inner))).filter(|value| *value != Value::Unknown)
    }
}

/// Where an adaptor remembers what the code that it keeps will be called with.
const ITEM: Step = Step::Field(u32::MAX / 2 + 1);

fn some() -> Vec<Step> {
    vec![Step::Variant("Some".into()), Step::Field(0)]
}
