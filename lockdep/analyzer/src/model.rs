//! What is known of code that is not read: which calls acquire, which types are guards, which functions pass
//! objects through. The table itself is data (`models.toml`); this file only looks things up in it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Deserialize;

use crate::graph::{Held, Wanted};
use crate::mir::ir::Callee;
use crate::mir::ir::Ty;

/// The table as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    families: BTreeMap<String, BTreeSet<String>>,
    lock: Vec<LockModel>,
    wait: Vec<WaitModel>,
    guards: Types,
    plain: Traits,
    asynchronous: Families,
    pointers: Types,
    functions: Functions,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockModel {
    r#type: String,
    class: ClassSource,
    /// The holder is let in again.
    #[serde(default)]
    reentrant: bool,
    /// It is made of other known locks: where its own code is read, that says more.
    #[serde(default)]
    composite: bool,
    /// It is a lock only while its content is made, beside those in the content.
    #[serde(default)]
    cell: bool,
    #[serde(default)]
    acquire: BTreeMap<String, Mode>,
    #[serde(default)]
    attempt: BTreeMap<String, Mode>,
    #[serde(default)]
    during: BTreeMap<String, Mode>,
    #[serde(default)]
    future: BTreeMap<String, Mode>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitModel {
    r#type: String,
    #[serde(default)]
    gives: BTreeSet<String>,
    #[serde(default)]
    lends: BTreeSet<String>,
    #[serde(default)]
    opens: BTreeSet<String>,
}

/// How a function releases a lock for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The guard is the second argument, and is returned.
    Gives,
    /// The guard is lent by the second argument.
    Lends,
    /// The guard is lent by the first argument; code among the others runs while the lock is released.
    Opens,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Families {
    families: BTreeSet<String>,
}

/// Where the class of a lock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassSource {
    /// In the last generic argument of the type: the class is declared.
    LastArgument,
    /// In the place that holds the lock.
    Place,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    Exclusive,
    Shared,
    SharedRecursive,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Types {
    types: HashSet<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Traits {
    traits: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Functions {
    same: BTreeSet<String>,
    takes: BTreeSet<String>,
    replaces: BTreeSet<String>,
    swaps: BTreeSet<String>,
    drops: BTreeSet<String>,
    downgrades: BTreeSet<String>,
    unlocks: BTreeSet<String>,
    copy: BTreeSet<String>,
    deref: BTreeSet<String>,
    element: BTreeSet<String>,
    starts: BTreeSet<String>,
    advances: BTreeSet<String>,
    finds: BTreeSet<String>,
    borrows: BTreeSet<String>,
    opens: BTreeSet<String>,
    sifts: BTreeSet<String>,
    items: BTreeSet<String>,
    unwrap: BTreeSet<String>,
    forget: BTreeSet<String>,
    once: BTreeSet<String>,
    instead: BTreeSet<String>,
    spawn: BTreeSet<String>,
    join: BTreeSet<String>,
    scope: BTreeSet<String>,
    notify: BTreeSet<String>,
    meet: BTreeSet<String>,
    upgrade: BTreeSet<String>,
    unclassed: BTreeSet<String>,
    roles: BTreeSet<String>,
    trusted_crates: BTreeSet<String>,
    destroys: BTreeSet<String>,
    may_destroy: BTreeSet<String>,
    moves: BTreeSet<String>,
    /// What runs methods of the types it is given: a function, or all functions of a type or trait.
    runs: BTreeMap<String, BTreeSet<String>>,
}

/// The lookup.
#[derive(Debug)]
pub struct Models {
    table: Table,
    /// The family of each crate.
    families: HashMap<String, String>,
    /// What each known function does.
    effects: HashMap<String, Effect>,
    /// Position in the table of each lock type.
    locks: HashMap<String, usize>,
}

/// When an acquiring function acquires, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It waits, and the result holds the lock.
    Waits,
    /// It does not wait, and the result may hold the lock.
    Tries,
    /// It waits, runs the code it is given and releases.
    During,
    /// The result waits when it is awaited.
    Awaited,
}

/// A kind of acquisition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquiring {
    /// Where the class stands.
    pub class: ClassSource,
    /// How it is wanted.
    pub wanted: Wanted,
    /// How it is held then.
    pub held: Held,
    /// When and for how long.
    pub how: How,
    /// The holder is let in again.
    pub reentrant: bool,
    /// It is made of other known locks.
    pub composite: bool,
    /// It is the lock of a cell, beside those in its content.
    pub cell: bool,
}

/// What a function of containers and iterators does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Iteration {
    /// The result iterates over all elements of what the first argument points to, or is that iterator.
    Starts,
    /// The result contains the next element of the iterator that the first argument points to.
    Advances,
    /// The result contains some element of what the first argument points to.
    Finds,
    /// The result contains a pointer to the content of the option that the first argument points to.
    Borrows,
    /// The result contains a pointer to the content of the cell that the first argument points to.
    Opens,
    /// The result iterates over some elements of the first argument.
    Sifts,
}

/// What a function that exchanges contents does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// The result is the first argument.
    Moves,
    /// The result is what the first argument points to, and nothing is left there.
    Takes,
    /// The result is what the first argument points to, and the second is put there.
    Replaces,
    /// What the first two arguments point to changes places.
    Swaps,
    /// What the first argument points to is destroyed.
    Drops,
    /// The result is the guard that is the first argument, which now lets readers in.
    Downgrades,
    /// The lock that the first argument points to is released.
    Unlocks,
}

/// What a known function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Acquires the lock that the first argument points to.
    Acquire(Acquiring),
    /// Releases the lock of a guard and acquires it again.
    Wait(Waiting),
    /// Iterates, or looks into a container.
    Iterate(Iteration),
    /// Moves or exchanges contents.
    Exchange(Exchange),
    /// The result is what the first argument points to, if that is a pointer.
    Copy,
    /// The result points to what the pointer behind the first argument points to.
    Deref,
    /// The result points to some element of what the first argument points to.
    Element,
    /// The result is what the first argument contains.
    Unwrap,
    /// The first argument stays alive for ever.
    Forget,
    /// Runs its argument on a stack of its own.
    Spawn,
    /// Waits for the thread that the first argument stands for.
    Join,
    /// Runs its argument, and waits for the threads that it has started.
    Scope,
    /// Ends waits for a condition variable, the first argument.
    Notify,
    /// Waits at a barrier, the first argument.
    Meet,
    /// The guard that is the first argument waits for the other holders of its lock.
    Upgrade,
    /// Acquires a lock whose class is not known before it runs.
    Unclassed,
    /// The second argument's domain controls the first's.
    Roles,
}

impl Models {
    /// The table that ships with the analyzer.
    ///
    /// # Panics
    /// If the shipped table is not well formed, which a test excludes.
    pub fn shipped() -> Models {
        Models::new(
            toml::from_str(include_str!("models.toml")).expect("the shipped models.toml is well formed"),
        )
    }

    fn new(table: Table) -> Models {
        let mut families = HashMap::new();
        for (family, crates) in &table.families {
            families.extend(crates.iter().map(|krate| (krate.clone(), family.clone())));
        }
        let mut effects = HashMap::new();
        let functions = &table.functions;
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
        for model in &table.wait {
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
        for model in &table.lock {
            effects.extend(model.effects());
        }
        let locks = table.lock.iter().enumerate().map(|(at, lock)| (lock.r#type.clone(), at)).collect();
        Models { table, families, effects, locks }
    }

    /// What the function with this [`Models::key`] does, if it is known.
    pub fn effect(&self, key: &str) -> Option<Effect> {
        self.effects.get(key).copied()
    }

    /// Whether a value of the type with this key keeps a lock held.
    pub fn is_guard(&self, key: &str) -> bool {
        self.table.guards.types.contains(key)
    }

    /// Whether no trait object of this trait, printed with its path, keeps a lock held.
    pub fn is_plain(&self, of: &str) -> bool {
        let last = of.split('<').next().unwrap_or(of).trim().rsplit("::").next().unwrap_or(of);
        self.table.plain.traits.contains(last)
    }

    /// Whether tasks wait for a lock of the type with this key.
    pub fn is_of_tasks(&self, key: &str) -> bool {
        self.table.asynchronous.families.contains(key.split("::").next().unwrap_or_default())
    }

    /// Whether copies of a value of the type with this key point to one object.
    pub fn is_pointer(&self, key: &str) -> bool {
        self.table.pointers.types.contains(key)
    }

    /// Whether the type with this key is a lock whose class is the place that holds it.
    pub fn is_placed_lock(&self, key: &str) -> bool {
        self.locks.get(key).is_some_and(|at| self.table.lock[*at].class == ClassSource::Place)
    }

    /// Whether the function with this [`Models::key`] calls the code it is given at most once.
    pub fn calls_once(&self, key: &str) -> bool {
        let functions = &self.table.functions;
        let owner = key.rsplit_once("::").map_or("", |(owner, _)| owner);
        functions.once.contains(key) || functions.once.contains(owner) || functions.instead.contains(key)
    }

    /// Whether the function with this [`Models::key`] runs the code it is given only where its first argument is empty.
    pub fn runs_instead(&self, key: &str) -> bool {
        self.table.functions.instead.contains(key)
    }

    /// Whether the function with this [`Models::key`] gives the code it is given the elements, or the content, of its
    /// first argument.
    pub fn gives_items(&self, key: &str) -> bool {
        self.table.functions.items.contains(key)
    }

    /// The methods, as `Trait::method`, that the function with this [`Models::key`] runs of the types it is given.
    pub fn methods_run_by(&self, key: &str) -> impl Iterator<Item = &str> {
        let runs = &self.table.functions.runs;
        // `<impl [a::Item]>::sort`: a method of slices, with the item's type in it.
        let of_slices = key.rsplit_once("]>::").map(|(_, method)| format!("std::slice::{method}"));
        let key = of_slices.as_deref().unwrap_or(key);
        let owner = key.rsplit_once("::").map_or("", |(owner, _)| owner);
        let methods = runs.get(key).or_else(|| runs.get(owner));
        methods.into_iter().flatten().map(String::as_str)
    }

    /// Whether the function with this [`Models::key`] destroys contents of its first argument in place.
    pub fn destroys(&self, key: &str) -> bool {
        self.table.functions.destroys.contains(key)
    }

    /// Whether the function with this [`Models::key`] may destroy contents of its first argument in place, or may not.
    pub fn may_destroy(&self, key: &str) -> bool {
        self.table.functions.may_destroy.contains(key)
    }

    /// Whether the function with this [`Models::key`] destroys nothing that it is given a reference to.
    pub fn only_moves(&self, key: &str) -> bool {
        self.table.functions.moves.contains(key)
    }

    /// Whether the type with this [`Models::key`] is a condition variable or a barrier.
    pub fn is_signal(&self, key: &str) -> bool {
        let waits = |model: &&WaitModel| model.r#type == key && model.opens.is_empty();
        self.table.wait.iter().any(|model| waits(&model))
            || self.table.functions.meet.contains(&format!("{key}::wait"))
    }

    /// Whether the crate's functions are modelled here wherever they matter.
    pub fn trusts(&self, krate: &str) -> bool {
        self.table.functions.trusted_crates.contains(krate)
    }

    /// How the tables call what `path` of crate `krate` (empty if the path starts with it) names: the family and the
    /// last `segments` segments.
    pub fn key(&self, krate: &str, path: &str, segments: usize) -> Option<String> {
        let plain = without_impl(path);
        let mut parts: Vec<&str> = plain.split("::").collect();
        let mut family = self.families.get(krate);
        if krate.is_empty() {
            let at = parts.iter().rposition(|part| self.families.contains_key(*part))?;
            family = self.families.get(parts[at]);
            parts.drain(..=at);
        }
        let kept = parts.len().saturating_sub(segments);
        (!parts.is_empty())
            .then(|| format!("{}::{}", family.map_or("", String::as_str), parts[kept..].join("::")))
    }
}

impl LockModel {
    fn effects(&self) -> impl Iterator<Item = (String, Effect)> {
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
                let (class, reentrant, cell, composite) =
                    (self.class, self.reentrant, self.cell, self.composite);
                let acquiring = Acquiring { class, wanted, held, how, reentrant, cell, composite };
                (format!("{}::{method}", self.r#type), Effect::Acquire(acquiring))
            },
        )
    }
}

/// `core::slice::slice::iter` of `core::slice::<impl [a::T]>::iter`: methods of slices are known as those of `slice`.
fn without_impl(path: &str) -> Cow<'_, str> {
    match (path.find("<impl ["), path.rfind("]>::")) {
        (Some(start), Some(end)) if start < end => {
            Cow::Owned(format!("{}slice::{}", &path[..start], &path[end + 4..]))
        }
        _ => Cow::Borrowed(path),
    }
}

/// `Trait::method` or `path::function`, with `std` and `alloc` re-exports of `core` items folded into `core`.
pub fn canonical(callee: &Callee) -> Option<String> {
    let name = match callee {
        Callee::Path { path, .. } => path.clone(),
        Callee::Qualified { of: Some(Ty::Path(of, _)), method, .. } => format!("{of}::{method}"),
        _ => return None,
    };
    match name.strip_prefix("std::") {
        Some(rest) if !rest.starts_with("thread::") && !rest.starts_with("sync::") => {
            Some(format!("core::{rest}"))
        }
        _ => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_known_by_every_way_to_it() {
        let models = Models::shipped();
        let ways = [
            "lock_api::Mutex",
            "parking_lot::lock_api::Mutex",
            "lock_api::mutex::Mutex",
            "a::lock_api::Mutex",
        ];
        for way in ways {
            let key = models.key("", way, 1).expect("a known family");
            assert!(models.is_placed_lock(&key), "{way}");
            let key = models.key("", &format!("{way}::lock"), 2).expect("a known family");
            assert!(matches!(models.effect(&key), Some(Effect::Acquire(_))), "{way}");
        }
        assert_eq!(models.key("lock_api", "mutex::Mutex", 1).as_deref(), Some("lock_api::Mutex"));
        assert_eq!(models.key("", "mine::Mutex", 1), None);
    }

    #[test]
    fn a_recursive_read_is_told_from_a_fair_one() {
        let models = Models::shipped();
        let wanted = |method: &str| match models.effect(&format!("lock_api::RwLock::{method}")) {
            Some(Effect::Acquire(acquiring)) => Some((acquiring.wanted, acquiring.how)),
            _ => None,
        };
        assert_eq!(wanted("read"), Some((Wanted::Shared, How::Waits)));
        assert_eq!(wanted("read_recursive"), Some((Wanted::SharedRecursive, How::Waits)));
        assert_eq!(wanted("try_write"), Some((Wanted::Exclusive, How::Tries)));
    }
}
