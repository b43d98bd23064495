//! Renderers: a judgement as text, JSON, DOT, lines or pictures.
//!
//! Each child is one format. Nothing here judges; nothing here prints: the caller brings the writer, and the way to
//! look up source text. No output has a clock, an absolute path or the order of a hash map in it.

mod config;
mod disciplines;
mod dot;
mod json;
mod list;
mod report;
mod sequence;
mod svg;
mod text;
mod words;

use std::fmt;

use crate::disciplines::Row;
use crate::judge::Judgement;
use crate::model::ConfigError;
use crate::smt;

pub use json::SCHEMA;
pub use report::Options;

/// An output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// For people.
    Text,
    /// One document for programs; see `render/json.rs` for its fields.
    Json,
    /// For Graphviz.
    Dot,
    /// The graph, one line per class and nesting: to be committed and compared.
    List,
    /// Each deadlock as a picture in text: CPUs, what they hold, how they block.
    Sequence,
    /// The same as SVG, for documents.
    Svg,
    /// The question of the proof as SMT-LIB 2, see `smt.rs`.
    Smt,
}

impl Format {
    /// Every format, by the name used on the command line.
    pub const ALL: [(&'static str, Format); 7] = [
        ("text", Format::Text),
        ("json", Format::Json),
        ("dot", Format::Dot),
        ("list", Format::List),
        ("sequence", Format::Sequence),
        ("svg", Format::Svg),
        ("smt", Format::Smt),
    ];
}

/// Writes `judgement` in `format` to `w`.
pub fn render(
    judgement: &Judgement,
    options: &Options,
    format: Format,
    w: &mut dyn fmt::Write,
) -> fmt::Result {
    match format {
        Format::Text => text::render(judgement, options, w),
        Format::Json => json::render(judgement, w),
        Format::Dot => dot::render(judgement, w),
        Format::List => list::render(&judgement.graph, w),
        Format::Sequence => sequence::render(judgement, w),
        Format::Svg => svg::render(judgement, w),
        Format::Smt => smt::deadlock_exists(&judgement.graph, w),
    }
}

/// What is wrong with `text`, which users call `file`: to follow the word `error`, without a line end after it.
pub fn config_error(error: &ConfigError, file: &str, text: &str) -> String {
    config::render(error, file, text)
}

/// Writes the table of disciplines as Markdown to `w`.
pub fn render_disciplines(rows: &[Row], w: &mut dyn fmt::Write) -> fmt::Result {
    disciplines::render(rows, w)
}
