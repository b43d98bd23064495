//! Facts: what was read of one compilation unit, as a value and as bytes.
//!
//! A facts file holds everything that the analysis needs of a crate, so that reading MIR and linking facts can
//! happen at different times and on different machines. It knows nothing of locks, and nothing of where files lie:
//! paths in it are relative. The command line writes such files from inside a compilation and reads them back;
//! anything else that can obtain a dump may do the same.
//!
//! The bytes are a magic number, the format's version and one LZ4 frame, whose header and trailer carry the length
//! and a checksum, so that a damaged file is refused before any of it is believed. In the frame stand the header,
//! the table of source files and the bodies one by one; a span names its file by the position in the table, which
//! is undone while decoding, body by body.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::sync::Arc;

use lz4_flex::frame::{FrameDecoder, FrameEncoder, FrameInfo};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::mir;
use crate::mir::ir::{AggregateKind, Body, Program, Rvalue, Span, StatementKind};

/// The version of the format; files of any other are refused.
pub const FORMAT: u32 = 1;

const MAGIC: [u8; 8] = *b"LDFACTS\n";

/// More than this is not decompressed: the largest crates known stay a hundred times below it.
const MAX_PAYLOAD: u64 = 4 << 30;

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

        let frame = FrameInfo::new().content_size(u64::try_from(payload.len()).ok()).content_checksum(true);
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        let mut encoder = FrameEncoder::with_frame_info(frame, bytes);
        encoder.write_all(&payload).map_err(|error| FactsError::Encode(error.to_string()))?;
        encoder.finish().map_err(|error| FactsError::Encode(error.to_string()))
    }

    /// The facts in `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Facts, FactsError> {
        let bytes = bytes.strip_prefix(&MAGIC).ok_or(FactsError::NotFacts)?;
        let (format, frame) =
            bytes.split_first_chunk().ok_or_else(|| FactsError::Damaged("no format".into()))?;
        let found = u32::from_le_bytes(*format);
        if found != FORMAT {
            return Err(FactsError::Format { found });
        }
        let payload = decompress(frame)?;
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

fn decompress(frame: &[u8]) -> Result<Vec<u8>, FactsError> {
    let damaged = |error: &dyn std::fmt::Display| FactsError::Damaged(error.to_string());
    let mut payload = Vec::new();
    let mut decoder = FrameDecoder::new(frame);
    let read = (&mut decoder).take(MAX_PAYLOAD).read_to_end(&mut payload).map_err(|error| damaged(&error))?;
    if u64::try_from(read).is_ok_and(|read| read == MAX_PAYLOAD) {
        return Err(damaged(&"larger than any crate"));
    }
    // An empty frame is what a file cut right after its header looks like; facts are never empty.
    match (read, decoder.into_inner()) {
        (0, _) => Err(damaged(&"nothing in it")),
        (_, []) => Ok(payload),
        (_, _) => Err(damaged(&"bytes after the end")),
    }
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

/// A closure or coroutine that is created has a body; one without was lost on the way.
fn missing_bodies(program: &Program) -> Vec<String> {
    let known: BTreeSet<&str> = program.bodies.iter().map(|body| body.id.as_str()).collect();
    let mut missing = BTreeSet::new();
    for body in &program.bodies {
        let statements = body.blocks.iter().flat_map(|block| &block.statements);
        for statement in statements {
            if let StatementKind::Assign(_, Rvalue::Aggregate(aggregate)) = &statement.kind
                && let AggregateKind::Closure(id, _) = &aggregate.kind
                && !id.is_empty()
                && !known.contains(id.as_str())
            {
                missing.insert(format!("{id}: created in {} but the compiler wrote no MIR of it", body.id));
            }
        }
    }
    missing.into_iter().collect()
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

/// The part of an absolute path that means the same on every machine: `spin-0.10.0/src/mutex.rs` of a registry,
/// `library/core/src/option.rs` of the standard library, `build-script/out/x.rs` of generated code, and of anything
/// else what follows the directory that contains `src`. None if the path is relative already.
pub fn short_path(path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    let drive = path.split_once(":/").is_some_and(|(drive, _)| drive.len() == 1);
    if !path.starts_with('/') && !drive {
        return None;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let after = |marker: &[&str]| {
        parts.windows(marker.len()).rposition(|window| window == marker).map(|at| &parts[at + marker.len()..])
    };
    let unhashed = |name: &str| name.rsplit_once('-').map_or(name, |(stem, _)| stem).to_owned();
    if let Some([_index, rest @ ..]) = after(&["registry", "src"]) {
        return Some(rest.join("/"));
    }
    if let Some([repository, _revision, rest @ ..]) = after(&["git", "checkouts"]) {
        return Some(format!("{}/{}", unhashed(repository), rest.join("/")));
    }
    if let Some(rest) = after(&["rustlib", "src", "rust"]) {
        return Some(rest.join("/"));
    }
    if let ["rustc", _commit, rest @ ..] = parts.as_slice() {
        return Some(rest.join("/"));
    }
    if let Some([package, "out", rest @ ..]) = after(&["build"]) {
        return Some(format!("{}/out/{}", unhashed(package), rest.join("/")));
    }
    let above_src = parts.iter().rposition(|part| *part == "src").and_then(|src| src.checked_sub(1));
    let tail = above_src.unwrap_or_else(|| parts.len().saturating_sub(2));
    parts.get(tail..).map(|tail| tail.join("/"))
}
