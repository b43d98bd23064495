//! Calls that acquire, wait or hand guards on, as the model table describes them.
//!
//! Part of the transfer functions; called from `apply.rs`. What nests in what is decided in `instantiate.rs`.

use crate::chain::{Chain, keep};
use crate::code::{Calling, CodeSite};
use crate::flow::Flow;
use crate::graph::{Held, Wanted};
use crate::index::last;
use crate::mir::ir::{Call, Callee, Operand, Place, Projection, Span, Ty};
use crate::model::{Acquiring, ClassSource, How, Waiting};
use crate::path::{self, Path, Step, Value};
use crate::state::{Holding, State};
use crate::summary::{Acquire, ClassId, HeldLock, Lock, Note};

impl Flow<'_, '_> {
    /// The class of the lock at `path` that `callee` acquires.
    pub(crate) fn class_of(
        &mut self,
        callee: &Callee,
        acquiring: &Acquiring,
        path: &Path,
        span: &Span,
    ) -> Option<ClassId> {
        if acquiring.class != ClassSource::LastArgument {
            let lock = self.context.locked_type(self.krate, callee)?;
            return Some(self.context.placed_class(path, &lock, acquiring.reentrant));
        }
        let Callee::Path { generics, .. } = callee else { return None };
        let class = generics.last()?.1.last()?;
        let known = self.context.class(class);
        if known.is_none() {
            self.note(Note::Unclassed(class.to_string(), span.clone()));
        }
        known
    }

    /// A call of a function that acquires the lock its first argument points to.
    pub(crate) fn acquiring(
        &mut self,
        state: &mut State,
        call: &Call,
        acquiring: &Acquiring,
        block: usize,
        span: &Span,
    ) {
        let mut path = match (&call.callee, acquiring.class) {
            (Callee::Path { path, .. }, ClassSource::Static) => {
                self.static_path(path.rsplit_once("::").map_or(path, |(handle, _)| handle))
            }
            _ => self.lock_path(state, call),
        };
        path.alone = self.is_alone(&path);
        let Some(class) = self.class_of(&call.callee, acquiring, &path, span) else {
            return self.set_unknown(state, &call.dest, block);
        };
        let (wanted, held) = (acquiring.wanted, acquiring.held);
        let lock = Lock { class, path };
        let content = lock.path.home;
        let cell = call.args.first().filter(|_| acquiring.cell);
        let lock = cell.and_then(|first| self.cell(state, first)).unwrap_or(lock);
        let chain = self.acquisition(lock.class, held, acquiring.how == How::Tries, span);
        let made = block * 4096;
        self.course.surely = true;
        if matches!(acquiring.how, How::Waits | How::During) {
            self.acquire(state, &Acquire { lock: lock.clone(), wanted }, &chain);
        }
        self.course.surely = false;
        match acquiring.how {
            How::Waits | How::Tries => {
                let guard = Value::GuardOf(lock.path.clone());
                let tree = guard_slots(&self.type_of(&call.dest)).map(|at| (at, guard.clone())).collect();
                let holder = self.holder_at(state, &call.dest);
                self.put(state, &call.dest, tree, made);
                let holding = Holding { lock: HeldLock::Known(lock, held), holder };
                state.sure.extend((acquiring.how == How::Waits).then(|| holding.clone()));
                keep(&mut state.held, holding, chain);
            }
            How::During => {
                let mut during = state.clone();
                let holding = Holding { lock: HeldLock::Known(lock, held), holder: None };
                keep(&mut during.held, holding, chain);
                self.run_given_code(&mut during, call, span);
                self.pass_through(state, call, Vec::new());
                self.set_made(state, &call.dest, block, content);
            }
            How::Awaited => {
                let pending = path::Acquiring { path: lock.path, class, shared: held == Held::Shared };
                self.put(state, &call.dest, vec![(Vec::new(), Value::Pending(pending.into()))], made);
            }
        }
    }

    /// The path of the lock itself: some methods take a reference to a counted pointer to it.
    pub(crate) fn lock_path(&self, state: &State, call: &Call) -> Path {
        let Some(first) = call.args.first() else { return Path::unknown() };
        let value = self.value(state, first);
        let mut path = value.pointee();
        let mut ty = first.place().map_or(Ty::Never, |place| self.type_of(place));
        if self.context.is_pointer(self.krate, &ty) {
            ty = crate::index::pointee(&ty);
            if self.context.is_pointer(self.krate, &ty) {
                path = state.step(path, &Step::Deref);
            }
        }
        let home = self.home_of(state, &Value::To(path.clone())).or_else(|| self.home_of(state, &value));
        path.living(home)
    }

    /// A future is polled. True if it was one that acquires.
    pub(crate) fn poll(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) -> bool {
        let Some(first) = call.args.first() else { return false };
        if self.awaiting(state, call, block, span) {
            return true;
        }
        let value = self.value(state, first);
        let future = self.future_at(state, state.load(value.pointee()));
        match future {
            Value::Pending(pending) => {
                let (wanted, held) = match pending.shared {
                    true => (Wanted::Shared, Held::Shared),
                    false => (Wanted::Exclusive, Held::Exclusive),
                };
                let lock = Lock { class: pending.class, path: pending.path.clone() };
                if let Some(waited) = self.context.waited(lock.class) {
                    self.waits(state, waited, "waits for", span);
                    self.set_unknown(state, &call.dest, block);
                    return true;
                }
                let chain = self.acquisition(lock.class, held, false, span);
                self.course.surely = true;
                self.acquire(state, &Acquire { lock: lock.clone(), wanted }, &chain);
                self.course.surely = false;
                let holder = self.holder_at(state, &call.dest);
                let at = vec![Step::Variant("Ready".into()), Step::Field(0)];
                let guard = Value::GuardOf(lock.path.clone());
                self.put(state, &call.dest, vec![(at, guard)], block * 4096);
                keep(&mut state.held, Holding { lock: HeldLock::Known(lock, held), holder }, chain);
                true
            }
            Value::Running(body) => {
                self.ends(state, body, span);
                self.set_unknown(state, &call.dest, block);
                true
            }
            Value::Code(body, _) => {
                let chain = self.chain_step(body, span, false);
                let values = vec![future.clone()];
                let arguments = crate::instantiate::Arguments { moved: vec![None], values };
                self.course.surely = true;
                self.instantiate(state, body, &arguments, Some((&call.dest, block)), &chain);
                self.set_unknown(state, &call.dest, block);
                true
            }
            _ => {
                self.poll_parts(state, call, span);
                false
            }
        }
    }

    /// A task sleeps: locks that threads wait for should not be held.
    pub(crate) fn sleeping(&mut self, state: &State, span: &Span) {
        for (holding, chain) in &state.held {
            let (HeldLock::Known(lock, _), Some(_)) = (&holding.lock, holding.holder) else { continue };
            if let Some(acquired) = chain.start()
                && !self.context.is_of_tasks(lock.class)
                && !self.context.is_solitary(lock.class)
            {
                self.note(Note::Slept(lock.class, acquired.clone(), span.clone()));
            }
        }
    }

    /// A condition variable releases a guard's lock and acquires it again.
    pub(crate) fn waiting(
        &mut self,
        state: &mut State,
        call: &Call,
        waiting: Waiting,
        block: usize,
        span: &Span,
    ) {
        let lends = waiting != Waiting::Gives;
        let position = if waiting == Waiting::Opens { 0 } else { 1 };
        let Some(place) = call.args.get(position).and_then(Operand::place).cloned() else { return };
        let holder = if lends {
            match self.value(state, &Operand::Copy(place.clone())).pointee().root {
                path::Root::Local(local) => Some(local),
                _ => None,
            }
        } else {
            Some(place.local)
        };
        let waited: Vec<(HeldLock, Chain)> = holder
            .iter()
            .flat_map(|local| state.held_by(*local))
            .map(|(lock, chain)| (lock.clone(), chain.clone()))
            .collect();
        let mut others = state.clone();
        holder.iter().for_each(|local| others.release(*local));
        if waiting != Waiting::Opens {
            self.waiting_for_condvar(&others, call, span);
        }
        for (lock, _) in &waited {
            if let HeldLock::Known(lock, held) = lock {
                let chain = self.acquisition(lock.class, *held, false, span);
                self.acquire(&others, &Acquire { lock: lock.clone(), wanted: Wanted::Exclusive }, &chain);
            }
        }
        self.run_given_code(if waiting == Waiting::Opens { &mut others } else { state }, call, span);
        let value = state.load(self.lvalue(state, &place));
        if lends {
            return self.set_unknown(state, &call.dest, block);
        }
        let holder = self.holder_at(state, &call.dest);
        self.move_out(state, &place, holder);
        let mut slots: Vec<_> = guard_slots(&self.type_of(&call.dest)).collect();
        // `wait_timeout` returns the guard with a flag.
        slots.extend(slots.clone().into_iter().map(|at| at.into_iter().chain([Step::Field(0)]).collect()));
        self.put(state, &call.dest, slots.into_iter().map(|at| (at, value.clone())).collect(), block * 4096);
    }

    /// The good variant's content of the first argument.
    pub(crate) fn unwrapping(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) {
        self.run_given_code(state, call, span);
        let Some(Operand::Move(place)) = call.args.first() else {
            return self.set_unknown(state, &call.dest, block);
        };
        let ty = self.type_of(place);
        let inner = |variant: &str, field: Ty| {
            let mut place = Place::clone(place);
            place.projection.push(Projection::Downcast(variant.to_owned()));
            place.projection.push(Projection::Field(0, field));
            place
        };
        let tree = match &ty {
            Ty::Path(path, args) => {
                let content = args.first().cloned().unwrap_or(Ty::Never);
                match path.rsplit("::").next() {
                    Some("Result") => self.copy_tree(state, &inner("Ok", content)),
                    Some("Option") => self.copy_tree(state, &inner("Some", content)),
                    _ => self.copy_tree(state, place),
                }
            }
            _ => self.copy_tree(state, place),
        };
        let holder = self.holder_at(state, &call.dest);
        self.move_out(state, place, holder);
        self.put(state, &call.dest, tree, block * 4096);
    }

    /// Runs the code among the arguments, if there is any, with nothing known of what it is given.
    fn run_given_code(&mut self, state: &mut State, call: &Call, span: &Span) {
        let calling = Calling::Perhaps;
        for operand in &call.args {
            let outside = self.is_callers_code(call, operand);
            let site = CodeSite { calling, what: "the code it is given", span, others: &[], outside };
            for code in &self.codes_in(state, operand) {
                self.apply_code(state, code, Vec::new(), &site);
            }
        }
    }
}

/// Where the guard is in the result of an acquisition: the result itself, or a variant of it.
pub(crate) fn guard_slots(ty: &Ty) -> impl Iterator<Item = Vec<Step>> {
    let variant = |name: &str| vec![Step::Variant(name.into()), Step::Field(0)];
    let last = match ty {
        Ty::Path(path, _) => last(path),
        _ => "",
    };
    let slots = match last {
        "Result" => vec![variant("Ok"), [variant("Err"), vec![Step::Field(0)]].concat()],
        "Option" => vec![variant("Some")],
        _ => vec![Vec::new()],
    };
    slots.into_iter()
}
