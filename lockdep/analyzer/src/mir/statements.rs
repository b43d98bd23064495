//! Statements and terminators, a line each.
//!
//! What has no effect on locks is named here and skipped; what is not named is not read. Called by `items.rs` only.

use super::callees::callee;
use super::ir::{Call, Callee, Operand, Place, Projection, StatementKind, Switch, Terminator, Ty};
use super::lex::Cursor;
use super::operands::Names;
use super::rvalues::{Target, rvalue};

/// A line of a block.
pub(super) enum Line {
    /// A statement that may matter.
    Statement(StatementKind),
    /// A statement that is known not to matter.
    Skipped,
    /// The end of a block.
    Terminator(Terminator),
}

/// What is known about the body a line stands in.
pub(super) struct Surroundings<'b> {
    /// Types of the locals by number, as far as declared.
    pub(super) locals: &'b [Option<Ty>],
    /// See [`Target::constant_follows`].
    pub(super) constant_follows: bool,
    /// The definition path.
    pub(super) body: &'b str,
}

/// Statements without effect on locks: for the borrow checker, for coverage, for the interpreter, for tags of enums.
const NO_EFFECT: [&str; 9] = [
    "FakeRead(",
    "PlaceMention(",
    "AscribeUserType(",
    "Retag(",
    "Coverage::",
    "assume(",
    "copy_nonoverlapping(",
    "BackwardIncompatibleDropHint(",
    "Deinit(",
];

/// Where a terminator leads: the labelled blocks, without those of unwinding.
struct Ways<'a> {
    labelled: Vec<(&'a str, usize)>,
    /// `-> bb3` without a label.
    single: Option<usize>,
}

impl Ways<'_> {
    fn to(&self, label: &str) -> Option<usize> {
        self.labelled.iter().find(|(known, _)| *known == label).map(|(_, block)| *block)
    }
}

/// Reads a line without its comment and semicolon.
pub(super) fn line<'a>(names: &mut Names<'a>, code: &'a str, within: &Surroundings<'_>) -> Option<Line> {
    match code.as_bytes().first()? {
        b'_' | b'(' => assignment(names, code, within),
        b'S' => storage(names, code),
        _ if NO_EFFECT.iter().any(|start| code.starts_with(start)) => {
            code.ends_with([')', '}']).then_some(Line::Skipped)
        }
        _ => match code {
            "nop" | "ConstEvalCounter" => Some(Line::Skipped),
            "return" => Some(Line::Terminator(Terminator::Return)),
            "resume" | "unreachable" | "coroutine_drop" | "terminate(abi)" | "terminate(cleanup)" => {
                Some(Line::Terminator(Terminator::End))
            }
            _ if code.starts_with("discriminant(") => code.contains(") = ").then_some(Line::Skipped),
            _ if code.starts_with("Coverage::") => Some(Line::Skipped),
            _ => terminator(names, code).map(Line::Terminator),
        },
    }
}

fn storage<'a>(names: &mut Names<'a>, code: &'a str) -> Option<Line> {
    let mut cursor = Cursor::new(code);
    let live = cursor.eat("StorageLive(");
    if !live {
        cursor.expect("StorageDead(")?;
    }
    let local = names.local(&mut cursor)?;
    cursor.expect(")")?;
    let kind = if live { StatementKind::StorageLive(local) } else { StatementKind::StorageDead(local) };
    cursor.is_done().then_some(Line::Statement(kind))
}

/// `place = …`: a statement, a call or a yield.
fn assignment<'a>(names: &mut Names<'a>, code: &'a str, within: &Surroundings<'_>) -> Option<Line> {
    let mut cursor = Cursor::new(code);
    let dest = names.place(&mut cursor)?;
    cursor.expect(" = ")?;
    if let Some((value, ways)) = split_ways(names, cursor.rest()) {
        let mut cursor = Cursor::new(value);
        if cursor.eat("yield(") {
            names.operand(&mut cursor)?;
            cursor.expect(")")?;
            let resume = ways.to("resume").or(ways.single)?;
            return cursor.is_done().then_some(Line::Terminator(Terminator::Yield(dest, resume)));
        }
        return call(names, cursor, dest, &ways).map(|call| Line::Terminator(Terminator::Call(call.into())));
    }
    let ty = match dest.projection.last() {
        None => within.locals.get(dest.local).and_then(Option::as_ref),
        Some(Projection::Field(_, ty)) => Some(ty),
        Some(_) => None,
    };
    let target = Target { ty, constant_follows: within.constant_follows, body: within.body };
    Some(match rvalue(names, cursor.rest(), &target)? {
        Some(value) => Line::Statement(StatementKind::Assign(dest, value)),
        None => Line::Skipped,
    })
}

/// `callee(operands)`.
fn call<'a>(names: &mut Names<'a>, mut cursor: Cursor<'a>, dest: Place, ways: &Ways<'_>) -> Option<Call> {
    let is_number = cursor.rest().as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    let callee = if cursor.eat("move ") || cursor.eat("copy ") || cursor.at("_") && is_number {
        Callee::Place(names.place(&mut cursor)?)
    } else {
        // A constant that is a function pointer is called by its path.
        cursor.eat("const ");
        callee(&mut cursor, &mut names.types)?
    };
    let args = names.operands(cursor.at("(").then(|| cursor.bracketed())??)?;
    // A single block without a label is where a call unwinds to.
    cursor.is_done().then_some(Call { dest, callee, args, target: ways.to("return") })
}

/// A terminator that assigns nothing.
fn terminator<'a>(names: &mut Names<'a>, code: &'a str) -> Option<Terminator> {
    if code.starts_with("asm!(") {
        // Without any way on, the code neither returns nor unwinds.
        let ways = split_ways(names, code).map(|(_, ways)| ways.labelled).unwrap_or_default();
        return code
            .contains(')')
            .then(|| Terminator::Asm(ways.into_iter().map(|(_, block)| block).collect()));
    }
    let (head, ways) = split_ways(names, code)?;
    let mut cursor = Cursor::new(head);
    let terminator = if cursor.eat("goto") {
        Terminator::Goto(ways.single?)
    } else if cursor.eat("drop(") {
        let place = names.place(&mut cursor)?;
        cursor.expect(")")?;
        Terminator::Drop(place, ways.to("return").or(ways.single)?)
    } else if cursor.eat("switchInt(") {
        let on = names.operand(&mut cursor)?;
        cursor.expect(")")?;
        switch(on, &ways)?
    } else if cursor.eat("assert(") {
        cursor.eat("!");
        names.operand(&mut cursor)?;
        // The message and what it mentions.
        cursor.until(b"")?;
        cursor.expect(")")?;
        Terminator::Goto(ways.to("success").or(ways.single)?)
    } else if cursor.eat("falseEdge") || cursor.eat("falseUnwind") {
        Terminator::Goto(ways.to("real")?)
    } else {
        return None;
    };
    cursor.is_done().then_some(terminator)
}

fn switch(on: Operand, ways: &Ways<'_>) -> Option<Terminator> {
    let mut targets = Vec::new();
    let mut otherwise = ways.single;
    for (label, block) in &ways.labelled {
        if *label == "otherwise" {
            otherwise = Some(*block);
        } else {
            // Values are printed without sign, in the width of 128 bits at most.
            let value = label.parse::<u128>().map(u128::cast_signed).or_else(|_| label.parse()).ok()?;
            targets.push((value, *block));
        }
    }
    Some(Terminator::Switch(Box::new(Switch { on, targets, otherwise })))
}

/// Splits ` -> [return: bb1, unwind continue]`, ` -> bb1` or ` -> unwind continue` off the end. Only a terminator
/// has such an end: a literal or a type that looks alike does not end the line.
fn split_ways<'a>(names: &mut Names<'a>, code: &'a str) -> Option<(&'a str, Ways<'a>)> {
    let mut labelled = Vec::new();
    if let Some(inner) = code.strip_suffix(']') {
        let (head, list) = inner.rsplit_once(" -> [")?;
        for way in list.split(", ") {
            if let Some((label, block)) = way.split_once(": ") {
                let block = whole_block(block)?;
                if !is_label(label) {
                    return None;
                }
                names.highest_block = names.highest_block.max(block);
                if label != "unwind" {
                    labelled.push((label, block));
                }
            } else if !is_unwind(way) {
                return None;
            }
        }
        return Some((head, Ways { labelled, single: None }));
    }
    let (head, way) = code.rsplit_once(" -> ")?;
    let single = whole_block(way);
    names.highest_block = names.highest_block.max(single.unwrap_or(0));
    (single.is_some() || is_unwind(way)).then_some((head, Ways { labelled, single }))
}

fn is_label(label: &str) -> bool {
    let numeric = label.strip_prefix('-').unwrap_or(label);
    matches!(
        label,
        "return" | "unwind" | "success" | "real" | "imaginary" | "resume" | "drop" | "otherwise" | "label"
    ) || !numeric.is_empty() && numeric.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_unwind(way: &str) -> bool {
    matches!(
        way,
        "unwind continue" | "unwind unreachable" | "unwind terminate(cleanup)" | "unwind terminate(abi)"
    )
}

fn whole_block(text: &str) -> Option<usize> {
    let mut cursor = Cursor::new(text);
    let block = cursor.block()?;
    cursor.is_done().then_some(block)
}
