//! The table of what is known of code that is not read, as it is written: `models.toml`, and what users add to it.
//!
//! Data only. What the names mean is looked up by `model.rs`; what users write is read by `own.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::effect::{
    Acquiring, ChannelCall, ClassSource, Effect, Exchange, How, Iteration, Patience, Waiting,
};
use crate::graph::{Held, Wanted};

/// The table as written.
#[derive(Debug, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) families: BTreeMap<String, BTreeSet<String>>,
    pub(super) lock: Vec<LockModel>,
    pub(super) wait: Vec<WaitModel>,
    pub(super) guards: Types,
    pub(super) plain: Traits,
    pub(super) asynchronous: Families,
    pub(super) pointers: Types,
    pub(super) channels: Channels,
    pub(super) functions: Functions,
}

#[derive(Debug, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockModel {
    pub(super) r#type: String,
    pub(super) class: ClassSource,
    /// The holder is let in again.
    #[serde(default, skip_serializing_if = "is_not")]
    pub(super) reentrant: bool,
    /// It is made of other known locks: where its own code is read, that says more.
    #[serde(default, skip_serializing_if = "is_not")]
    pub(super) composite: bool,
    /// It is a lock only while its content is made, beside those in the content.
    #[serde(default, skip_serializing_if = "is_not")]
    pub(super) cell: bool,
    /// No other thread can reach it: it nests in nothing, and only its holder can take it again.
    #[serde(default, skip_serializing_if = "is_not")]
    pub(super) solitary: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) acquire: BTreeMap<String, Mode>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) attempt: BTreeMap<String, Mode>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) during: BTreeMap<String, Mode>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) future: BTreeMap<String, Mode>,
}

#[derive(Debug, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitModel {
    pub(super) r#type: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) gives: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) lends: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) opens: BTreeSet<String>,
}

#[derive(Debug, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Channels {
    pub(super) senders: BTreeSet<String>,
    pub(super) receivers: BTreeSet<String>,
    pub(super) iterators: BTreeSet<String>,
    pub(super) handles: BTreeSet<String>,
    pub(super) unbounded: BTreeSet<String>,
    pub(super) bounded: BTreeSet<String>,
    pub(super) sends: BTreeSet<String>,
    pub(super) sends_waiting: BTreeSet<String>,
    pub(super) sends_awaited: BTreeSet<String>,
    pub(super) receives: BTreeSet<String>,
    pub(super) receives_waiting: BTreeSet<String>,
    pub(super) receives_awaited: BTreeSet<String>,
    pub(super) selects: BTreeSet<String>,
}

impl Channels {
    /// All names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let types = self.senders.iter().chain(&self.receivers).chain(&self.iterators).chain(&self.handles);
        let made = types.chain(&self.unbounded).chain(&self.bounded);
        let sent = made.chain(&self.sends).chain(&self.sends_waiting).chain(&self.sends_awaited);
        let received = sent.chain(&self.receives).chain(&self.receives_waiting).chain(&self.receives_awaited);
        received.chain(&self.selects).map(String::as_str)
    }

    /// What each function does.
    pub(super) fn calls(&self) -> impl Iterator<Item = (String, ChannelCall)> {
        let all = [
            (&self.unbounded, ChannelCall::Makes { bounded: false }),
            (&self.bounded, ChannelCall::Makes { bounded: true }),
            (&self.sends, ChannelCall::Sends(Patience::None)),
            (&self.sends_waiting, ChannelCall::Sends(Patience::Waits)),
            (&self.sends_awaited, ChannelCall::Sends(Patience::Awaited)),
            (&self.receives, ChannelCall::Receives(Patience::None)),
            (&self.receives_waiting, ChannelCall::Receives(Patience::Waits)),
            (&self.receives_awaited, ChannelCall::Receives(Patience::Awaited)),
            (&self.selects, ChannelCall::Selects),
        ];
        all.into_iter().flat_map(|(names, call)| names.iter().map(move |name| (name.clone(), call)))
    }
}

#[derive(Debug, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Families {
    pub(super) families: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mode {
    Exclusive,
    Shared,
    SharedRecursive,
}

#[derive(Debug, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Types {
    pub(super) types: BTreeSet<String>,
}

#[derive(Debug, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Traits {
    pub(super) traits: BTreeSet<String>,
}

#[derive(Debug, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Functions {
    pub(super) same: BTreeSet<String>,
    pub(super) takes: BTreeSet<String>,
    pub(super) replaces: BTreeSet<String>,
    pub(super) swaps: BTreeSet<String>,
    pub(super) drops: BTreeSet<String>,
    pub(super) downgrades: BTreeSet<String>,
    pub(super) unlocks: BTreeSet<String>,
    pub(super) copy: BTreeSet<String>,
    pub(super) deref: BTreeSet<String>,
    pub(super) element: BTreeSet<String>,
    pub(super) starts: BTreeSet<String>,
    pub(super) advances: BTreeSet<String>,
    pub(super) finds: BTreeSet<String>,
    pub(super) borrows: BTreeSet<String>,
    pub(super) opens: BTreeSet<String>,
    pub(super) sifts: BTreeSet<String>,
    pub(super) items: BTreeSet<String>,
    pub(super) lends: BTreeSet<String>,
    pub(super) unwrap: BTreeSet<String>,
    pub(super) forget: BTreeSet<String>,
    pub(super) once: BTreeSet<String>,
    pub(super) instead: BTreeSet<String>,
    pub(super) spawn: BTreeSet<String>,
    pub(super) join: BTreeSet<String>,
    pub(super) scope: BTreeSet<String>,
    pub(super) notify: BTreeSet<String>,
    pub(super) meet: BTreeSet<String>,
    pub(super) upgrade: BTreeSet<String>,
    pub(super) unclassed: BTreeSet<String>,
    pub(super) roles: BTreeSet<String>,
    pub(super) trusted_crates: BTreeSet<String>,
    pub(super) destroys: BTreeSet<String>,
    pub(super) may_destroy: BTreeSet<String>,
    pub(super) moves: BTreeSet<String>,
    /// What runs methods of the types it is given: a function, or all functions of a type, trait or family.
    pub(super) runs: BTreeMap<String, BTreeSet<String>>,
    /// Types whose destructors run methods of the types in them, or the code.
    pub(super) runs_dropped: BTreeMap<String, BTreeSet<String>>,
    /// Types whose values keep something of a type that is hidden from their own.
    pub(super) holds_any: BTreeMap<String, BTreeSet<String>>,
    /// What runs methods of types that are hidden from its own.
    pub(super) runs_any: BTreeMap<String, BTreeSet<String>>,
}

impl Table {
    /// What each function that it names does.
    pub(super) fn effects(&self) -> impl Iterator<Item = (String, Effect)> {
        let mut effects = Vec::new();
        let functions = &self.functions;
        let named = [
            (&functions.same, Effect::Exchange(Exchange::Moves)),
            (&functions.takes, Effect::Exchange(Exchange::Takes)),
            (&functions.replaces, Effect::Exchange(Exchange::Replaces)),
            (&functions.swaps, Effect::Exchange(Exchange::Swaps)),
            (&functions.drops, Effect::Exchange(Exchange::Drops)),
            (&functions.downgrades, Effect::Exchange(Exchange::Downgrades)),
            (&functions.unlocks, Effect::Exchange(Exchange::Unlocks)),
            (&functions.copy, Effect::Copy),
            (&functions.deref, Effect::Deref),
            (&functions.element, Effect::Element),
            (&functions.starts, Effect::Iterate(Iteration::Starts)),
            (&functions.advances, Effect::Iterate(Iteration::Advances)),
            (&functions.finds, Effect::Iterate(Iteration::Finds)),
            (&functions.borrows, Effect::Iterate(Iteration::Borrows)),
            (&functions.opens, Effect::Iterate(Iteration::Opens)),
            (&functions.sifts, Effect::Iterate(Iteration::Sifts)),
            (&functions.unwrap, Effect::Unwrap),
            (&functions.forget, Effect::Forget),
            (&functions.spawn, Effect::Spawn),
            (&functions.join, Effect::Join),
            (&functions.scope, Effect::Scope),
            (&functions.notify, Effect::Notify),
            (&functions.meet, Effect::Meet),
            (&functions.upgrade, Effect::Upgrade),
            (&functions.unclassed, Effect::Unclassed),
            (&functions.roles, Effect::Roles),
        ];
        for (names, effect) in named {
            effects.extend(names.iter().map(|name| (name.clone(), effect)));
        }
        for model in &self.wait {
            let all = [
                (&model.gives, Waiting::Gives),
                (&model.lends, Waiting::Lends),
                (&model.opens, Waiting::Opens),
            ];
            for (methods, waiting) in all {
                let waits = |method| (format!("{}::{method}", model.r#type), Effect::Wait(waiting));
                effects.extend(methods.iter().map(waits));
            }
        }
        for model in &self.lock {
            effects.extend(model.methods().map(|(method, how)| (method, Effect::Acquire(how))));
        }
        effects.into_iter()
    }
}

impl Table {
    /// Makes `RefCell` a lock of one thread.
    pub(super) fn add_refcell(&mut self) {
        let methods =
            |names: &[(&str, Mode)]| names.iter().map(|(name, mode)| ((*name).into(), *mode)).collect();
        let (read, write) = (Mode::SharedRecursive, Mode::Exclusive);
        self.lock.push(LockModel {
            r#type: "std::RefCell".into(),
            class: ClassSource::Place,
            reentrant: false,
            composite: false,
            cell: false,
            solitary: true,
            acquire: methods(&[("borrow", read), ("borrow_mut", write)]),
            attempt: methods(&[("try_borrow", Mode::Shared), ("try_borrow_mut", write)]),
            during: methods(&[("replace", write), ("replace_with", write), ("swap", write), ("take", write)]),
            future: BTreeMap::new(),
        });
        self.guards.types.extend(["std::Ref".into(), "std::RefMut".into()]);
    }
}

impl LockModel {
    /// How each of its methods acquires.
    pub(super) fn methods(&self) -> impl Iterator<Item = (String, Acquiring)> {
        let all = [
            (&self.acquire, How::Waits),
            (&self.attempt, How::Tries),
            (&self.during, How::During),
            (&self.future, How::Awaited),
        ];
        all.into_iter().flat_map(|(methods, how)| methods.iter().map(move |(m, mode)| (m, *mode, how))).map(
            |(method, mode, how)| {
                let (wanted, held) = match mode {
                    Mode::Exclusive => (Wanted::Exclusive, Held::Exclusive),
                    Mode::Shared => (Wanted::Shared, Held::Shared),
                    Mode::SharedRecursive => (Wanted::SharedRecursive, Held::Shared),
                };
                let &LockModel { class, reentrant, cell, composite, .. } = self;
                let acquiring = Acquiring { class, wanted, held, how, reentrant, cell, composite };
                (format!("{}::{method}", self.r#type), acquiring)
            },
        )
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_not(flag: &bool) -> bool {
    !flag
}
