//! Nestings: what is held when a lock is waited for, and how their owners stand to each other.
//!
//! Here nestings are made, and their owners' relation is decided or left to the callers. Callees are applied elsewhere
//! (`instantiate.rs`); part of the transfer functions.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockdep::order::Relation;

use crate::chain::{Chain, keep};
use crate::flow::Flow;
use crate::graph::{Gates, Held, Instances, Nesting};
use crate::home::Key;
use crate::mir::ir::{Span, Ty};
use crate::path::{Path, Root};
use crate::state::State;
use crate::summary::{Acquire, ClosedNesting, Grounds, HeldLock, Lock, Note, OpenNesting, Ways};

impl Flow<'_, '_> {
    /// A lock is waited for: it nests in everything held.
    pub(crate) fn acquire(&mut self, state: &State, acquire: &Acquire, chain: &Chain) {
        let path = &acquire.lock.path;
        let owned_already = self.context.is_recursive(acquire.lock.class)
            && path.is_definite()
            && state.held.keys().any(|holding| {
                matches!(&holding.lock, HeldLock::Known(lock, Held::Exclusive)
                    if lock.class == acquire.lock.class && lock.path.same_way(path))
            });
        if owned_already {
            return;
        }
        for (holding, held_chain) in &state.held {
            let (held, wanted) = (held_chain.clone(), chain.clone());
            let ways = Ways { held, wanted, gates: Gates::default(), apart: false };
            self.nest(state, &holding.lock, acquire, ways);
        }
        if self.output.is_none() || path.alone {
            return;
        }
        let counts = !self.context.channels.is_empty() && self.context.comes_first(acquire.lock.class);
        if counts {
            self.course.pass(&self.passing(acquire), chain);
        }
        if let Some(output) = &mut self.output {
            keep(&mut output.acquires, self.context.acquisitions.one(acquire), chain.clone());
        }
    }

    /// A nesting, come by in `ways`; what is surely held here are gates besides.
    pub(crate) fn nest(&mut self, state: &State, held: &HeldLock, acquire: &Acquire, mut ways: Ways) {
        if self.output.is_none() {
            return;
        }
        let alone = |lock: &Lock| lock.path.alone || self.context.is_solitary(lock.class);
        let again = |lock: &Lock| lock.class == acquire.lock.class && lock.path.same_way(&acquire.lock.path);
        // Of two locks of one thread only the callers may know that they are one.
        let unknown = |lock: &Lock| !lock.path.alone && lock.path.is_open();
        let may_be_one = |lock: &Lock| {
            let open = self.context.is_open(lock.class) || self.context.is_open(acquire.lock.class);
            (open || lock.class == acquire.lock.class) && (unknown(lock) || unknown(&acquire.lock))
        };
        if matches!(held, HeldLock::Known(lock, _) if (alone(lock) || alone(&acquire.lock)) && !again(lock) && !may_be_one(lock))
            || (alone(&acquire.lock) && !matches!(held, HeldLock::Known(..)))
        {
            return;
        }
        ways.gates.extend(self.gates(state, held, &acquire.lock));
        self.in_thread(&mut ways);
        let decided = match held {
            HeldLock::Argument(..) | HeldLock::FromCode(_) => None,
            // Which class it is, only a caller knows.
            HeldLock::Known(lock, _)
                if self.context.is_open(lock.class) || self.context.is_open(acquire.lock.class) =>
            {
                None
            }
            // Code of the callers is nobody's, whoever calls this.
            HeldLock::Known(..) if self.is_of_callers(acquire) => Some((Relation::Other, Instances::Any)),
            HeldLock::Known(lock, _) => decide(state, lock, &acquire.lock).or_else(|| {
                // Two elements that one function goes through: what it does with them is decided here.
                let here = again(lock) && self.context.placed_key(lock.class).is_some();
                here.then_some((Relation::Other, Instances::Any))
            }),
        };
        match (held, decided) {
            (HeldLock::Known(lock, how), Some((relation, instances))) => {
                let closed = close(lock, *how, acquire, relation, instances);
                let closed = ClosedNesting { place: self.place(acquire, &ways), ..closed };
                let grounds = self.grounds(lock, acquire, ways);
                if let Some(output) = &mut self.output {
                    output.add_closed(closed, grounds);
                }
            }
            _ => {
                self.pair(held, acquire, &ways);
                let open = OpenNesting { held: held.clone(), acquire: acquire.clone() };
                if let Some(output) = &mut self.output {
                    output.add_open(open, ways);
                }
            }
        }
    }

    /// Two parameters whose locks of one undeclared class are both taken: swapped, they close a circle.
    fn pair(&mut self, held: &HeldLock, acquire: &Acquire, ways: &Ways) {
        let HeldLock::Known(lock, how) = held else { return };
        let (from, to) = (&lock.path, &acquire.lock.path);
        let alike = lock.class == acquire.lock.class && from.steps == to.steps && from.root != to.root;
        let named = |path: &Path| path.is_open() && path.is_definite();
        if !alike || !named(from) || !named(to) || self.context.placed_key(lock.class).is_none() {
            return;
        }
        let nesting = close(lock, *how, acquire, Relation::Other, Instances::Any).nesting;
        // Pairs of several places are not told apart, so none of them says what is surely held.
        let grounds = self.grounds(lock, acquire, Ways { gates: Gates::default(), ..ways.clone() });
        if let Some(output) = &mut self.output {
            output.pairs.entry((lock.class, from.bare(), to.bare())).or_insert((nesting, grounds));
        }
    }

    fn is_of_callers(&self, acquire: &Acquire) -> bool {
        self.context.callbacks && acquire.lock.class == self.context.class_of_callers()
    }

    /// Where what is held and code of the callers meet: each such place is to be looked at.
    fn place(&self, acquire: &Acquire, ways: &Ways) -> Option<Span> {
        ways.wanted.start().filter(|_| self.is_of_callers(acquire)).cloned()
    }

    fn grounds(&self, held: &Lock, acquire: &Acquire, ways: Ways) -> Grounds {
        let owner = |lock: &Lock| {
            let names = |local: usize| self.body.names.get(&local).cloned();
            lock.path.owner_path().map_or_else(String::new, |path| path.describe(&names))
        };
        let owners = (owner(held), owner(&acquire.lock));
        Grounds { ways, owners }
    }

    /// Nestings of an entry point that nobody calls: what is open stays a meeting of strangers.
    pub(crate) fn close_entry(&mut self) {
        let known = &self.context.summaries[self.id];
        self.close_calls(&known.calls);
        let Some(mut output) = self.output.take() else { return };
        for (open, ways) in &known.open {
            output.add_open(open.clone(), ways.clone());
        }
        let elsewhere = known.elsewhere.keys().chain(output.elsewhere.keys());
        for acquire in known.acquires.keys().chain(output.acquires.keys()).chain(elsewhere) {
            if let Some((Key::Open(lock), _)) = self.context.placed_key(acquire.lock.class) {
                output.notes.insert(Note::Given(lock.to_string(), self.body.span.clone()).into());
            }
        }
        for (open, mut ways) in std::mem::take(&mut output.open) {
            self.in_thread(&mut ways);
            // Without a class there is no nesting to speak of; the note above stands for it.
            let open_class = |lock: &Lock| self.context.is_open(lock.class);
            let alone = |lock: &Lock| self.context.is_solitary(lock.class);
            if alone(&open.acquire.lock) || matches!(&open.held, HeldLock::Known(lock, _) if alone(lock)) {
                continue;
            }
            if self.context.is_open_wait(open.acquire.lock.class) {
                output.notes.extend(ways.wanted.end().cloned().map(Note::Waits).map(Arc::new));
            }
            let known = matches!(&open.held, HeldLock::Known(lock, _) if !open_class(lock));
            if open_class(&open.acquire.lock) || !(known || matches!(open.held, HeldLock::Argument(..))) {
                continue;
            }
            let mut locks = Vec::new();
            match &open.held {
                HeldLock::Known(lock, how) => locks.push((lock.clone(), *how)),
                HeldLock::Argument(param, _) => {
                    // A guard from outside: its type says the class, nothing says the instance.
                    let ty = self.body.locals.get(*param).cloned().unwrap_or(Ty::Never);
                    for class in self.context.classes_of_guards(self.krate, &ty).into_iter().flatten() {
                        locks.push((Lock { class, path: Path::unknown() }, Held::Exclusive));
                    }
                }
                // Nobody analyzed calls this, so nobody gives it code.
                HeldLock::FromCode(_) => {}
            }
            for (lock, how) in locks {
                let closed = close(&lock, how, &open.acquire, Relation::Other, Instances::Any);
                let closed = ClosedNesting { place: self.place(&open.acquire, &ways), ..closed };
                let grounds = self.grounds(&lock, &open.acquire, ways.clone());
                output.add_closed(closed, grounds);
            }
        }
        self.output = Some(output);
    }
}

fn close(
    held: &Lock,
    how: Held,
    acquire: &Acquire,
    relation: Relation,
    instances: Instances,
) -> ClosedNesting {
    let nesting = Nesting {
        held: held.class,
        wanted: acquire.lock.class,
        relation,
        held_as: how,
        wanted_as: acquire.wanted,
        instances,
    };
    let ownerless = (held.path.owner.is_none(), acquire.lock.path.owner.is_none());
    let unknown = acquire.lock.path.root == Root::Unknown;
    ClosedNesting { nesting, ownerless, unknown, place: None }
}

/// The relation of two owners and of the two instances, unless a caller may know more.
fn decide(state: &State, held: &Lock, wanted: &Lock) -> Option<(Relation, Instances)> {
    let (from, to) = (&held.path, &wanted.path);
    if held.class == wanted.class && (from.same_way(to) && from.is_definite() || from.meets(to)) {
        return Some((Relation::Same, Instances::SameOne));
    }
    let replaceable = |path: &Path| matches!(path.root, Root::Param(_) | Root::Static(_));
    let open = (from.is_open() || to.is_open()) && replaceable(from) && replaceable(to);
    let relation = match (from.owner_path(), to.owner_path()) {
        (Some(from), Some(to)) if from.same_way(&to) && from.is_definite() => Relation::Same,
        (Some(from), Some(to)) if controls(state, &to, &from) => Relation::Up,
        (Some(from), Some(to)) if controls(state, &from, &to) => Relation::Down,
        _ if open => return None,
        _ => Relation::Other,
    };
    Some((relation, Instances::Any))
}

/// Whether roles established here make `upper` control `lower`.
fn controls(state: &State, upper: &Path, lower: &Path) -> bool {
    let mut reached = BTreeSet::from([lower.clone()]);
    loop {
        let next: Vec<Path> = state
            .roles
            .iter()
            .filter(|(below, above)| reached.contains(below) && !reached.contains(above))
            .map(|(_, above)| above.clone())
            .collect();
        if next.is_empty() {
            return reached.contains(upper) && upper != lower;
        }
        reached.extend(next);
    }
}
