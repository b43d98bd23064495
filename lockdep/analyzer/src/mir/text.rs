//! The text of a whole crate → bodies, by the reader of single ones.
//!
//! Such a text does not print definition paths: `{impl#0}` is an `<impl at FILE:L:C: L:C>` here, and impls that a macro
//! made in one place look alike. Definition paths are made up where they are not known from elsewhere; they agree with
//! each other, which is all that is asked of them. Called by `mir.rs` and by `facts`.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::captures::Hints;
use super::ir::{Aggregate, AggregateKind, Body, BodyKind, Operand, Place, Rvalue, Statement, StatementKind};
use super::items::{path_of, read_file};
use super::raw::without_raw;
use super::{Problem, Stage, trimmed};

const IMPL: &str = "<impl at ";

/// Reads the text of a crate. `impls` are definition paths that are known, see [`impl_of`].
pub(crate) fn read(
    krate: &str,
    text: &str,
    stage: Stage,
    impls: &BTreeMap<String, String>,
) -> (Vec<Body>, Vec<Problem>) {
    let text = &*without_raw(text);
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let items: Vec<(String, Item<'_>)> = items(text)
        .into_iter()
        .map(|item| {
            let before = seen.entry(item.path).or_default();
            let id = definition_path(item.path, *before, impls);
            *before += 1;
            (id, item)
        })
        .collect();
    let read: Vec<(Vec<Body>, Vec<Problem>)> = items
        .par_iter()
        .map(|(id, item)| {
            let (bodies, mut problems) = read_file(id, item.text, &Hints::default());
            for problem in &mut problems {
                problem.line += item.line;
            }
            (bodies, problems)
        })
        .collect();
    let (mut bodies, mut problems) = (Vec::new(), Vec::new());
    for (more, unread) in read {
        bodies.extend(more.into_iter().filter(|body| !is_constructor(body)));
        problems.extend(unread);
    }
    if text.is_empty() {
        problems.push(Problem { file: krate.to_owned(), line: 0, text: "the text is empty".to_owned() });
    }
    match stage {
        Stage::Emitted => trimmed::restore(&mut bodies),
        Stage::Analysis | Stage::Unoptimized => bodies.iter_mut().for_each(rename_closures),
    }
    bodies.sort_by(|a, b| a.id.cmp(&b.id));
    (bodies, problems)
}

/// (`m::<impl at …>`, `m::{impl#0}`) of a body's path and definition path, if it is in an impl.
pub(crate) fn impl_of(path: &str, id: &str) -> Option<(String, String)> {
    let at = path.rfind(IMPL)?;
    let path_end = at + path.get(at..)?.find('>')? + 1;
    let at = id.rfind("{impl#")?;
    let id_end = at + id.get(at..)?.find('}')? + 1;
    Some((path.get(..path_end)?.to_owned(), id.get(..id_end)?.to_owned()))
}

/// The definition path of the item that is printed as `path` and before which `before` others were. The k-th of several
/// that look alike is in the k-th of the impls that look alike.
fn definition_path(path: &str, before: usize, impls: &BTreeMap<String, String>) -> String {
    let mut id = String::new();
    let mut rest = path;
    let again = if before == 0 { String::new() } else { format!("~{before}") };
    let mut is_in_impl = false;
    while let Some((outside, span)) = rest.split_once(IMPL) {
        let Some((span, after)) = span.split_once('>') else { break };
        let printed = path.get(..path.len() - after.len());
        is_in_impl = true;
        id.push_str(outside);
        match printed.and_then(|printed| impls.get(printed)).filter(|_| before == 0) {
            Some(known) => id.clone_from(known),
            None => id.push_str(&format!("{{impl#{span}{again}}}")),
        }
        rest = after;
    }
    id.push_str(rest);
    if !is_in_impl {
        id.push_str(&again);
    }
    id
}

/// Closures are printed with their definition paths, which have to agree with those that are made up.
fn rename_closures(body: &mut Body) {
    for statement in body.blocks.iter_mut().flat_map(|block| &mut block.statements) {
        let StatementKind::Assign(_, Rvalue::Aggregate(aggregate)) = &mut statement.kind else { continue };
        if let AggregateKind::Closure(id, _) = &mut aggregate.kind
            && let Some((_, last)) = id.rsplit_once("::")
        {
            *id = format!("{}::{last}", body.id);
        }
    }
}

/// An item of the text.
struct Item<'a> {
    path: &'a str,
    /// Its lines, up to the next item.
    text: &'a str,
    /// The number of lines before it.
    line: u32,
}

/// The items; where a constant function is printed a second time, as evaluated while compiling, the first is enough.
fn items(text: &str) -> Vec<Item<'_>> {
    // (position, number of lines before, whether it is a repetition)
    let mut starts: Vec<(usize, u32, bool)> = Vec::new();
    let mut is_repeated = false;
    let (mut at, mut number) = (0, 0_u32);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let line = rest.split('\n').next().unwrap_or_default();
        let mut length = line.len() + 1;
        if line.starts_with("// MIR FOR CTFE") {
            is_repeated = true;
        } else if is_header(line) {
            starts.push((at, number, std::mem::take(&mut is_repeated)));
            if !line.ends_with(';') {
                length = rest.find("\n}\n").map_or(rest.len(), |end| end + 3);
            }
        }
        let read = rest.get(..length).unwrap_or(rest);
        number = number.saturating_add(u32::try_from(read.matches('\n').count()).unwrap_or(u32::MAX));
        at += length;
    }
    let ends = starts.iter().skip(1).map(|(start, ..)| *start).chain([text.len()]);
    let items = starts.iter().zip(ends).filter(|((_, _, is_repeated), _)| !is_repeated);
    items
        .map(|(&(start, line, _), end)| {
            let text = text.get(start..end).unwrap_or_default();
            let first = text.split('\n').next().unwrap_or_default();
            Item { path: path_of(first).unwrap_or(first), text, line }
        })
        .collect()
}

/// Whether an item begins with this line. What is inside one is skipped before.
fn is_header(line: &str) -> bool {
    let is_allocation = line
        .strip_prefix("alloc")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains(" ("));
    !line.is_empty() && !line.starts_with([' ', '}', '|']) && !line.starts_with("//") && !is_allocation
}

/// Whether a body only builds the struct or variant of its own name. Other texts have no such bodies.
fn is_constructor(body: &Body) -> bool {
    let [block] = body.blocks.as_slice() else { return false };
    let [Statement { kind: StatementKind::Assign(to, Rvalue::Aggregate(built)), .. }] =
        block.statements.as_slice()
    else {
        return false;
    };
    let Aggregate { kind: AggregateKind::Adt(path), fields } = &**built else { return false };
    let last = |path: &str| path.rsplit("::").next().map(str::to_owned);
    body.kind == BodyKind::Fn
        && *to == Place::local(0)
        && last(path) == last(&body.path)
        && fields.len() == body.params
        && fields.iter().zip(1..).all(|((_, field), local)| *field == Operand::Move(Place::local(local)))
}
