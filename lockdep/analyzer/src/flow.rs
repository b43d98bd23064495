//! The data-flow inside one function: which locks may be held at each point, and which objects locals mean.
//!
//! Forward, over normal (not unwinding) edges, on the lattice of `state.rs`; the transfer functions are monotone
//! and chains of values are two high, so a worklist over blocks ends. Effects (nestings, acquisitions) are read
//! off in a second pass, from the fixpoint only. What is *not* followed: unwinding, and writes of other threads to
//! the pointers that a path goes through (see the assumptions in ARCHITECTURE.md).

use std::collections::{BTreeMap, BTreeSet};

use crate::before::Course;
use crate::cases::{Analyzed, Case};
use crate::chain::Chain;
use crate::context::Context;
use crate::gates::Running;
use crate::index::{BodyId, last};
use crate::mir::ir::{
    Aggregate, AggregateKind, Body, Operand, Place, Rvalue, StatementKind, Switch, Terminator, Ty,
};
use crate::order::Order;
use crate::path::{Path, Root, Step, Value};
use crate::place::slot_of;
use crate::state::{Holding, State, Tree};
use crate::summary::{HeldLock, Lock, Summary};

/// One function under analysis.
pub struct Flow<'c, 'a> {
    pub(crate) context: &'c Context<'a>,
    pub(crate) id: BodyId,
    pub(crate) krate: usize,
    pub(crate) body: &'a Body,
    /// What its conditions are taken to be.
    pub(crate) case: Case,
    /// Locals whose guards are surely there.
    pub(crate) solid: BTreeSet<usize>,
    /// Locals whose content is moved out somewhere; looked for with `--callbacks` only.
    pub(crate) emptied: BTreeSet<usize>,
    /// Where effects go; none while the fixpoint is sought.
    pub(crate) output: Option<Summary>,
    /// What comes before what.
    pub(crate) course: Course,
    /// Bodies whose summaries were used.
    pub(crate) used: BTreeSet<BodyId>,
    /// Bodies whose summaries were used without calling them.
    pub(crate) deferred: BTreeSet<BodyId>,
    /// Who runs what is followed now.
    pub(crate) by: Running,
    /// What code was called as one of those that it may be, while such code is followed.
    pub(crate) applied: BTreeSet<crate::code::Application>,
}

impl<'c, 'a> Flow<'c, 'a> {
    /// The analysis of body `id` in one case of its conditions.
    pub(crate) fn run_case(context: &'c Context<'a>, id: BodyId, case: Case) -> Analyzed {
        let mut flow = Flow { case, ..Flow::new(context, id, Some(Summary::default())) };
        if !Order::of(flow.body).is_some_and(|order| flow.run_once(&order)) {
            flow = Flow { case: flow.case, ..Flow::new(context, id, None) };
            let entries = flow.fixpoint();
            flow.output = Some(Summary::default());
            for (block, state) in entries {
                flow.course.block = block;
                let next = flow.block(block, state);
                flow.course.leads_to(next.iter().map(|(next, _)| *next));
            }
        }
        flow.ends_of_destructor();
        flow.settle_course();
        Analyzed { summary: flow.output.unwrap_or_default(), used: flow.used, deferred: flow.deferred }
    }

    fn new(context: &'c Context<'a>, id: BodyId, output: Option<Summary>) -> Flow<'c, 'a> {
        let entry = context.index.bodies[id];
        let (used, deferred, applied) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let solid = crate::gates::solid(context, entry.krate, entry.body);
        let emptied = if context.callbacks { crate::callers::emptied(entry.body) } else { BTreeSet::new() };
        let (krate, body, course) = (entry.krate, entry.body, Course::default());
        let case = Case::new();
        let by = Running { thread: context.roots.only(id).cloned(), apart: false };
        Flow { context, id, krate, body, case, solid, emptied, output, course, used, deferred, by, applied }
    }

    /// What closing what it leaves open adds to the summary of an entry point.
    pub fn run_entry(context: &'c Context<'a>, id: BodyId) -> Summary {
        let mut flow = Flow::new(context, id, Some(Summary::default()));
        flow.close_entry();
        flow.output.unwrap_or_default()
    }

    fn fixpoint(&mut self) -> BTreeMap<usize, State> {
        let mut entries: BTreeMap<usize, State> = BTreeMap::new();
        if self.body.blocks.is_empty() {
            return entries;
        }
        entries.insert(0, self.initial());
        let mut pending = BTreeSet::from([0]);
        while let Some(block) = pending.pop_first() {
            let Some(state) = entries.get(&block).cloned() else { continue };
            for (next, state) in self.block(block, state) {
                if self.body.blocks.get(next).is_none_or(|b| b.cleanup) {
                    continue;
                }
                let changed = match entries.get_mut(&next) {
                    Some(known) => known.join(&state, &|one, other| self.context.either(one, other)),
                    None => {
                        entries.insert(next, state);
                        true
                    }
                };
                if changed {
                    pending.insert(next);
                }
            }
        }
        entries
    }

    pub(crate) fn initial(&self) -> State {
        let mut state = State::default();
        for param in 1..=self.body.params {
            let ty = self.body.locals.get(param).cloned().unwrap_or(Ty::Never);
            // A closure body gets itself by value or by reference; its path is the closure either way.
            let itself = param == 1 && matches!(&ty, Ty::Ref(_, inner) if matches!(**inner, Ty::Closure(_)));
            let mut path = Path::from(Root::Param(param));
            if self.context.index.is_owner(self.krate, &ty) {
                path = path.owning();
            }
            state.values.insert((param, Vec::new()), if itself { Value::To(path) } else { Value::At(path) });
            if self.context.holds_guard(self.krate, &ty) {
                let parts = self.context.guard_parts(self.krate, &ty).len();
                for number in if parts == 0 { 0..=0 } else { 1..=parts } {
                    let holding = Holding { lock: HeldLock::Argument(param, number), holder: Some(param) };
                    state.held.insert(holding, Chain::default());
                }
            }
        }
        state
    }

    /// Runs one block; the states on its outgoing edges.
    pub(crate) fn block(&mut self, number: usize, mut state: State) -> Vec<(usize, State)> {
        let block = &self.body.blocks[number];
        for (at, statement) in block.statements.iter().enumerate() {
            state.doubt(|local| self.solid.contains(&local));
            match &statement.kind {
                StatementKind::Assign(place, rvalue) => self.assign(&mut state, place, rvalue, number, at),
                StatementKind::StorageLive(local) | StatementKind::StorageDead(local) => {
                    if self.keeps_content(*local) {
                        state.rehold(*local, None);
                    }
                    state.release(*local);
                    state.clear(&(*local, Vec::new()));
                    state.set_moved(*local, false);
                }
            }
        }
        state.doubt(|local| self.solid.contains(&local));
        match &block.terminator {
            Terminator::Goto(next) => vec![(*next, state)],
            Terminator::Switch(switch) => {
                let Switch { on, targets, otherwise } = &**switch;
                let mut next: Vec<(usize, State)> = Vec::new();
                let looked_at = self.discriminant_of(number, on);
                let cases = targets.iter().map(|(value, block)| (Some(*value), *block));
                let otherwise = otherwise.map(|block| (None, block));
                for (value, block) in cases.chain(otherwise).filter(|(value, _)| self.may_be(number, *value))
                {
                    let mut state = state.clone();
                    if let Some(local) = looked_at
                        && !self.variant_may_hold(local, value, targets)
                    {
                        state.release(local);
                    }
                    next.push((block, state));
                }
                next
            }
            Terminator::Return => {
                self.finish(&state);
                Vec::new()
            }
            Terminator::End | Terminator::Unread => Vec::new(),
            Terminator::Drop(place, next) => {
                if !state.moved.contains(&place.local) {
                    self.ends_in(place, number, &block.span);
                }
                self.drop_place(&mut state, place, &block.span);
                vec![(*next, state)]
            }
            Terminator::Call(call) => {
                self.call(&mut state, call, number, &block.span);
                call.target.map(|next| (next, state)).into_iter().collect()
            }
            Terminator::Yield(place, next) => {
                self.sleeping(&state, &block.span);
                self.set_unknown(&mut state, place, number);
                vec![(*next, state)]
            }
            Terminator::Asm(next) => next.iter().map(|next| (*next, state.clone())).collect(),
        }
    }

    /// Whether the end of a local does not destroy what is in it.
    fn keeps_content(&self, local: usize) -> bool {
        self.body.locals.get(local).is_some_and(|ty| self.context.keeps_content(self.krate, ty))
    }

    fn assign(&mut self, state: &mut State, dest: &Place, rvalue: &Rvalue, block: usize, at: usize) {
        let made = block * 4096 + at.min(4094) + 1;
        self.stores(state, dest, rvalue, &self.body.blocks[block].span.clone());
        let tree = match rvalue {
            Rvalue::Use(operand) | Rvalue::Cast(operand, _) => self.take(state, operand, dest),
            Rvalue::DerefCopy(place) => self.copy_tree(state, place),
            Rvalue::Ref { place, .. } | Rvalue::RawPtr(place) => {
                vec![(Vec::new(), Value::To(self.lvalue(state, place)))]
            }
            Rvalue::ThreadLocal(path) => {
                vec![(Vec::new(), Value::To(self.static_path(path)))]
            }
            Rvalue::Aggregate(aggregate) => self.build(state, aggregate, dest),
            Rvalue::Discriminant(_) | Rvalue::Other(_) => vec![(Vec::new(), Value::Unknown)],
        };
        self.put(state, dest, tree, made);
        if matches!(rvalue, Rvalue::Aggregate(made) if matches!(made.kind, AggregateKind::Closure(..))) {
            self.defer(state, dest);
        }
    }

    /// The value of an operand with its parts; a move takes the guards along to `dest`.
    pub(crate) fn take(&self, state: &mut State, operand: &Operand, dest: &Place) -> Tree {
        match operand {
            Operand::Copy(place) => self.copy_tree(state, place),
            Operand::Move(place) => {
                let tree = self.copy_tree(state, place);
                self.move_out(state, place, self.holder_at(state, dest));
                tree
            }
            Operand::Static(path) => vec![(Vec::new(), Value::To(self.static_path(path)))],
            Operand::Fn(callee) => {
                let body = self.context.resolve(self.krate, callee).exactly_one();
                let slot = (dest.local, Vec::new());
                vec![(Vec::new(), body.map_or(Value::Unknown, |body| Value::Code(body, slot)))]
            }
            Operand::Const(_) => vec![(Vec::new(), Value::Unknown)],
        }
    }

    pub(crate) fn copy_tree(&self, state: &State, place: &Place) -> Tree {
        let source = self.lvalue(state, place);
        let mut tree = Vec::new();
        match state.load(source.clone()) {
            // Storage of a local about which nothing is known as a whole: only its parts say something.
            Value::At(path) if matches!(path.root, Root::Local(_)) => {}
            value => tree.push((Vec::new(), value)),
        }
        if let Root::Local(local) = source.root {
            tree.extend(
                state.subtree(local, &source.steps).into_iter().filter(|(steps, _)| !steps.is_empty()),
            );
        }
        if tree.is_empty() {
            tree.push((Vec::new(), Value::Unknown));
        }
        tree
    }

    fn build(&self, state: &mut State, aggregate: &Aggregate, dest: &Place) -> Tree {
        let mut tree = Vec::new();
        if let AggregateKind::Closure(id, _) = &aggregate.kind {
            let slot = slot_of(dest).unwrap_or((dest.local, Vec::new()));
            let code = self.context.index.by_id(self.krate, id);
            tree.push((Vec::new(), code.map_or(Value::Unknown, |body| Value::Code(body, slot))));
        }
        for (position, (_, operand)) in aggregate.fields.iter().enumerate() {
            let field = match aggregate.kind {
                AggregateKind::Array => Step::Index,
                _ => Step::Field(position as u32),
            };
            for (steps, value) in self.take(state, operand, dest) {
                let below: Vec<Step> = [field.clone()].into_iter().chain(steps).collect();
                if let AggregateKind::Adt(path) = &aggregate.kind {
                    // Whether the path names a struct or a variant is not printed; readers say it.
                    let variant = last(path);
                    let within = [Step::Variant(variant.into())].into_iter().chain(below.iter().cloned());
                    tree.push((within.collect(), value.clone()));
                }
                tree.push((below, value));
            }
        }
        if matches!(aggregate.kind, AggregateKind::Array) {
            // Elements are not told apart: keep what they agree on, and where they live.
            let whole: BTreeMap<Vec<Step>, Value> =
                tree.drain(..).fold(BTreeMap::new(), |mut map, (steps, value)| {
                    map.entry(steps)
                        .and_modify(|v| {
                            if *v != value {
                                *v = v.or(&value, &|one, other| self.context.either(one, other));
                            }
                        })
                        .or_insert(value);
                    map
                });
            tree.extend(whole);
        }
        tree
    }

    /// The local whose variant a switch looks at.
    fn discriminant_of(&self, block: usize, on: &Operand) -> Option<usize> {
        let switched = on.place().filter(|place| place.projection.is_empty())?.local;
        let statements = &self.body.blocks[block].statements;
        statements.iter().rev().find_map(|statement| match &statement.kind {
            StatementKind::Assign(dest, Rvalue::Discriminant(place))
                if dest.local == switched && dest.projection.is_empty() && place.projection.is_empty() =>
            {
                Some(place.local)
            }
            _ => None,
        })
    }

    /// Whether the variant taken on this edge of a switch may contain a guard.
    fn variant_may_hold(&self, local: usize, value: Option<i128>, targets: &[(i128, usize)]) -> bool {
        let Some(Ty::Path(path, args)) = self.body.locals.get(local) else { return true };
        // A lock that could not be had is not held; one is poisoned only by a panic, and unwinding is left out.
        let refused = |ty: &Ty| matches!(ty, Ty::Path(path, _) if path.ends_with("::TryLockError"));
        let (last, two) = (last(path), args.len() == 2);
        // Which argument each variant carries, by the variant's number.
        let carries: [Option<usize>; 2] = match last {
            "Option" => [None, Some(0)],
            "Result" if two => [Some(0), Some(1)],
            "ControlFlow" if two => [Some(1), Some(0)],
            "Poll" => [Some(0), None],
            _ => return true,
        };
        let holds = |variant: usize| {
            carries.get(variant).is_none_or(|carried| {
                carried.is_some_and(|arg| {
                    self.context.holds_guard(self.krate, &args[arg]) && !refused(&args[arg])
                })
            })
        };
        match value {
            Some(value) => usize::try_from(value).map_or(true, holds),
            None => (0..2).filter(|v| targets.iter().all(|(t, _)| *t != *v as i128)).any(holds),
        }
    }

    fn finish(&mut self, state: &State) {
        let result: BTreeMap<Vec<Step>, Value> = state
            .subtree(0, &[])
            .into_iter()
            .filter_map(|(steps, value)| match &value {
                Value::To(path) | Value::At(path) | Value::GuardOf(path) => {
                    let kept = matches!(path.root, Root::Param(_) | Root::Static(_));
                    if kept { Some((steps, value)) } else { known(value.forgotten()).map(|v| (steps, v)) }
                }
                // Code that is returned with what it captured, which stands below it.
                Value::Code(body, (0, _)) => Some((steps, Value::Code(*body, (0, Vec::new())))),
                Value::Running(_) => Some((steps, value)),
                Value::Code(..) | Value::Pending(_) | Value::Unknown => None,
            })
            .collect();
        let sure: BTreeSet<Lock> = self.surely(state, |local| local == 0).cloned().collect();
        let Some(output) = &mut self.output else { return };
        output.sure = Some(match output.sure.take() {
            Some(known) => known.intersection(&sure).cloned().collect(),
            None => sure,
        });
        for (holding, chain) in &state.held {
            let target = if holding.holder == Some(0) { &mut output.returned } else { &mut output.left };
            crate::chain::keep(target, holding.lock.clone(), chain.clone());
        }
        if output.result.is_empty() {
            output.result = result;
        } else {
            output.result.retain(|steps, value| result.get(steps) == Some(value));
        }
    }
}

fn known(value: Value) -> Option<Value> {
    (value != Value::Unknown).then_some(value)
}
