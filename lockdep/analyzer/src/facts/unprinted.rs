//! Promoted constants that the compiler does not print where it only checks, like the table in `run(&Table { poll })`.
//!
//! In place of its body stands one that names the functions which the source names there, by the text of the expression
//! and the paths of the crate's functions: more than it holds perhaps, and what a macro put there is not seen, so that
//! each is an assumption (`link/assumptions.rs`). It asks no compiler and reads no files. Called by `extract.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use syn::ext::IdentExt;
use syn::{Expr, ItemStruct, Member};

use super::bounds;
use crate::mir::ir::{
    Aggregate, AggregateKind, Block, Body, BodyKind, Callee, Operand, Place, Rvalue, Span, Statement,
    StatementKind, Terminator, Ty,
};
use crate::mir::{self, source_at};

/// The names of the fields of structs in the order of their declarations; none of those that are declared twice, or that
/// conditions change.
pub(super) type Layouts = BTreeMap<String, Option<Vec<String>>>;

/// What the text of an expression names: paths without generic arguments, each with the field that it is given to.
type Named = BTreeSet<(Option<String>, String)>;

/// A use of a promoted constant that may hold code.
#[derive(Clone, Debug)]
pub(super) struct Use {
    /// The definition path of the constant.
    pub id: String,
    /// That of the body that uses it.
    owner: String,
    ty: Ty,
    span: Span,
    named: Named,
}

impl Use {
    /// The use in an assignment of `body`, if it is one; `source` is the text of the file.
    pub(super) fn of(
        body: &Body,
        dest: &Place,
        rvalue: &Rvalue,
        span: &Span,
        source: impl FnOnce() -> Option<Arc<str>>,
    ) -> Option<Use> {
        let Rvalue::Use(Operand::Const(text)) = rvalue else { return None };
        let ty = body.locals.get(dest.local).filter(|ty| mir::is_promoted(text) && may_hold_code(ty))?;
        let source = source();
        let text_there = source.as_deref().and_then(|source| source_at(source, span)).unwrap_or_default();
        let id = format!("{}::{}", body.id, text.rsplit("::").next()?);
        Some(Use { id, owner: body.id.clone(), ty: ty.clone(), span: span.clone(), named: named(text_there) })
    }

    /// The struct that it is, or that it is an array of, by its name.
    pub(super) fn table(&self) -> Option<&str> {
        match inner(&self.ty) {
            Ty::Path(path, _) => path.rsplit("::").next(),
            _ => None,
        }
    }

    /// What stands for the constant; `functions` are the definition paths and printed paths of those of the crate.
    pub(super) fn body(&self, functions: &[(&str, &str)], layouts: &Layouts) -> Body {
        let layout = self.table().and_then(|table| layouts.get(table)?.as_deref());
        let (mut statements, whole) = (Vec::new(), inner(&self.ty));
        let mut assign = |local, value| {
            statements.push(Statement { kind: StatementKind::Assign(Place::local(local), value) });
        };
        assign(0, Rvalue::Ref { mutable: false, place: Place::local(1) });
        for (field, name) in &self.named {
            for path in called(&self.owner, name, functions) {
                let function =
                    Operand::Fn(Callee::Path { path: path.to_owned(), generics: Vec::new() }.into());
                let position =
                    field.as_ref().and_then(|field| layout?.iter().position(|known| known == field));
                match (position, layout, whole) {
                    (Some(position), Some(layout), Ty::Path(of, _)) => {
                        assign(1, with_field(of, layout, position, function));
                    }
                    _ => assign(0, Rvalue::Cast(function, self.ty.clone().into())),
                }
            }
        }
        let spans = vec![vec![self.span.clone(); statements.len()]];
        let terminator = Terminator::Return;
        let block = Block { cleanup: false, statements, terminator, span: self.span.clone() };
        Body {
            id: self.id.clone(),
            path: self.id.clone(),
            kind: BodyKind::Unprinted,
            params: 0,
            locals: vec![self.ty.clone(), whole.clone()],
            names: BTreeMap::new(),
            span: self.span.clone(),
            impl_at: None,
            impl_header: None,
            blocks: vec![block],
            statement_spans: spans,
            unread: Vec::new(),
        }
    }
}

/// Notes the layouts of the structs called `wanted` that a source declares.
pub(super) fn note_layouts(source: &str, wanted: &BTreeSet<String>, layouts: &mut Layouts) {
    if wanted.iter().any(|name| source.contains(&format!("struct {name}"))) {
        bounds::each_item(source.parse().unwrap_or_default(), "struct", &mut |item| {
            let Ok(item) = syn::parse2::<ItemStruct>(item) else { return };
            let name = item.ident.unraw().to_string();
            if wanted.contains(&name) {
                let once = !layouts.contains_key(&name);
                layouts.insert(name, layout(&item).filter(|_| once));
            }
        });
    }
}

fn layout(item: &ItemStruct) -> Option<Vec<String>> {
    let fields = item.fields.iter().map(|field| {
        let plain = !bounds::is_conditional(&field.attrs);
        field.ident.as_ref().filter(|_| plain).map(|name| name.unraw().to_string())
    });
    fields.collect()
}

/// A struct of which one field is known.
fn with_field(of: &str, layout: &[String], position: usize, function: Operand) -> Rvalue {
    let field = |(at, name): (usize, &String)| {
        let unknown = || Operand::Const("of another field".into());
        (Some(name.clone()), if at == position { function.clone() } else { unknown() })
    };
    let fields = layout.iter().enumerate().map(field).collect();
    Rvalue::Aggregate(Aggregate { kind: AggregateKind::Adt(of.to_owned()), fields }.into())
}

/// What a type lends, or is an array of.
fn inner(ty: &Ty) -> &Ty {
    match ty {
        Ty::Ref(_, of) | Ty::Slice(of) | Ty::Array(of, _) => inner(of),
        _ => ty,
    }
}

/// The functions that `name` may mean in the body `owner`, by their printed paths: those where the name is looked for
/// first, or else all that end like it.
fn called<'f>(owner: &str, name: &str, functions: &[(&'f str, &'f str)]) -> Vec<&'f str> {
    let (outer, last) = name.rsplit_once("::").unwrap_or(("", name));
    let qualifier = outer.rsplit("::").next().unwrap_or_default();
    let group = owner.find("{impl#").and_then(|at| Some(&owner[..at + owner[at..].find('}')? + 1]));
    let module = group.map_or(owner, |group| group).rsplit_once("::").map_or("", |(module, _)| module);
    let ends = |id: &str| id.rsplit("::").next() == Some(last);
    let inside = |id: &str, around: &str| {
        let end = id.strip_prefix(around).map(|rest| rest.strip_prefix("::").unwrap_or(rest));
        end == Some(last) && (around.is_empty() || id.len() > around.len())
    };
    let of = |chosen: &dyn Fn(&str) -> bool| -> Vec<&'f str> {
        functions.iter().filter(|(id, _)| ends(id) && chosen(id)).map(|(_, path)| *path).collect()
    };
    let is_method = |id: &str| id.contains("{impl#");
    let near = match qualifier {
        "" => of(&|id| inside(id, module) || inside(id, owner)),
        "Self" => of(&|id| group.is_some_and(|group| inside(id, group))),
        _ => Vec::new(),
    };
    match qualifier {
        _ if !near.is_empty() => near,
        "" => of(&|id| !is_method(id)),
        _ if qualifier.starts_with(char::is_uppercase) => of(&is_method),
        _ => of(&|id| !is_method(id)),
    }
}

/// What an expression names. Of one that is not understood it is every name in the text.
fn named(text: &str) -> Named {
    let mut found = Named::new();
    let understood = syn::parse_str::<Expr>(text).is_ok_and(|expression| walk(&expression, None, &mut found));
    if !understood {
        let is_inside = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let words = text.split(|c: char| !is_inside(c)).map(|word| word.trim_matches(':').to_owned());
        let begins = |word: &String| word.starts_with(|c: char| c.is_alphabetic() || c == '_');
        found.extend(words.filter(begins).map(|word| (None, word)));
    }
    found
}

/// Whether all of an expression was understood.
fn walk(expression: &Expr, field: Option<&str>, found: &mut Named) -> bool {
    let mut all = |parts: Vec<&Expr>| parts.into_iter().all(|part| walk(part, field, found));
    match expression {
        Expr::Reference(of) => walk(&of.expr, field, found),
        Expr::Paren(of) => walk(&of.expr, field, found),
        Expr::Group(of) => walk(&of.expr, field, found),
        Expr::Cast(of) => walk(&of.expr, field, found),
        Expr::Array(of) => all(of.elems.iter().collect()),
        Expr::Tuple(of) => all(of.elems.iter().collect()),
        Expr::Repeat(of) => walk(&of.expr, field, found),
        // Constructors, and functions that are run for the constant.
        Expr::Call(of) => all(of.args.iter().collect()),
        Expr::Lit(_) => true,
        Expr::Path(of) if of.qself.is_none() => {
            let names = of.path.segments.iter().map(|segment| segment.ident.unraw().to_string());
            found.insert((field.map(str::to_owned), names.collect::<Vec<_>>().join("::")));
            true
        }
        Expr::Struct(of) => {
            of.rest.is_none()
                && of.fields.iter().all(|value| match &value.member {
                    Member::Named(name) => walk(&value.expr, Some(&name.unraw().to_string()), found),
                    Member::Unnamed(_) => walk(&value.expr, None, found),
                })
        }
        _ => false,
    }
}

/// Whether a value of the type may be, or have in it, something that can be called.
fn may_hold_code(ty: &Ty) -> bool {
    ty.any(&mut |part| match part {
        Ty::Closure(_) | Ty::FnItem(_) | Ty::FnPtr(..) | Ty::Dyn(_) | Ty::Opaque(_) | Ty::Projection(_) => {
            true
        }
        Ty::Path(path, _) => {
            let of_std = ["std::", "core::", "alloc::"].iter().any(|krate| path.starts_with(krate));
            // A primitive or a parameter; of those, only the second may be anything.
            let is_plain = !path.contains("::") && path.starts_with(char::is_lowercase);
            !(of_std || is_plain) || path.ends_with("RawWakerVTable")
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_for_where_the_constant_is_made() {
        let functions = [
            ("raw::poll", "raw::poll"),
            ("task::poll", "task::poll"),
            ("task::{impl#0}::wake", "task::<impl at src/task.rs:1:1: 2:2>::wake"),
            ("task::{impl#1}::wake", "task::<impl at src/task.rs:3:1: 4:2>::wake"),
        ];
        let of = |owner: &str, name: &str| called(owner, name, &functions);
        assert_eq!(of("raw::table", "poll"), ["raw::poll"]);
        assert_eq!(of("raw::{impl#7}::table", "poll"), ["raw::poll"]);
        assert_eq!(of("other::table", "poll"), ["raw::poll", "task::poll"]);
        assert_eq!(of("other::table", "task::poll"), ["raw::poll", "task::poll"]);
        assert_eq!(of("task::{impl#1}::table", "Self::wake"), ["task::<impl at src/task.rs:3:1: 4:2>::wake"]);
        assert_eq!(of("raw::table", "Task::wake").len(), 2);
        assert_eq!(of("raw::table", "u32"), Vec::<&str>::new());
    }

    #[test]
    fn expressions_name_functions() {
        let of = |text: &str| -> Vec<String> {
            let shown =
                |(field, path): (Option<String>, String)| format!("{}={path}", field.unwrap_or_default());
            named(text).into_iter().map(shown).collect()
        };
        assert_eq!(of("&Table { poll: poll::<T, S>, wake: Self::wake }"), ["poll=poll", "wake=Self::wake"]);
        assert_eq!(of("&[a as fn(), crate::b, r#move]"), ["=a", "=crate::b", "=move"]);
        assert_eq!(of("&Vtable::new(clone::<W>, drop)"), ["=clone", "=drop"]);
        // A macro could name anything that its text does.
        assert_eq!(of("table!(a, b::c)"), ["=a", "=b::c", "=table"]);
        assert_eq!(of("&Table {"), ["=Table"]);
    }

    #[test]
    fn fields_have_the_positions_of_their_declarations() {
        let source = "mod m { pub struct Table<T> { pub poll: fn(T), /// No.
            r#move: u8 } struct Pair(u8, u8); struct Twice { a: u8 } struct Twice { a: u8 }
            struct Some_ { #[cfg(unix)] a: u8 } }";
        let wanted = ["Table", "Pair", "Twice", "Some_"].map(str::to_owned).into();
        let mut layouts = Layouts::new();
        note_layouts(source, &wanted, &mut layouts);
        assert_eq!(layouts["Table"], Some(vec!["poll".to_owned(), "move".to_owned()]));
        assert!(["Pair", "Twice", "Some_"].iter().all(|name| layouts[*name].is_none()));
    }
}
