//! The lock graph: which class is acquired while which is held, how the owners stand, and where.
//!
//! This is the data that the decision (`proof.rs`), the checker of certificates (`certificate.rs`) and the
//! renderers share. It neither finds nestings (`flow.rs`, `summary.rs`) nor judges them.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU8;
use std::sync::Arc;

use lockdep::order::Relation;
use serde::{Deserialize, Serialize};

use crate::mir::ir::Span;

/// How the held lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// By a writer or a mutex holder: nobody else gets in.
    Exclusive,
    /// By a reader.
    Shared,
}

/// How the wanted lock is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// By a mutex holder or a writer: waits for every holder.
    Exclusive,
    /// By a fair reader: waits for writers, waiting ones included, and hence may wait behind readers.
    Shared,
    /// By a recursive reader: waits for a writer that holds, never for one that waits.
    SharedRecursive,
}

impl Wanted {
    /// Whether this is lockdep's R (recursive read); both others are N.
    pub fn is_recursive(self) -> bool {
        self == Wanted::SharedRecursive
    }
}

/// Whether the instances of a class have owners, as far as the code shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ownership {
    /// Every acquisition seen was of an instance inside an owner.
    Owned,
    /// Every acquisition seen was of an instance that belongs to nobody.
    Unowned,
    /// The code does not show it, or shows both.
    Unknown,
}

/// A lock class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Class {
    /// `mm::p2m` for a declared class, `krate::Type.field` or a static's path otherwise. Unique in the graph.
    pub name: String,
    /// The declared level, with the order's name in front of `name`.
    pub level: Option<u16>,
    /// The holder may acquire the same instance again.
    pub recursive: bool,
    /// Instances nest by a declared key.
    pub ordered: bool,
    /// Whether instances belong to domains.
    pub ownership: Ownership,
}

/// One step of a call chain, outermost first; the last step is the acquisition itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Step {
    /// The function in which the step stands, as a person writes it: `hv_core::paging::Paging::mark_dirty`.
    pub function: Arc<str>,
    /// What happens there: `calls p2m::lookup`, `acquires mm::p2m (shared)`.
    pub action: Arc<str>,
    /// Where.
    pub span: Span,
}

/// What is known of the two instances of a nesting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Instances {
    /// One and the same instance: the holder acquires what it holds.
    SameOne,
    /// Two different ones, or not known.
    Any,
}

/// Relations as they are written; those of the runtime cannot be.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Relation")]
enum Written {
    Same,
    Up,
    Down,
    Other,
}

/// A nesting, without the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Nesting {
    /// Index of the held class.
    pub held: usize,
    /// Index of the wanted class.
    pub wanted: usize,
    /// How the wanted lock's owner stands to the held lock's.
    #[serde(with = "Written")]
    pub relation: Relation,
    /// How the first is held.
    pub held_as: Held,
    /// How the second is wanted.
    pub wanted_as: Wanted,
    /// Whether it is one instance.
    pub instances: Instances,
}

impl Nesting {
    /// Whether the holder acquires what it holds; such a nesting waits for nobody else, if it waits at all.
    pub fn is_recursion(&self) -> bool {
        self.instances == Instances::SameOne && self.held == self.wanted
    }
}

/// A lock that a CPU holds exclusively besides, and that tells it from others of its class.
///
/// A gate keeps two CPUs apart: of a holder and a waiter that both hold it, one cannot be there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gate {
    /// Index of its class.
    pub class: usize,
    /// Which instance.
    pub which: Which,
}

/// Which instance of its class a gate is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// The one at this place in a static, of which the program has one.
    Static(String),
    /// No lock but the thread of this name, of which there is only one: it is never in two places at once. The class is
    /// [`THREADS`].
    Thread(String),
    /// The one in the object that a lock of the nesting is in: the fields from that object to the gate and to the
    /// lock, with no pointer on the way, so that the lock determines the object and the object the gate.
    Beside {
        /// To the gate.
        gate: Vec<u32>,
        /// To the lock.
        lock: Vec<u32>,
    },
}

/// The gates of a nesting, by the lock whose waiters or holders they keep apart; those in statics are in both.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gates {
    /// Held by whoever holds the held lock of the nesting.
    pub held: BTreeSet<Gate>,
    /// Held by whoever waits for the wanted lock of the nesting.
    pub wanted: BTreeSet<Gate>,
}

impl Gates {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.wanted.is_empty()
    }

    /// Adds those of `other`, which are held at the same time.
    pub fn extend(&mut self, other: Gates) {
        self.held.extend(other.held);
        self.wanted.extend(other.wanted);
    }

    /// Leaves out threads.
    pub fn of_locks(&mut self) {
        self.held.retain(|gate| gate.class != THREADS);
        self.wanted.retain(|gate| gate.class != THREADS);
    }

    /// Keeps those that `other` has as well: a gate of a nesting is held wherever the nesting is seen.
    pub fn intersect(&mut self, other: &Gates) {
        self.held.retain(|gate| other.held.contains(gate));
        self.wanted.retain(|gate| other.wanted.contains(gate));
    }

    /// The gates in other numbers of classes; those whose class has none are left out.
    pub fn renumbered(&self, number: impl Fn(usize) -> Option<usize>) -> Gates {
        let all = |gates: &BTreeSet<Gate>| {
            let number = |class| if class == THREADS { Some(THREADS) } else { number(class) };
            let renumber = |gate: &Gate| Some(Gate { class: number(gate.class)?, which: gate.which.clone() });
            gates.iter().filter_map(renumber).collect()
        };
        Gates { held: all(&self.held), wanted: all(&self.wanted) }
    }
}

/// Where a nesting comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// From the entry point to the acquisition of the held lock.
    pub held: Vec<Step>,
    /// From the same entry point to the acquisition of the wanted lock.
    pub wanted: Vec<Step>,
    /// How the holder's owner and the wanted lock's owner are called in the code (`subject`, `caller`), if known.
    pub owners: (String, String),
    /// The edge rests on a call that could not be resolved to one callee.
    pub possible: bool,
    /// Locks that are surely held besides, wherever this nesting was seen.
    pub gates: Gates,
}

impl Evidence {
    /// Where the way to the wanted lock leaves that to the held one: in the function that does both.
    pub fn parting(&self) -> Option<&Step> {
        let shared = self.held.iter().zip(&self.wanted).take_while(|(held, wanted)| held == wanted).count();
        self.wanted.get(shared).or(self.wanted.last())
    }
}

/// What the proof rests on and the analysis could not check.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Assumption {
    /// A kebab-case kind: `closed-world`, `unread-body`, `unresolved-call`, `foreign-code`, ….
    pub kind: String,
    /// The assumption in one sentence.
    pub text: String,
    /// Places it is about, if it is about places.
    pub sites: Vec<Span>,
}

/// What stands in the place of the wanted class where code of the callers runs. No class has this number.
pub const CALLERS: usize = usize::MAX;

/// What stands in the place of a gate's class if the gate is a thread. No class has this number.
pub const THREADS: usize = usize::MAX - 1;

/// What is shown in the place of its name. Names of classes have no spaces.
pub(crate) const THREAD: &str = "a single thread";

/// The lock graph of a program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LockGraph {
    /// Classes in ascending order of (level, name), undeclared ones last.
    pub classes: Vec<Class>,
    /// Nestings with the best evidence of each: not merely possible, then the shortest chains, then the
    /// smallest in order.
    pub nestings: BTreeMap<Nesting, Evidence>,
    /// Roles of each declared order, lowest first (`subject`, `control`).
    pub roles: Vec<String>,
    /// How many tiers of domains there are at most, if that is declared: no chain of `controls` has more domains.
    pub tiers: Option<NonZeroU8>,
    /// Locks of threads that are held while a task sleeps: class and where it is acquired, and where the task sleeps.
    pub slept: BTreeMap<(usize, Span), BTreeSet<Span>>,
    /// Classes that are no locks but other things that are waited for, and whether they are condition variables.
    pub waits: BTreeMap<usize, bool>,
    /// Code of the callers that runs while a class is held, and where: each with the best way there.
    pub called_back: BTreeMap<(usize, Span), (Nesting, Evidence)>,
    /// What was assumed, sorted.
    pub assumptions: Vec<Assumption>,
    /// Distinct acquisitions in the code: (class, where).
    pub acquisitions: Vec<(usize, Span)>,
    /// How many bodies were analyzed.
    pub bodies: usize,
}

impl LockGraph {
    /// The graph as bytes, with a checksum; none if it cannot be written, which no graph is known to be.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let graph = postcard::to_stdvec(self).ok()?;
        Some([&crc32fast::hash(&graph).to_le_bytes()[..], &graph].concat())
    }

    /// The graph in such bytes; none if they are damaged.
    pub fn decode(bytes: &[u8]) -> Option<LockGraph> {
        let (checksum, graph) = bytes.split_first_chunk()?;
        let is_whole = crc32fast::hash(graph) == u32::from_le_bytes(*checksum);
        is_whole.then(|| postcard::from_bytes(graph).ok())?
    }

    /// The index of the class called `name`.
    pub fn class(&self, name: &str) -> Option<usize> {
        self.classes.iter().position(|class| class.name == name)
    }

    /// The name of a class, for text.
    pub fn name(&self, class: usize) -> &str {
        let other = match class {
            CALLERS => crate::callers::NAME,
            THREADS => THREAD,
            _ => "(unknown class)",
        };
        self.classes.get(class).map_or(other, |class| class.name.as_str())
    }

    /// Whether no instance of a class belongs to a domain. A class of unknown ownership may have an owner.
    pub fn is_unowned(&self, class: usize) -> bool {
        self.classes.get(class).is_some_and(|class| class.ownership == Ownership::Unowned)
    }

    /// The relation of a nesting's owners. The ownership of the classes overrides what the nesting says: between
    /// two locks of nobody it is `Same`, between a lock of nobody and a domain's `Other`.
    pub fn relation(&self, nesting: &Nesting) -> Relation {
        match (self.is_unowned(nesting.held), self.is_unowned(nesting.wanted)) {
            (true, true) => Relation::Same,
            (false, false) if nesting.is_recursion() => Relation::Same,
            (false, false) => nesting.relation,
            _ => Relation::Other,
        }
    }

    /// Adds code of the callers that runs while something is held, keeping the better evidence of a place.
    pub fn add_called_back(&mut self, nesting: Nesting, evidence: Evidence) {
        let Some(at) = evidence.parting().map(|step| step.span.clone()) else { return };
        let weight = |e: &Evidence| (e.possible, e.held.len() + e.wanted.len(), e.clone());
        let known = self.called_back.entry((nesting.held, at)).or_insert_with(|| (nesting, evidence.clone()));
        if weight(&evidence) < weight(&known.1) {
            *known = (nesting, evidence);
        }
    }

    /// Adds a nesting, keeping the better evidence where it is known already, and of the gates those of both.
    pub fn add(&mut self, nesting: Nesting, mut evidence: Evidence) {
        let weight = |e: &Evidence| (e.possible, e.held.len() + e.wanted.len());
        match self.nestings.get_mut(&nesting) {
            Some(known) => {
                known.gates.intersect(&evidence.gates);
                evidence.gates = known.gates.clone();
                if (weight(&evidence), &evidence) < (weight(known), &*known) {
                    *known = evidence;
                }
            }
            None => {
                self.nestings.insert(nesting, evidence);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_is_read_as_it_was_written_or_not_at_all() {
        let (roles, tiers) = (vec!["subject".to_owned()], NonZeroU8::new(2));
        let mut graph = LockGraph { bodies: 7, roles, tiers, ..LockGraph::default() };
        for (held, relation) in Relation::ALL.into_iter().enumerate() {
            let (held_as, wanted_as, instances) = (Held::Shared, Wanted::Exclusive, Instances::Any);
            let nesting = Nesting { held, wanted: CALLERS, relation, held_as, wanted_as, instances };
            let step = Step { function: "f".into(), action: "calls g".into(), span: Span::default() };
            let gate = Gate { class: held, which: Which::Static("a::B".to_owned()) };
            let gates = Gates { held: BTreeSet::from([gate]), wanted: BTreeSet::new() };
            let (held, wanted, owners) = (vec![step.clone()], vec![step], ("a".to_owned(), String::new()));
            graph.add(nesting, Evidence { held, wanted, owners, possible: true, gates });
        }
        let bytes = graph.encode().expect("a graph can be written");
        assert_eq!(LockGraph::decode(&bytes).as_ref(), Some(&graph));
        assert_eq!(LockGraph::decode(&bytes[..bytes.len() - 1]), None);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(LockGraph::decode(&damaged), None, "byte {at}");
        }
    }
}
