//! Reading the bodies for the index: field types, closures, `impl` blocks.
//!
//! Done once, by `Index::new`; it answers nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};

use super::headers::Header;
use super::methods::{Pattern, This};
use super::{Entry, Field, Index, Name, element, last, pointee};
use crate::mir::ir::{Aggregate, AggregateKind, Body, Place, Program, Projection, Rvalue, StatementKind, Ty};

/// What a type of this name is that is none of ours.
const POINTERS: [&str; 3] = ["std::sync::Arc", "std::rc::Rc", "std::boxed::Box"];

impl<'a> Index<'a> {
    pub(super) fn read_fields(&mut self, krate: usize, body: &'a Body) {
        for statement in body.blocks.iter().flat_map(|block| &block.statements) {
            let StatementKind::Assign(dest, rvalue) = &statement.kind else { continue };
            self.walk(krate, body, dest);
            match rvalue {
                Rvalue::Use(operand) | Rvalue::Cast(operand, _) => {
                    operand.place().map(|place| self.walk(krate, body, place));
                }
                Rvalue::Ref { place, .. } | Rvalue::RawPtr(place) | Rvalue::DerefCopy(place) => {
                    self.walk(krate, body, place);
                }
                Rvalue::Aggregate(aggregate) => {
                    let Aggregate { kind: AggregateKind::Adt(path), fields } = &**aggregate else { continue };
                    let whole = self.name(krate, path);
                    let outer =
                        path.rsplit_once("::").map(|(outer, variant)| (self.name(krate, outer), variant));
                    for (position, (field_name, operand)) in fields.iter().enumerate() {
                        if let Some(known) = field_name {
                            let position = position as u32;
                            let plain = (whole.clone(), String::new(), position);
                            self.field_names.insert(plain, known);
                            if let Some((outer, variant)) = &outer {
                                let within = (outer.clone(), (*variant).to_owned(), position);
                                self.field_names.insert(within, known);
                            }
                        }
                        let Some(place) = operand.place() else { continue };
                        let ty = self.walk(krate, body, place);
                        let field = Field { variant: String::new(), position: position as u32, krate, ty };
                        if let Some((outer, variant)) = &outer {
                            let field = Field { variant: (*variant).to_owned(), ..field.clone() };
                            self.fields.entry(outer.clone()).or_default().insert(field);
                        }
                        self.fields.entry(whole.clone()).or_default().insert(field);
                    }
                }
                _ => {}
            }
        }
    }

    /// Follows a place through the types it shows; its own type.
    fn walk(&mut self, krate: usize, body: &Body, place: &Place) -> Ty {
        let mut ty = body.locals.get(place.local).cloned().unwrap_or(Ty::Never);
        let mut variant = String::new();
        for step in &place.projection {
            match step {
                Projection::Field(position, of) => {
                    if let Ty::Path(path, _) = &ty {
                        let name = self.name(krate, path);
                        let variant = std::mem::take(&mut variant);
                        let field = Field { variant, position: *position, krate, ty: of.clone() };
                        self.fields.entry(name).or_default().insert(field);
                    }
                    variant.clear();
                    ty = of.clone();
                }
                Projection::Downcast(name) => variant.clone_from(name),
                Projection::Deref => ty = pointee(&ty),
                Projection::Cast(to) => ty = to.clone(),
                Projection::Index => ty = element(&ty),
            }
        }
        ty
    }

    pub(super) fn read_closures(&mut self) {
        for &Entry { krate, body } in self.bodies.iter().chain(&self.constants) {
            for statement in body.blocks.iter().flat_map(|block| &block.statements) {
                if let StatementKind::Assign(_, Rvalue::Aggregate(aggregate)) = &statement.kind
                    && let AggregateKind::Closure(id, Ty::Closure(text)) = &aggregate.kind
                    && let Some(&target) = self.by_id.get(&(krate, id.as_str()))
                {
                    self.closures[krate].insert(text, target);
                    let fields = aggregate.fields.iter().map(|(_, operand)| operand.place());
                    let types = fields.map(|place| place.map_or(Ty::Never, |at| type_of(&body.locals, at)));
                    self.captures.insert(target, types.collect());
                }
            }
        }
    }

    pub(super) fn read_impls(&mut self) {
        self.read_futures();
        let mut selves: BTreeMap<(usize, &'a str), Ty> = BTreeMap::new();
        let mut mentioned: BTreeMap<(usize, &'a str), BTreeSet<&'a str>> = BTreeMap::new();
        for &Entry { krate, body } in &self.bodies {
            let Some(group) = impl_group(&body.id) else { continue };
            let written = Header::read(body.impl_header.as_deref().unwrap_or_default()).name();
            if let Some(this) = receiver(body, written) {
                selves.entry((krate, group)).or_insert(this);
            }
            let mentioned = mentioned.entry((krate, group)).or_default();
            // What a derive made does not say its type, but is not for any type either.
            let shown = if written.is_empty() { 1 } else { body.locals.len() };
            body.locals.iter().take(shown).for_each(|ty| mentions(ty, written, mentioned));
        }
        let mut names: Vec<Name> = self.fields.keys().cloned().collect();
        names.sort_unstable();
        let types: FxHashMap<(&str, &str), &str> =
            names.iter().map(|name| ((name.krate.as_str(), name.last()), name.path.as_str())).collect();
        for (id, &Entry { krate, body }) in self.bodies.iter().enumerate() {
            let Some(group) = impl_group(&body.id) else { continue };
            let Some(method) = body.id[group.len()..].strip_prefix("::").filter(|m| !m.contains("::")) else {
                continue;
            };
            let header = Header::read(body.impl_header.as_deref().unwrap_or_default());
            let pattern = match selves.get(&(krate, group)) {
                Some(ty) => Some(ty.clone()),
                None => header.shape(&|name| {
                    let ours = types.get(&(self.crates[krate], name)).copied();
                    ours.or_else(|| POINTERS.into_iter().find(|path| last(path) == name))
                }),
            };
            let this = match &pattern {
                Some(Ty::Path(path, _)) if !header.generics.contains(&&**path) => {
                    This::Shown(self.name(krate, path))
                }
                Some(_) => This::Nameless,
                None => match self.ours_among(krate, mentioned.get(&(krate, group))).as_slice() {
                    [only] => This::Shown(only.clone()),
                    _ => self
                        .named_in_source(krate, group, header.name())
                        .map_or(This::Nameless, This::Guessed),
                },
            };
            if let Some(this) = this.name() {
                self.implementers.insert(this.clone());
                self.shown.entry((krate, group)).or_insert_with(|| this.path.clone());
            } else if !header.this.is_empty() {
                self.shown.entry((krate, group)).or_insert_with(|| header.this.to_owned());
            }
            if method == "owner_id" && header.of.may_be("LockOwner") {
                self.owners.extend(this.name().cloned());
            }
            let pattern = Pattern { krate, ty: pattern, by_reference: header.this.starts_with('&') };
            self.methods.add(method, this, pattern, header.of, id);
        }
    }

    /// The types of analyzed crates among these paths.
    fn ours_among(&self, krate: usize, paths: Option<&BTreeSet<&str>>) -> Vec<Name> {
        let names = paths.into_iter().flatten().map(|path| self.name(krate, path));
        names.filter(|name| !name.krate.is_empty()).collect()
    }

    /// What a closure or future is called where it is no construction.
    fn read_futures(&mut self) {
        for (id, Entry { krate, body }) in
            self.bodies.iter().enumerate().filter(|(_, of)| of.body.id.ends_with('}'))
        {
            let mut itself = body.locals.get(1).filter(|_| body.params > 0);
            while let Some(Ty::Ref(_, inner)) = itself {
                itself = Some(inner);
            }
            if let Some(Ty::Path(_, args)) = itself {
                itself = args.first();
            }
            while let Some(Ty::Ref(_, inner)) = itself {
                itself = Some(inner);
            }
            if let Some(Ty::Closure(text)) = itself {
                self.futures[*krate].entry(text).or_default().push(id);
            }
        }
    }

    /// A self type known only as written in the `impl` header: the type of that name in or nearest the module.
    fn named_in_source(&self, krate: usize, group: &str, last: &str) -> Option<Name> {
        if last.is_empty() {
            return None;
        }
        let mut module = group.rsplit_once("::").map_or("", |(module, _)| module);
        loop {
            let path = if module.is_empty() { last.to_owned() } else { format!("{module}::{last}") };
            let name = Name { krate: self.crates[krate].to_owned(), path };
            if self.fields.contains_key(&name) {
                return Some(name);
            }
            if module.is_empty() {
                let mut same =
                    self.fields.keys().filter(|known| known.krate == name.krate && known.last() == last);
                return match (same.next(), same.next()) {
                    (Some(only), None) => Some(only.clone()),
                    _ => Some(name),
                };
            }
            module = module.rsplit_once("::").map_or("", |(outer, _)| outer);
        }
    }
}

/// The paths in a type that end in this name, if it is not empty.
fn mentions<'a>(ty: &'a Ty, written: &str, found: &mut BTreeSet<&'a str>) {
    match ty {
        Ty::Path(path, args) => {
            if written.is_empty() || last(path) == written {
                found.insert(path);
            }
            args.iter().for_each(|arg| mentions(arg, written, found));
        }
        Ty::Tuple(types) => types.iter().for_each(|ty| mentions(ty, written, found)),
        Ty::Ref(_, inner) | Ty::Ptr(_, inner) | Ty::Slice(inner) | Ty::Array(inner, _) => {
            mentions(inner, written, found);
        }
        _ => {}
    }
}

/// The type of a place, as far as the text says.
pub(crate) fn type_of(locals: &[Ty], place: &Place) -> Ty {
    let mut ty = locals.get(place.local).cloned().unwrap_or(Ty::Never);
    for projection in &place.projection {
        ty = match projection {
            Projection::Deref => pointee(&ty),
            Projection::Field(_, of) | Projection::Cast(of) => of.clone(),
            Projection::Index => element(&ty),
            Projection::Downcast(_) => ty,
        };
    }
    ty
}

/// `p2m::{impl#0}` of `p2m::{impl#0}::lookup::inner`.
pub(super) fn impl_group(id: &str) -> Option<&str> {
    let start = id.find("{impl#")?;
    let end = start + id[start..].find('}')? + 1;
    (id[end..].starts_with("::")).then(|| &id[..end])
}

/// The self type of a method with a receiver, without references; `written` is what the header calls it, which tells
/// `self: Arc<Self>` from a method of `Arc<S>`.
fn receiver(body: &Body, written: &str) -> Option<Ty> {
    let named = body.names.get(&1).is_some_and(|name| name == "self");
    if !named || body.params == 0 {
        return None;
    }
    let mut ty = body.locals.get(1)?.clone();
    loop {
        match &ty {
            Ty::Ref(_, inner) => ty = Ty::clone(inner),
            Ty::Path(path, args)
                if args.len() == 1 && matches!(&**path, "core::pin::Pin" | "std::pin::Pin") =>
            {
                ty = args[0].clone();
            }
            Ty::Path(path, args)
                if POINTERS.contains(&&**path)
                    && matches!(args.first(), Some(Ty::Path(inner, _)) if last(inner) == written) =>
            {
                ty = args[0].clone();
            }
            _ => return Some(ty),
        }
    }
}

/// First segments of the paths that the crate defines.
pub(super) fn modules(program: &Program) -> FxHashSet<&str> {
    program
        .bodies
        .iter()
        .filter_map(|body| body.id.split_once("::"))
        .map(|(first, _)| first)
        .filter(|first| !first.starts_with(['{', '<']))
        .collect()
}
