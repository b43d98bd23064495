//! What a function has to wait for on the way to a message: locks that every way to a send, or to a receive, takes.
//!
//! Whoever waits for a message waits for these, too, though none of them need be held any more when it is sent. They
//! are found per function, on its blocks, once its effects are known, and grow on the way out to the callers. A lock
//! that is taken between one message and the next, but not before the first, comes before some messages only. Part of
//! the transfer functions; what becomes of it is in `messages.rs`.

use std::collections::{BTreeMap, BTreeSet};

use crate::chain::{Chain, keep};
use crate::channels::ChannelId;
use crate::flow::Flow;
use crate::index::BodyId;
use crate::mir::ir::Terminator;
use crate::summary::{Acquire, Summary};

/// What ends a wait for a channel, or is a part of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignalKind {
    /// A message goes in.
    Sent,
    /// A message comes out.
    Received,
    /// A sender goes away.
    SenderGone,
    /// The receiver goes away.
    ReceiverGone,
}

/// One place where that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal {
    /// What happens.
    pub kind: SignalKind,
    /// To which channel.
    pub channel: ChannelId,
    /// Body and block, or the end of the body.
    pub site: (BodyId, usize),
    /// What callers do first does not matter.
    pub rooted: bool,
    /// It is in code of which it is not known who runs it.
    pub deferred: bool,
}

/// What comes before a signal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Before {
    /// The way to the signal.
    pub chain: Chain,
    /// What is waited for on the way, and whether always.
    pub first: BTreeMap<Acquire, (Chain, bool)>,
}

impl Before {
    fn add(&mut self, acquire: &Acquire, chain: &Chain, always: bool) {
        let known = self.first.entry(acquire.clone()).or_insert_with(|| (chain.clone(), always));
        known.1 |= always;
        if *chain < known.0 {
            known.0 = chain.clone();
        }
    }
}

impl Summary {
    /// Adds a signal, or another way to one that is known: what comes first is what comes first on all ways.
    pub fn add_signal(&mut self, signal: Signal, before: Before) {
        let Some(known) = self.signals.get_mut(&signal) else {
            self.signals.insert(signal, before);
            return;
        };
        known.chain = known.chain.clone().min(before.chain.clone());
        for (acquire, (chain, always)) in &mut known.first {
            let there = before.first.get(acquire);
            *always &= there.is_some_and(|(_, always)| *always);
            // The better chain stays, or functions that call each other would find ever longer ones.
            if let Some((other, _)) = there
                && *other < *chain
            {
                chain.clone_from(other);
            }
        }
        for (acquire, (chain, _)) in before.first {
            known.first.entry(acquire).or_insert((chain, false));
        }
    }
}

/// What happens on the blocks of a function.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// The block at work.
    pub block: usize,
    /// What is acquired now surely is.
    pub surely: bool,
    next: BTreeMap<usize, Vec<usize>>,
    passed: BTreeMap<usize, BTreeMap<Acquire, bool>>,
    chains: BTreeMap<Acquire, Chain>,
    signals: Vec<(usize, Signal, Before)>,
    rooted: Vec<(Signal, Before)>,
}

/// What is known to have been passed where a block begins.
type Passed<'c> = BTreeMap<usize, BTreeSet<&'c Acquire>>;

impl Course {
    /// Where a block leads to.
    pub fn leads_to(&mut self, next: impl Iterator<Item = usize>) {
        self.next.insert(self.block, next.collect());
    }

    /// Something is waited for.
    pub fn pass(&mut self, acquire: &Acquire, chain: &Chain) {
        let surely = self.surely && !chain.possible;
        *self.passed.entry(self.block).or_default().entry(acquire.clone()).or_default() |= surely;
        keep(&mut self.chains, acquire.clone(), chain.clone());
    }

    /// A signal is given.
    pub fn signal(&mut self, signal: Signal, before: Before) {
        match signal.rooted {
            true => self.rooted.push((signal, before)),
            false => self.signals.push((self.block, signal, before)),
        }
    }

    /// The signals of code that runs on a stack of its own, with what comes first there; what `ends` says comes at the end.
    pub fn of_its_own(
        self,
        deferred: bool,
        ends: impl Fn(&Course) -> Vec<(Signal, Before)>,
    ) -> Vec<(Signal, Before)> {
        let at_the_end = ends(&self);
        let all = self.signals.into_iter().map(|(_, signal, before)| (signal, before)).chain(self.rooted);
        all.chain(at_the_end)
            .map(|(signal, before)| {
                let deferred = deferred || signal.deferred;
                (Signal { rooted: true, deferred, ..signal }, before)
            })
            .collect()
    }

    /// Whether a signal was given.
    pub fn has_signals(&self) -> bool {
        !self.signals.is_empty() || !self.rooted.is_empty()
    }

    /// Whether a signal of the kind was given for the channel.
    pub fn gives(&self, kind: SignalKind, channel: ChannelId) -> bool {
        self.signals.iter().any(|(_, signal, _)| (signal.kind, signal.channel) == (kind, channel))
    }

    /// All that was waited for, and whether surely.
    pub fn all(&self) -> Before {
        let mut before = Before::default();
        for (acquire, surely) in self.passed.values().flatten() {
            before.add(acquire, &self.chains[acquire], *surely);
        }
        before
    }

    fn surely_in(&self, block: usize) -> impl Iterator<Item = &Acquire> {
        self.passed
            .get(&block)
            .into_iter()
            .flatten()
            .filter(|(_, surely)| **surely)
            .map(|(acquire, _)| acquire)
    }

    /// What every way to a block passes, from where `from` says what is passed already; `restarts` begins anew.
    fn passed_to(&self, from: Passed<'_>, restarts: impl Fn(usize) -> bool) -> Passed<'_> {
        let mut known: Passed<'_> = BTreeMap::new();
        let own = |set: &BTreeSet<&Acquire>| -> BTreeSet<&Acquire> {
            set.iter()
                .filter_map(|acquire| self.chains.get_key_value(*acquire).map(|(known, _)| known))
                .collect()
        };
        let mut pending: Vec<(usize, BTreeSet<&Acquire>)> =
            from.iter().map(|(block, set)| (*block, own(set))).collect();
        while let Some((block, set)) = pending.pop() {
            let now = match known.get(&block) {
                Some(there) => there.intersection(&set).copied().collect(),
                None => set,
            };
            if known.get(&block) == Some(&now) {
                continue;
            }
            let mut after: BTreeSet<&Acquire> = now.clone();
            after.extend(self.surely_in(block));
            known.insert(block, now);
            if !restarts(block) {
                let next = self.next.get(&block).into_iter().flatten();
                pending.extend(next.map(|next| (*next, after.clone())));
            }
        }
        known
    }

    /// What some way to a block passes.
    fn perhaps_passed_to(&self, block: usize) -> BTreeSet<&Acquire> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::from([block]);
        let mut pending = vec![block];
        while let Some(at) = pending.pop() {
            for (before, next) in &self.next {
                if next.contains(&at) {
                    found.extend(self.passed.get(before).into_iter().flatten().map(|(acquire, _)| acquire));
                    if seen.insert(*before) {
                        pending.push(*before);
                    }
                }
            }
        }
        found
    }
}

impl Flow<'_, '_> {
    /// Puts what comes before what into the summary.
    pub(crate) fn settle_course(&mut self) {
        let Some(mut output) = self.output.take() else { return };
        let course = std::mem::take(&mut self.course);
        let entry = || BTreeMap::from([(0, BTreeSet::new())]);
        // A body that could not be read has no blocks.
        let ends = |block: &usize| self.body.blocks.get(*block).map(|block| &block.terminator);
        let returns = |block: &usize| matches!(ends(block), Some(Terminator::Return));
        let passed = course.passed_to(entry(), |_| false);
        let mut at_end = passed.iter().filter(|(block, _)| returns(block)).map(|(_, passed)| passed);
        if let Some(first) = at_end.next() {
            let others: Vec<_> = at_end.collect();
            let all = |acquire: &&&Acquire| others.iter().all(|there| there.contains(**acquire));
            output.passes = first.iter().filter(all).map(|acquire| Acquire::clone(acquire)).collect();
        }
        let channels: BTreeSet<(SignalKind, ChannelId)> =
            course.signals.iter().map(|(_, signal, _)| (signal.kind, signal.channel)).collect();
        for (kind, channel) in channels {
            let makes =
                |block: usize| self.context.channels.made_in(self.id, block).any(|made| made == channel);
            let makers: BTreeSet<usize> = course.next.keys().copied().filter(|block| makes(*block)).collect();
            let mut from: Passed<'_> = entry();
            let next = |block: &usize| course.next.get(block).into_iter().flatten();
            let after: Passed<'_> =
                makers.iter().flat_map(next).map(|block| (*block, BTreeSet::new())).collect();
            let of_older = course.passed_to(entry(), |block| makers.contains(&block));
            from.extend(after);
            let surely = course.passed_to(from, |block| makers.contains(&block));
            let given: Vec<_> = course
                .signals
                .iter()
                .filter(|(_, signal, _)| (signal.kind, signal.channel) == (kind, channel))
                .collect();
            let gives = |block: usize| given.iter().any(|(at, ..)| *at == block);
            let again: Passed<'_> = given
                .iter()
                .flat_map(|(block, ..)| next(block).map(|to| (*to, course.surely_in(*block).collect())))
                .collect();
            let between = course.passed_to(again, gives);
            for (block, signal, before) in given {
                let mut before = before.clone();
                for acquire in surely.get(block).into_iter().flatten() {
                    before.add(acquire, &course.chains[*acquire], true);
                }
                for acquire in between.get(block).into_iter().flatten() {
                    before.add(acquire, &course.chains[*acquire], false);
                }
                if matches!(kind, SignalKind::SenderGone) {
                    for acquire in course.perhaps_passed_to(*block) {
                        before.add(acquire, &course.chains[acquire], false);
                    }
                }
                let rooted = !makers.is_empty() && !of_older.contains_key(block);
                let signal = Signal { rooted, ..*signal };
                if !rooted || !self.context.waits_itself(&signal, &output) {
                    output.add_signal(signal, before);
                }
            }
        }
        for (signal, before) in course.rooted {
            output.add_signal(signal, before);
        }
        self.output = Some(output);
    }
}
