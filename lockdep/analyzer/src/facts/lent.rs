//! Closures that capture nothing and are lent: constants make them, which the text names and does not print.
//!
//! Of `f(&|| …)` the compiler makes a promoted constant, and the dump of a function shows its name alone. The type says
//! which closure it is, so that it is made in the body here, as if it were a local. It reads no text; other constants
//! stay as they are. Called by `extract.rs`.

use crate::mir::ir::{Aggregate, AggregateKind, Body, Operand, Place, Rvalue, Statement, StatementKind, Ty};
use crate::mir::is_promoted;

/// Makes the closures of a body that promoted constants of it hold.
pub(super) fn make_closures(body: &mut Body) {
    let Body { id, locals, blocks, statement_spans, .. } = body;
    for (block, spans) in blocks.iter_mut().zip(statement_spans) {
        for at in (0..block.statements.len()).rev() {
            let StatementKind::Assign(dest, rvalue) = &mut block.statements[at].kind else { continue };
            let Some((mutable, ty, definition)) = lent_closure(id, locals, dest, rvalue) else { continue };
            let made = Place { local: locals.len(), projection: Vec::new().into() };
            let kind = AggregateKind::Closure(definition, ty.clone());
            let closure = Rvalue::Aggregate(Aggregate { kind, fields: Vec::new() }.into());
            *rvalue = Rvalue::Ref { mutable, place: made.clone() };
            let statement = Statement { kind: StatementKind::Assign(made, closure) };
            locals.push(ty);
            block.statements.insert(at, statement);
            spans.insert(at, spans[at].clone());
        }
    }
}

/// How a constant lends a closure, its type and the definition path of its body, if that is what an assignment is.
fn lent_closure(body: &str, locals: &[Ty], dest: &Place, value: &Rvalue) -> Option<(bool, Ty, String)> {
    let Rvalue::Use(Operand::Const(constant)) = value else { return None };
    let itself = |_: &&Ty| is_promoted(constant) && dest.projection.is_empty();
    let Ty::Ref(mutable, inner) = locals.get(dest.local).filter(itself)? else { return None };
    let Ty::Closure(text) = &**inner else { return None };
    let last = text.rsplit("::").next().filter(|last| last.starts_with("{closure#"))?;
    Some((*mutable, Ty::clone(inner), format!("{body}::{last}")))
}
