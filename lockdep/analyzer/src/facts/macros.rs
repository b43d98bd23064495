//! Spans of what a macro expanded to: where it is used instead of where it is defined.
//!
//! MIR gives the position of a token where it was written, which for most of an expansion is the macro's definition, in
//! this file or that of another crate: no line of the function that a report could show. What such a statement works on
//! was most often written where the macro is used, so it gets the span of that. A closure that a macro made as a whole
//! gets that of its creation; other functions that one made are left alone. The compiler is not asked: the text of the
//! sources is all there is.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::mir::ir::{Body, Operand, Span, StatementKind, Terminator};

/// Gives spans of a body that are inside definitions of macros those of their surroundings; `definitions` are those of
/// the file in which the body is.
pub fn show_uses(body: &mut Body, definitions: &[Range]) {
    let file = Arc::clone(&body.span.file);
    let here = |span: &Span| {
        let inside = |range: &Range| (range.0..range.1).contains(&(span.line, span.column));
        span.file == file && span.line > 0 && !definitions.iter().any(inside)
    };
    if here(&body.span) {
        mend(body, &here);
    }
}

/// Gives what a macro made as a whole, in a file of its own, the span of what created it.
pub fn show_creation(body: &mut Body, created: &Span) {
    super::each_span(body, &mut |span| {
        if span.file != created.file {
            *span = created.clone();
        }
    });
}

/// From a line and column, from 1, up to another.
pub type Range = ((u32, u32), (u32, u32));

fn mend(body: &mut Body, here: &dyn Fn(&Span) -> bool) {
    // Where each local was given its value last, as far as that was seen.
    let mut given: BTreeMap<usize, Span> = BTreeMap::new();
    // What came before, for a block that has nothing of its own to show: blocks are made in the order of the source.
    let mut before: Option<Span> = None;
    for block in &mut body.blocks {
        // The end of a scope says nothing of what is done.
        let says = |kind: &StatementKind| !matches!(kind, StatementKind::StorageDead(_));
        let first = block.statements.iter().find(|statement| says(&statement.kind) && here(&statement.span));
        let first = first.map(|statement| statement.span.clone());
        let first = first.or_else(|| here(&block.span).then(|| block.span.clone())).or(before.take());
        let mut last: Option<Span> = None;
        for statement in &mut block.statements {
            if !here(&statement.span)
                && let Some(span) = last.as_ref().or(first.as_ref())
            {
                statement.span = span.clone();
            }
            if says(&statement.kind) && here(&statement.span) {
                last = Some(statement.span.clone());
            }
            if let StatementKind::Assign(dest, _) = &statement.kind
                && here(&statement.span)
            {
                given.insert(dest.local, statement.span.clone());
            }
        }
        if !here(&block.span) {
            let arguments = match &block.terminator {
                Terminator::Call(call) => call.args.as_slice(),
                _ => &[],
            };
            let argument =
                arguments.iter().filter_map(Operand::place).find_map(|place| given.get(&place.local));
            if let Some(span) = argument.or(last.as_ref()).or(first.as_ref()) {
                block.span = span.clone();
            }
        }
        if let Terminator::Call(call) = &block.terminator
            && here(&block.span)
        {
            given.insert(call.dest.local, block.span.clone());
        }
        before = here(&block.span).then(|| block.span.clone()).or(last).or(first);
    }
}

/// Where the macros of a file are defined with `macro_rules!`.
pub fn definitions(source: &str) -> Vec<Range> {
    let mut found = Vec::new();
    let mut text = Text { rest: source, line: 1, column: 1 };
    while !text.rest.is_empty() {
        let start = (text.line, text.column);
        if text.take("macro_rules!") {
            // The name, then the rules in brackets of one kind.
            while text.rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c.is_whitespace()) {
                text.next();
            }
            text.group();
            found.push((start, (text.line, text.column)));
        } else {
            text.token();
        }
    }
    found
}

/// Source text from some place on.
struct Text<'a> {
    rest: &'a str,
    line: u32,
    column: u32,
}

impl Text<'_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next()?;
        self.rest = chars.as_str();
        (self.line, self.column) =
            if next == '\n' { (self.line + 1, 1) } else { (self.line, self.column + 1) };
        Some(next)
    }

    fn take(&mut self, word: &str) -> bool {
        let is_next = self.rest.starts_with(word);
        if is_next {
            for _ in word.chars() {
                self.next();
            }
        }
        is_next
    }

    /// Skips up to and including `end`.
    fn through(&mut self, end: &str) {
        while !self.rest.is_empty() && !self.take(end) {
            self.next();
        }
    }

    /// Skips one bracketed group; brackets of every kind nest.
    fn group(&mut self) {
        let mut depth = 0_usize;
        while let Some(next) = self.rest.chars().next() {
            match next {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.token();
            if depth == 0 {
                return;
            }
        }
    }

    /// Skips a comment, a literal that may look like something else, a word, or one character.
    fn token(&mut self) {
        if self.rest.starts_with("//") {
            return self.through("\n");
        }
        if self.take("/*") {
            let mut depth = 1;
            while depth > 0 && !self.rest.is_empty() {
                if self.take("/*") {
                    depth += 1;
                } else if self.take("*/") {
                    depth -= 1;
                } else {
                    self.next();
                }
            }
            return;
        }
        if self.take("\"") {
            while let Some(next) = self.next() {
                match next {
                    '\\' => {
                        self.next();
                    }
                    '"' => return,
                    _ => {}
                }
            }
            return;
        }
        let after_prefix = self.rest.trim_start_matches(['b', 'c']).strip_prefix('r');
        if let Some(after) = after_prefix {
            let hashes = after.len() - after.trim_start_matches('#').len();
            if after[hashes..].starts_with('"') {
                self.through("\"");
                return self.through(&format!("\"{}", "#".repeat(hashes)));
            }
        }
        if self.take("'") {
            // A character, or the name of a lifetime, which has no end.
            let mut chars = self.rest.chars();
            match (chars.next(), chars.next()) {
                (Some('\\'), _) => {
                    self.next();
                    self.next();
                    self.through("'");
                }
                (Some(_), Some('\'')) => self.through("'"),
                _ => {}
            }
            return;
        }
        if self.rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            while self.rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
                self.next();
            }
            return;
        }
        self.next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(source: &str) -> Vec<(u32, u32)> {
        definitions(source).into_iter().map(|(start, end)| (start.0, end.0)).collect()
    }

    #[test]
    fn definitions_end_where_their_brackets_do() {
        assert_eq!(lines("fn f() {}\nmacro_rules! a {\n () => { { } };\n}\nfn g() {}\n"), [(2, 4)]);
        assert_eq!(lines("macro_rules! a (\n () => {};\n);\nmacro_rules! b { () => {} }"), [(1, 3), (4, 4)]);
    }

    #[test]
    fn what_only_looks_like_a_bracket_is_none() {
        for inside in
            ["'}'", "'\\''", "\"}\\\"}\"", "r#\"}\"}\"#", "b\"}\"", "/* } /* } */ */", "// }", "&'a x"]
        {
            let source = format!("macro_rules! a {{\n () => {{ {inside}\n }};\n}}\nfn g() {{}}\n");
            assert_eq!(lines(&source), [(1, 4)], "{inside}");
        }
    }

    #[test]
    fn a_definition_in_a_comment_or_a_literal_is_none() {
        assert_eq!(
            lines("// macro_rules! a {\n/* macro_rules! b { */\nconst A: &str = \"macro_rules! c {\";"),
            []
        );
        assert_eq!(lines("macro_rules! a {\n never ends"), [(1, 2)]);
    }
}
