//! Waits for channels: for a message, for the end of all messages, for room.
//!
//! A wait is acquired like a lock that nobody releases, as other waits are (`waits.rs`); in it nests what whoever ends
//! it has to wait for first (`before.rs`). A message ends a wait if anybody sends it: if some senders need a lock and
//! others do not, the deadlock is merely possible. The end of the messages comes when all senders are gone. What a
//! sender waits for in other channels is left out, as the one who waits may have sent that before. What ends a thread
//! that waits for messages is left out as well, and noted where such an end is waited for under a lock.

mod ended;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::before::{Before, Course, Signal, SignalKind};
use crate::chain::Chain;
use crate::channels::ChannelId;
use crate::context::Context;
use crate::flow::Flow;
use crate::graph::Step as ChainStep;
use crate::index::BodyId;
use crate::instantiate::Arguments;
use crate::mir::ir::{Call, Callee, Operand, Place, Span, Ty};
use crate::model::{ChannelCall, Patience, Side};
use crate::path::{self, Path, Value};
use crate::state::State;
use crate::summary::{Acquire, Lock, Note, Summary};
use crate::waits::Waited;

pub(crate) use ended::Messages;

impl Flow<'_, '_> {
    /// A call that makes or uses a channel.
    pub(crate) fn channel(
        &mut self,
        state: &mut State,
        call: &Call,
        what: ChannelCall,
        block: usize,
        span: &Span,
    ) {
        let (patience, kind) = match what {
            ChannelCall::Makes { .. } => return self.foreign(state, call, block, span),
            ChannelCall::Selects => {
                if !state.held.is_empty() {
                    self.note(Note::Waits(span.clone()));
                }
                return self.foreign(state, call, block, span);
            }
            ChannelCall::Sends(patience) => (patience, SignalKind::Sent),
            ChannelCall::Receives(patience) => (patience, SignalKind::Received),
        };
        let end = call.args.first().and_then(Operand::place);
        let channels = end.map(|place| self.channels_at(place)).unwrap_or_default();
        let waited = self.waited_for(kind, &channels);
        if channels.is_empty() && patience != Patience::None && !state.held.is_empty() {
            self.note(Note::Waits(span.clone()));
        }
        if patience == Patience::Awaited {
            let pending = match waited[..] {
                [waited] => {
                    let Lock { class, path } = self.context.node(waited);
                    Value::Pending(
                        path::Acquiring { path, class, shared: kind == SignalKind::Received }.into(),
                    )
                }
                _ => Value::Unknown,
            };
            self.signal_at(kind, &channels, block, span);
            self.foreign(state, call, block, span);
            return self.put(state, &call.dest, vec![(Vec::new(), pending)], block * 4096);
        }
        if patience == Patience::Waits {
            waited.into_iter().for_each(|waited| self.waits(state, waited, "waits for", span));
        }
        self.signal_at(kind, &channels, block, span);
        self.foreign(state, call, block, span);
    }

    /// The nodes of a wait that is ended by the other side.
    fn waited_for(&self, kind: SignalKind, channels: &BTreeSet<ChannelId>) -> Vec<Waited> {
        let bounded = |channel: &&ChannelId| self.context.channels.may_be_bounded(**channel);
        match kind {
            SignalKind::Sent => {
                channels.iter().filter(bounded).map(|channel| Waited::Room(*channel)).collect()
            }
            _ => channels.iter().map(|channel| Waited::Message(*channel)).collect(),
        }
    }

    /// A future that waits for a channel is polled.
    pub(crate) fn awaiting(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) -> bool {
        let Callee::Qualified { this: Ty::Path(path, _), .. } = &call.callee else { return false };
        if self.context.end(self.krate, path) != Some(Side::Receiver) {
            return false;
        }
        let end = call.args.first().and_then(Operand::place);
        let channels = end.map(|place| self.channels_at(place)).unwrap_or_default();
        for waited in self.waited_for(SignalKind::Received, &channels) {
            self.waits(state, waited, "waits for", span);
        }
        self.set_unknown(state, &call.dest, block);
        true
    }

    /// All messages of a channel are taken, up to its end, by a call that is given an iterator over them.
    pub(crate) fn draining(&mut self, state: &State, call: &Call, block: usize, span: &Span) {
        let Callee::Qualified { of: Some(_), method, .. } = &call.callee else { return };
        if self.context.channels.is_empty() || method == "into_iter" {
            return;
        }
        let kept = self.context.drains(self.krate, &self.type_of(&call.dest));
        for place in call.args.iter().filter_map(Operand::place) {
            if kept || !self.context.drains(self.krate, &self.type_of(place)) {
                continue;
            }
            let channels = self.channels_at(place);
            for channel in &channels {
                self.waits(state, Waited::Message(*channel), "waits for", span);
                self.waits(state, Waited::Messages(*channel), "waits for", span);
            }
            self.signal_at(SignalKind::Received, &channels, block, span);
        }
    }

    /// Ends of channels go away with what a call destroys.
    pub(crate) fn ends_go(&mut self, call: &Call, block: usize, span: &Span) {
        if let Some(place) = call.args.first().and_then(Operand::place) {
            self.ends_in(place, block, span);
        }
    }

    /// Ends of channels go away with what is in a place.
    pub(crate) fn ends_in(&mut self, place: &Place, block: usize, span: &Span) {
        if self.output.is_none() || self.context.channels.is_empty() {
            return;
        }
        let ty = self.type_of(place);
        if matches!(ty, Ty::Closure(_)) {
            // Some of what it captured may be gone; what is left goes at its end.
            return;
        }
        for (side, kind) in SIDES {
            let channels = self.context.channels.within(self.context, self.krate, &ty, side);
            let here = self.context.channels.held_at(self.context, self.id, place, side);
            self.signal_at(kind, &channels.union(&here).copied().collect(), block, span);
        }
    }

    fn channels_at(&self, place: &Place) -> BTreeSet<ChannelId> {
        self.context.channels.at(self.context, self.id, place)
    }

    fn signal_at(&mut self, kind: SignalKind, channels: &BTreeSet<ChannelId>, block: usize, span: &Span) {
        if self.output.is_none() {
            return;
        }
        for &channel in channels {
            let name = self.context.channels.name(channel);
            let action = match kind {
                SignalKind::Sent => format!("sends into {name}"),
                SignalKind::Received => format!("receives from {name}"),
                SignalKind::SenderGone => format!("lets a sender of {name} go"),
                SignalKind::ReceiverGone => format!("lets the receiver of {name} go"),
            };
            let chain = self.step(action, span);
            let signal = Signal { kind, channel, site: (self.id, block), rooted: false, deferred: false };
            self.course.signal(signal, Before { chain, first: BTreeMap::new() });
        }
    }

    /// Signals of a callee, with what comes first there.
    pub(crate) fn signals_of(&mut self, state: &State, body: BodyId, arguments: &Arguments, call: &Chain) {
        let context = self.context;
        for (signal, before) in context.summaries[body].signals.iter().filter(|(signal, _)| !signal.rooted) {
            let first = before.first.iter().map(|(acquire, (chain, always))| {
                let path = arguments.path(state, &acquire.lock.path);
                let class = context.reclassed(acquire.lock.class, &path);
                (
                    self.passing(&Acquire { lock: Lock { class, path }, wanted: acquire.wanted }),
                    (chain.through(call), *always),
                )
            });
            let before = Before { first: first.collect(), chain: before.chain.through(call) };
            self.course.signal(*signal, before);
        }
    }

    /// What is waited for, without what does not matter to those who wait for what comes after.
    pub(crate) fn passing(&self, acquire: &Acquire) -> Acquire {
        let Lock { class, path } = &acquire.lock;
        let path = match self.context.is_open(*class) {
            true => path.bare(),
            false => Path::unknown(),
        };
        Acquire { lock: Lock { class: *class, path }, wanted: acquire.wanted }
    }

    /// Takes in what code that runs on a stack of its own does to channels.
    pub(crate) fn include_course(
        &mut self,
        inner: Course,
        (body, within): (BodyId, &Summary),
        deferred: bool,
    ) {
        let (context, ends) = (self.context, !deferred);
        let body_of = context.index.bodies[body];
        let at_the_end = |course: &Course| {
            let mut found = Vec::new();
            let Some(code) = body_of.body.locals.get(1).filter(|_| ends) else { return found };
            let code = match code {
                Ty::Ref(_, inner) => inner,
                other => other,
            };
            for (side, kind) in SIDES {
                for channel in context.channels.within(context, body_of.krate, code, side) {
                    if course.gives(kind, channel) {
                        continue;
                    }
                    let action =
                        format!("ends, and with it what it has of {}", context.channels.name(channel));
                    let (function, span) =
                        (Arc::clone(context.function_name(body)), body_of.body.span.clone());
                    let chain = Chain::of(ChainStep { function, action: action.into(), span });
                    let site = (body, usize::MAX);
                    let signal = Signal { kind, channel, site, rooted: true, deferred: false };
                    found.push((signal, Before { chain, ..course.all() }));
                }
            }
            found
        };
        for (signal, before) in inner.of_its_own(deferred, at_the_end) {
            if !context.waits_itself(&signal, within) {
                self.course.signal(signal, before);
            }
        }
    }

    /// What goes away when a destructor has run: the ends among the fields of its type.
    pub(crate) fn ends_of_destructor(&mut self) {
        if self.context.channels.is_empty() || !self.context.index.destructors().any(|body| body == self.id) {
            return;
        }
        let Some(Ty::Ref(_, of)) = self.body.locals.get(1) else { return };
        let returns = self
            .body
            .blocks
            .iter()
            .enumerate()
            .filter(|(_, block)| matches!(block.terminator, crate::mir::ir::Terminator::Return));
        let returns: Vec<usize> = returns.map(|(number, _)| number).collect();
        for (side, kind) in SIDES {
            for channel in self.context.channels.within(self.context, self.krate, of, side) {
                if self.course.gives(kind, channel) {
                    continue;
                }
                for &block in &returns {
                    self.course.block = block;
                    let span = self.body.blocks[block].span.clone();
                    self.signal_at(kind, &BTreeSet::from([channel]), block, &span);
                }
            }
        }
    }
}

/// What goes away with an end on each side.
const SIDES: [(Side, SignalKind); 2] =
    [(Side::Sender, SignalKind::SenderGone), (Side::Receiver, SignalKind::ReceiverGone)];

impl Context<'_> {
    /// Whether it is the one who waits who lets a sender go, and does so first: that does not hold it up.
    pub(crate) fn waits_itself(&self, signal: &Signal, summary: &Summary) -> bool {
        let waits = |acquire: &Arc<Acquire>| {
            self.waited(acquire.lock.class).and_then(Waited::channel) == Some(signal.channel)
        };
        signal.kind == SignalKind::SenderGone && summary.acquires.keys().any(waits)
    }
}
