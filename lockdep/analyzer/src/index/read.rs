//! Reading the bodies for the index: field types, closures, `impl` blocks.
//!
//! Done once, by `Index::new`; it answers nothing itself.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::methods::Of;
use super::{Entry, Field, Index, Name, element, pointee};
use crate::mir::ir::{Aggregate, AggregateKind, Body, Place, Program, Projection, Rvalue, StatementKind, Ty};

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
                }
            }
        }
    }

    pub(super) fn read_impls(&mut self) {
        let mut selves: BTreeMap<(usize, &'a str), Name> = BTreeMap::new();
        for &Entry { krate, body } in &self.bodies {
            if let (Some(group), Some(this)) = (impl_group(&body.id), self.receiver(krate, body)) {
                selves.entry((krate, group)).or_insert(this);
            }
        }
        for (id, &Entry { krate, body }) in self.bodies.iter().enumerate() {
            let Some(group) = impl_group(&body.id) else { continue };
            let Some(method) = body.id[group.len()..].strip_prefix("::").filter(|m| !m.contains("::")) else {
                continue;
            };
            let header = body.impl_header.as_deref().unwrap_or_default();
            let (of, this_text) = split_header(header);
            let this = match selves.get(&(krate, group)) {
                Some(name) => Some(name.clone()),
                None => self.named_in_source(krate, group, this_text),
            };
            if let Some(this) = &this {
                self.implementers.insert(this.clone());
                self.shown.entry((krate, group)).or_insert_with(|| this.path.clone());
            }
            if method == "owner_id" && of.may_be("LockOwner") {
                self.owners.extend(this.clone());
            }
            self.methods.add(method, this, of, id);
        }
    }

    /// The self type of a method with a receiver.
    fn receiver(&self, krate: usize, body: &Body) -> Option<Name> {
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
                Ty::Path(path, _) => return Some(self.name(krate, path)),
                _ => return None,
            }
        }
    }

    /// A self type known only as written in the `impl` header: the type of that name in or nearest the module.
    fn named_in_source(&self, krate: usize, group: &str, text: &str) -> Option<Name> {
        let bare = text.trim_start_matches(['&', ' ']).split(['<', ' ']).next()?;
        let last = bare.rsplit("::").next()?;
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

/// (what is implemented, the self type's text) of `impl<T> a::Tr<X> for S<T>`.
fn split_header(header: &str) -> (Of, &str) {
    let Some(rest) = header.trim_start_matches("unsafe ").strip_prefix("impl") else {
        // A derive's place is the trait's own name; any other macro's place is its call.
        let name = header.rsplit("::").next().unwrap_or(header).trim();
        let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        return (if plain { Of::Trait(name.to_owned()) } else { Of::Unread }, "");
    };
    let mut depth = 0usize;
    let mut start = 0;
    if rest.starts_with('<') {
        for (at, ch) in rest.char_indices() {
            match ch {
                '<' => depth += 1,
                '>' if !rest[..at].ends_with(['-', '=']) => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                start = at + 1;
                break;
            }
        }
    }
    let rest = rest[start..].trim();
    match rest.split_once(" for ") {
        Some((of, this)) => {
            let of = of.split('<').next().unwrap_or(of).trim();
            (Of::Trait(of.rsplit("::").next().unwrap_or(of).to_owned()), this.trim())
        }
        None => (Of::Nothing, rest),
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
