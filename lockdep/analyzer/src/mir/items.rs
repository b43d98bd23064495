//! A dump file → its items: headers, bodies, tables of allocations.
//!
//! It does not read directories. The text is that of `-Zdump-mir=analysis`: one function, constant or static, and
//! what the compiler printed about it. Called by `mir.rs` only.

use std::collections::BTreeMap;
use std::fmt;

use super::bodies::{BodyReader, Lines};
use super::captures::Hints;
use super::ir::{Body, BodyKind, Span, Ty};
use super::lex::{Cursor, Files, split_list};
use super::operands::{Allocation, Names};
use super::raw::without_raw;

/// A text that could not be read: the body it stands in is incomplete.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file that was read.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The line as it stands there, or what is missing.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: incomplete: {}", self.file, self.line, self.text)
    }
}

/// What stands before a body.
struct Header<'a> {
    kind: BodyKind,
    path: &'a str,
    parameters: Vec<Ty>,
    impl_at: Option<Span>,
}

impl Header<'_> {
    /// A body of which only the header is known.
    fn body(&self, id: String) -> Body {
        Body {
            id,
            path: self.path.to_owned(),
            kind: self.kind,
            params: self.parameters.len(),
            locals: Vec::new(),
            names: BTreeMap::new(),
            span: Span::default(),
            impl_at: self.impl_at.clone(),
            impl_header: None,
            blocks: Vec::new(),
            statement_spans: Vec::new(),
            unread: Vec::new(),
        }
    }
}

/// Reads a file; the first item gets the definition path `id`.
pub(super) fn read_file(id: &str, text: &str, hints: &Hints) -> (Vec<Body>, Vec<Problem>) {
    let text = &*without_raw(text);
    let mut reader = FileReader {
        id,
        hints,
        names: Names::default(),
        files: Files::default(),
        bodies: Vec::new(),
        problems: Vec::new(),
    };
    let mut lines = Lines::new(text, 0);
    while let Some(line) = lines.next() {
        // User type annotations begin with a bar.
        if line.is_empty() || line.starts_with("//") || line.starts_with('|') {
            continue;
        }
        if let Some(header) = reader.header(line) {
            reader.item(header, line, &mut lines);
        } else {
            reader.problem(lines.number, line);
            lines = lines.after_body().1;
        }
    }
    if reader.bodies.is_empty() {
        if reader.problems.is_empty() {
            reader.problem(lines.number, "the file has no body");
        }
        // What calls it shall find that it is not known.
        let header = Header { kind: BodyKind::Fn, path: reader.id, parameters: Vec::new(), impl_at: None };
        let unread = reader.problems.iter().map(|problem| problem.text.clone()).collect();
        reader.bodies.push(Body { unread, ..header.body(reader.id.to_owned()) });
    }
    (reader.bodies, reader.problems)
}

/// The path in the first line of an item.
pub(super) fn path_of(line: &str) -> Option<&str> {
    if let Some(text) = line.strip_prefix("fn ") {
        let open = text.find("(_1: ").into_iter().chain(text.find("() -> ")).min()?;
        return text.get(..open);
    }
    let text = line.strip_prefix("static ").or(line.strip_prefix("const ")).unwrap_or(line);
    Some(path_and_type(text.strip_prefix("mut ").unwrap_or(text))?.0)
}

struct FileReader<'f, 'a> {
    id: &'f str,
    hints: &'f Hints,
    names: Names<'a>,
    files: Files,
    bodies: Vec<Body>,
    problems: Vec<Problem>,
}

impl<'a> FileReader<'_, 'a> {
    fn problem(&mut self, line: u32, text: &str) {
        self.problems.push(Problem { file: self.id.to_owned(), line, text: text.to_owned() });
    }

    /// `fn path(_1: T) -> R {`, `static path: T = {`, `const path: T = {`, `path::{constant#0}: T = {`.
    fn header(&mut self, line: &'a str) -> Option<Header<'a>> {
        let mut parameters = Vec::new();
        let path = path_of(line)?;
        let kind = if let Some(rest) = line.strip_prefix("fn ").and_then(|text| text.strip_prefix(path)) {
            let mut cursor = Cursor::new(rest);
            for (position, parameter) in split_list(cursor.bracketed()?)?.into_iter().enumerate() {
                let (local, ty) = parameter.split_once(": ")?;
                (local.strip_prefix('_')?.parse() == Ok(position + 1)).then_some(())?;
                parameters.push(self.names.types.read(ty)?);
            }
            cursor.expect(" -> ")?;
            let result = cursor.rest();
            self.names.types.read(result.strip_suffix(" {").unwrap_or(result))?;
            BodyKind::Fn
        } else {
            let has_value = line.ends_with(';') && split_list(line).is_some();
            (line.ends_with(" = {") || has_value).then_some(())?;
            if line.starts_with("static ") { BodyKind::Static } else { BodyKind::Const }
        };
        let impl_at = match path.rsplit_once("<impl at ") {
            Some((_, rest)) => Some(self.files.span(rest.split_once('>')?.0)?),
            None => None,
        };
        Some(Header { kind, path, parameters, impl_at })
    }

    /// An item after the first line of its header.
    fn item(&mut self, header: Header<'a>, first: &str, lines: &mut Lines<'a>) {
        let id = match header.path.rsplit_once("::promoted[") {
            _ if self.bodies.is_empty() => self.id.to_owned(),
            Some((_, promoted)) => format!("{}::promoted[{promoted}", self.id),
            None => header.path.to_owned(),
        };
        let mut body = header.body(id);
        if first.ends_with(';') {
            // A constant whose value stands in place of a body.
            self.bodies.push(body);
            return;
        }
        let number = lines.number;
        let (mut inside, mut tail) = lines.after_body();
        let opens = first.ends_with('{')
            || inside.next().is_some_and(|line| line.starts_with("yields ")) && inside.next() == Some(" {");
        self.names.start_item();
        self.allocations(&mut tail);
        let mut reader = BodyReader::new(&mut self.names, &mut self.files, &mut body, header.parameters);
        if !opens {
            reader.unread(number, first);
        }
        reader.read(&mut inside);
        let unread = reader.finish(inside.number, self.hints);
        for (line, text) in &unread {
            self.problem(*line, text);
        }
        body.unread = unread.into_iter().map(|(_, text)| text).collect();
        self.bodies.push(body);
        *lines = tail;
    }

    /// `alloc1 (static: H, size: 8, align: 4) { .. }` and the like, up to what is not.
    fn allocations(&mut self, lines: &mut Lines<'a>) {
        loop {
            let next = lines.rest();
            if !next.starts_with("alloc") && !next.starts_with('\n') {
                return;
            }
            let Some(line) = lines.next() else { return };
            if line.is_empty() {
                continue;
            }
            if self.allocation(line).is_none() {
                self.problem(lines.number, line);
            }
            if line.ends_with('{') {
                // The bytes, where they are not left out.
                lines.find(|line| *line == "}");
            }
        }
    }

    fn allocation(&mut self, line: &'a str) -> Option<()> {
        let mut cursor = Cursor::new(line);
        cursor.expect("alloc")?;
        let number = cursor.number()?;
        cursor.expect(" (")?;
        let is_static = cursor.eat("static: ") || cursor.eat("extern static: ");
        let is_function = !is_static && cursor.eat("fn: ");
        let what = cursor.until(b",")?;
        let allocation = if is_static {
            Allocation::Static(what)
        } else if is_function {
            Allocation::Fn(what)
        } else {
            let is_known = ["size: ", "vtable: ", "typeid"].iter().any(|start| what.starts_with(start));
            is_known.then_some(Allocation::Other)?
        };
        self.names.allocations.insert(number, allocation);
        Some(())
    }
}

/// Splits `path: T = {`; the span in `<impl at …>` has colons too.
fn path_and_type(text: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    while let Some(start) = text.get(from..)?.find("<impl at ").map(|start| from + start) {
        if text.get(from..start)?.contains(": ") {
            break;
        }
        from = start + text.get(start..)?.find('>')?;
    }
    let colon = from + text.get(from..)?.find(": ")?;
    Some((text.get(..colon)?, text.get(colon + 2..)?))
}
