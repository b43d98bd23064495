//! What the checker says: data first, text second, and where it goes.
//!
//! A [`Report`] names both locks with owner, mode and site. Its `Display` is the plain console text; a kernel
//! that wants another form reads the fields. The [`Sink`] is one function that the kernel chooses. Nothing here
//! decides whether to report.

use core::fmt;
use core::panic::Location;

use lock_api::Mutex;

use crate::cpu::CpuId;
use crate::held::{HeldLock, Instance, Mode};
use crate::order::{Discipline, Relation};
use crate::owner::OwnerId;
use crate::spin::RawSpin;

/// What is wrong. Kebab-case in text, as the analyzer's codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    /// The discipline refuses this nesting.
    OrderViolation,
    /// The holder waits for the very instance it holds.
    Recursion,
    /// An operation was entered by a domain that does not control its subject.
    RoleUnfounded,
    /// A lock was released that this CPU does not hold.
    NotHeld,
}

impl Code {
    /// The code as printed.
    pub const fn name(self) -> &'static str {
        match self {
            Code::OrderViolation => "order-violation",
            Code::Recursion => "recursion",
            Code::RoleUnfounded => "role-unfounded",
            Code::NotHeld => "not-held",
        }
    }
}

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
    /// One lock.
    Lock(Attempt),
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

struct Named<'a>(&'a Instance, Mode);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Named(Instance { class, owner, key, .. }, mode) = self;
        write!(f, "{}::{} (level {}) of {owner}", class.order, class.name, class.level.get())?;
        if let Some(key) = key {
            write!(f, ", key {key}")?;
        }
        f.write_str(match mode {
            Mode::Exclusive => ", exclusive",
            Mode::Shared => ", shared",
        })
    }
}

impl fmt::Display for Report {
    /// For a nesting that levels decide, the first line is what Xen prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.matter {
            Matter::Nesting { held, wanted, relation, effective: (below, above) } => {
                let order = wanted.instance.class.order;
                match self.code {
                    Code::OrderViolation if below > above => {
                        writeln!(f, "{order} locking order violation: {below} > {above}")?
                    }
                    Code::OrderViolation => {
                        writeln!(f, "{order} locking order violation: {}", relation.name())?
                    }
                    _ => writeln!(f, "{order} lock already held by {}", held.site)?,
                }
                writeln!(f, "  wanted: {} at {}", Named(&wanted.instance, wanted.mode), wanted.site)?;
                writeln!(f, "  held:   {} at {}", Named(&held.instance, held.mode), held.site)?;
                write!(f, "  owners: {}", relation.name())?;
            }
            Matter::Lock(attempt) => {
                writeln!(f, "lock released that this CPU does not hold")?;
                write!(f, "  lock:   {} at {}", Named(&attempt.instance, attempt.mode), attempt.site)?;
            }
            Matter::Roles { lower, upper, site } => {
                writeln!(f, "operation entered by a domain that does not control its subject")?;
                write!(f, "  roles:  {} is {}, {} is {} at {site}", lower.0, lower.1, upper.0, upper.1)?;
            }
        }
        let (code, cpu, rule) = (self.code.name(), self.cpu, self.discipline.name);
        write!(f, "\n  rule:   {code} under `{rule}`, on CPU {cpu}")
    }
}

/// Where reports go. It runs on the reporting CPU, before the acquisition, and may take checked locks: those are
/// then not checked themselves.
pub type Sink = fn(&Report);

/// The sink until another is set.
///
/// # Panics
/// Always: with the report as the message.
pub fn panic_sink(report: &Report) {
    panic!("{report}");
}

static SINK: Mutex<RawSpin, Sink> = Mutex::new(panic_sink);

/// Sends reports to `sink` from now on.
pub fn set_sink(sink: Sink) {
    *SINK.lock() = sink;
}

pub(crate) fn send(report: &Report) {
    // Copied out first: the sink may panic or set another sink.
    let sink = *SINK.lock();
    sink(report);
}
