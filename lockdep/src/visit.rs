//! Ways into the state of this CPU: short looks that go by one word, and visits for everything else.
//!
//! Between two of them the height of the stack, and whether anything stands aside in it, is a word that travels with the
//! pin (`cpu.rs`); a visit unpacks it and packs it again. `validator.rs` comes here with events, and whoever reads or sets
//! something for all CPUs to be [`alone`]. Nothing here judges.

use core::fmt;
use core::ops::{Deref, DerefMut};

use crate::cpu::{self, CpuId, NoPin, PerCpu, Pin, Slot, Turn, Undisturbed};
use crate::held::MAX_HELD;
use crate::hold::{Hold, Tail};
use crate::state::CpuState;
use crate::sync::{AtomicU32, Ordering};

static CPUS: PerCpu<CpuState> = PerCpu::new();

const _: () = assert!(size_of::<Slot<CpuState>>() <= 4096, "4 KiB per CPU");

/// Events on an unknown CPU.
pub(crate) static UNATTRIBUTED: AtomicU32 = AtomicU32::new(0);
/// Events on a CPU that was inside the checker already.
pub(crate) static REENTERED: AtomicU32 = AtomicU32::new(0);

/// The pairs that were looked at, on all CPUs.
pub(crate) fn tally() -> u32 {
    CPUS.tally()
}

/// Where the release finds nothing recorded.
pub(crate) fn nowhere() -> Stay {
    CPUS.nowhere()
}

/// Where the release of an acquisition finds its record, if it was recorded.
pub(crate) type Stay = cpu::Stay<CpuState>;

/// A pin whose state knows the height of its stack: for everything but the short looks.
pub(crate) struct Visit {
    /// On this CPU.
    pub(crate) cpu: CpuId,
    pin: Pin<'static, CpuState>,
}

impl Deref for Visit {
    type Target = CpuState;
    fn deref(&self) -> &CpuState {
        &self.pin
    }
}

impl DerefMut for Visit {
    fn deref_mut(&mut self) -> &mut CpuState {
        &mut self.pin
    }
}

impl Visit {
    /// Counts every lock held as looked at.
    pub(crate) fn count(&self) {
        self.pin.count(self.held.height() as u32);
    }

    pub(crate) fn undisturbed(&self) -> Undisturbed<'_> {
        self.pin.undisturbed()
    }

    /// For the release of what is recorded now.
    pub(crate) fn stay(&self) -> Stay {
        self.pin.stay()
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.pin.word = self.pin.word();
    }
}

/// The way in for everything but the short looks; what could not be checked is counted.
pub(crate) fn visit() -> Option<Visit> {
    enter().map_err(note_missed).ok()
}

fn enter() -> Result<Visit, NoPin> {
    let (cpu, mut pin) = CPUS.pin()?;
    let word = pin.word;
    pin.resume(word);
    Ok(Visit { cpu, pin })
}

#[cold]
fn note_missed(missed: NoPin) {
    let counter = match missed {
        NoPin::Unattributed => &UNATTRIBUTED,
        NoPin::Busy => &REENTERED,
    };
    counter.fetch_add(1, Ordering::Relaxed);
}

/// This context interrupted the checker on its CPU, so it must not wait for the checker's tables; or its CPU is unknown, and
/// another of unknown CPU is at them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("called from what interrupted the checker; call it from a task")
    }
}

impl core::error::Error for Busy {}

impl From<Busy> for fmt::Error {
    fn from(Busy: Busy) -> fmt::Error {
        fmt::Error
    }
}

/// The way to the tables of the checker, for what is no event.
pub(crate) enum Alone {
    /// On a known CPU.
    Here(Visit),
    /// On an unknown one.
    Elsewhere(Turn),
}

impl Alone {
    pub(crate) fn undisturbed(&self) -> Undisturbed<'_> {
        match self {
            Alone::Here(visit) => visit.undisturbed(),
            Alone::Elsewhere(turn) => turn.undisturbed(),
        }
    }
}

/// Not an event, so nothing is counted.
pub(crate) fn alone() -> Result<Alone, Busy> {
    match enter() {
        Ok(visit) => Ok(Alone::Here(visit)),
        Err(NoPin::Unattributed) => Turn::take().map(Alone::Elsewhere).ok_or(Busy),
        Err(NoPin::Busy) => Err(Busy),
    }
}

/// A pin of a CPU that has room for one more and nothing aside: for the short looks.
#[inline(always)]
pub(crate) fn plain() -> Option<Pin<'static, CpuState>> {
    CPUS.pin_if(|word| word < MAX_HELD as u32)
}

/// Records what a short look let pass.
#[inline(always)]
pub(crate) fn put(mut pin: Pin<'static, CpuState>, hold: Hold, tail: Tail) -> Stay {
    let height = pin.word;
    pin.held.put(height as usize, hold, tail);
    pin.word = height + 1;
    pin.stay()
}

/// Of a word: something is held, and nothing stands aside.
#[inline(always)]
pub(crate) fn is_not_empty(word: u32) -> bool {
    word.wrapping_sub(1) < MAX_HELD as u32
}

/// A pin of a CPU that holds something and has nothing aside.
pub(crate) fn holding() -> Option<Pin<'static, CpuState>> {
    CPUS.pin_if(is_not_empty)
}
