//! What `--emit=mir` prints shorter or otherwise than the other stages, brought back.
//!
//! A name that is unique among all crates a compiler sees is printed as its last segment in values and headers, and in
//! full in the declarations of locals: so a name that the locals have in one form only is that. Modules, too. Closures have no
//! definition paths, but their bodies have them as the type of their first parameter. A copy of a local that is used no
//! more is printed for a move. Names that are short nowhere but in values stay short, and the calls unresolved. Called
//! by `text.rs` only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ir::{AggregateKind, Body, Callee, Operand, Rvalue, StatementKind, Terminator, Ty};

/// Items of the standard library, and the one of ours, that are no types of locals, and whose paths matter.
const KNOWN: [(&str, &str); 16] = [
    ("AsRef", "std::convert::AsRef"),
    ("Borrow", "std::borrow::Borrow"),
    ("Clone", "std::clone::Clone"),
    ("Deref", "std::ops::Deref"),
    ("DerefMut", "std::ops::DerefMut"),
    ("Drop", "std::ops::Drop"),
    ("Fn", "std::ops::Fn"),
    ("FnMut", "std::ops::FnMut"),
    ("FnOnce", "std::ops::FnOnce"),
    ("Index", "std::ops::Index"),
    ("IndexMut", "std::ops::IndexMut"),
    ("Iterator", "std::iter::Iterator"),
    ("drop", "std::mem::drop"),
    ("forget", "std::mem::forget"),
    ("enter_operation", "lockdep::__private::enter_operation"),
    ("spawn", "std::thread::spawn"),
];

/// Restores all bodies of a crate.
pub(super) fn restore(bodies: &mut [Body]) {
    let names = Names::of(bodies);
    let closures = closures(bodies);
    for body in bodies {
        let locals = body.locals.clone();
        for block in &mut body.blocks {
            for statement in &mut block.statements {
                let StatementKind::Assign(_, value) = &mut statement.kind else { continue };
                match value {
                    Rvalue::Aggregate(aggregate) => {
                        match &mut aggregate.kind {
                            AggregateKind::Closure(id, Ty::Closure(text)) if id.is_empty() => {
                                id.clone_from(closures.get(&**text).unwrap_or(&String::new()));
                            }
                            AggregateKind::Adt(path) => names.lengthen(path),
                            _ => {}
                        }
                        aggregate.fields.iter_mut().for_each(|(_, field)| names.operand(field));
                    }
                    Rvalue::Use(operand) => names.operand(operand),
                    Rvalue::Cast(operand, ty) => {
                        names.operand(operand);
                        names.ty(Arc::make_mut(ty));
                    }
                    _ => {}
                }
            }
            if let Terminator::Call(call) = &mut block.terminator {
                names.callee(&mut call.callee);
                for operand in &mut call.args {
                    names.operand(operand);
                    move_copied(operand, &locals);
                }
            }
        }
    }
}

/// Makes the copy of a value of a struct or enum a move. For a value that can be copied it makes no difference to locks.
fn move_copied(operand: &mut Operand, locals: &[Ty]) {
    if let Operand::Copy(place) = operand
        && place.projection.is_empty()
        && matches!(locals.get(place.local), Some(Ty::Path(path, _)) if path.contains("::") || starts_upper(path))
    {
        *operand = Operand::Move(place.clone());
    }
}

/// The definition paths of closures and coroutines by their types.
fn closures(bodies: &[Body]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for body in bodies.iter().filter(|body| body.params > 0) {
        if let Some(Ty::Closure(text)) = body.locals.get(1).map(behind) {
            let is_first = found.insert(text.to_string(), body.id.clone()).is_none();
            if !is_first {
                twice.insert(text.to_string());
            }
        }
    }
    // Made by a macro in one place: which is which is not printed.
    found.retain(|text, _| !twice.contains(text));
    found
}

/// The type behind references and `Pin`.
fn behind(ty: &Ty) -> &Ty {
    match ty {
        Ty::Ref(_, inner) => behind(inner),
        Ty::Path(path, arguments) if path.ends_with("Pin") => arguments.first().map_or(ty, behind),
        _ => ty,
    }
}

fn starts_upper(name: &str) -> bool {
    name.starts_with(char::is_uppercase)
}

/// Full names by last segments.
struct Names(BTreeMap<String, Arc<str>>);

impl Names {
    fn of(bodies: &[Body]) -> Names {
        let mut forms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut note = |ty: &Ty| {
            if let Ty::Path(path, _) = ty {
                // A module is printed short like anything else.
                let ends = path.match_indices("::").map(|(at, _)| at).chain([path.len()]);
                for prefix in ends.filter_map(|end| path.get(..end)) {
                    let last = prefix.rsplit("::").next().unwrap_or(prefix);
                    forms.entry(last.to_owned()).or_default().insert(prefix.to_owned());
                }
            }
            false
        };
        for body in bodies {
            // Parameters and results are printed in the header, too, and short there.
            body.locals.iter().skip(body.params + 1).for_each(|ty| {
                ty.any(&mut note);
            });
        }
        let mut names: BTreeMap<String, Arc<str>> =
            KNOWN.into_iter().map(|(short, full)| (short.to_owned(), Arc::from(full))).collect();
        for (last, mut forms) in forms {
            match (forms.pop_first(), forms.pop_first()) {
                (Some(only), None) if only != last => names.insert(last, Arc::from(only)),
                _ => names.remove(&last),
            };
        }
        Names(names)
    }

    /// Puts the full name in place of a first segment that is short.
    fn lengthen(&self, path: &mut String) {
        if let Some(longer) = self.longer(path) {
            *path = longer;
        }
    }

    fn longer(&self, path: &str) -> Option<String> {
        let first = path.split("::").next()?;
        Some(format!("{}{}", self.0.get(first)?, path.strip_prefix(first)?))
    }

    fn ty(&self, ty: &mut Ty) {
        match ty {
            Ty::Path(path, arguments) => {
                Arc::make_mut(arguments).iter_mut().for_each(|argument| self.ty(argument));
                if let Some(longer) = self.longer(path) {
                    *path = longer.into();
                }
            }
            Ty::Tuple(types) => Arc::make_mut(types).iter_mut().for_each(|ty| self.ty(ty)),
            Ty::Ref(_, inner) | Ty::Ptr(_, inner) | Ty::Slice(inner) | Ty::Array(inner, _) => {
                self.ty(Arc::make_mut(inner));
            }
            Ty::FnPtr(parameters, result) => {
                Arc::make_mut(parameters).iter_mut().for_each(|ty| self.ty(ty));
                self.ty(Arc::make_mut(result));
            }
            _ => {}
        }
    }

    fn operand(&self, operand: &mut Operand) {
        if let Operand::Fn(callee) = operand {
            self.callee(callee);
        }
    }

    fn callee(&self, callee: &mut Callee) {
        match callee {
            Callee::Path { path, generics } => {
                let before = path.split("::").count();
                self.lengthen(path);
                let more = path.split("::").count() - before;
                for (segment, types) in generics {
                    *segment += more;
                    types.iter_mut().for_each(|ty| self.ty(ty));
                }
            }
            Callee::Qualified { this, of, generics, .. } => {
                self.ty(this);
                of.iter_mut().for_each(|of| self.ty(of));
                generics.iter_mut().for_each(|ty| self.ty(ty));
            }
            Callee::Place(_) => {}
        }
    }
}
