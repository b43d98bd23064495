//! The certificate file: a proof as JSON, to be checked against a graph file by somebody who was not there.
//!
//! Directions of the layers, and for each class, by name (and, if it rests on a bound of the tiers, for each tier), where
//! its two nodes stand. Reading it needs the graph, whose
//! classes it must name once each; whether it proves anything is for `certificate::check` to say, which
//! [`verify`] asks. Together with `graph_file.rs` and `certificate.rs` this is the whole of `cargo lockdep verify`:
//! nothing of the decision (`proof.rs`) is used, and no graph library. Source: McConnell, Mehlhorn, Näher and
//! Schweitzer, "Certifying algorithms" (2011).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU8;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::certificate::{self, Certificate, Direction, Fault, Gated, Position};
use crate::graph::{Gate, LockGraph, THREADS, Which};
use crate::graph_file::{self, Bar, GraphFileError};

/// The first entry of a certificate file, by which it is told from other JSON.
const FORMAT: &str = "lockdep-certificate-1";

/// Why a certificate file is no certificate for a graph.
#[derive(Debug, Error)]
pub enum CertificateFileError {
    /// It is not JSON, or not of this shape.
    #[error("not a certificate file: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It is something else, or of another version.
    #[error("not a certificate file: `format` is `{0}`, not `{FORMAT}`")]
    Format(String),
    /// It places a class twice, in one tier.
    #[error("the certificate places class `{0}` twice")]
    ClassTwice(String),
    /// It places a class in a tier that it does not have.
    #[error("the certificate places class `{class}` in tier {tier}, but has only {tiers} tiers")]
    NoSuchTier {
        /// The class.
        class: String,
        /// The tier.
        tier: usize,
        /// How many it has; one if it tells none apart.
        tiers: usize,
    },
    /// It places a class that the graph does not have.
    #[error("the certificate places class `{0}`, which the graph does not have")]
    UnknownClass(String),
    /// It does not place a class of the graph.
    #[error("the certificate does not place class `{0}`")]
    MissingClass(String),
    /// It places a node in a layer that it does not list.
    #[error("the certificate places class `{class}` in layer {layer}, but has only {layers} layers")]
    NoSuchLayer {
        /// The class.
        class: String,
        /// The layer.
        layer: usize,
        /// How many it lists.
        layers: usize,
    },
}

/// Why a certificate file does not prove a graph file.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The graph file is damaged.
    #[error(transparent)]
    Graph(#[from] GraphFileError),
    /// The certificate file is damaged, or for other classes.
    #[error(transparent)]
    Certificate(#[from] CertificateFileError),
    /// The certificate does not cover the graph.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What an accepted certificate covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// Classes of the graph.
    pub classes: usize,
    /// Nestings of the graph.
    pub nestings: usize,
    /// How many tiers of domains there are at most, if the certificate rests on that.
    pub tiers: Option<NonZeroU8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    /// The bound on the tiers of domains, if the proof rests on it; then places are by tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tiers: Option<NonZeroU8>,
    directions: Vec<Direction>,
    positions: Vec<Place>,
    /// Waiters with gates, if they stand apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gated: Vec<GatedPlace>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GatedPlace {
    class: String,
    recursive: bool,
    #[serde(default, skip_serializing_if = "is_lowest")]
    tier: usize,
    gates: Vec<Bar>,
    position: Position,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    class: String,
    #[serde(default, skip_serializing_if = "is_lowest")]
    tier: usize,
    non_recursive: Position,
    recursive: Position,
}

/// The lowest tier, and the only one where none are told apart, is not written.
fn is_lowest(tier: &usize) -> bool {
    *tier == 0
}

/// The certificate file of `certificate`, which is one for `graph`; with a line end, the same bytes every time.
///
/// # Errors
/// When the text cannot be made, which only exhausted memory explains.
pub fn write(graph: &LockGraph, certificate: &Certificate) -> Result<String, fmt::Error> {
    let places = certificate.non_recursive.iter().zip(&certificate.recursive).enumerate();
    let bar =
        |gate: &Gate| Bar { class: graph.name(gate.class).to_owned(), of: None, which: gate.which.clone() };
    let gated = |entry: &Gated| GatedPlace {
        class: graph.name(entry.class).to_owned(),
        recursive: entry.recursive,
        tier: entry.tier,
        gates: entry.gates.iter().map(bar).collect(),
        position: entry.position,
    };
    let document = Document {
        format: FORMAT.to_owned(),
        tiers: certificate.tiers,
        directions: certificate.directions.clone(),
        positions: places
            .map(|(number, (&non_recursive, &recursive))| Place {
                class: graph.name(number / certificate.nr_tiers()).to_owned(),
                tier: number % certificate.nr_tiers(),
                non_recursive,
                recursive,
            })
            .collect(),
        gated: certificate.gated.iter().map(gated).collect(),
    };
    let text = serde_json::to_string_pretty(&document).map_err(|_| fmt::Error)?;
    Ok(text + "\n")
}

/// The certificate of a certificate file, for `graph`. It is not checked yet.
///
/// # Errors
/// [`CertificateFileError`] names the class at fault.
pub fn read(graph: &LockGraph, text: &str) -> Result<Certificate, CertificateFileError> {
    let document: Document = serde_json::from_str(text)?;
    if document.format != FORMAT {
        return Err(CertificateFileError::Format(document.format));
    }
    let layers = document.directions.len();
    let mut certificate =
        Certificate { tiers: document.tiers, directions: document.directions, ..Certificate::default() };
    let tiers = certificate.nr_tiers();
    let mut places: BTreeMap<(String, usize), (Position, Position)> = BTreeMap::new();
    for Place { class, tier, non_recursive, recursive } in document.positions {
        if let Some(layer) = [non_recursive.layer, recursive.layer].into_iter().find(|&layer| layer >= layers)
        {
            return Err(CertificateFileError::NoSuchLayer { class, layer, layers });
        }
        if tier >= tiers {
            return Err(CertificateFileError::NoSuchTier { class, tier, tiers });
        }
        match places.entry((class, tier)) {
            Entry::Occupied(entry) => {
                return Err(CertificateFileError::ClassTwice(entry.remove_entry().0.0));
            }
            Entry::Vacant(entry) => entry.insert((non_recursive, recursive)),
        };
    }
    for (class, tier) in graph.classes.iter().flat_map(|class| (0..tiers).map(move |tier| (class, tier))) {
        let (non_recursive, recursive) = places
            .remove(&(class.name.clone(), tier))
            .ok_or_else(|| CertificateFileError::MissingClass(class.name.clone()))?;
        certificate.non_recursive.push(non_recursive);
        certificate.recursive.push(recursive);
    }
    let class =
        |name: &str| graph.class(name).ok_or_else(|| CertificateFileError::UnknownClass(name.to_owned()));
    for GatedPlace { class: name, recursive, tier, gates, position } in document.gated {
        if tier >= tiers {
            return Err(CertificateFileError::NoSuchTier { class: name, tier, tiers });
        }
        if position.layer >= layers {
            return Err(CertificateFileError::NoSuchLayer { class: name, layer: position.layer, layers });
        }
        let gate = |bar: Bar| {
            let class = if matches!(bar.which, Which::Thread(_)) { THREADS } else { class(&bar.class)? };
            Ok(Gate { class, which: bar.which })
        };
        let gates = gates.into_iter().map(gate);
        let gates: BTreeSet<Gate> = gates.collect::<Result<_, CertificateFileError>>()?;
        certificate.gated.push(Gated { class: class(&name)?, recursive, tier, gates, position });
    }
    match places.into_keys().next() {
        Some((class, _)) => Err(CertificateFileError::UnknownClass(class)),
        None => Ok(certificate),
    }
}

/// Whether the certificate in the first text proves the graph in the second free of circular waits.
///
/// # Errors
/// [`VerifyError`] says which of the two is damaged, or which nesting is not covered.
pub fn verify(certificate: &str, graph: &str) -> Result<Covered, VerifyError> {
    let graph = graph_file::read(graph)?;
    let certificate = read(&graph, certificate)?;
    certificate::check(&graph, &certificate)?;
    let (classes, nestings) = (graph.classes.len(), graph.nestings.len());
    Ok(Covered { classes, nestings, tiers: certificate.tiers })
}
