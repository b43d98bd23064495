//! From a lock graph to findings and a verdict, under one discipline.
//!
//! Under `hierarchy`, which is the rule that programs are written to, the whole graph is decided, and the declared
//! order is asked about every nesting besides: a refused nesting that closes a circle is named in the finding of the
//! circle, the others are findings of their own. A circle that a gate keeps from closing is a note. Under any other discipline the question is what that policy does:
//! every nesting that it refuses is a finding, and so is every deadlock among the nestings that it lets through.
//! Both are the same steps over the same data; the rule itself is `lockdep::order::permits`, here as at run time.
//! This file finds no nestings and words no report beyond the phrases of a finding (`judge/phrases.rs`).

mod phrases;

use std::collections::{BTreeMap, BTreeSet};

use lockdep::order::{Discipline, Level as OrderLevel, Rank, Relation, permits};

use crate::callers::rank;
use crate::certificate::{self, Certificate};
use crate::finding::{Code, Finding, Level, Link, Refusal, Verdict};
use crate::graph::{Evidence, Instances, LockGraph, Nesting, Ownership};
use crate::proof::{self, Decision};
use crate::witness::Witness;

/// A judged graph.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// What was judged.
    pub graph: LockGraph,
    /// By which policy.
    pub discipline: &'static Discipline,
    /// The decision on the nestings that matter: all under `hierarchy`, else those that the policy permits.
    pub decision: Decision,
    /// Errors first, then warnings, then notes.
    pub findings: Vec<Finding>,
    /// The outcome.
    pub verdict: Verdict,
}

/// Judges `graph` under `discipline`.
pub fn judge(graph: LockGraph, discipline: &'static Discipline) -> Judgement {
    let refusals = refusals(&graph, discipline);
    let program_order = *discipline == Discipline::HIERARCHY;
    let mut judged = graph;
    let mut set_aside = BTreeMap::new();
    if !program_order {
        let (refused, permitted) =
            judged.nestings.into_iter().partition(|(nesting, _)| refusals.contains_key(nesting));
        (set_aside, judged.nestings) = (refused, permitted);
    }
    let decision = proof::decide(&judged);
    let checked = match &decision {
        Decision::Proved(certificate) => {
            certificate::check(&judged, certificate).map_err(|fault| fault.to_string())
        }
        Decision::Refuted { .. } => Ok(()),
    };
    if let Decision::Proved(Certificate { tiers: Some(tiers), .. }) = &decision {
        judged.assumptions.push(phrases::tiers(*tiers));
        judged.assumptions.sort();
    }
    let mut gated = proof::gated(&judged);
    if let Decision::Refuted { witnesses, .. } = &decision {
        gated.retain(|witness| !witnesses.contains(witness));
    }
    let mut graph = judged;
    graph.nestings.append(&mut set_aside);

    let mut sizes = BTreeMap::new();
    for nesting in graph.nestings.keys().filter(|nesting| !nesting.is_recursion()) {
        *sizes.entry(group_of(&graph, nesting)).or_insert(0) += 1;
    }
    let judge = Judge { graph: &graph, discipline, refusals: &refusals, sizes };
    let mut findings = Vec::new();
    let mut explained = BTreeSet::new();
    if let Decision::Refuted { witnesses, .. } = &decision {
        for witness in witnesses {
            let finding = judge.circle(witness, false);
            if !is_recursion(finding.code) {
                explained.extend(finding.links.iter().map(|link| group_of(&graph, &link.nesting)));
            }
            findings.push(finding);
        }
    }
    findings.extend(gated.iter().map(|witness| judge.circle(witness, true)));
    findings.extend(judge.violations(&explained));
    findings.extend(graph.slept.iter().map(|((class, acquired), slept)| {
        phrases::Phrases { graph: &graph, discipline }.slept(*class, acquired, slept)
    }));
    findings.extend(judge.called_back());
    findings.extend(graph.assumptions.iter().map(phrases::assumption));
    findings.sort_by_key(|finding| finding.level);

    let refuting = findings.iter().filter(|finding| finding.level != Level::Note).count();
    let certain = findings.iter().any(|finding| finding.level == Level::Error);
    let verdict = match (checked, &decision) {
        (Err(reason), _) => Verdict::Failed(reason),
        (Ok(()), _) if refuting > 0 && !certain => Verdict::Undecided(refuting),
        (Ok(()), _) if refuting > 0 => Verdict::Refuted(refuting),
        (Ok(()), Decision::Refuted { further, .. }) => {
            Verdict::Failed(format!("no schedule found for {further} nestings without proof"))
        }
        (Ok(()), Decision::Proved(_)) if graph.assumptions.is_empty() => Verdict::Proved,
        (Ok(()), Decision::Proved(_)) => Verdict::ProvedUnder(graph.assumptions.len()),
    };
    Judgement { graph, discipline, decision, findings, verdict }
}

/// The nestings of declared classes that the discipline refuses.
fn refusals(graph: &LockGraph, discipline: &Discipline) -> BTreeMap<Nesting, Refusal> {
    graph
        .nestings
        .keys()
        .filter_map(|nesting| Some((*nesting, refusal(graph, discipline, nesting)?)))
        .collect()
}

/// Why the discipline refuses a nesting, if it does. A recursion is no nesting, and a class without a level is not
/// under the rule.
fn refusal(graph: &LockGraph, discipline: &Discipline, nesting: &Nesting) -> Option<Refusal> {
    if nesting.is_recursion() {
        return None;
    }
    let relation = graph.relation(nesting);
    let mut first = None;
    for working_for in working_for(relation) {
        let (held, wanted) = ranks(graph, nesting, relation, *working_for)?;
        if permits(discipline, held, wanted, relation) {
            return None;
        }
        first = first.or(Some((held, wanted)));
    }
    let (held, wanted) = first?;
    let rising =
        (Rank { level: OrderLevel::new(0), ..held }, Rank { level: OrderLevel::new(u16::MAX), ..wanted });
    Some(Refusal {
        held: discipline.effective(held),
        wanted: discipline.effective(wanted),
        at_any_level: !permits(discipline, rising.0, rising.1, relation),
    })
}

/// For which of the two owners a CPU may work, as far as the relation tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WorkingFor {
    Neither,
    HeldOwner,
    WantedOwner,
}

/// Of two domains in `controls`, the CPU works for the upper one: the case for which the biases were made. In one
/// domain it makes no difference. Of strangers it may work for either, and in another place for the other: every
/// domain is the current one to its own CPUs. So what is permitted in one of the cases does get through.
fn working_for(relation: Relation) -> &'static [WorkingFor] {
    match relation {
        Relation::Same => &[WorkingFor::Neither],
        Relation::Up => &[WorkingFor::WantedOwner],
        Relation::Down => &[WorkingFor::HeldOwner],
        Relation::Other => &[WorkingFor::Neither, WorkingFor::HeldOwner, WorkingFor::WantedOwner],
    }
}

/// What is known of both locks without running the code. Of two domains in `controls`, the upper is taken to be the
/// control domain; strangers are taken to be ordinary, since being one is a property that a domain keeps.
fn ranks(
    graph: &LockGraph,
    nesting: &Nesting,
    relation: Relation,
    working_for: WorkingFor,
) -> Option<(Rank, Rank)> {
    let rank = |class: usize, works_for: WorkingFor, control: bool, key: Option<u64>| {
        let class = graph.classes.get(class)?;
        let owned = class.ownership != Ownership::Unowned;
        Some(Rank {
            level: OrderLevel::new(class.level?),
            key,
            owned,
            current: owned && working_for == works_for,
            control,
        })
    };
    // The code of an ordered class establishes that keys ascend; which ones does not matter.
    let keyed = relation == Relation::Same
        && nesting.held == nesting.wanted
        && nesting.instances == Instances::Any
        && graph.classes.get(nesting.held).is_some_and(|class| class.ordered);
    let [down, up] = [Relation::Down, Relation::Up].map(|way| relation == way);
    let held = rank(nesting.held, WorkingFor::HeldOwner, down, keyed.then_some(1))?;
    let wanted = rank(nesting.wanted, WorkingFor::WantedOwner, up, keyed.then_some(2))?;
    Some((held, wanted))
}

fn is_recursion(code: Code) -> bool {
    matches!(code, Code::Recursion | Code::ReaderRecursion)
}

fn is_wait(code: Code) -> bool {
    matches!(code, Code::WaitWhileHolding | Code::CondvarWaitWhileHolding)
}

/// Held class, wanted class, relation: nestings that differ in kinds only are reported once.
type Group = (usize, usize, Relation);

fn group_of(graph: &LockGraph, nesting: &Nesting) -> Group {
    (nesting.held, nesting.wanted, graph.relation(nesting))
}

struct Judge<'a> {
    graph: &'a LockGraph,
    discipline: &'a Discipline,
    refusals: &'a BTreeMap<Nesting, Refusal>,
    /// How many nestings each group has.
    sizes: BTreeMap<Group, usize>,
}

impl Judge<'_> {
    fn link(&self, nesting: &Nesting) -> Option<Link> {
        let evidence = self.graph.nestings.get(nesting)?.clone();
        let group = self.sizes.get(&group_of(self.graph, nesting)).copied().unwrap_or(1);
        let refused = self.refusals.get(nesting).copied();
        Some(Link { nesting: *nesting, evidence, refused, variants: group - 1 })
    }

    /// The finding of a circular wait, or of one that a gate keeps from closing.
    fn circle(&self, witness: &Witness, gated: bool) -> Finding {
        let mut links: Vec<Link> =
            witness.nestings().iter().filter_map(|nesting| self.link(nesting)).collect();
        // The refused one is the one to change, and comes first; else the walk's first step is the cause.
        links.sort_by_key(|link| link.refused.is_none());
        let code = code_of(self.graph, witness);
        if is_wait(code) {
            // The wait is what is wrong, and comes first.
            links.sort_by_key(|link| !self.graph.waits.contains_key(&link.nesting.wanted));
        }
        let level = match gated {
            true => Level::Note,
            false if witness.is_possible(self.graph) => Level::Warning,
            false => code.level(),
        };
        let phrases = phrases::Phrases { graph: self.graph, discipline: self.discipline };
        match is_wait(code) {
            true => phrases.wait(code, level, links, witness),
            false => phrases.circle(code, level, links, witness),
        }
    }

    /// One finding per class that is held while code of the callers runs.
    fn called_back(&self) -> Vec<Finding> {
        let mut places: BTreeMap<usize, Vec<(&Nesting, &Evidence)>> = BTreeMap::new();
        for ((class, _), (nesting, evidence)) in &self.graph.called_back {
            places.entry(*class).or_default().push((nesting, evidence));
        }
        let phrases = phrases::Phrases { graph: self.graph, discipline: self.discipline };
        let found = places.into_values().map(|mut places| {
            places.sort_by_key(|(_, evidence)| {
                let what = evidence.wanted.last().map(|step| rank(&step.action));
                (evidence.possible, what, evidence.held.len() + evidence.wanted.len(), *evidence)
            });
            let (nesting, evidence) = places[0];
            let link = Link { nesting: *nesting, evidence: evidence.clone(), refused: None, variants: 0 };
            phrases.called_back(link, places[1..].iter().map(|(_, more)| *more))
        });
        found.collect()
    }

    /// One finding per group of refused nestings that no circle explains.
    fn violations(&self, explained: &BTreeSet<Group>) -> Vec<Finding> {
        let mut best: BTreeMap<Group, &Nesting> = BTreeMap::new();
        let weight = |nesting: &Nesting| {
            self.graph.nestings.get(nesting).map(|e| (e.possible, e.held.len() + e.wanted.len()))
        };
        for nesting in self.refusals.keys() {
            let group = group_of(self.graph, nesting);
            let known = best.entry(group).or_insert(nesting);
            if weight(nesting) < weight(known) {
                *known = nesting;
            }
        }
        let phrases = phrases::Phrases { graph: self.graph, discipline: self.discipline };
        best.iter()
            .filter(|(group, _)| !explained.contains(*group))
            .filter_map(|(_, nesting)| {
                let link = self.link(nesting)?;
                let level =
                    if link.evidence.possible { Level::Warning } else { Code::OrderViolation.level() };
                Some(phrases.violation(level, link))
            })
            .collect()
    }
}

/// What kind of circle a witness shows.
fn code_of(graph: &LockGraph, witness: &Witness) -> Code {
    let recursion = |nesting: &Nesting| nesting.is_recursion();
    let between_instances =
        |nesting: &Nesting| nesting.held == nesting.wanted && graph.relation(nesting) == Relation::Same;
    let nestings = witness.nestings();
    let mut waits = nestings.iter().filter_map(|nesting| graph.waits.get(&nesting.held)).peekable();
    if waits.peek().is_some() {
        let condvar = waits.any(|condvar| *condvar);
        return if condvar { Code::CondvarWaitWhileHolding } else { Code::WaitWhileHolding };
    }
    match nestings.first() {
        Some(nesting) if recursion(nesting) && proof::is_reader_recursion(nesting) => Code::ReaderRecursion,
        Some(nesting) if recursion(nesting) => Code::Recursion,
        _ if nestings.iter().all(between_instances) => Code::UnorderedInstances,
        _ if witness.domains.len() > 1 => Code::CrossDomainNesting,
        _ => Code::LockOrderCycle,
    }
}
