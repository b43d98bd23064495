//! Facts: what was read of one compilation unit, as a value and as bytes.
//!
//! A facts file holds everything that the analysis needs of a crate, so that reading MIR and linking facts can
//! happen at different times and on different machines. It knows nothing of locks, and nothing of where files lie:
//! paths in it are relative. The command line writes such files from inside a compilation and reads them back;
//! anything else that can obtain a dump may do the same.
//!
//! `extract.rs` makes facts of text, `bytes.rs` is their form on disk.

mod bounds;
mod bytes;
mod extract;
mod fits;
mod harness;
mod headers;
mod lent;
mod macros;
mod missing;
mod paths;
mod sharing;
mod unprinted;

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::mir::Stage;
use crate::mir::ir::{Body, Program, Span};

pub use bytes::FORMAT;
pub use extract::Extraction;
pub use missing::missing_bodies;
pub use paths::short_path;

/// Where facts come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// The version of the tool that wrote them.
    pub tool: String,
    /// What `rustc -vV` says of the compiler.
    pub rustc: String,
    /// The crate's name as in paths (`hv_core`).
    pub krate: String,
    /// Name and version of its package (`hv-core 0.0.0`), if a package manager told.
    pub package: Option<String>,
    /// `lib`, `bin`, `test`, … .
    pub target_kind: String,
    /// Whether it was compiled with `cfg(test)`.
    pub test: bool,
    /// The edition it is written in.
    pub edition: Option<String>,
    /// Which text of the compiler they were read of.
    pub stage: Stage,
    /// The compiler options that the reader depends on.
    pub flags: Vec<String>,
}

impl Header {
    /// The compiler's version as `1.95.0`, or as much as is printed of it.
    pub fn rustc_release(&self) -> &str {
        self.rustc.lines().find_map(|line| line.strip_prefix("release: ")).unwrap_or("unknown").trim()
    }
}

/// What was read of one compilation unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Where it comes from.
    pub header: Header,
    /// The crate.
    pub program: Program,
    /// What could not be read, one sentence each.
    pub problems: Vec<String>,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Bodies.
    pub bodies: usize,
    /// Lines of text.
    pub lines: usize,
    /// Lines that could not be read.
    pub unread: usize,
}

impl AddAssign for Volume {
    fn add_assign(&mut self, other: Volume) {
        self.bodies += other.bodies;
        self.lines += other.lines;
        self.unread += other.unread;
    }
}

/// Why a facts file cannot be used, or could not be made.
#[derive(Debug, Error)]
pub enum FactsError {
    /// The bytes are something else.
    #[error("not a facts file")]
    NotFacts,
    /// The bytes were written by a tool with another format.
    #[error("written in format {found}, this version reads format {FORMAT}")]
    Format {
        /// The format of the file.
        found: u32,
    },
    /// The bytes are truncated or changed.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The value cannot be written.
    #[error("cannot be encoded: {0}")]
    Encode(String),
}

impl Facts {
    /// The bytes of a facts file.
    pub fn encode(&self) -> Result<Vec<u8>, FactsError> {
        let bodies: Result<Vec<_>, _> = self.program.bodies.iter().cloned().map(bytes::of_body).collect();
        let stated = (self.program.bounds.clone(), self.program.traits.clone());
        bytes::encode(&self.header, &self.program.krate, &self.problems, &stated, &bodies?)
    }

    /// Whether `bytes` are a facts file, whole and undamaged.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(bytes: &[u8]) -> Result<(), FactsError> {
        bytes::block_of(bytes).map(drop)
    }

    /// The facts in `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Facts, FactsError> {
        bytes::decode(bytes)
    }
}

/// Calls `change` on every span of a body that facts keep.
fn each_span(body: &mut Body, change: &mut dyn FnMut(&mut Span)) {
    change(&mut body.span);
    body.impl_at.iter_mut().for_each(&mut *change);
    body.blocks.iter_mut().for_each(|block| change(&mut block.span));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::mir::ir::{
        Aggregate, AggregateKind, Block, BodyKind, Operand, Place, Rvalue, Statement, StatementKind,
        Terminator, Ty,
    };

    fn span(file: &str, line: u32) -> Span {
        Span { file: file.into(), line, column: 5, end_line: line, end_column: 9 }
    }

    /// A body that creates the closure `closure`.
    fn body(id: &str, closure: &str) -> Body {
        let kind = AggregateKind::Closure(closure.into(), Ty::Closure("closure@f".into()));
        let fields = vec![(Some("self".into()), Operand::Move(Place::local(1)))];
        let made = Rvalue::Aggregate(Aggregate { kind, fields }.into());
        let statement = Statement { kind: StatementKind::Assign(Place::local(2), made) };
        Body {
            id: id.into(),
            path: id.into(),
            kind: BodyKind::Fn,
            params: 1,
            locals: vec![Ty::unit(), Ty::Path("b::T".into(), [Ty::Never].into()), Ty::Never],
            names: BTreeMap::from([(1, "self".into())]),
            span: span("src/b.rs", 3),
            impl_at: Some(span("spin-0.10.0/src/once.rs", 2)),
            impl_header: Some("impl Drop for T".into()),
            blocks: vec![Block {
                cleanup: false,
                statements: vec![statement],
                terminator: Terminator::Return,
                span: span("src/a.rs", 5),
            }],
            statement_spans: Vec::new(),
            unread: vec!["?".into()],
        }
    }

    fn facts() -> Facts {
        let header = Header {
            format: FORMAT,
            krate: "k".into(),
            rustc: "rustc\nrelease: 1.95.0\n".into(),
            ..Header::default()
        };
        let bodies = vec![body("f", "f::{closure#0}"), body("f::{closure#0}", "")];
        Facts {
            header,
            program: Program { krate: "k".into(), bodies, ..Program::default() },
            problems: vec!["a problem".into()],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let facts = facts();
        let bytes = facts.encode().expect("encodes");
        assert_eq!(Facts::decode(&bytes).expect("decodes"), facts);
        assert_eq!(facts.header.rustc_release(), "1.95.0");
    }

    #[test]
    fn every_damage_is_noticed() {
        let bytes = facts().encode().expect("encodes");
        for length in 0..bytes.len() {
            assert!(Facts::decode(&bytes[..length]).is_err(), "cut at {length}");
        }
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                assert!(Facts::decode(&damaged).is_err(), "byte {at} changed by {flip:#x}");
            }
        }
        let longer = [bytes.as_slice(), b"\0"].concat();
        assert!(Facts::decode(&longer).is_err());
        let older = [&b"LDFACTS\n"[..], &0_u32.to_le_bytes(), &bytes[12..]].concat();
        assert!(matches!(Facts::decode(&older), Err(FactsError::Format { found: 0 })));
    }
}
