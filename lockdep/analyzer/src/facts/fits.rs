//! Whether the parts of a body fit together: every local and every block that is mentioned exists.
//!
//! The reader of text sees to it; this is for bodies that come out of a file, since the analysis relies on it. Called by
//! `Facts::decode`.

use crate::mir::ir::{Block, Body, Callee, Operand, Place, Rvalue, StatementKind, Terminator};

/// The analysis calls itself for a dereference in a place, and the reader of text takes 128 brackets in one. Indexes have
/// none, but nobody writes as many.
const LONGEST_WAY: usize = 512;

/// Whether the analysis can rely on `body`.
pub(super) fn fits(body: &Body) -> bool {
    let within = Within { locals: body.locals.len(), blocks: body.blocks.len() };
    // A body without blocks was not read, and need not have locals.
    let has_parameters = body.blocks.is_empty() || body.params < body.locals.len();
    has_parameters
        && body.names.keys().all(|local| *local < within.locals)
        && body.blocks.iter().all(|block| within.block(block))
}

struct Within {
    locals: usize,
    blocks: usize,
}

impl Within {
    fn block(&self, block: &Block) -> bool {
        block.statements.iter().all(|statement| match &statement.kind {
            StatementKind::Assign(dest, value) => self.place(dest) && self.value(value),
            StatementKind::StorageLive(local) | StatementKind::StorageDead(local) => *local < self.locals,
        }) && self.terminator(&block.terminator)
    }

    fn terminator(&self, terminator: &Terminator) -> bool {
        let to = |block: &usize| *block < self.blocks;
        match terminator {
            Terminator::Goto(block) => to(block),
            Terminator::Switch(switch) => {
                self.operand(&switch.on)
                    && switch.targets.iter().all(|(_, block)| to(block))
                    && switch.otherwise.iter().all(to)
            }
            Terminator::Return | Terminator::End | Terminator::Unread => true,
            Terminator::Drop(place, block) | Terminator::Yield(place, block) => {
                self.place(place) && to(block)
            }
            Terminator::Call(call) => {
                self.place(&call.dest)
                    && self.callee(&call.callee)
                    && call.args.iter().all(|operand| self.operand(operand))
                    && call.target.iter().all(to)
            }
            Terminator::Asm(blocks) => blocks.iter().all(to),
        }
    }

    fn value(&self, value: &Rvalue) -> bool {
        match value {
            Rvalue::Use(operand) | Rvalue::Cast(operand, _) => self.operand(operand),
            Rvalue::Ref { place, .. }
            | Rvalue::RawPtr(place)
            | Rvalue::DerefCopy(place)
            | Rvalue::Discriminant(place) => self.place(place),
            Rvalue::ThreadLocal(_) => true,
            Rvalue::Aggregate(aggregate) => aggregate.fields.iter().all(|(_, operand)| self.operand(operand)),
            Rvalue::Other(operands) => operands.iter().all(|operand| self.operand(operand)),
        }
    }

    fn operand(&self, operand: &Operand) -> bool {
        match operand {
            Operand::Copy(place) | Operand::Move(place) => self.place(place),
            Operand::Fn(callee) => self.callee(callee),
            Operand::Static(_) | Operand::Const(_) => true,
        }
    }

    fn callee(&self, callee: &Callee) -> bool {
        match callee {
            Callee::Place(place) => self.place(place),
            Callee::Path { .. } | Callee::Qualified { .. } => true,
        }
    }

    fn place(&self, place: &Place) -> bool {
        place.local < self.locals && place.projection.len() <= LONGEST_WAY
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::facts::{FORMAT, Facts, Header};
    use crate::mir::ir::{Projection, Ty};
    use crate::mir::read_body;

    /// Whether facts of one body, changed, can be read back.
    fn is_accepted(change: impl FnOnce(&mut Body)) -> bool {
        let text = "fn f(_1: u8) -> u8 {\n    let mut _0: u8;\n\n    bb0: {\n        _0 = copy _1;\n        return;\n    }\n}\n";
        let (mut bodies, problems) = read_body("f", text);
        assert_eq!(problems, []);
        change(&mut bodies[0]);
        let mut facts = Facts { header: Header { format: FORMAT, ..Header::default() }, ..Facts::default() };
        facts.program.bodies = bodies;
        Facts::decode(&facts.encode().expect("encodes")).is_ok()
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(is_accepted(|_| {}));
        assert!(!is_accepted(|body| body.params = 2));
        assert!(!is_accepted(|body| body.locals.truncate(1)));
        assert!(!is_accepted(|body| drop(body.names.insert(2, "x".to_owned()))));
        assert!(!is_accepted(|body| body.blocks[0].terminator = Terminator::Goto(1)));
        assert!(!is_accepted(|body| body.blocks[0].terminator = Terminator::Drop(Place::local(2), 0)));
        let deep = |steps| Place { local: 1, projection: vec![Projection::Deref; steps].into() };
        assert!(is_accepted(|body| body.blocks[0].terminator = Terminator::Drop(deep(128), 0)));
        assert!(!is_accepted(|body| body.blocks[0].terminator = Terminator::Drop(deep(10_000), 0)));
    }

    #[test]
    fn a_type_is_as_deep_as_the_reader_makes_it() {
        let deep = |depth: u32| (0..depth).fold(Ty::Never, |ty, _| Ty::Ref(false, Arc::new(ty)));
        assert!(is_accepted(|body| body.locals[0] = deep(64)));
        assert!(!is_accepted(|body| body.locals[0] = deep(200)));
    }
}
