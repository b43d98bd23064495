//! The smallest closed walk through one nesting that some domains can carry out.
//!
//! Whether domains exist for a closed walk depends on little: how often its owners are strangers (0, 1, more) and
//! whether it goes up and down. So the search is breadth-first over (node, [`Turns`]), at most twelve states per
//! node, and with a bounded hierarchy as many for each pair of tiers, that of the first owner and the present one: exact, and
//! linear in the graph however large the component is. Among the shortest walks the one with the
//! fewest domains wins, then the one with the shortest call chains. Called by `proof/causes.rs` only.
//!
//! # Which closed walks domains can carry out
//!
//! Join owners that are `Same` and give every remaining stop a domain of its own. `Up` and `Down` steps then link
//! the domains to a ring that is cut at every `Other` step and at every lock of nobody (which is entered and left
//! by `Other`).
//! - No cut: the ring is a strict order iff it has both directions (or has one stop: all steps were `Same`).
//! - One cut: a path, always a strict order; but its ends must be unrelated, so it must turn.
//! - More cuts: several paths, and every `Other` step joins two different ones, or a path and a lock of nobody.
//!
//! These are the cases of [`Turns::close`]. The converse holds too: a ring in one direction would make a domain
//! control itself, and the ends of a path that never turns are equal or related.
//!
//! With *k* tiers at most, the walk has to return to the tier where it began, and every step has to fit the tiers
//! (`proof/tiers.rs`). If it does, `Up` and `Down` follow the tiers, so no chain of the domains above is longer than *k*;
//! if some domains fit, their tiers are such a walk.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use lockdep::order::Relation;

use super::split::{Edge, Split, Spot};
use super::tiers::Tiers;
use crate::graph::{LockGraph, Nesting};
use crate::witness::Witness;

/// What of a walk decides whether domains fit it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Turns {
    /// Steps to a stranger; 2 stands for more as well.
    strangers: u8,
    up: bool,
    down: bool,
}

impl Turns {
    fn after(self, relation: Relation) -> Turns {
        match relation {
            Relation::Same => self,
            Relation::Up => Turns { up: true, ..self },
            Relation::Down => Turns { down: true, ..self },
            Relation::Other => Turns { strangers: (self.strangers + 1).min(2), ..self },
        }
    }

    fn close(self) -> bool {
        match self.strangers {
            0 => self.up == self.down,
            1 => self.up && self.down,
            _ => true,
        }
    }
}

/// Where the walk is, in which tier it began, and how it came there.
type State = (Spot, usize, Turns);

/// Whether the search takes an edge, from one spot to another.
pub type Keep<'a> = dyn Fn(Spot, &Edge, Spot) -> bool + 'a;

/// The state before (none: the walk's first step), and the edge from there.
type Way = (Option<State>, usize);

/// The held class and the relation of each step of a walk.
type Shape = Vec<(usize, Relation)>;

/// How a state was first reached.
struct Reached {
    distance: usize,
    /// All ways of that length.
    ways: Vec<Way>,
}

/// Steps of equally short walks that are compared; the rest of them are not looked at.
const COMPARED: usize = 1024;

/// The smallest witness that starts with `first` and else uses edges that `keep` keeps; `work` counts down the
/// states visited. None if there is no closed walk, or if two CPUs would have to hold one lock in the shortest.
pub fn smallest(
    graph: &LockGraph,
    split: &Split<'_>,
    tiers: Tiers,
    first: usize,
    keep: &Keep<'_>,
    work: &mut usize,
) -> Option<Witness> {
    let (reached, ends) = search(split, tiers, first, keep, work)?;
    // Owners depend on classes and relations only; of walks that differ in modes the best evidence is enough.
    let mut shapes: BTreeMap<Shape, (usize, Vec<Nesting>)> = BTreeMap::new();
    for walk in walks(split, &reached, &ends) {
        *work = work.saturating_sub(walk.len());
        let edges = || walk.iter().map(|&edge| &split.edges[edge]);
        let shape: Shape = edges().map(|edge| (edge.nesting.held, edge.relation)).collect();
        let candidate = (edges().map(|edge| edge.chain).sum(), edges().map(|edge| edge.nesting).collect());
        match shapes.entry(shape) {
            Entry::Vacant(entry) => drop(entry.insert(candidate)),
            Entry::Occupied(mut entry) if candidate < *entry.get() => drop(entry.insert(candidate)),
            Entry::Occupied(_) => {}
        }
    }
    shapes
        .into_values()
        .filter_map(|(chain, walk)| {
            let witness = Witness::of(graph, &walk)?;
            Some((witness.domains.len(), chain, witness))
        })
        .min()
        .map(|(_, _, witness)| witness)
}

/// Breadth first from `first` to the nearest states from which the walk closes.
fn search(
    split: &Split<'_>,
    tiers: Tiers,
    first: usize,
    keep: &Keep<'_>,
    work: &mut usize,
) -> Option<(HashMap<State, Reached>, Vec<State>)> {
    let start = &split.edges[first];
    // Looked up only, never iterated: its order cannot show.
    let mut reached: HashMap<State, Reached> = HashMap::new();
    let mut level: Vec<State> = Vec::new();
    let mut distance = 1;
    for (from, then) in start.steps(tiers).filter(|&(from, then)| keep(from, start, (start.to, then))) {
        let state = ((start.to, then), from.1, Turns::default().after(start.relation));
        reached.entry(state).or_insert_with(|| {
            level.push(state);
            Reached { distance, ways: vec![(None, first)] }
        });
    }
    while !level.is_empty() {
        let closed = |&&((node, tier), began, turns): &&State| {
            tier == began && turns.close() && start.from().any(|from| from == node)
        };
        let ends: Vec<State> = level.iter().filter(closed).copied().collect();
        if !ends.is_empty() {
            return Some((reached, ends));
        }
        distance += 1;
        let mut next = Vec::new();
        for &state in &level {
            let (spot, began, turns) = state;
            *work = work.saturating_sub(1 + split.out[spot.0].len());
            for &index in &split.out[spot.0] {
                let edge = &split.edges[index];
                for then in tiers.after(spot.1, edge.relation) {
                    if !keep(spot, edge, (edge.to, then)) {
                        continue;
                    }
                    let to = ((edge.to, then), began, turns.after(edge.relation));
                    let entry = reached.entry(to).or_insert_with(|| {
                        next.push(to);
                        Reached { distance, ways: Vec::new() }
                    });
                    if entry.distance == distance {
                        entry.ways.push((Some(state), index));
                    }
                }
            }
        }
        level = next;
    }
    None
}

/// The shortest walks, as edges; those with better evidence first, as far as that shows from behind.
fn walks(split: &Split<'_>, reached: &HashMap<State, Reached>, ends: &[State]) -> Vec<Vec<usize>> {
    let mut sorted = BTreeMap::new();
    let mut walks = Vec::new();
    let mut steps = 0;
    for &end in ends {
        // A stack of choices: the ways still to try at each stop, and the edge taken there.
        let mut choices = vec![ways(split, reached, &mut sorted, end).into_iter()];
        let mut taken: Vec<usize> = Vec::new();
        while let Some(stop) = choices.last_mut() {
            let choice = stop.next();
            taken.truncate(choices.len() - 1);
            match choice {
                None => drop(choices.pop()),
                Some((Some(before), edge)) => {
                    taken.push(edge);
                    choices.push(ways(split, reached, &mut sorted, before).into_iter());
                }
                Some((None, edge)) => {
                    taken.push(edge);
                    walks.push(taken.iter().rev().copied().collect());
                    steps += taken.len();
                    if steps >= COMPARED {
                        return walks;
                    }
                }
            }
        }
    }
    walks
}

/// The ways to `state`, best evidence first; remembered in `sorted`.
fn ways(
    split: &Split<'_>,
    reached: &HashMap<State, Reached>,
    sorted: &mut BTreeMap<State, Vec<Way>>,
    state: State,
) -> Vec<Way> {
    let list = sorted.entry(state).or_insert_with(|| {
        let mut list = reached.get(&state).map_or(Vec::new(), |reached| reached.ways.clone());
        list.sort_by_key(|&(_, edge)| (split.edges[edge].possible, split.edges[edge].chain, edge));
        list
    });
    list.clone()
}
