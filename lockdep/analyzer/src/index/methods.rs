//! Functions and methods by name: which bodies a path, a trait's method or a destructor may be.
//!
//! Methods are kept by name, and those of one name by the type they are of and by the trait they implement, so that a
//! question costs what its answer does, however many crates there are. It resolves no callee by itself: `context.rs` and
//! `resolve.rs` ask.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{BodyId, Entry, Index, Name};
use crate::mir::ir::Ty;

/// A method of an `impl`.
#[derive(Debug)]
struct Method {
    this: This,
    pattern: Pattern,
    of: Of,
    body: BodyId,
}

/// The name of the type that an `impl` is for.
#[derive(Clone, Debug)]
pub(super) enum This {
    /// The `impl` is for a parameter, a tuple, an array or a reference to one.
    Nameless,
    /// The methods show it.
    Shown(Name),
    /// The source says only how it is called there.
    Guessed(Name),
}

impl This {
    pub(super) fn name(&self) -> Option<&Name> {
        match self {
            This::Nameless => None,
            This::Shown(name) | This::Guessed(name) => Some(name),
        }
    }
}

/// What a method's `impl` implements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// Nothing: an inherent `impl`.
    Nothing,
    /// The trait with this last segment.
    Trait(String),
    /// Not known: a macro made the `impl`, and the text at its place is the macro's call.
    Unread,
}

impl Of {
    pub(super) fn may_be(&self, name: &str) -> bool {
        match self {
            Of::Nothing => false,
            Of::Trait(known) => known == name,
            Of::Unread => true,
        }
    }
}

/// The type that an `impl` is for.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// The crate that prints it.
    pub(super) krate: usize,
    /// Without references, where some method or the header shows it; what is not shown is `Never`.
    pub(super) ty: Option<Ty>,
    /// Whether it is for references to that.
    pub(super) by_reference: bool,
}

/// Whom an impl is for, as coarsely as to leave no doubt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Implementer {
    /// Whatever fits its bounds.
    Any,
    /// References, tuples, arrays.
    Nameless,
    /// Types with this last segment.
    Named(String),
}

impl Implementer {
    fn new(this: &This, pattern: &Pattern) -> Implementer {
        match (this.name(), &pattern.ty) {
            _ if pattern.by_reference => Implementer::Nameless,
            (Some(name), _) => Implementer::Named(name.last().to_owned()),
            (None, Some(Ty::Tuple(_) | Ty::Slice(_) | Ty::Array(..))) => Implementer::Nameless,
            (None, _) => Implementer::Any,
        }
    }
}

/// All methods, those of one name together.
#[derive(Debug, Default)]
pub(super) struct Methods<'a> {
    named: FxHashMap<&'a str, Named>,
    of_type: FxHashMap<Name, Vec<(Of, BodyId)>>,
    implementers: FxHashMap<BodyId, Implementer>,
    /// For which types there are impls of the trait with this last segment.
    by_trait: FxHashMap<String, FxHashSet<Implementer>>,
    /// For which types there are impls of unknown traits.
    unread: FxHashSet<Implementer>,
}

/// The methods of one name, in the order of bodies.
#[derive(Debug, Default)]
struct Named {
    all: Vec<Method>,
    /// Positions of those of types by the types' crate and last segment.
    by_type: FxHashMap<String, FxHashMap<String, Vec<usize>>>,
    /// Positions of those that implement the trait with this last segment.
    by_trait: FxHashMap<String, Vec<usize>>,
    /// Positions of those of types without a name.
    nameless: Vec<usize>,
    /// Positions of those of which it is not known what they implement.
    unread: Vec<usize>,
}

impl Named {
    /// Those whose type may be the one called `this`: the same, or, unless there is one of exactly this name, a re-export
    /// of it seen from another crate.
    fn of_type<'m>(&'m self, this: &'m Name, exact: bool) -> impl Iterator<Item = &'m Method> {
        let alike = self.by_type.get(&this.krate).and_then(|names| names.get(this.last()));
        let agree = move |known: &This| match known {
            This::Nameless => false,
            This::Shown(name) => name == this || !exact,
            This::Guessed(name) => name == this || !this.krate.is_empty(),
        };
        let methods = alike.into_iter().flatten().map(|at| &self.all[*at]);
        methods.filter(move |method| agree(&method.this))
    }

    /// Those that may implement the trait with this last segment.
    fn of_trait(&self, last: &str) -> Vec<BodyId> {
        let known = self.by_trait.get(last).into_iter().flatten();
        let mut positions: Vec<usize> = known.chain(&self.unread).copied().collect();
        positions.sort_unstable();
        positions.into_iter().map(|at| self.all[at].body).collect()
    }
}

/// What a reference or a box hands the methods of a trait of std on to, if it does.
fn forwarded<'t>(this: &'t Ty, of: &str) -> Option<&'t Ty> {
    let by_any = "Debug Display Error Hash Hasher Iterator DoubleEndedIterator Ord PartialEq PartialOrd Read Write BufRead Seek Future";
    let by_any: Vec<&str> = by_any.split(' ').collect();
    match this {
        Ty::Ref(_, inner) => {
            (by_any.contains(&of) || matches!(of, "AsRef" | "AsMut" | "ToSocketAddrs")).then_some(inner)
        }
        Ty::Path(path, args) => {
            let boxed = matches!(super::last(path), "Box" | "Arc" | "Rc" | "Pin") && path.contains("::");
            args.first().filter(|_| boxed && by_any.contains(&of))
        }
        _ => None,
    }
}

impl<'a> Methods<'a> {
    /// Whether the types that the `impl` of a method is for may implement the trait with this last segment.
    pub(super) fn may_implement(&self, method: BodyId, of: &str) -> bool {
        let Some(this) = self.implementers.get(&method) else { return true };
        // What an impl for a parameter is for may be anything.
        *this == Implementer::Any
            || [self.by_trait.get(of), Some(&self.unread)].into_iter().flatten().any(|known| {
                known.contains(&Implementer::Any)
                    || known.contains(&Implementer::Nameless) && !matches!(this, Implementer::Named(_))
                    || known.contains(this)
            })
    }

    /// Adds a method; bodies come in ascending order.
    pub(super) fn add(&mut self, method: &'a str, this: This, pattern: Pattern, of: Of, body: BodyId) {
        let named = self.named.entry(method).or_default();
        let at = named.all.len();
        if let Some(this) = this.name() {
            let names = named.by_type.entry(this.krate.clone()).or_default();
            names.entry(this.last().to_owned()).or_default().push(at);
            self.of_type.entry(this.clone()).or_default().push((of.clone(), body));
        } else {
            named.nameless.push(at);
        }
        match &of {
            Of::Nothing => {}
            Of::Trait(last) => named.by_trait.entry(last.clone()).or_default().push(at),
            Of::Unread => named.unread.push(at),
        }
        let implementer = Implementer::new(&this, &pattern);
        match &of {
            Of::Nothing => {}
            Of::Trait(of) => {
                self.by_trait.entry(of.clone()).or_default().insert(implementer.clone());
            }
            Of::Unread => {
                self.unread.insert(implementer.clone());
            }
        }
        self.implementers.insert(body, implementer);
        named.all.push(Method { this, pattern, of, body });
    }
}

impl Index<'_> {
    /// All methods of a type.
    pub fn methods_of(&self, this: &Name) -> impl Iterator<Item = BodyId> {
        self.methods.of_type.get(this).into_iter().flatten().map(|(_, body)| *body)
    }

    /// All methods of the type's implementation of a trait with this last segment.
    pub fn implemented(&self, this: &Name, of: &str) -> impl Iterator<Item = BodyId> {
        let methods = self.methods.of_type.get(this).into_iter().flatten();
        methods.filter(move |(known, _)| *known == Of::Trait(of.to_owned())).map(|(_, body)| *body)
    }

    /// Every method of this name in an implementation of a trait with this last segment.
    pub fn implementing(&self, of: &str, method: &str) -> impl Iterator<Item = BodyId> {
        let all = self.methods.named.get(method).into_iter().flat_map(|named| &named.all);
        all.filter(move |method| method.of == Of::Trait(of.to_owned())).map(|method| method.body)
    }

    /// The body of a free function, inherent method or associated function called by `path` in crate `krate`.
    pub fn function(&self, krate: usize, path: &str) -> Option<BodyId> {
        if let Some(&body) = self.by_path.get(&(krate, path)) {
            return Some(body);
        }
        let name = self.name(krate, path);
        let free = self.homes(&name).find_map(|home| self.by_path.get(&(home, name.path.as_str())));
        if let Some(&body) = free {
            return Some(body);
        }
        let (ty, method) = path.rsplit_once("::")?;
        let candidates = self.methods.named.get(method)?;
        let this = self.name(krate, ty);
        let inherent = |exact: bool, here: bool| {
            let mut found =
                candidates.of_type(&this, exact || self.is_exact(krate, &this)).filter(|candidate| {
                    matches!(candidate.of, Of::Nothing | Of::Unread)
                        && (!here || self.bodies[candidate.body].krate == krate)
                        && (!exact || candidate.this.name() == Some(&this))
                });
            // Several `impl` blocks of one type with different arguments: not told apart by name.
            let first = found.next()?.body;
            found.next().is_none().then_some(first)
        };
        // Two units of one package (library and tests) have the same names: the caller's own come first.
        inherent(true, true).or_else(|| inherent(true, false)).or_else(|| inherent(false, false))
    }

    /// The same, each of them where several crates of the name have one, and no caller says which it means.
    pub fn functions(&self, krate: usize, path: &str) -> Vec<BodyId> {
        let one = self.function(krate, path);
        let name = self.name(krate, path);
        if self.crates[krate] == name.krate || !self.namesakes.contains_key(&name.krate) {
            return one.into_iter().collect();
        }
        let free = self.homes(&name).filter_map(|home| self.by_path.get(&(home, name.path.as_str())));
        let mut found: BTreeSet<BodyId> = free.copied().chain(one).collect();
        if let Some((ty, method)) = path.rsplit_once("::")
            && let Some(candidates) = self.methods.named.get(method)
        {
            let this = self.name(krate, ty);
            let inherent = candidates.of_type(&this, true).filter(|of| of.of == Of::Nothing);
            found.extend(inherent.map(|method| method.body));
        }
        found.into_iter().collect()
    }

    /// Bodies that `<this as of>::method` may be. With a concrete type: its implementation or the trait's default.
    /// Without one: every implementation in the analyzed crates.
    pub fn implementations(&self, krate: usize, this: &Ty, of: &Name, method: &str) -> Vec<BodyId> {
        let candidates = self.methods.named.get(method);
        let default = self.default_method(of, method);
        if matches!(this, Ty::Never | Ty::Const(_) | Ty::Other(_)) {
            return Vec::new();
        }
        if self.is_unknown(krate, this) || matches!(this, Ty::Dyn(_)) {
            // A foreign trait has implementations nobody listed; only a trait of ours is closed.
            if of.krate.is_empty() {
                return Vec::new();
            }
            let known = candidates.map(|candidates| candidates.of_trait(of.last()));
            return known.into_iter().flatten().chain(default).collect();
        }
        let Some(candidates) = candidates else { return default.into_iter().collect() };
        let mut bare = this;
        while let Ty::Ref(_, inner) = bare {
            bare = inner;
        }
        let fits = |method: &&Method| {
            let Pattern { krate: home, ty, by_reference } = &method.pattern;
            let given = if *by_reference { bare } else { this };
            let reference = !*by_reference || matches!(this, Ty::Ref(..));
            let alike = ty.as_ref().is_none_or(|ty| self.may_be(*home, ty, krate, given));
            method.of.may_be(of.last()) && reference && alike
        };
        let mut own: Vec<BodyId> = Vec::new();
        if let Ty::Path(path, _) = bare {
            let name = self.name(krate, path);
            own.extend(
                candidates.of_type(&name, self.is_exact(krate, &name)).filter(fits).map(|method| method.body),
            );
        }
        if own.is_empty() {
            let nameless = candidates.nameless.iter().map(|at| &candidates.all[*at]);
            own.extend(nameless.filter(fits).map(|method| method.body));
        }
        match forwarded(this, of.last()).filter(|_| own.is_empty() && of.krate.is_empty()) {
            Some(inner) => self.implementations(krate, inner, of, method),
            None if own.is_empty() => default.into_iter().collect(),
            None => own,
        }
    }

    /// Whether any type may stand for this one.
    fn is_unknown(&self, krate: usize, ty: &Ty) -> bool {
        match ty {
            Ty::Path(path, _) => self.is_parameter(krate, path),
            Ty::Opaque(_) | Ty::Projection(_) | Ty::Never | Ty::Const(_) | Ty::Other(_) => true,
            _ => false,
        }
    }

    /// Whether a type that crate `home` prints and one that crate `krate` prints may stand for one type.
    fn may_be(&self, home: usize, pattern: &Ty, krate: usize, ty: &Ty) -> bool {
        if self.is_unknown(home, pattern) || self.is_unknown(krate, ty) {
            return true;
        }
        let all = |patterns: &[Ty], types: &[Ty]| {
            patterns.len() != types.len()
                || patterns.iter().zip(types).all(|(pattern, ty)| self.may_be(home, pattern, krate, ty))
        };
        match (pattern, ty) {
            (Ty::Path(pattern, patterns), Ty::Path(path, types)) => {
                super::last(pattern) == super::last(path) && all(patterns, types)
            }
            (Ty::Tuple(patterns), Ty::Tuple(types)) => patterns.len() == types.len() && all(patterns, types),
            (Ty::Ref(_, pattern), Ty::Ref(_, ty))
            | (Ty::Ptr(_, pattern), Ty::Ptr(_, ty))
            | (Ty::Slice(pattern) | Ty::Array(pattern, _), Ty::Slice(ty) | Ty::Array(ty, _)) => {
                self.may_be(home, pattern, krate, ty)
            }
            (pattern, ty) => std::mem::discriminant(pattern) == std::mem::discriminant(ty),
        }
    }

    /// Whether a function may be called with arguments of these types, as printed in crate `krate`; none is not known.
    /// Another crate may print a type by another name, so that only what one crate prints can differ.
    pub fn may_take(&self, body: BodyId, krate: usize, given: &[Option<Ty>]) -> bool {
        let Entry { krate: home, body } = self.bodies[body];
        let taken = body.locals.get(1..=body.params).unwrap_or_default();
        home != krate
            || taken.len() != given.len()
            || (taken.iter().zip(given))
                .all(|(taken, given)| given.as_ref().is_none_or(|ty| self.may_be(home, taken, krate, ty)))
    }

    /// Implementations of `Drop` for the type.
    pub fn drop_impl(&self, krate: usize, path: &str) -> Option<BodyId> {
        let drops = self.methods.named.get("drop")?;
        let name = self.name(krate, path);
        drops
            .of_type(&name, self.is_exact(krate, &name))
            .find(|method| method.of.may_be("Drop"))
            .map(|method| method.body)
    }

    /// Whether a name that crate `krate` printed is that of one type: a crate prints its own in full, and others by a path
    /// that there is no other type at.
    fn is_exact(&self, krate: usize, name: &Name) -> bool {
        let own = self.crates[krate] == name.krate;
        let known = || self.fields.contains_key(name) || self.implementers.contains(name);
        name.krate.is_empty() || !self.shortening.contains(name.krate.as_str()) && (own || known())
    }

    /// Whether any type of the analyzed crates has a destructor.
    pub fn has_destructors(&self) -> bool {
        self.destructors().next().is_some()
    }

    /// The bodies of all destructors.
    pub fn destructors(&self) -> impl Iterator<Item = BodyId> {
        let drops = self.methods.named.get("drop").into_iter().flat_map(|drops| &drops.all);
        drops.filter(|method| method.of.may_be("Drop")).map(|method| method.body)
    }

    /// The units that may define a name.
    fn homes(&self, name: &Name) -> impl Iterator<Item = usize> {
        self.units.get(name.krate.as_str()).into_iter().flatten().copied()
    }

    fn default_method(&self, of: &Name, method: &str) -> Option<BodyId> {
        let path = format!("{}::{method}", of.path);
        self.homes(of).find_map(|home| self.by_path.get(&(home, path.as_str()))).copied()
    }
}
