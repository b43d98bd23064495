//! Closures and futures where they are made: what they do whenever they run, with nothing held but their own.
//!
//! Whoever runs one may be code that was not read, or a thread; what it captured is known only here. Nestings inside
//! it are therefore taken in where it is made, and what it merely acquires is not, as its maker acquires nothing: only
//! that somebody does, once it is known which lock that is.
//! Code that is run in place by code that was read is met there as well (`apply.rs`), under what is held then.

use std::sync::Arc;

use crate::chain::Chain;
use crate::flow::Flow;
use crate::gates::Running;
use crate::instantiate::Arguments;
use crate::mir::ir::Place;
use crate::path::Value;
use crate::state::State;
use crate::summary::Summary;

impl Flow<'_, '_> {
    /// Takes in the nestings of the code that was just put into `dest`.
    pub(crate) fn defer(&mut self, state: &State, dest: &Place) {
        let code = state.load(self.lvalue(state, dest));
        let Value::Code(body, _) = code else { return };
        self.deferred.insert(body);
        let Some(output) = self.output.take() else { return };
        let mut alone = state.clone();
        alone.held.clear();
        let used = self.used.clone();
        self.output = Some(Summary::default());
        let outer = std::mem::take(&mut self.course);
        let running = Running { thread: self.context.roots.only(body).cloned(), apart: false };
        let by = std::mem::replace(&mut self.by, running);
        let arguments = Arguments { values: vec![code], moved: vec![None] };
        self.instantiate(&mut alone, body, &arguments, None, &Chain::default());
        let inner = std::mem::replace(&mut self.course, outer);
        self.by = by;
        // Being made is not being called.
        self.used = used;
        let mut within = self.output.replace(output).unwrap_or_default();
        let open = within.acquires.iter().filter(|(taken, _)| self.context.is_open(taken.lock.class));
        let open = open.filter_map(|(taken, chain)| Some((Arc::clone(taken), chain.end()?.clone())));
        within.elsewhere.extend(open.collect::<Vec<_>>());
        within.open.values_mut().for_each(|ways| ways.apart = true);
        self.include_course(inner, (body, &within), true);
        if let Some(output) = &mut self.output {
            output.include(within);
        }
    }
}
