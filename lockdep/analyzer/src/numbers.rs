//! Classes as the graph numbers them: declared ones first, then the undeclared that are met, by name.
//!
//! While functions are analyzed, classes are numbered as they are found; homes that turned out to be one, and names
//! that are shown, are settled here, at the end.

use std::collections::{BTreeMap, BTreeSet};

use lockdep::order::Relation;

use crate::alias::Aliases;
use crate::context::Context;
use crate::graph::{Assumption, CALLERS, Class, Evidence, LockGraph, Nesting, Ownership};
use crate::home::{HomeId, Key};
use crate::index::BodyId;
use crate::mir::ir::Span;
use crate::summary::{ClassId, Grounds, Summary};
use crate::waits::{Nodes, Waited};

/// What a class in the graph is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    /// The homes of its locks.
    Homes(BTreeSet<HomeId>),
    Other(Key),
}

/// The final numbers of each class, by the number it had.
#[derive(Debug)]
pub struct Numbers {
    of: BTreeMap<ClassId, Vec<usize>>,
    /// What was stored on ways that were not followed: the class of the place, and where.
    stored: BTreeMap<usize, BTreeSet<Span>>,
    /// Undeclared classes: name, whether the holder is let in again.
    placed: Vec<(String, bool)>,
    lost: BTreeSet<usize>,
    /// Those that are no locks but other waits, and whether for a condition variable.
    pub waits: BTreeMap<usize, bool>,
}

impl Numbers {
    /// Numbers the classes that `summaries` acquire.
    pub fn new(
        context: &Context<'_>,
        summaries: &[Summary],
        entries: &BTreeSet<BodyId>,
        nodes: &Nodes,
    ) -> Numbers {
        let mut met: BTreeSet<ClassId> = BTreeSet::new();
        for summary in summaries {
            met.extend(summary.met.iter().map(|(class, ..)| *class));
            met.extend(summary.acquires.keys().map(|acquire| acquire.lock.class));
            met.extend(summary.closed.keys().flat_map(|closed| [closed.nesting.held, closed.nesting.wanted]));
        }
        let declared = context.classes.len();
        let aliases = Aliases::new(context, summaries, entries, &met);
        let mut of: BTreeMap<ClassId, Vec<usize>> = (0..declared).map(|class| (class, vec![class])).collect();
        let mut names: BTreeMap<(String, Which), Vec<(ClassId, bool)>> = BTreeMap::new();
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
                Key::Home(_) => {
                    for (name, homes) in aliases.classes(context, class) {
                        names.entry((name, Which::Homes(homes))).or_default().push((class, recursive));
                    }
                    continue;
                }
                lost @ Key::Lost(_) => lost,
            };
            names.entry((context.class_name(class), Which::Other(key))).or_default().push((class, recursive));
        }
        let mut numbers = Numbers {
            of: BTreeMap::new(),
            stored: BTreeMap::new(),
            placed: Vec::new(),
            lost: BTreeSet::new(),
            waits: BTreeMap::new(),
        };
        let mut same = (String::new(), 1);
        for ((name, key), classes) in names {
            let number = declared + numbers.placed.len();
            for (class, _) in &classes {
                of.entry(*class).or_default().push(number);
            }
            match key {
                Which::Other(Key::Lost(_)) => drop(numbers.lost.insert(number)),
                Which::Other(Key::Waited(waited)) => {
                    numbers.waits.insert(number, matches!(waited, Waited::Condvar(_)));
                }
                Which::Other(_) => {}
                Which::Homes(homes) => {
                    let lost = homes.iter().filter_map(|home| aliases.lost.get(home)).flatten();
                    let lost: BTreeSet<Span> = lost.cloned().collect();
                    numbers.stored.extend((!lost.is_empty()).then_some((number, lost)));
                }
            }
            // Several locks that one call makes.
            same = if same.0 == name { (name, same.1 + 1) } else { (name, 1) };
            let shown = if same.1 > 1 { format!("{} #{}", same.0, same.1) } else { same.0.clone() };
            numbers.placed.push((shown, classes.iter().all(|(_, recursive)| *recursive)));
        }
        of.extend(callers.map(|class| (class, vec![CALLERS])));
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
            self.of.iter().filter(|(_, numbers)| numbers.contains(&class)).map(|(old, _)| ownership[*old]);
        let first = members.next().unwrap_or(Ownership::Unowned);
        if members.all(|member| member == first) { first } else { Ownership::Unknown }
    }

    /// The numbers of a class: none if it stayed open, several if it stands for locks of several classes.
    pub fn class(&self, class: ClassId) -> &[usize] {
        self.of.get(&class).map_or(&[], Vec::as_slice)
    }

    /// A nesting in the graph's numbers. Where either lock may be one of several, each is taken with each; but which of
    /// two comes first is not said by one place in the code that may be given both either way.
    pub fn nestings(&self, nesting: &Nesting, relation: Relation) -> Vec<Nesting> {
        let (held, wanted) = (self.class(nesting.held), self.class(nesting.wanted));
        let either = |class: &usize| held.contains(class) && wanted.contains(class);
        let pairs = held.iter().flat_map(|held| wanted.iter().map(move |wanted| (held, wanted)));
        pairs
            .filter(|(held, wanted)| held == wanted || !either(held) || !either(wanted))
            .map(|(held, wanted)| Nesting { held: *held, wanted: *wanted, relation, ..*nesting })
            .collect()
    }

    /// Two different classes of which a nesting takes either first, as far as is known.
    pub fn either(&self, nesting: &Nesting) -> Vec<(usize, usize)> {
        if nesting.held == nesting.wanted {
            return Vec::new();
        }
        let wanted = self.class(nesting.wanted);
        let both: Vec<usize> =
            self.class(nesting.held).iter().copied().filter(|class| wanted.contains(class)).collect();
        let pairs = both.iter().flat_map(|a| both.iter().map(move |b| (*a, *b)));
        pairs.filter(|(a, b)| a < b).collect()
    }

    /// The number of a class that stands for one only.
    fn one(&self, class: ClassId) -> Option<usize> {
        if let [one] = self.class(class) { Some(*one) } else { None }
    }

    /// Whether some locks could not be followed to their home.
    pub fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// The evidence of a nesting in the graph's numbers.
    pub fn evidence(&self, grounds: &Grounds) -> Evidence {
        let evidence = grounds.evidence();
        Evidence { gates: evidence.gates.renumbered(|class| self.one(class)), ..evidence }
    }

    /// Places that were given locks on ways that were not followed.
    pub fn stored(&self, graph: &LockGraph) -> Vec<Assumption> {
        let nests = |class: usize| graph.nestings.keys().any(|n| n.held == class || n.wanted == class);
        let stored = self.stored.iter().filter(|(class, _)| nests(**class));
        stored
            .map(|(class, sites)| Assumption {
                kind: "stored-lock".to_owned(),
                text: format!(
                    "what is put into `{}` on a way that was not followed is a lock of no other place",
                    graph.name(*class)
                ),
                sites: sites.iter().cloned().collect(),
            })
            .collect()
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
