//! Who may call whom, as far as names say, and which functions can matter to locks at all.
//!
//! An over-approximation made before any data-flow: it orders the work (callees first) and leaves out functions
//! from which no lock operation can be reached. Those are still analyzed when a function that matters calls them. It
//! decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::context::Context;
use crate::index::{BodyId, type_of};
use crate::mir::ir::{AggregateKind, Body, Callee, Operand, Rvalue, StatementKind, Terminator, Ty};
use crate::model::Effect;

/// The plan for the fixpoint.
#[derive(Debug)]
pub struct Plan {
    /// Functions that may reach a lock operation.
    pub relevant: BTreeSet<BodyId>,
    /// Those of them that reach one by calls alone, destructors left out.
    pub reaching: BTreeSet<BodyId>,
    /// Functions that others call, as far as names say.
    pub called: BTreeSet<BodyId>,
    /// Who calls whom.
    calls: DiGraph<(), ()>,
}

/// In which order functions are best analyzed.
#[derive(Debug)]
pub struct Sequence {
    /// Position of each function in an order with callees first.
    pub order: Vec<usize>,
    /// Number of the group of functions that call each other which each function is in, callees first.
    pub component: Vec<usize>,
    /// Functions during which other threads may run code that borrows from them.
    pub crowded: BTreeSet<BodyId>,
}

impl Plan {
    /// The order of the work, callees and destructors first. The destructors of the context have to be known.
    pub fn sequence(&self, context: &Context<'_>) -> Sequence {
        let mut graph = self.calls.clone();
        for body in &self.relevant {
            for destructor in context.destructors_run_in(*body) {
                graph.update_edge(NodeIndex::new(*body), NodeIndex::new(destructor), ());
            }
        }
        let count = graph.node_count();
        let (mut order, mut component) = (vec![0; count], vec![0; count]);
        let components = tarjan_scc(&graph);
        let members = components
            .iter()
            .enumerate()
            .flat_map(|(number, members)| members.iter().map(move |m| (number, m)));
        for (position, (number, member)) in members.enumerate() {
            order[member.index()] = position;
            component[member.index()] = number;
        }
        Sequence { order, component, crowded: context.find_crowded(&graph) }
    }
}

/// Reads the calls off all bodies.
pub fn plan(context: &Context<'_>) -> Plan {
    let count = context.index.bodies.len();
    let mut graph = DiGraph::<(), ()>::with_capacity(count, count * 4);
    for _ in 0..count {
        graph.add_node(());
    }
    let mut touching: BTreeSet<BodyId> = BTreeSet::new();
    let mut dropping: BTreeSet<BodyId> = BTreeSet::new();
    let mut callers: BTreeMap<BodyId, BTreeSet<BodyId>> = BTreeMap::new();
    for (id, entry) in context.index.bodies.iter().enumerate() {
        let mut calls = Calls { context, id, krate: entry.krate, callees: BTreeSet::new(), touches: false };
        calls.read(entry.body);
        if calls.touches
            || stores(context, entry.krate, entry.body)
            || destroys_by_models(context, entry.krate, entry.body)
            || entry.body.locals.iter().any(|ty| context.holds_guard(entry.krate, ty))
        {
            touching.insert(id);
        }
        if entry.body.blocks.iter().any(|block| matches!(block.terminator, Terminator::Drop(..))) {
            dropping.insert(id);
        }
        for callee in calls.callees {
            graph.add_edge(NodeIndex::new(id), NodeIndex::new(callee), ());
            callers.entry(callee).or_default().insert(id);
        }
    }
    let by_others =
        |(body, by): (&BodyId, &BTreeSet<BodyId>)| by.iter().any(|by| by != body).then_some(*body);
    let called = callers.iter().filter_map(by_others).collect();
    let reaching = reach(&callers, touching);
    let mut relevant = reaching.clone();
    if context.index.destructors().any(|body| relevant.contains(&body)) {
        // Which drops run them is found out in the flow; by name, any drop may.
        relevant.extend(dropping);
        relevant = reach(&callers, relevant);
    }
    Plan { relevant, reaching, called, calls: graph }
}

/// Whether a function destroys a value whose destructor was not read and runs code of ours.
fn destroys_by_models(context: &Context<'_>, krate: usize, body: &Body) -> bool {
    let runs = |part: &Ty| matches!(part, Ty::Path(path, _) if context.known_type(krate, path).runs_ours);
    body.locals.iter().any(|ty| ty.any(&mut |part| runs(part)))
}

/// Whether a function may put a shared pointer to a lock somewhere.
fn stores(context: &Context<'_>, krate: usize, body: &Body) -> bool {
    if !body.locals.iter().any(|ty| context.shares_lock(krate, ty)) {
        return false;
    }
    let shared = |operand: &Operand| match operand {
        Operand::Static(_) => true,
        other => other.place().is_some_and(|place| context.shares_lock(krate, &type_of(&body.locals, place))),
    };
    body.blocks.iter().any(|block| {
        let assigned = block.statements.iter().any(|statement| match &statement.kind {
            StatementKind::Assign(_, Rvalue::Aggregate(built)) => {
                matches!(built.kind, AggregateKind::Adt(_)) && built.fields.iter().any(|(_, of)| shared(of))
            }
            StatementKind::Assign(dest, Rvalue::Use(of) | Rvalue::Cast(of, _)) => {
                !dest.projection.is_empty() && shared(of)
            }
            _ => false,
        });
        assigned
            || matches!(&block.terminator, Terminator::Call(call)
                if call.args.len() > 1 && call.args.iter().any(shared))
    })
}

fn reach(callers: &BTreeMap<BodyId, BTreeSet<BodyId>>, from: BTreeSet<BodyId>) -> BTreeSet<BodyId> {
    let mut reached = from.clone();
    let mut pending: Vec<BodyId> = from.into_iter().collect();
    while let Some(body) = pending.pop() {
        for caller in callers.get(&body).into_iter().flatten() {
            if reached.insert(*caller) {
                pending.push(*caller);
            }
        }
    }
    reached
}

struct Calls<'c, 'a> {
    context: &'c Context<'a>,
    id: BodyId,
    krate: usize,
    callees: BTreeSet<BodyId>,
    touches: bool,
}

impl Calls<'_, '_> {
    fn read(&mut self, body: &Body) {
        for block in &body.blocks {
            for statement in &block.statements {
                if let StatementKind::Assign(_, rvalue) = &statement.kind {
                    self.rvalue(rvalue);
                }
            }
            if let Terminator::Call(call) = &block.terminator {
                self.callee(&call.callee, &call.args);
                self.callees.extend(self.context.codes_called(self.id, call));
                if let Some(place) = call.args.first().and_then(Operand::place) {
                    let makers = self.context.makers(self.krate, self.id, place);
                    self.touches |= !makers.is_empty();
                    self.callees.extend(makers);
                }
                call.args.iter().for_each(|operand| self.operand(operand));
            }
        }
    }

    fn rvalue(&mut self, rvalue: &Rvalue) {
        match rvalue {
            Rvalue::Use(operand) | Rvalue::Cast(operand, _) => self.operand(operand),
            Rvalue::Other(operands) => operands.iter().for_each(|operand| self.operand(operand)),
            Rvalue::Aggregate(aggregate) => {
                if let AggregateKind::Closure(id, _) = &aggregate.kind {
                    // Whoever makes a closure counts as its caller.
                    self.callees.extend(self.context.index.by_id(self.krate, id));
                }
                aggregate.fields.iter().for_each(|(_, operand)| self.operand(operand));
            }
            _ => {}
        }
    }

    fn operand(&mut self, operand: &Operand) {
        if let Operand::Fn(callee) = operand {
            self.callee(callee, &[]);
        }
    }

    fn callee(&mut self, callee: &Callee, args: &[Operand]) {
        let effect = self.context.effect(self.krate, callee);
        self.touches |= matches!(
            effect,
            Some(
                Effect::Acquire(_)
                    | Effect::Wait(_)
                    | Effect::Notify
                    | Effect::Meet
                    | Effect::Channel(_)
                    | Effect::Roles
            )
        );
        self.callees.extend(self.context.callees(self.id, callee, args).bodies);
    }
}
