//! Contexts: what interrupts a CPU and then acquires locks, and whether it can at the moment.
//!
//! A context is a node of the learned graph like a class. Holding A while it can interrupt is the edge A → context;
//! waiting for B inside it is the edge context → B; so every irq-safety rule of Linux's lockdep is an ordinary closed
//! walk. A kernel calls [`Context::enter`] and [`exit`](Context::exit) around its handlers and
//! [`disable`](Context::disable) and [`enable`](Context::enable) where it masks them; both nest. A context that was never
//! declared costs nothing and is never assumed. The state is per CPU; nothing here reports.

use core::panic::Location;

use lock_api::Mutex;

use crate::class::{Class, Flags, Standing};
use crate::cpu::Undisturbed;
use crate::graph;
use crate::spin::RawSpin;
use crate::sync::{AtomicU8, AtomicU16, Ordering};
use crate::validator;
use crate::wait::Wait;

/// How many contexts can be declared.
pub const MAX_CONTEXTS: usize = 8;
/// How deep contexts interrupt each other on one CPU.
pub const MAX_NESTED: usize = 8;

/// Hard interrupts.
pub static HARDIRQ: Context = Context::new("hardirq", None, Wait::Spin);
/// Soft interrupts: they run on the way out of hard ones, so they cannot while those are disabled.
pub static SOFTIRQ: Context = Context::new("softirq", Some(&HARDIRQ), Wait::Config);

const UNDECLARED: u8 = u8::MAX;

/// Something that preempts a CPU. A `static`.
pub struct Context {
    class: Class,
    masked_by: Option<&'static Context>,
    bears: Wait,
    slot: AtomicU8,
}

impl Context {
    /// A context that cannot run while `masked_by` is disabled or running, and whose handlers bear `bears`.
    pub const fn new(name: &'static str, masked_by: Option<&'static Context>, bears: Wait) -> Context {
        let class = Class::undeclared(name).with_flags(Flags::CONTEXT);
        Context { class, masked_by, bears, slot: AtomicU8::new(UNDECLARED) }
    }

    /// The node that stands for it.
    pub fn class(&'static self) -> &'static Class {
        &self.class
    }

    /// Tells the checker that this kernel has the context, enabled until it is disabled. At boot: what was held
    /// before counts as held with the context disabled. The other calls imply it.
    pub fn declare(&'static self) {
        if crate::CHECKED {
            validator::declare_context(self);
        }
    }

    /// A handler begins on this CPU.
    #[track_caller]
    pub fn enter(&'static self) {
        self.enter_bearing(self.bears);
    }

    /// A handler begins that bears something else than its context usually does, such as an interrupt that is
    /// handled in a thread.
    #[track_caller]
    pub fn enter_bearing(&'static self, bears: Wait) {
        if crate::CHECKED {
            validator::enter_context(self, bears, Location::caller());
        }
    }

    /// The handler ends.
    #[track_caller]
    pub fn exit(&'static self) {
        if crate::CHECKED {
            validator::exit_context(self, Location::caller());
        }
    }

    /// It cannot run on this CPU until enabled as often.
    #[track_caller]
    pub fn disable(&'static self) {
        if crate::CHECKED {
            validator::disable_context(self);
        }
    }

    /// Takes one [`disable`](Context::disable) back.
    #[track_caller]
    pub fn enable(&'static self) {
        if crate::CHECKED {
            validator::enable_context(self, Location::caller());
        }
    }

    /// Its place in the tables below, or `None` when [`MAX_CONTEXTS`] others have one.
    pub(crate) fn slot(&'static self, alone: Undisturbed<'_>) -> Option<usize> {
        let slot = match self.slot.load(Ordering::Acquire) {
            UNDECLARED => self.take_slot(alone),
            slot => slot,
        };
        (usize::from(slot) < MAX_CONTEXTS).then_some(slot.into())
    }

    #[cold]
    fn take_slot(&'static self, alone: Undisturbed<'_>) -> u8 {
        let above = self.masked_by.and_then(|above| above.slot(alone));
        let node = graph::node(&self.class, alone);
        let mut taken = TAKEN.lock();
        let slot = self.slot.load(Ordering::Relaxed);
        if slot != UNDECLARED {
            return slot;
        }
        let slot = match (SLOTS.get(usize::from(*taken)), node) {
            (Some(free), Some(node)) => {
                free.node.store(node, Ordering::Relaxed);
                let above =
                    above.map_or(0, |above| 1 << above | SLOTS[above].maskers.load(Ordering::Relaxed));
                free.maskers.store(above, Ordering::Relaxed);
                let slot = *taken;
                *taken += 1;
                DECLARED.fetch_or(1 << slot, Ordering::Release);
                graph::ask_all(Standing::contexts_of_all(1 << slot), alone);
                slot
            }
            _ => {
                graph::contexts_full();
                MAX_CONTEXTS as u8
            }
        };
        self.slot.store(slot, Ordering::Release);
        slot
    }
}

/// What is known of a declared context; written once, before its bit in `DECLARED`.
struct Slot {
    node: AtomicU16,
    /// The contexts whose masking masks this one too, one bit each.
    maskers: AtomicU8,
}

static SLOTS: [Slot; MAX_CONTEXTS] =
    [const { Slot { node: AtomicU16::new(0), maskers: AtomicU8::new(0) } }; MAX_CONTEXTS];
static DECLARED: AtomicU8 = AtomicU8::new(0);
static TAKEN: Mutex<RawSpin, u8> = Mutex::new(0);

/// Contexts as bits.
pub(crate) type Mask = u8;

/// The members of `mask`.
pub(crate) fn members(mask: Mask) -> impl Iterator<Item = usize> {
    (0..MAX_CONTEXTS).filter(move |slot| mask >> slot & 1 != 0)
}

/// The node of a declared context.
pub(crate) fn node(slot: usize) -> u16 {
    SLOTS[slot].node.load(Ordering::Relaxed)
}

/// A handler that runs.
#[derive(Clone, Copy)]
pub(crate) struct Running {
    pub(crate) slot: u8,
    pub(crate) bears: Wait,
    pub(crate) site: &'static Location<'static>,
}

/// Which contexts run and which can run, on one CPU.
pub(crate) struct Contexts {
    running: [Option<Running>; MAX_NESTED],
    depth: u8,
    disabled: [u16; MAX_CONTEXTS],
    /// Disabled, running, or masked by one that is.
    closed: Mask,
    /// By variant of a hold, those of [`Standing`] that concern this CPU.
    asked: [u64; 4],
}

/// What concerns a CPU on which these cannot interrupt.
const fn asked(closed: Mask) -> [u64; 4] {
    let mut asked = [Standing::ORDER | Standing::WAIT; 4];
    let mut variant = 0;
    while variant < asked.len() {
        asked[variant] |= Standing::contexts(!closed, variant);
        variant += 1;
    }
    asked
}

impl Contexts {
    pub(crate) const NONE: Contexts = Contexts {
        running: [None; MAX_NESTED],
        depth: 0,
        disabled: [0; MAX_CONTEXTS],
        closed: 0,
        asked: asked(0),
    };

    /// Those of [`Standing`] that concern this CPU when it acquires a lock in a hold of this variant.
    #[inline(always)]
    pub(crate) fn asked(&self, variant: usize) -> u64 {
        self.asked[variant & 3]
    }

    /// How many handlers are stacked here; 0 in a task.
    pub(crate) fn depth(&self) -> u8 {
        self.depth
    }

    /// The innermost handler.
    pub(crate) fn innermost(&self) -> Option<&Running> {
        self.running.get(usize::from(self.depth).wrapping_sub(1))?.as_ref()
    }

    /// Whether something is disabled, so that sleeping would leave it so.
    pub(crate) fn any_disabled(&self) -> bool {
        self.disabled.iter().any(|&times| times != 0)
    }

    /// The contexts that could interrupt here.
    pub(crate) fn open(&self) -> Mask {
        DECLARED.load(Ordering::Acquire) & !self.closed
    }

    fn recount(&mut self) {
        let mut base = 0;
        for slot in 0..MAX_CONTEXTS {
            let runs = self.running.iter().flatten().any(|running| usize::from(running.slot) == slot);
            base |= Mask::from(runs || self.disabled[slot] != 0) << slot;
        }
        self.closed = (0..MAX_CONTEXTS).fold(base, |closed, slot| {
            let masked = SLOTS[slot].maskers.load(Ordering::Relaxed) & base != 0;
            closed | Mask::from(masked) << slot
        });
        self.asked = asked(self.closed);
    }

    /// False when [`MAX_NESTED`] handlers run already.
    #[must_use]
    pub(crate) fn enter(&mut self, running: Running) -> bool {
        let Some(free) = self.running.get_mut(usize::from(self.depth)) else { return false };
        *free = Some(running);
        self.depth += 1;
        self.recount();
        true
    }

    /// False when this is not the innermost handler.
    #[must_use]
    pub(crate) fn exit(&mut self, slot: usize) -> bool {
        if self.innermost().is_none_or(|running| usize::from(running.slot) != slot) {
            return false;
        }
        self.depth -= 1;
        self.running[usize::from(self.depth)] = None;
        self.recount();
        true
    }

    pub(crate) fn disable(&mut self, slot: usize) {
        self.disabled[slot] = self.disabled[slot].saturating_add(1);
        self.recount();
    }

    /// False when it is not disabled.
    #[must_use]
    pub(crate) fn enable(&mut self, slot: usize) -> bool {
        let Some(left) = self.disabled[slot].checked_sub(1) else { return false };
        self.disabled[slot] = left;
        self.recount();
        true
    }
}
