//! What nests in the waits for channels: what everybody has to wait for first who could end them.
//!
//! The signals of all functions together, once their summaries are settled. It follows no flow.

use std::collections::{BTreeMap, BTreeSet};

use lockdep::order::Relation;

use crate::before::{Before, Signal, SignalKind};
use crate::chain::Chain;
use crate::channels::ChannelId;
use crate::context::Context;
use crate::graph::{Gates, Held, Instances, Nesting};
use crate::index::BodyId;
use crate::summary::{Acquire, ClassId, ClosedNesting, Grounds, Summary, Ways};
use crate::waits::Waited;

/// What comes before the signals of one place, on all ways that were seen.
type Sites<'s> = BTreeMap<(BodyId, usize), Vec<&'s Before>>;

/// What was found of the waits for channels.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// What nests in them.
    pub found: Vec<(Waited, ClosedNesting, Grounds)>,
    /// Those that nobody is seen to end.
    pub unknown: BTreeSet<Waited>,
}

impl Messages {
    /// Finds what nests in the waits in `entered`, by class.
    pub fn new(
        context: &Context<'_>,
        summaries: &[Summary],
        entries: &BTreeSet<BodyId>,
        entered: &BTreeMap<Waited, ClassId>,
    ) -> Messages {
        let mut messages = Messages::default();
        if entered.keys().all(|waited| waited.channel().is_none()) {
            return messages;
        }
        let sites = sites(context, summaries, entries);
        for (&waited, &class) in entered {
            let Some(channel) = waited.channel() else { continue };
            let others: Vec<ChannelId> = context.channels.may_be(channel).collect();
            let of = |kinds: &[SignalKind], channel: ChannelId| -> Vec<&Vec<&Before>> {
                let keys = kinds.iter().filter_map(|kind| sites.get(&(*kind, channel)));
                keys.flat_map(BTreeMap::values).collect()
            };
            let all = |kinds: &[SignalKind]| {
                let perhaps: Vec<_> = others.iter().flat_map(|other| of(kinds, *other)).collect();
                (of(kinds, channel), perhaps)
            };
            let is_none = |(surely, perhaps): &(Vec<_>, Vec<_>)| surely.is_empty() && perhaps.is_empty();
            let gone = [SignalKind::SenderGone];
            let (mut signals, mut universal) = match waited {
                Waited::Room(_) => (all(&[SignalKind::Received]), false),
                Waited::Messages(_) => (all(&gone), true),
                _ => (all(&[SignalKind::Sent]), false),
            };
            if is_none(&signals) && matches!(waited, Waited::Message(_)) {
                (signals, universal) = (all(&gone), true);
            }
            let also = match waited {
                Waited::Room(_) => all(&[SignalKind::ReceiverGone]),
                _ => Default::default(),
            };
            if is_none(&signals) && is_none(&also) {
                messages.unknown.insert(waited);
                continue;
            }
            let mut needs: BTreeMap<&Acquire, (Chain, &Chain, bool)> = BTreeMap::new();
            let everywhere = |acquire: &Acquire| {
                signals.1.is_empty()
                    && signals.0.iter().all(|site| {
                        site.iter().all(|before| before.first.get(acquire).is_some_and(|(_, always)| *always))
                    })
            };
            let surely = signals.0.iter().map(|site| (site, true, false));
            let perhaps = signals.1.iter().map(|site| (site, false, false));
            let also = also.0.iter().chain(&also.1).map(|site| (site, false, true));
            for (site, exact, also) in surely.chain(perhaps).chain(also) {
                for before in site.iter() {
                    for (acquire, (chain, always)) in &before.first {
                        let always = *always
                            && site
                                .iter()
                                .all(|before| before.first.get(acquire).is_some_and(|(_, always)| *always));
                        if also && !always {
                            continue;
                        }
                        let sure = exact && always && (universal || everywhere(acquire));
                        let mut way = before.chain.clone();
                        way.possible |= !sure;
                        let better =
                            needs.get(acquire).is_none_or(|(known, there, _)| (&way, chain) < (known, there));
                        if better {
                            needs.insert(acquire, (way, chain, sure));
                        }
                    }
                }
            }
            for (acquire, (way, chain, _)) in needs {
                let held = acquire.lock.class;
                if context.is_open(held) {
                    continue;
                }
                let nesting = Nesting {
                    held: class,
                    wanted: held,
                    relation: Relation::Other,
                    held_as: Held::Exclusive,
                    wanted_as: acquire.wanted,
                    instances: Instances::Any,
                };
                let ways = Ways { held: way, wanted: chain.clone(), gates: Gates::default(), apart: false };
                let closed = ClosedNesting { nesting, ownerless: (true, true), unknown: false, place: None };
                messages.found.push((waited, closed, Grounds { ways, owners: Default::default() }));
            }
        }
        messages
    }
}

/// All signals, with what comes before them for whoever starts there.
fn sites<'s>(
    context: &Context<'_>,
    summaries: &'s [Summary],
    entries: &BTreeSet<BodyId>,
) -> BTreeMap<(SignalKind, ChannelId), Sites<'s>> {
    let mut found: BTreeMap<(SignalKind, ChannelId), Sites<'s>> = BTreeMap::new();
    let mut deferred: Vec<(&Signal, &Before)> = Vec::new();
    for (body, summary) in summaries.iter().enumerate() {
        for (signal, before) in &summary.signals {
            if !signal.rooted && (!entries.contains(&body) || context.waits_itself(signal, summary)) {
                continue;
            }
            if signal.deferred {
                deferred.push((signal, before));
                continue;
            }
            let sites = found.entry((signal.kind, signal.channel)).or_default();
            sites.entry(signal.site).or_default().push(before);
        }
    }
    for (signal, before) in deferred {
        let sites = found.entry((signal.kind, signal.channel)).or_default();
        sites.entry(signal.site).or_insert_with(|| vec![before]);
    }
    found
}
