//! How much a summary tells apart: bounds on its size that hold for every program.
//!
//! What exceeds a bound is not dropped but no longer told apart: the paths of all locks of a class become the unknown
//! one, the arguments of code unknown values, written places whole parameters. A summary remembers what it gave up, so
//! that analyzing a function again with better informed callees can only give up more; with [`Summary::widen`] this is
//! what makes the fixpoint end. Used by `fixpoint.rs` only.

use std::collections::{BTreeMap, BTreeSet};

use crate::before::Before;
use crate::chain::{Chain, keep};
use crate::mir::ir::Span;
use crate::path::{Path, Value};
use crate::summary::{Acquire, ClassId, CodeCall, HeldLock, Lock, Note, OpenNesting, Summary};

/// More different paths to locks of one class than this are not told apart.
const MAX_PATHS: usize = 8;

/// The same for a declared class: its paths say whose the locks are.
const MAX_DECLARED_PATHS: usize = 256;

/// More different calls of parameters than this are not told apart by what they are given.
const MAX_CALLS: usize = 16;

/// More written places than this are not told apart.
const MAX_WRITES: usize = 16;

/// Guards that more different codes than this hand out are not followed any further, which is noted.
const MAX_CODES: usize = 8;

/// Of results with more known parts than this, nothing is known.
const MAX_RESULT: usize = 128;

/// What a summary does not tell apart any more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coarse {
    /// Paths of locks of these classes.
    classes: BTreeSet<ClassId>,
    /// Paths of locks of these classes that code made here takes.
    elsewhere: BTreeSet<ClassId>,
    /// Calls of parameters, by their arguments.
    arguments: bool,
    /// Calls of parameters, by their way.
    ways: bool,
    /// Parts of the result.
    result: bool,
    /// Guards from code, by the code.
    codes: bool,
    /// Places for which the callers say what is put there.
    pub(crate) stores: bool,
}

impl Coarse {
    /// Gives up what `earlier` gave up.
    pub fn widen(&mut self, earlier: &Coarse) {
        self.classes.extend(&earlier.classes);
        self.elsewhere.extend(&earlier.elsewhere);
        self.arguments |= earlier.arguments;
        self.ways |= earlier.ways;
        self.result |= earlier.result;
        self.codes |= earlier.codes;
        self.stores |= earlier.stores;
    }

    fn lock(&self, lock: &mut Lock) {
        if self.classes.contains(&lock.class) {
            lock.path = lock.path.forgotten();
        }
    }

    fn held(&self, held: &HeldLock) -> HeldLock {
        let mut held = held.clone();
        if let HeldLock::Known(lock, _) = &mut held {
            self.lock(lock);
        }
        held
    }

    fn all_held(&self, map: &mut BTreeMap<HeldLock, Chain>) {
        for (held, chain) in std::mem::take(map) {
            keep(map, self.held(&held), chain);
        }
    }

    fn acquire(&self, acquire: &Acquire) -> Acquire {
        let mut acquire = acquire.clone();
        self.lock(&mut acquire.lock);
        acquire
    }
}

impl Summary {
    /// Does not tell calls of parameters apart from here on: for functions that call each other in so many ways that
    /// the fixpoint would take long.
    pub fn hasten(&mut self) {
        self.coarse.arguments = true;
        self.coarse.ways = true;
    }

    /// Gives up what is too much; `span` is where the function is, and the first `declared` classes are declared.
    pub fn limit(&mut self, span: &Span, declared: usize) {
        self.limit_codes(span);
        self.limit_paths(declared);
        self.limit_elsewhere();
        self.limit_calls();
        self.limit_writes();
        self.limit_stores(span);
        self.coarse.result |= self.result.len() > MAX_RESULT;
        if self.coarse.result {
            self.result.clear();
        }
    }

    fn limit_paths(&mut self, declared: usize) {
        let mut paths: BTreeMap<ClassId, BTreeSet<&Path>> = BTreeMap::new();
        let known = self.acquires.keys().map(|acquire| &**acquire);
        let acquired = known.chain(self.open.keys().map(|open| &open.acquire));
        for acquire in acquired {
            paths.entry(acquire.lock.class).or_default().insert(&acquire.lock.path);
        }
        let called = self.calls.values().flat_map(|occurrence| occurrence.held.keys());
        let held = self.open.keys().map(|open| &open.held);
        for held in self.returned.keys().chain(self.left.keys()).chain(called).chain(held) {
            if let HeldLock::Known(lock, _) = held {
                paths.entry(lock.class).or_default().insert(&lock.path);
            }
        }
        for (class, from, to) in self.pairs.keys() {
            paths.entry(*class).or_default().extend([from, to]);
        }
        let most = |class: ClassId| if class < declared { MAX_DECLARED_PATHS } else { MAX_PATHS };
        let many =
            paths.into_iter().filter(|(class, paths)| paths.len() > most(*class)).map(|(class, _)| class);
        let many: Vec<ClassId> = many.collect();
        self.coarse.classes.extend(many);
        if self.coarse.classes.is_empty() {
            return;
        }
        let coarse = self.coarse.clone();
        for (acquire, chain) in std::mem::take(&mut self.acquires) {
            keep(&mut self.acquires, coarse.acquire(&acquire).into(), chain);
        }
        self.passes = self.passes.iter().map(|acquire| coarse.acquire(acquire)).collect();
        for (signal, before) in std::mem::take(&mut self.signals) {
            let first =
                before.first.into_iter().map(|(acquire, way)| (coarse.acquire(&acquire), way)).collect();
            self.add_signal(signal, Before { first, ..before });
        }
        for (open, ways) in std::mem::take(&mut self.open) {
            let open = OpenNesting { held: coarse.held(&open.held), acquire: coarse.acquire(&open.acquire) };
            self.add_open(open, ways);
        }
        coarse.all_held(&mut self.returned);
        coarse.all_held(&mut self.left);
        for occurrence in self.calls.values_mut() {
            coarse.all_held(&mut occurrence.held);
        }
        // Which two of many they are is not said any more, and a pair of unknown ones says nothing.
        self.pairs.retain(|(class, ..), _| !coarse.classes.contains(class));
    }

    fn limit_elsewhere(&mut self) {
        let mut paths: BTreeMap<ClassId, usize> = BTreeMap::new();
        self.elsewhere.keys().for_each(|taken| *paths.entry(taken.lock.class).or_default() += 1);
        let many = paths.into_iter().filter(|(_, count)| *count > MAX_PATHS).map(|(class, _)| class);
        self.coarse.elsewhere.extend(many);
        let is_coarse = |taken: &Acquire| self.coarse.elsewhere.contains(&taken.lock.class);
        let known: Vec<_> = self.elsewhere.extract_if(.., |taken, _| is_coarse(taken)).collect();
        for (taken, span) in known {
            let mut taken = Acquire::clone(&taken);
            taken.lock.path = taken.lock.path.forgotten();
            self.elsewhere.entry(taken.into()).or_insert(span);
        }
    }

    fn limit_codes(&mut self, span: &Span) {
        let from_code = |held: &&HeldLock| matches!(held, HeldLock::FromCode(_));
        let held =
            self.returned.keys().chain(self.left.keys()).chain(self.open.keys().map(|open| &open.held));
        let called = self.calls.values().flat_map(|occurrence| occurrence.held.keys());
        let codes: BTreeSet<&HeldLock> = held.chain(called).filter(from_code).collect();
        self.coarse.codes |= codes.len() > MAX_CODES;
        if !self.coarse.codes {
            return;
        }
        let known = |held: &HeldLock| !matches!(held, HeldLock::FromCode(_));
        self.returned.retain(|held, _| known(held));
        self.left.retain(|held, _| known(held));
        self.open.retain(|open, _| known(&open.held));
        for occurrence in self.calls.values_mut() {
            occurrence.held.retain(|held, _| known(held));
        }
        self.notes.insert(Note::GuardsOfCode(span.clone()).into());
    }

    fn limit_calls(&mut self) {
        self.coarse.arguments |= self.calls.len() > MAX_CALLS;
        if self.coarse.arguments {
            self.merge_calls(|call| call.args.fill(Value::Unknown));
        }
        self.coarse.ways |= self.calls.len() > MAX_CALLS;
        if self.coarse.ways {
            self.merge_calls(|call| call.code.steps.truncate(1));
            self.merge_callees();
        }
    }

    /// Takes calls of one code with equally many arguments for one, of all that any of them may be. One that may be
    /// nothing that is known stays apart, since that is noted.
    fn merge_callees(&mut self) {
        let of = |call: &CodeCall| (call.code.clone(), call.args.len(), call.others.is_empty());
        let mut merged: BTreeMap<_, CodeCall> = BTreeMap::new();
        for call in self.calls.keys() {
            let all = merged.entry(of(call)).or_insert_with(|| call.clone());
            all.called |= call.called;
            all.outside |= call.outside;
            all.others.extend(&call.others);
        }
        for all in merged.values_mut() {
            all.others.sort_unstable();
            all.others.dedup();
        }
        self.merge_calls(|call| call.clone_from(&merged[&of(call)]));
    }

    fn merge_calls(&mut self, change: impl Fn(&mut CodeCall)) {
        for (mut call, occurrence) in std::mem::take(&mut self.calls) {
            change(&mut call);
            self.add_call(call, occurrence.held, &occurrence.chain);
        }
    }

    fn limit_writes(&mut self) {
        if self.writes.len() > MAX_WRITES {
            for mut place in std::mem::take(&mut self.writes) {
                place.steps.clear();
                self.add_write(&place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Wanted;
    use crate::path::{Root, Step};

    fn parameter(field: u32) -> Path {
        Path::from(Root::Param(1)).then(Step::Field(field))
    }

    #[test]
    fn calls_of_one_code_are_one_however_many_it_may_be() {
        let mut summary = Summary::default();
        let call = |field, others: Vec<usize>| {
            let code = parameter(0).then(Step::Field(field));
            CodeCall { code, args: vec![Value::Unknown], called: false, others, outside: false }
        };
        for other in 0..MAX_CALLS {
            summary.add_call(call(other as u32, vec![other, 99]), BTreeMap::new(), &Chain::default());
        }
        summary.add_call(call(0, Vec::new()), BTreeMap::new(), &Chain::default());
        summary.limit(&Span::default(), 0);
        let others: Vec<usize> = (0..MAX_CALLS).chain([99]).collect();
        let whole = |others| CodeCall { code: parameter(0), ..call(0, others) };
        // What is nobody that is known is noted where it is called, and must not hide behind the others.
        let expected = [whole(Vec::new()), whole(others)];
        assert!(summary.calls.keys().eq(&expected), "{:?}", summary.calls.keys());
    }

    #[test]
    fn locks_that_code_made_here_takes_are_told_apart_within_bounds() {
        let taken = |class, path| Acquire { lock: Lock { class, path }, wanted: Wanted::Exclusive };
        let mut summary = Summary::default();
        for field in 0..=MAX_PATHS as u32 {
            summary.elsewhere.insert(taken(7, parameter(field)).into(), Span::default());
        }
        summary.elsewhere.insert(taken(8, parameter(0)).into(), Span::default());
        summary.limit(&Span::default(), 0);
        let expected = [taken(7, Path::unknown()), taken(8, parameter(0))];
        assert!(summary.elsewhere.keys().map(|taken| &**taken).eq(&expected), "{:?}", summary.elsewhere);
    }

    #[test]
    fn what_was_given_up_stays_so() {
        use crate::stored::Origin;
        let given = |field| (Origin::Given(parameter(field)), Origin::Given(parameter(field)));
        let mut summary = Summary { stores: (0..100).map(given).collect(), ..Summary::default() };
        summary.limit(&Span::default(), 0);
        let coarse = summary.stores.clone();
        assert_eq!(coarse.len(), 1);
        let mut again = Summary { stores: [given(7)].into(), ..Summary::default() };
        again.widen(&summary);
        again.limit(&Span::default(), 0);
        assert_eq!(again.stores, coarse);
    }
}
