//! The registry of codes: what each kind of finding is called, what it means, and how to fix it.
//!
//! Closed: `explain`, the lists of rules in other formats and the completeness test go over [`Code::ALL`]. This
//! file knows no graph and no finding in particular; anybody may read it.

use serde::{Serialize, Serializer};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Must be fixed.
    Error,
    /// Rests on a call that was not resolved, so it may not happen: neither a proof nor a refutation.
    Warning,
    /// Something to know; does not refute.
    Note,
}

impl Level {
    /// The word used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        }
    }
}

/// A kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A circular wait within one domain.
    LockOrderCycle,
    /// A circular wait between domains.
    CrossDomainNesting,
    /// A holder waits for itself.
    Recursion,
    /// A reader waits behind a writer that waits for that reader.
    ReaderRecursion,
    /// Two instances of a class, in either order.
    UnorderedInstances,
    /// A task sleeps with a lock of threads.
    HeldAcrossAwait,
    /// Something that is no lock is waited for under a lock that holds up whoever would end the wait.
    WaitWhileHolding,
    /// The same of a condition variable.
    CondvarWaitWhileHolding,
    /// Code of the callers runs under a lock that these crates take.
    CallsBackUnderLock,
    /// Against the declared order.
    OrderViolation,
    /// What the proof rests on.
    Assumption,
}

impl Code {
    /// Every code there is.
    pub const ALL: [Code; 11] = [
        Code::LockOrderCycle,
        Code::CrossDomainNesting,
        Code::Recursion,
        Code::ReaderRecursion,
        Code::UnorderedInstances,
        Code::HeldAcrossAwait,
        Code::WaitWhileHolding,
        Code::CondvarWaitWhileHolding,
        Code::OrderViolation,
        Code::CallsBackUnderLock,
        Code::Assumption,
    ];

    /// The code called `id`.
    pub fn from_id(id: &str) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.id() == id)
    }

    /// Its stable name.
    pub const fn id(self) -> &'static str {
        match self {
            Code::LockOrderCycle => "lock-order-cycle",
            Code::CrossDomainNesting => "cross-domain-nesting",
            Code::Recursion => "recursion",
            Code::ReaderRecursion => "reader-recursion",
            Code::UnorderedInstances => "unordered-instances",
            Code::HeldAcrossAwait => "held-across-await",
            Code::WaitWhileHolding => "wait-while-holding",
            Code::CondvarWaitWhileHolding => "condvar-wait-while-holding",
            Code::CallsBackUnderLock => "calls-back-under-lock",
            Code::OrderViolation => "order-violation",
            Code::Assumption => "assumption",
        }
    }

    /// How bad it is where the evidence is certain.
    pub const fn level(self) -> Level {
        match self {
            Code::Assumption => Level::Note,
            Code::CallsBackUnderLock => Level::Warning,
            _ => Level::Error,
        }
    }

    /// One line about it.
    pub const fn gist(self) -> &'static str {
        match self {
            Code::LockOrderCycle => "locks of one domain are acquired in a circle",
            Code::CrossDomainNesting => "locks of several domains are acquired in a circle",
            Code::Recursion => "a lock is acquired by its own holder",
            Code::ReaderRecursion => "a fair read lock is acquired again by its reader",
            Code::UnorderedInstances => "two locks of one class and domain are held in no declared order",
            Code::HeldAcrossAwait => "a lock that threads wait for is held while its task sleeps",
            Code::WaitWhileHolding => "something is waited for with a lock that whoever ends the wait needs",
            Code::CondvarWaitWhileHolding => {
                "a notification is waited for with a lock that whoever notifies needs"
            }
            Code::CallsBackUnderLock => "a lock is held while code of the caller runs (`--callbacks`)",
            Code::OrderViolation => "a nesting that the declared order refuses",
            Code::Assumption => "something that the analysis could not check",
        }
    }

    /// What it means, an example, and what to do.
    pub const fn explanation(self) -> &'static str {
        match self {
            Code::LockOrderCycle => LOCK_ORDER_CYCLE,
            Code::CrossDomainNesting => CROSS_DOMAIN_NESTING,
            Code::Recursion => RECURSION,
            Code::ReaderRecursion => READER_RECURSION,
            Code::UnorderedInstances => UNORDERED_INSTANCES,
            Code::HeldAcrossAwait => HELD_ACROSS_AWAIT,
            Code::WaitWhileHolding => WAIT_WHILE_HOLDING,
            Code::CondvarWaitWhileHolding => CONDVAR_WAIT_WHILE_HOLDING,
            Code::CallsBackUnderLock => CALLS_BACK_UNDER_LOCK,
            Code::OrderViolation => ORDER_VIOLATION,
            Code::Assumption => ASSUMPTION,
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

const LOCK_ORDER_CYCLE: &str = "\
Each CPU of the schedule holds one lock and waits for the next; the last waits for the first. One domain is
enough for it (locks of nobody may take part). That no test ever hung means only that the CPUs did not meet.

Example: one function acquires `rook` while it holds `pawn`, another acquires `pawn` while it holds `rook`.
    fn castle(b: &Board)  { let p = b.pawn.lock(); let r = b.rook.lock(); .. }
    fn promote(b: &Board) { let r = b.rook.lock(); let p = b.pawn.lock(); .. }

Fix: choose one order and keep it everywhere. Release the outer lock before the call that acquires the other
one, or acquire both up front. If an order is declared with `lock_order!`, the report says which of the nestings
goes against it: that is the one to change. If a read lock is part of the circle, a recursive read, which never
waits behind a waiting writer, may take it apart. If all of it is done under one more lock, held exclusively, the
circle does not close: the report is a note then, and names that lock as the gate. Nor does it close if a single
thread makes two nestings that follow each other in it, such as the `main` of a binary: the note names the thread.";

const CROSS_DOMAIN_NESTING: &str = "\
Each CPU of the schedule holds a lock of one domain and waits for a lock of another or of its own; the last waits
for the first. Between domains, locks may nest up the hierarchy (from a subject's lock to its controller's) or
down it, but not both, and never to a stranger, wherever the same locks also nest the other way around.

Example: an operation holds `paging` of its subject and acquires `p2m` of its caller, while elsewhere `paging` is
acquired under `p2m` of one domain. If any two domains may operate on each other, four CPUs close the circle.

Fix: if the caller always controls the subject, say so in the types of the operation's parameters: the nesting is
then `Up`, and no circle is left. If that is not so, gather the result under the subject's lock, release it, and
only then touch the caller. A lock level added to one of the two sides hides the report and not the deadlock.";

const RECURSION: &str = "\
A CPU acquires a lock that it holds already, and waits for itself.

Example: a method locks the table and calls another one that locks it as well.
    fn clear(&self) { let t = self.table.lock(); self.count(); .. }
    fn count(&self) { let t = self.table.lock(); .. }

Fix: pass the guard (or what it protects) to the inner function, or split that into a locking one and one that
works on the guarded value. If the class is meant to be re-entered, declare it `recursive`; then its lock must
be of a type whose holder is let in again. A reader that turns writer waits for itself in every case.";

const READER_RECURSION: &str = "\
A reader acquires the same lock for reading once more. A fair lock lets no reader pass a waiting writer: if one
arrives in between, it waits for the first read to end, and the second read waits for the writer.

Example: `let a = map.read(); lookup(&map);` where `lookup` calls `map.read()` again. On a quiet machine it works.

Fix: pass the guard on instead of reading again, or use the recursive read of the lock (`read_recursive` and the
like), which does not wait for writers that wait. A lock that prefers readers never blocks here: if that is its
documented behaviour, say so in the model of the lock.";

const UNORDERED_INSTANCES: &str = "\
A CPU acquires a second instance of a class while it holds one, in the same domain, and nothing says which comes
first. Another CPU may take the two the other way around.

Example: `fn swap(a: &Square, b: &Square) { let a = a.lock(); let b = b.lock(); .. }`, called with the same two
squares in both orders. Or, as a warning, where it may even be the lock that is held: `self.live.lock().clear()`
destroys members of a pool whose destructors lock `self.pool.live`.

Fix: acquire in the order of something that both instances have and that does not change (a frame number, an
index, at last the address), and declare it: `square = 24, ordered_by = index;`. The run-time checker then compares
the keys. If both locks are always taken under a third one, one of the classes may not be needed at all. Take out
what is to be destroyed, end the guard, and only then destroy it.";

const HELD_ACROSS_AWAIT: &str = "\
A task holds a lock that threads wait for and gives its thread away at an `.await`. The next task on that thread that
wants the lock blocks the thread, and so keeps the holder from going on: the lock waits for the thread and the thread
for the lock. It is an error, and no proof is given beside it: the circle goes through the executor, which may have
one thread only, and of which the analysis sees nothing else.

Example: `let v = self.value.lock().unwrap(); self.changed.notified().await; use(*v);` with `std::sync::Mutex`.

Fix: let the guard end before the `.await` (with a block of its own, or by `drop`), or use a lock that tasks wait for,
such as `tokio::sync::Mutex`, if the value must not change meanwhile.";

const WAIT_WHILE_HOLDING: &str = "\
A thread waits for the end of another one or of a task, for a message, for room in a channel or at a barrier, and
holds a lock that the other acquires. If the other one has not acquired it by then, it waits for the lock, and the
lock's holder for it. What is waited for is a node of the graph like a lock. Before a message comes what every way to
a send acquires, be it released by then; before the end of all messages, what is acquired while there is a sender.

Example: `let held = value.lock(); let t = spawn(|| *value.lock() += 1); t.join(); drop(held);`
Or: `let state = self.state.lock(); self.requests.send(Get(answer)); *state = answers.recv();`, if whoever answers
locks `state`. It is a warning if not all who could end the wait need the lock, or not for every message, or if it is
not known which channel it is. A wait with a limit is none of these: it ends by itself.

Fix: end the guard before the wait (or before the end of the scope), or have the thread return what it has found out
and store it after the join; answer before the lock is taken; drop a sender that sends no more. A handle kept in a
field stands for all threads whose handles were put there. Where nothing is known of who ends a wait under a lock, it
is counted as the assumption `unknown-wait`.";

const CONDVAR_WAIT_WHILE_HOLDING: &str = "\
A thread waits for a condition variable and holds another lock than the one that the wait releases. Every place that
notifies this condition variable holds that lock (or one that is acquired under it) and so never gets there.

Example: `let turn = self.turn.lock(); let open = self.open.lock(); self.opened.wait(open);`, while `open()` locks
`turn` before it calls `self.opened.notify_all()`.

Fix: release the other lock before the wait, or notify without it. A wait with a time limit is none of these: it ends
by itself, and the lock is let go.";

const CALLS_BACK_UNDER_LOCK: &str = "\
A lock of these crates is held while code runs that their callers gave: a closure, a method, destructor or formatting
of a type parameter or trait object. If that code comes back and takes the lock, or waits for somebody who does, it
waits for ever. Whether it does is up to callers that were not read, so this is looked for with `--callbacks` only, is a
warning, and leaves the verdict undecided.

Example: `pub fn each(&self, f: impl Fn(&Item)) { for item in self.items.read().iter() { f(item) } }`, where `f` adds an
item. Or `self.map.lock().insert(key, value)`, where the old value's destructor removes another entry.

Fix: take out what the code needs, end the guard, and only then run it; move what is replaced or removed out of the
guard's scope before it is dropped. If the callers must not come back, say so in the documentation of the function.";

const ORDER_VIOLATION: &str = "\
The order declared with `lock_order!` refuses this nesting. There need not be a deadlock today: the graph as a
whole may have no circle. But the next function that relies on the declared order closes one.

Example: `pawn = 8; rook = 16;` is declared, and a function acquires `pawn` while it holds `rook`: 16 > 8. Between
domains the rule of the default discipline is: up the hierarchy always, down and to strangers never, and a lock of
nobody is acquired last.

Fix: release the held lock first, or acquire the two in the declared order. If the nesting is right and the
declaration is not, change the levels; every other nesting is then judged anew. With another `--discipline` the
report shows what that policy would refuse, with the levels as it counts them.";

const ASSUMPTION: &str = "\
The verdict holds if this does. The analysis came upon something that it could not look into, and counted it
instead of passing over it.

Example: a call through a function pointer whose callees are not known, a body that the compiler did not emit, a
foreign function, code outside the crates that were read, functions that call each other in so many ways that the
analysis gave up before they settled (`unsettled-body`).

Fix: none is needed to use the verdict, but read the list. An assumption goes away when the code is given to the
analysis (add the crate), when the call is made direct or typed, or when its lock behaviour is stated in the
models. `proved under N assumptions` counts them; the number should only fall over time.";
