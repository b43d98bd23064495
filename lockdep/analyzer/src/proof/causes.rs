//! From a graph without a proof to the deadlocks worth reporting, and no more.
//!
//! A *cause* is a nesting that breaks the criterion of `proof.rs` by itself: a recursion, two instances without
//! order, a stranger or a step down in a component that does not allow it. For a cycle of `Same` nestings no single
//! one is to blame, so every one on a cycle is tried. Each cause gets its smallest witness; a witness is kept if it
//! explains something that those before it (smaller ones first) do not. Called by `proof.rs` only.

use std::collections::BTreeSet;

use lockdep::order::Relation;

use super::split::{Edge, Split, Spot, raises_key};
use super::tiers::Tiers;
use super::walk::{self, Keep};
use crate::graph::{Held, LockGraph, Nesting, Wanted};
use crate::witness::Witness;

/// A nesting that breaks the criterion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// A holder waits for itself.
    Recursion(Nesting),
    /// Two instances of a class without instance order in one domain; by edge.
    Instances(usize),
    /// On a cycle of `Same` nestings.
    Cycle(usize),
    /// Between domains, and the component does not allow it.
    Across(usize),
}

/// Components of the split graph, in topological order.
#[derive(Debug)]
pub struct Components {
    /// Over all edges, by node and tier.
    all: Vec<usize>,
    /// Over the edges that stay in the domain, by node.
    pub same: Vec<usize>,
    /// How many tiers there are.
    pub tiers: Tiers,
}

impl Components {
    /// Those of a split graph, if there are so many tiers of domains at most.
    pub fn new(split: &Split, tiers: Tiers) -> Components {
        Components {
            all: split.components(tiers, |_| true),
            same: split.components(Tiers::ANY, |edge| edge.relation == Relation::Same),
            tiers,
        }
    }

    /// The component of a node and a tier.
    pub fn of(&self, (node, tier): Spot) -> usize {
        self.all[node * self.tiers.count() + tier]
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.iter().max().map_or(0, |last| last + 1)
    }

    /// The components in which an edge stays, one for each way to do so.
    pub fn inside(&self, edge: &Edge) -> impl Iterator<Item = usize> {
        let staying = |(from, then)| (self.of(from) == self.of((edge.to, then))).then(|| self.of(from));
        edge.steps(self.tiers).filter_map(staying)
    }

    /// Whether an edge stays in a component of the edges that stay in the domain.
    fn stays(&self, edge: &Edge) -> bool {
        edge.from().any(|from| self.same[from] == self.same[edge.to])
    }
}

/// What is wrong with a graph.
#[derive(Debug)]
pub struct Causes<'a> {
    graph: &'a LockGraph,
    split: &'a Split<'a>,
    components: &'a Components,
    list: Vec<Cause>,
}

/// At most so many witnesses are made; the rest of the causes are counted.
const WITNESSES: usize = 100;
/// States visited in the search for witnesses of one component, after which its other causes are only counted.
const WORK: usize = 1_000_000;

impl<'a> Causes<'a> {
    /// All causes; none iff the criterion holds.
    pub fn find(graph: &'a LockGraph, split: &'a Split<'a>, components: &'a Components) -> Causes<'a> {
        let mut list: Vec<Cause> = graph
            .nestings
            .keys()
            .filter(|nesting| nesting.is_recursion() && waits_for_itself(graph, nesting))
            .map(|&nesting| Cause::Recursion(nesting))
            .collect();
        let up = split.edges.iter().filter(|edge| edge.relation == Relation::Up);
        let upward: BTreeSet<usize> = up.flat_map(|edge| components.inside(edge)).collect();
        for (index, edge) in split.edges.iter().enumerate() {
            let cause = match edge.relation {
                Relation::Same if raises_key(graph, edge) || !components.stays(edge) => continue,
                Relation::Same if edge.from().any(|from| from == edge.to) => Cause::Instances(index),
                Relation::Same => Cause::Cycle(index),
                Relation::Up => continue,
                Relation::Down if components.inside(edge).any(|number| upward.contains(&number)) => {
                    Cause::Across(index)
                }
                Relation::Other if components.inside(edge).next().is_some() => Cause::Across(index),
                Relation::Down | Relation::Other => continue,
            };
            list.push(cause);
        }
        Causes { graph, split, components, list }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The witnesses worth reporting, smallest first, and how many causes are left unexplained.
    pub fn witnesses(&self) -> (Vec<Witness>, usize) {
        let mut work = vec![WORK; self.components.count()];
        let mut unsearched = Vec::new();
        let mut found: Vec<(Cause, Witness)> = Vec::new();
        for &cause in &self.list {
            let witness = match cause {
                Cause::Recursion(nesting) => Witness::of(self.graph, &[nesting]),
                Cause::Instances(edge) | Cause::Cycle(edge) | Cause::Across(edge) => {
                    let work = &mut work[self.components.of((self.split.edges[edge].to, 0))];
                    if *work == 0 {
                        unsearched.push(edge);
                        continue;
                    }
                    self.smallest(edge, matches!(cause, Cause::Across(_)), work)
                }
            };
            found.extend(witness.map(|witness| (cause, witness)));
        }
        found.sort_by_cached_key(|(_, witness)| {
            let size = (witness.cpus.len(), witness.domains.len(), witness.chain_length(self.graph));
            (witness.is_possible(self.graph), size, witness.clone())
        });
        let mut witnesses = Vec::new();
        let mut further = 0;
        let mut explained = Explained::default();
        for (cause, witness) in found {
            if explained.covers(self, cause, &witness) {
                continue;
            }
            if witnesses.len() == WITNESSES {
                further += 1;
                continue;
            }
            explained.add(self, cause, &witness);
            witnesses.push(witness);
        }
        further += unsearched.iter().filter(|&&edge| !explained.has(&self.split.edges[edge])).count();
        (witnesses, further)
    }

    /// The smallest witness through an edge: of certain nestings if there is one, else of possible ones too.
    fn smallest(&self, first: usize, across: bool, work: &mut usize) -> Option<Witness> {
        let components = self.components;
        let tiers = if across { components.tiers } else { Tiers::ANY };
        let keep = |from: Spot, edge: &Edge, to: Spot| match across {
            true => components.of(from) == components.of(to),
            false => edge.relation == Relation::Same && components.same[from.0] == components.same[to.0],
        };
        let certain = |from: Spot, edge: &Edge, to: Spot| !edge.possible && keep(from, edge, to);
        let mut search = |keep: &Keep| walk::smallest(self.graph, self.split, tiers, first, keep, work);
        let found = if self.split.edges[first].possible { None } else { search(&certain) };
        found.or_else(|| search(&keep))
    }
}

/// What the witnesses kept so far explain.
#[derive(Default)]
struct Explained {
    /// Recursions and instances: one report per class, and per way for readers.
    classes: BTreeSet<(usize, bool, bool)>,
    /// Groups of nestings on a witness.
    groups: BTreeSet<(usize, usize, Relation)>,
}

impl Explained {
    fn class(causes: &Causes, cause: Cause) -> Option<(usize, bool, bool)> {
        match cause {
            Cause::Recursion(nesting) => Some((nesting.held, true, is_reader_recursion(&nesting))),
            Cause::Instances(edge) => Some((causes.split.edges[edge].nesting.held, false, false)),
            Cause::Cycle(_) | Cause::Across(_) => None,
        }
    }

    fn has(&self, edge: &Edge) -> bool {
        self.groups.contains(&edge.group())
    }

    fn covers(&self, causes: &Causes, cause: Cause, witness: &Witness) -> bool {
        match cause {
            Cause::Recursion(_) | Cause::Instances(_) => {
                Self::class(causes, cause).is_some_and(|class| self.classes.contains(&class))
            }
            // Cycles in one domain that share a nesting are most often one mistake: report them one at a time.
            Cause::Cycle(_) => groups(causes.graph, witness).any(|group| self.groups.contains(&group)),
            Cause::Across(edge) => self.has(&causes.split.edges[edge]),
        }
    }

    fn add(&mut self, causes: &Causes, cause: Cause, witness: &Witness) {
        self.classes.extend(Self::class(causes, cause));
        if !matches!(cause, Cause::Recursion(_)) {
            self.groups.extend(groups(causes.graph, witness));
        }
    }
}

fn groups<'a>(
    graph: &'a LockGraph,
    witness: &'a Witness,
) -> impl Iterator<Item = (usize, usize, Relation)> + 'a {
    witness.cpus.iter().map(|cpu| (cpu.nesting.held, cpu.nesting.wanted, graph.relation(&cpu.nesting)))
}

/// A fair reader that holds the lock already: it blocks only when a writer waits in between.
pub fn is_reader_recursion(nesting: &Nesting) -> bool {
    nesting.is_recursion() && nesting.held_as == Held::Shared && nesting.wanted_as == Wanted::Shared
}

/// A recursive reader waits for no reader; only the exclusive holder of a recursive class is let in again.
fn waits_for_itself(graph: &LockGraph, nesting: &Nesting) -> bool {
    match nesting.held_as {
        Held::Shared => !nesting.wanted_as.is_recursive(),
        Held::Exclusive => graph.classes.get(nesting.held).is_none_or(|class| !class.recursive),
    }
}
