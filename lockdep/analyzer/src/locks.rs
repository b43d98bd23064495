//! Which class a lock belongs to, if nobody declared one.
//!
//! The class is the home that the access path remembers; where the path does not say, the caller may know (the class
//! stays open), and else the lock's type may leave only one home. What is left is lost, and is said to be. A type
//! with one generic lock in it and a method that returns the lock's guard, or calls code, is transparent: its locks live where it
//! does. This file extends [`Context`]; it follows no paths itself.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::context::Context;
use crate::home::{CELL, Home, HomeId, Homes, Key};
use crate::index::Name;
use crate::mir::ir::{Body, Callee, Terminator, Ty};
use crate::path::{Path, Root};
use crate::resolve::is_code_trait;
use crate::summary::ClassId;
use crate::waits::Waited;

/// Classes that are found while functions are analyzed.
#[derive(Debug, Default)]
pub struct Placed {
    homes: RefCell<Homes>,
    classes: RefCell<Vec<(Key, bool)>>,
    numbers: RefCell<FxHashMap<Key, ClassId>>,
    /// Classes of locks that tasks wait for.
    of_tasks: RefCell<BTreeSet<ClassId>>,
    /// The homes of each lock type whose data type is known, as fields and statics show them.
    by_type: BTreeMap<Arc<str>, BTreeSet<HomeId>>,
    transparent: BTreeSet<Name>,
    /// Classes of locks that only one thread can reach.
    solitary: RefCell<BTreeSet<ClassId>>,
    /// Per construction, the homes that calls of the function around it give what they have constructed.
    made: RefCell<BTreeMap<HomeId, BTreeSet<HomeId>>>,
    /// The lock type of each class.
    types: RefCell<BTreeMap<ClassId, Arc<str>>>,
}

impl Placed {
    /// The home of a number.
    pub(crate) fn home(&self, number: HomeId) -> Home {
        self.homes.borrow().get(number)
    }

    /// What is constructed at `site` has the home `made` for some caller.
    pub(crate) fn add_made(&self, site: HomeId, made: HomeId) {
        self.made.borrow_mut().entry(site).or_default().insert(made);
    }

    /// The homes that callers know what is constructed at a site by.
    pub(crate) fn made_at(&self, site: HomeId) -> BTreeSet<HomeId> {
        self.made.borrow().get(&site).cloned().unwrap_or_default()
    }

    /// The lock type of a class whose home is known.
    pub(crate) fn type_of(&self, class: ClassId) -> Option<Arc<str>> {
        self.types.borrow().get(&class).cloned()
    }

    /// Whether the locks of a type live where it does.
    pub(crate) fn is_transparent(&self, name: &Name) -> bool {
        self.transparent.contains(name)
    }

    /// Whether no two threads can reach one lock of the class.
    pub(crate) fn is_solitary(&self, class: ClassId) -> bool {
        self.solitary.borrow().contains(&class)
    }
}

impl Context<'_> {
    /// Reads the fields and statics that hold locks.
    pub(crate) fn find_placed_locks(&mut self) {
        self.placed.transparent = self.transparent_types();
        let mut by_type: BTreeMap<Arc<str>, BTreeSet<HomeId>> = BTreeMap::new();
        let mut found = |krate: usize, ty: &Ty, home: &Home| {
            ty.any(&mut |inner| {
                if let Some(lock) = self.lock_type(krate, inner).filter(|lock| !is_generic(lock)) {
                    by_type.entry(lock).or_default().insert(self.home(home.clone()));
                }
                false
            });
        };
        for (name, field) in self.index.all_fields() {
            if !self.placed.transparent.contains(name) {
                found(
                    field.krate,
                    &field.ty,
                    &Home::Field(name.clone(), field.variant.clone(), field.position),
                );
            }
        }
        for (krate, path, ty) in self.index.statics() {
            found(krate, ty, &Home::Static(self.static_name(krate, path)));
        }
        self.placed.by_type = by_type;
    }

    fn transparent_types(&self) -> BTreeSet<Name> {
        let mut locks: BTreeMap<&Name, BTreeSet<u32>> = BTreeMap::new();
        let mut generic: BTreeSet<&Name> = BTreeSet::new();
        for (name, field) in self.index.all_fields() {
            if let Some(lock) = self.lock_type(field.krate, &field.ty) {
                locks.entry(name).or_default().insert(field.position);
                if is_generic(&lock) {
                    generic.insert(name);
                }
            }
        }
        locks
            .into_iter()
            .filter(|(name, fields)| fields.len() == 1 && generic.contains(name))
            .filter(|(name, _)| {
                self.index.methods_of(name).any(|body| {
                    let entry = self.index.bodies[body];
                    let hands_out = |ty| self.holds_guard(entry.krate, ty);
                    entry.body.locals.first().is_some_and(hands_out) || calls_code(entry.body)
                })
            })
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The number of a home.
    pub fn home(&self, home: Home) -> HomeId {
        self.placed.homes.borrow_mut().number(home)
    }

    /// The home that is one of two; none if there are too many that it may be.
    pub(crate) fn either(&self, one: HomeId, other: HomeId) -> Option<HomeId> {
        self.placed.homes.borrow_mut().either(one, other)
    }

    /// The home that is one of these; none if there are none, or too many.
    pub(crate) fn any_of(&self, homes: impl IntoIterator<Item = HomeId>) -> Option<HomeId> {
        let mut homes = homes.into_iter();
        let first = homes.next()?;
        homes.try_fold(first, |known, home| self.either(known, home))
    }

    /// The home of field `position` of a value of type `ty` that is itself at `path`.
    pub fn home_of_field(
        &self,
        krate: usize,
        ty: &Ty,
        variant: &str,
        position: u32,
        field: &Ty,
        path: &Path,
    ) -> Option<HomeId> {
        match ty {
            Ty::Tuple(types) => path.home.map(|whole| {
                let stored = self.has_tuple(whole, krate, types);
                if stored { self.home(Home::Part(whole, position)) } else { whole }
            }),
            Ty::Path(of, _) => {
                let name = self.index.name(krate, of);
                if name.krate.is_empty() || self.placed.transparent.contains(&name) {
                    return path.home;
                }
                // What is behind a pointer or in a container of one's own lives where that one does.
                let holds = self.mentions_lock(krate, field);
                if holds {
                    Some(self.home(Home::Field(name, variant.to_owned(), position)))
                } else {
                    path.home
                }
            }
            _ => path.home,
        }
    }

    /// Whether the text of a type names a lock, or a type that is as good as one.
    fn mentions_lock(&self, krate: usize, ty: &Ty) -> bool {
        ty.any(&mut |inner| match inner {
            Ty::Path(path, _) => {
                let (known, transparent) = (self.known_type(krate, path), &self.placed.transparent);
                let is_transparent = || transparent.contains(&self.index.name(krate, path));
                known.is_lock || known.is_signal || !transparent.is_empty() && is_transparent()
            }
            Ty::Opaque(_) | Ty::Projection(_) | Ty::Dyn(_) => true,
            _ => false,
        })
    }

    /// The name of a static that is printed as `path` in crate `krate`.
    pub fn static_name(&self, krate: usize, path: &str) -> Arc<str> {
        let name = self.index.name(krate, path);
        if name.krate.is_empty() { name.path.into() } else { format!("{}::{}", name.krate, name.path).into() }
    }

    /// The type, in a form that does not depend on who prints it, if it is a lock whose class is its place.
    pub fn lock_type(&self, krate: usize, ty: &Ty) -> Option<Arc<str>> {
        let Ty::Path(path, args) = ty else { return None };
        let is_lock = self.known_type(krate, path).is_lock;
        let key = is_lock.then(|| self.key(krate, path, 1)).flatten()?;
        // A raw lock comes first and says nothing of what is protected.
        let from = usize::from(args.len() > 1 && key.starts_with("lock_api::"));
        let mut data = String::new();
        for (at, arg) in args.iter().skip(from).enumerate() {
            data.push_str(if at > 0 { "," } else { "" });
            self.write_type(krate, arg, &mut data);
        }
        Some(format!("{key}<{data}>").into())
    }

    /// Whether locks may be in the generic arguments of a type, outside types that are homes themselves.
    pub fn has_room_for_locks(&self, krate: usize, ty: &Ty) -> bool {
        let Ty::Path(_, args) = ty else { return true };
        args.iter().any(|arg| {
            arg.any(&mut |inner| match inner {
                Ty::Path(path, _) => {
                    self.lock_type(krate, inner).is_some()
                        || self.index.is_parameter(krate, path)
                        || self.placed.transparent.contains(&self.index.name(krate, path))
                }
                _ => false,
            })
        })
    }

    /// The lock type whose method `callee` is.
    pub fn locked_type(&self, krate: usize, callee: &Callee) -> Option<Arc<str>> {
        let Callee::Path { path, generics } = callee else { return None };
        let (ty, _) = path.rsplit_once("::")?;
        let at = ty.split("::").count() - 1;
        let args = generics.iter().find(|(segment, _)| *segment == at).map(|(_, args)| args.clone());
        self.lock_type(krate, &Ty::Path(ty.into(), args.unwrap_or_default().into()))
    }

    pub(crate) fn write_type(&self, krate: usize, ty: &Ty, text: &mut String) {
        let list = |open: &str, args: &[Ty], close: &str, text: &mut String| {
            for (at, arg) in args.iter().enumerate() {
                text.push_str(if at == 0 { open } else { "," });
                self.write_type(krate, arg, text);
            }
            text.push_str(close);
        };
        match ty {
            Ty::Path(path, _) if self.index.is_parameter(krate, path) => text.push('?'),
            Ty::Path(path, args) => {
                let name = self.index.name(krate, path);
                text.push_str(&name.krate);
                text.push_str("::");
                text.push_str(name.last());
                list("<", args, if args.is_empty() { "" } else { ">" }, text);
            }
            Ty::Tuple(args) => list("(", args, ")", text),
            Ty::Ref(_, inner) | Ty::Ptr(_, inner) => list("&", &[Ty::clone(inner)], "", text),
            Ty::Slice(inner) | Ty::Array(inner, _) => list("[", &[Ty::clone(inner)], "]", text),
            Ty::Projection(_) | Ty::Opaque(_) => text.push('?'),
            other => text.push_str(&other.to_string()),
        }
    }

    /// The class of the lock of type `lock` at `path`.
    pub fn placed_class(&self, path: &Path, lock: &Arc<str>, recursive: bool) -> ClassId {
        let fits = |home: &HomeId| self.fits(*home, path, lock);
        let key = match (path.home.filter(fits), &path.root) {
            (Some(home), _) => Key::Home(self.within(self.part(home, path, lock), lock)),
            (None, Root::Param(_)) => Key::Open(Arc::clone(lock)),
            (None, _) => match self.placed.by_type.get(lock).map(|homes| homes.iter().collect::<Vec<_>>()) {
                Some(homes) if homes.len() == 1 => Key::Home(self.within(*homes[0], lock)),
                _ => Key::Lost(Arc::clone(lock)),
            },
        };
        let class = self.number(key, recursive);
        self.placed.types.borrow_mut().entry(class).or_insert_with(|| Arc::clone(lock));
        let (kind, _) = split(lock);
        let own = matches!(self.placed_key(class), Some((Key::Home(home), _))
            if self.is_of_one_thread(&self.placed.home(home)));
        if own || self.models.is_solitary(kind) {
            self.placed.solitary.borrow_mut().insert(class);
        }
        if self.models.is_of_tasks(kind) {
            self.placed.of_tasks.borrow_mut().insert(class);
        }
        class
    }

    /// The class that an open one is at `path`; any other stays as it is.
    pub fn reclassed(&self, class: ClassId, path: &Path) -> ClassId {
        let Some((Key::Open(lock), recursive)) = self.placed_key(class) else { return class };
        self.placed_class(path, &lock, recursive)
    }

    /// Whether only the callers know the class.
    pub fn is_open(&self, class: ClassId) -> bool {
        matches!(self.placed_key(class), Some((Key::Open(_), _))) || self.is_open_wait(class)
    }

    /// What a placed class is known by, and whether its holder is let in again.
    pub fn placed_key(&self, class: ClassId) -> Option<(Key, bool)> {
        let at = class.checked_sub(self.classes.len())?;
        self.placed.classes.borrow().get(at).cloned()
    }

    /// What stands for code of the callers.
    pub(crate) fn class_of_callers(&self) -> ClassId {
        self.number(Key::Callers, false)
    }

    /// The node for what is waited for.
    pub(crate) fn class_of_waited(&self, waited: Waited) -> ClassId {
        self.number(Key::Waited(waited), false)
    }

    fn number(&self, key: Key, recursive: bool) -> ClassId {
        let mut numbers = self.placed.numbers.borrow_mut();
        *numbers.entry(key.clone()).or_insert_with(|| {
            let mut classes = self.placed.classes.borrow_mut();
            classes.push((key, recursive));
            self.classes.len() + classes.len() - 1
        })
    }

    /// The class's name.
    pub fn class_name(&self, class: ClassId) -> String {
        match self.placed_key(class) {
            None => self.classes[class].name.clone(),
            Some((Key::Home(home), _)) => self.home_name(home),
            Some((Key::Open(lock), _)) => format!("a {}", split(&lock).0),
            Some((Key::Lost(lock), _)) => format!("some {lock}"),
            Some((Key::Waited(waited), _)) => self.waited_name(waited),
            Some((Key::Callers, _)) => crate::callers::NAME.to_owned(),
        }
    }

    /// Whether tasks wait for the locks of a class, and not threads.
    pub fn is_of_tasks(&self, class: ClassId) -> bool {
        self.placed.of_tasks.borrow().contains(&class)
    }

    /// Whether the holder of such a lock is let in again.
    pub fn is_recursive(&self, class: ClassId) -> bool {
        match self.placed_key(class) {
            None => self.classes[class].recursive,
            Some((_, recursive)) => recursive,
        }
    }

    /// How many classes there are so far.
    pub fn class_count(&self) -> usize {
        self.classes.len() + self.placed.classes.borrow().len()
    }

    pub(crate) fn home_name(&self, home: HomeId) -> String {
        let known = self.placed.homes.borrow().get(home);
        match known {
            Home::Static(path) => path.to_string(),
            Home::Field(name, variant, position) => {
                let field = self.index.field_name(&name, &variant, position);
                let variant = if variant.is_empty() { variant } else { format!("::{variant}") };
                format!("{}::{}{variant}.{field}", name.krate, name.path)
            }
            Home::Inside(whole) => format!("{}[inside]", self.home_name(whole)),
            Home::Part(whole, CELL) => format!("{} (being made)", self.home_name(whole)),
            Home::Part(whole, position) => format!("{}.{position}", self.home_name(whole)),
            Home::Either(all) => {
                let names: Vec<String> = all.iter().map(|home| self.home_name(*home)).collect();
                names.join(" or ")
            }
            Home::Site(body, block) | Home::Fresh(body, block, _) => {
                let span = &self.index.bodies[body].body.blocks[block].span;
                format!("{} ({}:{})", self.function_name(body), span.file, span.line)
            }
        }
    }
}

fn calls_code(body: &Body) -> bool {
    body.blocks.iter().any(|block| {
        matches!(&block.terminator, Terminator::Call(call)
            if matches!(&call.callee, Callee::Qualified { of: Some(Ty::Path(of, _)), .. } if is_code_trait(of)))
    })
}

/// Kind and data type of a lock type.
pub(crate) fn split(lock: &str) -> (&str, &str) {
    lock.split_once('<').map_or((lock, ""), |(kind, data)| (kind, data.strip_suffix('>').unwrap_or(data)))
}

/// Whether a lock type leaves its data type open.
pub(crate) fn is_generic(ty: &str) -> bool {
    ty.contains('?')
}
