//! How long a lock may make its caller wait, and what its holder may wait for.
//!
//! The levels are those of Linux (`include/linux/lockdep_types.h`, `enum lockdep_wait_type`). A class has two: the
//! *outer* one is what acquiring it needs of the context, the *inner* one is what the context is worth while it is
//! held. The rule is one comparison, in `validator.rs`: outer of the wanted lock ≤ least inner of what is held. A
//! try-acquisition does not wait and is not asked. This file holds no state.

/// What a context can bear, from nothing to sleeping.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Wait {
    /// Not checked.
    Unchecked = 0,
    /// Waits for nothing: read sections of RCU.
    Free = 1,
    /// Spins, also in a kernel that preempts everywhere: raw spin locks.
    Spin = 2,
    /// Spins or sleeps, as the kernel is configured: spin locks.
    Config = 3,
    /// Sleeps: mutexes.
    Sleep = 4,
}

impl Wait {
    /// What is borne where this was, under a lock with this inner type.
    pub(crate) fn with(self, inner: Wait) -> Wait {
        if inner == Wait::Unchecked { self } else { self.min(inner) }
    }

    /// The word used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Wait::Unchecked => "unchecked",
            Wait::Free => "wait-free",
            Wait::Spin => "spin",
            Wait::Config => "spin or sleep",
            Wait::Sleep => "sleep",
        }
    }
}
