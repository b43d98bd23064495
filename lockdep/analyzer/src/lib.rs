//! The analyzer: from rustc's MIR text to a proved or refuted lock order.
//!
//! The pipeline, one module each, in this order: read ([`mir`], [`facts`]) → find names ([`index`]) and classes
//! ([`context`], [`home`], `locks`) → flow inside a function (`flow`, `order`, `place`, `state`, [`path`]) → who is called (`sources`,
//! `instances`, `resolve`) → calls (`apply`, `code`, `foreign`, `callbacks`, `callers`, `lazy`, `destroy`, `instantiate`, [`model`]) →
//! summaries to a fixpoint (`fixpoint`, `summary`) → graph (`link`, [`graph`]) → prove ([`proof`]), check the
//! certificate ([`certificate`]), show the deadlock ([`witness`]) → findings ([`judge`], [`finding`]) → text
//! ([`render`]). [`certificate_file`] and [`graph_file`] let others check the proof again, [`witness_file`] and [`replay`] the deadlock, [`brute_force`] asks explicit locks; [`disciplines`] compares policies. Library only: it starts no process, reads no file, never prints and never exits.

pub mod brute_force;
mod cases;
pub mod certificate;
pub mod certificate_file;
pub mod chain;
pub mod context;
mod copies;
pub mod declared;
pub mod disciplines;
pub mod facts;
pub mod finding;
pub mod graph;
pub mod graph_file;
pub mod home;
pub mod index;
pub mod judge;
pub mod mir;
pub mod model;
pub mod path;
pub mod proof;
pub mod render;
pub mod replay;
pub mod smt;
pub mod summary;
pub mod witness;
pub mod witness_file;

mod acquire;
mod alias;
mod alike;
mod alone;
mod apply;
mod asleep;
mod before;
mod callbacks;
mod callers;
mod callgraph;
mod channels;
mod code;
mod defer;
mod destroy;
mod exchange;
mod fixpoint;
mod flow;
mod foreign;
mod gates;
mod inside;
mod instances;
mod instantiate;
mod interned;
mod iterate;
mod known;
mod lazy;
mod limits;
mod link;
mod locks;
mod made;
mod messages;
mod nest;
mod numbers;
mod order;
mod parts;
mod place;
mod polled;
mod resolve;
mod roots;
mod seen;
mod shared;
mod sources;
mod state;
mod stored;
mod thread_local;
mod values;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU8;

use crate::callgraph::Plan;
use crate::context::Context;
use crate::declared::Roles;
use crate::facts::Facts;
use crate::graph::LockGraph;
use crate::index::Index;
use crate::mir::ir::Program;
use crate::model::Models;

/// Why there is nothing to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnalyzeError {
    /// No function of these crates acquires a lock.
    NoLocks(Vec<String>),
}

impl fmt::Display for AnalyzeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnalyzeError::NoLocks(crates) => write!(
                f,
                "no function of {} acquires a lock, so there is nothing to prove",
                crates.join(", ")
            ),
        }
    }
}

impl std::error::Error for AnalyzeError {}

/// What is looked for besides deadlocks, and what is known besides the code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// Locks that are held while code of the callers of these crates runs.
    pub callbacks: bool,
    /// How many domains control each other in a chain at most, if that is known: the program's own bound counts, too.
    pub tiers: Option<NonZeroU8>,
}

/// The lock graph of the crates in `facts`, taken as one program.
///
/// # Errors
/// [`AnalyzeError::NoLocks`] when there is none to speak of.
pub fn analyze(facts: Vec<Facts>) -> Result<LockGraph, AnalyzeError> {
    analyze_with(facts, &Models::shipped(), Options::default())
}

/// The same with what else is known of code that is not read, or is not to be judged by its text, and with what is looked
/// for besides.
///
/// # Errors
/// [`AnalyzeError::NoLocks`] when there is none to speak of.
pub fn analyze_with(facts: Vec<Facts>, models: &Models, options: Options) -> Result<LockGraph, AnalyzeError> {
    let mut problems: Vec<String> = Vec::new();
    let mut units = Vec::new();
    let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for facts in facts {
        packages.entry(facts.program.krate.clone()).or_default().extend(facts.header.package);
        problems.extend(facts.problems);
        problems.extend(facts::missing_bodies(&facts.program));
        let whole = (facts.header.test || facts.header.target_kind == "bin").then_some(facts.header.test);
        units.push((facts.program, whole));
    }
    units.sort_by(|(a, _), (b, _)| a.krate.cmp(&b.krate));
    let whole = units.iter().enumerate().filter_map(|(unit, (_, whole))| Some((unit, (*whole)?))).collect();
    let programs: Vec<Program> = units.into_iter().map(|(program, _)| program).collect();
    let (problems, roles) = (problems.as_slice(), declared::roles(&programs));
    let mut index = Index::new(&programs);
    packages.retain(|_, of_one_name| of_one_name.len() > 1);
    index.namesakes = packages;
    // Who calls what is not known if text is missing.
    if problems.is_empty() {
        index.programs = whole;
    }
    let classes = declared::DeclaredClasses::new(&programs, &index, models);
    let context = Context::new(&index, models, &classes);
    let plan = callgraph::plan(&context);
    let (parameters, copies) = copies::find(&context, &plan);
    let graph = if copies.is_empty() {
        graph_of(context, plan, options, problems, roles)
    } else {
        drop(context);
        index.add_copies(parameters, copies);
        let context = Context::new(&index, models, &classes);
        let plan = callgraph::plan(&context);
        graph_of(context, plan, options, problems, roles)
    };
    let given = graph.assumptions.iter().any(|assumption| assumption.kind == "given-lock");
    if graph.acquisitions.is_empty() && graph.nestings.is_empty() && !given {
        return Err(AnalyzeError::NoLocks(programs.into_iter().map(|program| program.krate).collect()));
    }
    Ok(graph)
}

fn graph_of(
    mut context: Context<'_>,
    plan: Plan,
    options: Options,
    problems: &[String],
    mut roles: Roles,
) -> LockGraph {
    context.callbacks = options.callbacks;
    roles.tiers = [roles.tiers, options.tiers].into_iter().flatten().min();
    let outcome = fixpoint::run(&mut context, plan);
    link::run(&mut context, &outcome, problems, roles)
}
