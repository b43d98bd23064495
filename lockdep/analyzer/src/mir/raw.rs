//! Raw identifiers → plain ones: `r#struct` → `struct`.
//!
//! It does not know keywords. The compiler names dump files and definitions `struct` and prints paths with `r#struct`
//! or `struct`, as the edition of the mention has it; here a name is one name. Called before items are split, by
//! `items.rs` and `text.rs`.

use std::borrow::Cow;

/// The text without the `r#` of names. What string and character literals hold stays, though no name is in them: a
/// message is shown as it was written.
pub(super) fn without_raw(text: &str) -> Cow<'_, str> {
    if !text.contains("r#") {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split_inclusive('\n').map(line).collect())
}

/// One line: literals do not cross lines, since what ends a line is escaped in them.
fn line(line: &str) -> Cow<'_, str> {
    if !line.contains("r#") {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string(rest),
            // A character, or the `'a` of a lifetime, which holds neither.
            '\'' if rest.starts_with("'\"'") => 3,
            '\'' if rest.starts_with("'\\\"'") => 4,
            'r' if begins_raw(rest) && !out.ends_with(is_inside) => {
                rest = rest.get(2..).unwrap_or_default();
                0
            }
            _ => first.len_utf8(),
        };
        let (read, after) = rest.split_at(length);
        out.push_str(read);
        rest = after;
    }
    Cow::Owned(out)
}

/// The length in bytes of the literal that begins here, to the end if it does not end.
fn string(text: &str) -> usize {
    let mut is_escaped = true;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn begins_raw(text: &str) -> bool {
    let name = text.strip_prefix("r#").and_then(|name| name.chars().next());
    name.is_some_and(|first| first.is_alphabetic() || first == '_')
}

/// Whether an `r` after this goes on with a name: of an item, or of a file in a path.
fn is_inside(before: char) -> bool {
    before.is_alphanumeric() || matches!(before, '_' | '/' | '\\' | '#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        let cases = [
            ("fn r#mod::r#loop(_1: &S) -> () {\n", "fn mod::loop(_1: &S) -> () {\n"),
            ("_4 = <dyn r#dyn as r#dyn>::r#fn(move _2)", "_4 = <dyn dyn as dyn>::fn(move _2)"),
            (
                "debug r#type => _1;\nfn <impl at src/r#a.rs:6:1: 6:7>::r#x()",
                "debug type => _1;\nfn <impl at src/r#a.rs:6:1: 6:7>::x()",
            ),
            ("f(const \"r#a \\\" r#b\", r#c)", "f(const \"r#a \\\" r#b\", c)"),
            ("f(const '\"', r#c, const '\\\"', r#d)", "f(const '\"', c, const '\\\"', d)"),
            ("impl#0 bar#1 r# r#1", "impl#0 bar#1 r# r#1"),
        ];
        for (raw, plain) in cases {
            assert_eq!(without_raw(raw), plain);
        }
        // A literal that does not end, in a text that was cut, ends with its line.
        assert_eq!(without_raw("f(const \"r#a\nr#b"), "f(const \"r#a\nb");
    }
}
