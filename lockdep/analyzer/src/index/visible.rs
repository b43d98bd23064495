//! Items that are printed by another path than the one they are defined at.
//!
//! The crate that defines an item prints the path of its definition, every other crate one that it can see: `pub use`
//! makes the two differ. An item of an analyzed crate that is not defined at the path it is printed by is taken to be
//! the one with the same last segment, if there is only one. Built once, by `Index::new`.

use std::borrow::Cow;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Index, last};
use crate::mir::ir::{BodyKind, Program, Ty};

/// Where the items of several crates are defined.
#[derive(Debug, Default)]
pub(super) struct Definitions<'a> {
    /// (crate, path).
    known: FxHashSet<(&'a str, &'a str)>,
    /// By (crate, last segment); none if there are several.
    by_last: FxHashMap<(&'a str, &'a str), Option<&'a str>>,
}

impl<'a> Definitions<'a> {
    /// Reads what each crate prints of itself. A crate alone is never seen by another one.
    pub(super) fn new(programs: &'a [Program], index: &Index<'_>) -> Definitions<'a> {
        let mut found = Definitions::default();
        if programs.len() < 2 {
            return found;
        }
        for (krate, program) in programs.iter().enumerate() {
            let mut types: FxHashSet<&'a str> = FxHashSet::default();
            for body in &program.bodies {
                if body.kind == BodyKind::Fn && !body.path.contains(['<', '{']) {
                    found.define(&program.krate, &body.path);
                }
                body.locals.iter().for_each(|ty| paths(ty, &mut types));
            }
            for path in types {
                if index.name(krate, path).krate == program.krate {
                    found.define(&program.krate, path);
                }
            }
        }
        found
    }

    fn define(&mut self, krate: &'a str, path: &'a str) {
        if self.known.insert((krate, path)) {
            let last = last(path);
            self.by_last.entry((krate, last)).and_modify(|other| *other = None).or_insert(Some(path));
        }
    }

    /// The path at which the item that is seen at `path` of `krate` is defined, as far as names say.
    pub(super) fn path<'p>(&'p self, krate: &'p str, path: &'p str) -> Cow<'p, str> {
        if self.known.is_empty() || self.known.contains(&(krate, path)) {
            return Cow::Borrowed(path);
        }
        let Some((outer, last)) = path.rsplit_once("::") else {
            return Cow::Borrowed(self.unique(krate, path, path));
        };
        let is_type =
            |path: &str| path.rsplit("::").next().is_some_and(|last| last.starts_with(char::is_uppercase));
        if is_type(outer) && !is_type(last) {
            // A method goes with its type.
            return match self.path(krate, outer) {
                Cow::Borrowed(same) if same == outer => Cow::Borrowed(path),
                outer => Cow::Owned(format!("{outer}::{last}")),
            };
        }
        Cow::Borrowed(self.unique(krate, last, path))
    }

    fn unique<'p>(&'p self, krate: &'p str, last: &'p str, path: &'p str) -> &'p str {
        self.by_last.get(&(krate, last)).copied().flatten().unwrap_or(path)
    }
}

/// The paths that a type mentions.
fn paths<'a>(ty: &'a Ty, found: &mut FxHashSet<&'a str>) {
    match ty {
        Ty::Path(path, args) => {
            found.insert(path);
            args.iter().for_each(|arg| paths(arg, found));
        }
        Ty::Tuple(types) => types.iter().for_each(|ty| paths(ty, found)),
        Ty::Ref(_, inner) | Ty::Ptr(_, inner) | Ty::Slice(inner) | Ty::Array(inner, _) => paths(inner, found),
        _ => {}
    }
}
