//! Code of the callers of the crates analyzed, which runs while something is held: what `--callbacks` asks for.
//!
//! What nobody analyzed is seen to give is the caller's: a closure, a type parameter, a trait object. Where such code
//! runs, a class of its own is acquired, which stands for whatever the caller does there, so that the nestings in it
//! are found on the same ways as those of locks. It is no lock, and `link.rs` takes it out of the graph. Unless it is
//! asked for, nothing of this is done.

use std::collections::BTreeSet;

use crate::context::Context;
use crate::flow::Flow;
use crate::graph::Wanted;
use crate::index::{BodyId, last};
use crate::mir::ir::{
    Body, Call, Callee, Operand, Place, Projection, Rvalue, Span, StatementKind, Terminator, Ty,
};
use crate::path::{Path, Root};
use crate::resolve::is_code_trait;
use crate::sources::{Source, principal};
use crate::state::State;
use crate::summary::{Acquire, Lock};

/// What code of the callers is called where a lock's name would stand.
pub const NAME: &str = "code of the caller";

/// What of the callers' code runs, as chains say it: what they give for nothing else but to be run comes first, and what
/// few think of last. Methods are between.
pub(crate) const GIVEN: &str = "the code it was given";
const FORMATTING: &str = "the formatting of ";
pub(crate) const DESTRUCTOR: &str = "the destructor of ";

/// How far down a list of such places one with this action belongs.
pub(crate) fn rank(action: &str) -> usize {
    match action {
        _ if action.contains(GIVEN) => 0,
        _ if action.contains(FORMATTING) => 2,
        _ if action.contains(DESTRUCTOR) => 3,
        _ => 1,
    }
}

/// Methods that print a value for which nothing else is asked of its type.
const PRINTS: &str = "::fmt";

/// Foreign types that own what their arguments say.
const OWNING: [&str; 34] = [
    "Box",
    "Rc",
    "Arc",
    "Pin",
    "Vec",
    "VecDeque",
    "LinkedList",
    "BinaryHeap",
    "BTreeMap",
    "BTreeSet",
    "HashMap",
    "HashSet",
    "IntoIter",
    "Drain",
    "Option",
    "Result",
    "Poll",
    "ControlFlow",
    "Cell",
    "RefCell",
    "UnsafeCell",
    "OnceCell",
    "OnceLock",
    "LazyLock",
    "Mutex",
    "RwLock",
    "IndexMap",
    "SmallVec",
    "DashMap",
    "Slab",
    "Sender",
    "Receiver",
    "SendError",
    "ArcInner",
];

/// Whether a foreign type with this path owns values of its arguments.
pub(crate) fn owns_arguments(path: &str) -> bool {
    OWNING.contains(&last(path))
}

/// Locals of a body of which a part is moved out somewhere. The text still destroys them afterwards, as a whole; what
/// is left of an option, a result or a pair then is mostly nothing.
pub(crate) fn emptied(body: &Body) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut look = |operand: &Operand| {
        if let Operand::Move(place) = operand
            && !place.projection.is_empty()
            && place
                .projection
                .iter()
                .all(|step| matches!(step, Projection::Field(..) | Projection::Downcast(_)))
        {
            found.insert(place.local);
        }
    };
    for block in &body.blocks {
        for statement in &block.statements {
            match &statement.kind {
                StatementKind::Assign(_, Rvalue::Use(operand) | Rvalue::Cast(operand, _)) => look(operand),
                StatementKind::Assign(_, Rvalue::Aggregate(aggregate)) => {
                    aggregate.fields.iter().for_each(|(_, operand)| look(operand));
                }
                _ => {}
            }
        }
        if let Terminator::Call(call) = &block.terminator {
            call.args.iter().for_each(&mut look);
        }
    }
    found
}

impl Context<'_> {
    /// Finds the traits whose objects functions that nobody calls are given.
    pub(crate) fn find_objects_from_outside(&mut self, called: impl Fn(BodyId) -> bool) {
        let mut found = BTreeSet::new();
        for (id, entry) in self.index.bodies.iter().enumerate() {
            if called(id) || entry.body.id.ends_with('}') {
                continue;
            }
            for ty in entry.body.locals.iter().skip(1).take(entry.body.params) {
                ty.any(&mut |inner| {
                    if let Ty::Dyn(bounds) = inner {
                        found.insert(principal(bounds));
                    }
                    false
                });
            }
        }
        self.from_outside = found;
    }

    /// Whether the code behind a value of this type, seen in a body, may be the caller's.
    pub(crate) fn is_callers(&self, body: BodyId, ty: &Ty) -> bool {
        match ty {
            Ty::Dyn(bounds) => self.is_callers_object(bounds, self.sources.anywhere(ty)),
            Ty::FnPtr(..) => self.sources.anywhere(ty).next().is_none(),
            Ty::Path(..) | Ty::Opaque(_) => {
                crate::instances::is_parameter_of(self.index, body, ty) && self.is_unknown(body, ty)
            }
            _ => false,
        }
    }

    /// The same of a part of the type of a place: what was put there decides about a trait object.
    fn is_callers_at(&self, body: BodyId, place: &Place, whole: &Ty, ty: &Ty) -> bool {
        match ty {
            Ty::Dyn(bounds) => {
                let sources = self.sources.at(self.index, body, place, whole);
                // A box of another object is one of them, too.
                let boxed = |inner: &Ty| matches!(inner, Ty::Dyn(_)) && self.is_callers(body, inner);
                self.is_callers_object(bounds, sources.iter())
                    || sources
                        .iter()
                        .any(|source| matches!(source, Source::Object(_, ty) if ty.any(&mut |ty| boxed(ty))))
            }
            _ => self.is_callers(body, ty),
        }
    }

    fn is_callers_object<'s>(&self, bounds: &str, sources: impl Iterator<Item = &'s Source>) -> bool {
        let mut sources = sources.peekable();
        self.from_outside.contains(&principal(bounds))
            || sources.peek().is_none()
            || sources.any(|source| matches!(source, Source::Generic(of, ty) if self.is_unknown(*of, ty)))
    }

    /// Whether nobody says all that a parameter stands for.
    fn is_unknown(&self, body: BodyId, ty: &Ty) -> bool {
        let types = self.instances.of(self.index, body, ty).filter(|types| !types.is_empty());
        types.is_none_or(|types| self.concrete(types).is_none())
    }
}

impl Flow<'_, '_> {
    /// Code of the caller runs here, if that is asked for.
    pub(crate) fn call_back(&mut self, state: &State, what: &str, possible: bool, span: &Span) {
        if !self.context.callbacks || self.output.is_none() {
            return;
        }
        let mut chain = self.step(format!("runs {what}, which is the caller's"), span);
        chain.possible = possible;
        // One that every function sees from the same place: who holds what is then for the callers to say.
        let lock =
            Lock { class: self.context.class_of_callers(), path: Path::from(Root::Static(NAME.into())) };
        self.acquire(state, &Acquire { lock, wanted: Wanted::Exclusive }, &chain);
    }

    /// The same of a method call, if the receiver's implementation may be the caller's.
    pub(crate) fn call_back_by_method(&mut self, state: &State, call: &Call, span: &Span) {
        let Callee::Qualified { this, of: Some(Ty::Path(of, _)), method, .. } = &call.callee else { return };
        if self.context.callbacks && !is_code_trait(of) && self.context.is_callers(self.id, this) {
            self.call_back(state, &format!("`<{this} as {of}>::{method}`"), false, span);
        }
    }

    /// The same of a foreign function that prints what it is given.
    pub(crate) fn call_back_by_printing(&mut self, state: &State, call: &Call, key: &str, span: &Span) {
        let context = self.context;
        if !context.callbacks || !context.models.methods_run_by(key).any(|method| method.ends_with(PRINTS)) {
            return;
        }
        let mut printed = BTreeSet::new();
        let mut look = |ty: &Ty, place: Option<&Place>| {
            ty.any(&mut |inner| {
                let callers = match place {
                    Some(place) => context.is_callers_at(self.id, place, ty, inner),
                    None => context.is_callers(self.id, inner),
                };
                if callers {
                    printed.insert(inner.clone());
                }
                false
            });
        };
        if let Callee::Path { generics, .. } = &call.callee {
            generics.iter().flat_map(|(_, types)| types).for_each(|ty| look(ty, None));
        }
        call.args.iter().filter_map(Operand::place).for_each(|place| look(&self.type_of(place), Some(place)));
        for ty in printed {
            self.call_back(state, &format!("{FORMATTING}`{ty}`"), false, span);
        }
    }

    /// Whether an argument of a foreign function is code of the caller, which that function may call.
    pub(crate) fn is_callers_code(&self, call: &Call, operand: &Operand) -> bool {
        if !self.context.callbacks {
            return false;
        }
        let Some(place) = operand.place() else { return false };
        let mut ty = self.type_of(place);
        while let Ty::Ref(_, inner) = ty {
            ty = Ty::clone(&inner);
        }
        let is_code = match &ty {
            Ty::Dyn(bounds) => is_code_trait(&principal(bounds)),
            Ty::FnPtr(..) => true,
            Ty::Opaque(bounds) => is_code_trait(bounds.split(['(', '<']).next().unwrap_or_default().trim()),
            // Bounds are not printed. What a function is generic in besides its type is mostly code that it calls.
            Ty::Path(..) => {
                let own = match &call.callee {
                    // These take values of any type.
                    Callee::Path { path, .. } if path.contains("::mem::") || path.contains("::ptr::") => &[],
                    Callee::Path { path, generics } => {
                        let last = path.split("::").count() - 1;
                        let own = generics.iter().find(|(at, _)| *at == last);
                        own.map(|(_, types)| types.as_slice()).unwrap_or_default()
                    }
                    Callee::Qualified { generics, .. } => generics.as_slice(),
                    Callee::Place(_) => &[],
                };
                own.contains(&ty)
            }
            _ => false,
        };
        is_code && self.context.is_callers(self.id, &ty)
    }

    /// Whether the function pointer in a place is that of a field of a type that was not read, like a table of the
    /// functions of a library: those are what its crate put there.
    pub(crate) fn is_of_foreign_type(&self, place: &Place) -> bool {
        let from_field = |place: &Place| {
            let Some((Projection::Field(..), way)) = place.projection.split_last() else { return false };
            let whole = self.type_of(&Place { local: place.local, projection: way.to_vec().into() });
            matches!(&whole, Ty::Path(path, args)
                if args.is_empty() && self.context.index.name(self.krate, path).krate.is_empty())
        };
        if !place.projection.is_empty() {
            return from_field(place);
        }
        let blocks = || self.body.blocks.iter();
        let returned = blocks().any(
            |block| matches!(&block.terminator, Terminator::Call(call) if call.dest.local == place.local),
        );
        let assigned = blocks().flat_map(|block| &block.statements).filter_map(|statement| {
            let StatementKind::Assign(dest, rvalue) = &statement.kind else { return None };
            (dest.local == place.local).then_some(rvalue)
        });
        let mut assigned = assigned.peekable();
        !returned
            && assigned.peek().is_some()
            && assigned.all(|rvalue| {
                matches!(rvalue, Rvalue::Use(Operand::Copy(from) | Operand::Move(from)) if from_field(from))
            })
    }

    /// Whether the type of what is called, a closure, a pointer or an object, says that it may be the caller's.
    pub(crate) fn may_be_callers(&self, call: &Call) -> bool {
        if !self.context.callbacks {
            return false;
        }
        let mut ty = match &call.callee {
            Callee::Qualified { this, .. } => this.clone(),
            Callee::Place(place) => self.type_of(place),
            Callee::Path { .. } => return false,
        };
        loop {
            ty = match &ty {
                Ty::Ref(_, inner) => Ty::clone(inner),
                Ty::Path(path, args) if owns_arguments(path) && !args.is_empty() => args[0].clone(),
                _ => return self.context.is_callers(self.id, &ty),
            };
        }
    }
}
