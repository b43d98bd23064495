//! What users say of their own code, in `lockdep.toml`: the same tables as `models.toml` where they make sense, and
//! defaults for a front end's options. It is put beside what ships, never in its place.
//!
//! A path names an item with the modules it is in, as reports print it, or by its crate and its last segment alone,
//! whatever its modules. Nothing is read from disk here, and what is wrong is returned with its place in the text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU8;
use std::ops::Range;

use lockdep::order::Discipline;
use serde::Deserialize;
use toml::Spanned;

use super::Models;
use super::effect::ClassSource;
use super::table::{Functions, LockModel, Mode, Table, WaitModel};

/// A word of the file with its place.
type Word = Spanned<String>;

/// What is wrong with the text of a `lockdep.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the text.
    pub span: Range<usize>,
    /// The way out, unless the message says it.
    pub help: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    fn at(word: &Word, message: String, help: &str) -> ConfigError {
        ConfigError { message, span: word.span(), help: Some(help.to_owned()) }
    }
}

/// What a front end takes where its user did not say otherwise.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// Dependencies to be read as if they were members.
    pub include_dep: Vec<String>,
    /// The policy to judge by.
    pub discipline: Option<&'static Discipline>,
    /// Possible findings alone are a success.
    pub allow_possible: bool,
    /// A `RefCell` counts as a lock.
    pub refcell: bool,
    /// How many domains control each other in a chain at most.
    pub tiers: Option<NonZeroU8>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    analyze: Analyze,
    lock: Vec<Lock>,
    wait: Vec<Wait>,
    guards: Types,
    pointers: Types,
    plain: Plain,
    functions: Known,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Analyze {
    include_dep: Vec<String>,
    discipline: Option<Word>,
    allow_possible: bool,
    refcell: bool,
    tiers: Option<NonZeroU8>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lock {
    r#type: Word,
    #[serde(default)]
    reentrant: bool,
    #[serde(default)]
    composite: bool,
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
struct Wait {
    r#type: Word,
    #[serde(default)]
    gives: BTreeSet<String>,
    #[serde(default)]
    lends: BTreeSet<String>,
    #[serde(default)]
    opens: BTreeSet<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Types {
    types: Vec<Word>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Plain {
    traits: Vec<Word>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Known {
    same: Vec<Word>,
    deref: Vec<Word>,
    unwrap: Vec<Word>,
    downgrades: Vec<Word>,
    upgrade: Vec<Word>,
    unlocks: Vec<Word>,
    forget: Vec<Word>,
    spawn: Vec<Word>,
    items: Vec<Word>,
    once: Vec<Word>,
    moves: Vec<Word>,
    destroys: Vec<Word>,
    may_destroy: Vec<Word>,
    trusted_crates: Vec<Word>,
}

/// A set of the table of functions.
type Set = fn(&mut Functions) -> &mut BTreeSet<String>;

impl Known {
    /// The functions that have an effect of their own, of which each has one.
    fn effects(&self) -> [(&[Word], Set); 8] {
        [
            (&self.same, |f| &mut f.same),
            (&self.deref, |f| &mut f.deref),
            (&self.unwrap, |f| &mut f.unwrap),
            (&self.downgrades, |f| &mut f.downgrades),
            (&self.upgrade, |f| &mut f.upgrade),
            (&self.unlocks, |f| &mut f.unlocks),
            (&self.forget, |f| &mut f.forget),
            (&self.spawn, |f| &mut f.spawn),
        ]
    }

    /// What else is known of functions.
    fn properties(&self) -> [(&[Word], Set); 5] {
        [
            (&self.items, |f| &mut f.items),
            (&self.once, |f| &mut f.once),
            (&self.moves, |f| &mut f.moves),
            (&self.destroys, |f| &mut f.destroys),
            (&self.may_destroy, |f| &mut f.may_destroy),
        ]
    }
}

/// The table that ships, and what the text of a `lockdep.toml` adds to it.
pub(super) fn read(text: &str) -> Result<(Models, Defaults), ConfigError> {
    let file: File = toml::from_str(text).map_err(|error| ConfigError {
        message: error.message().to_owned(),
        span: error.span().unwrap_or_default(),
        help: None,
    })?;
    let shipped = Models::shipped();
    let known = shipped.effects.keys().cloned().collect();
    let mut merge = Merge { families: shipped.families, table: shipped.table, known, own: BTreeSet::new() };
    let mut described = file.lock.len() + file.wait.len();
    for lock in file.lock {
        merge.lock(lock)?;
    }
    for wait in file.wait {
        merge.wait(wait)?;
    }
    for (words, of) in [
        (&file.guards.types, (|t| &mut t.guards.types) as fn(&mut Table) -> &mut BTreeSet<String>),
        (&file.pointers.types, |t| &mut t.pointers.types),
    ] {
        described += words.len();
        for word in words {
            let name = merge.name(word, 1)?;
            if !of(&mut merge.table).insert(name.clone()) {
                return Err(known_already(word, &name));
            }
        }
    }
    described += file.plain.traits.len() + file.functions.trusted_crates.len();
    for word in &file.plain.traits {
        let last = word.get_ref().rsplit("::").next().unwrap_or_default().to_owned();
        merge.table.plain.traits.insert(last);
    }
    for (words, set) in file.functions.effects() {
        described += words.len();
        for word in words {
            let name = merge.function(word)?;
            merge.know(word, &name)?;
            set(&mut merge.table.functions).insert(name);
        }
    }
    for (words, set) in file.functions.properties() {
        described += words.len();
        for word in words {
            let name = merge.function(word)?;
            set(&mut merge.table.functions).insert(name);
        }
    }
    let trusted = file.functions.trusted_crates.iter().map(|word| word.get_ref().replace('-', "_"));
    merge.table.functions.trusted_crates.extend(trusted);
    let defaults = Defaults {
        discipline: file.analyze.discipline.as_ref().map(discipline).transpose()?,
        include_dep: file.analyze.include_dep,
        allow_possible: file.analyze.allow_possible,
        refcell: file.analyze.refcell,
        tiers: file.analyze.tiers,
    };
    let mut models = Models::new(merge.table);
    (models.own, models.described) = (merge.own, described);
    Ok((models, defaults))
}

fn discipline(word: &Word) -> Result<&'static Discipline, ConfigError> {
    let known = Discipline::ALL.iter().find(|discipline| discipline.name == word.get_ref());
    known.ok_or_else(|| {
        let names = Discipline::ALL.map(|discipline| discipline.name).join("`, `");
        ConfigError::at(
            word,
            format!("there is no policy `{}`", word.get_ref()),
            &format!("the policies are `{names}`"),
        )
    })
}

/// The table as it grows.
struct Merge {
    families: BTreeMap<String, String>,
    table: Table,
    /// Functions that have an effect.
    known: BTreeSet<String>,
    /// What users name, as they do.
    own: BTreeSet<String>,
}

impl Merge {
    fn lock(&mut self, lock: Lock) -> Result<(), ConfigError> {
        let name = self.name(&lock.r#type, 1)?;
        if self.table.lock.iter().any(|known| known.r#type == name) {
            return Err(known_already(&lock.r#type, &name));
        }
        let methods = [&lock.acquire, &lock.attempt, &lock.during, &lock.future];
        if methods.iter().all(|methods| methods.is_empty()) {
            return Err(ConfigError::at(
                &lock.r#type,
                format!("no method of the lock `{name}` is given"),
                "name those that wait, such as `acquire = { lock = \"exclusive\" }`; there are also `attempt` (do not \
                 wait), `during` (have released the lock when they return) and `future` (wait when awaited)",
            ));
        }
        for method in methods.into_iter().flat_map(BTreeMap::keys) {
            self.know(&lock.r#type, &format!("{name}::{method}"))?;
        }
        let Lock { r#type: _, reentrant, composite, acquire, attempt, during, future } = lock;
        let (class, cell, solitary) = (ClassSource::Place, false, false);
        self.table.lock.push(LockModel {
            r#type: name,
            class,
            reentrant,
            composite,
            cell,
            solitary,
            acquire,
            attempt,
            during,
            future,
        });
        Ok(())
    }

    fn wait(&mut self, wait: Wait) -> Result<(), ConfigError> {
        let name = self.name(&wait.r#type, 1)?;
        let Wait { r#type, gives, lends, opens } = wait;
        if gives.is_empty() && lends.is_empty() && opens.is_empty() {
            return Err(ConfigError::at(
                &r#type,
                format!("no method of `{name}` is given"),
                "name those that wait: they are `gives` if they return the guard that is their second argument, `lends` \
                 if it is lent to them, `opens` if their first argument is the guard",
            ));
        }
        for method in gives.iter().chain(&lends).chain(&opens) {
            self.know(&r#type, &format!("{name}::{method}"))?;
        }
        self.table.wait.push(WaitModel { r#type: name, gives, lends, opens });
        Ok(())
    }

    /// A function, with what it may be a method of.
    fn function(&mut self, word: &Word) -> Result<String, ConfigError> {
        let name = self.name(word, 2)?;
        self.own.extend(name.rsplit_once("::").map(|(owner, _)| owner.to_owned()));
        Ok(name)
    }

    /// What the tables call an item of which `segments` segments matter, if it is of a family.
    fn name(&mut self, word: &Word, segments: usize) -> Result<String, ConfigError> {
        let text = word.get_ref();
        let parts: Vec<&str> = text.split("::").collect();
        let is_name = |part: &&str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_alphanumeric() || c == '_')
                && !part.starts_with(|c: char| c.is_ascii_digit())
        };
        let relative = ["crate", "self", "super", "Self"].contains(&parts[0]);
        if parts.len() < 2 || relative || !parts.iter().all(is_name) {
            return Err(ConfigError::at(
                word,
                format!("`{text}` is not the path of an item"),
                "write the crate, the modules if they matter, and the item, without generic arguments: \
                 `my_crate::sync::Mutex` or `my_crate::Mutex`",
            ));
        }
        let name = match self.families.get(parts[0]) {
            Some(family) => {
                let kept = parts[1..].len().saturating_sub(segments);
                format!("{family}::{}", parts[1 + kept..].join("::"))
            }
            None => text.clone(),
        };
        self.own.insert(name.clone());
        Ok(name)
    }

    /// A function that has an effect from now on.
    fn know(&mut self, word: &Word, name: &str) -> Result<(), ConfigError> {
        self.own.insert(name.to_owned());
        if self.known.insert(name.to_owned()) { Ok(()) } else { Err(known_already(word, name)) }
    }
}

fn known_already(word: &Word, name: &str) -> ConfigError {
    ConfigError::at(
        word,
        format!("`{name}` is known already"),
        "remove it here: what ships cannot be replaced, and nothing is said twice; `cargo lockdep list models` prints \
         all that is known",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Effect;

    #[test]
    fn an_item_is_known_with_all_its_modules_or_with_none() {
        let text = "[[lock]]\ntype = \"mine::Spin\"\nacquire = { lock = \"exclusive\" }\n\
                    [[lock]]\ntype = \"mine::raw::Other\"\nacquire = { get = \"shared\" }\n\
                    [functions]\nspawn = [\"mine::start\", \"mine::Pool::run\", \"tokio::strange::spawn\"]\n";
        let (models, _) = read(text).expect("well formed");
        let key = |krate: &str, path: &str| models.key(krate, path, 1).unwrap_or_default();
        assert!(models.is_placed_lock(&key("mine", "sync::Spin")));
        assert!(models.is_placed_lock(&key("", "mine::Spin")));
        assert!(!models.is_placed_lock(&key("yours", "sync::Spin")));
        assert!(models.is_placed_lock(&key("mine", "raw::Other")));
        assert!(!models.is_placed_lock(&key("mine", "cooked::Other")));
        let effect = |path: &str| models.effect(&models.key("mine", path, 2).unwrap_or_default());
        assert!(matches!(effect("sync::Spin::lock"), Some(Effect::Acquire(_))));
        assert!(matches!(effect("raw::Other::get"), Some(Effect::Acquire(_))));
        for (path, spawns) in
            [("start", true), ("jobs::start", true), ("Job::start", false), ("jobs::Pool::run", true)]
        {
            assert_eq!(effect(path) == Some(Effect::Spawn), spawns, "{path}");
        }
        let foreign = models.key("", "tokio::strange::spawn", 2).expect("a known family");
        assert_eq!(models.effect(&foreign), Some(Effect::Spawn));
    }
}
