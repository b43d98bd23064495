//! What foreign functions do with values of types of ours: methods of ours that they run, contents that they destroy.
//!
//! What the model table says: which functions run which methods, and which destroy contents in place; and of methods that
//! a type of ours leaves to a trait, that they may run those it has. Called from `foreign.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::context::Context;
use crate::destroy::Destroying;
use crate::flow::Flow;
use crate::index::{BodyId, Name, last};
use crate::instantiate::Arguments;
use crate::mir::ir::{Call, Callee, Operand, Place, Span, Ty};
use crate::path::{Path, Root, Value};
use crate::state::State;
use crate::summary::Note;

/// Traits whose methods run at once on what a container or an iterator keeps.
const AT_ONCE: [&str; 6] = ["BuildHasher", "Extend", "Hash", "Ord", "PartialEq", "PartialOrd"];

/// Traits whose implementation is not for the type that is given, but for the one that is made of it.
const CONVERSIONS: [&str; 2] = ["From", "TryFrom"];

impl Flow<'_, '_> {
    /// Runs the methods of ours that the function with this key, which was not read, runs.
    pub(crate) fn run_methods(&mut self, state: &mut State, call: &Call, key: &str, span: &Span) {
        self.call_back_by_printing(state, call, key, span);
        self.prints_arguments(state, call, span);
        let context = self.context;
        for method in context.models.methods_run_by_any(key) {
            let Some((of, method)) = method.split_once("::") else { continue };
            for body in context.index.implementing(of, method) {
                self.run_method(state, &Value::Unknown, body, true, span);
            }
        }
        let methods: Vec<&str> = context.models.methods_run_by(key).collect();
        if methods.is_empty() {
            return self.run_provided(state, call, span);
        }
        let result = self.type_of(&call.dest);
        let (given, made) = (self.types_given(call), self.types_made(&result));
        if methods.contains(&"Iterator::next") {
            self.run_clones(state, call, span);
        }
        for method in methods {
            let Some((of, method)) = method.split_once("::") else { continue };
            let (converts, at_once) = (CONVERSIONS.contains(&of), AT_ONCE.contains(&of));
            let of = Name { krate: String::new(), path: of.to_owned() };
            for (krate, ty) in if converts { &made } else { &given } {
                let mut bodies = context.index.implementations(*krate, ty, &of, method);
                if bodies.is_empty() {
                    let lent = Ty::Ref(false, Arc::new(ty.clone()));
                    bodies = context.index.implementations(*krate, &lent, &of, method);
                }
                for body in bodies {
                    // What the result keeps runs when the result is used; unless it is what the method makes.
                    let makes = || context.index.bodies[body].body.locals[0].any(&mut |part| part == ty);
                    let kept = result.any(&mut |part| part == ty) && !at_once;
                    let kept = kept && !matches!(ty, Ty::Dyn(_)) && !makes();
                    if kept || converts && !self.is_converted(call, body) {
                        continue;
                    }
                    let itself = if converts { Value::Unknown } else { self.receiver(state, call, ty) };
                    self.run_method(state, &itself, body, false, span);
                }
            }
        }
    }

    /// An iterator that clones what another one gives is run.
    fn run_clones(&mut self, state: &mut State, call: &Call, span: &Span) {
        let context = self.context;
        let mut cloned = BTreeSet::new();
        for place in call.args.iter().filter_map(Operand::place) {
            self.type_of(place).any(&mut |part| {
                if matches!(part, Ty::Path(path, _) if last(path) == "Cloned") {
                    ours_in(context, self.krate, part, &mut cloned);
                }
                false
            });
        }
        let of = Name { krate: String::new(), path: "Clone".to_owned() };
        for (krate, ty) in cloned {
            for body in context.index.implementations(krate, &ty, &of, "clone") {
                self.run_method(state, &Value::Unknown, body, false, span);
            }
        }
    }

    /// What a caller wants printed is printed with something held: which methods of ours print it is not followed.
    fn prints_arguments(&mut self, state: &State, call: &Call, span: &Span) {
        let (index, met) = (self.context.index, &self.context.destructors);
        let is_given = |place: &Place| {
            let is_it = |part: &Ty| matches!(part, Ty::Path(path, _) if last(path) == "Arguments");
            let mut at = state.load(self.lvalue(state, place));
            if let Value::To(to) = &at {
                at = state.load(to.clone());
            }
            let given = at.path().is_some_and(|at| matches!(at.root, Root::Param(_)));
            given && self.type_of(place).any(&mut |part| is_it(part))
        };
        let prints = !state.held.is_empty() && call.args.iter().filter_map(Operand::place).any(is_given);
        let mut printing =
            ["Display", "Debug", "LowerHex"].into_iter().flat_map(|of| index.implementing(of, "fmt"));
        if prints && printing.any(|body| met.contains(&body)) {
            self.note(Note::Unresolved("the formatting of what is given".to_owned(), span.clone()));
        }
    }

    /// A method that a type of ours leaves to a trait which was not read: it may run all that the type does implement of
    /// the trait.
    fn run_provided(&mut self, state: &mut State, call: &Call, span: &Span) {
        let context = self.context;
        let Callee::Qualified { this, of: Some(Ty::Path(of, _)), .. } = &call.callee else { return };
        let result = self.type_of(&call.dest);
        let last = last(of);
        let mut types = BTreeSet::new();
        ours_in(context, self.krate, this, &mut types);
        for (krate, ty) in types {
            let Ty::Path(path, _) = &ty else { continue };
            let kept = result.any(&mut |part| *part == ty);
            let bodies: Vec<BodyId> =
                context.index.implemented(&context.index.name(krate, path), last).collect();
            for body in bodies.into_iter().filter(|_| !kept) {
                let itself = self.receiver(state, call, &ty);
                self.run_method(state, &itself, body, true, span);
            }
        }
    }

    fn run_method(&mut self, state: &mut State, itself: &Value, body: BodyId, possible: bool, span: &Span) {
        let arguments = Arguments { values: vec![itself.clone()], moved: vec![None] };
        let chain = self.chain_step(body, span, possible);
        self.instantiate(state, body, &arguments, None, &chain);
    }

    /// The value of type `ty` among the arguments, or behind the references that they are.
    fn receiver(&self, state: &State, call: &Call, ty: &Ty) -> Value {
        for operand in &call.args {
            let Some(place) = operand.place() else { continue };
            let mut found = self.type_of(place);
            if found == *ty {
                return Value::To(self.lvalue(state, place));
            }
            let mut value = self.value(state, operand);
            while let Ty::Ref(_, inner) = found {
                if *inner == *ty {
                    return value;
                }
                value = state.load(value.pointee());
                found = Ty::clone(&inner);
            }
        }
        Value::Unknown
    }

    /// Whether a conversion can be what makes the result: it takes what is converted.
    fn is_converted(&self, call: &Call, body: BodyId) -> bool {
        let Some(wanted) = self.context.index.bodies[body].body.locals.get(1) else { return true };
        let last = |ty: &Ty| match ty {
            Ty::Path(path, _) => path.rsplit("::").next().map(str::to_owned),
            _ => None,
        };
        let mut wanted = wanted;
        while let Ty::Ref(_, inner) = wanted {
            wanted = inner;
        }
        let Some(wanted) = last(wanted) else { return true };
        if let Some(Operand::Const(text)) = call.args.first() {
            return match text.rsplit_once('_') {
                _ if text.starts_with('"') => wanted == "str",
                // The type of a number is printed with it.
                Some((number, ty)) if number.parse::<f64>().is_ok() => wanted == ty,
                _ => true,
            };
        }
        call.args.iter().filter_map(Operand::place).any(|place| {
            self.type_of(place).any(&mut |part| match (part, last(part)) {
                (Ty::Path(path, _), _) if self.context.index.is_parameter(self.krate, path) => true,
                (_, Some(given)) => given == wanted,
                (Ty::Opaque(_) | Ty::Projection(_), None) => true,
                _ => false,
            })
        })
    }

    /// The types of ours that a result has.
    fn types_made(&self, result: &Ty) -> BTreeSet<(usize, Ty)> {
        let mut found = BTreeSet::new();
        ours_in(self.context, self.krate, result, &mut found);
        found
    }

    /// The types of ours in what a foreign function is given and is instantiated with, and what may be behind trait
    /// objects among them.
    fn types_given(&self, call: &Call) -> BTreeSet<(usize, Ty)> {
        let context = self.context;
        let mut found = BTreeSet::new();
        let mut look = |ty: &Ty| ours_in(context, self.krate, ty, &mut found);
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
                for (krate, object) in context.objects_at(self.id, place, &ty).into_iter().flatten() {
                    ours_in(context, krate, &object, &mut found);
                    found.insert((krate, object));
                }
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
            let destroying = Destroying { perhaps, ..Destroying::default() };
            self.destroy(state, &inner, &Path::unknown(), destroying, span);
        }
        true
    }
}

/// The types of ours in a type that crate `krate` prints.
fn ours_in(context: &Context<'_>, krate: usize, ty: &Ty, found: &mut BTreeSet<(usize, Ty)>) {
    ty.any(&mut |inner| {
        if let Ty::Path(path, _) = inner
            && context.index.is_ours(krate, path)
        {
            found.insert((krate, inner.clone()));
        }
        false
    });
}
