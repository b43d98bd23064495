//! Which vCPUs of a domain run, and whether the domain is paused.
//!
//! One atomic word and no lock: pausing waits for vCPUs, and a vCPU may be waiting for any lock, so a wait under a
//! lock could close a circle that no lock order shows. For the same reason nobody may pause while holding one.
//! It knows no domain; [`Domain`](crate::domain::Domain) is its only user. After `domain_pause` and
//! `domain_unpause` of Xen's `common/domain.c`: counts nest, and a pause returns once no vCPU runs.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::error::HvError;

/// The most vCPUs that a domain can have.
pub const MAX_VCPUS: u32 = 32;
const ONE_PAUSE: u64 = 1 << MAX_VCPUS;
const RUNNING: u64 = ONE_PAUSE - 1;

/// Running vCPUs in the low half, pauses in the high half: neither can change unseen by the other.
#[derive(Debug)]
pub struct RunState {
    vcpus: u32,
    word: AtomicU64,
}

impl RunState {
    /// No vCPU of `vcpus` runs (at most [`MAX_VCPUS`]), nothing is paused.
    pub const fn new(vcpus: u32) -> RunState {
        RunState { vcpus, word: AtomicU64::new(0) }
    }

    /// The number of vCPUs.
    pub fn vcpus(&self) -> u32 {
        self.vcpus
    }

    /// Lets `vcpu` run; false while the domain is paused.
    ///
    /// # Errors
    /// [`HvError::NoSuchVcpu`], [`HvError::VcpuRunning`].
    pub fn try_enter(&self, vcpu: u32) -> Result<bool, HvError> {
        if vcpu >= self.vcpus {
            return Err(HvError::NoSuchVcpu);
        }
        let mut seen = self.word.load(Ordering::Acquire);
        loop {
            if seen & (1 << vcpu) != 0 {
                return Err(HvError::VcpuRunning);
            }
            if seen >= ONE_PAUSE {
                return Ok(false);
            }
            match self.word.compare_exchange_weak(seen, seen | 1 << vcpu, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Ok(true),
                Err(now) => seen = now,
            }
        }
    }

    /// Stops `vcpu`, which runs.
    pub fn leave(&self, vcpu: u32) {
        self.word.fetch_and(!(1 << vcpu), Ordering::Release);
    }

    /// Keeps vCPUs from entering and waits until none runs. Must not be called with a lock held, nor by a vCPU of
    /// the same domain.
    pub fn pause(&self) {
        self.word.fetch_add(ONE_PAUSE, Ordering::AcqRel);
        while self.word.load(Ordering::Acquire) & RUNNING != 0 {
            spin_loop();
        }
    }

    /// Takes one pause back.
    ///
    /// # Panics
    /// In debug builds, when there is none.
    pub fn unpause(&self) {
        let before = self.word.fetch_sub(ONE_PAUSE, Ordering::AcqRel);
        debug_assert!(before >= ONE_PAUSE, "every unpause has its pause");
    }

    /// How many pauses are in force.
    pub fn pauses(&self) -> u32 {
        (self.word.load(Ordering::Acquire) >> MAX_VCPUS) as u32
    }
}
