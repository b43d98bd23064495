//! Finding things by name: which body a callee is, which types own locks, what fields a type has.
//!
//! Names in MIR text are relative to the crate that printed them; a [`Name`] is a path with its crate. This file
//! reads the bodies once and answers questions; it knows nothing of locks beyond which types are owners.

mod bounds;
mod copies;
mod headers;
mod methods;
mod read;
mod visible;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use bounds::Bounds;
use copies::Copies;
pub use copies::Types;
use methods::Methods;
pub(crate) use read::type_of;
use read::{impl_group, modules};
use visible::Definitions;

use crate::mir::ir::{Body, BodyKind, Program, Ty};

/// A body by its position in [`Index::bodies`].
pub type BodyId = usize;

/// A path with the crate that defines it; foreign crates' items keep their whole path and an empty crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The analyzed crate, or empty.
    pub krate: String,
    /// The path in it.
    pub path: String,
}

impl Name {
    /// The last segment.
    pub fn last(&self) -> &str {
        last(&self.path)
    }
}

/// A body with its crate.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The crate's position.
    pub krate: usize,
    /// The body.
    pub body: &'a Body,
}

/// A field of a type, as some place or construction in the code shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    /// The variant it is in, or empty.
    pub variant: String,
    /// Its position.
    pub position: u32,
    /// The crate that printed its type.
    pub krate: usize,
    /// Its type; a generic one is known by several instances.
    pub ty: Ty,
}

/// A body as a person would name it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// `hv_core::p2m::P2mTable::lookup`.
    pub name: Arc<str>,
    /// `calls …` the same.
    pub call: Arc<str>,
}

/// The answers.
#[derive(Debug)]
pub struct Index<'a> {
    /// All function bodies, in the order of crates and ids; after them the copies.
    pub bodies: Vec<Entry<'a>>,
    copies: Copies,
    bounds: Bounds<'a>,
    /// Bodies of constants and statics.
    pub constants: Vec<Entry<'a>>,
    crates: Vec<&'a str>,
    /// Crates of several packages that have one name, and the packages. Nothing in their text tells them apart.
    pub namesakes: BTreeMap<String, BTreeSet<String>>,
    /// Units that nobody else can call, being whole programs, and whether they are tests.
    pub programs: BTreeMap<usize, bool>,
    /// The positions of each crate's units: several units of one package can share a name.
    units: FxHashMap<&'a str, Vec<usize>>,
    modules: Vec<FxHashSet<&'a str>>,
    /// Crates that were read from a text which prints some names short: it has no positions.
    shortening: FxHashSet<&'a str>,
    by_id: FxHashMap<(usize, &'a str), BodyId>,
    by_path: FxHashMap<(usize, &'a str), BodyId>,
    methods: Methods<'a>,
    closures: Vec<FxHashMap<&'a str, BodyId>>,
    /// Closures and futures by what their own code calls their types.
    futures: Vec<FxHashMap<&'a str, Vec<BodyId>>>,
    /// The types of what each closure captures, as the code that makes it shows them.
    captures: FxHashMap<BodyId, Vec<Ty>>,
    owners: BTreeSet<Name>,
    /// Their crates by the last segments of their names: most types are none already by that.
    owners_called: FxHashMap<String, FxHashSet<String>>,
    /// Never iterated without being sorted.
    fields: FxHashMap<Name, BTreeSet<Field>>,
    shown: BTreeMap<(usize, &'a str), String>,
    implementers: FxHashSet<Name>,
    owner_fields: Vec<(usize, Ty)>,
    definitions: Definitions<'a>,
    /// How bodies are shown, once somebody asked.
    names: Vec<OnceCell<Shown>>,
    /// Names of fields: the type, the variant or empty, the position.
    field_names: BTreeMap<(Name, String, u32), &'a str>,
    /// Statics and constants: the crate, the path, the type.
    statics: Vec<(usize, &'a str, &'a Ty)>,
}

impl<'a> Index<'a> {
    /// Reads `programs` once.
    pub fn new(programs: &'a [Program]) -> Index<'a> {
        let mut index = Index {
            bodies: Vec::new(),
            copies: Copies::default(),
            bounds: Bounds::new(programs),
            constants: Vec::new(),
            crates: programs.iter().map(|program| program.krate.as_str()).collect(),
            namesakes: BTreeMap::new(),
            programs: BTreeMap::new(),
            units: FxHashMap::default(),
            modules: programs.iter().map(modules).collect(),
            shortening: FxHashSet::default(),
            by_id: FxHashMap::default(),
            by_path: FxHashMap::default(),
            methods: Methods::default(),
            closures: vec![FxHashMap::default(); programs.len()],
            futures: vec![FxHashMap::default(); programs.len()],
            captures: FxHashMap::default(),
            owners: BTreeSet::new(),
            owners_called: FxHashMap::default(),
            fields: FxHashMap::default(),
            shown: BTreeMap::new(),
            implementers: FxHashSet::default(),
            owner_fields: Vec::new(),
            definitions: Definitions::default(),
            names: Vec::new(),
            field_names: BTreeMap::new(),
            statics: Vec::new(),
        };
        for (unit, krate) in index.crates.iter().enumerate() {
            index.units.entry(krate).or_default().push(unit);
        }
        index.definitions = Definitions::new(programs, &index);
        for (krate, program) in programs.iter().enumerate() {
            if program.bodies.iter().all(|body| body.span.line == 0) {
                index.shortening.insert(&program.krate);
            }
            for body in &program.bodies {
                index.read_fields(krate, body);
                if body.kind == BodyKind::Fn {
                    let id = index.bodies.len();
                    index.bodies.push(Entry { krate, body });
                    index.by_id.insert((krate, &body.id), id);
                    index.by_path.insert((krate, &body.path), id);
                    continue;
                }
                index.constants.push(Entry { krate, body });
                if let Some(ty) = body.locals.first().filter(|_| !body.id.contains(['{', '['])) {
                    index.statics.push((krate, &body.path, ty));
                }
            }
        }
        index.names.resize(index.bodies.len(), OnceCell::new());
        index.read_closures();
        index.read_impls();
        for owner in &index.owners {
            index.owners_called.entry(owner.last().to_owned()).or_default().insert(owner.krate.clone());
        }
        let fields = index.owners.iter().filter_map(|owner| index.fields.get(owner)).flatten();
        index.owner_fields = fields.map(|field| (field.krate, field.ty.clone())).collect();
        index
    }

    /// The name that `path`, printed in crate `krate`, stands for.
    pub fn name(&self, krate: usize, path: &str) -> Name {
        let printed = self.printed(krate, path);
        if printed.krate.is_empty() || printed.krate == self.crates[krate] {
            return printed;
        }
        let path = self.definitions.path(&printed.krate, &printed.path).into_owned();
        Name { path, ..printed }
    }

    /// The same, without looking for where an item that is seen by a re-export is defined.
    pub fn printed(&self, krate: usize, path: &str) -> Name {
        let first = first(path);
        if let Some(rest) = path.strip_prefix(first).and_then(|rest| rest.strip_prefix("::")) {
            if self.modules[krate].contains(first) {
                return Name { krate: self.crates[krate].to_owned(), path: path.to_owned() };
            }
            if self.units.contains_key(first) {
                return Name { krate: first.to_owned(), path: rest.to_owned() };
            }
            if first.starts_with(char::is_lowercase) {
                return Name { krate: String::new(), path: path.to_owned() };
            }
        }
        let primitive = first.starts_with(char::is_lowercase) && !self.modules[krate].contains(first);
        let krate = if primitive { String::new() } else { self.crates[krate].to_owned() };
        Name { krate, path: path.to_owned() }
    }

    /// Whether the type, printed in crate `krate`, owns the locks inside it.
    pub fn is_owner(&self, krate: usize, ty: &Ty) -> bool {
        match ty {
            Ty::Path(path, _) => {
                let Some(crates) = self.owners_called.get(last(path)) else { return false };
                let name = self.name(krate, path);
                if name.krate.is_empty() {
                    return self.owners.contains(&name);
                }
                // Equal, or one a re-export seen from another crate.
                crates.contains(&name.krate)
            }
            _ => false,
        }
    }

    /// Types of the fields of owners, with the crate that printed them.
    pub fn fields_of_owners(&self) -> impl Iterator<Item = &(usize, Ty)> {
        self.owner_fields.iter()
    }

    /// Known field types of a type, with the crate that printed them.
    pub fn fields(&self, krate: usize, path: &str) -> impl Iterator<Item = &Field> {
        let name = self.name(krate, path);
        // A foreign generic type's fields would be those of all its instances together; its arguments say more.
        let ours = !name.krate.is_empty();
        ours.then(|| self.fields.get(&name)).flatten().into_iter().flatten()
    }

    /// Known field types of a type.
    pub fn fields_of(&self, name: &Name) -> impl Iterator<Item = &Field> {
        self.fields.get(name).into_iter().flatten()
    }

    /// Known field types of all types. Constructions of variants are also entered as if they were of a type called
    /// like the variant, those of structs as if they were variants of the module; usually neither is a type.
    pub fn all_fields(&self) -> impl Iterator<Item = (&Name, &Field)> {
        let is_type = |name: &&Name| {
            let mut segments = name.path.rsplit("::");
            let upper = |segment: Option<&str>| segment.is_some_and(|s| s.starts_with(char::is_uppercase));
            upper(segments.next()) && !upper(segments.next())
        };
        let mut types: Vec<_> = self.fields.iter().filter(|(name, _)| is_type(name)).collect();
        types.sort_unstable_by_key(|(name, _)| *name);
        types.into_iter().flat_map(|(name, fields)| fields.iter().map(move |field| (name, field)))
    }

    /// The name of a field, or its position if no construction shows it.
    pub fn field_name(&self, of: &Name, variant: &str, position: u32) -> String {
        let known = self.field_names.get(&(of.clone(), variant.to_owned(), position));
        known.map_or_else(|| position.to_string(), |name| (*name).to_owned())
    }

    /// Statics and constants: the crate that printed it, the path, the type.
    pub fn statics(&self) -> impl Iterator<Item = (usize, &str, &Ty)> {
        self.statics.iter().copied()
    }

    /// The type of a pointer to the static that is printed as `path` in crate `krate`.
    pub fn static_type(&self, krate: usize, path: &str) -> Option<Ty> {
        let name = self.name(krate, path);
        let found = self.statics().find(|(krate, path, _)| self.name(*krate, path) == name);
        found.map(|(_, _, ty)| Ty::Ref(false, Arc::new(ty.clone())))
    }

    /// A body as a person would name it.
    pub fn shown(&self, body: BodyId) -> &Shown {
        self.names[body].get_or_init(|| {
            let name = self.name_of(body);
            Shown { call: format!("calls {name}").into(), name: name.into() }
        })
    }

    fn name_of(&self, body: BodyId) -> String {
        let Entry { krate, body } = self.bodies[body];
        let home = self.crates[krate];
        let known = impl_group(&body.id).and_then(|group| Some((group, self.shown.get(&(krate, group))?)));
        match known {
            Some((group, this)) => format!("{home}::{this}{}", &body.id[group.len()..]),
            None => format!("{home}::{}", body.id),
        }
    }

    /// The crate of a function that is not among the bodies; none if it should have been.
    pub fn foreign_crate(&self, krate: usize, name: &str) -> Option<String> {
        let bare = name.trim_start_matches(['<', '&', '[', '(', ' ']);
        let first = bare.split("::").next().unwrap_or(bare);
        let plain = !first.is_empty() && first.chars().all(|c| c.is_alphanumeric() || c == '_');
        let ours = self.modules[krate].contains(first) || self.units.contains_key(first);
        (plain && bare.contains("::") && !ours && first.starts_with(char::is_lowercase))
            .then(|| first.to_owned())
    }

    /// Whether a type, as printed in crate `krate`, is one of the analyzed crates'.
    pub fn is_ours(&self, krate: usize, path: &str) -> bool {
        let name = self.name(krate, path);
        !name.krate.is_empty() && (self.fields.contains_key(&name) || self.implementers.contains(&name))
    }

    /// The body of a closure type as printed in crate `krate`.
    pub fn closure(&self, krate: usize, text: &str) -> Option<BodyId> {
        self.closures[krate].get(text).copied()
    }

    /// The bodies that the type of a closure or future may be the type of, as printed in crate `krate`.
    pub fn codes_of_type(&self, krate: usize, text: &str) -> Vec<BodyId> {
        let made = self.closure(krate, text);
        made.map_or_else(|| self.futures[krate].get(text).cloned().unwrap_or_default(), |code| vec![code])
    }

    /// The types of what a closure captures, which the crate of its body prints.
    pub fn captures(&self, closure: BodyId) -> &[Ty] {
        self.captures.get(&closure).map_or(&[], Vec::as_slice)
    }

    /// Whether code can be run a second time: a future cannot, nor a closure that is consumed by its call.
    pub fn runs_again(&self, body: BodyId) -> bool {
        let body = self.bodies[body].body;
        let itself = body.locals.get(1).filter(|_| body.params > 0 && body.id.ends_with('}'));
        !itself.is_some_and(|ty| match ty {
            Ty::Closure(_) => true,
            Ty::Path(_, args) => {
                matches!(args.first(), Some(Ty::Ref(_, inner)) if matches!(**inner, Ty::Closure(_)))
            }
            _ => false,
        })
    }

    /// The body with this definition path in crate `krate`.
    pub fn by_id(&self, krate: usize, id: &str) -> Option<BodyId> {
        self.by_id.get(&(krate, id)).copied()
    }

    /// Whether a path is a generic parameter: one segment, capitalised, and no type seen with fields or methods.
    pub fn is_parameter(&self, krate: usize, path: &str) -> bool {
        if path.contains("::") || !path.starts_with(char::is_uppercase) {
            return false;
        }
        let name = self.name(krate, path);
        !self.fields.contains_key(&name) && !self.implementers.contains(&name)
    }
}

/// The first segment of a path.
fn first(path: &str) -> &str {
    let mut from = 0;
    while let Some(at) = path[from..].find(':') {
        let at = from + at;
        if path[at..].starts_with("::") {
            return &path[..at];
        }
        from = at + 1;
    }
    path
}

/// The last segment of a path.
pub(crate) fn last(path: &str) -> &str {
    let mut end = path.len();
    while let Some(at) = path[..end].rfind(':') {
        if path[..at].ends_with(':') {
            return &path[at + 1..];
        }
        end = at;
    }
    path
}

/// What a pointer type points to, as far as the type says.
pub fn pointee(ty: &Ty) -> Ty {
    match ty {
        Ty::Ref(_, inner) | Ty::Ptr(_, inner) => Ty::clone(inner),
        Ty::Path(_, args) => args.first().cloned().unwrap_or(Ty::Never),
        _ => Ty::Never,
    }
}

/// The element type of an array or slice.
pub fn element(ty: &Ty) -> Ty {
    match ty {
        Ty::Array(inner, _) | Ty::Slice(inner) => Ty::clone(inner),
        _ => Ty::Never,
    }
}
