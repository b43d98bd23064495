//! What known functions do to who holds what, in the words of the transfer functions.

use serde::{Deserialize, Serialize};

use crate::graph::{Held, Wanted};

/// How a function releases a lock for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The guard is the second argument, and is returned.
    Gives,
    /// The guard is lent by the second argument.
    Lends,
    /// The guard is lent by the first argument; code among the others runs while the lock is released.
    Opens,
}

/// Where the class of a lock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassSource {
    /// In the last generic argument of the type: the class is declared.
    LastArgument,
    /// In the place that holds the lock.
    Place,
    /// There is one lock, and each value of the type is a handle to it.
    Static,
}

/// When an acquiring function acquires, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It waits, and the result holds the lock.
    Waits,
    /// It does not wait, and the result may hold the lock.
    Tries,
    /// It waits, runs the code it is given and releases.
    During,
    /// The result waits when it is awaited.
    Awaited,
}

/// A kind of acquisition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquiring {
    /// Where the class stands.
    pub class: ClassSource,
    /// How it is wanted.
    pub wanted: Wanted,
    /// How it is held then.
    pub held: Held,
    /// When and for how long.
    pub how: How,
    /// The holder is let in again.
    pub reentrant: bool,
    /// It is made of other known locks.
    pub composite: bool,
    /// It is the lock of a cell, beside those in its content.
    pub cell: bool,
}

/// What a function of containers and iterators does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Iteration {
    /// The result iterates over all elements of what the first argument points to, or is that iterator.
    Starts,
    /// The result contains the next element of the iterator that the first argument points to.
    Advances,
    /// The result contains some element of what the first argument points to.
    Finds,
    /// The result contains a pointer to the content of the option that the first argument points to.
    Borrows,
    /// The result contains a pointer to the content of the cell that the first argument points to.
    Opens,
    /// The result iterates over some elements of the first argument.
    Sifts,
}

/// What a function that exchanges contents does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// The result is the first argument.
    Moves,
    /// The result is what the first argument points to, and nothing is left there.
    Takes,
    /// The result is what the first argument points to, and the second is put there.
    Replaces,
    /// What the first two arguments point to changes places.
    Swaps,
    /// What the first argument points to is destroyed.
    Drops,
    /// The result is the guard that is the first argument, which now lets readers in.
    Downgrades,
    /// The lock that the first argument points to is released.
    Unlocks,
}

/// The two sides of a channel, and what stands for a thread, which is handed on like them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Messages go in.
    Sender,
    /// They come out.
    Receiver,
    /// The end of a thread or task.
    Handle,
}

/// What a function of channels does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelCall {
    /// Makes one, with a bound or without.
    Makes {
        /// Whether senders may have to wait.
        bounded: bool,
    },
    /// Sends.
    Sends(Patience),
    /// Takes one message out.
    Receives(Patience),
    /// Waits for any of several channels.
    Selects,
}

/// Whether there is a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// None, or one with a limit.
    None,
    /// The thread waits.
    Waits,
    /// The task waits when the result is awaited.
    Awaited,
}

/// What a known function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Acquires the lock that the first argument points to.
    Acquire(Acquiring),
    /// Releases the lock of a guard and acquires it again.
    Wait(Waiting),
    /// Iterates, or looks into a container.
    Iterate(Iteration),
    /// Moves or exchanges contents.
    Exchange(Exchange),
    /// The result is what the first argument points to, if that is a pointer.
    Copy,
    /// The result points to what the pointer behind the first argument points to.
    Deref,
    /// The result points to some element of what the first argument points to.
    Element,
    /// The result is what the first argument contains.
    Unwrap,
    /// The first argument stays alive for ever.
    Forget,
    /// Runs its argument on a stack of its own.
    Spawn,
    /// Waits for the thread that the first argument stands for.
    Join,
    /// Runs its argument, and waits for the threads that it has started.
    Scope,
    /// Ends waits for a condition variable, the first argument.
    Notify,
    /// Waits at a barrier, the first argument.
    Meet,
    /// Makes or uses a channel.
    Channel(ChannelCall),
    /// The guard that is the first argument waits for the other holders of its lock.
    Upgrade,
    /// Acquires a lock whose class is not known before it runs.
    Unclassed,
    /// The second argument's domain controls the first's.
    Roles,
}
