//! Thread-locals: which one a key stands for, and locks of which each thread has its own.
//!
//! A `thread_local!` is a constant whose content std makes once for each thread; code reaches it through a key, whose
//! constant the text does not name, but whose type says what is in it: if only one has such a content, it is that one.
//! Of a lock in one no other thread knows, unless the content is a pointer that others may have, too, or the program
//! lends references to threads of a scope. This file follows no paths.

use std::collections::HashMap;
use std::sync::Arc;

use crate::context::Context;
use crate::flow::Flow;
use crate::home::Home;
use crate::index::{Entry, last};
use crate::mir::ir::{Body, Call, Callee, Operand, Terminator, Ty};
use crate::path::{Path, Root, Value};

/// The thread-locals of a program.
#[derive(Debug, Default)]
pub struct ThreadLocals {
    /// By what is in them; none where several have the same content.
    by_content: HashMap<String, Option<Arc<str>>>,
    /// Whether nothing in the content is shared with other threads, by name.
    own: HashMap<Arc<str>, bool>,
}

impl ThreadLocals {
    /// Reads the constants.
    pub fn new(context: &Context<'_>) -> ThreadLocals {
        let mut found = ThreadLocals::default();
        let lends = context.index.bodies.iter().any(|entry| lends_to_threads(entry.body));
        for Entry { krate, body } in &context.index.constants {
            if let Some(content) = body.locals.first().and_then(content) {
                let name = context.static_name(*krate, &body.path);
                found.own.insert(Arc::clone(&name), !lends && !shares(content));
                found
                    .by_content
                    .entry(plain(content))
                    .and_modify(|known| *known = None)
                    .or_insert(Some(name));
            }
        }
        found
    }
}

impl Context<'_> {
    /// Whether each thread has its own lock at this home.
    pub(crate) fn is_of_one_thread(&self, home: &Home) -> bool {
        match home {
            Home::Static(name) => self.thread_locals.own.get(name) == Some(&true),
            Home::Either(all) => all.iter().all(|home| self.is_of_one_thread(&self.placed.home(*home))),
            _ => false,
        }
    }
}

impl Flow<'_, '_> {
    /// A pointer to what is in the thread-local whose key the first argument refers to.
    pub(crate) fn lent_content(&self, call: &Call) -> Option<Value> {
        let key = self.type_of(call.args.first().and_then(Operand::place)?);
        let content = content(&crate::index::pointee(&key)).map(plain)?;
        let name = self.context.thread_locals.by_content.get(&content)?.clone()?;
        let home = self.context.home(Home::Static(Arc::clone(&name)));
        Some(Value::To(Path::from(Root::Static(name)).living(Some(home))))
    }
}

/// What is in a thread-local whose key is of this type.
fn content(ty: &Ty) -> Option<&Ty> {
    match ty {
        Ty::Path(path, args) if last(path) == "LocalKey" => args.first(),
        _ => None,
    }
}

/// A type without the modules that its parts are in, which not everybody prints alike.
fn plain(ty: &Ty) -> String {
    let text = ty.to_string();
    let parts = text.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    parts.map(last).collect()
}

/// Whether other threads may reach a part of a value of the type.
fn shares(ty: &Ty) -> bool {
    ty.any(&mut |part| match part {
        Ty::Path(path, _) => last(path) == "Arc",
        Ty::Ref(..) | Ty::Ptr(..) => true,
        _ => false,
    })
}

/// Whether a body starts threads that may be lent what it has.
fn lends_to_threads(body: &Body) -> bool {
    let lends = |path: &str| {
        let last = last(path);
        last.starts_with("scope") || last == "in_place_scope" || path.contains("rayon")
    };
    body.blocks.iter().any(|block| match &block.terminator {
        Terminator::Call(call) => match &call.callee {
            Callee::Path { path, .. } => lends(path),
            Callee::Qualified { of: Some(Ty::Path(of, _)), .. } => lends(of),
            _ => false,
        },
        _ => false,
    })
}
