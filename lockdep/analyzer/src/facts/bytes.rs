//! Facts as bytes: a magic number, the format's version, the length and the checksum of what follows, and one LZ4 block,
//! so that a damaged file is refused before any of it is believed.
//!
//! In the block stand the header, and the bodies one by one, each with a table of the source files that its spans name
//! by position, so that a body can be made bytes as soon as it is read. It reads no text and no files. Called by the
//! other files of `facts` only.

use std::collections::BTreeMap;
use std::sync::Arc;

use lz4_flex::block;
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fits::fits;
use super::sharing::Sharing;
use super::{Facts, FactsError, Header, each_span, short_path};
use crate::mir::ir::{Body, Bound, Program, Trait};

/// The version of the format; files of any other are refused.
pub const FORMAT: u32 = 7;

const MAGIC: [u8; 8] = *b"LDFACTS\n";

/// More than this is neither written nor decompressed: the largest crates known stay ten times below it.
const MAX_PAYLOAD: usize = 1 << 30;

/// LZ4 makes no byte longer than this.
const MAX_RATIO: usize = 255;

/// What sources state of impls and of traits.
pub(super) type Stated = (BTreeMap<String, Vec<Bound>>, Vec<Trait>);

/// One body as bytes. Files are called by names that mean the same on every machine.
pub(super) fn of_body(mut body: Body) -> Result<Vec<u8>, FactsError> {
    let mut files: Vec<Arc<str>> = Vec::new();
    let mut positions: Vec<Arc<str>> = Vec::new();
    each_span(&mut body, &mut |span| {
        // There are few, and mostly it is the one of the span before.
        let known = files.iter().rposition(|file| Arc::ptr_eq(file, &span.file) || *file == span.file);
        let position = known.unwrap_or_else(|| {
            files.push(Arc::clone(&span.file));
            positions.push(Arc::from(positions.len().to_string()));
            files.len() - 1
        });
        span.file = Arc::clone(&positions[position]);
    });
    for file in &mut files {
        if let Some(short) = short_path(file) {
            *file = short.into();
        }
    }
    postcard::to_stdvec(&(files, body)).map_err(|error| FactsError::Encode(error.to_string()))
}

/// The body in the bytes of one.
pub(super) fn body_of(bytes: &[u8]) -> Result<Body, FactsError> {
    let (files, mut body): (Vec<Arc<str>>, Body) = whole(bytes)?;
    let mut unknown = false;
    each_span(&mut body, &mut |span| match span
        .file
        .parse::<usize>()
        .ok()
        .and_then(|position| files.get(position))
    {
        Some(file) => span.file = Arc::clone(file),
        None => unknown = true,
    });
    if unknown {
        return Err(FactsError::Damaged("a span in an unknown file".into()));
    }
    if fits(&body) {
        Ok(body)
    } else {
        Err(FactsError::Damaged("a body whose parts do not fit together".into()))
    }
}

/// The bytes of a facts file, the bodies made bytes already.
pub(super) fn encode(
    header: &Header,
    krate: &str,
    problems: &[String],
    stated: &Stated,
    bodies: &[impl AsRef<[u8]>],
) -> Result<Vec<u8>, FactsError> {
    let mut payload = Vec::new();
    append(&mut payload, &(header, krate, problems, stated, bodies.len()))?;
    for body in bodies {
        let body = body.as_ref();
        append(&mut payload, &body.len())?;
        payload.extend_from_slice(body);
    }
    if payload.len() > MAX_PAYLOAD {
        return Err(FactsError::Encode("larger than any crate".into()));
    }
    let block = block::compress_prepend_size(&payload);
    let length = u64::try_from(block.len()).map_err(|error| FactsError::Encode(error.to_string()))?;
    let checksum = crc32fast::hash(&block);
    Ok([&MAGIC[..], &FORMAT.to_le_bytes(), &length.to_le_bytes(), &checksum.to_le_bytes(), &block].concat())
}

/// The block in the bytes of a facts file, if its checksum is right.
pub(super) fn block_of(bytes: &[u8]) -> Result<&[u8], FactsError> {
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
    Ok(block)
}

/// The facts in `bytes`.
pub(super) fn decode(bytes: &[u8]) -> Result<Facts, FactsError> {
    let payload = decompress(block_of(bytes)?)?;
    let mut rest = payload.as_slice();
    let (header, krate, problems, (bounds, traits), count): (Header, String, Vec<String>, Stated, usize) =
        take(&mut rest)?;
    let mut texts = Vec::new();
    for _ in 0..count {
        let length = take(&mut rest)?;
        let cut = || FactsError::Damaged("cut short".into());
        let (text, after) = rest.split_at_checked(length).ok_or_else(cut)?;
        texts.push(text);
        rest = after;
    }
    if !rest.is_empty() {
        return Err(FactsError::Damaged("trailing bytes".into()));
    }
    let bodies: Result<Vec<Body>, FactsError> = texts.into_par_iter().map(body_of).collect();
    let mut bodies = bodies?;
    let mut sharing = Sharing::default();
    bodies.iter_mut().for_each(|body| sharing.body(body));
    Ok(Facts { header, program: Program { krate, bodies, bounds, traits }, problems })
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

fn whole<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FactsError> {
    let mut rest = bytes;
    let value = take(&mut rest)?;
    if rest.is_empty() { Ok(value) } else { Err(FactsError::Damaged("trailing bytes".into())) }
}

fn decompress(block: &[u8]) -> Result<Vec<u8>, FactsError> {
    let damaged = |error: &dyn std::fmt::Display| FactsError::Damaged(error.to_string());
    let (size, block) = block::uncompressed_size(block).map_err(|error| damaged(&error))?;
    if size > MAX_PAYLOAD || size / MAX_RATIO > block.len() {
        return Err(damaged(&"it says that it is larger than it can be"));
    }
    block::decompress(block, size).map_err(|error| damaged(&error))
}
