//! Ways into the state of this CPU: short looks that go by one word, and visits for everything else.
//!
//! Between two of them the height of the stack, and whether anything stands aside in it, is a word that travels with the
//! pin (`cpu.rs`); a visit unpacks it and packs it again. `validator.rs` alone comes here. Nothing here judges.

use core::ops::{Deref, DerefMut};

use crate::check::CpuState;
use crate::cpu::{self, CpuId, NoPin, PerCpu, Pin, Slot};
use crate::held::MAX_HELD;
use crate::hold::{Hold, Tail};
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
    match CPUS.pin() {
        Ok((cpu, mut pin)) => {
            let word = pin.word;
            pin.resume(word);
            Some(Visit { cpu, pin })
        }
        Err(missed) => {
            note_missed(missed);
            None
        }
    }
}

#[cold]
fn note_missed(missed: NoPin) {
    let counter = match missed {
        NoPin::Unattributed => &UNATTRIBUTED,
        NoPin::Busy => &REENTERED,
    };
    counter.fetch_add(1, Ordering::Relaxed);
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
