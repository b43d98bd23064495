//! What runs when a future is polled that is made of others: an adaptor, a pointer to one, an object that was stored.
//!
//! Adaptors and the streams behind them poll in place whatever their types name, and what closures in them return; which
//! future an object is, is what was put where it comes from. What they captured is not known here. Part of the transfer
//! functions; called by `acquire.rs` and `foreign.rs`.

use std::collections::BTreeSet;

use crate::chain::{Chain, keep};
use crate::flow::Flow;
use crate::index::{BodyId, Index, Name};
use crate::instantiate::Arguments;
use crate::mir::ir::{Call, Operand, Place, Span, Ty};
use crate::path::Value;
use crate::sources::{Source, is_future};
use crate::state::{Holding, State};

/// What is polled, by its trait and method.
const POLLED: [(&str, &str); 2] = [("Future", "poll"), ("Stream", "poll_next")];

/// So many pointers to a future are followed.
const MAX_POINTERS: usize = 4;

impl Flow<'_, '_> {
    /// The future that a value is or, through pointers, points to.
    pub(crate) fn future_at(&self, state: &State, value: Value) -> Value {
        let mut future = value;
        for _ in 0..MAX_POINTERS {
            let Value::To(path) = &future else { break };
            let behind = state.load(path.clone());
            if matches!(behind, Value::Unknown) || behind == future {
                break;
            }
            future = behind;
        }
        future
    }

    /// Runs what is in a future of which the value is not known. What the call itself does is left to the caller.
    pub(crate) fn poll_parts(&mut self, state: &mut State, call: &Call, span: &Span) {
        let Some(place) = call.args.first().and_then(Operand::place) else { return };
        if !self.context.callees(self.id, &call.callee, &call.args).bodies.is_empty() {
            return;
        }
        let (whole, mut parts) = (self.type_of(place), BTreeSet::new());
        whole.any(&mut |part| {
            parts.extend(self.run_by(place, &whole, part));
            false
        });
        for (body, possible) in parts {
            let chain = self.chain_step(body, span, possible);
            self.run_part(state, body, &chain, &call.dest);
            self.run_made(state, body, possible, &call.dest, span);
        }
    }

    /// Runs the future that a call of `code` makes: foreign code that calls it polls what it returns.
    pub(crate) fn run_made(
        &mut self,
        state: &mut State,
        code: BodyId,
        possible: bool,
        dest: &Place,
        span: &Span,
    ) {
        let result = self.context.summaries[code].result.iter().find(|(steps, _)| steps.is_empty());
        let Some((_, Value::Code(future, _))) = result else { return };
        let future = *future;
        if self.context.index.is_future(future) {
            let chain = self.chain_step(future, span, possible);
            self.run_part(state, future, &chain, dest);
        }
    }

    fn run_part(&mut self, state: &mut State, body: BodyId, chain: &Chain, dest: &Place) {
        let arguments =
            Arguments { values: vec![Value::Code(body, (usize::MAX, Vec::new()))], moved: vec![None] };
        let returned = self.instantiate(state, body, &arguments, None, chain);
        if self.context.holds_guard(self.krate, &self.type_of(dest)) {
            let holder = self.holder_at(state, dest);
            for (lock, chain) in returned {
                keep(&mut state.held, Holding { lock, holder }, chain);
            }
        }
    }

    /// The functions that polling a part of the type of what is at `place` runs, and whether that is merely possible.
    fn run_by(&self, place: &Place, whole: &Ty, part: &Ty) -> Vec<(BodyId, bool)> {
        let (context, krate) = (self.context, self.krate);
        let codes = |text: &str, krate| context.index.codes_of_type(krate, text);
        match part {
            Ty::Closure(text) => codes(text, krate).into_iter().map(|body| (body, false)).collect(),
            Ty::Path(path, _) if context.index.is_ours(krate, path) => {
                let of = |name: &str| Name { krate: String::new(), path: name.to_owned() };
                let found = POLLED
                    .into_iter()
                    .flat_map(|(name, method)| context.index.implementations(krate, part, &of(name), method));
                found.map(|body| (body, false)).collect()
            }
            Ty::Dyn(bounds) | Ty::Opaque(bounds) if is_future(bounds) => self.stored_futures(place, whole),
            Ty::Path(path, _) if context.index.is_parameter(krate, path) => self.stored_futures(place, whole),
            _ => Vec::new(),
        }
    }

    /// The futures that were seen to be put where the one at `place` comes from.
    fn stored_futures(&self, place: &Place, whole: &Ty) -> Vec<(BodyId, bool)> {
        let index = self.context.index;
        let sources = self.context.sources.here(index, self.id, place, whole);
        let found = sources.into_iter().flat_map(|source| match source {
            Source::Object(krate, Ty::Closure(text)) => index.codes_of_type(krate, &text),
            Source::Code(body) if index.is_future(body) => vec![body],
            _ => Vec::new(),
        });
        let found: BTreeSet<BodyId> = found.collect();
        let possible = found.len() > 1 || whole.any(&mut |part| matches!(part, Ty::Dyn(_)));
        found.into_iter().map(|body| (body, possible)).collect()
    }
}

impl Index<'_> {
    /// Whether a body is that of an async function or block.
    fn is_future(&self, body: BodyId) -> bool {
        let body = self.bodies[body].body;
        let itself = body.locals.get(1).filter(|_| body.params > 0 && body.id.ends_with('}'));
        itself.is_some_and(|ty| {
            ty.any(&mut |part| matches!(part, Ty::Closure(text) if text.starts_with("async ")))
        })
    }
}
