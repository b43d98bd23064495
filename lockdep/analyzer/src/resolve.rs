//! Which bodies a call may run, if the callee's type does not say: trait objects, type parameters, stored code.
//!
//! Names come first ([`Context::resolve`]); this file narrows what they leave open by what the program does
//! (`sources.rs`, `instances.rs`). Where it does not know better, every implementation is a possible callee.

use std::collections::BTreeSet;

use crate::context::{Context, Resolution};
use crate::index::{BodyId, Entry, Types, last, type_of};
use crate::instances::name_of_parameter;
use crate::mir::ir::{Call, Callee, Operand, Place, Ty};
use crate::sources::{Source, is_lazy};

/// A type with the crate that prints it.
type Printed = (usize, Ty);

impl Context<'_> {
    /// The bodies that a call in `body` may run.
    pub fn callees(&self, body: BodyId, callee: &Callee, args: &[Operand]) -> Resolution {
        let mut found = self.named(body, callee, args);
        let Callee::Qualified { this, of: Some(Ty::Path(of, _)), .. } = callee else { return found };
        let Entry { krate, body } = self.index.bodies[body];
        let type_of = |operand: &Operand| operand.place().map(|place| type_of(&body.locals, place));
        let given: Vec<Option<Ty>> = args.iter().map(type_of).collect();
        let foreign = |path: &str| self.index.name(krate, path).krate.is_empty();
        // Of a type and a trait that are both of other crates there need not be any; of ours one was meant.
        let none = matches!(this, Ty::Path(path, _) if foreign(path)) && foreign(of);
        let fits = |body: &BodyId| self.index.may_take(*body, krate, &given);
        if !args.is_empty() && (none || found.bodies.iter().any(fits)) {
            found.bodies.retain(fits);
            found.certain |= self.is_concrete(krate, this) && found.bodies.len() == 1;
        }
        found
    }

    /// The same, whatever is given.
    fn named(&self, body: BodyId, callee: &Callee, args: &[Operand]) -> Resolution {
        let (reached, certain) = self.reached(body, &Types::new(), callee, args);
        let copy = |(original, types)| {
            let told = self.index.parameters_of_copies(original).map(|names| self.telling(types, names));
            told.and_then(|types| self.index.copy(original, &types)).unwrap_or(original)
        };
        let bodies: BTreeSet<BodyId> = reached.into_iter().map(copy).collect();
        Resolution { certain: certain && bodies.len() == 1, bodies: bodies.into_iter().collect() }
    }

    /// The functions that a call in `body` may run, with what their parameters stand for, if those of `body` stand for
    /// `types`, and whether they are surely run.
    pub(crate) fn reached(
        &self,
        body: BodyId,
        types: &Types,
        callee: &Callee,
        args: &[Operand],
    ) -> (Vec<(BodyId, Types)>, bool) {
        let krate = self.index.bodies[body].krate;
        let by_name = || {
            let Resolution { mut bodies, certain } = self.resolve(krate, callee);
            if let Callee::Qualified { this, of: Some(_), .. } = callee {
                let demanded = self.index.demanded_of(body, this);
                bodies.retain(|callee| self.index.may_implement(*callee, &demanded));
            }
            let known = |callee| (callee, self.given(body, types, callee, args, None));
            (bodies.into_iter().map(known).collect(), certain)
        };
        let Callee::Qualified { this, of: Some(Ty::Path(of, _)), method, .. } = callee else {
            return by_name();
        };
        let known = match this {
            Ty::Dyn(_) => match args.first().and_then(Operand::place) {
                Some(place) => self.objects(self.sources.at(self.index, body, place, this)),
                None => self.objects(self.sources.anywhere(this).cloned().collect()),
            },
            _ => match name_of_parameter(self.index, body, this).and_then(|name| types.get(&name)) {
                Some(ty) => self.concrete(&BTreeSet::from([ty.clone()])),
                None => match self.instances.of(self.index, body, this) {
                    Some(types) => self.concrete(types),
                    None => {
                        // A pair of parameters, say.
                        let (home, filled) = self.with(body, types, this);
                        (filled != *this).then(|| BTreeSet::from([(home, filled)]))
                    }
                },
            },
        };
        let Some(known) = known.filter(|known| !known.is_empty()) else { return by_name() };
        let of = self.index.name(krate, of);
        let mut found = Vec::new();
        for this in &known {
            for callee in self.index.implementations(this.0, &this.1, &of, method) {
                found.push((callee, self.given(body, types, callee, args, Some(this))));
            }
        }
        let named = |(_, ty): &Printed| matches!(ty, Ty::Path(..));
        if found.is_empty() && !of.krate.is_empty() && !known.iter().all(named) {
            return by_name();
        }
        (found, known.len() == 1)
    }

    /// The code that a call in `body` of a value may run, by what was put where the value comes from.
    pub fn codes_called(&self, body: BodyId, call: &Call) -> Vec<BodyId> {
        let locals = &self.index.bodies[body].body.locals;
        match &call.callee {
            Callee::Place(place) => self.codes(body, place, &type_of(locals, place), call.args.len()),
            Callee::Qualified { this, of: Some(Ty::Path(of, _)), method, .. }
                if is_code_trait(of) && method.starts_with("call") =>
            {
                let Some(place) = call.args.first().and_then(Operand::place) else { return Vec::new() };
                let given = call.args.get(1).and_then(Operand::place).map(|place| type_of(locals, place));
                let count = if let Some(Ty::Tuple(types)) = given { types.len() } else { 0 };
                self.codes(body, place, this, count)
            }
            _ => Vec::new(),
        }
    }

    fn codes(&self, body: BodyId, place: &Place, ty: &Ty, args: usize) -> Vec<BodyId> {
        let sources = self.sources.at(self.index, body, place, ty);
        let mut found = BTreeSet::new();
        for source in sources {
            match source {
                Source::Code(code) => {
                    found.insert(code);
                }
                Source::Generic(scope, ty) => {
                    let types = self.instances.of(self.index, scope, &ty);
                    found.extend(types.into_iter().flatten().filter_map(|(krate, ty)| match ty {
                        Ty::Closure(text) => self.index.closure(*krate, text),
                        Ty::FnItem(path) => self.index.function(*krate, path),
                        _ => None,
                    }));
                }
                Source::Object(..) => {}
            }
        }
        found.into_iter().filter(|code| self.takes(*code, args)).collect()
    }

    /// Whether a type is no stand-in for others.
    pub(crate) fn is_concrete(&self, krate: usize, ty: &Ty) -> bool {
        match ty {
            Ty::Path(path, _) => !self.index.is_parameter(krate, path),
            Ty::Dyn(_) | Ty::Opaque(_) | Ty::Projection(_) => false,
            _ => true,
        }
    }

    /// The code that makes the lazy value that `place` of a body points to.
    pub fn makers(&self, krate: usize, body: BodyId, place: &Place) -> Vec<BodyId> {
        let ty = type_of(&self.index.bodies[body].body.locals, place);
        let is_lazy = |ty: &Ty| matches!(ty, Ty::Path(path, _) if is_lazy(path));
        if self.is_pointer(krate, &ty) && ty.any(&mut |inner| is_lazy(inner)) {
            self.codes(body, place, &Ty::Never, 0)
        } else {
            Vec::new()
        }
    }

    /// Types of the values that a trait object of type `ty` may be; none if that is not known.
    pub fn objects_of(&self, ty: &Ty) -> Option<BTreeSet<Printed>> {
        self.objects(self.sources.anywhere(ty).cloned().collect()).filter(|types| !types.is_empty())
    }

    /// Types of the values that a trait object in `place` of a body may be; none if that is not known.
    pub fn objects_at(&self, body: BodyId, place: &Place, ty: &Ty) -> Option<BTreeSet<Printed>> {
        self.objects(self.sources.at(self.index, body, place, ty))
    }

    fn objects(&self, sources: Vec<Source>) -> Option<BTreeSet<Printed>> {
        let mut found = BTreeSet::new();
        for source in sources {
            match source {
                Source::Object(krate, ty) => {
                    found.insert((krate, ty));
                }
                Source::Generic(body, ty) => {
                    found.extend(self.instances.of(self.index, body, &ty)?.iter().cloned());
                }
                Source::Code(_) => {}
            }
        }
        self.concrete(&found)
    }

    /// The types with what is behind trait objects among them; none if a parameter is left.
    pub(crate) fn concrete(&self, types: &BTreeSet<Printed>) -> Option<BTreeSet<Printed>> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut pending: Vec<Printed> = types.iter().cloned().collect();
        while let Some((krate, ty)) = pending.pop() {
            match &ty {
                Ty::Dyn(_) => {
                    if seen.insert(ty.clone()) {
                        let behind = self.sources.anywhere(&ty);
                        for source in behind {
                            match source {
                                Source::Object(krate, ty) => pending.push((*krate, ty.clone())),
                                Source::Generic(body, ty) => {
                                    pending.extend(self.instances.of(self.index, *body, ty)?.iter().cloned());
                                }
                                Source::Code(_) => {}
                            }
                        }
                    }
                }
                Ty::Opaque(_) | Ty::Projection(_) => return None,
                Ty::Path(path, _) if self.index.is_parameter(krate, path) => return None,
                _ => {
                    found.insert((krate, ty));
                }
            }
        }
        Some(found)
    }

    /// Whether code can be called with so many arguments.
    fn takes(&self, code: BodyId, args: usize) -> bool {
        let body = self.index.bodies[code].body;
        body.params == args + usize::from(body.id.ends_with('}'))
    }
}

/// Whether a trait is one of those whose methods call their receiver.
pub(crate) fn is_code_trait(path: &str) -> bool {
    matches!(last(path), "Fn" | "FnMut" | "FnOnce")
}
