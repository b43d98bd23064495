//! What an unknown type surely implements, by the bounds in its scope, and whether a type of ours may do so.
//!
//! It narrows which implementations a method of a parameter, of an associated type or of a trait object may be. A type
//! that implements a trait without methods shows nowhere, so only traits that demand one rule a type out.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::headers::{closing, parts};
use super::read::impl_group;
use super::{BodyId, Index, last};
use crate::mir::ir::{Bound, Program, Trait, Ty};

/// The bounds that sources state.
#[derive(Debug, Default)]
pub(super) struct Bounds<'a> {
    /// By crate and impl.
    impls: FxHashMap<(usize, &'a str), &'a [Bound]>,
    /// By last segment; none if there are different ones of that name.
    traits: FxHashMap<&'a str, Option<&'a Trait>>,
}

impl<'a> Bounds<'a> {
    pub(super) fn new(programs: &'a [Program]) -> Bounds<'a> {
        let mut bounds = Bounds::default();
        for (krate, program) in programs.iter().enumerate() {
            for (group, of) in &program.bounds {
                bounds.impls.insert((krate, group), of);
            }
            for declared in &program.traits {
                let known = bounds.traits.entry(&declared.name).or_insert(Some(declared));
                if known.is_some_and(|known| known != declared) {
                    *known = None;
                }
            }
        }
        bounds
    }

    fn declared(&self, name: &str) -> Option<&'a Trait> {
        self.traits.get(name).copied().flatten()
    }

    /// Those that bounds on `subject` name.
    fn on<'b>(bounds: &'b [Bound], subject: &str) -> impl Iterator<Item = &'b str> {
        let of = bounds.iter().filter(move |bound| bound.subject == subject);
        of.flat_map(|bound| &bound.traits).map(String::as_str)
    }

    /// With what stands above them.
    fn closure(&self, mut pending: Vec<&'a str>) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        while let Some(name) = pending.pop() {
            if found.insert(name) {
                let above = self.declared(name).into_iter().flat_map(|of| &of.above);
                pending.extend(above.map(String::as_str));
            }
        }
        found
    }
}

impl<'a> Index<'a> {
    /// Last segments of traits that a type, unknown in a body, surely implements: those that demand a method.
    pub fn demanded_of(&self, body: BodyId, ty: &Ty) -> BTreeSet<&'a str> {
        let entry = self.bodies[body];
        let group = impl_group(&entry.body.id).filter(|group| {
            // A function inside a method has parameters of its own.
            let inside = entry.body.id[group.len()..].split("::").skip(2);
            inside.into_iter().all(|segment| segment.starts_with('{'))
        });
        let here = group.and_then(|group| self.bounds.impls.get(&(entry.krate, group))).copied();
        let here = here.unwrap_or_default();
        let known = |name: &str| self.bounds.traits.get_key_value(name).map(|(name, _)| *name);
        let stated: Vec<&'a str> = match ty {
            Ty::Path(path, _) => Bounds::on(here, path).collect(),
            Ty::Projection(text) => match projection(text) {
                Some((this, of, name)) => {
                    let of = self.bounds.declared(last(of)).map(|of| of.types.as_slice()).unwrap_or_default();
                    Bounds::on(here, &format!("{this}::{name}")).chain(Bounds::on(of, name)).collect()
                }
                None => Vec::new(),
            },
            Ty::Dyn(text) | Ty::Opaque(text) => {
                let names = text.trim_start_matches("dyn ").split(" + ");
                names.filter_map(|of| known(last(of.split('<').next().unwrap_or(of)))).collect()
            }
            _ => Vec::new(),
        };
        let mut found = self.bounds.closure(stated);
        found.retain(|name| self.bounds.declared(name).is_some_and(|of| of.demands));
        found
    }

    /// Whether the type that a method is of may implement all these traits.
    pub fn may_implement(&self, method: BodyId, traits: &BTreeSet<&str>) -> bool {
        traits.iter().all(|name| self.methods.may_implement(method, name))
    }
}

/// `<T as a::Tr<X>>::Name` as `T`, `a::Tr`, `Name`.
fn projection(text: &str) -> Option<(&str, &str, &str)> {
    let inside = text.strip_prefix('<')?;
    let end = closing(inside);
    let name = inside.get(end + 1..)?.strip_prefix("::")?;
    let whole = &inside[..end];
    let at = whole.match_indices(" as ").map(|(at, _)| at).find(|at| {
        // Not the one of a type inside.
        whole[..*at].matches('<').count() == whole[..*at].matches('>').count()
    })?;
    let of = whole[at + " as ".len()..].split('<').next()?;
    (parts(name).count() == 1).then_some((&whole[..at], of, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projections_are_taken_apart() {
        assert_eq!(projection("<T as a::Tr<X>>::Name"), Some(("T", "a::Tr", "Name")));
        let inner = "<<SP as std::ops::Deref>::Target as sign::Provider>::Signer";
        let expected = ("<SP as std::ops::Deref>::Target", "sign::Provider", "Signer");
        assert_eq!(projection(inner), Some(expected));
        assert_eq!(projection("T"), None);
    }
}
