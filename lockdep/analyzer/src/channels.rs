//! Which channel an end of one belongs to: one answer for the whole program, found before any flow is followed.
//!
//! As with code that is stored (`sources.rs`), places that an end may be handed between are one class, a field of a
//! type of ours being one place; the two ends that one call makes are in one class from the start. Ends for different
//! messages are kept apart where one place has several. Of a class into which no construction that was read puts
//! anything, only the type of its messages is known. Handles of threads are followed like ends, to what the threads
//! run. This file knows nothing of waits.

mod read;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use rustc_hash::FxHashMap;

use crate::context::Context;
use crate::index::{BodyId, Name, element, pointee};
use crate::mir::ir::{Place, Projection, Ty};
use crate::model::Side;
use crate::seen::Seen;

/// A body, constants included: the crate and the definition path.
type Scope<'a> = (usize, &'a str);

/// A channel, or several that are not told apart, by number.
pub type ChannelId = u32;

/// Where an end can be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Where<'a> {
    Static(String),
    Field(Name, String, u32),
    Capture(usize, String, u32),
    Local(Scope<'a>, usize),
}

/// A place for ends, and for which messages if there are ends for several.
type Spot<'a> = (Where<'a>, String);

/// The channels that are found in a value of a type.
type ByType = FxHashMap<Ty, BTreeSet<ChannelId>>;

/// What is known of one channel.
#[derive(Clone, Debug, Default)]
struct Class {
    /// Where it is made, and whether with a bound.
    made: BTreeMap<(BodyId, usize), bool>,
    /// The types of its messages, as code prints them.
    messages: BTreeSet<String>,
    /// What runs in the threads that it stands for.
    started: BTreeSet<BodyId>,
    /// What it is called.
    name: Option<(usize, String)>,
}

/// The answers.
#[derive(Debug, Default)]
pub struct Channels<'a> {
    spots: HashMap<Spot<'a>, usize>,
    parents: Vec<usize>,
    /// Complete for representatives only.
    classes: Vec<Class>,
    /// What closures capture, by the crate and the type of the closure.
    captures: HashMap<(usize, &'a str), Vec<(u32, Ty)>>,
    /// Whether there are ends of channels, and not of threads alone.
    any: bool,
    /// Answers given before: what goes away with a type, by the crate that prints it and the side. Never iterated.
    known_within: RefCell<FxHashMap<(usize, Side), ByType>>,
}

impl<'a> Channels<'a> {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        !self.any
    }

    /// The channels whose ends are in `place` of a body.
    pub fn at(&self, context: &Context<'a>, body: BodyId, place: &Place) -> BTreeSet<ChannelId> {
        let entry = context.index.bodies[body];
        let spots = spots(context, (entry.krate, &entry.body.id), &entry.body.locals, place);
        spots.iter().filter_map(|spot| self.known(spot)).collect()
    }

    /// What runs in the threads that the handles in `place` of a body may stand for.
    pub fn started_at(&self, context: &Context<'a>, body: BodyId, place: &Place) -> BTreeSet<BodyId> {
        let all = self.at(context, body, place);
        all.iter().flat_map(|at| &self.classes[*at as usize].started).copied().collect()
    }

    /// The same of the ends on one side that `place` itself is or contains.
    pub fn held_at(
        &self,
        context: &Context<'a>,
        body: BodyId,
        place: &Place,
        side: Side,
    ) -> BTreeSet<ChannelId> {
        let entry = context.index.bodies[body];
        let ty = crate::index::type_of(&entry.body.locals, place);
        let ends = ends(context, entry.krate, &ty);
        let on_side = !is_lent(&ty) && ends.values().any(|sides| sides.contains(&side));
        if on_side { self.at(context, body, place) } else { BTreeSet::new() }
    }

    /// The channels whose ends on one side go away with a value of a type, or are captured by a closure of that type.
    pub fn within(&self, context: &Context<'a>, krate: usize, ty: &Ty, side: Side) -> BTreeSet<ChannelId> {
        let at = (krate, side);
        if let Some(found) = self.known_within.borrow().get(&at).and_then(|known| known.get(ty)) {
            return found.clone();
        }
        let mut found = BTreeSet::new();
        self.collect(context, (krate, ty), side, &mut Seen::default(), &mut found);
        self.known_within.borrow_mut().entry(at).or_default().insert(ty.clone(), found.clone());
        found
    }

    fn collect(
        &self,
        context: &Context<'a>,
        (krate, ty): (usize, &Ty),
        side: Side,
        seen: &mut Seen,
        found: &mut BTreeSet<ChannelId>,
    ) {
        let mut parts: Vec<(usize, &Ty, Where<'a>)> = Vec::new();
        match ty {
            Ty::Path(path, args) => {
                if !seen.insert(krate, ty) {
                    return;
                }
                if is_ours(context, krate, path) {
                    let name = context.index.name(krate, path);
                    for field in context.index.fields(krate, path) {
                        let at = Where::Field(name.clone(), field.variant.clone(), field.position);
                        parts.push((field.krate, &field.ty, at));
                    }
                } else {
                    args.iter().for_each(|arg| self.collect(context, (krate, arg), side, seen, found));
                }
            }
            Ty::Tuple(types) => {
                types.iter().for_each(|ty| self.collect(context, (krate, ty), side, seen, found));
            }
            Ty::Closure(text) => {
                for (position, ty) in self.captures.get(&(krate, &**text)).into_iter().flatten() {
                    parts.push((krate, ty, Where::Capture(krate, text.to_string(), *position)));
                }
            }
            _ => {}
        }
        for (krate, ty, at) in parts {
            let ends = ends(context, krate, ty);
            let several = ends.len() > 1;
            for (message, sides) in &ends {
                let key = if several { message.clone() } else { String::new() };
                if sides.contains(&side) && !is_lent(ty) {
                    found.extend(self.known(&(at.clone(), key)));
                }
            }
            self.collect(context, (krate, ty), side, seen, found);
        }
    }

    /// The channels that may be the same as this one, besides itself: one of the two was not seen to be made, and the
    /// messages are of one type.
    pub fn may_be(&self, channel: ChannelId) -> impl Iterator<Item = ChannelId> {
        let class = &self.classes[channel as usize];
        (0..self.classes.len())
            .filter(move |other| {
                let there = &self.classes[*other];
                self.parents[*other] == *other
                    && *other != channel as usize
                    && (class.made.is_empty() || there.made.is_empty())
                    && class.messages.intersection(&there.messages).any(|message| !message.contains('?'))
            })
            .map(|other| other as ChannelId)
    }

    /// Whether a channel was seen to be made.
    pub fn is_known(&self, channel: ChannelId) -> bool {
        !self.classes[channel as usize].made.is_empty()
    }

    /// Whether a channel may have a bound.
    pub fn may_be_bounded(&self, channel: ChannelId) -> bool {
        let is_bounded =
            |channel: ChannelId| self.classes[channel as usize].made.values().any(|bounded| *bounded);
        if self.is_known(channel) {
            return is_bounded(channel);
        }
        let mut others = self.may_be(channel).filter(|other| self.is_known(*other)).peekable();
        others.peek().is_none() || others.any(is_bounded)
    }

    /// The channels that are made in this block of a body.
    pub fn made_in(&self, body: BodyId, block: usize) -> impl Iterator<Item = ChannelId> {
        let made =
            move |at: &usize| self.parents[*at] == *at && self.classes[*at].made.contains_key(&(body, block));
        (0..self.classes.len()).filter(made).map(|at| at as ChannelId)
    }

    /// What a channel is called.
    pub fn name(&self, channel: ChannelId) -> &str {
        self.classes[channel as usize].name.as_ref().map_or("some channel", |(_, name)| name)
    }

    fn known(&self, spot: &Spot<'a>) -> Option<ChannelId> {
        self.spots.get(spot).map(|at| self.first(*at) as ChannelId)
    }

    fn first(&self, mut at: usize) -> usize {
        while self.parents[at] != at {
            at = self.parents[at];
        }
        at
    }
}

/// The spots of a place: in the innermost field of a type of ours on the way, or in the local.
fn spots<'a>(context: &Context<'_>, scope: Scope<'a>, locals: &[Ty], place: &Place) -> Vec<Spot<'a>> {
    let krate = scope.0;
    let mut ty = locals.get(place.local).cloned().unwrap_or(Ty::Never);
    let mut at = Where::Local(scope, place.local);
    let mut variant = "";
    for step in &place.projection {
        match step {
            Projection::Field(position, of) => {
                match &ty {
                    Ty::Path(path, _) if is_ours(context, krate, path) => {
                        at = Where::Field(context.index.name(krate, path), variant.to_owned(), *position);
                    }
                    Ty::Closure(text) => at = Where::Capture(krate, text.to_string(), *position),
                    _ => {}
                }
                variant = "";
                ty = of.clone();
            }
            Projection::Downcast(name) => variant = name,
            Projection::Deref => ty = pointee(&ty),
            Projection::Index => ty = element(&ty),
            Projection::Cast(to) => ty = to.clone(),
        }
    }
    let whole = match (&at, place.projection.is_empty()) {
        // Which of several ends in a tuple is meant is said by its messages only.
        (Where::Local(_, local), false) => locals.get(*local).map(|ty| ends(context, krate, ty).len()),
        _ => None,
    };
    let ends = ends(context, krate, &ty);
    let several = whole.unwrap_or(ends.len()) > 1;
    let key = |message: String| if several { message } else { String::new() };
    ends.into_keys().map(|message| (at.clone(), key(message))).collect()
}

fn is_ours(context: &Context<'_>, krate: usize, path: &str) -> bool {
    !context.index.name(krate, path).krate.is_empty() && !context.index.is_parameter(krate, path)
}

fn is_lent(ty: &Ty) -> bool {
    matches!(ty, Ty::Ref(..) | Ty::Ptr(..))
}

/// The ends that a value of the type is, holds or points to outside the fields of types of ours: for which messages,
/// and on which sides.
fn ends(context: &Context<'_>, krate: usize, ty: &Ty) -> BTreeMap<String, BTreeSet<Side>> {
    let mut found = BTreeMap::new();
    find_ends(context, krate, ty, &mut found);
    found
}

fn find_ends(context: &Context<'_>, krate: usize, ty: &Ty, found: &mut BTreeMap<String, BTreeSet<Side>>) {
    match ty {
        Ty::Path(path, args) => {
            if let Some(side) = context.end(krate, path) {
                let mut message = if side == Side::Handle { "end of ".to_owned() } else { String::new() };
                args.iter().take(1).for_each(|arg| context.write_type(krate, arg, &mut message));
                found.entry(message).or_default().insert(side);
            }
            if !args.is_empty() && !is_ours(context, krate, path) {
                args.iter().for_each(|arg| find_ends(context, krate, arg, found));
            }
        }
        Ty::Ref(_, inner) | Ty::Ptr(_, inner) | Ty::Slice(inner) | Ty::Array(inner, _) => {
            find_ends(context, krate, inner, found);
        }
        Ty::Tuple(types) => types.iter().for_each(|ty| find_ends(context, krate, ty, found)),
        _ => {}
    }
}
