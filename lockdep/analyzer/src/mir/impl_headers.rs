//! The header of an `impl` in source text, for MIR names an impl only by its position.
//!
//! It finds the text and does not parse it. Called through `mir.rs` by whoever has the sources.

use super::ir::Span;
use super::raw::without_raw;

/// The text from an impl's position up to its `{` or ` where`, comments left out, white space made single blanks,
/// names plain.
///
/// For an impl that a derive made, this is the name in the attribute (`Debug`). None if `source` has no such
/// position.
pub fn impl_header(source: &str, span: &Span) -> Option<String> {
    let start = offset(source, span.line, span.column)?;
    let end = offset(source, span.end_line, span.end_column).filter(|end| *end > start);
    let text = source.get(start..end.unwrap_or(source.len()))?;
    let header = header(text, false);
    (!header.is_empty()).then(|| without_raw(&header).into_owned())
}

/// The same of an impl that the source spells out, with what follows its ` where`.
pub fn impl_head(source: &str, span: &Span) -> Option<String> {
    let head = header(source.get(offset(source, span.line, span.column)?..)?, true);
    head.trim_start_matches("unsafe ").starts_with("impl").then_some(head)
}

/// What a source says at a place.
pub(crate) fn source_at<'s>(source: &'s str, span: &Span) -> Option<&'s str> {
    let start = offset(source, span.line, span.column)?;
    source.get(start..offset(source, span.end_line, span.end_column)?)
}

/// The byte at a line and column, both from 1, columns in characters.
fn offset(source: &str, line: u32, column: u32) -> Option<usize> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let mut start = 0;
    for text in source.split_inclusive('\n').take(line) {
        start += text.len();
    }
    let rest = source.get(start..)?;
    let in_line = rest.char_indices().map(|(at, _)| at).chain([rest.len()]).nth(column)?;
    let is_in_line = !rest.get(..in_line)?.contains('\n');
    (is_in_line && (start < source.len())).then_some(start + in_line)
}

fn header(text: &str, to_the_end: bool) -> String {
    let mut out = String::new();
    let mut depth = 0_u32;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
            push_blank(&mut out);
            continue;
        }
        if rest.starts_with("/*") {
            rest = rest.split_once("*/").map_or("", |(_, after)| after);
            push_blank(&mut out);
            continue;
        }
        if depth == 0 && (next == '{' || !to_the_end && is_where(&out, rest)) {
            break;
        }
        match next {
            '(' | '[' | '{' | '<' => depth += 1,
            '>' if out.ends_with(['-', '=']) => {}
            ')' | ']' | '}' | '>' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => break,
            },
            ',' | ';' if depth == 0 && !to_the_end => break,
            _ => {}
        }
        if next.is_whitespace() {
            push_blank(&mut out);
        } else {
            out.push(next);
        }
        rest = rest.get(next.len_utf8()..).unwrap_or_default();
    }
    out.truncate(out.trim_end().len());
    out
}

fn push_blank(out: &mut String) {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

fn is_where(before: &str, rest: &str) -> bool {
    before.ends_with(' ')
        && rest.strip_prefix("where").is_some_and(|after| after.starts_with(|c: char| c.is_whitespace()))
}
