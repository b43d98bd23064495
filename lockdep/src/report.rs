//! What the checker says: data first, text second, and where it goes.
//!
//! A [`Report`] names both locks with owner, mode and site. Its `Display` is the plain console text; a kernel
//! that wants another form reads the fields. The [`Sink`] is one function that the kernel chooses. Nothing here
//! decides whether to report.

mod code;
mod display;

use core::panic::Location;

use crate::cpu::{CpuId, Hook};
pub use crate::graph::Chain;
use crate::held::{HeldLock, Instance, Mode};
use crate::observed::Observed;
use crate::order::{Discipline, Relation};
use crate::owner::OwnerId;
use crate::wait::Wait;
pub use code::{Assertion, Code, Table};

/// How many links of a [`Chain`] are kept.
pub const MAX_CHAIN: usize = 8;

/// An acquisition that is about to happen, or a release.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// The lock.
    pub instance: Instance,
    /// How it is wanted.
    pub mode: Mode,
    /// Where.
    pub site: &'static Location<'static>,
}

/// What the report is about.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is no heap to put the chain on; a report is made rarely"
)]
pub enum Matter {
    /// Two locks that must not nest so.
    Nesting {
        /// What is held.
        held: HeldLock,
        /// What is wanted.
        wanted: Attempt,
        /// How the owner of the second stands to the owner of the first.
        relation: Relation,
        /// Levels of both after the discipline's bias.
        effective: (u16, u16),
    },
    /// A nesting that closes a circle.
    Cycle {
        /// It.
        closing: Observed,
        /// The lock it acquires, unless it is about an interrupt that became possible.
        wanted: Option<Attempt>,
        /// The lock that is held, unless it is about an interrupt that acquires one.
        held: Option<HeldLock>,
        /// The nestings seen before, from the wanted class round to the held one.
        chain: Chain,
    },
    /// One lock.
    Lock(Attempt),
    /// A lock and a context that does not bear its waiting.
    Wait {
        /// What is wanted.
        wanted: Attempt,
        /// What is borne here.
        bears: Wait,
        /// The held lock that sets the limit; the context itself when there is none.
        limit: Option<HeldLock>,
    },
    /// A context.
    Context {
        /// Its name.
        name: &'static str,
        /// Where.
        site: &'static Location<'static>,
    },
    /// An assertion that does not hold.
    Assertion {
        /// It.
        assertion: Assertion,
        /// The lock it is about, if it is about one.
        lock: Option<Attempt>,
        /// What is held against it.
        held: Option<HeldLock>,
        /// Where it stands.
        site: &'static Location<'static>,
    },
    /// A table.
    Table(Table),
    /// Longer chains of domains than the roles of an operation permit.
    Tiers {
        /// How many domains a chain may have.
        tiers: u8,
        /// The operation.
        site: &'static Location<'static>,
    },
    /// Two domains whose roles do not hold, and the operation that was entered.
    Roles {
        /// Name and owner of the lower role.
        lower: (&'static str, OwnerId),
        /// Name and owner of the higher role.
        upper: (&'static str, OwnerId),
        /// The operation.
        site: &'static Location<'static>,
    },
}

/// One finding at run time.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// What is wrong.
    pub code: Code,
    /// On which CPU.
    pub cpu: CpuId,
    /// Under which discipline.
    pub discipline: &'static Discipline,
    /// The locks or domains concerned.
    pub matter: Matter,
}

/// Where reports go. It runs on the reporting CPU, before the acquisition, and may take checked locks: what is wrong
/// about those is counted ([`Counters::unsent`](crate::Counters)) and not reported.
pub type Sink = fn(&Report);

/// The sink until another is set.
///
/// # Panics
/// Always: with the report as the message.
pub fn panic_sink(report: &Report) {
    panic!("{report}");
}

/// No lock: a handler may report while what it interrupted does.
static SINK: Hook<Sink> = Hook::new(panic_sink);

/// Sends reports to `sink` from now on.
pub fn set_sink(sink: Sink) {
    SINK.set(sink);
}

pub(crate) fn send(report: &Report) {
    let sink = SINK.get();
    sink(report);
}
