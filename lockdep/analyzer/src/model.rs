//! What is known of code that is not read: which calls acquire, which types are guards, which functions pass
//! objects through. The table itself is data (`models.toml`); this file only looks things up in it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::graph::{Held, Wanted};
use crate::mir::ir::{Callee, Ty};

/// The table as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    lock: Vec<LockModel>,
    guards: Types,
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
    acquire: BTreeMap<String, Mode>,
    #[serde(default)]
    attempt: BTreeMap<String, Mode>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ClassSource {
    LastArgument,
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
    types: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Functions {
    same: BTreeSet<String>,
    copy: BTreeSet<String>,
    deref: BTreeSet<String>,
    element: BTreeSet<String>,
    forget: BTreeSet<String>,
    once: BTreeSet<String>,
    spawn: BTreeSet<String>,
    upgrade: BTreeSet<String>,
    unclassed: BTreeSet<String>,
    roles: BTreeSet<String>,
    trusted_crates: BTreeSet<String>,
}

/// The lookup.
#[derive(Debug)]
pub struct Models(Table);

/// What a known function does.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Acquires the lock that the first argument points to.
    Acquire {
        /// The type argument that names the class.
        class: Ty,
        /// How it is wanted.
        wanted: Wanted,
        /// How it is held then.
        held: Held,
        /// It does not wait.
        attempt: bool,
        /// The holder is let in again.
        reentrant: bool,
    },
    /// The result is the first argument.
    Same,
    /// The result is what the first argument points to, if that is a pointer.
    Copy,
    /// The result points to what the pointer behind the first argument points to.
    Deref,
    /// The result points to some element of what the first argument points to.
    Element,
    /// The first argument stays alive for ever.
    Forget,
    /// Runs its argument on a stack of its own.
    Spawn,
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
        Models(toml::from_str(include_str!("models.toml")).expect("the shipped models.toml is well formed"))
    }

    /// The effect of a call, if the callee is known.
    pub fn effect(&self, callee: &Callee) -> Option<Effect> {
        if let Callee::Path { path, generics } = callee
            && let Some((ty, method)) = path.rsplit_once("::")
            && let Some(lock) = self.0.lock.iter().find(|lock| lock.r#type == ty)
        {
            let (mode, attempt) = match (lock.acquire.get(method), lock.attempt.get(method)) {
                (Some(mode), _) => (*mode, false),
                (None, Some(mode)) => (*mode, true),
                (None, None) => return None,
            };
            let ClassSource::LastArgument = lock.class;
            let class = generics.last()?.1.last()?.clone();
            let (wanted, held) = match mode {
                Mode::Exclusive => (Wanted::Exclusive, Held::Exclusive),
                Mode::Shared => (Wanted::Shared, Held::Shared),
                Mode::SharedRecursive => (Wanted::SharedRecursive, Held::Shared),
            };
            return Some(Effect::Acquire { class, wanted, held, attempt, reentrant: lock.reentrant });
        }
        let name = canonical(callee)?;
        let functions = &self.0.functions;
        let table = [
            (&functions.same, Effect::Same),
            (&functions.copy, Effect::Copy),
            (&functions.deref, Effect::Deref),
            (&functions.element, Effect::Element),
            (&functions.forget, Effect::Forget),
            (&functions.spawn, Effect::Spawn),
            (&functions.upgrade, Effect::Upgrade),
            (&functions.unclassed, Effect::Unclassed),
            (&functions.roles, Effect::Roles),
        ];
        table.into_iter().find(|(names, _)| names.contains(&name)).map(|(_, effect)| effect)
    }

    /// Whether a value of this type, or one inside it, keeps a lock held.
    pub fn is_guard(&self, ty: &Ty) -> bool {
        matches!(ty, Ty::Path(path, _) if self.0.guards.types.contains(&**path))
    }

    /// Whether copies of a value of this type point to one object.
    pub fn is_pointer(&self, ty: &Ty) -> bool {
        match ty {
            Ty::Ref(..) => true,
            Ty::Path(path, _) => self.0.pointers.types.contains(&**path),
            _ => false,
        }
    }

    /// Whether the function calls the code it is given at most once.
    pub fn calls_once(&self, name: &str) -> bool {
        self.0.functions.once.iter().any(|prefix| name.starts_with(prefix.as_str()))
    }

    /// Whether the crate's functions are modelled here wherever they matter.
    pub fn trusts(&self, krate: &str) -> bool {
        self.0.functions.trusted_crates.contains(krate)
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
    fn the_shipped_table_is_well_formed() {
        let models = Models::shipped();
        let callee = Callee::Path {
            path: "lockdep::RwLock::read".to_owned(),
            generics: vec![(1, vec![Ty::unit(), Ty::unit(), Ty::Never])],
        };
        let effect = models.effect(&callee).expect("a known lock");
        assert_eq!(
            effect,
            Effect::Acquire {
                class: Ty::Never,
                wanted: Wanted::Shared,
                held: Held::Shared,
                attempt: false,
                reentrant: false
            }
        );
    }
}
