//! Values that are made when they are first used: whoever uses one may run the code that makes it.
//!
//! Everybody else waits meanwhile, so that the cell is a lock of its own, beside the locks in the value. A cell whose
//! code calls nothing that was read is none: nobody can be waiting for it in a circle. Called from `apply.rs`.

use crate::chain::keep;
use crate::code::{Calling, CodeSite};
use crate::flow::Flow;
use crate::graph::{Held, Wanted};
use crate::home::{CELL, Home};
use crate::index::{BodyId, pointee};
use crate::mir::ir::{Call, Operand, Span, Terminator};
use crate::path::{Path, Value};
use crate::state::{Holding, State};
use crate::summary::{Acquire, HeldLock, Lock};

impl Flow<'_, '_> {
    /// The first argument points to a lazy value, which is made now if nobody has used it.
    pub(crate) fn force(&mut self, state: &State, call: &Call, span: &Span) {
        let Some(place) = call.args.first().and_then(Operand::place) else { return };
        let codes = self.context.makers(self.krate, self.id, place);
        if codes.is_empty() {
            return;
        }
        let cell = self.value(state, &call.args[0]);
        self.stores_in_cell(state, &cell, &codes, span);
        let mut during = state.clone();
        if codes.iter().any(|code| self.may_wait(*code))
            && let Some(lock) = self.cell(state, &call.args[0])
        {
            let chain = self.acquisition(lock.class, Held::Exclusive, false, span);
            self.acquire(state, &Acquire { lock: lock.clone(), wanted: Wanted::Exclusive }, &chain);
            let holding = Holding { lock: HeldLock::Known(lock, Held::Exclusive), holder: None };
            keep(&mut during.held, holding, chain);
        }
        let site = CodeSite {
            calling: Calling::PerhapsOnce,
            what: "a lazy value",
            span,
            others: &codes,
            outside: false,
        };
        let code = match codes[..] {
            [code] => Value::Code(code, (usize::MAX, Vec::new())),
            _ => Value::Unknown,
        };
        self.apply_code(&mut during, &code, Vec::new(), &site);
    }

    /// The lock that a cell is while its content is made.
    pub(crate) fn cell(&self, state: &State, operand: &Operand) -> Option<Lock> {
        let (value, ty) = (self.value(state, operand), operand.place().map(|place| self.type_of(place)));
        let value = &value;
        let home = self.home_of(state, value).or_else(|| self.home_of(state, &Value::To(value.pointee())))?;
        // Locks in the content live where the cell does.
        let inside = ty.is_none_or(|ty| self.context.has_room_for_locks(self.krate, &pointee(&ty)));
        let part = Home::Part(home, CELL);
        let home = if inside { self.context.home(part) } else { home };
        let path = Path { steps: Vec::new(), ..value.pointee() }.living(Some(home));
        let class = self.context.placed_class(&path, &"cell<>".into(), false);
        Some(Lock { class, path })
    }

    fn may_wait(&self, code: BodyId) -> bool {
        let summary = &self.context.summaries[code];
        let entry = self.context.index.bodies[code];
        !summary.acquires.is_empty()
            || !summary.calls.is_empty()
            || entry.body.blocks.iter().any(|block| match &block.terminator {
                Terminator::Call(call) => {
                    !self.context.callees(code, &call.callee, &call.args).bodies.is_empty()
                }
                _ => false,
            })
    }
}
