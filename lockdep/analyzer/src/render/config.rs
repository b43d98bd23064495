//! What is wrong with a `lockdep.toml`, with its place in the text.
//!
//! The shape is that of findings; where the words come from is `model/own.rs`. Called by `render.rs` only.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::model::ConfigError;

/// The error as text, without the word `error` before it and without a line end after it.
pub fn render(error: &ConfigError, file: &str, text: &str) -> String {
    let end = error.span.end.min(text.len());
    let span = error.span.start.min(end)..end;
    let snippet = Snippet::source(text).path(file).annotation(AnnotationKind::Primary.span(span));
    let mut group = Level::ERROR.primary_title(error.message.as_str()).element(snippet);
    if let Some(help) = &error.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let rendered = Renderer::plain().render(&[group]);
    rendered.strip_prefix("error: ").map(str::to_owned).unwrap_or(rendered)
}
