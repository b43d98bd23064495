//! Reading the bodies for `Channels`: where ends are handed on to, and where channels are made.
//!
//! Done once, before any flow is followed; it answers nothing itself.

use std::collections::BTreeSet;

use super::{Channels, Class, Scope, Spot, Where, ends, spots};
use crate::context::Context;
use crate::index::{BodyId, Entry, type_of};
use crate::mir::ir::{
    AggregateKind, Body, BodyKind, Call, Operand, Place, Rvalue, StatementKind, Terminator, Ty,
};
use crate::model::{ChannelCall, Effect, Side};

struct Reader<'c, 'a> {
    context: &'c Context<'a>,
    channels: Channels<'a>,
    scope: Scope<'a>,
    id: Option<BodyId>,
    locals: &'a [Ty],
}

impl<'a> Channels<'a> {
    /// Reads all bodies.
    pub fn new(context: &Context<'a>) -> Channels<'a> {
        let locals: &'a [Ty] = &[];
        let channels = Channels::default();
        let mut reader = Reader { context, channels, scope: (0, ""), id: None, locals };
        let bodies = context.index.bodies.iter().enumerate().map(|(id, entry)| (Some(id), entry));
        for (id, entry) in bodies.chain(context.index.constants.iter().map(|entry| (None, entry))) {
            let Entry { krate, body } = entry;
            (reader.scope, reader.id, reader.locals) = ((*krate, body.id.as_str()), id, &body.locals);
            reader.captures(body);
            if body.locals.iter().any(|ty| !ends(context, *krate, ty).is_empty()) {
                reader.read(body);
            }
        }
        reader.channels
    }

    fn number(&mut self, context: &Context<'_>, spot: &Spot<'a>) -> usize {
        if let Some(at) = self.spots.get(spot) {
            return self.first(*at);
        }
        let number = self.parents.len();
        self.spots.insert(spot.clone(), number);
        self.parents.push(number);
        let name = match &spot.0 {
            Where::Static(name) => Some((0, name.clone())),
            Where::Field(name, variant, position) => {
                let field = context.index.field_name(name, variant, *position);
                Some((1, format!("{}::{}.{field}", name.krate, name.path)))
            }
            _ => None,
        };
        self.classes.push(Class { name, ..Class::default() });
        number
    }

    fn unite(&mut self, context: &Context<'_>, a: &Spot<'a>, b: &Spot<'a>) {
        let (a, b) = (self.number(context, a), self.number(context, b));
        if a != b {
            let (a, b) = (a.min(b), a.max(b));
            let Class { made, messages, started, name } = std::mem::take(&mut self.classes[b]);
            self.parents[b] = a;
            let class = &mut self.classes[a];
            class.made.extend(made);
            class.messages.extend(messages);
            class.started.extend(started);
            class.name = [class.name.take(), name].into_iter().flatten().min();
        }
    }
}

impl<'a> Reader<'_, 'a> {
    fn read(&mut self, body: &'a Body) {
        for (local, ty) in body.locals.iter().enumerate() {
            let of = ends(self.context, self.scope.0, ty);
            self.channels.any |= of.values().flatten().any(|side| *side != Side::Handle);
            for (spot, message) in self.spots(&Place::local(local)).iter().zip(of.into_keys()) {
                let at = self.channels.number(self.context, spot);
                self.channels.classes[at].messages.insert(message);
            }
        }
        if body.kind != BodyKind::Fn {
            let itself = self.context.static_name(self.scope.0, &body.path).to_string();
            let result = self.spots(&Place::local(0));
            self.unite(&result, &in_static(&itself, &result));
        }
        for (number, block) in body.blocks.iter().enumerate().filter(|(_, block)| !block.cleanup) {
            for statement in &block.statements {
                if let StatementKind::Assign(dest, rvalue) = &statement.kind {
                    self.assign(dest, rvalue);
                }
            }
            if let Terminator::Call(call) = &block.terminator {
                self.call(call, number);
            }
        }
    }

    /// The type of a closure or future that is built, as its body calls it: that of an async function has two names.
    fn code_type(&self, kind: &'a AggregateKind) -> Option<&'a str> {
        let AggregateKind::Closure(id, Ty::Closure(text)) = kind else { return None };
        let index = self.context.index;
        let own = index.by_id(self.scope.0, id).and_then(|body| index.bodies[body].body.locals.get(1));
        Some(own.and_then(closure_in).unwrap_or(text))
    }

    fn captures(&mut self, body: &'a Body) {
        for statement in body.blocks.iter().flat_map(|block| &block.statements) {
            if let StatementKind::Assign(_, Rvalue::Aggregate(aggregate)) = &statement.kind
                && let Some(text) = self.code_type(&aggregate.kind)
            {
                let of = |operand: &Operand| Some(type_of(self.locals, operand.place()?));
                let types =
                    (0_u32..).zip(&aggregate.fields).filter_map(|(at, (_, field))| Some((at, of(field)?)));
                self.channels.captures.insert((self.scope.0, text), types.collect());
            }
        }
    }

    fn spots(&self, place: &Place) -> Vec<Spot<'a>> {
        spots(self.context, self.scope, self.locals, place)
    }

    fn unite(&mut self, from: &[Spot<'a>], to: &[Spot<'a>]) {
        let alone = from.len() == 1 && to.len() == 1;
        for a in from {
            // What a generic function prints stands for anything.
            let alike = |b: &&Spot<'a>| alone || a.1 == b.1 || a.1.contains('?') || b.1.contains('?');
            for b in to.iter().filter(alike) {
                self.channels.unite(self.context, a, b);
            }
        }
    }

    fn operand(&self, operand: &Operand, dest: &[Spot<'a>]) -> Vec<Spot<'a>> {
        match operand {
            Operand::Copy(place) | Operand::Move(place) => self.spots(place),
            Operand::Static(path) => in_static(&self.context.static_name(self.scope.0, path), dest),
            Operand::Const(_) | Operand::Fn(_) => Vec::new(),
        }
    }

    fn hand_on(&mut self, operand: &Operand, target: &[Spot<'a>]) {
        let from = self.operand(operand, target);
        self.unite(&from, target);
    }

    fn assign(&mut self, dest: &Place, rvalue: &Rvalue) {
        let target = self.spots(dest);
        match rvalue {
            Rvalue::Use(operand) | Rvalue::Cast(operand, _) => self.hand_on(operand, &target),
            Rvalue::Ref { place, .. } | Rvalue::RawPtr(place) | Rvalue::DerefCopy(place) => {
                let from = self.spots(place);
                self.unite(&from, &target);
            }
            Rvalue::ThreadLocal(path) => {
                let from = in_static(&self.context.static_name(self.scope.0, path), &target);
                self.unite(&from, &target);
            }
            Rvalue::Aggregate(aggregate) => {
                let (index, krate) = (self.context.index, self.scope.0);
                for (position, (_, operand)) in aggregate.fields.iter().enumerate() {
                    let position = position as u32;
                    let from = self.operand(operand, &[]);
                    let like = |at: Where<'a>| from.iter().map(|spot| (at.clone(), spot.1.clone())).collect();
                    let to: Vec<Vec<Spot<'a>>> = match &aggregate.kind {
                        AggregateKind::Adt(path) if !index.name(krate, path).krate.is_empty() => {
                            let plain = index.name(krate, path);
                            let variant = path.rsplit_once("::").map(|(outer, variant)| {
                                Where::Field(index.name(krate, outer), variant.to_owned(), position)
                            });
                            let fields =
                                variant.into_iter().chain([Where::Field(plain, String::new(), position)]);
                            fields.map(like).collect()
                        }
                        kind if let Some(text) = self.code_type(kind) => {
                            vec![like(Where::Capture(krate, text.to_owned(), position))]
                        }
                        _ => vec![target.clone()],
                    };
                    to.iter().for_each(|to| self.unite(&from, to));
                }
            }
            Rvalue::Discriminant(_) | Rvalue::Other(_) => {}
        }
    }

    fn call(&mut self, call: &'a Call, block: usize) {
        let dest = self.spots(&call.dest);
        let effect = self.context.effect(self.scope.0, &call.callee);
        if effect == Some(Effect::Spawn) {
            let started = self.codes_given(call);
            for spot in &dest {
                let at = self.channels.number(self.context, spot);
                self.channels.classes[at].started.extend(&started);
            }
        }
        if let (Some(Effect::Channel(ChannelCall::Makes { bounded })), Some(id)) = (effect, self.id) {
            for spot in &dest {
                let at = self.channels.number(self.context, spot);
                let class = &mut self.channels.classes[at];
                class.made.insert((id, block), bounded);
                let span = &self.context.index.bodies[id].body.blocks[block].span;
                let name = (2, format!("the channel made at {}:{}", span.file, span.line));
                class.name = [class.name.take(), Some(name)].into_iter().flatten().min();
            }
            return;
        }
        let given: Vec<Vec<Spot<'a>>> = call.args.iter().map(|arg| self.operand(arg, &dest)).collect();
        let bodies = self.context.resolve(self.scope.0, &call.callee).bodies;
        for &body in &bodies {
            self.enter(body, &given, &dest, false);
        }
        let codes = self.id.map_or_else(Vec::new, |id| self.context.codes_called(id, call));
        for &body in &codes {
            self.enter(body, &given, &dest, true);
        }
        if !bodies.is_empty() || !codes.is_empty() {
            return;
        }
        // Whatever the function does with them: ends for one kind of message are of one channel.
        for (at, from) in given.iter().enumerate() {
            given[at + 1..].iter().chain([&dest]).for_each(|to| self.unite_alike(from, to));
        }
        for body in self.codes_given(call) {
            self.enter(body, &given, &dest, true);
        }
    }

    fn unite_alike(&mut self, from: &[Spot<'a>], to: &[Spot<'a>]) {
        let message = |this: &Self, spot: &Spot<'a>| {
            let at = this.channels.spots.get(spot).map(|at| this.channels.first(*at));
            at.map(|at| this.channels.classes[at].messages.clone()).unwrap_or_default()
        };
        for a in from {
            for b in to {
                let (one, other) = (message(self, a), message(self, b));
                if one.is_empty() || other.is_empty() || one.intersection(&other).next().is_some() {
                    self.channels.unite(self.context, a, b);
                }
            }
        }
    }

    fn codes_given(&self, call: &Call) -> BTreeSet<BodyId> {
        let krate = self.scope.0;
        let of_type = |ty: &Ty| match ty {
            Ty::Closure(text) => self.context.index.closure(krate, text),
            _ => None,
        };
        let given = call.args.iter().flat_map(|operand| match operand {
            Operand::Fn(callee) => self.context.resolve(krate, callee).bodies,
            _ => {
                let ty = operand.place().map(|place| type_of(self.locals, place));
                ty.and_then(|ty| of_type(&ty)).into_iter().collect()
            }
        });
        given.collect()
    }

    /// What a body is given is in its parameters; with `all`, any of it may be in any.
    fn enter(&mut self, body: BodyId, given: &[Vec<Spot<'a>>], dest: &[Spot<'a>], all: bool) {
        let Entry { krate, body } = self.context.index.bodies[body];
        let scope = (krate, body.id.as_str());
        let of = |local: usize| spots(self.context, scope, &body.locals, &Place::local(local));
        for local in 1..=body.params {
            let parameter = of(local);
            if all {
                given.iter().for_each(|from| self.unite_alike(from, &parameter));
            } else if let Some(from) = given.get(local - 1) {
                self.unite(from, &parameter);
            }
        }
        let result = of(0);
        if all { self.unite_alike(&result, dest) } else { self.unite(&result, dest) }
    }
}

/// The spots in a static of what is in `like`.
fn in_static<'a>(name: &str, like: &[Spot<'a>]) -> Vec<Spot<'a>> {
    like.iter().map(|(_, message)| (Where::Static(name.to_owned()), message.clone())).collect()
}

/// The closure or future that the first parameter of its body is, or points to.
fn closure_in(ty: &Ty) -> Option<&str> {
    match ty {
        Ty::Closure(text) => Some(text),
        Ty::Ref(_, inner) => closure_in(inner),
        Ty::Path(_, args) => closure_in(args.first()?),
        _ => None,
    }
}
