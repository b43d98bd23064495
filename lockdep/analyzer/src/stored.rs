//! Where locks that are behind shared pointers are stored: what every place of the program was ever given.
//!
//! A lock behind an `Arc` or a reference may be in several places at once, and is one lock in all of them. Each time such
//! a pointer is put somewhere (a field that is built or assigned, a container that is given something), it is written
//! down which lock that was, as far as is known here: by its home, or by the parameter it came in through, for the
//! callers to say. Which homes share a lock is worked out when all is known (`alias.rs`). Part of the transfer functions.

use std::collections::BTreeSet;

use crate::context::Context;
use crate::flow::Flow;
use crate::home::{Home, HomeId};
use crate::index::{BodyId, last, type_of};
use crate::instantiate::Arguments;
use crate::mir::ir::{Aggregate, AggregateKind, Call, Operand, Place, Rvalue, Span, Ty};
use crate::path::{Path, Root, Value};
use crate::state::State;
use crate::summary::Summary;

/// Which lock was put somewhere, or where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// One that lives there.
    Home(HomeId),
    /// The one that the callers give.
    Given(Path),
    /// That is not known.
    Lost(Span),
}

/// So many places for which the callers have to say what is put there are told apart.
const MAX_GIVEN: usize = 64;

/// Constructions of a lock in a function that others call are told apart by so many calls on the way.
const MAX_CALLS: usize = 3;

impl Summary {
    /// Keeps what callers have to say within bounds.
    pub(crate) fn limit_stores(&mut self, span: &Span) {
        let given = |origin: &Origin| matches!(origin, Origin::Given(_));
        let open = self.stores.iter().filter(|(into, origin)| given(into) || given(origin)).count();
        self.coarse.stores |= open > MAX_GIVEN;
        if !self.coarse.stores {
            return;
        }
        self.stores = std::mem::take(&mut self.stores)
            .into_iter()
            .map(|(into, origin)| {
                let into = match into {
                    Origin::Given(path) => Origin::Given(Path { steps: Vec::new(), ..path }),
                    known => known,
                };
                match origin {
                    Origin::Given(_) => (into, Origin::Lost(span.clone())),
                    known => (into, known),
                }
            })
            .collect();
    }
}

impl Context<'_> {
    /// Whether a type is, or contains, a pointer to a lock that others may have a copy of.
    pub(crate) fn finds_shared(&self, krate: usize, ty: &Ty) -> bool {
        match ty {
            Ty::Ref(_, inner) | Ty::Ptr(_, inner) => self.names_lock(krate, inner),
            Ty::Path(path, args) => {
                let counted = matches!(last(path), "Arc" | "Rc" | "Weak")
                    || (self.is_pointer(krate, ty) && !is_sole(path));
                args.iter()
                    .any(|arg| (counted && self.names_lock(krate, arg)) || self.finds_shared(krate, arg))
            }
            Ty::Tuple(types) => types.iter().any(|ty| self.finds_shared(krate, ty)),
            Ty::Slice(inner) | Ty::Array(inner, _) => self.finds_shared(krate, inner),
            _ => false,
        }
    }

    /// Whether a type names a lock whose class is its place.
    pub(crate) fn names_lock(&self, krate: usize, ty: &Ty) -> bool {
        ty.any(&mut |inner| match inner {
            Ty::Path(path, _) => {
                self.lock_type(krate, inner).is_some()
                    || self.placed.is_transparent(&self.index.name(krate, path))
            }
            _ => false,
        })
    }

    /// The parts of a type that are shared pointers to locks, not looked for behind a reference.
    fn shared_parts(&self, krate: usize, ty: &Ty, found: &mut BTreeSet<Ty>) {
        match ty {
            Ty::Path(_, args) if self.shares_lock(krate, ty) => {
                let before = found.len();
                args.iter().for_each(|arg| self.shared_parts(krate, arg, found));
                if found.len() == before {
                    found.insert(ty.clone());
                }
            }
            Ty::Tuple(types) => types.iter().for_each(|ty| self.shared_parts(krate, ty, found)),
            Ty::Ref(false, inner) if matches!(**inner, Ty::Slice(_)) => {
                self.shared_parts(krate, inner, found)
            }
            Ty::Slice(inner) | Ty::Array(inner, _) => self.shared_parts(krate, inner, found),
            Ty::Ref(..) if self.shares_lock(krate, ty) => drop(found.insert(ty.clone())),
            _ => {}
        }
    }

    /// The home of what a call of a function that made it there hands out: made anew by each call.
    pub(crate) fn made_by_call(&self, home: HomeId, body: BodyId, block: usize) -> HomeId {
        match self.placed.home(home) {
            Home::Site(..) | Home::Fresh(..) => {
                let mut depth = 0;
                let mut inner = home;
                while let Home::Fresh(.., of) = self.placed.home(inner) {
                    (inner, depth) = (of, depth + 1);
                }
                if depth >= MAX_CALLS {
                    return home;
                }
                let made = self.home(Home::Fresh(body, block, home));
                self.placed.add_made(home, made);
                made
            }
            Home::Part(whole, part) => {
                let made = self.made_by_call(whole, body, block);
                self.home(Home::Part(made, part))
            }
            Home::Inside(whole) => {
                let made = self.made_by_call(whole, body, block);
                self.home(Home::Inside(made))
            }
            Home::Either(all) => {
                let made = all.into_iter().map(|home| self.made_by_call(home, body, block));
                self.any_of(made).unwrap_or(home)
            }
            Home::Static(_) | Home::Field(..) => home,
        }
    }
}

impl Flow<'_, '_> {
    /// What is known of a result of a callee, where it is made anew by each call.
    pub(crate) fn made_anew(&self, value: Value, block: usize) -> Value {
        let anew = |path: Path| {
            let home = path.home.map(|home| self.context.made_by_call(home, self.id, block));
            path.living(home)
        };
        match value {
            Value::To(path) => Value::To(anew(path)),
            Value::At(path) => Value::At(anew(path)),
            other => other,
        }
    }

    /// An assignment that puts shared locks into a field or container.
    pub(crate) fn stores(&mut self, state: &State, dest: &Place, rvalue: &Rvalue, span: &Span) {
        if self.output.is_none() {
            return;
        }
        match rvalue {
            Rvalue::Aggregate(aggregate) => {
                let Aggregate { kind: AggregateKind::Adt(path), fields } = &**aggregate else { return };
                let ty = self.type_of(dest);
                let Ty::Path(of, _) = &ty else { return };
                let last = |path: &str| last(path).to_owned();
                let variant =
                    if *path == **of || last(path) == last(of) { String::new() } else { last(path) };
                for (position, (_, operand)) in fields.iter().enumerate() {
                    let field = self.operand_type(operand);
                    if !self.may_share(&field) {
                        continue;
                    }
                    let nowhere = Path::unknown();
                    let position = position as u32;
                    let context = self.context;
                    let of = context.home_of_field(self.krate, &ty, &variant, position, &field, &nowhere);
                    if let Some(into) = of {
                        self.store(state, &Origin::Home(into), operand, span);
                    }
                }
            }
            Rvalue::Use(operand) | Rvalue::Cast(operand, _) if !dest.projection.is_empty() => {
                let field = self.operand_type(operand);
                if self.may_share(&field)
                    && let Some(into) = self.place_of(state, self.lvalue(state, dest))
                {
                    self.store(state, &into, operand, span);
                }
            }
            _ => {}
        }
    }

    /// The content of a cell is made, by one of these bodies.
    pub(crate) fn stores_in_cell(&mut self, state: &State, cell: &Value, makers: &[BodyId], span: &Span) {
        let Some(into) = self.home_of(state, cell).filter(|_| self.output.is_some()) else { return };
        for &body in makers {
            let entry = self.context.index.bodies[body];
            if entry.body.locals.first().is_some_and(|ty| self.context.shares_lock(entry.krate, ty)) {
                let code = Value::Code(body, (usize::MAX, Vec::new()));
                let home = self.home_out_of(state, &code, body);
                let origin = home.map_or_else(|| Origin::Lost(span.clone()), Origin::Home);
                self.output.as_mut().map(|output| output.stores.insert((Origin::Home(into), origin)));
            }
        }
    }

    /// A call of code that was not read puts what it is given into what it can write to, if that has room for it.
    pub(crate) fn stores_by_call(&mut self, state: &State, call: &Call, span: &Span) {
        if self.output.is_none() || call.args.len() < 2 {
            return;
        }
        let types: Vec<Ty> = call.args.iter().map(|operand| self.operand_type(operand)).collect();
        for (to, (container, whole)) in call.args.iter().zip(&types).enumerate() {
            let Ty::Ref(writes, inner) = whole else { continue };
            if !self.context.shares_lock(self.krate, inner) {
                continue;
            }
            let value = self.value(state, container);
            let into = match self.home_of(state, &value) {
                Some(home) => Origin::Home(home),
                None => match self.place_of(state, value.pointee()) {
                    Some(into) => into,
                    None => continue,
                },
            };
            for (from, (operand, given)) in call.args.iter().zip(&types).enumerate() {
                let mut parts = BTreeSet::new();
                match given {
                    Ty::Ref(true, given) if *writes => {
                        self.context.shared_parts(self.krate, given, &mut parts)
                    }
                    given => self.context.shared_parts(self.krate, given, &mut parts),
                }
                if from != to && parts.iter().any(|part| inner.any(&mut |there| there == part)) {
                    self.store(state, &into, operand, span);
                }
                if from != to {
                    for origin in self.handed_out_by(state, operand, inner, span) {
                        self.output.as_mut().map(|output| output.stores.insert((into.clone(), origin)));
                    }
                }
            }
        }
    }

    /// The locks that code in an argument hands out, if `room` has room for what it returns.
    fn handed_out_by(&self, state: &State, operand: &Operand, room: &Ty, span: &Span) -> Vec<Origin> {
        let mut found = Vec::new();
        for code in self.codes_in(state, operand) {
            let Value::Code(body, _) = code else { continue };
            let entry = self.context.index.bodies[body];
            let Some(result) = entry.body.locals.first() else { continue };
            let mut parts = BTreeSet::new();
            self.context.shared_parts(entry.krate, result, &mut parts);
            if parts.iter().any(|part| room.any(&mut |there| there == part)) {
                let home = self.home_out_of(state, &code, body);
                found.push(home.map_or_else(|| Origin::Lost(span.clone()), Origin::Home));
            }
        }
        found
    }

    /// The home of what code returns.
    pub(crate) fn home_out_of(&self, state: &State, code: &Value, body: BodyId) -> Option<HomeId> {
        let arguments = self.code_arguments(code, body, Vec::new());
        let results = self.context.summaries[body].result.values();
        results.map(|value| arguments.value(state, value)).find_map(|value| self.home_of(state, &value))
    }

    /// What a callee stores that its caller gives, or where the caller says.
    pub(crate) fn stored_by(
        &mut self,
        state: &State,
        stores: &BTreeSet<(Origin, Origin)>,
        arguments: &Arguments,
    ) {
        for (into, origin) in stores {
            let into = match into {
                Origin::Given(path) => self.place_of(state, arguments.path(state, path)),
                known => Some(known.clone()),
            };
            let Some(into) = into else { continue };
            let found = match origin {
                Origin::Given(path) => {
                    let path = arguments.path(state, path);
                    let span = &self.body.span;
                    self.origins(state, &Value::At(path), span)
                }
                known => vec![known.clone()],
            };
            if let Some(output) = &mut self.output {
                output.stores.extend(found.into_iter().map(|origin| (into.clone(), origin)));
            }
        }
    }

    /// Where what is put at a path lives; the callers may have to say.
    fn place_of(&self, state: &State, path: Path) -> Option<Origin> {
        match (self.home_of(state, &Value::To(path.clone())), &path.root) {
            (Some(home), _) => Some(Origin::Home(home)),
            (None, Root::Param(_)) => Some(Origin::Given(path.bare())),
            _ => None,
        }
    }

    fn store(&mut self, state: &State, into: &Origin, operand: &Operand, span: &Span) {
        let found = match operand {
            // No shared pointer to a lock is a constant; what is printed so has none in it.
            Operand::Const(_) | Operand::Fn(_) => return,
            _ => self.origins(state, &self.value(state, operand), span),
        };
        let surely = self.context.shares_lock(self.krate, &self.operand_type(operand));
        if let Some(output) = &mut self.output {
            let found = found.into_iter().filter(|origin| surely || !matches!(origin, Origin::Lost(_)));
            output.stores.extend(found.map(|origin| (into.clone(), origin)));
        }
    }

    /// The locks that a value may be, or contain.
    fn origins(&self, state: &State, value: &Value, span: &Span) -> Vec<Origin> {
        let lost = || vec![Origin::Lost(span.clone())];
        let of = |value: &Value| {
            let path = value.path()?;
            match (self.home_of(state, value), &path.root) {
                (Some(home), _) => Some(Origin::Home(home)),
                (None, Root::Param(_)) => Some(Origin::Given(path.bare())),
                _ => None,
            }
        };
        if let Some(origin) = of(value) {
            return vec![origin];
        }
        let Some(Path { root: Root::Local(local), steps, .. }) = value.path() else { return lost() };
        // Known by its parts, and without any of them if it has none: `None`, say.
        let parts = state.subtree(*local, steps);
        let found: BTreeSet<Origin> = parts.iter().filter_map(|(_, value)| of(value)).collect();
        if found.is_empty() && !parts.is_empty() { lost() } else { found.into_iter().collect() }
    }

    fn may_share(&self, ty: &Ty) -> bool {
        self.context.shares_lock(self.krate, ty)
            || matches!(ty, Ty::Path(path, _) if self.context.index.is_parameter(self.krate, path))
    }

    pub(crate) fn operand_type(&self, operand: &Operand) -> Ty {
        match operand {
            Operand::Static(path) => self.context.index.static_type(self.krate, path).unwrap_or(Ty::Never),
            other => other.place().map_or(Ty::Never, |place| type_of(&self.body.locals, place)),
        }
    }
}

/// Pointers of which there is one for each object.
pub(crate) fn is_sole(path: &str) -> bool {
    matches!(last(path), "Box" | "LazyLock" | "LazyCell" | "Lazy")
}
