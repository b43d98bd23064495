//! The graph file: what a proof is about, and nothing else, as JSON that can be committed and compared.
//!
//! Classes, nestings and the bound on the tiers of domains, if there is one, without evidence, assumptions or places in the code, so that it changes only when the order
//! in which locks nest does. Classes are named, not numbered. It is self-contained: with a certificate
//! (`certificate_file.rs`) it is all that `cargo lockdep verify` reads. Not the report (`render/json.rs`), which has
//! the evidence. Written by `cargo lockdep analyze --graph`, or by any other front end that finds nestings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU8;

use lockdep::order::Relation;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::graph::{
    Class, Evidence, Gate, Gates, Held, Instances, LockGraph, Nesting, Ownership, THREADS, Wanted, Which,
};

/// The first entry of a graph file, by which it is told from other JSON.
const FORMAT: &str = "lockdep-graph-1";

/// Why a text is no graph file.
#[derive(Debug, Error)]
pub enum GraphFileError {
    /// It is not JSON, or not of this shape.
    #[error("not a graph file: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It is something else, or of another version.
    #[error("not a graph file: `format` is `{0}`, not `{FORMAT}`")]
    Format(String),
    /// Two classes have one name.
    #[error("class `{0}` is listed twice")]
    ClassTwice(String),
    /// A nesting of a class that is not listed.
    #[error("nesting {number} names class `{class}`, which is not listed")]
    UnknownClass {
        /// Which nesting, from 1.
        number: usize,
        /// The name.
        class: String,
    },
    /// One nesting is listed twice.
    #[error("nesting {number} is listed twice: `{held}` -> `{wanted}`")]
    NestingTwice {
        /// Which nesting, from 1.
        number: usize,
        /// The held class.
        held: String,
        /// The wanted class.
        wanted: String,
    },
    /// A gate does not say which of the two locks it is about.
    #[error("nesting {number} has a gate `{class}` of neither lock")]
    GateOfNone {
        /// Which nesting, from 1.
        number: usize,
        /// The class of the gate.
        class: String,
    },
    /// One instance of two classes.
    #[error("nesting {number} has one instance of two classes, `{held}` and `{wanted}`")]
    OneOfTwo {
        /// Which nesting, from 1.
        number: usize,
        /// The held class.
        held: String,
        /// The wanted class.
        wanted: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    /// How many tiers of domains there are at most, if there is a bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tiers: Option<NonZeroU8>,
    classes: Vec<Member>,
    nestings: Vec<Entry>,
}

/// A class; a copy of [`Class`] that accepts no other fields, since a misspelt one would be a missing one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    name: String,
    level: Option<u16>,
    recursive: bool,
    ordered: bool,
    ownership: Ownership,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    held: String,
    held_as: Held,
    wanted: String,
    wanted_as: Wanted,
    #[serde(serialize_with = "relation_name", deserialize_with = "relation_named")]
    relation: Relation,
    instances: Instances,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gates: Vec<Bar>,
}

/// A gate, and of which lock of the nesting it keeps waiters or holders apart.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bar {
    pub class: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Side>,
    pub which: Which,
}

/// One lock of a nesting.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Side {
    Held,
    Wanted,
}

pub(crate) fn relation_name<S: Serializer>(relation: &Relation, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(relation.name())
}

pub(crate) fn relation_named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Relation, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = Relation::ALL.into_iter().find(|relation| relation.name() == name);
    known.ok_or_else(|| serde::de::Error::custom(format_args!("`{name}` is no relation of owners")))
}

fn bars<'a>(graph: &'a LockGraph, side: Side, gates: &'a BTreeSet<Gate>) -> impl Iterator<Item = Bar> + 'a {
    let bar = move |gate: &Gate| Bar {
        class: graph.name(gate.class).to_owned(),
        of: Some(side),
        which: gate.which.clone(),
    };
    gates.iter().map(bar)
}

/// The graph file of `graph`, with a line end; the same bytes for the same classes and nestings.
///
/// # Errors
/// When the text cannot be made, which only exhausted memory explains.
pub fn write(graph: &LockGraph) -> Result<String, fmt::Error> {
    let entry = |(nesting, evidence): (&Nesting, &Evidence)| Entry {
        held: graph.name(nesting.held).to_owned(),
        held_as: nesting.held_as,
        wanted: graph.name(nesting.wanted).to_owned(),
        wanted_as: nesting.wanted_as,
        relation: graph.relation(nesting),
        instances: nesting.instances,
        gates: bars(graph, Side::Held, &evidence.gates.held)
            .chain(bars(graph, Side::Wanted, &evidence.gates.wanted))
            .collect(),
    };
    let member = |class: &Class| {
        let Class { name, level, recursive, ordered, ownership } = class.clone();
        Member { name, level, recursive, ordered, ownership }
    };
    let document = Document {
        format: FORMAT.to_owned(),
        tiers: graph.tiers,
        classes: graph.classes.iter().map(member).collect(),
        nestings: graph.nestings.iter().map(entry).collect(),
    };
    let text = serde_json::to_string_pretty(&document).map_err(|_| fmt::Error)?;
    Ok(text + "\n")
}

/// The graph of a graph file; nestings have no evidence.
///
/// # Errors
/// [`GraphFileError`] names the entry at fault.
pub fn read(text: &str) -> Result<LockGraph, GraphFileError> {
    let document: Document = serde_json::from_str(text)?;
    if document.format != FORMAT {
        return Err(GraphFileError::Format(document.format));
    }
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, class) in document.classes.iter().enumerate() {
        if numbers.insert(&class.name, number).is_some() {
            return Err(GraphFileError::ClassTwice(class.name.clone()));
        }
    }
    let mut nestings = BTreeMap::new();
    for (entry, number) in document.nestings.into_iter().zip(1..) {
        let index = |class: &str| {
            let known = numbers.get(class).copied();
            known.ok_or_else(|| GraphFileError::UnknownClass { number, class: class.to_owned() })
        };
        let Entry { held_as, wanted_as, relation, instances, .. } = entry;
        let (held, wanted) = (index(&entry.held)?, index(&entry.wanted)?);
        if instances == Instances::SameOne && held != wanted {
            return Err(GraphFileError::OneOfTwo { number, held: entry.held, wanted: entry.wanted });
        }
        let mut gates = Gates::default();
        for Bar { class, of, which } in entry.gates {
            let side = match of {
                Some(Side::Held) => &mut gates.held,
                Some(Side::Wanted) => &mut gates.wanted,
                None => return Err(GraphFileError::GateOfNone { number, class }),
            };
            let class = if matches!(which, Which::Thread(_)) { THREADS } else { index(&class)? };
            side.insert(Gate { class, which });
        }
        let evidence = Evidence {
            held: Vec::new(),
            wanted: Vec::new(),
            owners: (String::new(), String::new()),
            possible: false,
            gates,
        };
        let nesting = Nesting { held, wanted, relation, held_as, wanted_as, instances };
        if nestings.insert(nesting, evidence).is_some() {
            return Err(GraphFileError::NestingTwice { number, held: entry.held, wanted: entry.wanted });
        }
    }
    let class = |member: Member| {
        let Member { name, level, recursive, ordered, ownership } = member;
        Class { name, level, recursive, ordered, ownership }
    };
    Ok(LockGraph {
        tiers: document.tiers,
        nestings,
        classes: document.classes.into_iter().map(class).collect(),
        ..LockGraph::default()
    })
}
