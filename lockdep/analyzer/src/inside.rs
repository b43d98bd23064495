//! Which of the locks at one home is meant: a part of a tuple, a lock inside another, or none of them.
//!
//! The home is the field or static that a path remembers; the type that is written there says what locks it has room
//! for. This file extends [`Context`]; classes are given in `locks.rs`.

use std::sync::Arc;

use crate::context::Context;
use crate::home::{Home, HomeId};
use crate::index::type_of;
use crate::locks::{is_generic, split};
use crate::mir::ir::{Terminator, Ty};
use crate::path::{Path, Root, Step};

impl Context<'_> {
    /// Where a path ends in a part of the tuple that lives at `home`, which the caller that knows the home did not see:
    /// that part.
    pub(crate) fn part(&self, home: HomeId, path: &Path, lock: &Arc<str>) -> HomeId {
        let Some(Step::Field(last)) = path.steps.last() else { return home };
        let known = self.placed.home(home);
        let mut is_part = false;
        let mut look = |krate: usize, ty: &Ty| {
            ty.any(&mut |inner| {
                let Ty::Tuple(types) = inner else { return false };
                let part = types.get(*last as usize).and_then(|part| self.lock_type(krate, part));
                is_part |= part.is_some_and(|part| part == *lock);
                is_part
            });
        };
        match &known {
            Home::Field(name, variant, position) => {
                let fields = self.index.fields_of(name);
                fields
                    .filter(|field| field.position == *position && field.variant == *variant)
                    .for_each(|field| look(field.krate, &field.ty));
            }
            Home::Static(name) => {
                let statics =
                    self.index.statics().filter(|(krate, path, _)| self.static_name(*krate, path) == *name);
                statics.for_each(|(krate, _, ty)| look(krate, ty));
            }
            _ => {}
        }
        if is_part { self.home(Home::Part(home, *last)) } else { home }
    }

    /// Whether a tuple of these types may be what lives at `home`, and not one that was made around it: of the key and
    /// the value of a map, say, as its iterator gives them.
    pub(crate) fn has_tuple(&self, home: HomeId, krate: usize, parts: &[Ty]) -> bool {
        let written = |krate: usize, ty: &Ty| {
            let mut text = String::new();
            self.write_type(krate, ty, &mut text);
            text
        };
        let parts: Vec<String> = parts.iter().map(|part| written(krate, part)).collect();
        let alike = |part: &String, text: &String| part == text || is_generic(part) || is_generic(text);
        let here = self.types_at(home);
        let known = |(krate, ty): &(usize, Ty)| {
            ty.any(&mut |inner| match inner {
                Ty::Tuple(types) => {
                    let mut types = types.iter().map(|ty| written(*krate, ty));
                    types.len() == parts.len()
                        && parts.iter().all(|part| types.next().is_some_and(|ty| alike(part, &ty)))
                }
                Ty::Dyn(_) | Ty::Opaque(_) | Ty::Projection(_) => true,
                Ty::Path(path, _) => self.index.is_parameter(*krate, path),
                _ => false,
            })
        };
        here.is_empty() || here.iter().any(known)
    }

    /// The home of a lock of type `lock` that is found on the way to `home`: that, or the inside of another lock in it.
    pub(crate) fn within(&self, home: HomeId, lock: &Arc<str>) -> HomeId {
        let here = match self.placed.home(home) {
            Home::Part(..) | Home::Inside(_) | Home::Either(_) => return home,
            _ => self.types_at(home),
        };
        let inside = here.iter().map(|(krate, ty)| self.nested_in_lock(*krate, ty, lock)).max();
        if inside == Some(true) { self.home(Home::Inside(home)) } else { home }
    }

    /// The types that are written where a home is, with the crates that print them.
    pub(crate) fn types_at(&self, home: HomeId) -> Vec<(usize, Ty)> {
        match self.placed.home(home) {
            Home::Static(name) => {
                let here =
                    self.index.statics().filter(|(krate, path, _)| self.static_name(*krate, path) == name);
                here.map(|(krate, _, ty)| (krate, ty.clone())).collect()
            }
            Home::Field(name, variant, position) => {
                let fields = self.index.fields_of(&name);
                let here = fields.filter(|field| field.position == position && field.variant == variant);
                here.map(|field| (field.krate, field.ty.clone())).collect()
            }
            Home::Site(body, block) => {
                let entry = self.index.bodies[body];
                match &entry.body.blocks[block].terminator {
                    Terminator::Call(call) => vec![(entry.krate, type_of(&entry.body.locals, &call.dest))],
                    _ => Vec::new(),
                }
            }
            Home::Fresh(.., home) | Home::Part(home, _) | Home::Inside(home) => self.types_at(home),
            Home::Either(all) => all.into_iter().flat_map(|home| self.types_at(home)).collect(),
        }
    }

    /// Whether a lock whose type a type names may live at a home.
    pub(crate) fn has_lock_of(&self, home: HomeId, krate: usize, ty: &Ty) -> bool {
        let locks_of = |krate: usize, ty: &Ty| {
            let mut found: Vec<Arc<str>> = Vec::new();
            ty.any(&mut |part| {
                found.extend(self.lock_type(krate, part));
                false
            });
            found
        };
        let wanted = locks_of(krate, ty);
        let alike = |one: &Arc<str>, other: &Arc<str>| {
            let ((kind, data), (other_kind, other)) = (split(one), split(other));
            kind == other_kind && (data == other || is_generic(data) || is_generic(other))
        };
        let here = self.types_at(home);
        here.iter()
            .flat_map(|(krate, ty)| locks_of(*krate, ty))
            .any(|lock| wanted.iter().any(|one| alike(one, &lock)))
    }

    /// Whether a lock of type `lock` is in this type only as what another lock protects.
    fn nested_in_lock(&self, krate: usize, ty: &Ty, lock: &Arc<str>) -> bool {
        let (kind, data) = split(lock);
        if kind == "cell" {
            // The cell itself, which is not spelled as a lock.
            return false;
        }
        let (mut outer, mut outside) = (false, false);
        ty.any(&mut |inner| {
            let Some(found) = self.lock_type(krate, inner) else {
                let Some(kinds) = self.kinds_of_transparent(krate, inner) else { return false };
                outer = true;
                outside |= kinds.iter().any(|other| kind == split(other).0);
                return true;
            };
            let (other_kind, other) = split(&found);
            outer = true;
            outside |= kind == other_kind && (data == other || is_generic(data) || is_generic(other));
            // Only the outermost locks count as outside.
            true
        });
        outer && !outside
    }

    /// The locks in a type of ours whose locks live where it does; none if it is no such type.
    fn kinds_of_transparent(&self, krate: usize, ty: &Ty) -> Option<Vec<Arc<str>>> {
        let Ty::Path(path, _) = ty else { return None };
        let name = self.index.name(krate, path);
        let fields = || self.index.fields_of(&name);
        let locks = || fields().filter_map(|field| self.lock_type(field.krate, &field.ty)).collect();
        self.placed.is_transparent(&name).then(locks)
    }

    /// A home that was passed on by code that was not read may be that of something else.
    pub(crate) fn fits(&self, home: HomeId, path: &Path, lock: &Arc<str>) -> bool {
        if matches!(path.root, Root::Param(_) | Root::Static(_) | Root::Local(_)) {
            return true;
        }
        let (name, variant, position) = match self.placed.home(home) {
            Home::Field(name, variant, position) => (name, variant, position),
            Home::Either(all) => return all.into_iter().any(|home| self.fits(home, path, lock)),
            _ => return true,
        };
        let (kind, data) = split(lock);
        self.index.fields_of(&name).filter(|f| f.position == position && f.variant == variant).any(|field| {
            field.ty.any(&mut |inner| match inner {
                Ty::Dyn(_) | Ty::Opaque(_) | Ty::Projection(_) => true,
                Ty::Path(path, _) if self.index.is_parameter(field.krate, path) => true,
                Ty::Path(path, _) => match self.lock_type(field.krate, inner) {
                    Some(other) => {
                        let (other_kind, other) = split(&other);
                        kind == other_kind && (data == other || is_generic(data) || is_generic(other))
                    }
                    // A type of ours: what it holds has homes of its own, unless it is transparent.
                    None => self.placed.is_transparent(&self.index.name(field.krate, path)),
                },
                _ => false,
            })
        })
    }
}
