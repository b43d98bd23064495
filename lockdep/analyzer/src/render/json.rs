//! The judgement as one JSON document, schema [`SCHEMA`].
//!
//! The structs here mirror the data and are the documentation of the format: names are stable, fields are added
//! but not renamed or dropped within a schema version. Classes are named, not numbered, so that documents of
//! different runs compare. Not read back by this crate.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU8;

use lockdep::order::Relation;
use serde::{Serialize, Serializer};

use crate::certificate::{Direction, Position};
use crate::finding::{Code, Finding, Level, Link, Verdict};
use crate::graph::{Evidence, Held, Instances, LockGraph, Nesting, Ownership, Step, Wanted, Which};
use crate::judge::Judgement;
use crate::mir::ir::Span;
use crate::proof::Decision;
use crate::witness::Witness;

/// The version of the document's shape.
pub const SCHEMA: u32 = 1;

/// The document.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    discipline: &'a str,
    verdict: Outcome<'a>,
    bodies: usize,
    /// Lowest first.
    roles: &'a [String],
    /// How many tiers of domains there are at most; absent if there is no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    tiers: Option<NonZeroU8>,
    classes: Vec<Class<'a>>,
    acquisitions: Vec<Acquisition<'a>>,
    nestings: Vec<Edge<'a>>,
    /// Without the notes about assumptions, which are listed below.
    findings: Vec<Report<'a>>,
    /// Nestings that break the criterion and have no schedule of their own, there being so many.
    further: usize,
    assumptions: &'a [crate::graph::Assumption],
    /// Null unless proved.
    certificate: Option<Certificate<'a>>,
}

/// The verdict: `proved` (with `assumptions` if any), `undecided`, `refuted`, `failed`.
#[derive(Serialize)]
struct Outcome<'a> {
    verdict: &'static str,
    /// As on the last line of the text.
    text: String,
    assumptions: usize,
    findings: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Class<'a> {
    name: &'a str,
    level: Option<u16>,
    recursive: bool,
    ordered: bool,
    ownership: Ownership,
}

#[derive(Serialize)]
struct Acquisition<'a> {
    class: &'a str,
    span: &'a Span,
}

/// A nesting: class, how held or wanted, how the owners stand, whether it is one instance.
#[derive(Serialize)]
struct Pair<'a> {
    held: &'a str,
    held_as: Held,
    wanted: &'a str,
    wanted_as: Wanted,
    #[serde(serialize_with = "relation_name")]
    relation: Relation,
    instances: Instances,
}

#[derive(Serialize)]
struct Edge<'a> {
    #[serde(flatten)]
    pair: Pair<'a>,
    #[serde(flatten)]
    evidence: Chains<'a>,
}

/// Both call chains from a common entry point, outermost first; the last step is the acquisition.
#[derive(Serialize)]
struct Chains<'a> {
    held_chain: &'a [Step],
    wanted_chain: &'a [Step],
    /// As the code calls them; empty where unknown.
    held_owner: &'a str,
    wanted_owner: &'a str,
    /// A call on the way was not resolved to one function.
    possible: bool,
    /// What is surely held exclusively besides.
    gates: Vec<Gate<'a>>,
}

/// A gate: of which of the two locks it keeps holders and waiters apart (a gate in a static of both), and which
/// instance of its class it is; a thread of which there is only one has `thread` with its name, and a
/// class that is no lock's.
#[derive(Serialize)]
struct Gate<'a> {
    class: &'a str,
    of: &'static str,
    #[serde(flatten)]
    which: &'a Which,
}

#[derive(Serialize)]
struct Report<'a> {
    code: Code,
    level: Level,
    title: &'a str,
    rule: &'a str,
    notes: &'a [String],
    help: &'a str,
    nestings: Vec<Part<'a>>,
    sites: &'a [Span],
    witness: Option<Schedule<'a>>,
}

#[derive(Serialize)]
struct Part<'a> {
    #[serde(flatten)]
    edge: Edge<'a>,
    /// `64 > 16`: the levels as the discipline counts them, if it refuses this nesting.
    refused: Option<String>,
    variants: usize,
}

/// A circular wait; domains are named `A`, `B`, ….
#[derive(Serialize)]
struct Schedule<'a> {
    domains: &'a [String],
    controls: Vec<Control<'a>>,
    cpus: Vec<Cpu<'a>>,
}

#[derive(Serialize)]
struct Control<'a> {
    upper: &'a str,
    lower: &'a str,
}

/// One CPU: what it holds and what it waits for; owners are null for locks of nobody.
#[derive(Serialize)]
struct Cpu<'a> {
    #[serde(flatten)]
    pair: Pair<'a>,
    held_owner: Option<&'a str>,
    held_instance: usize,
    wanted_owner: Option<&'a str>,
    wanted_instance: usize,
}

/// See `certificate.rs`: `directions` by layer, positions by class and, if it rests on a bound of the tiers, by tier.
#[derive(Serialize)]
struct Certificate<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    tiers: Option<NonZeroU8>,
    directions: &'a [Direction],
    positions: Vec<Place<'a>>,
    /// Where waiters with gates stand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gated: Vec<GatedPlace<'a>>,
}

#[derive(Serialize)]
struct GatedPlace<'a> {
    class: &'a str,
    recursive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<usize>,
    gates: Vec<Gate<'a>>,
    position: Position,
}

#[derive(Serialize)]
struct Place<'a> {
    class: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<usize>,
    non_recursive: Position,
    recursive: Position,
}

fn relation_name<S: Serializer>(relation: &Relation, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(relation.name())
}

/// Writes the document.
pub fn render(judgement: &Judgement, w: &mut dyn fmt::Write) -> fmt::Result {
    let graph = &judgement.graph;
    let document = Document {
        schema: SCHEMA,
        discipline: judgement.discipline.name,
        verdict: outcome(&judgement.verdict),
        bodies: graph.bodies,
        roles: &graph.roles,
        tiers: graph.tiers,
        classes: graph.classes.iter().map(class).collect(),
        acquisitions: (graph.acquisitions.iter())
            .map(|(class, span)| Acquisition { class: graph.name(*class), span })
            .collect(),
        nestings: graph.nestings.iter().map(|(nesting, evidence)| edge(graph, nesting, evidence)).collect(),
        findings: (judgement.findings.iter())
            .filter(|finding| finding.code != Code::Assumption)
            .map(|finding| report(graph, finding))
            .collect(),
        further: match judgement.decision {
            Decision::Refuted { further, .. } => further,
            Decision::Proved(_) => 0,
        },
        assumptions: &graph.assumptions,
        certificate: certificate(judgement),
    };
    let text = serde_json::to_string_pretty(&document).map_err(|_| fmt::Error)?;
    writeln!(w, "{text}")
}

fn outcome(verdict: &Verdict) -> Outcome<'_> {
    let (word, assumptions, findings, reason) = match verdict {
        Verdict::Proved => ("proved", 0, 0, None),
        Verdict::ProvedUnder(count) => ("proved", *count, 0, None),
        Verdict::Undecided(count) => ("undecided", 0, *count, None),
        Verdict::Refuted(count) => ("refuted", 0, *count, None),
        Verdict::Failed(reason) => ("failed", 0, 0, Some(reason.as_str())),
    };
    Outcome { verdict: word, text: verdict.to_string(), assumptions, findings, reason }
}

fn class(class: &crate::graph::Class) -> Class<'_> {
    let crate::graph::Class { name, level, recursive, ordered, ownership } = class;
    Class { name, level: *level, recursive: *recursive, ordered: *ordered, ownership: *ownership }
}

fn pair<'a>(graph: &'a LockGraph, nesting: &Nesting) -> Pair<'a> {
    Pair {
        held: graph.name(nesting.held),
        held_as: nesting.held_as,
        wanted: graph.name(nesting.wanted),
        wanted_as: nesting.wanted_as,
        relation: graph.relation(nesting),
        instances: nesting.instances,
    }
}

fn gates<'a>(
    graph: &'a LockGraph,
    of: &'static str,
    gates: &'a BTreeSet<crate::graph::Gate>,
) -> impl Iterator<Item = Gate<'a>> {
    gates.iter().map(move |gate| Gate { class: graph.name(gate.class), of, which: &gate.which })
}

fn edge<'a>(graph: &'a LockGraph, nesting: &Nesting, evidence: &'a Evidence) -> Edge<'a> {
    let chains = Chains {
        held_chain: &evidence.held,
        wanted_chain: &evidence.wanted,
        held_owner: &evidence.owners.0,
        wanted_owner: &evidence.owners.1,
        possible: evidence.possible,
        gates: gates(graph, "held", &evidence.gates.held)
            .chain(gates(graph, "wanted", &evidence.gates.wanted))
            .collect(),
    };
    Edge { pair: pair(graph, nesting), evidence: chains }
}

fn report<'a>(graph: &'a LockGraph, finding: &'a Finding) -> Report<'a> {
    let part = |link: &'a Link| Part {
        edge: edge(graph, &link.nesting, &link.evidence),
        refused: link.refused.map(|refusal| refusal.to_string()),
        variants: link.variants,
    };
    Report {
        code: finding.code,
        level: finding.level,
        title: &finding.title,
        rule: &finding.rule,
        notes: &finding.notes,
        help: &finding.help,
        nestings: finding.links.iter().map(part).collect(),
        sites: &finding.sites,
        witness: finding.witness.as_ref().map(|witness| schedule(graph, witness)),
    }
}

fn schedule<'a>(graph: &'a LockGraph, witness: &'a Witness) -> Schedule<'a> {
    let name = |domain: usize| witness.domains.get(domain).map(String::as_str);
    let control =
        |&(upper, lower): &(usize, usize)| Some(Control { upper: name(upper)?, lower: name(lower)? });
    let cpus = witness
        .cpus
        .iter()
        .map(|cpu| Cpu {
            pair: pair(graph, &cpu.nesting),
            held_owner: cpu.held_owner.and_then(name),
            held_instance: cpu.held_instance,
            wanted_owner: cpu.wanted_owner.and_then(name),
            wanted_instance: cpu.wanted_instance,
        })
        .collect();
    let controls = witness.controls.iter().filter_map(control).collect();
    Schedule { domains: &witness.domains, controls, cpus }
}

fn certificate(judgement: &Judgement) -> Option<Certificate<'_>> {
    let (Decision::Proved(certificate), Verdict::Proved | Verdict::ProvedUnder(_)) =
        (&judgement.decision, &judgement.verdict)
    else {
        return None;
    };
    let positions = certificate.non_recursive.iter().zip(&certificate.recursive).enumerate();
    let (tiers, of) = (certificate.tiers, certificate.nr_tiers());
    let positions = positions
        .map(|(number, (&non_recursive, &recursive))| Place {
            class: judgement.graph.name(number / of),
            tier: tiers.map(|_| number % of),
            non_recursive,
            recursive,
        })
        .collect();
    let gated = certificate.gated.iter().map(|entry| GatedPlace {
        class: judgement.graph.name(entry.class),
        recursive: entry.recursive,
        tier: tiers.map(|_| entry.tier),
        gates: gates(&judgement.graph, "wanted", &entry.gates).collect(),
        position: entry.position,
    });
    Some(Certificate { tiers, directions: &certificate.directions, positions, gated: gated.collect() })
}
