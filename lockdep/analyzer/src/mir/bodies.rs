//! The inside of an item: declarations, then blocks.
//!
//! It does not find items in a file. A line that cannot be read makes the body incomplete; parts that do not fit
//! together make it empty, so that what is in a body can be relied on: every block, every target and every local
//! that is mentioned exists. Called by `items.rs` only.

use super::callees::callee;
use super::captures::{Hints, Incomplete, NOT_PRINTED, capture_types, complete};
use super::ir::{AggregateKind, Block, Body, Rvalue, Span, Statement, StatementKind, Terminator, Ty};
use super::lex::{Cursor, Files, split_comment};
use super::operands::Names;
use super::statements::{Line, Surroundings, line};

/// Lines with numbers.
pub(super) struct Lines<'a> {
    text: &'a str,
    at: usize,
    /// The number of the line read last.
    pub(super) number: u32,
}

impl<'a> Lines<'a> {
    /// The lines of `text`, of which the first comes after line `number`.
    pub(super) fn new(text: &'a str, number: u32) -> Lines<'a> {
        Lines { text, at: 0, number }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Splits what has not been read behind the brace that closes a body.
    pub(super) fn after_body(&self) -> (Lines<'a>, Lines<'a>) {
        let rest = self.rest();
        let (inside, after) = rest.split_at(rest.find("\n}\n").map_or(rest.len(), |end| end + 3));
        let lines = u32::try_from(inside.bytes().filter(|byte| *byte == b'\n').count()).unwrap_or(u32::MAX);
        (Lines::new(inside, self.number), Lines::new(after, self.number.saturating_add(lines)))
    }

    /// The text from `start`, which is the end of the line read last, to the first line that `test` accepts.
    fn extended(&mut self, start: &'a str, test: impl Fn(&str) -> bool) -> Option<&'a str> {
        let from = self.at.checked_sub(start.len() + 1)?;
        self.find(|line| test(line))?;
        let length = self.at.checked_sub(from + 1)?;
        self.text.get(from..from + length)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        let end = rest.find('\n').unwrap_or(rest.len());
        self.at += end + 1;
        self.number = self.number.saturating_add(1);
        rest.get(..end)
    }
}

/// A body being read.
pub(super) struct BodyReader<'r, 'a> {
    names: &'r mut Names<'a>,
    files: &'r mut Files,
    body: &'r mut Body,
    /// The types of the locals declared so far.
    locals: Vec<Option<Ty>>,
    /// Lines that could not be read, with their numbers.
    unread: Vec<(u32, String)>,
    /// Whether the line read last is a kept statement, so that comments belong to it.
    follows_kept: bool,
    /// The comment read last that is indented.
    last_argument: &'a str,
    /// Closures of which captures are missing.
    incomplete: Vec<Incomplete>,
}

impl<'r, 'a> BodyReader<'r, 'a> {
    /// Reads into `body`, which has what the header says.
    pub(super) fn new(
        names: &'r mut Names<'a>,
        files: &'r mut Files,
        body: &'r mut Body,
        parameters: Vec<Ty>,
    ) -> BodyReader<'r, 'a> {
        names.highest_local = parameters.len();
        // The return place is declared later.
        let locals = std::iter::once(None).chain(parameters.into_iter().map(Some)).collect();
        BodyReader {
            names,
            files,
            body,
            locals,
            unread: Vec::new(),
            follows_kept: false,
            last_argument: "",
            incomplete: Vec::new(),
        }
    }

    /// Reads the lines of a body after its header, up to its closing brace.
    pub(super) fn read(&mut self, lines: &mut Lines<'a>) {
        let limit = lines.text.len();
        let mut scopes = 0_usize;
        let mut is_closed = false;
        while let Some(text) = lines.next() {
            let content = text.trim_start_matches(' ');
            if content.is_empty() || content.starts_with("//") {
                continue;
            }
            if content == "}" && scopes == 0 {
                is_closed = true;
                break;
            }
            let is_read = if content == "}" {
                scopes -= 1;
                true
            } else if let Some(scope) = content.strip_prefix("scope ") {
                scopes += 1;
                scope.strip_suffix(" {").is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
            } else if content.starts_with("bb") {
                self.block(content, lines)
            } else {
                self.declaration(content, limit).is_some()
            };
            if !is_read {
                self.unread(lines.number, content);
            }
        }
        if !is_closed {
            self.unread(lines.number, "the body does not end");
        }
        if let Some(rest) = lines.find(|rest| !rest.is_empty()) {
            self.unread(lines.number, rest);
        }
    }

    /// `let mut _1: T;` or `debug name => _1;`.
    fn declaration(&mut self, content: &'a str, limit: usize) -> Option<()> {
        const RETURN_PLACE: &str = "// return place in scope ";
        let is_return_place = content.contains(RETURN_PLACE);
        let opening = if is_return_place { RETURN_PLACE } else { "// in scope " };
        let (code, span) = split_comment(content, opening)?;
        let mut cursor = Cursor::new(code);
        if cursor.eat("debug ") {
            return self.name(&mut cursor);
        }
        cursor.expect("let ")?;
        cursor.eat("mut ");
        let local = self.names.local(&mut cursor)?;
        cursor.expect(": ")?;
        // What follows ` as ` is the type as the user wrote it.
        let ty = self.names.types.read(cursor.until(b"")?)?;
        (cursor.is_done() || cursor.at(" as ")).then_some(())?;
        if is_return_place {
            self.body.span = self.files.span(span?)?;
        }
        self.declare(local, ty, limit)
    }

    /// Notes the type of a local; fails if it has one, or if the number is larger than the text can declare.
    fn declare(&mut self, local: usize, ty: Ty, limit: usize) -> Option<()> {
        if local >= self.locals.len() {
            (local < limit).then_some(())?;
            self.locals.resize(local + 1, None);
        }
        let place = self.locals.get_mut(local)?;
        place.is_none().then_some(())?;
        *place = Some(ty);
        Some(())
    }

    /// `name => _1`; names of captures, of parts and of constants are not kept.
    fn name(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        let name = cursor.take_while(|byte| byte != b' ');
        cursor.expect(" => ")?;
        if cursor.at("_") || cursor.at("(") {
            let place = self.names.place(cursor)?;
            if place.projection.is_empty() {
                self.body.names.entry(place.local).or_insert_with(|| name.to_owned());
            }
            return cursor.is_done().then_some(());
        }
        // A constant, a value in parts (`S { .0 => _3, }`), or a function.
        let is_known = cursor.at("const ") || cursor.rest().contains(" => ");
        (is_known || callee(cursor, &mut self.names.types).is_some() && cursor.is_done()).then_some(())
    }

    /// A block from its first line; false if that cannot be read.
    fn block(&mut self, content: &'a str, lines: &mut Lines<'a>) -> bool {
        let mut cursor = Cursor::new(content);
        let number = cursor.block();
        let cleanup = cursor.eat(" (cleanup)");
        let is_opened = number == Some(self.body.blocks.len()) && cursor.rest() == ": {";
        self.body.blocks.push(Block {
            cleanup,
            statements: Vec::new(),
            terminator: Terminator::Unread,
            span: Span::default(),
        });
        self.body.statement_spans.push(Vec::new());
        let mut is_terminated = false;
        let mut is_closed = false;
        while let Some(text) = lines.next() {
            let content = text.trim_start_matches(' ');
            if let Some(comment) = content.strip_prefix("// ") {
                self.comment(comment);
            } else if content == "}" {
                is_closed = true;
                break;
            } else if !content.is_empty() && content != "//" {
                let number = lines.number;
                let is_read = !is_terminated && self.statement(content, lines, &mut is_terminated).is_some();
                if !is_read {
                    self.unread(number, content);
                }
            }
        }
        if !is_terminated || !is_closed {
            self.unread(lines.number, "the block does not end");
        }
        is_opened
    }

    fn statement(&mut self, content: &'a str, lines: &mut Lines<'a>, is_terminated: &mut bool) -> Option<()> {
        self.follows_kept = false;
        let mut content = content;
        if content.starts_with("asm!(") {
            // The template is printed as it is, over several lines and with quotes.
            let has_spans = self.body.span.line > 0;
            let is_end = |line: &str| ends_assembly(line, has_spans);
            if !is_end(content) {
                content = lines.extended(content, is_end)?;
            }
        }
        let (code, span) = split_comment(content, "// scope ")?;
        let span = span.map_or(Some(Span::default()), |span| self.files.span(span))?;
        let within = Surroundings {
            locals: &self.locals,
            constant_follows: lines.rest().trim_start_matches(' ').starts_with("// mir::ConstOperand"),
            body: &self.body.id,
        };
        let line = line(self.names, code, &within)?;
        let block = self.body.blocks.last_mut()?;
        match line {
            Line::Skipped => {}
            Line::Statement(kind) => {
                block.statements.push(Statement { kind });
                self.body.statement_spans.last_mut()?.push(span);
                self.follows_kept = true;
            }
            Line::Terminator(terminator) => {
                block.terminator = terminator;
                block.span = span;
                *is_terminated = true;
            }
        }
        Some(())
    }

    /// The comments after the assignment of a closure: its definition, `+ def_id: DefId(0:53 ~
    /// krate[hash]::{impl#2}::clos::{closure#0})`, and its generic arguments, the last of which is the tuple of what
    /// it captures.
    fn comment(&mut self, comment: &'a str) {
        if let Some(argument) = comment.strip_prefix("    ") {
            self.last_argument = argument;
            return;
        }
        if !self.follows_kept || !comment.starts_with("+ def_id: DefId(") && comment != "]" {
            return;
        }
        let number = self.body.blocks.len().saturating_sub(1);
        let Some(block) = self.body.blocks.last_mut() else { return };
        let statement = block.statements.len().saturating_sub(1);
        let Some(Statement { kind, .. }) = block.statements.last_mut() else { return };
        let StatementKind::Assign(_, Rvalue::Aggregate(aggregate)) = kind else { return };
        let AggregateKind::Closure(id, _) = &mut aggregate.kind else { return };
        if comment == "]" {
            let types = capture_types(self.last_argument);
            if types.as_ref().is_none_or(|types| types.len() != aggregate.fields.len()) {
                self.incomplete.push(Incomplete { block: number, statement, types });
            }
        } else if let Some((_, path)) = comment.strip_suffix(')').and_then(|text| text.split_once("]::")) {
            *id = path.to_owned();
        }
    }

    /// Notes a line that cannot be read.
    pub(super) fn unread(&mut self, number: u32, text: &str) {
        self.unread.push((number, text.to_owned()));
    }

    /// Checks that the parts fit together; returns the lines that could not be read.
    pub(super) fn finish(mut self, number: u32, hints: &Hints) -> Vec<(u32, String)> {
        let declared = self.locals.iter().take_while(|ty| ty.is_some()).count();
        let fits = !self.body.blocks.is_empty()
            && declared == self.locals.len()
            && self.names.highest_local < declared
            && self.names.highest_block < self.body.blocks.len();
        self.body.locals = self.locals.drain(..).map_while(|ty| ty).collect();
        if !fits {
            self.unread(number, "a local or a block that is mentioned does not exist");
            self.body.blocks.clear();
            self.body.statement_spans.clear();
            self.body.names.clear();
        } else if !complete(self.body, &self.incomplete, hints) {
            self.unread(number, NOT_PRINTED);
        }
        self.unread
    }
}

/// Whether a line ends an `asm!` terminator.
fn ends_assembly(line: &str, has_spans: bool) -> bool {
    if has_spans {
        return split_comment(line, "// scope ").is_some_and(|(_, span)| span.is_some());
    }
    ["];", ");", " -> unwind continue;", " -> unwind unreachable;"].iter().any(|end| line.ends_with(end))
}
