//! Waits that are not for locks, as nodes of the graph: the end of a thread or task, a condition variable, a barrier.
//!
//! Whoever waits for a thread waits for what its code waits for: a lock held at the join nests in the node, and in the
//! node nests whatever the code acquires. Whoever waits at a condition variable waits for somebody to notify it, and
//! that somebody is held up by the locks that every place which notifies it holds. At a barrier, those who wait notify. A node counts only where both sides
//! are known; waits under a lock for something else are noted. Time limits and channels are left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::acquire::guard_slots;
use crate::apply::describe;
use crate::chain::Chain;
use crate::channels::ChannelId;
use crate::context::Context;
use crate::flow::Flow;
use crate::graph::{Gates, Held, Wanted};
use crate::home::{HomeId, Key};
use crate::index::BodyId;
use crate::messages::Messages;
use crate::mir::ir::{Call, Callee, Operand, Span};
use crate::path::{Path, Root, Value};
use crate::state::State;
use crate::summary::{Acquire, ClassId, ClosedNesting, Grounds, HeldLock, Lock, Note, Summary, Ways};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Waited {
    /// The end of the thread or task that runs this code.
    End(BodyId),
    /// The end of a thread or task that only the caller knows.
    Handle,
    /// A condition variable that lives there.
    Condvar(HomeId),
    /// A barrier that lives there: whoever waits for it ends the wait of others.
    Barrier(HomeId),
    /// A message through this channel.
    Message(ChannelId),
    /// The end of all messages through this channel.
    Messages(ChannelId),
    /// Room for a message in this channel.
    Room(ChannelId),
    /// No wait: the condition variable, or barrier, is notified in this block of this body.
    Notified(HomeId, BodyId, usize),
}

impl Waited {
    /// The channel that is waited for.
    pub(crate) fn channel(self) -> Option<ChannelId> {
        match self {
            Waited::Message(channel) | Waited::Messages(channel) | Waited::Room(channel) => Some(channel),
            _ => None,
        }
    }

    /// Whether it is room in a channel.
    pub(crate) fn is_room(self) -> bool {
        matches!(self, Waited::Room(_))
    }
}

impl Context<'_> {
    /// The node as a person would name it.
    pub(crate) fn waited_name(&self, waited: Waited) -> String {
        match waited {
            Waited::End(body) => format!("end of {}", self.function_name(body)),
            Waited::Handle => "end of a thread".to_owned(),
            Waited::Barrier(home) => format!("barrier {}", self.home_name(home)),
            Waited::Message(channel) => format!("message through {}", self.channels.name(channel)),
            Waited::Messages(channel) => format!("last message through {}", self.channels.name(channel)),
            Waited::Room(channel) => format!("room in {}", self.channels.name(channel)),
            Waited::Condvar(home) | Waited::Notified(home, ..) => {
                format!("notification of {}", self.home_name(home))
            }
        }
    }

    pub(crate) fn waited(&self, class: ClassId) -> Option<Waited> {
        match self.placed_key(class)? {
            (Key::Waited(Waited::Condvar(home)), _) => Some(Waited::Condvar(home)),
            (Key::Waited(Waited::Barrier(home)), _) => Some(Waited::Barrier(home)),
            (Key::Waited(Waited::Notified(home, body, block)), _) => {
                Some(Waited::Notified(home, body, block))
            }
            (Key::Waited(waited), _) => Some(waited),
            _ => None,
        }
    }

    /// A wait for a thread that a parameter stands for, where more is known of what that is.
    pub(crate) fn joined(&self, acquire: &Acquire, handle: &dyn Fn(&Path) -> Value) -> Option<Acquire> {
        if self.waited(acquire.lock.class) != Some(Waited::Handle) {
            return None;
        }
        let lock = match handle(&acquire.lock.path) {
            Value::Running(body) => self.node(Waited::End(body)),
            Value::At(path) => Lock { class: acquire.lock.class, path },
            _ => Lock { class: acquire.lock.class, path: Path::unknown() },
        };
        Some(Acquire { lock, wanted: acquire.wanted })
    }

    /// Whether a class is no lock but something else that is waited for.
    pub(crate) fn is_wait(&self, class: ClassId) -> bool {
        self.waited(class).is_some()
    }

    /// Whether who waits for what comes after a wait for a class waits for that as well: a lock, or the end of a thread.
    pub(crate) fn comes_first(&self, class: ClassId) -> bool {
        matches!(self.waited(class), None | Some(Waited::End(_)))
    }

    /// Whether only the callers know what is waited for.
    pub(crate) fn is_open_wait(&self, class: ClassId) -> bool {
        self.waited(class) == Some(Waited::Handle)
    }

    pub(crate) fn node(&self, waited: Waited) -> Lock {
        // Seen as the same from everywhere.
        let path = Path::from(Root::Static("what is waited for".into()));
        Lock { class: self.class_of_waited(waited), path }
    }
}

impl Flow<'_, '_> {
    /// The step in which something is waited for that is no lock.
    pub(crate) fn waits(&mut self, state: &State, waited: Waited, verb: &str, span: &Span) {
        let lock = self.context.node(waited);
        self.waits_at(state, lock, (waited, false), verb, span);
    }

    fn waits_at(&mut self, state: &State, lock: Lock, what: (Waited, bool), verb: &str, span: &Span) {
        let (waited, possible) = what;
        if self.output.is_none() {
            return;
        }
        let action = format!("{verb} the {}", self.context.waited_name(waited));
        let mut chain = self.step(action, span);
        chain.possible = possible;
        let acquire = Acquire { lock, wanted: Wanted::Exclusive };
        self.acquire(state, &acquire, &chain);
    }

    /// Code starts to run on a stack of its own; the result stands for it.
    pub(crate) fn spawning(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) {
        let codes: Vec<Value> = call.args.iter().flat_map(|operand| self.codes_in(state, operand)).collect();
        if self.context.known_effect(self.krate, &call.callee).is_none() && self.is_given_code(call) {
            self.note(Note::Starts(describe(&call.callee), span.clone()));
        }
        let body = match &codes[..] {
            [code @ Value::Code(body, _)] => {
                self.starts(state, code, *body, span);
                Some(*body)
            }
            _ => None,
        };
        for operand in &call.args {
            if let Operand::Move(place) = operand {
                self.move_out(state, place, None);
            }
        }
        self.set_unknown(state, &call.dest, block);
        let Some(body) = body else { return };
        let result = self.type_of(&call.dest);
        let tree = guard_slots(&result).map(|at| (at, Value::Running(body))).collect();
        self.put(state, &call.dest, tree, block * 4096);
        if let Some(output) = &mut self.output
            && is_scoped(&call.callee)
        {
            output.scoped.insert(body);
        }
    }

    /// What the code that starts acquires nests in its end.
    fn starts(&mut self, state: &State, code: &Value, body: BodyId, span: &Span) {
        let Some(output) = self.output.take() else { return };
        let mut alone = state.clone();
        alone.held.clear();
        alone.sure.clear();
        self.output = Some(Summary::default());
        let outer = std::mem::take(&mut self.course);
        self.course.surely = true;
        let arguments = self.code_arguments(code, body, Vec::new());
        self.instantiate(&mut alone, body, &arguments, None, &Chain::default());
        let inner = std::mem::replace(&mut self.course, outer);
        let within = self.output.replace(output).unwrap_or_default();
        self.include_course(inner, (body, &within), false);
        let started = self.step(format!("starts {}", self.context.function_name(body)), span);
        let node = HeldLock::Known(self.context.node(Waited::End(body)), Held::Exclusive);
        let callers = self.context.callbacks.then(|| self.context.class_of_callers());
        for (acquire, wanted) in within.acquires {
            if Some(acquire.lock.class) != callers {
                let ways = Ways { held: started.clone(), wanted, gates: Gates::default(), apart: false };
                self.nest(&alone, &node, &acquire, ways);
            }
        }
    }

    /// The end of a thread is waited for.
    pub(crate) fn joining(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) {
        // Where it is not followed, it is one of those that were ever put where it comes from.
        let place = call.args.first().and_then(Operand::place);
        let started = place.map(|place| self.context.channels.started_at(self.context, self.id, place));
        let started = started.unwrap_or_default();
        match call.args.first().map(|operand| self.value(state, operand)) {
            Some(Value::Running(body)) => self.ends(state, body, span),
            Some(Value::At(path)) if path.is_open() && (path.steps.is_empty() || started.is_empty()) => {
                let lock = Lock { path: path.bare(), ..self.context.node(Waited::Handle) };
                self.waits_at(state, lock, (Waited::Handle, false), "waits for", span);
            }
            _ if !started.is_empty() => {
                let possible = started.len() > 1;
                for waited in started.into_iter().map(Waited::End) {
                    self.waits_at(state, self.context.node(waited), (waited, possible), "waits for", span);
                }
            }
            _ if !state.held.is_empty() => self.note(Note::Waits(span.clone())),
            _ => {}
        }
        self.foreign(state, call, block, span);
    }

    /// The end of what runs this code is waited for.
    pub(crate) fn ends(&mut self, state: &State, body: BodyId, span: &Span) {
        self.waits(state, Waited::End(body), "waits for", span);
    }

    /// A function that runs the code it is given and then waits for what that has started.
    pub(crate) fn scope(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) {
        let before = self.output.as_mut().map(|output| std::mem::take(&mut output.scoped));
        let held = state.clone();
        self.foreign(state, call, block, span);
        let (Some(output), Some(before)) = (&mut self.output, before) else { return };
        for body in std::mem::replace(&mut output.scoped, before) {
            self.ends(&held, body, span);
        }
    }

    /// A condition variable is waited for, with what is held besides its lock.
    pub(crate) fn waiting_for_condvar(&mut self, others: &State, call: &Call, span: &Span) {
        let timed = |name: &str| ["timeout", "_for", "until"].iter().any(|part| name.contains(part));
        let Callee::Path { path, .. } = &call.callee else { return };
        if path.rsplit("::").next().is_some_and(timed) {
            return;
        }
        match self.lock_path(others, call).home {
            Some(home) => self.waits(others, Waited::Condvar(home), "waits for", span),
            None if !others.held.is_empty() => self.note(Note::Waits(span.clone())),
            None => {}
        }
    }

    /// A barrier is waited for, which ends the wait of those who are there.
    pub(crate) fn meeting(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) {
        if let Some(home) = self.lock_path(state, call).home {
            self.waits(state, Waited::Barrier(home), "waits for", span);
        }
        self.notifying(state, call, block, span);
    }

    /// A condition variable is notified.
    pub(crate) fn notifying(&mut self, state: &mut State, call: &Call, block: usize, span: &Span) {
        if let Some(home) = self.lock_path(state, call).home {
            self.waits(state, Waited::Notified(home, self.id, block), "comes to", span);
        }
        self.set_unknown(state, &call.dest, block);
    }
}

/// Whether a function starts threads of a scope, which waits for them.
fn is_scoped(callee: &Callee) -> bool {
    matches!(callee, Callee::Path { path, .. } if path.contains("Scope") || path.ends_with("_scoped"))
}

/// The nodes of a program.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    /// Nestings that wait in a node for those who notify it.
    pub notified: Vec<(ClosedNesting, Grounds)>,
    /// Nestings in waits for channels.
    pub channels: Vec<(Waited, ClosedNesting, Grounds)>,
    /// Waits for channels that nest in something.
    through: BTreeMap<Waited, ClassId>,
    /// Those in which something nests and that nest in something.
    pub kept: BTreeSet<Waited>,
    /// Condition variables that are waited for while something else is held, and that nobody is seen to notify.
    pub unknown: usize,
    /// Channels that are waited for while something is held, and that nobody is seen to use from the other side.
    pub unsent: usize,
    /// Threads that wait for channels and whose end is waited for while something is held.
    pub chained: usize,
}

/// What is held where a wait is ended, and how that was found.
type Holders<'s> = BTreeMap<ClassId, (&'s ClosedNesting, &'s Grounds)>;

impl Nodes {
    /// Finds the nodes of which both sides are known.
    pub(crate) fn new(context: &Context<'_>, summaries: &[Summary], entries: &BTreeSet<BodyId>) -> Nodes {
        let mut nodes = Nodes::default();
        let mut through: BTreeMap<Waited, ClassId> = BTreeMap::new();
        let mut ends: BTreeSet<Waited> = BTreeSet::new();
        let mut waits: BTreeMap<HomeId, (ClassId, Waited)> = BTreeMap::new();
        let mut notifies: BTreeMap<HomeId, BTreeMap<Waited, Holders<'_>>> = BTreeMap::new();
        let (mut entered, mut left) = (BTreeSet::new(), BTreeSet::new());
        for summary in summaries {
            for acquire in summary.acquires.keys() {
                if let Some(site @ Waited::Notified(home, ..)) = context.waited(acquire.lock.class) {
                    notifies.entry(home).or_default().entry(site).or_default();
                }
            }
            for (closed, grounds) in &summary.closed {
                if nodes.leaves_out(context, closed) {
                    ends.extend(context.waited(closed.nesting.held));
                    continue;
                }
                left.extend(context.waited(closed.nesting.held));
                match context.waited(closed.nesting.wanted) {
                    Some(site @ Waited::Notified(home, ..)) => {
                        let held = notifies.entry(home).or_default().entry(site).or_default();
                        held.entry(closed.nesting.held).or_insert((closed, grounds));
                    }
                    Some(waited) => {
                        if let Waited::Condvar(home) | Waited::Barrier(home) = waited {
                            waits.entry(home).or_insert((closed.nesting.wanted, waited));
                        }
                        if waited.channel().is_some() {
                            through.insert(waited, closed.nesting.wanted);
                        }
                        entered.insert(waited);
                    }
                    None => {}
                }
            }
        }
        for (home, (class, waited)) in waits {
            let Some(sites) = notifies.get(&home) else {
                nodes.unknown += 1;
                continue;
            };
            let mut everywhere = sites.values();
            let Some(first) = everywhere.next() else { continue };
            let others: Vec<_> = everywhere.collect();
            for (held, (closed, grounds)) in first {
                if !others.iter().all(|site| site.contains_key(held)) {
                    continue;
                }
                let mut closed = (*closed).clone();
                (closed.nesting.wanted, closed.nesting.held) = (closed.nesting.held, class);
                (closed.nesting.held_as, closed.nesting.wanted_as) = (Held::Exclusive, Wanted::Exclusive);
                closed.ownerless = (closed.ownerless.1, closed.ownerless.0);
                let Ways { held, wanted, .. } = &grounds.ways;
                let ways = Ways {
                    held: wanted.clone(),
                    wanted: held.clone(),
                    gates: Gates::default(),
                    apart: false,
                };
                let owners = (grounds.owners.1.clone(), grounds.owners.0.clone());
                nodes.notified.push((closed, Grounds { ways, owners }));
                left.insert(waited);
            }
        }
        let messages = Messages::new(context, summaries, entries, &through);
        left.extend(messages.found.iter().map(|(waited, ..)| *waited));
        nodes.channels = messages.found;
        nodes.through = through;
        nodes.unsent = messages.unknown.len();
        nodes.chained = ends.intersection(&entered).count();
        nodes.kept = entered.intersection(&left).copied().collect();
        nodes
    }

    /// Classes of waits that nobody has while somebody has this one: a channel is not full and empty at once.
    pub(crate) fn contradicting(&self, waited: Waited) -> impl Iterator<Item = ClassId> {
        let same =
            move |other: &Waited| other.channel() == waited.channel() && other.is_room() != waited.is_room();
        self.through.iter().filter(move |(other, _)| same(other)).map(|(_, class)| *class)
    }

    /// Whether a nesting says that the end of a thread waits for a channel: whoever waits for that end may have seen to
    /// it before.
    pub(crate) fn leaves_out(&self, context: &Context<'_>, closed: &ClosedNesting) -> bool {
        let is_channel = |class| context.waited(class).is_some_and(|waited| waited.channel().is_some());
        context.is_wait(closed.nesting.held) && is_channel(closed.nesting.wanted)
    }

    /// The node of a class that is one of these.
    pub(crate) fn of(&self, context: &Context<'_>, class: ClassId) -> Option<Waited> {
        context.waited(class).filter(|waited| self.kept.contains(waited))
    }
}
