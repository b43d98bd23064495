//! Bodies that must exist and were not read: a file of the dump is lost, or the compiler wrote none.
//!
//! What calls a lost function may look as if it had nothing to do with locks, so this is asked of all bodies and not of
//! those that matter. It goes by names and finds no more than names tell: a function that nothing mentions, and one
//! that was alone in a module at the top of its crate, can be lost without a trace. Called by `analyze`.

use std::collections::{BTreeMap, BTreeSet};

use crate::mir::ir::{AggregateKind, Body, Callee, Program, Rvalue, StatementKind, Terminator, Ty};

/// What is missing, a sentence each.
pub fn missing_bodies(program: &Program) -> Vec<String> {
    let mut found: Vec<String> = closures(program).into_iter().collect();
    let functions = functions(program);
    if !functions.is_empty() {
        let names: Vec<String> = functions.into_iter().map(|name| format!("`{name}`")).collect();
        found.push(format!("{}: called, but the compiler wrote no MIR of it", names.join(", ")));
    }
    found
}

/// A closure or coroutine that is created has a body; so has one that only a type names, since a constant made it.
fn closures(program: &Program) -> BTreeSet<String> {
    let known: BTreeSet<&str> = program.bodies.iter().map(|body| body.id.as_str()).collect();
    let ends: BTreeSet<&str> = known.iter().filter_map(|id| closure_of(id)).collect();
    let mut missing = BTreeSet::new();
    for body in &program.bodies {
        let mut miss = |id: &str| {
            missing.insert(format!("{id}: created in {} but the compiler wrote no MIR of it", body.id));
        };
        let statements = body.blocks.iter().flat_map(|block| &block.statements);
        for statement in statements {
            if let StatementKind::Assign(_, Rvalue::Aggregate(aggregate)) = &statement.kind
                && let AggregateKind::Closure(id, _) = &aggregate.kind
                && !id.is_empty()
                && !known.contains(id.as_str())
            {
                miss(id);
            }
        }
        let function = body.id.rsplit("::").next();
        for ty in &body.locals {
            if let Ty::Closure(text) = pointee(ty)
                && let Some(end) = text.strip_prefix("closure@").and_then(closure_of)
                && end.split("::").next() == function
                && !ends.contains(end)
            {
                miss(text);
            }
        }
    }
    missing
}

/// What the type is behind its references.
fn pointee(ty: &Ty) -> &Ty {
    match ty {
        Ty::Ref(_, inner) => pointee(inner),
        _ => ty,
    }
}

/// `f::{closure#0}` of `a::f::{closure#0}`.
fn closure_of(path: &str) -> Option<&str> {
    let (outer, last) = path.rsplit_once("::")?;
    let start = outer.rfind("::").map_or(0, |at| at + 2);
    last.starts_with("{closure#").then(|| &path[start..])
}

/// A function of this crate that is called by name has a body, unless it is foreign (`extern "C"`).
fn functions(program: &Program) -> BTreeSet<&str> {
    let names = Names::new(&program.bodies);
    let blocks = program.bodies.iter().flat_map(|body| &body.blocks);
    let called = blocks.filter_map(|block| match &block.terminator {
        Terminator::Call(call) => match &call.callee {
            Callee::Path { path, .. } => Some(path.as_str()),
            _ => None,
        },
        _ => None,
    });
    called.filter(|path| names.is_ours(path) && !names.is_known(path)).collect()
}

struct Names<'p> {
    modules: BTreeSet<&'p str>,
    paths: BTreeSet<&'p str>,
    /// By what follows the impl in the definition path: the headers of the impls.
    members: BTreeMap<&'p str, BTreeSet<&'p str>>,
}

impl<'p> Names<'p> {
    fn new(bodies: &'p [Body]) -> Names<'p> {
        let mut names = Names { modules: BTreeSet::new(), paths: BTreeSet::new(), members: BTreeMap::new() };
        for body in bodies {
            let first = body.id.split_once("::").map(|(first, _)| first);
            names.modules.extend(first.filter(|first| !first.starts_with('{')));
            names.paths.insert(&body.path);
            if let Some((_, member)) =
                body.id.rsplit_once("{impl#").and_then(|(_, rest)| rest.split_once("}::"))
            {
                names
                    .members
                    .entry(member)
                    .or_default()
                    .insert(body.impl_header.as_deref().unwrap_or_default());
            }
        }
        names
    }

    fn is_ours(&self, path: &str) -> bool {
        // Types at the top of the crate are capitalised, as crates are not.
        let is_here = |first: &str| self.modules.contains(first) || first.starts_with(char::is_uppercase);
        // An impl's own text stands in the path of what is inside it, and is no name.
        !path.contains("<impl ") && path.split_once("::").is_none_or(|(first, _)| is_here(first))
    }

    fn is_known(&self, path: &str) -> bool {
        let is_member = || {
            path.match_indices("::").any(|(at, _)| {
                let this = path[..at].rsplit("::").next().unwrap_or_default();
                let headers = self.members.get(&path[at + 2..]);
                headers.is_some_and(|headers| headers.iter().any(|header| may_be_of(header, this)))
            })
        };
        self.paths.contains(path) || is_member()
    }
}

/// Whether the header of an impl can be one for the type of that name.
fn may_be_of(header: &str, this: &str) -> bool {
    // The place of an impl that a macro made is the macro's call, or its definition.
    let is_impl = header.trim_start_matches("unsafe ").starts_with("impl") && !header.contains('$');
    !is_impl || header.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == this)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mir::read_dump;

    fn missing(calls: &[&str]) -> Vec<String> {
        let text = |path: &str| {
            format!("fn {path}() -> () {{\n    let mut _0: ();\n\n    bb0: {{\n        return;\n    }}\n}}\n")
        };
        let calling: String = calls
            .iter()
            .enumerate()
            .map(|(number, path)| {
                format!(
                    "    bb{number}: {{\n        _0 = {path}() -> [return: bb{}, unwind continue];\n    }}\n",
                    number + 1
                )
            })
            .collect();
        let end = calls.len();
        let main = format!(
            "fn main() -> () {{\n    let mut _0: ();\n\n{calling}    bb{end}: {{\n        return;\n    }}\n}}\n"
        );
        let files = [
            ("k.main.2-1-000.analysis.after.mir", main),
            ("k.a-f.2-1-000.analysis.after.mir", text("a::f")),
            ("k.a-{impl#0}-m.2-1-000.analysis.after.mir", text("a::<impl at src/a.rs:1:1: 1:9>::m")),
            ("k.a-{impl#1}-n.2-1-000.analysis.after.mir", text("a::<impl at src/a.rs:5:1: 5:9>::n")),
        ];
        let (mut program, problems) = read_dump("k", &files.map(|(name, text)| (name.to_owned(), text)));
        assert_eq!(problems, []);
        program.bodies[1].impl_header = Some("impl<T> S<T>".to_owned());
        missing_bodies(&program)
    }

    #[test]
    fn a_function_that_is_called_is_missed() {
        let there = [
            "a::f",
            "a::S::<u8>::m",
            "a::Made::n",
            "core::mem::drop::<u8>",
            "<a::S as a::Tr>::gone",
            "T::<u8>::m",
        ];
        assert_eq!(missing(&there), Vec::<String>::new());
        assert_eq!(
            missing(&["a::gone", "gone", "Type::gone", "a::Other::m", "a::gone"]),
            ["`Type::gone`, `a::Other::m`, `a::gone`, `gone`: called, but the compiler wrote no MIR of it"]
        );
    }
}
