//! The closed set of report codes, and the tables that can run full.
//!
//! Kebab-case in text, as the analyzer's codes; those that both can report are spelt the same. Data only.

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Code {
    /// The discipline refuses this nesting.
    OrderViolation,
    /// The holder waits for the very instance it holds.
    Recursion,
    /// An operation was entered by a domain that does not control its subject.
    RoleUnfounded,
    /// Domains control each other in a longer chain than the roles of an operation permit.
    TiersExceeded,
    /// A lock was released that this CPU does not hold.
    NotHeld,
    /// The nesting closes a circle with nestings seen before.
    LockOrderCycle,
    /// Two locks of one class and owner, held in no declared order.
    UnorderedInstances,
    /// A circle that needs an interrupt.
    InterruptInversion,
    /// A lock that waits longer than the context bears.
    InvalidWaitContext,
    /// The lock that is to order others of one class is not held, or is released before them.
    NestLockNotHeld,
    /// A lock was initialised again or went away while held.
    HeldLockFreed,
    /// A handler ended and kept a lock.
    HeldAtContextExit,
    /// A CPU went offline, or a thread ended, and kept a lock.
    HeldAtExit,
    /// A context was left or enabled that was not entered or disabled.
    ContextUnbalanced,
    /// An assertion about held locks or the context does not hold.
    AssertionFailed,
    /// A table of the checker is full; said once per table.
    TableFull,
}

impl Code {
    /// Every code.
    pub const ALL: [Code; 16] = [
        Code::OrderViolation,
        Code::Recursion,
        Code::RoleUnfounded,
        Code::TiersExceeded,
        Code::NotHeld,
        Code::LockOrderCycle,
        Code::UnorderedInstances,
        Code::InterruptInversion,
        Code::InvalidWaitContext,
        Code::NestLockNotHeld,
        Code::HeldLockFreed,
        Code::HeldAtContextExit,
        Code::HeldAtExit,
        Code::ContextUnbalanced,
        Code::AssertionFailed,
        Code::TableFull,
    ];

    /// The code as printed.
    pub const fn name(self) -> &'static str {
        match self {
            Code::OrderViolation => "order-violation",
            Code::Recursion => "recursion",
            Code::RoleUnfounded => "role-unfounded",
            Code::TiersExceeded => "tiers-exceeded",
            Code::NotHeld => "not-held",
            Code::LockOrderCycle => "lock-order-cycle",
            Code::UnorderedInstances => "unordered-instances",
            Code::InterruptInversion => "interrupt-inversion",
            Code::InvalidWaitContext => "invalid-wait-context",
            Code::NestLockNotHeld => "nest-lock-not-held",
            Code::HeldLockFreed => "held-lock-freed",
            Code::HeldAtContextExit => "held-at-context-exit",
            Code::HeldAtExit => "held-at-exit",
            Code::ContextUnbalanced => "context-unbalanced",
            Code::AssertionFailed => "assertion-failed",
            Code::TableFull => "table-full",
        }
    }
}

/// A table of fixed capacity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Table {
    /// Classes that are told apart.
    Classes = 0,
    /// Nestings kept with their sites.
    Nestings = 1,
    /// Refused nestings.
    Refusals = 2,
    /// Contexts.
    Contexts = 3,
}

impl Table {
    pub(crate) const ALL: [Table; 4] = [Table::Classes, Table::Nestings, Table::Refusals, Table::Contexts];

    /// What it holds, and the name of its capacity.
    pub const fn name(self) -> (&'static str, &'static str) {
        match self {
            Table::Classes => ("classes", "MAX_CLASSES"),
            Table::Nestings => ("nestings", "MAX_NESTINGS"),
            Table::Refusals => ("refused nestings", "MAX_REFUSED"),
            Table::Contexts => ("contexts", "MAX_CONTEXTS"),
        }
    }
}

/// What was asserted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assertion {
    /// This CPU holds the lock.
    Held,
    /// It holds it exclusively.
    HeldExclusively,
    /// It does not hold it.
    NotHeld,
    /// It holds nothing.
    NoneHeld,
    /// It may sleep.
    MaySleep,
}

impl Assertion {
    /// As a predicate in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Assertion::Held => "is held",
            Assertion::HeldExclusively => "is held exclusively",
            Assertion::NotHeld => "is not held",
            Assertion::NoneHeld => "nothing is held",
            Assertion::MaySleep => "may sleep",
        }
    }
}
