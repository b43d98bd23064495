//! What foreign functions do with values of types of ours: methods of ours that they run, contents that they destroy.
//!
//! Only what the model table says: which functions run which methods, and which destroy contents in place. Called from
//! `foreign.rs`.

use std::collections::BTreeSet;

use crate::destroy::Destroying;
use crate::flow::Flow;
use crate::index::{BodyId, Name};
use crate::instantiate::Arguments;
use crate::mir::ir::{Call, Callee, Operand, Span, Ty};
use crate::path::{Path, Value};
use crate::state::State;

impl Flow<'_, '_> {
    /// Runs the methods that the function with this key runs, of all types of ours that it is given.
    pub(crate) fn run_methods(&mut self, state: &mut State, call: &Call, key: &str, span: &Span) {
        self.call_back_by_printing(state, call, key, span);
        let context = self.context;
        let methods: Vec<&str> = context.models.methods_run_by(key).collect();
        if methods.is_empty() {
            return;
        }
        let result = self.type_of(&call.dest);
        for (krate, ty) in self.types_given(call) {
            // What the result keeps runs when the result is used.
            let kept = result.any(&mut |inner| *inner == ty) && !matches!(ty, Ty::Dyn(_));
            for method in methods.iter().filter(|_| !kept) {
                let Some((of, method)) = method.split_once("::") else { continue };
                let of = Name { krate: String::new(), path: of.to_owned() };
                let bodies = context.index.implementations(krate, &ty, &of, method);
                for body in bodies {
                    self.run_method(state, call, &ty, body, span);
                }
            }
        }
    }

    fn run_method(&mut self, state: &mut State, call: &Call, ty: &Ty, body: BodyId, span: &Span) {
        let given = call.args.iter().find(|operand| {
            operand
                .place()
                .is_some_and(|place| matches!(self.type_of(place), Ty::Ref(_, inner) if *inner == *ty))
        });
        let by_value = call.args.iter().find_map(|operand| {
            operand.place().filter(|place| self.type_of(place) == *ty).map(|place| self.lvalue(state, place))
        });
        let itself = match (given, by_value) {
            (Some(operand), _) => self.value(state, operand),
            (None, Some(path)) => Value::To(path),
            (None, None) => Value::Unknown,
        };
        let arguments = Arguments { values: vec![itself], moved: vec![None] };
        let chain = self.chain_step(body, span, false);
        self.instantiate(state, body, &arguments, None, &chain);
    }

    /// The types of ours in what a foreign function is given and is instantiated with, and what may be behind trait
    /// objects among them.
    fn types_given(&self, call: &Call) -> BTreeSet<(usize, Ty)> {
        let context = self.context;
        let mut found = BTreeSet::new();
        let mut look = |ty: &Ty| {
            ty.any(&mut |inner| {
                if let Ty::Path(path, _) = inner
                    && context.index.is_ours(self.krate, path)
                {
                    found.insert((self.krate, inner.clone()));
                }
                false
            });
        };
        match &call.callee {
            Callee::Path { generics, .. } => generics.iter().flat_map(|(_, types)| types).for_each(&mut look),
            Callee::Qualified { this, generics, .. } => {
                look(this);
                generics.iter().for_each(&mut look);
            }
            Callee::Place(_) => {}
        }
        call.args.iter().filter_map(Operand::place).for_each(|place| look(&self.type_of(place)));
        for place in call.args.iter().filter_map(Operand::place) {
            let ty = self.type_of(place);
            if ty.any(&mut |inner| matches!(inner, Ty::Dyn(_))) {
                found.extend(context.objects_at(self.id, place, &ty).into_iter().flatten());
            }
        }
        found
    }

    /// Destroys the contents that the function with this key destroys. False if it is not known to.
    pub(crate) fn destroys_contents(
        &mut self,
        state: &mut State,
        call: &Call,
        key: &str,
        span: &Span,
    ) -> bool {
        let models = self.context.models;
        let perhaps = models.may_destroy(key);
        if !models.destroys(key) && !perhaps {
            return false;
        }
        let place = call.args.first().and_then(Operand::place);
        if let Some(Ty::Ref(true, inner)) = place.map(|place| self.type_of(place)) {
            let destroying = Destroying { holder: None, perhaps, ours: false };
            self.destroy(state, &inner, &Path::unknown(), destroying, span);
        }
        true
    }
}
