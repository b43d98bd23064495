//! Facts: what was read of one compilation unit, as a value and as bytes.
//!
//! A facts file holds everything that the analysis needs of a crate, so that reading MIR and linking facts can
//! happen at different times and on different machines. It knows nothing of locks, and nothing of where files lie:
//! paths in it are relative. The command line writes such files from inside a compilation and reads them back;
//! anything else that can obtain a dump may do the same.
//!
//! The bytes are a magic number, the format's version, the length and the checksum of what follows, and one LZ4 block,
//! so that a damaged file is refused before any of it is believed. In the block stand the header, the table of source
//! files and the bodies one by one; a span names its file by the position in the table, which is undone while
//! decoding, body by body.

mod fits;
mod missing;
mod paths;

use std::collections::BTreeMap;
use std::sync::Arc;

use lz4_flex::block;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::mir;
use crate::mir::ir::{Body, Program, Span};

use fits::fits;
use missing::missing_bodies;
pub use paths::short_path;

/// The version of the format; files of any other are refused.
pub const FORMAT: u32 = 1;

const MAGIC: [u8; 8] = *b"LDFACTS\n";

/// More than this is neither written nor decompressed: the largest crates known stay ten times below it.
const MAX_PAYLOAD: usize = 1 << 30;

/// LZ4 makes no byte longer than this.
const MAX_RATIO: usize = 255;

/// The compiler silently writes no file whose name is longer than 255 bytes. Where a name comes this close, a
/// longer one is likely enough to have been lost that it has to be said.
const LONG_NAME: usize = 255 - 48;

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
    /// Reads a dump: `files` are (name, text) of the files rustc wrote, `sources` gives the text of a source file
    /// by its path as printed in the dump.
    pub fn from_dump(
        header: Header,
        files: &[(String, String)],
        sources: &dyn Fn(&str) -> Option<String>,
    ) -> Facts {
        let (mut program, unread) = mir::read_dump(&header.krate, files);
        let mut problems: Vec<String> = unread.iter().map(ToString::to_string).collect();
        find_impl_headers(&mut program, sources, &mut problems);
        problems.extend(missing_bodies(&program));
        problems.extend(long_names(files));
        for body in &mut program.bodies {
            each_span(body, &mut |span| {
                if let Some(short) = short_path(&span.file) {
                    span.file = short.into();
                }
            });
        }
        Facts { header, program, problems }
    }

    /// The bytes of a facts file.
    pub fn encode(&self) -> Result<Vec<u8>, FactsError> {
        let mut files: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        let mut bodies = Vec::new();
        for body in &self.program.bodies {
            let mut body = body.clone();
            each_span(&mut body, &mut |span| {
                let next = files.len();
                let index = *files.entry(Arc::clone(&span.file)).or_insert(next);
                span.file = index.to_string().into();
            });
            append(&mut bodies, &body)?;
        }
        let mut table: Vec<(usize, &str)> = files.iter().map(|(file, index)| (*index, &**file)).collect();
        table.sort_unstable();
        let table: Vec<&str> = table.into_iter().map(|(_, file)| file).collect();

        let mut payload = Vec::new();
        append(&mut payload, &self.header)?;
        append(&mut payload, &self.program.krate)?;
        append(&mut payload, &self.problems)?;
        append(&mut payload, &table)?;
        append(&mut payload, &self.program.bodies.len())?;
        payload.append(&mut bodies);

        if payload.len() > MAX_PAYLOAD {
            return Err(FactsError::Encode("larger than any crate".into()));
        }
        let block = block::compress_prepend_size(&payload);
        let length = u64::try_from(block.len()).map_err(|error| FactsError::Encode(error.to_string()))?;
        let checksum = crc32fast::hash(&block);
        Ok([&MAGIC[..], &FORMAT.to_le_bytes(), &length.to_le_bytes(), &checksum.to_le_bytes(), &block]
            .concat())
    }

    /// The facts in `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Facts, FactsError> {
        let bytes = bytes.strip_prefix(&MAGIC).ok_or(FactsError::NotFacts)?;
        let cut = || FactsError::Damaged("cut short".into());
        let (format, bytes) = bytes.split_first_chunk().ok_or_else(cut)?;
        let found = u32::from_le_bytes(*format);
        if found != FORMAT {
            return Err(FactsError::Format { found });
        }
        let (length, bytes) = bytes.split_first_chunk().ok_or_else(cut)?;
        let (checksum, block) = bytes.split_first_chunk().ok_or_else(cut)?;
        if u64::try_from(block.len()) != Ok(u64::from_le_bytes(*length)) {
            return Err(FactsError::Damaged("of another length than it says".into()));
        }
        if crc32fast::hash(block) != u32::from_le_bytes(*checksum) {
            return Err(FactsError::Damaged("its checksum is wrong".into()));
        }
        let payload = decompress(block)?;
        let mut rest = payload.as_slice();
        let header = take(&mut rest)?;
        let krate = take(&mut rest)?;
        let problems = take(&mut rest)?;
        let files: Vec<Arc<str>> = take(&mut rest)?;
        let count: usize = take(&mut rest)?;
        let mut bodies = Vec::new();
        for _ in 0..count {
            let mut body: Body = take(&mut rest)?;
            let mut unknown = false;
            each_span(&mut body, &mut |span| {
                let index = span.file.parse::<usize>().ok();
                match index.and_then(|index| files.get(index)) {
                    Some(file) => span.file = Arc::clone(file),
                    None => unknown = true,
                }
            });
            if unknown {
                return Err(FactsError::Damaged("a span in an unknown file".into()));
            }
            if !fits(&body) {
                return Err(FactsError::Damaged("a body whose parts do not fit together".into()));
            }
            bodies.push(body);
        }
        if !rest.is_empty() {
            return Err(FactsError::Damaged("trailing bytes".into()));
        }
        Ok(Facts { header, program: Program { krate, bodies }, problems })
    }
}

fn append(bytes: &mut Vec<u8>, value: &impl Serialize) -> Result<(), FactsError> {
    let taken = std::mem::take(bytes);
    *bytes = postcard::to_extend(value, taken).map_err(|error| FactsError::Encode(error.to_string()))?;
    Ok(())
}

fn take<T: DeserializeOwned>(rest: &mut &[u8]) -> Result<T, FactsError> {
    let (value, after) =
        postcard::take_from_bytes(rest).map_err(|error| FactsError::Damaged(error.to_string()))?;
    *rest = after;
    Ok(value)
}

fn decompress(block: &[u8]) -> Result<Vec<u8>, FactsError> {
    let damaged = |error: &dyn std::fmt::Display| FactsError::Damaged(error.to_string());
    let (size, block) = block::uncompressed_size(block).map_err(|error| damaged(&error))?;
    if size > MAX_PAYLOAD || size / MAX_RATIO > block.len() {
        return Err(damaged(&"it says that it is larger than it can be"));
    }
    block::decompress(block, size).map_err(|error| damaged(&error))
}

/// Looks up the source text of each impl header once per impl.
fn find_impl_headers(
    program: &mut Program,
    sources: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<String>,
) {
    let mut texts: BTreeMap<Arc<str>, Option<String>> = BTreeMap::new();
    let mut headers: BTreeMap<Span, Option<String>> = BTreeMap::new();
    for body in &mut program.bodies {
        let Some(at) = &body.impl_at else { continue };
        if !headers.contains_key(at) {
            let text = texts.entry(Arc::clone(&at.file)).or_insert_with(|| sources(&at.file));
            let header = text.as_deref().and_then(|text| mir::impl_header(text, at));
            if header.is_none() {
                let file = short_path(&at.file).unwrap_or_else(|| at.file.to_string());
                problems.push(format!(
                    "{file}:{}:{}: the impl that begins here cannot be read",
                    at.line, at.column
                ));
            }
            headers.insert(at.clone(), header);
        }
        body.impl_header = headers.get(at).cloned().flatten();
    }
}

fn long_names(files: &[(String, String)]) -> Option<String> {
    let (name, _) = files.iter().max_by_key(|(name, _)| (name.len(), name))?;
    (name.len() > LONG_NAME).then(|| {
        format!(
            "{name}: the name is {} bytes long; of a function whose name makes more than 255 the compiler writes \
             no MIR, and there may be one",
            name.len()
        )
    })
}

/// Calls `change` on every span of a body.
fn each_span(body: &mut Body, change: &mut dyn FnMut(&mut Span)) {
    change(&mut body.span);
    body.impl_at.iter_mut().for_each(&mut *change);
    for block in &mut body.blocks {
        change(&mut block.span);
        block.statements.iter_mut().for_each(|statement| change(&mut statement.span));
    }
}

#[cfg(test)]
mod tests {
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
        let statement = Statement {
            kind: StatementKind::Assign(Place::local(2), Rvalue::Aggregate(Aggregate { kind, fields })),
            span: span("src/a.rs", 4),
        };
        Body {
            id: id.into(),
            path: id.into(),
            kind: BodyKind::Fn,
            params: 1,
            locals: vec![Ty::unit(), Ty::Path("b::T".into(), vec![Ty::Never]), Ty::Never],
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
        Facts { header, program: Program { krate: "k".into(), bodies }, problems: vec!["a problem".into()] }
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
        let older = [&MAGIC[..], &0_u32.to_le_bytes(), &bytes[12..]].concat();
        assert!(matches!(Facts::decode(&older), Err(FactsError::Format { found: 0 })));
    }

    #[test]
    fn a_lost_closure_is_a_problem() {
        assert_eq!(missing_bodies(&facts().program), Vec::<String>::new());
        let program = Program { krate: "k".into(), bodies: vec![body("f", "f::{closure#0}")] };
        assert_eq!(
            missing_bodies(&program),
            ["f::{closure#0}: created in f but the compiler wrote no MIR of it"]
        );
        let names = |length: usize| [("x".repeat(length), String::new())];
        assert_eq!((long_names(&names(207)).is_some(), long_names(&names(208)).is_some()), (false, true));
    }
}
