//! Summaries of all functions, to a fixpoint over the call graph.
//!
//! A worklist: it starts with the functions that can reach a lock operation (`callgraph.rs`), takes in what they call,
//! and analyzes a function again when a summary it used has changed. Functions that call each other take turns, and are
//! done with before their callers begin. It ends because after a few rounds a summary only
//! grows, in finite sets (see `summary.rs`), and, if that should be wrong, after many rounds: then what is not settled is
//! an assumption. Order affects speed, not the result.

use std::collections::BTreeSet;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::callgraph::{Plan, Sequence};
use crate::cases::Analyzed;
use crate::context::Context;
use crate::flow::Flow;
use crate::index::BodyId;
use crate::roots::Roots;
use crate::summary::Summary;

/// So often a summary may be exchanged for a better informed one; from then on it only grows.
const FREE_ROUNDS: usize = 4;

/// After so many rounds less is told apart.
const PATIENT_ROUNDS: usize = 12;

/// After so many rounds, which are many times more than programs take, a function is not analyzed again, which is noted.
const MAX_ROUNDS: usize = 256;

/// What there is besides the summaries.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Functions that matter and that nobody else calls.
    pub entries: BTreeSet<BodyId>,
    /// Functions that were still changing when they were given up.
    pub unsettled: BTreeSet<BodyId>,
}

/// What is to be analyzed next, callees first, and each function of a group once before any a second time.
struct Turns {
    sequence: Sequence,
    /// Group, round of the group, place in the order.
    pending: BTreeSet<(usize, usize, usize, BodyId)>,
    waiting: Vec<bool>,
    /// Group, round and place of the function whose turn it is.
    now: (usize, usize, usize),
}

impl Turns {
    fn new(sequence: Sequence) -> Turns {
        let waiting = vec![false; sequence.order.len()];
        Turns { sequence, pending: BTreeSet::new(), waiting, now: (0, 0, 0) }
    }

    fn next(&mut self) -> Option<BodyId> {
        let (component, round, order, body) = self.pending.pop_first()?;
        self.waiting[body] = false;
        self.now = (component, round, order);
        Some(body)
    }

    fn ask_for(&mut self, body: BodyId) {
        if std::mem::replace(&mut self.waiting[body], true) {
            return;
        }
        let (component, order) = (self.sequence.component[body], self.sequence.order[body]);
        let (group, round, place) = self.now;
        let round = if component == group { round + usize::from(order <= place) } else { 0 };
        self.pending.insert((component, round, order, body));
    }
}

/// Computes `context.summaries`, by the plan for the context.
pub fn run(context: &mut Context<'_>, plan: Plan) -> Outcome {
    run_within(context, plan, MAX_ROUNDS)
}

fn run_within(context: &mut Context<'_>, plan: Plan, most: usize) -> Outcome {
    let count = context.index.bodies.len();
    let matters = |body: &BodyId| context.callbacks || plan.relevant.contains(body);
    let prints = ["Debug", "Display", "LowerHex"].into_iter();
    let prints = prints.flat_map(|of| context.index.implementing(of, "fmt"));
    context.destructors = context.index.destructors().chain(prints).filter(matters).collect();
    context.roots = Roots::new(context);
    if context.callbacks {
        context.find_objects_from_outside(|body| plan.called.contains(&body));
    }
    context.summaries = vec![Summary::default(); count];
    let mut users: Vec<Vec<BodyId>> = vec![Vec::new(); count];
    let mut uses: Vec<Option<Box<[BodyId]>>> = vec![None; count];
    let mut rounds = vec![0_usize; count];
    let mut unsettled: BTreeSet<BodyId> = BTreeSet::new();
    let mut sequence = plan.sequence(context);
    context.crowded = std::mem::take(&mut sequence.crowded);
    let mut turns = Turns::new(sequence);
    // Of what has copies, the rest is judged where it is called.
    plan.relevant
        .iter()
        .filter(|body| !context.index.has_copies(**body))
        .for_each(|body| turns.ask_for(*body));
    while let Some(body) = turns.next() {
        if rounds[body] == most {
            unsettled.insert(body);
            continue;
        }
        let Analyzed { mut summary, used, deferred } = Flow::run(context, body);
        for callee in used.iter().chain(&deferred) {
            if let Err(at) = users[*callee].binary_search(&body) {
                users[*callee].insert(at, body);
            }
            // A function that touches no lock itself may still lead to one: by what it returns.
            if uses[*callee].is_none() {
                turns.ask_for(*callee);
            }
        }
        uses[body] = Some(used.into_iter().collect());
        rounds[body] += 1;
        if rounds[body] > FREE_ROUNDS {
            summary.widen(&context.summaries[body]);
        }
        if rounds[body] > PATIENT_ROUNDS {
            summary.hasten();
        }
        summary.limit(&context.index.bodies[body].body.span, context.classes.len());
        if context.summaries[body] != summary {
            context.summaries[body] = summary;
            users[body].iter().for_each(|user| turns.ask_for(*user));
        }
    }
    Outcome { entries: entry_points(&uses), unsettled }
}

/// Members of call-graph components that no other component calls.
fn entry_points(uses: &[Option<Box<[BodyId]>>]) -> BTreeSet<BodyId> {
    let mut graph = DiGraph::<(), ()>::new();
    for _ in uses {
        graph.add_node(());
    }
    for (caller, callees) in uses.iter().enumerate() {
        for callee in callees.iter().flat_map(|callees| &**callees) {
            graph.add_edge(NodeIndex::new(caller), NodeIndex::new(*callee), ());
        }
    }
    let mut component = vec![0; uses.len()];
    let components = tarjan_scc(&graph);
    for (number, members) in components.iter().enumerate() {
        for member in members {
            component[member.index()] = number;
        }
    }
    let called: BTreeSet<usize> = uses
        .iter()
        .enumerate()
        .flat_map(|(caller, callees)| {
            callees.iter().flat_map(|callees| &**callees).map(move |callee| (caller, *callee))
        })
        .filter(|(caller, callee)| component[*caller] != component[*callee])
        .map(|(_, callee)| component[callee])
        .collect();
    (0..uses.len()).filter(|body| uses[*body].is_some() && !called.contains(&component[*body])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::{DeclaredClasses, Roles};
    use crate::index::Index;
    use crate::link;
    use crate::mir::ir::Program;
    use crate::mir::read_body;
    use crate::model::Models;

    /// Two functions that call each other, the second with the lock held that the first takes, too.
    const FUNCTIONS: [(&str, &str, &str); 2] = [
        ("ping", "pong", "std::mem::forget::<u8>(const 1_u8)"),
        ("pong", "ping", "std::mem::forget::<u8>(const 2_u8)"),
    ];

    fn assumed(most: usize) -> (usize, Vec<String>) {
        let bodies = FUNCTIONS.iter().flat_map(|(name, other, between)| {
            let text = format!(
                "fn {name}(_1: &std::sync::Mutex<u8>) -> () {{
    let mut _0: ();
    let mut _2: std::result::Result<std::sync::MutexGuard<'_, u8>, std::sync::PoisonError<std::sync::MutexGuard<'_, u8>>>;
    let mut _3: ();

    bb0: {{
        _2 = std::sync::Mutex::<u8>::lock(copy _1) -> [return: bb1, unwind continue];
    }}

    bb1: {{
        _3 = {between} -> [return: bb2, unwind continue];
    }}

    bb2: {{
        _0 = {other}(copy _1) -> [return: bb3, unwind continue];
    }}

    bb3: {{
        drop(_2) -> [return: bb4, unwind continue];
    }}

    bb4: {{
        return;
    }}
}}
"
            );
            let (bodies, problems) = read_body(name, &text);
            assert_eq!(problems, []);
            bodies
        });
        let programs = [Program { krate: "game".to_owned(), bodies: bodies.collect(), ..Program::default() }];
        let (index, models) = (Index::new(&programs), Models::shipped());
        let declared = DeclaredClasses::default();
        let mut context = Context::new(&index, &models, &declared);
        let plan = crate::callgraph::plan(&context);
        let outcome = run_within(&mut context, plan, most);
        let graph = link::run(&mut context, &outcome, &[], Roles::default());
        let unsettled = graph.assumptions.into_iter().filter(|one| one.kind == "unsettled-body");
        (outcome.unsettled.len(), unsettled.map(|one| one.text).collect())
    }

    #[test]
    fn what_is_not_settled_is_an_assumption() {
        assert_eq!(assumed(MAX_ROUNDS), (0, Vec::new()));
        let (count, texts) = assumed(1);
        assert!(count > 0);
        assert_eq!(texts.len(), 1);
        assert!(texts[0].starts_with(&format!("{count} functions")), "{texts:?}");
    }
}
