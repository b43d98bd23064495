//! The lexical level of MIR text: a cursor that knows brackets and literals, comments at the ends of lines, spans.
//!
//! It gives no meaning to what it scans, and never fails on any text: a scan that finds no end returns `None`.
//! Called by the other files of the reader only.

use std::collections::HashMap;
use std::sync::Arc;

use super::ir::Span;

/// A position in a line.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the start of `text`.
    pub(super) fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0 }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Whether all was read.
    pub(super) fn is_done(&self) -> bool {
        self.at >= self.text.len()
    }

    /// The next byte.
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Whether `token` comes next.
    pub(super) fn at(&self, token: &str) -> bool {
        self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(token.as_bytes()))
    }

    /// Reads `token` if it comes next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.at(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Reads `token` or fails.
    pub(super) fn expect(&mut self, token: &str) -> Option<()> {
        self.eat(token).then_some(())
    }

    /// Reads decimal digits.
    pub(super) fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.take_while(|byte| byte.is_ascii_digit()).parse().ok()
    }

    /// Reads `bb` and a number.
    pub(super) fn block(&mut self) -> Option<usize> {
        self.expect("bb")?;
        self.number()
    }

    /// Reads the bytes that `test` accepts; it must treat the bytes of one character alike.
    pub(super) fn take_while(&mut self, test: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(&test) {
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Reads up to one of the ASCII bytes `stops`, to ` as `, or to a closing bracket that was not opened here: all
    /// outside brackets and literals. Fails if a bracket or a literal is not closed.
    pub(super) fn until(&mut self, stops: &[u8]) -> Option<&'a str> {
        let start = self.at;
        self.at = scan(self.text, start, stops)?;
        self.text.get(start..self.at)
    }

    /// Reads a bracketed text and returns what stands between the brackets.
    pub(super) fn bracketed(&mut self) -> Option<&'a str> {
        let start = self.at + 1;
        let end = scan(self.text, start, b"")?;
        let close = match self.peek()? {
            b'(' => b')',
            b'[' => b']',
            b'{' => b'}',
            b'<' => b'>',
            _ => return None,
        };
        let mut end = end;
        // ` as ` ends a scan, not a bracket.
        while self.text.as_bytes().get(end) == Some(&b' ') {
            end = scan(self.text, end + 1, b"")?;
        }
        (*self.text.as_bytes().get(end)? == close).then_some(())?;
        self.at = end + 1;
        self.text.get(start..end)
    }
}

/// Where a scan from `from` stops; see [`Cursor::until`].
fn scan(text: &str, from: usize, stops: &[u8]) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'(' | b'[' | b'{' | b'<' if depth == 0 && stops.contains(&byte) => return Some(at),
            b'(' | b'[' | b'{' | b'<' => depth += 1,
            // The arrows of `->` and `=>` close nothing.
            b'>' if at > from && matches!(bytes[at - 1], b'-' | b'=') => {}
            b')' | b']' | b'}' | b'>' if depth == 0 => return Some(at),
            b')' | b']' | b'}' | b'>' => depth -= 1,
            b'"' | b'\'' => {
                at = after_literal(text, at)?;
                continue;
            }
            b' ' if depth == 0 && bytes[at..].starts_with(b" as ") => return Some(at),
            _ if depth == 0 && stops.contains(&byte) => return Some(at),
            _ => {}
        }
        at += 1;
    }
    (depth == 0).then_some(at)
}

/// The position after the string, the character or the tick of a lifetime at `at`.
fn after_literal(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = bytes[at];
    if quote == b'\'' {
        let character = text.get(at + 1..)?.chars().next()?;
        let is_character = character == '\\' || bytes.get(at + 1 + character.len_utf8()) == Some(&b'\'');
        if !is_character {
            return Some(at + 1);
        }
        if character == '\'' {
            // `'''` is not printed; an empty literal ends here.
            return Some(at + 2);
        }
    }
    let mut end = at + 1;
    loop {
        match *bytes.get(end)? {
            b'\\' => end += 2,
            byte if byte == quote => return Some(end + 1),
            _ => end += 1,
        }
    }
}

/// The parts of a list at commas outside brackets and literals; fails on unbalanced text.
pub(super) fn split_list(text: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < text.len() {
        at = scan(text, at, b",")?;
        match text.as_bytes().get(at) {
            None => {}
            Some(b',') => {
                parts.push(text.get(start..at)?.trim());
                start = at + 1;
                at = start;
            }
            // ` as ` splits nothing.
            Some(b' ') => at += 1,
            Some(_) => return None,
        }
    }
    let last = text.get(start..)?.trim();
    if !last.is_empty() {
        parts.push(last);
    }
    Some(parts)
}

/// Splits at the last ` as ` outside brackets and literals.
pub(super) fn split_at_last_as(text: &str) -> Option<(&str, &str)> {
    let mut found = None;
    let mut at = 0;
    while at < text.len() {
        at = scan(text, at, b"")?;
        match text.as_bytes().get(at) {
            Some(b' ') => {
                found = Some((text.get(..at)?, text.get(at + 4..)?));
                at += 1;
            }
            Some(_) => return None,
            None => break,
        }
    }
    found
}

/// The source files of the spans read so far; most spans name the file of the span before.
#[derive(Default)]
pub(super) struct Files {
    known: HashMap<Box<str>, Arc<str>>,
    last: Option<Arc<str>>,
}

impl Files {
    /// Reads `FILE:L:C: L:C`; `no-location` is a span without a file.
    pub(super) fn span(&mut self, text: &str) -> Option<Span> {
        if text == "no-location" {
            return Some(Span::default());
        }
        let (rest, end_column) = text.rsplit_once(':')?;
        let (rest, end_line) = rest.rsplit_once(": ")?;
        let (rest, column) = rest.rsplit_once(':')?;
        let (file, line) = rest.rsplit_once(':')?;
        Some(Span {
            line: line.parse().ok()?,
            column: column.parse().ok()?,
            end_line: end_line.parse().ok()?,
            end_column: end_column.parse().ok()?,
            file: self.file(file),
        })
    }

    fn file(&mut self, name: &str) -> Arc<str> {
        if let Some(last) = self.last.as_ref().filter(|last| ***last == *name) {
            return Arc::clone(last);
        }
        let file = self.known.entry(Box::from(name)).or_insert_with(|| Arc::from(name));
        self.last = Some(Arc::clone(file));
        Arc::clone(file)
    }
}

/// `rsplit_once` for a needle that is near the end, without the preparations for one that is not.
fn split_at_last<'a>(line: &'a str, needle: &str) -> Option<(&'a str, &'a str)> {
    let last = line.len().checked_sub(needle.len())?;
    let at = (0..=last).rev().find(|at| line.as_bytes()[*at..].starts_with(needle.as_bytes()))?;
    Some((line.get(..at)?, line.get(at + needle.len()..)?))
}

/// Splits a line of a block into its code, without the semicolon, and the text of its span.
///
/// The comment is the last `// scope N at`, for a literal in the code may contain the same; a span cannot.
/// A line without a comment has no span. A code that does not end in a semicolon is not complete.
pub(super) fn split_comment<'a>(line: &'a str, opening: &str) -> Option<(&'a str, Option<&'a str>)> {
    // A line that ends in a semicolon has no comment, whatever its literals contain.
    if let Some((code, comment)) = split_at_last(line, opening).filter(|_| !line.ends_with(';')) {
        let mut cursor = Cursor::new(comment);
        if cursor.number::<u32>().is_some() && cursor.eat(" at ") {
            return Some((code.trim_end().strip_suffix(';')?, Some(cursor.rest())));
        }
    }
    Some((line.strip_suffix(';')?, None))
}
