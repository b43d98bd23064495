//! Where a lock comes from, and the class that stands for it.
//!
//! A lock carries its [`Origin`], which a `const fn` can make; the [`Class`] is found at each use in a table that is read
//! without a lock, and made on the first use. One place in the source may have several `Location`s (of a generic function, one
//! per instance), so what the table does not know by address is looked up by content. Only checked builds have this file,
//! and only `track.rs` calls it.

use std::collections::BTreeMap;
use std::panic::Location;
use std::ptr;
use std::sync::{Mutex, OnceLock, PoisonError};

use lockdep::class::Class;

use crate::thread;

/// What makes two locks one class.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    /// They are made at one place in the source.
    Site(&'static Location<'static>),
    /// They have one name.
    Named(&'static str),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    origin: Origin,
    class: &'static Class,
}

/// Origins by address, with open addressing. Those beyond three quarters of it are found under the lock of [`CLASSES`].
static TABLE: [OnceLock<Entry>; 1 << TABLE_BITS] = [const { OnceLock::new() }; 1 << TABLE_BITS];
const TABLE_BITS: u32 = 11;
const MAX_ENTRIES: usize = 3 << (TABLE_BITS - 2);

/// Classes by file, line and column, or by name, line 0.
type ByContent = BTreeMap<(&'static str, u32, u32), &'static Class>;

static CLASSES: Mutex<(ByContent, usize)> = Mutex::new((BTreeMap::new(), 0));

/// The names of keyed classes, by file, line, column and key.
type ByKey = BTreeMap<(&'static str, u32, u32, u32), &'static str>;

static KEYED: Mutex<ByKey> = Mutex::new(BTreeMap::new());

impl Origin {
    /// One place with one key, which is a name: so an origin stays two words, whatever the lock.
    pub(crate) fn keyed(site: &'static Location<'static>, key: u32) -> Origin {
        let mut keyed = KEYED.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (site.file(), site.line(), site.column(), key);
        let name = keyed.entry(place).or_insert_with(|| Box::leak(format!("{site}[{key}]").into_boxed_str()));
        Origin::Named(name)
    }

    /// The class of locks from here. The first call of all makes the checker know threads.
    pub(crate) fn class(self) -> &'static Class {
        for slot in self.slots() {
            match slot.get() {
                Some(entry) if entry.origin.is_same_object(self) => return entry.class,
                Some(_) => {}
                None => break,
            }
        }
        self.find_or_make()
    }

    /// Where it may stand in the table, first place first.
    fn slots(self) -> impl Iterator<Item = &'static OnceLock<Entry>> {
        let address = match self {
            Origin::Site(site) => ptr::from_ref(site).addr(),
            Origin::Named(name) => name.as_ptr().addr(),
        };
        // Knuth's multiplicative hash: the golden ratio spreads addresses that differ in their low bits.
        let hash = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - TABLE_BITS);
        let (before, after) = TABLE.split_at(hash as usize);
        after.iter().chain(before)
    }

    fn is_same_object(self, other: Origin) -> bool {
        match (self, other) {
            (Origin::Site(one), Origin::Site(two)) => ptr::eq(one, two),
            (Origin::Named(one), Origin::Named(two)) => ptr::eq(one, two),
            _ => false,
        }
    }

    fn content(self) -> (&'static str, u32, u32) {
        match self {
            Origin::Site(site) => (site.file(), site.line(), site.column()),
            Origin::Named(name) => (name, 0, 0),
        }
    }

    #[cold]
    fn find_or_make(self) -> &'static Class {
        thread::introduce();
        let mut classes = CLASSES.lock().unwrap_or_else(PoisonError::into_inner);
        let (by_content, nr_entries) = &mut *classes;
        let class = *by_content.entry(self.content()).or_insert_with(|| self.make());
        if *nr_entries < MAX_ENTRIES {
            let entry = Entry { origin: self, class };
            // Another thread may have come first with the same; entries are added under the lock only, so once is enough.
            let known = self.slots().map_while(OnceLock::get).any(|known| known.origin.is_same_object(self));
            if !known && self.slots().any(|slot| slot.set(entry).is_ok()) {
                *nr_entries += 1;
            }
        }
        class
    }

    /// A class lives as long as the program, as the code that it stands for does.
    fn make(self) -> &'static Class {
        let name = match self {
            Origin::Site(site) => Box::leak(site.to_string().into_boxed_str()),
            Origin::Named(name) => name,
        };
        Box::leak(Box::new(Class::undeclared(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides() {
        let name = |text: &str| Origin::Named(Box::leak(text.to_owned().into_boxed_str()));
        let (one, two, other) = (name("rook").class(), name("rook").class(), name("bishop").class());
        assert!(ptr::eq(one, two), "equal names at different addresses");
        assert!(!ptr::eq(one, other));
        let site = Location::caller();
        let copy: &'static Location = Box::leak(Box::new(*site));
        assert!(ptr::eq(Origin::Site(site).class(), Origin::Site(copy).class()), "one place, two addresses");
        assert_eq!(Origin::Site(site).class().name, site.to_string());
    }

    #[test]
    fn a_full_table_loses_nothing() {
        let names: Vec<&'static str> =
            (0..TABLE.len() + 10).map(|number| &*Box::leak(number.to_string().into_boxed_str())).collect();
        let classes: Vec<_> = names.iter().map(|name| Origin::Named(name).class()).collect();
        for (name, class) in names.iter().zip(classes) {
            assert_eq!(class.name, *name);
            assert!(ptr::eq(Origin::Named(name).class(), class));
        }
    }
}
