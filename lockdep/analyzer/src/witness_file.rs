//! The witness file: schedules of circular waits as JSON, for `cargo lockdep replay`.
//!
//! Domains with who controls whom, and for every CPU which lock of which domain it holds and which it waits for. Classes
//! and domains are named. It stands beside a graph file, in whose words it speaks; whether the schedules fit that graph,
//! and whether they end in a circular wait, is for `replay.rs` to find out. Written by `cargo lockdep analyze --witness`,
//! or by hand.

use std::fmt;

use lockdep::order::Relation;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::graph::{Held, Instances, LockGraph, Nesting, Wanted};
use crate::graph_file::{relation_name, relation_named};
use crate::witness::{CpuStep, Witness};

/// The first entry of a witness file, by which it is told from other JSON.
const FORMAT: &str = "lockdep-witness-1";

/// Why a text is no witness file for a graph.
#[derive(Debug, Error)]
pub enum WitnessFileError {
    /// It is not JSON, or not of this shape.
    #[error("not a witness file: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It is something else, or of another version.
    #[error("not a witness file: `format` is `{0}`, not `{FORMAT}`")]
    Format(String),
    /// It names a class that the graph does not have.
    #[error("schedule {schedule} names class `{class}`, which the graph does not have")]
    UnknownClass {
        /// Which schedule, from 1.
        schedule: usize,
        /// The class.
        class: String,
    },
    /// It names a domain that it does not list.
    #[error("schedule {schedule} names domain `{domain}`, which it does not list")]
    UnknownDomain {
        /// Which schedule, from 1.
        schedule: usize,
        /// The domain.
        domain: String,
    },
    /// Two domains have one name.
    #[error("schedule {schedule} lists domain `{domain}` twice")]
    DomainTwice {
        /// Which schedule, from 1.
        schedule: usize,
        /// The domain.
        domain: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    schedules: Vec<Schedule>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Schedule {
    domains: Vec<String>,
    controls: Vec<Control>,
    cpus: Vec<Cpu>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Control {
    upper: String,
    lower: String,
}

/// What one CPU holds and waits for; CPU 0 comes first. A lock of nobody has no owner.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cpu {
    held: String,
    held_as: Held,
    held_owner: Option<String>,
    held_instance: usize,
    wanted: String,
    wanted_as: Wanted,
    wanted_owner: Option<String>,
    wanted_instance: usize,
    #[serde(serialize_with = "relation_name", deserialize_with = "relation_named")]
    relation: Relation,
    instances: Instances,
}

/// The witness file of these schedules, with a line end; the same bytes every time.
///
/// # Errors
/// When the text cannot be made, which only exhausted memory explains.
pub fn write<'a>(
    graph: &LockGraph,
    witnesses: impl IntoIterator<Item = &'a Witness>,
) -> Result<String, fmt::Error> {
    let schedule = |witness: &Witness| {
        let domain = |index: usize| witness.domains.get(index).cloned();
        let cpu = |step: &CpuStep| Cpu {
            held: graph.name(step.nesting.held).to_owned(),
            held_as: step.nesting.held_as,
            held_owner: step.held_owner.and_then(domain),
            held_instance: step.held_instance,
            wanted: graph.name(step.nesting.wanted).to_owned(),
            wanted_as: step.nesting.wanted_as,
            wanted_owner: step.wanted_owner.and_then(domain),
            wanted_instance: step.wanted_instance,
            relation: graph.relation(&step.nesting),
            instances: step.nesting.instances,
        };
        let control =
            |&(upper, lower): &(usize, usize)| Some(Control { upper: domain(upper)?, lower: domain(lower)? });
        Schedule {
            domains: witness.domains.clone(),
            controls: witness.controls.iter().filter_map(control).collect(),
            cpus: witness.cpus.iter().map(cpu).collect(),
        }
    };
    let document =
        Document { format: FORMAT.to_owned(), schedules: witnesses.into_iter().map(schedule).collect() };
    let text = serde_json::to_string_pretty(&document).map_err(|_| fmt::Error)?;
    Ok(text + "\n")
}

/// The schedules of a witness file, in the numbers of `graph`. They are not replayed yet.
///
/// # Errors
/// [`WitnessFileError`] names the schedule and the word at fault.
pub fn read(graph: &LockGraph, text: &str) -> Result<Vec<Witness>, WitnessFileError> {
    let document: Document = serde_json::from_str(text)?;
    if document.format != FORMAT {
        return Err(WitnessFileError::Format(document.format));
    }
    (1..).zip(document.schedules).map(|(number, schedule)| witness(graph, number, schedule)).collect()
}

fn witness(graph: &LockGraph, schedule: usize, text: Schedule) -> Result<Witness, WitnessFileError> {
    let Schedule { domains, controls, cpus } = text;
    if let Some(at) = (1..domains.len()).find(|&at| domains[..at].contains(&domains[at])) {
        return Err(WitnessFileError::DomainTwice { schedule, domain: domains[at].clone() });
    }
    let class =
        |name: String| graph.class(&name).ok_or(WitnessFileError::UnknownClass { schedule, class: name });
    let domain = |name: String| {
        let known = domains.iter().position(|domain| *domain == name);
        known.ok_or(WitnessFileError::UnknownDomain { schedule, domain: name })
    };
    let step = |cpu: Cpu| {
        let (held, wanted) = (class(cpu.held)?, class(cpu.wanted)?);
        let Cpu { relation, held_as, wanted_as, instances, held_instance, wanted_instance, .. } = cpu;
        Ok(CpuStep {
            nesting: Nesting { held, wanted, relation, held_as, wanted_as, instances },
            held_owner: cpu.held_owner.map(domain).transpose()?,
            wanted_owner: cpu.wanted_owner.map(domain).transpose()?,
            held_instance,
            wanted_instance,
        })
    };
    let cpus = cpus.into_iter().map(step).collect::<Result<_, WitnessFileError>>()?;
    let control = |control: Control| Ok((domain(control.upper)?, domain(control.lower)?));
    let controls = controls.into_iter().map(control).collect::<Result<_, WitnessFileError>>()?;
    Ok(Witness { cpus, domains, controls })
}
