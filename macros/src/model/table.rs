//! The names of an order as an attribute far away sees them, and the look-up with suggestions.
//!
//! An attribute cannot see `lock_order!`'s input; the tables get here through the macro of the order's name,
//! see `ask.rs`. This file knows names only: levels are looked up by rustc, in the types.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::Path;
use syn::ext::IdentExt;

use crate::diagnostics::{self, Diagnostics};

/// The names in one order.
pub struct Names {
    /// The order's module.
    pub order: Ident,
    /// Its classes, in ascending level.
    pub classes: Vec<Ident>,
    /// Its roles, in ascending rank.
    pub roles: Vec<Ident>,
}

/// A class as an attribute names it: `paging` of the table `crate::locks::mm`.
pub struct ClassRef {
    /// The table; `levels` when the attribute does not say.
    pub table: Path,
    /// The class.
    pub class: Ident,
}

/// A role that was found: its type and its rank.
pub struct RoleRef {
    /// Path of the role's type.
    pub path: Path,
    /// 0 is the lowest.
    pub rank: usize,
}

/// The tables that one attribute asked for, each under the path (as text) by which it asked.
pub struct Tables(Vec<(String, Names)>);

impl Tables {
    /// The tables at `paths`.
    pub fn new(paths: &[Path], names: Vec<Names>) -> Tables {
        Tables(paths.iter().map(key).zip(names).collect())
    }

    /// The path of the type of a class. A class that does not exist is reported, and the one that was
    /// probably meant stands in, so that the item still compiles.
    pub fn class(&self, wanted: &ClassRef, diagnostics: &mut Diagnostics) -> Option<Path> {
        let names = self.names(&wanted.table)?;
        let what = Kind { one: "level", many: format!("levels of `{}`", names.order) };
        let index = find(&wanted.class, &names.classes, &what, diagnostics)?;
        Some(member(&wanted.table, &names.classes[index], &wanted.class))
    }

    /// The type and rank of a role of the order at `table`.
    pub fn role(&self, table: &Path, role: &Ident, diagnostics: &mut Diagnostics) -> Option<RoleRef> {
        let names = self.names(table)?;
        let what = Kind { one: "role", many: format!("roles of `{}`", names.order) };
        let rank = find(role, &names.roles, &what, diagnostics)?;
        Some(RoleRef { path: member(table, &names.roles[rank], role), rank })
    }

    fn names(&self, table: &Path) -> Option<&Names> {
        let table = key(table);
        self.0.iter().find(|(path, _)| *path == table).map(|(_, names)| names)
    }
}

/// What makes two paths the same table.
pub fn key(path: &Path) -> String {
    path.to_token_stream().to_string()
}

struct Kind {
    one: &'static str,
    many: String,
}

fn find(wanted: &Ident, known: &[Ident], what: &Kind, diagnostics: &mut Diagnostics) -> Option<usize> {
    let exact = known.iter().position(|name| name == wanted);
    if exact.is_some() {
        return exact;
    }
    let texts: Vec<String> = known.iter().map(|name| name.unraw().to_string()).collect();
    let text = wanted.unraw().to_string();
    diagnostics.report(wanted.span(), diagnostics::unknown(what.one, &text, &texts, &what.many));
    let near = diagnostics::nearest(&text, texts.iter().map(String::as_str))?;
    texts.iter().position(|known| known == near)
}

/// `name` in `table`, at the place where the user wrote `written`.
fn member(table: &Path, name: &Ident, written: &Ident) -> Path {
    let mut path = table.clone();
    let mut name = name.clone();
    name.set_span(written.span());
    path.segments.push(name.into());
    path
}
