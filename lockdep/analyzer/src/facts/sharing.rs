//! Equal types, names and paths of one facts file become one: most of what is decoded is types, and few of them differ.
//!
//! It changes nothing that can be told by comparing. Called by `bytes.rs` only.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::each_span;
use crate::mir::ir::{
    AggregateKind, Body, Call, Callee, Operand, Place, Projection, Rvalue, StatementKind, Terminator, Ty, Way,
};

/// What was met so far.
#[derive(Default)]
pub(super) struct Sharing {
    texts: FxHashSet<Arc<str>>,
    types: FxHashSet<Ty>,
    lists: FxHashSet<Arc<[Ty]>>,
    boxed: FxHashSet<Arc<Ty>>,
    ways: FxHashSet<Way>,
}

impl Sharing {
    /// Puts what was met before in the place of what is equal to it.
    pub(super) fn body(&mut self, body: &mut Body) {
        each_span(body, &mut |span| self.text(&mut span.file));
        body.locals.iter_mut().for_each(|ty| self.ty(ty));
        for block in &mut body.blocks {
            for statement in &mut block.statements {
                if let StatementKind::Assign(place, rvalue) = &mut statement.kind {
                    self.place(place);
                    self.rvalue(rvalue);
                }
            }
            match &mut block.terminator {
                Terminator::Switch(switch) => self.operand(&mut switch.on),
                Terminator::Drop(place, _) | Terminator::Yield(place, _) => self.place(place),
                Terminator::Call(call) => self.call(call),
                _ => {}
            }
        }
    }

    fn call(&mut self, call: &mut Call) {
        self.place(&mut call.dest);
        self.callee(&mut call.callee);
        call.args.iter_mut().for_each(|operand| self.operand(operand));
    }

    fn rvalue(&mut self, rvalue: &mut Rvalue) {
        match rvalue {
            Rvalue::Use(operand) => self.operand(operand),
            Rvalue::Cast(operand, ty) => {
                self.operand(operand);
                self.boxed(ty);
            }
            Rvalue::Ref { place, .. }
            | Rvalue::RawPtr(place)
            | Rvalue::DerefCopy(place)
            | Rvalue::Discriminant(place) => self.place(place),
            Rvalue::ThreadLocal(_) => {}
            Rvalue::Aggregate(aggregate) => {
                if let AggregateKind::Closure(_, ty) = &mut aggregate.kind {
                    self.ty(ty);
                }
                aggregate.fields.iter_mut().for_each(|(_, operand)| self.operand(operand));
            }
            Rvalue::Other(operands) => operands.iter_mut().for_each(|operand| self.operand(operand)),
        }
    }

    fn operand(&mut self, operand: &mut Operand) {
        match operand {
            Operand::Copy(place) | Operand::Move(place) => self.place(place),
            Operand::Fn(callee) => self.callee(callee),
            Operand::Static(text) | Operand::Const(text) => self.text(text),
        }
    }

    fn callee(&mut self, callee: &mut Callee) {
        match callee {
            Callee::Path { generics, .. } => {
                generics.iter_mut().flat_map(|(_, types)| types).for_each(|ty| self.ty(ty));
            }
            Callee::Qualified { this, of, generics, .. } => {
                self.ty(this);
                of.iter_mut().chain(generics).for_each(|ty| self.ty(ty));
            }
            Callee::Place(place) => self.place(place),
        }
    }

    fn place(&mut self, place: &mut Place) {
        let way = &mut place.projection;
        if way.is_empty() {
            return;
        }
        if let Some(known) = self.ways.get(way) {
            return way.clone_from(known);
        }
        for projection in way.steps_mut() {
            if let Projection::Field(_, ty) | Projection::Cast(ty) = projection {
                self.ty(ty);
            }
        }
        self.ways.insert(way.clone());
    }

    fn ty(&mut self, ty: &mut Ty) {
        if let Some(known) = self.types.get(ty) {
            return ty.clone_from(known);
        }
        match ty {
            Ty::Path(text, types) => {
                self.text(text);
                self.list(types);
            }
            Ty::Tuple(types) => self.list(types),
            Ty::Ref(_, inner) | Ty::Ptr(_, inner) | Ty::Slice(inner) => self.boxed(inner),
            Ty::Array(inner, text) => {
                self.boxed(inner);
                self.text(text);
            }
            Ty::FnPtr(types, result) => {
                self.list(types);
                self.boxed(result);
            }
            Ty::FnItem(text)
            | Ty::Dyn(text)
            | Ty::Opaque(text)
            | Ty::Closure(text)
            | Ty::Projection(text)
            | Ty::Const(text)
            | Ty::Other(text) => self.text(text),
            Ty::Never => {}
        }
        self.types.insert(ty.clone());
    }

    fn list(&mut self, types: &mut Arc<[Ty]>) {
        if let Some(known) = self.lists.get(types) {
            return types.clone_from(known);
        }
        Arc::make_mut(types).iter_mut().for_each(|ty| self.ty(ty));
        self.lists.insert(Arc::clone(types));
    }

    fn boxed(&mut self, inner: &mut Arc<Ty>) {
        if let Some(known) = self.boxed.get(inner) {
            return inner.clone_from(known);
        }
        self.ty(Arc::make_mut(inner));
        self.boxed.insert(Arc::clone(inner));
    }

    fn text(&mut self, text: &mut Arc<str>) {
        match self.texts.get(text) {
            Some(known) => text.clone_from(known),
            None => drop(self.texts.insert(Arc::clone(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mir::read_body;

    #[test]
    fn equal_types_of_two_bodies_are_one() {
        let text = "fn f(_1: &a::S<u8>) -> a::S<u8> {\n    let mut _0: a::S<u8>;\n\n    bb0: {\n        return;\n    }\n}\n";
        let read = || read_body("f", text).0.remove(0);
        let (before, mut one, mut other) = (read(), read(), read());
        let mut sharing = Sharing::default();
        sharing.body(&mut one);
        sharing.body(&mut other);
        assert_eq!((&one, &other), (&before, &before));
        let argument = |body: &Body| match &body.locals[1] {
            Ty::Ref(_, inner) => Arc::clone(inner),
            ty => panic!("{ty}"),
        };
        assert!(!Arc::ptr_eq(&argument(&one), &argument(&before)));
        assert!(Arc::ptr_eq(&argument(&one), &argument(&other)));
        let (Ty::Path(a, list), Ty::Path(b, same)) = (&*argument(&one), &other.locals[0]) else {
            panic!("paths")
        };
        assert!(Arc::ptr_eq(a, b) && Arc::ptr_eq(list, same));
    }
}
