//! What is known of code that is not read: which calls acquire, which types are guards, which functions pass
//! objects through. The table itself is data (`models.toml`); this file only looks things up in it.

mod effect;
mod own;
mod table;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use crate::mir::ir::{Callee, Ty};

pub use effect::{
    Acquiring, ChannelCall, ClassSource, Effect, Exchange, How, Iteration, Patience, Side, Waiting,
};
pub use own::{ConfigError, Defaults};
use table::{LockModel, Table, WaitModel};
pub use toml::ser::Error as WriteError;

/// The lookup.
#[derive(Debug)]
pub struct Models {
    table: Table,
    /// The family of each crate.
    families: BTreeMap<String, String>,
    /// What each known function does.
    effects: HashMap<String, Effect>,
    /// What functions of channels do.
    channel_calls: HashMap<String, ChannelCall>,
    /// The last segments of all names of channels.
    channel_words: HashSet<String>,
    /// Position in the table of each lock type.
    locks: HashMap<String, usize>,
    /// Types whose values keep a lock held.
    guards: HashSet<String>,
    /// Types whose copies point to one object.
    pointers: HashSet<String>,
    /// What users have named, as they have.
    own: BTreeSet<String>,
    /// How many things they have said.
    described: usize,
}

/// Everything else is made of these.
impl Hash for Models {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.table, &self.families, &self.own, self.described).hash(state);
    }
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
        let mut families = BTreeMap::new();
        for (family, crates) in &table.families {
            families.extend(crates.iter().map(|krate| (krate.clone(), family.clone())));
        }
        let effects = table.effects().collect();
        let channel_calls = table.channels.calls().collect();
        let channel_words =
            table.channels.names().filter_map(|name| Some(name.rsplit("::").next()?.to_owned()));
        let channel_words = channel_words.collect();
        let (guards, pointers) = (&table.guards.types, &table.pointers.types);
        let (guards, pointers) = (guards.iter().cloned().collect(), pointers.iter().cloned().collect());
        let locks = table.lock.iter().enumerate().map(|(at, lock)| (lock.r#type.clone(), at)).collect();
        Models {
            families,
            effects,
            channel_calls,
            channel_words,
            locks,
            guards,
            pointers,
            table,
            own: BTreeSet::new(),
            described: 0,
        }
    }

    /// The table that ships and what the text of a `lockdep.toml` adds to it, and what that says of options.
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn configured(text: &str) -> Result<(Models, Defaults), ConfigError> {
        own::read(text)
    }

    /// The same where a `std::cell::RefCell` counts as a lock: a second borrow does not wait, but panics.
    #[must_use]
    pub fn with_refcells(mut self) -> Models {
        self.table.add_refcell();
        let (own, described) = (self.own, self.described);
        Models { own, described, ..Models::new(self.table) }
    }

    /// Whether no two threads can reach one lock of the type with this key.
    pub fn is_solitary(&self, key: &str) -> bool {
        self.locks.get(key).is_some_and(|at| self.table.lock[*at].solitary)
    }

    /// How many things are known because a `lockdep.toml` says so.
    pub fn described(&self) -> usize {
        self.described
    }

    /// The table, in the form of `models.toml`.
    ///
    /// # Errors
    /// If it cannot be written, which a test excludes.
    pub fn to_toml(&self) -> Result<String, WriteError> {
        toml::to_string_pretty(&self.table)
    }

    /// What the function with this [`Models::key`] does, if it is known.
    pub fn effect(&self, key: &str) -> Option<Effect> {
        self.effects.get(key).copied()
    }

    /// The functions that acquire, by their [`Models::key`]s.
    pub fn acquiring(&self) -> impl Iterator<Item = (String, Acquiring)> {
        self.table.lock.iter().flat_map(LockModel::methods)
    }

    /// Whether a value of the type with this key keeps a lock held.
    pub fn is_guard(&self, key: &str) -> bool {
        self.guards.contains(key)
    }

    /// Whether no trait object of this trait, printed with its path, keeps a lock held.
    pub fn is_plain(&self, of: &str) -> bool {
        let last = of.split('<').next().unwrap_or(of).trim().rsplit("::").next().unwrap_or(of);
        self.table.plain.traits.contains(last)
    }

    /// Whether tasks wait for a lock of the type with this key: all of a family do, and those whose waiting is awaited.
    pub fn is_of_tasks(&self, key: &str) -> bool {
        self.table.asynchronous.families.contains(key.split("::").next().unwrap_or_default())
            || self.locks.get(key).is_some_and(|at| !self.table.lock[*at].future.is_empty())
    }

    /// Whether copies of a value of the type with this key point to one object.
    pub fn is_pointer(&self, key: &str) -> bool {
        self.pointers.contains(key)
    }

    /// Whether the type with this key is a lock whose class is the place that holds it, or a handle to one lock.
    pub fn is_placed_lock(&self, key: &str) -> bool {
        self.locks.get(key).is_some_and(|at| self.table.lock[*at].class != ClassSource::LastArgument)
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

    /// Whether the function with this [`Models::key`] gives the code it is given a pointer to what its first argument
    /// stands for.
    pub fn lends_content(&self, key: &str) -> bool {
        self.table.functions.lends.contains(key)
    }

    /// The methods, as `Trait::method`, that the function with this [`Models::key`] runs of the types it is given.
    pub fn methods_run_by(&self, key: &str) -> impl Iterator<Item = &str> {
        let runs = &self.table.functions.runs;
        // `<impl [a::Item]>::sort`: a method of slices, with the item's type in it.
        let of_slices = key.rsplit_once("]>::").map(|(_, method)| format!("std::slice::{method}"));
        let key = of_slices.as_deref().unwrap_or(key);
        let owner = key.rsplit_once("::").map_or("", |(owner, _)| owner);
        let family = key.split("::").next().unwrap_or_default();
        let methods = runs.get(key).or_else(|| runs.get(owner)).or_else(|| runs.get(family));
        methods.into_iter().flatten().map(String::as_str)
    }

    /// The methods, as `Trait::method`, that the function with this [`Models::key`] runs of whatever implements them: its
    /// types do not say of what.
    pub fn methods_run_by_any(&self, key: &str) -> impl Iterator<Item = &str> {
        self.table.functions.runs_any.get(key).into_iter().flatten().map(String::as_str)
    }

    /// The methods, as `Trait::method`, that the destructor of the type with this [`Models::key`] runs of its arguments.
    pub fn methods_run_by_drop(&self, key: &str) -> impl Iterator<Item = &str> {
        self.table.functions.runs_dropped.get(key).into_iter().flatten().map(String::as_str)
    }

    /// A method, as `Trait::method`, of each trait of which a value of the type with this [`Models::key`] keeps something
    /// that implements it: its types do not say what.
    pub fn held_by_any(&self, key: &str) -> impl Iterator<Item = &str> {
        self.table.functions.holds_any.get(key).into_iter().flatten().map(String::as_str)
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

    /// The side of the channel end that the type with this key of two segments, or of one, is.
    pub fn end(&self, key: &str) -> Option<Side> {
        let channels = &self.table.channels;
        let of = |types: &BTreeSet<String>, side| types.contains(key).then_some(side);
        of(&channels.senders, Side::Sender)
            .or_else(|| of(&channels.receivers, Side::Receiver))
            .or_else(|| of(&channels.handles, Side::Handle))
    }

    /// Whether a value of the type with this key is an iterator over the messages of a channel, until its end.
    pub fn drains(&self, key: &str) -> bool {
        self.table.channels.iterators.contains(key)
    }

    /// Whether a path that ends so may name a channel's end or function.
    pub fn may_be_of_channels(&self, last: &str) -> bool {
        self.channel_words.contains(last)
    }

    /// What the function with this key of three segments, or of two, does with a channel.
    pub fn channel_call(&self, key: &str) -> Option<ChannelCall> {
        self.channel_calls.get(key).copied()
    }

    /// Whether the crate's functions are modelled here wherever they matter.
    pub fn trusts(&self, krate: &str) -> bool {
        self.table.functions.trusted_crates.contains(krate)
    }

    /// How the tables call what `path` of crate `krate` (empty if the path starts with it) names: the family and the
    /// last `segments` segments.
    pub fn key(&self, krate: &str, path: &str, segments: usize) -> Option<String> {
        if let Some(own) = self.own_key(krate, path, segments) {
            return Some(own);
        }
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

    /// The same for what users have named: by all of its path, or by its crate and what comes last.
    fn own_key(&self, krate: &str, path: &str, segments: usize) -> Option<String> {
        if self.own.is_empty() {
            return None;
        }
        let whole = if krate.is_empty() { path.to_owned() } else { format!("{krate}::{path}") };
        if self.own.contains(&whole) {
            return Some(whole);
        }
        let parts: Vec<&str> = whole.split("::").collect();
        (1..=segments).rev().filter(|kept| parts.len() > kept + 1).find_map(|kept| {
            let at = parts.len() - kept;
            // A method is not named without its type.
            let method = kept < segments && parts[at - 1].starts_with(char::is_uppercase);
            let name = format!("{}::{}", parts[0], parts[at..].join("::"));
            (!method && self.own.contains(&name)).then_some(name)
        })
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
    use crate::graph::Wanted;

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

    #[test]
    fn tasks_wait_for_what_is_awaited() {
        let text = "[[lock]]\ntype = \"mine::Slow\"\nfuture = { lock = \"exclusive\" }\n\
                    [[lock]]\ntype = \"mine::Fast\"\nacquire = { lock = \"exclusive\" }\n";
        let (models, _) = Models::configured(text).expect("well formed");
        assert_eq!(
            ["tokio::Mutex", "mine::Slow", "mine::Fast", "std::Mutex"].map(|key| models.is_of_tasks(key)),
            [true, true, false, false]
        );
    }
}
