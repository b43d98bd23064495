//! Places and operands.
//!
//! Called by the other files of the reader only.

use std::collections::HashMap;

use super::callees::callee;
use super::ir::{Callee, Operand, Place, Projection};
use super::lex::Cursor;
use super::types::{Types, is_closure};

/// Places nested deeper than this are not read.
const DEPTH_LIMIT: u32 = 128;

/// What an allocation in a constant is.
#[derive(Clone, Debug)]
pub(super) enum Allocation<'a> {
    /// A static, by path.
    Static(&'a str),
    /// A function, by path.
    Fn(&'a str),
    /// Bytes, a vtable, and the like.
    Other,
}

/// What the operands of an item refer to.
#[derive(Default)]
pub(super) struct Names<'a> {
    /// The types of the file.
    pub(super) types: Types<'a>,
    /// The allocations that the item lists.
    pub(super) allocations: HashMap<u64, Allocation<'a>>,
    /// The highest number of a local that was read in the item.
    pub(super) highest_local: usize,
    /// The highest number of a block that was read as a target in the item.
    pub(super) highest_block: usize,
}

impl<'a> Names<'a> {
    /// Forgets what belongs to the item before.
    pub(super) fn start_item(&mut self) {
        self.allocations.clear();
        self.highest_local = 0;
        self.highest_block = 0;
    }

    /// Reads a place, as far as it goes.
    pub(super) fn place(&mut self, cursor: &mut Cursor<'a>) -> Option<Place> {
        // Bit k says that the k-th open bracket is a dereference.
        let mut dereferences = 0_u128;
        let mut depth = 0_u32;
        while cursor.eat("(") {
            if depth == DEPTH_LIMIT {
                return None;
            }
            if cursor.eat("*") {
                dereferences |= 1 << depth;
            }
            depth += 1;
        }
        let mut place = Place::local(self.local(cursor)?);
        loop {
            if cursor.at("[") {
                is_index(cursor.bracketed()?).then_some(())?;
                place.projection.push(Projection::Index);
                continue;
            }
            if depth == 0 {
                return Some(place);
            }
            depth -= 1;
            place.projection.push(if dereferences & 1 << depth != 0 {
                dereferences &= !(1 << depth);
                Projection::Deref
            } else if cursor.eat(".") {
                let field = cursor.number()?;
                cursor.expect(": ")?;
                Projection::Field(field, self.types.read(cursor.until(b"")?)?)
            } else {
                cursor.expect(" as ")?;
                self.downcast(cursor)?
            });
            cursor.expect(")")?;
        }
    }

    /// Reads `_1`.
    pub(super) fn local(&mut self, cursor: &mut Cursor<'a>) -> Option<usize> {
        cursor.expect("_")?;
        let local = cursor.number()?;
        self.highest_local = self.highest_local.max(local);
        Some(local)
    }

    /// `Variant`, `variant#3`, `subtype T`, or a type by itself.
    fn downcast(&mut self, cursor: &mut Cursor<'a>) -> Option<Projection> {
        if cursor.eat("subtype ") {
            return Some(Projection::Cast(self.types.read(cursor.until(b"")?)?));
        }
        let text = cursor.until(b"")?;
        let is_in_name = |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_#".contains(&byte);
        Some(if text.bytes().all(is_in_name) {
            Projection::Downcast(text.to_owned())
        } else {
            Projection::Cast(self.types.read(text)?)
        })
    }

    /// Reads an operand, as far as it goes.
    pub(super) fn operand(&mut self, cursor: &mut Cursor<'a>) -> Option<Operand> {
        if cursor.eat("move ") {
            return Some(Operand::Move(self.place(cursor)?));
        }
        if cursor.eat("copy ") {
            return Some(Operand::Copy(self.place(cursor)?));
        }
        if cursor.eat("const ") {
            return self.constant(cursor.until(b",;")?);
        }
        if let Some(place) = self.bare_place(cursor) {
            return Some(Operand::Copy(place));
        }
        for check in ["UbChecks", "ContractChecks", "OverflowChecks"] {
            let mut after = cursor.clone();
            if after.eat(check) && (after.is_done() || after.at(",") || after.at(")")) {
                *cursor = after;
                return Some(Operand::Const(check.into()));
            }
        }
        Some(Operand::Fn(callee(cursor, &mut self.types)?.into()))
    }

    /// Reads `_1` or `(…)` if that is a place.
    fn bare_place(&mut self, cursor: &mut Cursor<'a>) -> Option<Place> {
        if !cursor.at("_") && !cursor.at("(") {
            return None;
        }
        let mut after = cursor.clone();
        let place = self.place(&mut after)?;
        let is_end = |byte: u8| matches!(byte, b',' | b')' | b']' | b';' | b' ');
        if !after.peek().is_none_or(is_end) {
            return None;
        }
        *cursor = after;
        Some(place)
    }

    /// Reads operands up to the end, separated by commas.
    pub(super) fn operands(&mut self, text: &'a str) -> Option<Vec<Operand>> {
        let mut operands = Vec::new();
        let mut cursor = Cursor::new(text);
        while !cursor.is_done() {
            operands.push(self.operand(&mut cursor)?);
            if !cursor.eat(", ") {
                cursor.eat(",");
                break;
            }
        }
        cursor.is_done().then_some(operands)
    }

    /// A constant, by its text after `const `.
    fn constant(&mut self, text: &'a str) -> Option<Operand> {
        if text.is_empty() {
            return None;
        }
        if let Some(inner) = text.strip_prefix("{alloc") {
            let mut cursor = Cursor::new(inner);
            // An allocation that is not listed could be a static.
            let allocation = self.allocations.get(&cursor.number()?)?;
            cursor.eat("<imm>");
            match allocation {
                Allocation::Static(path) if cursor.at(": ") => {
                    return Some(Operand::Static((*path).into()));
                }
                Allocation::Fn(path) if cursor.at(": ") => {
                    return callee(&mut Cursor::new(path), &mut self.types)
                        .map(|callee| Operand::Fn(callee.into()));
                }
                _ => {}
            }
        }
        let value = text.strip_prefix("ZeroSized: ").unwrap_or(text);
        if value.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).is_some_and(is_closure) {
            let callee = Callee::Path { path: value.to_owned(), generics: Vec::new() };
            return Some(Operand::Fn(callee.into()));
        }
        Some(Operand::Const(text.into()))
    }
}

/// `_2`, `1 of 2`, `-1 of 2`, `1:`, `1..3`, `:-1`, `1:-1`.
fn is_index(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(local) => !local.is_empty() && local.bytes().all(|byte| byte.is_ascii_digit()),
        None => {
            let is_range = |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | '.');
            let mut numbers = text.split(" of ");
            !text.is_empty() && numbers.all(|number| !number.is_empty() && number.chars().all(is_range))
        }
    }
}
