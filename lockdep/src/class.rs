//! What a lock class is, and how a type names one.
//!
//! A class is all instances made by one declaration. Macro output makes a marker type per class and spells the
//! class of a lock as [`Declared<marker, LEVEL, FLAGS>`](Declared), so that class, level and properties can be
//! read off any type that mentions the lock, in MIR as in an error message. This file is not the ordering rule
//! (`order.rs`) and not the record of who holds what (`held.rs`).

use core::marker::PhantomData;

use crate::order::Level;
use crate::sync::{AtomicU16, Ordering};
use crate::wait::Wait;

/// Properties of a class, packed as they stand in the type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(u8);

impl Flags {
    /// No property.
    pub const NONE: Flags = Flags(0);
    /// The holder may acquire the same instance again.
    pub const RECURSIVE: Flags = Flags(1);
    /// Instances of the class nest in ascending order of a key.
    pub const ORDERED: Flags = Flags(2);
    /// Every CPU has its own instance and waits only for itself. A walk through an interrupt passes such a class by
    /// (Linux: `LD_LOCK_PERCPU`).
    pub const PER_CPU: Flags = Flags(4);
    /// Held and asserted, but never waited for: no edges (Linux: `check = 0`, the read side of RCU).
    pub const NO_EDGES: Flags = Flags(8);
    /// Not a lock: what interrupts a CPU and then acquires locks.
    pub(crate) const CONTEXT: Flags = Flags(16);

    /// The flags that `bits` stand for, as in [`Declared`].
    pub const fn from_bits(bits: u8) -> Flags {
        Flags(bits)
    }

    /// The bits for a type argument.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether every flag of `other` is set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags of both.
    #[must_use]
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// One lock class at run time. A `static` in macro output; the address is its identity.
#[derive(Debug)]
pub struct Class {
    /// The declared order it belongs to, such as `mm`.
    pub order: &'static str,
    /// Its name in that order, such as `p2m`.
    pub name: &'static str,
    /// Its level in that order.
    pub level: Level,
    /// Its properties.
    pub flags: Flags,
    /// What acquiring it needs of the context.
    pub outer: Wait,
    /// What the context is worth while it is held.
    pub inner: Wait,
    index: AtomicU16,
}

impl Class {
    /// A class that has not been used yet.
    pub const fn new(order: &'static str, name: &'static str, level: u16, flags: u8) -> Class {
        Class {
            order,
            name,
            level: Level::new(level),
            flags: Flags(flags),
            outer: Wait::Unchecked,
            inner: Wait::Unchecked,
            index: AtomicU16::new(u16::MAX),
        }
    }

    /// A class outside every declared order. Only what was learned speaks about it.
    pub const fn undeclared(name: &'static str) -> Class {
        Class::new("", name, 0, 0)
    }

    /// The same class with these properties.
    #[must_use]
    pub const fn with_flags(mut self, flags: Flags) -> Class {
        self.flags = flags;
        self
    }

    /// The same class with wait types: what acquiring it needs, and what the context is worth while it is held.
    #[must_use]
    pub const fn waiting(mut self, outer: Wait, inner: Wait) -> Class {
        self.outer = outer;
        self.inner = inner;
        self
    }

    /// Whether it stands in a declared order. The macros refuse level 0.
    pub const fn is_declared(&self) -> bool {
        self.level.get() != 0
    }

    /// Whether it stands for an interrupt and not for locks.
    pub const fn is_context(&self) -> bool {
        self.flags.contains(Flags::CONTEXT)
    }

    /// The node of this class in the learned graph, given out by `next` on first use.
    pub(crate) fn index(&self, next: impl FnOnce() -> u16) -> u16 {
        let seen = self.index.load(Ordering::Relaxed);
        if seen != u16::MAX {
            return seen;
        }
        // Two CPUs may both call `next`; one node is then left unused, which costs a node and no correctness.
        let fresh = next();
        match self.index.compare_exchange(u16::MAX, fresh, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => fresh,
            Err(theirs) => theirs,
        }
    }
}

/// A type that names a lock class.
///
/// Implemented by [`Declared`]; users never implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a lock class",
    label = "expected a class of a `lock_order!`, such as `mm::p2m`"
)]
pub trait LockClass: 'static {
    /// The class.
    fn class() -> &'static Class;
}

/// Implemented by the marker type of each class that `lock_order!` declares.
pub trait Declaration: 'static {
    /// The `static` behind the marker.
    fn class() -> &'static Class;
}

/// The class declared by marker `D`, with its level and [`Flags`] spelt out.
pub struct Declared<D, const LEVEL: u16, const FLAGS: u8>(PhantomData<fn() -> D>);

impl<D: Declaration, const LEVEL: u16, const FLAGS: u8> LockClass for Declared<D, LEVEL, FLAGS> {
    fn class() -> &'static Class {
        D::class()
    }
}

/// Stands in for a class that a macro could not find, so that its error stays the only one.
pub enum Unknown {}

impl LockClass for Unknown {
    fn class() -> &'static Class {
        static UNKNOWN: Class = Class::new("unknown", "unknown", 0, 0);
        &UNKNOWN
    }
}
