//! Where a lock that nobody declared lives: the field, static or construction site that is its class.
//!
//! Type arguments do not matter: `Cell<u8>.lock` and `Cell<u16>.lock` are one home. Homes are numbered as they are
//! met, so numbers mean nothing outside one run; what is shown and compared are names. One lock that is stored in two
//! places (an `Arc` in two structs) has two homes: what was stored where is in `stored.rs`, which of them are one class in
//! `alias.rs`. This file decides nothing about paths (`path.rs`) and nothing about which calls acquire (`model.rs`).

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::index::{BodyId, Name};
use crate::waits::Waited;

/// The part of a home that is not in the value but around it: the lock of a cell whose content is made once.
pub const CELL: u32 = u32::MAX;

/// Among more homes than this it is not told which one is meant.
const MAX_ALTERNATIVES: usize = 4;

/// A home by its number.
pub type HomeId = u32;

/// Where a lock lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Home {
    /// A static or thread-local, by its path.
    Static(Arc<str>),
    /// A field: its type, its variant (or empty) and its position.
    Field(Name, String, u32),
    /// A part of a tuple that has a home.
    Part(HomeId, u32),
    /// What the lock with this home protects, or contains.
    Inside(HomeId),
    /// The construction in this block of this body.
    Site(BodyId, usize),
    /// What is constructed there, where the call in this block of this body has it constructed.
    Fresh(BodyId, usize, HomeId),
    /// One of these, by number: which it is depends on the way the code went.
    Either(Vec<HomeId>),
}

/// What the class of a lock is, as far as a function knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The place where it lives.
    Home(HomeId),
    /// The caller knows; what is known here is the lock's type.
    Open(Arc<str>),
    /// Nobody knows; all locks of this type that are met so are one class.
    Lost(Arc<str>),
    /// No lock, but whatever the callers' code does where it runs (`callers.rs`).
    Callers,
    /// No lock, but something else that is waited for (`waits.rs`).
    Waited(Waited),
}

/// All homes met so far.
#[derive(Debug, Default)]
pub struct Homes {
    known: Vec<Home>,
    numbers: FxHashMap<Home, HomeId>,
}

impl Homes {
    /// The number of a home.
    pub fn number(&mut self, home: Home) -> HomeId {
        if let Some(&number) = self.numbers.get(&home) {
            return number;
        }
        let number = self.known.len() as HomeId;
        self.known.push(home.clone());
        self.numbers.insert(home, number);
        number
    }

    /// The home that is one of two; none if there are too many that it may be.
    pub fn either(&mut self, one: HomeId, other: HomeId) -> Option<HomeId> {
        let mut all: Vec<HomeId> =
            [one, other].into_iter().flat_map(|home| self.alternatives(home)).collect();
        all.sort_unstable();
        all.dedup();
        match all[..] {
            [same] => Some(same),
            _ if all.len() > MAX_ALTERNATIVES => None,
            _ => Some(self.number(Home::Either(all))),
        }
    }

    /// The homes that one may be, if not itself.
    pub fn alternatives(&self, home: HomeId) -> Vec<HomeId> {
        match &self.known[home as usize] {
            Home::Either(all) => all.clone(),
            _ => vec![home],
        }
    }

    /// The home of a number.
    pub fn get(&self, number: HomeId) -> Home {
        self.known[number as usize].clone()
    }
}
