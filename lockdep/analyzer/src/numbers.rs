//! Classes as the graph numbers them: declared ones first, then the undeclared that are met, by name.
//!
//! While functions are analyzed, classes are numbered as they are found; homes that turned out to be one, and names
//! that are shown, are settled here, at the end.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use lockdep::order::Relation;

use crate::context::Context;
use crate::graph::{Assumption, CALLERS, Class, Evidence, LockGraph, Nesting, Ownership};
use crate::home::Key;
use crate::mir::ir::Span;
use crate::summary::{ClassId, Grounds, Summary};
use crate::waits::{Nodes, Waited};

/// The final number of each class, by the number it had.
#[derive(Debug)]
pub struct Numbers {
    of: BTreeMap<ClassId, usize>,
    /// Undeclared classes: name, whether the holder is let in again.
    placed: Vec<(String, bool)>,
    lost: BTreeSet<usize>,
    /// Those that are no locks but other waits, and whether for a condition variable.
    pub waits: BTreeMap<usize, bool>,
}

impl Numbers {
    /// Numbers the classes that `summaries` acquire.
    pub fn new(context: &Context<'_>, summaries: &[Cow<'_, Summary>], nodes: &Nodes) -> Numbers {
        let mut met: BTreeSet<ClassId> = BTreeSet::new();
        for summary in summaries {
            met.extend(summary.met.iter().map(|(class, ..)| *class));
            met.extend(summary.acquires.keys().map(|acquire| acquire.lock.class));
            met.extend(summary.closed.keys().flat_map(|closed| [closed.nesting.held, closed.nesting.wanted]));
        }
        let declared = context.classes.len();
        let mut of: BTreeMap<ClassId, usize> = (0..declared).map(|class| (class, class)).collect();
        let mut names: BTreeMap<(String, Key), Vec<(ClassId, bool)>> = BTreeMap::new();
        let mut callers = None;
        for class in met {
            let Some((key, recursive)) = context.placed_key(class) else { continue };
            let key = match key {
                Key::Open(_) => continue,
                Key::Waited(_) => match nodes.of(context, class) {
                    Some(waited) => Key::Waited(waited),
                    None => continue,
                },
                Key::Callers => {
                    callers = Some(class);
                    continue;
                }
                lost => lost,
            };
            names.entry((context.class_name(class), key)).or_default().push((class, recursive));
        }
        let mut numbers = Numbers {
            of: BTreeMap::new(),
            placed: Vec::new(),
            lost: BTreeSet::new(),
            waits: BTreeMap::new(),
        };
        for ((name, key), classes) in names {
            let number = declared + numbers.placed.len();
            if matches!(key, Key::Lost(_)) {
                numbers.lost.insert(number);
            }
            of.extend(classes.iter().map(|(class, _)| (*class, number)));
            if let Key::Waited(waited) = key {
                numbers.waits.insert(number, matches!(waited, Waited::Condvar(_)));
            }
            numbers.placed.push((name, classes.iter().all(|(_, recursive)| *recursive)));
        }
        of.extend(callers.map(|class| (class, CALLERS)));
        numbers.of = of;
        numbers
    }

    /// The graph's list of classes.
    pub fn classes(&self, context: &Context<'_>, ownership: &[Ownership]) -> Vec<Class> {
        let declared = context.classes.iter().zip(ownership);
        let declared = declared.map(|(class, ownership)| Class { ownership: *ownership, ..class.clone() });
        let placed = self.placed.iter().enumerate().map(|(at, (name, recursive))| Class {
            name: name.clone(),
            level: None,
            recursive: *recursive,
            ordered: false,
            ownership: self.ownership(context.classes.len() + at, ownership),
        });
        declared.chain(placed).collect()
    }

    /// What is known of the owners of all classes that are one now.
    fn ownership(&self, class: usize, ownership: &[Ownership]) -> Ownership {
        let mut members =
            self.of.iter().filter(|(_, number)| **number == class).map(|(old, _)| ownership[*old]);
        let first = members.next().unwrap_or(Ownership::Unowned);
        if members.all(|member| member == first) { first } else { Ownership::Unknown }
    }

    /// The number of a class; none if it stayed open.
    pub fn class(&self, class: ClassId) -> Option<usize> {
        self.of.get(&class).copied()
    }

    /// A nesting in the graph's numbers.
    pub fn nesting(&self, nesting: &Nesting, relation: Relation) -> Option<Nesting> {
        let (held, wanted) = (self.class(nesting.held)?, self.class(nesting.wanted)?);
        Some(Nesting { held, wanted, relation, ..*nesting })
    }

    /// Whether some locks could not be followed to their home.
    pub fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// The evidence of a nesting in the graph's numbers.
    pub fn evidence(&self, grounds: &Grounds) -> Evidence {
        let evidence = grounds.evidence();
        Evidence { gates: evidence.gates.renumbered(|class| self.class(class)), ..evidence }
    }

    /// Locks that were acquired in ways that could not be followed to their home.
    pub fn lost(&self, context: &Context<'_>, graph: &LockGraph) -> Vec<Assumption> {
        let sites = |class: usize| -> Vec<Span> {
            graph.acquisitions.iter().filter(|(of, _)| *of == class).map(|(_, span)| span.clone()).collect()
        };
        debug_assert!(self.lost.iter().all(|class| *class >= context.classes.len()));
        self.lost
            .iter()
            .map(|class| Assumption {
                kind: "lost-lock".to_owned(),
                text: format!(
                    "`{}`, reached on a way that was not followed, is none of the other locks",
                    graph.name(*class)
                ),
                sites: sites(*class),
            })
            .collect()
    }
}
