//! What source text says at the places that bodies name: headers and bounds of impls, definitions of macros.
//!
//! Each is looked up once. It reads no files: it is handed their texts. Called by `extract.rs`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::extract::Texts;
use super::{bounds, macros};
use crate::mir;
use crate::mir::ir::{Bound, Span};

/// Where the macros of a file are defined; none if its text cannot be had.
type Definitions = Option<Arc<[macros::Range]>>;

/// The headers of impls and their bounds, and the macros of files, each looked up once.
pub(super) struct Headers<'s> {
    sources: Texts<'s>,
    texts: Mutex<BTreeMap<Arc<str>, Option<Arc<str>>>>,
    known: Mutex<BTreeMap<Span, Option<String>>>,
    bounds: Mutex<BTreeMap<Span, Arc<[Bound]>>>,
    macros: Mutex<BTreeMap<Arc<str>, Definitions>>,
}

impl<'s> Headers<'s> {
    pub(super) fn new(sources: Texts<'s>) -> Headers<'s> {
        Headers {
            sources,
            texts: Mutex::default(),
            known: Mutex::default(),
            bounds: Mutex::default(),
            macros: Mutex::default(),
        }
    }

    /// The header of the impl.
    pub(super) fn get(&self, at: &Span) -> Option<String> {
        if let Some(header) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(at) {
            return header.clone();
        }
        let header = self.text(&at.file).and_then(|text| mir::impl_header(&text, at));
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(at.clone(), header.clone());
        header
    }

    /// The bounds that the impl states.
    pub(super) fn bounds(&self, at: &Span) -> Arc<[Bound]> {
        if let Some(known) = self.bounds.lock().unwrap_or_else(PoisonError::into_inner).get(at) {
            return Arc::clone(known);
        }
        let head = self.text(&at.file).and_then(|text| mir::impl_head(&text, at));
        let found: Arc<[Bound]> = head.map(|head| bounds::of_impl(&head)).unwrap_or_default().into();
        self.bounds.lock().unwrap_or_else(PoisonError::into_inner).insert(at.clone(), Arc::clone(&found));
        found
    }

    /// The text of a file, if it can be had.
    pub(super) fn text(&self, file: &Arc<str>) -> Option<Arc<str>> {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.entry(Arc::clone(file)).or_insert_with(|| (self.sources)(file).map(Arc::from)).clone()
    }

    /// Where the macros of a file are defined, if its text can be had.
    pub(super) fn definitions(&self, file: &Arc<str>) -> Definitions {
        let known =
            |this: &Self| this.macros.lock().unwrap_or_else(PoisonError::into_inner).get(file).cloned();
        known(self).unwrap_or_else(|| {
            let found = self.text(file).map(|text| macros::definitions(&text).into());
            let mut all = self.macros.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(Arc::clone(file)).or_insert(found).clone()
        })
    }
}
