//! Functions that decide by one condition more than once: judged case by case.
//!
//! Where two ways join, what they have to do with the condition is forgotten, and the next decision by it seems free. Two
//! locks that are taken in the order of their addresses, by two `if`s, would be one lock taken twice. So such a function is
//! analyzed once for each outcome, and what it does is what it does in any. Conditions are only what surely keeps its
//! value; the analysis of one case is `flow.rs`.

use std::collections::{BTreeMap, BTreeSet};

use crate::context::Context;
use crate::flow::Flow;
use crate::index::BodyId;
use crate::mir::ir::{Body, Operand, Place, Rvalue, StatementKind, Terminator, Ty};
use crate::order::is_in_loop;
use crate::summary::Summary;

/// Blocks that look at a condition, with what they see.
pub(crate) type Case = BTreeMap<usize, bool>;

/// Of more conditions the others are not told apart.
const MOST: usize = 2;

/// The outcome for one function.
pub struct Analyzed {
    /// What it does.
    pub summary: Summary,
    /// Bodies that it calls.
    pub used: BTreeSet<BodyId>,
    /// Closures that it makes.
    pub deferred: BTreeSet<BodyId>,
}

impl Analyzed {
    fn join(&mut self, mut other: Analyzed) {
        if self.summary.sure.is_none() {
            std::mem::swap(&mut self.summary, &mut other.summary);
        }
        let known = (self.summary.result.clone(), self.summary.passes.clone());
        self.summary.widen(&other.summary);
        if other.summary.sure.is_none() {
            // A case that does not return says nothing of what holds then.
            (self.summary.result, self.summary.passes) = known;
        }
        self.used.extend(other.used);
        self.deferred.extend(other.deferred);
    }
}

impl<'c, 'a> Flow<'c, 'a> {
    /// The summary of body `id` by the summaries in `context`, and the bodies it was made from.
    pub fn run(context: &'c Context<'a>, id: BodyId) -> Analyzed {
        let mut cases = cases(context.index.bodies[id].body).into_iter();
        let mut all = Flow::run_case(context, id, cases.next().unwrap_or_default());
        cases.for_each(|case| all.join(Flow::run_case(context, id, case)));
        all
    }

    /// Whether a block can come to see this value, where it looks at a condition.
    pub(crate) fn may_be(&self, block: usize, value: Option<i128>) -> bool {
        // A condition is compared with zero.
        self.case.get(&block).is_none_or(|case| value.is_none_or(|value| value != 0) == *case)
    }
}

/// All outcomes of the conditions that a function looks at more than once; one without any if there are none.
fn cases(body: &Body) -> Vec<Case> {
    let mut cases = vec![Case::new()];
    for blocks in conditions(body).into_iter().take(MOST) {
        let decided = |(case, seen): (Case, bool)| -> Case {
            case.into_iter().chain(blocks.iter().map(|block| (*block, seen))).collect()
        };
        cases =
            cases.into_iter().flat_map(|case| [(case.clone(), true), (case, false)]).map(decided).collect();
    }
    cases
}

/// For each such condition the blocks that look at it.
fn conditions(body: &Body) -> Vec<Vec<usize>> {
    let mut looking: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let switches = body.blocks.iter().enumerate().filter(|(_, block)| !block.cleanup);
    let switches: Vec<(usize, usize)> = switches
        .filter_map(|(number, block)| match &block.terminator {
            Terminator::Switch(switch) => Some((number, whole(switch.on.place()?)?)),
            _ => None,
        })
        .filter(|(_, local)| is_bool(body, *local))
        .collect();
    if switches.len() < 2 {
        return Vec::new();
    }
    let writes = Writes::of(body);
    for (block, local) in switches {
        looking.entry(writes.original(body, local)).or_default().push(block);
    }
    looking.retain(|local, blocks| blocks.len() > 1 && writes.keeps(body, *local));
    looking.into_values().collect()
}

fn is_bool(body: &Body, local: usize) -> bool {
    matches!(body.locals.get(local), Some(Ty::Path(path, _)) if &**path == "bool")
}

fn whole(place: &Place) -> Option<usize> {
    place.projection.is_empty().then_some(place.local)
}

/// How locals get their values.
#[derive(Default)]
struct Writes {
    /// The blocks that write a local, and the local that one of them copies.
    of: BTreeMap<usize, Vec<(usize, Option<usize>)>>,
    /// Locals that others may write.
    lent: BTreeSet<usize>,
    /// Whether there is code that may write any.
    unknown: bool,
}

impl Writes {
    fn of(body: &Body) -> Writes {
        let mut writes = Writes::default();
        for (number, block) in body.blocks.iter().enumerate() {
            for statement in &block.statements {
                let StatementKind::Assign(dest, rvalue) = &statement.kind else { continue };
                let copied = match rvalue {
                    Rvalue::Use(Operand::Copy(place) | Operand::Move(place)) => whole(place),
                    Rvalue::Ref { mutable: true, place } | Rvalue::RawPtr(place) => {
                        writes.lent.insert(place.local);
                        None
                    }
                    _ => None,
                };
                writes.of.entry(dest.local).or_default().push((number, copied));
            }
            match &block.terminator {
                Terminator::Call(call) => writes.of.entry(call.dest.local).or_default().push((number, None)),
                Terminator::Yield(dest, _) => writes.of.entry(dest.local).or_default().push((number, None)),
                Terminator::Asm(_) | Terminator::Unread => writes.unknown = true,
                _ => {}
            }
        }
        writes
    }

    /// The local that this one is only a copy of, or itself.
    fn original(&self, body: &Body, local: usize) -> usize {
        match self.of.get(&local).map(Vec::as_slice) {
            Some([(_, Some(copied))]) if is_bool(body, *copied) && local > body.params => *copied,
            _ => local,
        }
    }

    /// Whether a local has one value as long as the function runs.
    fn keeps(&self, body: &Body, local: usize) -> bool {
        let written = self.of.get(&local).map(Vec::as_slice).unwrap_or_default();
        !self.unknown
            && !self.lent.contains(&local)
            && match written {
                [] => local > 0 && local <= body.params,
                [(block, _)] => local > body.params && !is_in_loop(body, *block),
                _ => false,
            }
    }
}
