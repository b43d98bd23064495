//! A second reading of MIR text, much simpler than the reader: which lines have to turn up in what was read.
//!
//! It knows how lines begin and what locals look like, and nothing else; it shares no code with the reader. So whatever
//! was done to a text, a body that the reader calls complete is not smaller than its text. Used by `fuzz_text.rs`.

use std::collections::BTreeSet;

use lockdep_analyzer::mir::ir::{Block, Body, Terminator};

/// How statements begin that may be left out.
const WITHOUT_EFFECT: [&str; 12] = [
    "FakeRead(",
    "PlaceMention(",
    "AscribeUserType(",
    "Retag(",
    "Coverage::",
    "assume(",
    "copy_nonoverlapping(",
    "BackwardIncompatibleDropHint(",
    "Deinit(",
    "discriminant(",
    "nop",
    "ConstEvalCounter",
];

/// What `bodies`, all that was read of `text`, leave out of it.
pub fn missing(text: &str, bodies: &[Body]) -> Result<(), String> {
    if text.contains("asm!(") {
        // Its text is printed as it is, over several lines, and is whatever it likes.
        return Ok(());
    }
    let read = bodies.iter().filter(|body| !body.blocks.is_empty());
    let mut all = text.lines();
    for body in read {
        // The header, and what of the item before has no braces.
        all.find(|line| !line.starts_with("//") && line.ends_with(" {")).ok_or("a body without a header")?;
        let mut lines = all.by_ref().map(without_comment).filter(|line| !line.trim().is_empty());
        let mut declared = body.params;
        let mut blocks = body.blocks.iter().enumerate();
        while let Some(line) = lines.next() {
            let content = line.trim_start();
            if line == "}" {
                break;
            }
            if content.starts_with("let ") {
                declared += 1;
            } else if content.starts_with("bb") && content.ends_with(": {") {
                let (number, block) = blocks.next().ok_or("a block")?;
                let inside: Vec<&str> =
                    lines.by_ref().map(str::trim).take_while(|line| *line != "}").collect();
                in_block(block, &inside).map_err(|what| format!("{}, bb{number}: {what}", body.id))?;
            } else if !["debug ", "scope ", "}"].iter().any(|start| content.starts_with(start)) {
                return Err(format!("{}: {content}", body.id));
            }
        }
        if blocks.next().is_some() || declared != body.locals.len() {
            return Err(format!("{}: {declared} locals, or a block too many", body.id));
        }
    }
    match all.find(|line| *line == "}") {
        Some(_) => Err("a body that was not read".to_owned()),
        None => Ok(()),
    }
}

fn in_block(block: &Block, lines: &[&str]) -> Result<(), String> {
    let Some((last, statements)) = lines.split_last() else { return Err("it is empty".to_owned()) };
    let mut read = block.statements.iter();
    for line in statements {
        let is_fake = line.contains(" = &fake ") || line.contains(" = &raw const (fake) ");
        if is_fake || WITHOUT_EFFECT.iter().any(|start| line.starts_with(start)) {
            continue;
        }
        let statement = read.next().ok_or_else(|| format!("not read: {line}"))?;
        same_locals(line, &format!("{:?}", statement.kind))?;
    }
    if read.next().is_some() {
        return Err("a statement too many".to_owned());
    }
    let terminator = &block.terminator;
    let (is_same, locals) = match terminator {
        Terminator::Return => (*last == "return;", None),
        Terminator::Goto(_) => (
            ["goto ", "falseEdge ", "falseUnwind ", "assert("].iter().any(|start| last.starts_with(start)),
            None,
        ),
        Terminator::Switch(switch) => {
            let count = switch.targets.len() + usize::from(switch.otherwise.is_some());
            let is_same = last.starts_with("switchInt(") && last.matches("bb").count() == count;
            (is_same, Some(format!("{terminator:?}")))
        }
        Terminator::End => (
            ["resume", "unreachable", "terminate", "coroutine_drop"]
                .iter()
                .any(|start| last.starts_with(start)),
            None,
        ),
        Terminator::Drop(..) => (last.starts_with("drop("), Some(format!("{terminator:?}"))),
        Terminator::Call(call) => {
            (last.starts_with(['_', '(']) && last.contains(") -> "), Some(format!("{call:?}")))
        }
        Terminator::Yield(..) => (last.contains("yield("), None),
        Terminator::Asm(_) => (last.starts_with("asm!("), None),
        Terminator::Unread => (false, None),
    };
    if !is_same {
        return Err(format!("{terminator:?} is not {last}"));
    }
    locals.map_or(Ok(()), |debug| same_locals(last, &debug))
}

/// The line without the comment at its end.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") {
        return "";
    }
    let starts = ["// scope ", "// in scope ", "// return place in scope "];
    let comment = starts.iter().filter_map(|start| line.rfind(start)).max();
    comment.map_or(line, |at| &line[..at]).trim_end()
}

/// Whether a line mentions the locals of what was read of it, indexes and texts aside.
fn same_locals(line: &str, read: &str) -> Result<(), String> {
    if line.contains(['"', '\'']) || line.contains("const ") {
        // Texts and constants are taken as they are.
        return Ok(());
    }
    // A `_1` elsewhere may stand in a type.
    let certain = ["move ", "copy ", "(*", " = &", " = &mut "];
    let is_certain = |before: &str| before.is_empty() || certain.iter().any(|end| before.ends_with(end));
    let printed = numbers_after(line, "_", |_| true);
    let needed = numbers_after(line, "_", is_certain);
    let mut known = numbers_after(read, "local: ", |_| true);
    known.extend(storage(read));
    if needed.is_subset(&known) && known.is_subset(&printed) {
        Ok(())
    } else {
        Err(format!("{line} was read as {read}"))
    }
}

fn storage(read: &str) -> Option<u64> {
    let (_, number) = read.strip_prefix("Storage")?.split_once('(')?;
    number.trim_end_matches(')').parse().ok()
}

/// The numbers that stand directly after `mark`, where the text before it passes the test.
fn numbers_after(text: &str, mark: &str, before: impl Fn(&str) -> bool) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices(mark) {
        let rest = &text[at + mark.len()..];
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        // `_1::S` is a type.
        let goes_on = |c: char| c.is_alphanumeric() || c == '_';
        let is_whole = !rest[end..].starts_with(goes_on) && !rest[end..].starts_with("::");
        if is_whole && before(&text[..at]) {
            found.extend(rest[..end].parse::<u64>().ok());
        }
    }
    found
}
