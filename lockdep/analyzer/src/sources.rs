//! Where code and trait objects come from: one answer for the whole program, found before any flow is followed.
//!
//! Places that a closure, a function or a trait object may be handed between are one class (a field of a type of ours
//! is one place, whoever has the value; so is a static), and a class knows what was ever put into one of its places.
//! That is coarse, and every answer is only a possible callee, but nothing is lost on the way through a vector, a map
//! or a lock. Where a class knows nothing, all that was ever turned into the same type answers. Used by `resolve.rs`.

mod read;
mod unprinted;

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::index::{BodyId, Index, Name, element, last, pointee};
use crate::mir::ir::{Place, Projection, Span, Ty};

/// A body, constants included: the crate and the definition path.
type Scope<'a> = (usize, &'a str);

/// Something that code or a trait object can be in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Spot<'a> {
    Local(Scope<'a>, usize),
    Field(Name, String, u32),
    Capture(usize, String, u32),
    Static(String),
}

/// A value that can be called, or whose methods can.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A closure or function.
    Code(BodyId),
    /// A value of a type, as printed in a crate, that became a trait object.
    Object(usize, Ty),
    /// A value of a type that names parameters of this body.
    Generic(BodyId, Ty),
}

/// The answers.
#[derive(Debug, Default)]
pub struct Sources<'a> {
    spots: FxHashMap<Spot<'a>, usize>,
    parents: Vec<usize>,
    /// What was put into each class; complete for representatives only.
    found: Vec<BTreeSet<(String, Source)>>,
    /// What was turned into each kind of trait object or function pointer anywhere.
    everywhere: BTreeMap<String, BTreeSet<Source>>,
    /// Where constants are that may hold code and were not printed.
    pub unprinted: BTreeSet<Span>,
}

impl<'a> Sources<'a> {
    /// What may be in `place` of a body: of those kinds if the type says one, else any code. Of a place where nothing was
    /// seen to be put, it is all that was ever turned into the type.
    pub fn at(&self, index: &Index<'a>, body: BodyId, place: &Place, ty: &Ty) -> Vec<Source> {
        let here = self.here(index, body, place, ty);
        if here.is_empty() { self.anywhere(ty).cloned().collect() } else { here.into_iter().collect() }
    }

    /// The same, as far as it was seen to be put there.
    pub fn here(&self, index: &Index<'a>, body: BodyId, place: &Place, ty: &Ty) -> BTreeSet<Source> {
        let entry = index.bodies[body];
        let wanted = kind(ty);
        let spot = spot(index, (entry.krate, &entry.body.id), &entry.body.locals, place);
        let class = spot.and_then(|spot| self.spots.get(&spot)).map(|at| self.first(*at));
        let fits = |known: &str, source: &Source| match (&wanted, source) {
            (_, Source::Code(body)) => index.bodies[*body].body.id != entry.body.id,
            (Some(wanted), _) => known == wanted,
            (None, _) => false,
        };
        class
            .iter()
            .flat_map(|class| &self.found[*class])
            .filter(|(known, source)| fits(known, source))
            .map(|(_, source)| source.clone())
            .collect()
    }

    /// What was ever turned into the trait object or function pointer that `ty` is or contains.
    pub fn anywhere(&self, ty: &Ty) -> impl Iterator<Item = &Source> {
        kind(ty).and_then(|kind| self.everywhere.get(&kind)).into_iter().flatten()
    }

    fn first(&self, mut at: usize) -> usize {
        while self.parents[at] != at {
            at = self.parents[at];
        }
        at
    }

    fn number(&mut self, spot: Spot<'a>) -> usize {
        let next = self.parents.len();
        let number = *self.spots.entry(spot).or_insert(next);
        if number == next {
            self.parents.push(next);
            self.found.push(BTreeSet::new());
        }
        self.first(number)
    }

    fn unite(&mut self, a: Option<Spot<'a>>, b: Option<Spot<'a>>) -> bool {
        let (Some(a), Some(b)) = (a, b) else { return false };
        let (mut a, mut b) = (self.number(a), self.number(b));
        if a == b {
            return false;
        }
        if self.found[a].len() < self.found[b].len() {
            std::mem::swap(&mut a, &mut b);
        }
        let moved = std::mem::take(&mut self.found[b]);
        self.found[a].extend(moved);
        self.parents[b] = a;
        true
    }

    fn add(&mut self, spot: Option<Spot<'a>>, kind: String, source: Source) {
        if let Some(spot) = spot {
            let class = self.number(spot);
            self.found[class].insert((kind, source));
        }
    }
}

/// The spot of a place: the innermost field of a type of ours on the way, or the local. None if nothing that could be
/// called is there.
fn spot<'a>(index: &Index<'_>, scope: Scope<'a>, locals: &[Ty], place: &Place) -> Option<Spot<'a>> {
    let krate = scope.0;
    let mut ty = locals.get(place.local).cloned().unwrap_or(Ty::Never);
    let mut spot = carries(index, krate, &ty).then_some(Spot::Local(scope, place.local));
    let mut variant = "";
    for step in &place.projection {
        match step {
            Projection::Field(position, of) => {
                match &ty {
                    Ty::Path(path, _) if is_ours(index, krate, path) => {
                        let field = Spot::Field(index.name(krate, path), variant.to_owned(), *position);
                        spot = carries(index, krate, of).then_some(field);
                    }
                    Ty::Closure(text) => {
                        let capture = Spot::Capture(krate, text.to_string(), *position);
                        spot = carries(index, krate, of).then_some(capture);
                    }
                    _ => {}
                }
                variant = "";
                ty = of.clone();
            }
            Projection::Downcast(name) => variant = name,
            Projection::Deref => ty = pointee(&ty),
            Projection::Index => ty = element(&ty),
            Projection::Cast(to) => ty = to.clone(),
        }
    }
    spot
}

fn is_ours(index: &Index<'_>, krate: usize, path: &str) -> bool {
    !index.name(krate, path).krate.is_empty() && !index.is_parameter(krate, path)
}

/// Whether a value of the type may be code or a trait object, or hold one outside the fields of types of ours.
fn carries(index: &Index<'_>, krate: usize, ty: &Ty) -> bool {
    match ty {
        Ty::Path(path, _) if index.is_parameter(krate, path) => true,
        // The type of the code is an argument that is not printed.
        Ty::Path(path, _) if is_lazy(path) => true,
        Ty::Path(path, args) => {
            !is_ours(index, krate, path) && args.iter().any(|arg| carries(index, krate, arg))
        }
        Ty::Ref(_, inner) | Ty::Ptr(_, inner) | Ty::Slice(inner) | Ty::Array(inner, _) => {
            carries(index, krate, inner)
        }
        Ty::Tuple(types) => types.iter().any(|ty| carries(index, krate, ty)),
        Ty::Dyn(_) | Ty::FnPtr(..) | Ty::FnItem(_) | Ty::Closure(_) | Ty::Opaque(_) | Ty::Projection(_) => {
            true
        }
        _ => false,
    }
}

/// Whether a type, by its path, holds the code that makes its content.
pub(crate) fn is_lazy(path: &str) -> bool {
    path.contains("::") && matches!(last(path), "LazyLock" | "LazyCell" | "Lazy")
}

/// What two trait objects or function pointers have in common that can be one: the trait's name or the number of
/// parameters. Generic arguments are not compared, since a generic body prints its own.
fn kind(ty: &Ty) -> Option<String> {
    let mut found = None;
    ty.any(&mut |inner| {
        found = match inner {
            Ty::Dyn(bounds) => Some(principal(bounds)),
            Ty::FnPtr(params, _) => Some(format!("fn/{}", params.len())),
            _ => None,
        };
        found.is_some()
    });
    found
}

/// The types of async blocks, and of what async functions return, in a type.
pub(crate) fn futures(ty: &Ty) -> Vec<Ty> {
    let mut found = Vec::new();
    ty.any(&mut |part| {
        let is_one = match part {
            Ty::Closure(text) => text.starts_with("async "),
            Ty::Opaque(bounds) => is_future(bounds),
            _ => false,
        };
        found.extend(is_one.then(|| part.clone()));
        false
    });
    found
}

/// The trait object of a future in a type. A foreign function that is given futures and returns one makes it of them, as
/// `FutureExt::boxed` does.
pub(crate) fn future_object(ty: &Ty) -> Option<Ty> {
    let mut found = None;
    ty.any(&mut |part| {
        found = matches!(part, Ty::Dyn(bounds) if is_future(bounds)).then(|| part.clone());
        found.is_some()
    });
    found
}

/// Whether the bounds of an object or opaque type are those of what can be awaited.
pub(crate) fn is_future(bounds: &str) -> bool {
    matches!(principal(bounds).as_str(), "Future" | "Stream")
}

/// `Shape` of `shapes::Shape<u32> + Send`, without the binder in front.
pub(crate) fn principal(bounds: &str) -> String {
    let text = match bounds.strip_prefix("for<").and_then(|rest| rest.split_once("> ")) {
        Some((_, rest)) => rest,
        None => bounds,
    };
    let path = text.split(['<', '(', ' ', '+']).next().unwrap_or(text);
    last(path).to_owned()
}
