//! What a lock class is, and how a type names one.
//!
//! A class is all instances made by one declaration. Macro output makes a marker type per class and spells the
//! class of a lock as [`Declared<marker, LEVEL, FLAGS>`](Declared), so that class, level and properties can be
//! read off any type that mentions the lock, in MIR as in an error message. This file is not the ordering rule
//! (`order.rs`) and not the record of who holds what (`held.rs`).

use core::marker::PhantomData;

use crate::order::Level;
use crate::sync::{AtomicU64, Ordering};
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
    standing: AtomicU64,
}

/// How a class stands with the checker: twice its node in the learned graph (the upper 16 bits), and what a short look at an
/// acquisition must not answer by itself (the lower 48). A CPU has a mask of the latter that concern it (`context.rs`), so
/// that one load and one test are the whole question.
///
/// The lowest 32 are contexts of which it is not yet known that they can interrupt a holder: eight for each
/// `Hold::variant`.
#[derive(Clone, Copy)]
pub(crate) struct Standing(u64);

impl Standing {
    /// The declared order has to be asked, or the class has no node yet.
    pub(crate) const ORDER: u64 = 1 << 32;
    /// What the CPU bears has to be compared with what the class needs.
    pub(crate) const WAIT: u64 = 1 << 33;
    /// Its times are taken.
    pub(crate) const TIME: u64 = 1 << 34;

    /// Contexts, for holds of this variant.
    pub(crate) const fn contexts(mask: u8, variant: usize) -> u64 {
        (mask as u64) << (8 * variant)
    }

    /// Contexts, whatever the variant.
    pub(crate) const fn contexts_of_all(mask: u8) -> u64 {
        mask as u64 * 0x0101_0101
    }

    /// The node, or a number that no table has.
    #[inline(always)]
    pub(crate) fn node(self) -> u16 {
        (self.0 >> 49) as u16
    }

    /// The column of its exclusive holds in the table of known edges: twice the node.
    #[inline(always)]
    pub(crate) fn column(self) -> u64 {
        self.0 >> 48
    }

    /// That of a class of which only the node is known.
    pub(crate) fn at(node: u16) -> Standing {
        Standing(u64::from(node) << 49)
    }

    /// What it asks of these.
    #[inline(always)]
    pub(crate) fn asks(self, mask: u64) -> u64 {
        self.0 & mask
    }
}

const UNREGISTERED: u64 = u64::MAX;

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
            standing: AtomicU64::new(UNREGISTERED),
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
    #[inline]
    pub const fn is_declared(&self) -> bool {
        self.level.get() != 0
    }

    /// Whether it stands for an interrupt and not for locks.
    pub const fn is_context(&self) -> bool {
        self.flags.contains(Flags::CONTEXT)
    }

    /// How it stands.
    #[inline(always)]
    pub(crate) fn standing(&self) -> Standing {
        Standing(self.standing.load(Ordering::Relaxed))
    }

    /// Its node in the learned graph, if it was given one.
    pub(crate) fn node(&self) -> Option<u16> {
        let standing = self.standing();
        (standing.0 != UNREGISTERED).then_some(standing.node())
    }

    /// It stands at this node, and asks this and what it always does.
    pub(crate) fn register(&self, node: u16, asks: u64) {
        let waits = if self.outer == Wait::Unchecked { 0 } else { Standing::WAIT };
        self.standing.store(u64::from(node) << 49 | asks | waits, Ordering::Relaxed);
    }

    /// From now on it asks this too.
    pub(crate) fn ask(&self, more: u64) {
        self.standing.fetch_or(more, Ordering::Relaxed);
    }

    /// This has an answer.
    pub(crate) fn answer(&self, less: u64) {
        self.standing.fetch_and(!less, Ordering::Relaxed);
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
