//! Calls of code that is a value: closures, functions, function pointers, and what is stored somewhere.
//!
//! What is known where it is called runs with what it captured; what came in through a parameter is left to the
//! callers; of anything else, the bodies that the program ever put there run as possible callees (`resolve.rs`).

use std::collections::{BTreeMap, BTreeSet};

use crate::apply::describe;
use crate::callers::GIVEN;
use crate::chain::{Chain, keep};
use crate::flow::Flow;
use crate::index::BodyId;
use crate::instantiate::Arguments;
use crate::mir::ir::{Call, Operand, Place, Span, Ty};
use crate::path::{Path, Root, Step, Value};
use crate::state::{Holding, State};
use crate::summary::{CodeCall, HeldLock, Lock, Note, Occurrence};

/// Code that returns what code returns that …: not followed further than this.
pub(crate) const MAX_CODE_DEPTH: usize = 8;

/// A call of code that may be the one: the code, what it is given, and what is held, some of it surely.
pub(crate) type Application = (BodyId, Vec<Value>, BTreeSet<(HeldLock, bool)>);

/// Whether a value is called, or only given to somebody who may call it if it is code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calling {
    /// It is called.
    Surely,
    /// It may be called any number of times, if it is code at all.
    Perhaps,
    /// It may be called, but not again.
    PerhapsOnce,
}

/// How and where code is called.
#[derive(Clone, Copy)]
pub(crate) struct CodeSite<'s> {
    /// Whether it is called at all.
    pub calling: Calling,
    /// What is called, as a person would write it.
    pub what: &'s str,
    /// Where.
    pub span: &'s Span,
    /// What it may be if it is not known here.
    pub others: &'s [BodyId],
    /// It may be code of the callers of all that is analyzed then.
    pub outside: bool,
}

impl Flow<'_, '_> {
    /// `<F as Fn…>::call…(code, (args,))`.
    pub(crate) fn call_code(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) {
        let code = call.args.first().map_or(Value::Unknown, |arg| self.value(state, arg));
        let args = match call.args.get(1).and_then(Operand::place) {
            Some(tuple) => {
                let Ty::Tuple(types) = self.type_of(tuple) else {
                    return self.foreign(state, call, block, span);
                };
                let at = self.lvalue(state, tuple);
                let field = |k: usize| state.load(state.step(at.clone(), &Step::Field(k as u32)));
                (0..types.len()).map(field).collect()
            }
            None => Vec::new(),
        };
        let code = match call.args.first().map(|operand| self.codes_in(state, operand)) {
            // A box of one closure is as good as the closure.
            Some(codes) if codes.len() == 1 && matches!(codes[0], Value::Code(..)) => codes[0].clone(),
            _ => code,
        };
        let others = self.context.codes_called(self.id, call);
        let (what, outside) = (describe(&call.callee), self.may_be_callers(call));
        let site = CodeSite { calling: Calling::Surely, what: &what, span, others: &others, outside };
        let produced = self.apply_code(state, &code, args, &site);
        self.pass_through(state, call, produced);
        self.set_unknown(state, &call.dest, block);
    }

    /// A call of the function pointer in `place`.
    pub(crate) fn call_pointer(
        &mut self,
        state: &mut State,
        call: &Call,
        place: &Place,
        block: usize,
        span: &Span,
    ) {
        let value = state.load(self.lvalue(state, place));
        let args = call.args.iter().map(|arg| self.value(state, arg)).collect();
        let others = self.context.codes_called(self.id, call);
        let what = "a function pointer";
        let (calling, outside) = if self.is_of_foreign_type(place) {
            if others.is_empty() {
                self.note(Note::Unresolved(what.to_owned(), span.clone()));
            }
            (Calling::Perhaps, false)
        } else {
            (Calling::Surely, self.may_be_callers(call))
        };
        let site = CodeSite { calling, what, span, others: &others, outside };
        let produced = self.apply_code(state, &value, args, &site);
        self.pass_through(state, call, produced);
        self.written_by_foreign(state, call);
        self.set_unknown(state, &call.dest, block);
    }

    /// Calls code in place: its effects happen under what is held now. Returns the guards that it hands out.
    pub(crate) fn apply_code(
        &mut self,
        state: &mut State,
        code: &Value,
        args: Vec<Value>,
        site: &CodeSite<'_>,
    ) -> Vec<(HeldLock, Chain)> {
        let (calling, span) = (site.calling, site.span);
        let code = match code {
            Value::To(path) => state.load(path.clone()),
            other => other.clone(),
        };
        match &code {
            Value::Code(body, _) => {
                let chain = self.chain_step(*body, span, false);
                let arguments = self.code_arguments(&code, *body, args);
                let apart = self.set_apart(*body, calling);
                if self.output.is_some() {
                    self.instantiate(&mut state.clone(), *body, &arguments, None, &chain);
                }
                let produced = self.produced(state, &code, &chain, MAX_CODE_DEPTH);
                let again = calling == Calling::Perhaps && self.context.index.runs_again(*body);
                if again && !produced.is_empty() && self.output.is_some() {
                    // Foreign code may call it again while it keeps what the first call handed out.
                    let mut again = state.clone();
                    for (lock, chain) in &produced {
                        keep(&mut again.held, Holding { lock: lock.clone(), holder: None }, chain.clone());
                    }
                    self.instantiate(&mut again, *body, &arguments, None, &chain);
                }
                self.by.apart = apart;
                self.written_by(state, *body, &arguments);
                self.left_by(state, &code, &arguments, &chain);
                produced
            }
            Value::At(path) if path.is_open() => {
                let chain = self.step("calls the code it was given", span);
                let held = state.held.iter().map(|(h, chain)| (h.lock.clone(), chain.clone())).collect();
                let (called, outside) = (calling == Calling::Surely, site.outside);
                let call =
                    CodeCall { code: path.bare(), args, called, others: site.others.to_vec(), outside };
                if let Some(output) = &mut self.output {
                    output.add_call(call, held, &chain);
                }
                vec![(HeldLock::FromCode(path.bare()), chain)]
            }
            _ => {
                let nobodys = calling == Calling::Surely && site.others.is_empty();
                if nobodys || site.outside {
                    self.call_back(state, &format!("`{}`", site.what), false, span);
                }
                if nobodys {
                    self.note(Note::Unresolved(site.what.to_owned(), span.clone()));
                }
                self.apply_others(state, args, site)
            }
        }
    }

    /// Code that is not called here, but given to who may run it in another thread, runs apart. Returns how it was.
    fn set_apart(&mut self, body: BodyId, calling: Calling) -> bool {
        let elsewhere =
            calling != Calling::Surely && self.context.roots.only(body) != self.by.thread.as_ref();
        let before = self.by.apart;
        self.by.apart |= elsewhere;
        before
    }

    /// Calls code of which only the body is known, and that only as one of those it may be.
    pub(crate) fn apply_others(
        &mut self,
        state: &mut State,
        args: Vec<Value>,
        site: &CodeSite<'_>,
    ) -> Vec<(HeldLock, Chain)> {
        let mut produced = Vec::new();
        let before = state.clone();
        let outermost = self.applied.is_empty();
        let held = before.held.keys().map(|held| (held.lock.clone(), before.sure.contains(held)));
        let held: BTreeSet<(HeldLock, bool)> = held.collect();
        for &body in site.others {
            let chain = self.chain_step(body, site.span, true);
            let arguments = self.code_arguments(&Value::Unknown, body, args.clone());
            // Code that may call what calls it does nothing new the second time.
            let first = self.applied.insert((body, args.clone(), held.clone()));
            if self.output.is_some() && (first || outermost) {
                let apart = self.set_apart(body, site.calling);
                self.instantiate(&mut before.clone(), body, &arguments, None, &chain);
                self.by.apart = apart;
            }
            produced.extend(self.handed_out(&before, body, &arguments, &chain, MAX_CODE_DEPTH));
            self.written_by(state, body, &arguments);
            if site.others.len() == 1 {
                let code = Value::Code(body, (usize::MAX, Vec::new()));
                self.left_by(state, &code, &arguments, &chain);
            } else if !self.context.summaries[body].left.is_empty() {
                // Of many that it may be, what one keeps is not held whenever another has run.
                self.note(Note::GuardsOfCode(site.span.clone()));
            }
        }
        if outermost {
            self.applied.clear();
        }
        produced
    }

    pub(crate) fn code_arguments(&self, code: &Value, body: BodyId, args: Vec<Value>) -> Arguments {
        // A closure's body gets the closure first; a function item has nothing to get.
        let closure = self.context.index.bodies[body].body.id.contains("{closure#");
        let values: Vec<Value> = closure.then(|| code.clone()).into_iter().chain(args).collect();
        Arguments { moved: vec![None; values.len()], values }
    }

    /// The guards that a call of `code` hands out, as the caller knows them.
    pub(crate) fn produced(
        &self,
        state: &State,
        code: &Value,
        call: &Chain,
        depth: usize,
    ) -> Vec<(HeldLock, Chain)> {
        let code = match code {
            Value::To(path) => state.load(path.clone()),
            other => other.clone(),
        };
        match &code {
            Value::Code(body, _) if depth > 0 => {
                let arguments = self.code_arguments(&code, *body, Vec::new());
                self.handed_out(state, *body, &arguments, call, depth)
            }
            Value::At(path) if path.is_open() => vec![(HeldLock::FromCode(path.bare()), call.clone())],
            _ => Vec::new(),
        }
    }

    fn handed_out(
        &self,
        state: &State,
        body: BodyId,
        arguments: &Arguments,
        call: &Chain,
        depth: usize,
    ) -> Vec<(HeldLock, Chain)> {
        self.guards_of(state, &self.context.summaries[body].returned, arguments, call, depth)
    }

    /// Guards of a callee's as the caller knows them.
    fn guards_of(
        &self,
        state: &State,
        guards: &BTreeMap<HeldLock, Chain>,
        arguments: &Arguments,
        call: &Chain,
        depth: usize,
    ) -> Vec<(HeldLock, Chain)> {
        let mut found = Vec::new();
        for (held, chain) in guards {
            match held {
                HeldLock::Known(lock, how) => {
                    let path = arguments.path(state, &lock.path);
                    let lock = Lock { class: self.context.reclassed(lock.class, &path), path };
                    found.push((HeldLock::Known(lock, *how), chain.through(call)));
                }
                HeldLock::FromCode(path) => {
                    let inner = arguments.value(state, &Value::At(path.clone()));
                    found.extend(self.produced(state, &inner, &chain.through(call), depth - 1));
                }
                // Guards given to code that somebody else calls are that caller's.
                HeldLock::Argument(..) => {}
            }
        }
        found
    }

    /// Guards that a call of code has put somewhere are held from here on: where a local that the code captured has room for
    /// them, by that; out of sight otherwise, where nobody sees when they are released.
    pub(crate) fn left_by(&self, state: &mut State, code: &Value, arguments: &Arguments, call: &Chain) {
        let Value::Code(body, (local, steps)) = code else { return };
        let left = &self.context.summaries[*body].left;
        if left.is_empty() {
            return;
        }
        let left = self.guards_of(state, left, arguments, call, MAX_CODE_DEPTH);
        let captured = state.subtree(*local, steps).into_iter().filter_map(|(_, value)| match value {
            Value::To(Path { root: Root::Local(local), .. }) => Some(local),
            _ => None,
        });
        let has_room = |local: &usize| self.body.locals.get(*local).is_some_and(|ty| self.has_room(ty));
        let mut holders: Vec<Option<usize>> = captured.filter(has_room).map(Some).collect();
        let unseen = holders.is_empty();
        if unseen {
            holders.push(None);
        }
        for (lock, chain) in left {
            for &holder in &holders {
                let mut chain = chain.clone();
                chain.possible |= unseen;
                keep(&mut state.held, Holding { lock: lock.clone(), holder }, chain);
            }
        }
    }

    /// Whether an argument may be code.
    pub(crate) fn is_given_code(&self, call: &Call) -> bool {
        call.args.iter().any(|operand| match operand.place() {
            Some(place) => {
                let ty = self.type_of(place);
                let is_code = |part: &Ty| matches!(part, Ty::FnItem(_) | Ty::FnPtr(..));
                ty.any(&mut |part| is_code(part)) || self.context.may_hide(self.krate, &ty)
            }
            None => matches!(operand, Operand::Fn(_)),
        })
    }

    /// Calls of stored code that nobody calls further out: any that was ever stored there.
    pub(crate) fn close_calls(&mut self, calls: &BTreeMap<CodeCall, Occurrence>) {
        for (call, occurrence) in calls {
            let mut state = State::default();
            for (lock, chain) in &occurrence.held {
                keep(&mut state.held, Holding { lock: lock.clone(), holder: None }, chain.clone());
            }
            let span = occurrence.chain.end().cloned().unwrap_or_default();
            if call.outside || (call.called && call.others.is_empty()) {
                self.call_back(&state, GIVEN, false, &span);
            }
            let (calling, others) = (Calling::Perhaps, call.others.as_slice());
            let site = CodeSite { calling, what: "", span: &span, others, outside: false };
            self.apply_others(&mut state, call.args.clone(), &site);
        }
    }
}
