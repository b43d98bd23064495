//! Types as MIR prints them → [`Ty`].
//!
//! A type with balanced brackets always becomes something: what has no form of its own is kept as printed. Names
//! are not resolved. Called by the other files of the reader only.

use std::collections::HashMap;
use std::sync::Arc;

use super::ir::Ty;
use super::lex::{Cursor, split_at_last_as, split_list};

/// Types nested deeper than this are kept as printed.
const DEPTH_LIMIT: u32 = 64;

/// The types of one file; the same few are printed again and again.
#[derive(Default)]
pub(super) struct Types<'a> {
    known: HashMap<&'a str, Ty>,
}

impl<'a> Types<'a> {
    /// Reads a whole text as a type; fails on unbalanced brackets only.
    pub(super) fn read(&mut self, text: &'a str) -> Option<Ty> {
        if let Some(ty) = self.known.get(text) {
            return Some(ty.clone());
        }
        let ty = whole(text, DEPTH_LIMIT)?;
        self.known.insert(text, ty.clone());
        Some(ty)
    }

    /// Reads what stands between the angle brackets of generic arguments; lifetimes are dropped.
    pub(super) fn arguments(&mut self, text: &'a str) -> Option<Vec<Ty>> {
        let parts = split_list(text)?;
        parts.into_iter().filter(|part| !is_lifetime(part)).map(|part| self.read(part)).collect()
    }
}

/// `'a`, but not `'a'`.
fn is_lifetime(text: &str) -> bool {
    text.starts_with('\'') && !(text.len() > 1 && text.ends_with('\''))
}

/// A whole text as a type.
fn whole(text: &str, depth: u32) -> Option<Ty> {
    let mut cursor = Cursor::new(text);
    if let Some(ty) = one(&mut cursor, depth)
        && cursor.is_done()
    {
        return Some(ty);
    }
    let is_balanced = !text.is_empty() && split_list(text).is_some_and(|parts| parts.len() == 1);
    is_balanced.then(|| Ty::Other(without_lifetimes(text)))
}

fn list(text: &str, depth: u32) -> Option<Vec<Ty>> {
    split_list(text)?.into_iter().filter(|part| !is_lifetime(part)).map(|part| whole(part, depth)).collect()
}

/// One type, as far as it goes.
fn one(cursor: &mut Cursor<'_>, depth: u32) -> Option<Ty> {
    let depth = depth.checked_sub(1)?;
    match cursor.peek()? {
        b'&' => {
            cursor.expect("&")?;
            if cursor.at("'") {
                cursor.take_while(|byte| byte != b' ');
                cursor.expect(" ")?;
            }
            let mutable = cursor.eat("mut ");
            Some(Ty::Ref(mutable, Arc::new(one(cursor, depth)?)))
        }
        b'*' => {
            let mutable = cursor.eat("*mut ");
            if !mutable {
                cursor.expect("*const ")?;
            }
            Some(Ty::Ptr(mutable, Arc::new(one(cursor, depth)?)))
        }
        b'(' => {
            let inner = cursor.bracketed()?;
            let mut types = list(inner, depth)?;
            let is_grouping = types.len() == 1 && !inner.ends_with(',');
            Some(if is_grouping { types.remove(0) } else { Ty::Tuple(types.into()) })
        }
        b'[' => {
            let inner = cursor.bracketed()?;
            let mut parts = Cursor::new(inner);
            let element = Arc::new(one(&mut parts, depth)?);
            if parts.eat("; ") {
                return Some(Ty::Array(element, Arc::from(parts.rest())));
            }
            parts.is_done().then_some(Ty::Slice(element))
        }
        b'!' => cursor.eat("!").then_some(Ty::Never),
        b'{' => {
            let inner = cursor.bracketed()?;
            Some(if is_closure(inner) {
                Ty::Closure(without_lifetimes(inner))
            } else {
                Ty::Const(Arc::from(format!("{{{inner}}}")))
            })
        }
        b'<' => projection(cursor, depth),
        b'"' | b'\'' | b'-' | b'0'..=b'9' => Some(Ty::Const(Arc::from(cursor.until(b",;")?))),
        _ => named(cursor, depth),
    }
}

/// What can stand between the braces of a type: `closure@…`, `coroutine@…`, `async fn body of …`, `gen block@…`.
pub(super) fn is_closure(inner: &str) -> bool {
    let has_at = inner.split_once('@').is_some_and(|(kind, _)| kind.len() < 32 && !kind.contains(':'));
    has_at || inner.starts_with("async ") || inner.starts_with("gen ")
}

/// A type that begins with a word.
fn named(cursor: &mut Cursor<'_>, depth: u32) -> Option<Ty> {
    if cursor.eat("dyn ") {
        return Some(Ty::Dyn(bounds(cursor)?));
    }
    if cursor.eat("impl ") {
        return Some(Ty::Opaque(bounds(cursor)?));
    }
    if ["fn(", "for<", "unsafe fn(", "unsafe extern ", "extern "].iter().any(|word| cursor.at(word)) {
        return function(cursor, depth);
    }
    if cursor.at("unsafe<") {
        return Some(Ty::Other(without_lifetimes(cursor.until(b",;")?)));
    }
    let start = cursor.clone();
    let (path, arguments) = path(cursor, depth)?;
    if cursor.at(" = ") || cursor.at("[") {
        // A bound on an associated type, a promoted constant: not a type, but balanced text.
        *cursor = start;
        return Some(Ty::Other(without_lifetimes(cursor.until(b",;")?)));
    }
    if matches!(&*path, "true" | "false") {
        return Some(Ty::Const(path));
    }
    Some(Ty::Path(path, arguments.into()))
}

fn path(cursor: &mut Cursor<'_>, depth: u32) -> Option<(Arc<str>, Vec<Ty>)> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'_' | b'#' | b':');
    let plain = cursor.take_while(word);
    let has_single_colon = plain.split("::").any(|segment| segment.contains(':'));
    if plain.is_empty() || has_single_colon {
        return None;
    }
    if !cursor.at("<") && !cursor.at("{") {
        return Some((Arc::from(plain), Vec::new()));
    }
    let mut path = String::from(plain);
    let mut arguments = Vec::new();
    while let Some(open @ (b'<' | b'{')) = cursor.peek() {
        let follows_path = path.ends_with("::");
        if open == b'{' && !follows_path {
            break;
        }
        let inner = cursor.bracketed()?;
        if open == b'{' {
            path.push_str(&format!("{{{inner}}}"));
        } else if follows_path && inner.starts_with("impl ") {
            path.push_str(&format!("<{inner}>"));
        } else {
            if follows_path {
                path.truncate(path.len() - 2);
            }
            arguments.extend(list(inner, depth)?);
        }
        path.push_str(cursor.take_while(word));
    }
    Some((Arc::from(path), arguments))
}

/// The bounds after `dyn` or `impl`.
fn bounds(cursor: &mut Cursor<'_>) -> Option<Arc<str>> {
    let start = cursor.clone();
    let text = cursor.until(b",;{")?;
    // In the type of a function item, the path of the item follows the bounds of its result.
    match text.strip_suffix(' ') {
        Some(text) => {
            *cursor = start;
            cursor.expect(text)?;
            Some(without_lifetimes(text))
        }
        None => Some(without_lifetimes(text)),
    }
}

/// `for<'a> unsafe extern "C" fn(A, B) -> C`, and ` {path}` after it for the type of a function item.
fn function(cursor: &mut Cursor<'_>, depth: u32) -> Option<Ty> {
    let ty = signature(cursor, depth)?;
    if cursor.eat(" ") {
        return Some(Ty::FnItem(without_lifetimes(cursor.bracketed()?)));
    }
    Some(ty)
}

fn signature(cursor: &mut Cursor<'_>, depth: u32) -> Option<Ty> {
    if cursor.eat("for") {
        cursor.bracketed()?;
        cursor.expect(" ")?;
    }
    cursor.eat("unsafe ");
    if cursor.eat("extern \"") {
        cursor.take_while(|byte| byte != b'"');
        cursor.expect("\" ")?;
    }
    cursor.expect("fn")?;
    let inner = cursor.at("(").then(|| cursor.bracketed())??;
    let parameters = list(inner, depth)?;
    let result = if !cursor.eat(" -> ") {
        Ty::unit()
    } else if ["fn(", "for<", "unsafe fn(", "unsafe extern ", "extern "].iter().any(|word| cursor.at(word)) {
        // The braces after a function that returns a function pointer belong to the function.
        signature(cursor, depth.checked_sub(1)?)?
    } else {
        one(cursor, depth)?
    };
    Some(Ty::FnPtr(parameters.into(), Arc::new(result)))
}

/// `<T as Trait>::Assoc<X>`; or a type declared in a method, `<S as Trait>::method::Local<X>`, which is a path.
fn projection(cursor: &mut Cursor<'_>, depth: u32) -> Option<Ty> {
    let start = cursor.rest();
    let inner = cursor.bracketed()?;
    let (this, of) = match split_at_last_as(inner) {
        Some((this, of)) => (this, Some(of)),
        None => (inner, None),
    };
    cursor.expect("::")?;
    let (member, arguments) = path(cursor, depth)?;
    if of.is_some() && !member.contains("::") {
        let length = start.len() - cursor.rest().len();
        return Some(Ty::Projection(without_lifetimes(start.get(..length)?)));
    }
    let this = if this.starts_with("impl ") { Ty::Other(Arc::from(this)) } else { whole(this, depth)? };
    let path = match of {
        Some(of) => format!("<{this} as {}>::{member}", whole(of, depth)?),
        None => format!("<{this}>::{member}"),
    };
    Some(Ty::Path(Arc::from(path), arguments.into()))
}

/// The text without `'a`, `<'_>`, `for<'a>` and ` + 'static`.
pub(super) fn without_lifetimes(text: &str) -> Arc<str> {
    if !text.contains('\'') {
        return Arc::from(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(tick) = rest.find('\'') {
        let (before, from) = rest.split_at(tick);
        let name =
            from[1..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(from.len(), |end| end + 1);
        if from[name..].starts_with('\'') || name == 1 {
            // A character, not a lifetime.
            let end = from[1..].find('\'').map_or(from.len(), |end| end + 2);
            out.push_str(before);
            out.push_str(&from[..end]);
            rest = &from[end..];
            continue;
        }
        out.push_str(before);
        rest = &from[name..];
        if let Some(more) =
            rest.strip_prefix(", ").or_else(|| rest.strip_prefix(' ').filter(|_| !rest.starts_with(" +")))
        {
            rest = more;
        } else if let Some(more) = rest.strip_prefix(" + ").filter(|_| !out.ends_with(" + ")) {
            rest = more;
        } else if out.ends_with(" + ") {
            out.truncate(out.len() - 3);
        } else if rest.starts_with('>') && out.ends_with(", ") {
            out.truncate(out.len() - 2);
        }
        if rest.starts_with('>') && out.ends_with('<') {
            out.pop();
            rest = &rest[1..];
            if out.ends_with("for") {
                out.truncate(out.len() - 3);
                rest = rest.strip_prefix(' ').unwrap_or(rest);
            } else if out.ends_with("::") {
                out.truncate(out.len() - 2);
            }
        }
    }
    out.push_str(rest);
    Arc::from(out)
}
