//! What every function's analysis may ask: names, models, classes, and the summaries so far.
//!
//! Immutable while functions are analyzed. It decides nothing about locks held.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::asleep;
use crate::channels::Channels;
use crate::declared::DeclaredClasses;
use crate::destroy::Destruction;
use crate::graph::Class;
use crate::index::{BodyId, Index, last};
use crate::instances::Instances;
use crate::interned::Interned;
use crate::known::KnownNames;
use crate::locks::Placed;
use crate::mir::ir::{Callee, Ty};
use crate::model::Models;
use crate::roots::Roots;
use crate::seen::Seen;
use crate::sources::Sources;
use crate::summary::{Acquire, ClassId, Note, Summary};
use crate::thread_local::ThreadLocals;

/// The surroundings of a function's analysis.
#[derive(Debug)]
pub struct Context<'a> {
    /// Names.
    pub index: &'a Index<'a>,
    /// Known foreign code.
    pub models: &'a Models,
    /// Declared lock classes, in the graph's order.
    pub classes: &'a [Class],
    /// How types name them.
    declared: &'a DeclaredClasses,
    /// Undeclared ones; their numbers follow those of the declared.
    pub placed: Placed,
    /// Summaries by body.
    pub summaries: Vec<Summary>,
    /// Destructors and methods that print, as far as they may come upon a lock.
    pub destructors: BTreeSet<BodyId>,
    /// Which functions only one thread runs.
    pub roots: Roots,
    /// Functions during which other threads may run code that borrows from them.
    pub crowded: BTreeSet<BodyId>,
    /// Whether code of the callers that runs while something is held is looked for.
    pub callbacks: bool,
    /// Traits whose objects functions that nobody calls are given, if it is.
    pub from_outside: BTreeSet<String>,
    /// Where code and trait objects come from.
    pub sources: Sources<'a>,
    /// What type parameters stand for.
    pub instances: Instances,
    /// What callees are, by their names.
    pub known_names: KnownNames,
    /// The channels.
    pub(crate) channels: Channels<'a>,
    /// The thread-locals.
    pub(crate) thread_locals: ThreadLocals,
    /// Answers given before: types are few, questions many. Never iterated.
    pub known_types: RefCell<PerType<TypeTraits>>,
    /// Types whose fields name a guard, likewise.
    known_naming: RefCell<FxHashMap<(usize, Arc<str>), bool>>,
    /// Locals of a body whose address is given away, likewise.
    pub known_lent: RefCell<FxHashMap<BodyId, Option<BTreeSet<usize>>>>,
    /// What futures hold while they sleep, likewise.
    known_asleep: RefCell<FxHashMap<BodyId, Rc<Option<BTreeSet<usize>>>>>,
    /// All acquisitions that are in summaries.
    pub acquisitions: Interned<Acquire>,
    /// All notes that are.
    pub notes: Interned<Note>,
    /// What is destroyed with a value of a type, likewise.
    pub known_destructions: RefCell<PerType<Rc<[Destruction]>>>,
}

/// An answer for each type, by the crate that prints it.
type PerType<T> = FxHashMap<usize, FxHashMap<Ty, T>>;

/// What matters of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeTraits {
    /// How many guards a value keeps: none, one, or more, which counts as two.
    guards: usize,
    may_hide: bool,
    shares_lock: bool,
}

/// More guards than one in a value are not counted.
const MANY: usize = 2;

/// Types whose end does not destroy what is in them.
const KEEPING: [&str; 2] = ["ManuallyDrop", "MaybeUninit"];

/// Foreign types of which a value contains one of its arguments at a time.
const ALTERNATIVES: [&str; 6] = ["Option", "Result", "Poll", "ControlFlow", "TryLockError", "PoisonError"];

/// Whether one value of the type holds any number of others.
pub fn is_collection(ty: &Ty) -> bool {
    let names = ["Vec", "VecDeque", "BTreeMap", "BTreeSet", "HashMap", "HashSet", "BinaryHeap", "LinkedList"];
    matches!(ty, Ty::Path(path, _) if names.contains(&last(path)))
}

/// Which bodies a callee may be.
#[derive(Debug, Default)]
pub struct Resolution {
    /// The bodies, ascending.
    pub bodies: Vec<BodyId>,
    /// Whether there can be no other.
    pub certain: bool,
}

impl Resolution {
    /// The body, if there is exactly one and no doubt.
    pub fn exactly_one(&self) -> Option<BodyId> {
        match self.bodies[..] {
            [body] if self.certain => Some(body),
            _ => None,
        }
    }
}

impl<'a> Context<'a> {
    /// The surroundings before any function is analyzed.
    pub fn new(index: &'a Index<'a>, models: &'a Models, declared: &'a DeclaredClasses) -> Context<'a> {
        let (summaries, known_types) = (Vec::new(), RefCell::default());
        let (placed, destructors) = (Placed::default(), BTreeSet::new());
        let known_destructions = RefCell::default();
        let mut context = Context {
            index,
            models,
            classes: &declared.classes,
            declared,
            placed,
            summaries,
            destructors,
            roots: Roots::default(),
            crowded: BTreeSet::new(),
            callbacks: false,
            from_outside: BTreeSet::new(),
            sources: Sources::default(),
            instances: Instances::default(),
            known_names: KnownNames::default(),
            channels: Channels::default(),
            thread_locals: ThreadLocals::default(),
            known_types,
            known_destructions,
            known_naming: RefCell::default(),
            known_lent: RefCell::default(),
            known_asleep: RefCell::default(),
            acquisitions: Interned::default(),
            notes: Interned::default(),
        };
        context.thread_locals = ThreadLocals::new(&context);
        context.find_placed_locks();
        context.sources = Sources::new(&context);
        context.instances = Instances::new(&context);
        context.channels = Channels::new(&context);
        context
    }

    /// The bodies that `callee`, printed in crate `krate`, may be.
    pub fn resolve(&self, krate: usize, callee: &Callee) -> Resolution {
        match callee {
            Callee::Path { path, .. } if path.starts_with('{') => {
                let text = path.trim_start_matches('{').trim_end_matches('}');
                let bodies: Vec<BodyId> = self.index.closure(krate, text).into_iter().collect();
                Resolution { certain: !bodies.is_empty(), bodies }
            }
            Callee::Path { .. } => {
                let bodies = self.functions(krate, callee);
                Resolution { certain: bodies.len() == 1, bodies }
            }
            Callee::Qualified { this, of: Some(Ty::Path(of, _)), method, .. } => {
                let of = self.index.name(krate, of);
                let mut bodies = self.index.implementations(krate, this, &of, method);
                bodies.sort_unstable();
                bodies.dedup();
                Resolution { certain: self.is_concrete(krate, this) && bodies.len() == 1, bodies }
            }
            Callee::Qualified { this: Ty::Path(path, _), of: None, method, .. } => {
                let bodies = self.index.functions(krate, &format!("{path}::{method}"));
                Resolution { certain: bodies.len() == 1, bodies }
            }
            Callee::Qualified { .. } | Callee::Place(_) => Resolution::default(),
        }
    }

    /// Whether a value of this type may contain a guard.
    pub fn holds_guard(&self, krate: usize, ty: &Ty) -> bool {
        self.traits_of(krate, ty).guards > 0
    }

    /// Whether a value of this type may contain one guard, and surely no two.
    pub fn holds_one_guard(&self, krate: usize, ty: &Ty) -> bool {
        self.traits_of(krate, ty).guards == 1
    }

    /// Whether values of this type may hide a guard that the type does not spell out.
    pub fn may_hide(&self, krate: usize, ty: &Ty) -> bool {
        self.traits_of(krate, ty).may_hide
    }

    /// Whether a value of this type is, or contains, a pointer to a lock that others may have a copy of.
    pub fn shares_lock(&self, krate: usize, ty: &Ty) -> bool {
        self.traits_of(krate, ty).shares_lock
    }

    fn traits_of(&self, krate: usize, ty: &Ty) -> TypeTraits {
        if let Some(known) = self.known_types.borrow().get(&krate).and_then(|known| known.get(ty)) {
            return *known;
        }
        let guards = self.guards_within(krate, ty, &mut FxHashSet::default()).min(MANY);
        let may_hide = ty.any(&mut |inner| match inner {
            Ty::Dyn(bounds) => !bounds
                .split(" + ")
                .next()
                .is_some_and(|of| self.models.is_plain(of.trim_start_matches("dyn "))),
            Ty::Opaque(_) | Ty::Closure(_) | Ty::Projection(_) => true,
            Ty::Path(path, _) => self.index.is_parameter(krate, path),
            _ => false,
        });
        let shares_lock = self.finds_shared(krate, ty);
        let traits = TypeTraits { guards, may_hide, shares_lock };
        self.known_types.borrow_mut().entry(krate).or_default().insert(ty.clone(), traits);
        traits
    }

    fn guards_within(&self, krate: usize, ty: &Ty, seen: &mut FxHashSet<(usize, Arc<str>)>) -> usize {
        match ty {
            // A reference to a guard does not keep the lock.
            Ty::Ref(..) | Ty::Ptr(..) => 0,
            Ty::Path(path, args) => {
                if self.is_guard(krate, ty) {
                    return 1;
                }
                let last = last(path);
                let within = args.iter().map(|arg| self.guards_within(krate, arg, seen));
                let arguments = if ALTERNATIVES.contains(&last) {
                    within.max().unwrap_or(0)
                } else {
                    let total: usize = within.sum();
                    if is_collection(ty) { total * MANY } else { total }
                };
                if arguments >= MANY
                    || !self.fields_name_guard(krate, path)
                    || !seen.insert((krate, Arc::clone(path)))
                {
                    return arguments;
                }
                // Of the variants of a type there is one at a time; of a field's types, as its uses show them, too.
                let mut variants: BTreeMap<&str, BTreeMap<u32, usize>> = BTreeMap::new();
                for field in self.index.fields(krate, path) {
                    let found = self.guards_within(field.krate, &field.ty, seen);
                    let known =
                        variants.entry(&field.variant).or_default().entry(field.position).or_default();
                    *known = found.max(*known);
                }
                let fields = variants.values().map(|fields| fields.values().sum()).max().unwrap_or(0);
                arguments.max(fields)
            }
            Ty::Tuple(types) => types.iter().map(|ty| self.guards_within(krate, ty, seen)).sum(),
            Ty::Slice(inner) | Ty::Array(inner, _) => self.guards_within(krate, inner, seen) * MANY,
            _ => 0,
        }
    }

    /// Whether the fields of a type, or those of the types that they name, name a guard.
    fn fields_name_guard(&self, krate: usize, path: &Arc<str>) -> bool {
        let root = (krate, Arc::clone(path));
        if let Some(known) = self.known_naming.borrow().get(&root) {
            return *known;
        }
        let mut seen = FxHashSet::from_iter([root.clone()]);
        let mut pending = vec![root.clone()];
        let mut found = false;
        while let Some((krate, path)) = pending.pop().filter(|_| !found) {
            for field in self.index.fields(krate, &path) {
                found |= field.ty.any(&mut |part| {
                    if let Ty::Path(path, _) = part {
                        let named = (field.krate, Arc::clone(path));
                        if seen.insert(named.clone()) {
                            pending.push(named);
                        }
                    }
                    self.is_guard(field.krate, part)
                });
            }
        }
        let mut known = self.known_naming.borrow_mut();
        if found {
            known.insert(root, true);
        } else {
            // So it is with all that was met.
            known.extend(seen.into_iter().map(|named| (named, false)));
        }
        found
    }

    /// Whether the end of a value of the type may leave content of it undestroyed, and with it a guard.
    pub fn keeps_content(&self, krate: usize, ty: &Ty) -> bool {
        let manual = |part: &Ty| matches!(part, Ty::Path(path, _) if KEEPING.contains(&last(path)));
        let mut found = false;
        self.walk_fields(vec![(krate, ty.clone())], &mut |krate, ty| {
            let holds = !found && self.holds_guard(krate, ty);
            found |= holds && ty.any(&mut |part| manual(part));
            holds
        });
        found
    }

    /// The classes of locks for which some owner's type has a place, directly or behind its fields.
    pub fn classes_inside_owners(&self) -> BTreeSet<ClassId> {
        let mut found = BTreeSet::new();
        self.walk_fields(self.index.fields_of_owners().cloned().collect(), &mut |_, ty| {
            ty.any(&mut |part| {
                found.extend(self.class(part));
                false
            });
            true
        });
        found
    }

    /// Visits types and those of the fields of what they spell out, each with the crate that prints it; not beyond those for
    /// which `visit` says no.
    fn walk_fields(&self, mut pending: Vec<(usize, Ty)>, visit: &mut dyn FnMut(usize, &Ty) -> bool) {
        let mut seen = Seen::default();
        while let Some((krate, ty)) = pending.pop() {
            if seen.insert(krate, &ty) && visit(krate, &ty) {
                ty.any(&mut |part| {
                    if let Ty::Path(path, _) = part {
                        let fields = self.index.fields(krate, path);
                        pending.extend(fields.map(|field| (field.krate, field.ty.clone())));
                    }
                    false
                });
            }
        }
    }

    /// The locals in which a future may have something while it sleeps; none if the body is no future's.
    pub(crate) fn asleep(&self, body: BodyId) -> Rc<Option<BTreeSet<usize>>> {
        let mut known = self.known_asleep.borrow_mut();
        let found = known.entry(body).or_insert_with(|| asleep::locals(self.index.bodies[body].body).into());
        Rc::clone(found)
    }

    /// A body as a person would name it.
    pub fn function_name(&self, body: BodyId) -> &Arc<str> {
        &self.index.shown(body).name
    }

    /// The class that a type argument names.
    pub fn class(&self, ty: &Ty) -> Option<ClassId> {
        self.declared.class(ty)
    }

    /// The classes of the guards that a type spells out, in the order of the text.
    pub fn classes_of_guards(&self, krate: usize, ty: &Ty) -> Vec<Option<ClassId>> {
        let mut found = Vec::new();
        ty.any(&mut |inner| {
            if let Ty::Path(_, args) = inner
                && self.is_guard(krate, inner)
            {
                found.push(args.last().and_then(|class| self.class(class)));
            }
            false
        });
        found
    }
}
