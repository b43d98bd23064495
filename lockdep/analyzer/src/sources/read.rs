//! Reading the bodies for `Sources`: what is handed on to where, and what is turned into a trait object.
//!
//! Done once, before any flow is followed; it answers nothing itself.

use std::collections::BTreeSet;

use super::{Scope, Source, Sources, Spot, future_object, futures, kind, spot};
use crate::context::Context;
use crate::index::{BodyId, Entry, Index};
use crate::mir::ir::{
    AggregateKind, Body, BodyKind, Call, Callee, Operand, Place, Rvalue, StatementKind, Terminator, Ty,
};

/// A call of what is in a spot: the spot, what it is given, where the result goes.
type CodeCall<'a> = (Option<Spot<'a>>, Vec<Option<Spot<'a>>>, Option<Spot<'a>>);

pub(super) struct Reader<'c, 'a> {
    pub(super) context: &'c Context<'a>,
    pub(super) sources: Sources<'a>,
    calls: Vec<CodeCall<'a>>,
    pub(super) krate: usize,
    scope: Scope<'a>,
    locals: &'a [Ty],
}

impl<'a> Sources<'a> {
    /// Reads all bodies.
    pub fn new(context: &Context<'a>) -> Sources<'a> {
        let (scope, locals): (Scope<'a>, &'a [Ty]) = ((0, ""), &[]);
        let sources = Sources::default();
        let mut reader = Reader { context, sources, calls: Vec::new(), krate: 0, scope, locals };
        for Entry { krate, body } in
            context.index.bodies[..context.index.read()].iter().chain(&context.index.constants)
        {
            reader.read(*krate, body);
        }
        reader.connect();
        reader.sources
    }
}

impl<'a> Reader<'_, 'a> {
    fn read(&mut self, krate: usize, body: &'a Body) {
        (self.krate, self.scope, self.locals) = (krate, (krate, body.id.as_str()), body.locals.as_slice());
        if body.kind != BodyKind::Fn {
            let itself = Spot::Static(self.static_name(&body.path));
            let result = self.spot(&Place::local(0));
            self.sources.unite(result, Some(itself));
        }
        if body.kind == BodyKind::Unprinted {
            self.unprinted(body);
        }
        for block in body.blocks.iter().filter(|block| !block.cleanup) {
            for statement in &block.statements {
                if let StatementKind::Assign(dest, rvalue) = &statement.kind {
                    self.assign(dest, rvalue);
                }
            }
            if let Terminator::Call(call) = &block.terminator {
                self.call(call);
            }
        }
    }

    fn index(&self) -> &'a Index<'a> {
        self.context.index
    }

    fn spot(&self, place: &Place) -> Option<Spot<'a>> {
        spot(self.index(), self.scope, self.locals, place)
    }

    pub(super) fn static_name(&self, path: &str) -> String {
        // Promoted constants belong to the body that uses them.
        match path.rsplit_once("::promoted[") {
            Some((_, number)) => {
                let home = self.scope.1.split("::promoted[").next().unwrap_or_default();
                format!("{}:{home}::promoted[{number}", self.krate)
            }
            None => self.context.static_name(self.krate, path).to_string(),
        }
    }

    /// Where what the operand is comes from; a function is put into `dest` at once.
    fn operand(&mut self, operand: &Operand, dest: Option<&Spot<'a>>) -> Option<Spot<'a>> {
        match operand {
            Operand::Copy(place) | Operand::Move(place) => self.spot(place),
            Operand::Static(path) => Some(Spot::Static(self.static_name(path))),
            Operand::Const(text) if text.ends_with(']') || !text.contains([' ', '"', '{']) => {
                Some(Spot::Static(self.static_name(text)))
            }
            Operand::Const(_) => None,
            Operand::Fn(callee) => {
                for body in self.context.resolve(self.krate, callee).bodies {
                    self.sources.add(dest.cloned(), String::new(), Source::Code(body));
                }
                None
            }
        }
    }

    fn assign(&mut self, dest: &Place, rvalue: &Rvalue) {
        let target = self.spot(dest);
        match rvalue {
            Rvalue::Use(operand) => self.hand_on(operand, target),
            Rvalue::Cast(operand, to) => {
                let from = match operand {
                    Operand::Fn(callee) => {
                        let kind = kind(to).unwrap_or_default();
                        for body in self.context.resolve(self.krate, callee).bodies {
                            let all = self.sources.everywhere.entry(kind.clone()).or_default();
                            all.insert(Source::Code(body));
                        }
                        Ty::Never
                    }
                    _ => operand.place().map_or(Ty::Never, |place| self.type_of(place)),
                };
                self.hand_on(operand, target.clone());
                self.turned(&from, to, target);
            }
            Rvalue::Ref { place, .. } | Rvalue::RawPtr(place) | Rvalue::DerefCopy(place) => {
                let from = self.spot(place);
                self.sources.unite(from, target);
            }
            Rvalue::Aggregate(aggregate) => {
                for (position, (_, operand)) in aggregate.fields.iter().enumerate() {
                    let position = position as u32;
                    match &aggregate.kind {
                        AggregateKind::Adt(path) => {
                            let plain = self.index().name(self.krate, path);
                            if plain.krate.is_empty() {
                                self.hand_on(operand, target.clone());
                                continue;
                            }
                            if let Some((outer, variant)) = path.rsplit_once("::") {
                                let outer = self.index().name(self.krate, outer);
                                let within = Spot::Field(outer, variant.to_owned(), position);
                                self.hand_on(operand, Some(within));
                            }
                            self.hand_on(operand, Some(Spot::Field(plain, String::new(), position)));
                        }
                        AggregateKind::Closure(_, Ty::Closure(text)) => {
                            let capture = Spot::Capture(self.krate, text.to_string(), position);
                            self.hand_on(operand, Some(capture));
                        }
                        _ => self.hand_on(operand, target.clone()),
                    }
                }
                if let AggregateKind::Closure(id, _) = &aggregate.kind
                    && let Some(body) = self.index().by_id(self.krate, id)
                {
                    self.sources.add(target, String::new(), Source::Code(body));
                }
            }
            Rvalue::ThreadLocal(_) | Rvalue::Discriminant(_) | Rvalue::Other(_) => {}
        }
    }

    fn hand_on(&mut self, operand: &Operand, target: Option<Spot<'a>>) {
        if matches!(operand, Operand::Const(_)) && target.is_none() {
            return;
        }
        // A field that is given something that cannot be called is no spot.
        if operand.place().is_some_and(|place| self.spot(place).is_none()) {
            return;
        }
        let from = self.operand(operand, target.as_ref());
        self.sources.unite(from, target);
    }

    /// A value of type `from` becomes one of type `to`.
    fn turned(&mut self, from: &Ty, to: &Ty, target: Option<Spot<'a>>) {
        let Some((concrete, object)) = unsized_part(from, to) else { return };
        let Some(kind) = kind(object) else { return };
        let source = match concrete {
            Ty::Closure(text) => match self.index().closure(self.krate, text) {
                Some(body) => Source::Code(body),
                None => return,
            },
            other => match self.index().by_id(self.krate, self.scope.1) {
                Some(body) if is_generic(self.index(), self.krate, other) => {
                    Source::Generic(body, other.clone())
                }
                _ => Source::Object(self.krate, other.clone()),
            },
        };
        self.sources.everywhere.entry(kind.clone()).or_default().insert(source.clone());
        self.sources.add(target, kind, source);
    }

    fn type_of(&self, place: &Place) -> Ty {
        crate::index::type_of(self.locals, place)
    }

    fn call(&mut self, call: &'a Call) {
        let dest = self.spot(&call.dest);
        let given: Vec<Option<Spot<'a>>> =
            call.args.iter().map(|operand| self.operand(operand, dest.as_ref())).collect();
        match &call.callee {
            Callee::Place(place) => {
                let code = self.spot(place);
                self.calls.push((code, given, dest));
                return;
            }
            Callee::Qualified { method, .. } if method.starts_with("call") => {
                let mut given = given.into_iter();
                let code = given.next().flatten();
                self.calls.push((code, given.collect(), dest));
                return;
            }
            _ => {}
        }
        let bodies = self.context.resolve(self.krate, &call.callee).bodies;
        for &body in &bodies {
            self.enter(body, &given, &call.args, dest.clone(), false);
        }
        if bodies.is_empty() {
            self.made_object(call, dest.as_ref());
            let mut last = dest;
            for spot in given.into_iter().flatten() {
                self.sources.unite(Some(spot.clone()), last);
                last = Some(spot);
            }
        }
    }

    /// What a function that was not read makes an object of.
    fn made_object(&mut self, call: &Call, dest: Option<&Spot<'a>>) {
        let result = self.type_of(&call.dest);
        let Some(object) = future_object(&result) else { return };
        for place in call.args.iter().filter_map(Operand::place) {
            for future in futures(&self.type_of(place)) {
                self.turned(&future, &object, dest.cloned());
            }
        }
    }

    /// What a body is given is in its parameters; `skip` leaves out the closure itself.
    fn enter(
        &mut self,
        body: BodyId,
        given: &[Option<Spot<'a>>],
        operands: &[Operand],
        dest: Option<Spot<'a>>,
        all: bool,
    ) -> bool {
        let Entry { krate, body } = self.index().bodies[body];
        let scope = (krate, body.id.as_str());
        let of = |index: &Index<'_>, local: usize| spot(index, scope, &body.locals, &Place::local(local));
        let mut changed = false;
        for local in 1..=body.params {
            let parameter = of(self.index(), local);
            if let Some(Operand::Fn(_)) = operands.get(local - 1) {
                self.operand(&operands[local - 1], parameter.as_ref());
            }
            let from: Vec<Option<Spot<'a>>> = match all {
                true => given.to_vec(),
                false => given.get(local - 1).cloned().into_iter().collect(),
            };
            for from in from {
                changed |= self.sources.unite(from, parameter.clone());
            }
        }
        let result = of(self.index(), 0);
        changed | self.sources.unite(result, dest)
    }

    /// Calls of code: whatever the callee's class knows by now is given the arguments, until nothing changes.
    fn connect(&mut self) {
        let calls = std::mem::take(&mut self.calls);
        loop {
            let mut changed = false;
            for (code, given, dest) in &calls {
                let Some(class) = code.as_ref().and_then(|spot| self.sources.spots.get(spot)) else {
                    continue;
                };
                let found: BTreeSet<BodyId> = self.sources.found[self.sources.first(*class)]
                    .iter()
                    .filter_map(
                        |(_, source)| if let Source::Code(body) = source { Some(*body) } else { None },
                    )
                    .collect();
                for body in found {
                    changed |= self.enter(body, given, &[], dest.clone(), true);
                }
            }
            if !changed {
                return;
            }
        }
    }
}

fn is_generic(index: &Index<'_>, krate: usize, ty: &Ty) -> bool {
    match ty {
        Ty::Path(path, _) => index.is_parameter(krate, path),
        Ty::Opaque(_) => true,
        _ => false,
    }
}

/// The part of `to` that is a trait object or function pointer where `from` has something else.
fn unsized_part<'t>(from: &'t Ty, to: &'t Ty) -> Option<(&'t Ty, &'t Ty)> {
    match (from, to) {
        (_, Ty::Dyn(_)) | (Ty::Closure(_), Ty::FnPtr(..)) => (from != to).then_some((from, to)),
        (Ty::Ref(_, from), Ty::Ref(_, to) | Ty::Ptr(_, to)) | (Ty::Ptr(_, from), Ty::Ptr(_, to)) => {
            unsized_part(from, to)
        }
        (Ty::Path(one, from), Ty::Path(other, to)) if one == other => {
            from.iter().zip(to.iter()).find_map(|(from, to)| unsized_part(from, to))
        }
        _ => None,
    }
}
