//! The right-hand sides of assignments.
//!
//! Arithmetic and the like are read only for their operands. Called by `statements.rs` only.

use std::sync::Arc;

use super::callees::callee;
use super::ir::{Aggregate, AggregateKind, Callee, Operand, Rvalue, Ty};
use super::lex::Cursor;
use super::operands::Names;
use super::types::{is_closure, without_lifetimes};

/// What is known about an assignment besides its text.
pub(super) struct Target<'t> {
    /// The type of the place assigned to, where it is known without types of fields.
    pub(super) ty: Option<&'t Ty>,
    /// Whether the comment of a constant follows, which tells a function from a struct without fields.
    pub(super) constant_follows: bool,
    /// The body that contains it.
    pub(super) body: &'t str,
}

/// `Name(operands)` that is an operator, unless the program has a struct of that name.
const OPERATORS: [&str; 36] = [
    "Add",
    "AddUnchecked",
    "AddWithOverflow",
    "AlignOf",
    "BitAnd",
    "BitOr",
    "BitXor",
    "CheckedAdd",
    "CheckedMul",
    "CheckedShl",
    "CheckedShr",
    "CheckedSub",
    "Cmp",
    "Div",
    "Eq",
    "Ge",
    "Gt",
    "Le",
    "Len",
    "Lt",
    "Mul",
    "MulUnchecked",
    "MulWithOverflow",
    "Ne",
    "Neg",
    "Not",
    "Offset",
    "PtrMetadata",
    "Rem",
    "Shl",
    "ShlUnchecked",
    "Shr",
    "ShrUnchecked",
    "Sub",
    "SubUnchecked",
    "SubWithOverflow",
];

/// Operators whose arguments are types.
const TYPE_OPERATORS: [&str; 5] = ["SizeOf(", "AlignOf(", "OffsetOf(", "UbChecks(", "ContractChecks("];

/// A right-hand side that was read; none if it is known not to matter.
pub(super) fn rvalue<'a>(
    names: &mut Names<'a>,
    text: &'a str,
    target: &Target<'_>,
) -> Option<Option<Rvalue>> {
    let mut cursor = Cursor::new(text);
    let value = match cursor.peek()? {
        b'&' => match borrow(names, &mut cursor)? {
            Some(value) => value,
            None => return Some(None),
        },
        b'{' => closure(names, &mut cursor, target)?,
        b'[' => array(names, &mut cursor)?,
        b'*' => {
            // `*const T from (pointer, metadata)`
            let (_, parts) = text.rsplit_once(" from (")?;
            return Some(Some(Rvalue::Other(names.operands(parts.strip_suffix(')')?)?)));
        }
        b'(' => match whole_place(names, text) {
            Some(value) => return Some(Some(value)),
            None => {
                let fields = unnamed(names.operands(cursor.bracketed()?)?);
                Rvalue::Aggregate(Aggregate { kind: AggregateKind::Tuple, fields }.into())
            }
        },
        _ => word(names, &mut cursor, target)?,
    };
    cursor.is_done().then_some(Some(value))
}

/// A place by itself: how older compilers print a copy.
fn whole_place<'a>(names: &mut Names<'a>, text: &'a str) -> Option<Rvalue> {
    let mut cursor = Cursor::new(text);
    let place = names.place(&mut cursor)?;
    cursor.is_done().then_some(Rvalue::Use(Operand::Copy(place)))
}

/// After `&`; none for a borrow that exists only for the borrow checker, or for the length of a slice.
fn borrow<'a>(names: &mut Names<'a>, cursor: &mut Cursor<'a>) -> Option<Option<Rvalue>> {
    cursor.expect("&")?;
    if cursor.eat("/*tls*/ ") {
        cursor.eat("mut ");
        let path = cursor.until(b"")?;
        return (!path.is_empty()).then(|| Some(Rvalue::ThreadLocal(path.to_owned())));
    }
    let raw = cursor.eat("raw const ") || cursor.eat("raw mut ");
    let fake = if raw { cursor.eat("(fake) ") } else { cursor.eat("fake shallow ") || cursor.eat("fake ") };
    let mutable = !raw && !fake && cursor.eat("mut ");
    let place = names.place(cursor)?;
    if fake {
        return cursor.is_done().then_some(None);
    }
    Some(Some(if raw { Rvalue::RawPtr(place) } else { Rvalue::Ref { mutable, place } }))
}

fn array<'a>(names: &mut Names<'a>, cursor: &mut Cursor<'a>) -> Option<Rvalue> {
    let inner = cursor.bracketed()?;
    let mut parts = Cursor::new(inner);
    let elements = if inner.is_empty() {
        Vec::new()
    } else {
        let first = names.operand(&mut parts)?;
        if parts.eat("; ") && !parts.is_done() { vec![first] } else { names.operands(inner)? }
    };
    Some(Rvalue::Aggregate(Aggregate { kind: AggregateKind::Array, fields: unnamed(elements) }.into()))
}

fn closure<'a>(names: &mut Names<'a>, cursor: &mut Cursor<'a>, target: &Target<'_>) -> Option<Rvalue> {
    let inner = cursor.bracketed()?;
    is_closure(inner).then_some(())?;
    let fields = named_fields(names, cursor)?;
    let ty = match target.ty {
        Some(ty @ Ty::Closure(_)) => ty.clone(),
        _ => Ty::Closure(as_in_types(inner)),
    };
    // The definition path of the comments that follow replaces this; closures that are coroutines have none.
    let definition = match inner.rsplit_once("::") {
        Some((_, last)) if last.starts_with("{closure#") => format!("{}::{last}", target.body),
        _ => String::new(),
    };
    Some(Rvalue::Aggregate(Aggregate { kind: AggregateKind::Closure(definition, ty), fields }.into()))
}

/// A closure's name as types have it: `S<T>::go::{closure#0}`, where a value has `S::<T>::go::{closure#0}`.
fn as_in_types(name: &str) -> Arc<str> {
    let mut parts = name.split("::<");
    let mut out = String::from(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(if part.starts_with("impl ") { "::<" } else { "<" });
        out.push_str(part);
    }
    without_lifetimes(&out)
}

/// A right-hand side that begins with a word.
fn word<'a>(names: &mut Names<'a>, cursor: &mut Cursor<'a>, target: &Target<'_>) -> Option<Rvalue> {
    if ["move ", "copy ", "const "].iter().any(|start| cursor.at(start)) {
        let operand = names.operand(cursor)?;
        return use_or_cast(names, cursor, operand);
    }
    if cursor.at("_") {
        // A place by itself, or a path.
        return match names.operand(cursor)? {
            Operand::Fn(callee) => path(names, cursor, *callee, target),
            operand => use_or_cast(names, cursor, operand),
        };
    }
    if cursor.eat("discriminant(") {
        let place = names.place(cursor)?;
        cursor.expect(")")?;
        return Some(Rvalue::Discriminant(place));
    }
    if cursor.eat("deref_copy ") {
        return Some(Rvalue::DerefCopy(names.place(cursor)?));
    }
    if TYPE_OPERATORS.iter().any(|operator| cursor.at(operator)) {
        cursor.until(b"(")?;
        cursor.bracketed()?;
        return Some(Rvalue::Other(Vec::new()));
    }
    if cursor.eat("ShallowInitBox(") || cursor.eat("wrap_binder!(") {
        let operand = names.operand(cursor)?;
        (cursor.eat(", ") || cursor.eat("; ")).then_some(())?;
        names.types.read(cursor.until(b"")?)?;
        cursor.expect(")")?;
        return Some(Rvalue::Other(vec![operand]));
    }
    if let Some((name, _)) = cursor.rest().split_once('(')
        && OPERATORS.contains(&name)
        && !matches!(target.ty, Some(Ty::Path(path, _)) if **path == *name)
    {
        cursor.expect(name)?;
        return Some(Rvalue::Other(names.operands(cursor.bracketed()?)?));
    }
    let callee = callee(cursor, &mut names.types)?;
    path(names, cursor, callee, target)
}

/// `operand` or `operand as T (Kind)`.
fn use_or_cast<'a>(names: &mut Names<'a>, cursor: &mut Cursor<'a>, operand: Operand) -> Option<Rvalue> {
    if !cursor.eat(" as ") {
        return Some(Rvalue::Use(operand));
    }
    let (ty, kind) = cursor.rest().rsplit_once(" (")?;
    (kind.ends_with(')') && kind.starts_with(|first: char| first.is_ascii_uppercase())).then_some(())?;
    cursor.expect(cursor.rest())?;
    Some(Rvalue::Cast(operand, names.types.read(ty)?.into()))
}

/// What begins with a path that was read.
fn path<'a>(
    names: &mut Names<'a>,
    cursor: &mut Cursor<'a>,
    path: Callee,
    target: &Target<'_>,
) -> Option<Rvalue> {
    let fields = if cursor.at("(") {
        unnamed(names.operands(cursor.bracketed()?)?)
    } else if cursor.at(" {") {
        named_fields(names, cursor)?
    } else if cursor.at(" as ") {
        return use_or_cast(names, cursor, Operand::Fn(path.into()));
    } else {
        let is_function = match target.ty {
            Some(Ty::FnItem(_)) => true,
            Some(Ty::Path(..)) => false,
            _ => target.constant_follows,
        };
        if is_function {
            return Some(Rvalue::Use(Operand::Fn(path.into())));
        }
        Vec::new()
    };
    let path = match path {
        Callee::Path { path, .. } => path,
        Callee::Qualified { this, of, method, .. } => match of {
            Some(of) => format!("<{this} as {of}>::{method}"),
            None => format!("<{this}>::{method}"),
        },
        Callee::Place(_) => return None,
    };
    Some(Rvalue::Aggregate(Aggregate { kind: AggregateKind::Adt(path), fields }.into()))
}

fn unnamed(operands: Vec<Operand>) -> Vec<(Option<String>, Operand)> {
    operands.into_iter().map(|operand| (None, operand)).collect()
}

/// ` { name: operand, … }`, or nothing.
fn named_fields<'a>(
    names: &mut Names<'a>,
    cursor: &mut Cursor<'a>,
) -> Option<Vec<(Option<String>, Operand)>> {
    let mut fields = Vec::new();
    if !cursor.at(" {") {
        return Some(fields);
    }
    cursor.expect(" ")?;
    let mut cursor = Cursor::new(cursor.bracketed()?.trim());
    while !cursor.is_done() {
        let name = cursor.take_while(|byte| byte != b':' && byte != b' ');
        cursor.expect(": ")?;
        fields.push((Some(name.to_owned()), names.operand(&mut cursor)?));
        if !cursor.eat(", ") {
            break;
        }
    }
    cursor.is_done().then_some(fields)
}
