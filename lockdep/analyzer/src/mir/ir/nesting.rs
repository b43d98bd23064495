//! How deep a type may be when it is read back.
//!
//! Decoding calls itself for the types inside a type, so bytes that nobody wrote could ask for any depth. The reader of
//! text stays far below the limit. Called by serde only.

use std::cell::Cell;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Ty;

const DEPTH_LIMIT: u32 = 128;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// One level more for as long as it lives.
struct Level;

impl Level {
    fn enter() -> Option<Level> {
        let depth = DEPTH.get();
        (depth < DEPTH_LIMIT).then(|| {
            DEPTH.set(depth + 1);
            Level
        })
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
    }
}

impl<'de> Deserialize<'de> for Ty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ty, D::Error> {
        let _level = Level::enter().ok_or_else(|| D::Error::custom("a type that is too deep"))?;
        Ty::deserialize(deserializer)
    }
}

impl Serialize for Ty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Ty::serialize(self, serializer)
    }
}
