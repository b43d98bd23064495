//! Paths of functions, structs and variants as MIR prints them in values → [`Callee`].
//!
//! It splits paths and never resolves them. Called by the other files of the reader only.

use super::ir::{Callee, Ty};
use super::lex::{Cursor, split_at_last_as};
use super::types::Types;

/// Reads a path in a value, as far as it goes.
pub(super) fn callee<'a>(cursor: &mut Cursor<'a>, types: &mut Types<'a>) -> Option<Callee> {
    if cursor.at("<") {
        let start = cursor.clone();
        let inner = cursor.bracketed()?;
        if let Some((this, of)) = split_at_last_as(inner) {
            return qualified(cursor, types, this, Some(of));
        }
        if !inner.starts_with("impl ") {
            return qualified(cursor, types, inner, None);
        }
        *cursor = start;
    }
    path(cursor, types)
}

fn qualified<'a>(
    cursor: &mut Cursor<'a>,
    types: &mut Types<'a>,
    this: &'a str,
    of: Option<&'a str>,
) -> Option<Callee> {
    let this = types.read(this)?;
    let of = match of {
        Some(of) => Some(types.read(of)?),
        None => None,
    };
    cursor.expect("::")?;
    let Callee::Path { path: method, mut generics } = path(cursor, types)? else { return None };
    let generics = generics.pop().map(|(_, arguments)| arguments).unwrap_or_default();
    Some(Callee::Qualified { this, of, method, generics })
}

/// A path that does not begin with a self type.
fn path<'a>(cursor: &mut Cursor<'a>, types: &mut Types<'a>) -> Option<Callee> {
    let mut path = String::new();
    let mut generics = Vec::new();
    let mut segments = 0_usize;
    loop {
        match cursor.peek()? {
            b'<' => {
                let inner = cursor.bracketed()?;
                if is_impl_segment(inner, &path, cursor) {
                    // An inherent `impl` away from its type: the path goes on as if it stood beside it.
                    match inner.strip_prefix("impl ").and_then(|ty| types.read(ty)) {
                        // Not primitives: `core::num::<impl u64>::pow` is a function of `core`.
                        Some(Ty::Path(this, arguments))
                            if this.contains("::") || this.starts_with(char::is_uppercase) =>
                        {
                            path = this.to_string();
                            segments = path.split("::").count();
                            generics.clear();
                            if !arguments.is_empty() {
                                generics.push((segments - 1, arguments.to_vec()));
                            }
                        }
                        _ => {
                            push(&mut path, &format!("<{inner}>"));
                            segments += 1;
                        }
                    }
                } else {
                    let arguments = types.arguments(inner)?;
                    if !arguments.is_empty() {
                        generics.push((segments.checked_sub(1)?, arguments));
                    }
                }
            }
            b'{' => {
                push(&mut path, &format!("{{{}}}", cursor.bracketed()?));
                segments += 1;
            }
            _ => {
                let name = cursor.take_while(|byte| {
                    byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'_' | b'#')
                });
                (is_name(name) && !(path.is_empty() && is_local(name))).then_some(())?;
                push(&mut path, name);
                segments += 1;
                if cursor.at("[") {
                    // `promoted[0]`
                    path.push_str(&format!("[{}]", cursor.bracketed()?));
                }
            }
        }
        if !cursor.eat("::") && !cursor.at("<") {
            return Some(Callee::Path { path, generics });
        }
    }
}

/// Whether an item can be called so. An operand whose blank was lost is not a path.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !matches!(name, "move" | "const")
}

/// Whether a path that begins so is a local, as `_1` is. Inside a path it is a name: `tokio::select!` calls variants so.
fn is_local(name: &str) -> bool {
    let digits = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
    name.strip_prefix('_').is_some_and(digits)
}

fn push(path: &mut String, segment: &str) {
    if !path.is_empty() {
        path.push_str("::");
    }
    path.push_str(segment);
}

/// Tells the `<impl [u8]>` of `core::slice::<impl [u8]>::len` from the arguments of `take::<impl Fn()>`: an impl
/// stands in a module and has a member.
fn is_impl_segment(inner: &str, before: &str, after: &Cursor<'_>) -> bool {
    let is_in_type = || {
        let last = before.rsplit("::").next().unwrap_or_default();
        last.starts_with(|first: char| first.is_uppercase())
    };
    inner.starts_with("impl at ")
        || inner.starts_with("impl ") && after.at("::") && !after.at("::{") && !is_in_type()
}
