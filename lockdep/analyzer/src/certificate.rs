//! The certificate of a proof, and the loop that checks it.
//!
//! A certificate gives every node of the split graph a layer and a rank, and every layer a direction. Positions
//! of lock instances are then compared by (layer, height of the owner in the layer's direction, rank, instance
//! key), and [`check`] tests that every nesting climbs. A strict order has no closed walk, so an accepted
//! certificate alone shows that no circular wait exists; how it was found need not be trusted. Therefore this
//! file shares only the data types of `graph.rs` with the rest: no graph library, nothing of `proof.rs`. It does
//! not find certificates (`proof.rs`) and says nothing about graphs that have none (`witness.rs`). Called by the
//! pipeline for every verdict, and by whoever reads a certificate from a file.
//!
//! Why climbing is enough: in a layer with direction `Up`, an `Up` nesting goes to a domain that controls the
//! former, a `Same` nesting stays in the domain and raises the rank, and nothing else is in the layer; `controls`
//! has no cycle, so neither has the layer. `Down` is the same seen from above. Two instances of an ordered class
//! in one domain climb by their key, if the rank does not fall.
//!
//! Where no chain of `controls` has more than *k* domains, every domain has a tier below *k*, who controls another a
//! higher one. A certificate for *k* tiers gives each node a place per tier, and a nesting has to climb only between
//! tiers of which its relation can be true (`Same`: one, `Up`: to a higher, `Down`: to a lower, `Other`: any, and any for a
//! lock of nobody). Nothing else changes: the place of a lock is that of the tier of its owner. Such a certificate says
//! how many tiers it is for, and proves nothing for a graph that may have more.
//!
//! Waiters with gates may stand apart from the other waiters for a class, and holders of one of their gates need not
//! climb from there: a gate is one lock, held exclusively, so the waiter and that holder are never there at once. That
//! the gates of the graph are held is the analysis' word, like the nestings; here nothing else is taken from it.
//!
//! Sources: the idea of certifying algorithms (McConnell, Mehlhorn, Näher, Schweitzer, "Certifying algorithms",
//! 2011); the split into N and R nodes is lockdep's strong dependency path (Linux
//! `Documentation/locking/lockdep-design.rst`, "Recursive read locks").

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU8;

use lockdep::order::Relation;
use serde::{Deserialize, Serialize};

use crate::graph::{Evidence, Gate, Held, Instances, LockGraph, Nesting, Wanted};

/// Which way nestings between domains go in one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// None stays in the layer.
    None,
    /// To the domain in control.
    Up,
    /// To the domain under control.
    Down,
}

/// Where a node of the split graph stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The layer; compared first.
    pub layer: usize,
    /// The rank in the layer; compared after the height of the owner.
    pub rank: usize,
}

/// Where those stand who wait for a class and hold gates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gated {
    /// Index of the class.
    pub class: usize,
    /// Whether they are recursive readers.
    pub recursive: bool,
    /// The tier of the owner; 0 if the certificate tells none apart.
    pub tier: usize,
    /// What they hold at least.
    pub gates: BTreeSet<Gate>,
    /// Where they stand.
    pub position: Position,
}

/// A proof that no circular wait exists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// How many tiers of domains there are at most, if the proof rests on that; then they are told apart.
    pub tiers: Option<NonZeroU8>,
    /// The direction of each layer.
    pub directions: Vec<Direction>,
    /// By class and, of one class, by tier: where its node reached by non-recursive acquisitions (N) stands.
    pub non_recursive: Vec<Position>,
    /// The same for its node reached by recursive reads (R).
    pub recursive: Vec<Position>,
    /// Where waiters with gates stand, if not with the others.
    pub gated: Vec<Gated>,
}

impl Certificate {
    /// How many tiers are told apart.
    pub fn nr_tiers(&self) -> usize {
        self.tiers.map_or(1, |tiers| tiers.get().into())
    }
}

/// Why a certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has not one position per class, kind and tier.
    Size {
        /// Classes in the graph, times tiers that are told apart.
        classes: usize,
        /// Positions of N nodes.
        non_recursive: usize,
        /// Positions of R nodes.
        recursive: usize,
    },
    /// It is for fewer tiers than there may be.
    Tiers {
        /// How many it is for.
        certificate: NonZeroU8,
        /// How many there may be, if there is a bound.
        graph: Option<NonZeroU8>,
    },
    /// A nesting names a class that the graph does not have.
    Class(Nesting),
    /// A nesting does not climb.
    Nesting {
        /// Which.
        nesting: Nesting,
        /// The name of the held class.
        held: String,
        /// The name of the wanted class.
        wanted: String,
        /// Where the certificate puts the held lock.
        from: Position,
        /// Where it puts the wanted lock.
        to: Position,
        /// The tiers of both owners, if it tells them apart.
        tiers: Option<(u8, u8)>,
    },
    /// A holder acquires again what it holds, which no order permits.
    Recursion {
        /// Which.
        nesting: Nesting,
        /// The name of the class.
        class: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Size { classes, non_recursive, recursive } => {
                write!(f, "certificate with {non_recursive} and {recursive} positions for {classes} classes")
            }
            Fault::Class(nesting) => {
                write!(
                    f,
                    "nesting of class {} in class {}, which do not both exist",
                    nesting.wanted, nesting.held
                )
            }
            Fault::Tiers { certificate, graph: Some(graph) } => {
                write!(f, "certificate for {certificate} tiers of domains, and the graph may have {graph}")
            }
            Fault::Tiers { certificate, graph: None } => {
                write!(f, "certificate for {certificate} tiers of domains, and the graph may have any number")
            }
            Fault::Nesting { nesting, held, wanted, from, to, tiers } => {
                let relation = nesting.relation.name();
                write!(f, "certificate does not cover `{held}` -> `{wanted}` ({relation}): ")?;
                write!(
                    f,
                    "from layer {} rank {} to layer {} rank {}",
                    from.layer, from.rank, to.layer, to.rank
                )?;
                tiers.map_or(Ok(()), |(from, to)| write!(f, ", from tier {from} to tier {to}"))
            }
            Fault::Recursion { class, .. } => {
                write!(f, "certificate for a graph in which `{class}` waits for itself")
            }
        }
    }
}

impl std::error::Error for Fault {}

/// Whether the certificate covers every nesting of the graph; the fault names the first one that it does not.
pub fn check(graph: &LockGraph, certificate: &Certificate) -> Result<(), Fault> {
    if let Some(tiers) = certificate.tiers
        && graph.tiers.is_none_or(|bound| bound > tiers)
    {
        return Err(Fault::Tiers { certificate: tiers, graph: graph.tiers });
    }
    let (classes, tiers) = (graph.classes.len(), certificate.nr_tiers());
    let (non_recursive, recursive) = (certificate.non_recursive.len(), certificate.recursive.len());
    if non_recursive != classes * tiers || recursive != classes * tiers {
        return Err(Fault::Size { classes: classes * tiers, non_recursive, recursive });
    }
    for (nesting, evidence) in &graph.nestings {
        if nesting.held >= classes || nesting.wanted >= classes {
            return Err(Fault::Class(*nesting));
        }
        if nesting.is_recursion() {
            if waits_for_itself(graph, nesting) {
                let class = graph.name(nesting.held).to_owned();
                return Err(Fault::Recursion { nesting: *nesting, class });
            }
            continue;
        }
        let tiers = 0..certificate.tiers.map_or(1, NonZeroU8::get);
        for (of_held, of_wanted) in
            tiers.clone().flat_map(|held| tiers.clone().map(move |wanted| (held, wanted)))
        {
            if certificate.tiers.is_some() && !stands(graph.relation(nesting), of_held, of_wanted) {
                continue;
            }
            let to = arrival(certificate, nesting, evidence, of_wanted.into());
            let mut blocked = blocked(certificate, nesting, evidence, of_held.into());
            if let Some(from) = blocked.find(|&from| !climbs(graph, certificate, nesting, from, to)) {
                let (held, wanted) =
                    (graph.name(nesting.held).to_owned(), graph.name(nesting.wanted).to_owned());
                let tiers = certificate.tiers.map(|_| (of_held, of_wanted));
                return Err(Fault::Nesting { nesting: *nesting, held, wanted, from, to, tiers });
            }
        }
    }
    Ok(())
}

/// Whether the owner of the wanted lock can stand so to that of the held lock, if they are in these tiers.
fn stands(relation: Relation, held: u8, wanted: u8) -> bool {
    match relation {
        Relation::Same => held == wanted,
        Relation::Up => held < wanted,
        Relation::Down => held > wanted,
        Relation::Other => true,
    }
}

/// Where the waiters of a nesting stand: with those who hold most of what they hold.
fn arrival(certificate: &Certificate, nesting: &Nesting, evidence: &Evidence, tier: usize) -> Position {
    let recursive = nesting.wanted_as == Wanted::SharedRecursive;
    let holds_all = |entry: &&Gated| {
        let alike = (entry.class, entry.recursive, entry.tier) == (nesting.wanted, recursive, tier);
        alike && entry.gates.is_subset(&evidence.gates.wanted)
    };
    let gated = certificate.gated.iter().filter(holds_all).max_by_key(|entry| entry.gates.len());
    let plain = nesting.wanted * certificate.nr_tiers() + tier;
    match (gated, recursive) {
        (Some(entry), _) => entry.position,
        (None, false) => certificate.non_recursive[plain],
        (None, true) => certificate.recursive[plain],
    }
}

/// Where those stand whom the holder of a nesting blocks: a reader those only who want the N node, a writer all; but
/// none who holds a gate that the holder holds.
fn blocked<'a>(
    certificate: &'a Certificate,
    nesting: &'a Nesting,
    evidence: &'a Evidence,
    tier: usize,
) -> impl Iterator<Item = Position> + 'a {
    let exclusive = nesting.held_as == Held::Exclusive;
    let plain = nesting.held * certificate.nr_tiers() + tier;
    let recursive = exclusive.then(|| certificate.recursive[plain]);
    let gated = certificate.gated.iter().filter(move |entry| {
        let waits = (entry.class, entry.tier) == (nesting.held, tier) && (exclusive || !entry.recursive);
        waits && entry.gates.is_disjoint(&evidence.gates.held)
    });
    let plain = [certificate.non_recursive[plain]].into_iter().chain(recursive);
    plain.chain(gated.map(|entry| entry.position))
}

fn climbs(
    graph: &LockGraph,
    certificate: &Certificate,
    nesting: &Nesting,
    from: Position,
    to: Position,
) -> bool {
    if from.layer != to.layer {
        return from.layer < to.layer;
    }
    let direction = certificate.directions.get(from.layer).copied().unwrap_or(Direction::None);
    match graph.relation(nesting) {
        Relation::Same => from.rank < to.rank || (from.rank == to.rank && raises_key(graph, nesting)),
        Relation::Up => direction == Direction::Up,
        Relation::Down => direction == Direction::Down,
        Relation::Other => false,
    }
}

/// Two instances of an ordered class in one domain, which nest by ascending key.
fn raises_key(graph: &LockGraph, nesting: &Nesting) -> bool {
    nesting.held == nesting.wanted
        && nesting.instances == Instances::Any
        && graph.classes[nesting.held].ordered
}

/// Whether acquiring again what is held blocks: a recursive reader never waits for a reader, and only the
/// exclusive holder of a recursive class is let in again (a reader that turns writer waits for itself).
fn waits_for_itself(graph: &LockGraph, nesting: &Nesting) -> bool {
    match nesting.held_as {
        Held::Shared => nesting.wanted_as != Wanted::SharedRecursive,
        Held::Exclusive => !graph.classes[nesting.held].recursive,
    }
}
