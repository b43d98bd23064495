//! The machine with its domains, and the domain table.
//!
//! It finds and creates domains and decides nothing about them. A slot is written once and never emptied, so a lookup
//! takes no lock and a domain stays findable, as dying, after its end. Hypercalls and whatever boots the system use
//! it. Xen's table is a hash under RCU with domain ids handed out upwards (`common/domain.c`, `common/domctl.c`).

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU16, Ordering};

use spin::Once;

use crate::domain::{Domain, DomainConfig};
use crate::error::HvError;
use crate::log_dirty::CopyMode;
use crate::machine::Machine;
use crate::types::{DomainId, Preemption};

/// The most domains that a system has in its life.
pub const MAX_DOMAINS: u16 = 64;

/// What a system is built with.
#[derive(Clone, Copy, Debug)]
pub struct SystemConfig {
    /// 4 KiB frames of the machine.
    pub nr_frames: usize,
    /// How dirty bitmaps reach their caller.
    pub copy: CopyMode,
    /// When long operations are preempted.
    pub preemption: Preemption,
}

impl Default for SystemConfig {
    /// 16 MiB, everything else as in Xen.
    fn default() -> Self {
        SystemConfig { nr_frames: 4096, copy: CopyMode::UnderLock, preemption: Preemption::default() }
    }
}

/// One machine and its domains.
pub struct System {
    machine: Machine,
    domains: [Once<Arc<Domain>>; MAX_DOMAINS as usize],
    next: AtomicU16,
    config: SystemConfig,
}

impl System {
    /// A machine without domains.
    pub fn new(config: SystemConfig) -> System {
        System {
            machine: Machine::new(config.nr_frames),
            domains: [const { Once::new() }; MAX_DOMAINS as usize],
            next: AtomicU16::new(0),
            config,
        }
    }

    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What it was built with.
    pub fn config(&self) -> &SystemConfig {
        &self.config
    }

    /// The domain with this id.
    pub fn domain(&self, id: DomainId) -> Option<&Arc<Domain>> {
        self.domains.get(usize::from(id.get()))?.get()
    }

    /// Creates a domain that nobody controls, as the hypervisor does at boot.
    ///
    /// # Errors
    /// [`HvError::TooManyDomains`], [`HvError::TooManyVcpus`],
    /// [`HvError::HeapExhausted`]. A failure after the first uses an id up.
    pub fn boot(&self, config: &DomainConfig) -> Result<&Arc<Domain>, HvError> {
        self.add(None, config)
    }

    /// Creates a domain that `creator` controls from its first moment on.
    ///
    /// # Errors
    /// As [`boot`](Self::boot); [`HvError::PermissionDenied`] when the creator is no control domain.
    pub fn create(&self, creator: &Domain, config: &DomainConfig) -> Result<&Arc<Domain>, HvError> {
        if !creator.is_privileged() {
            return Err(HvError::PermissionDenied);
        }
        self.add(Some(creator), config)
    }

    fn add(&self, creator: Option<&Domain>, config: &DomainConfig) -> Result<&Arc<Domain>, HvError> {
        let bump = |next| if next < MAX_DOMAINS { Some(next + 1) } else { None };
        let id = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, bump);
        let id = id.map_err(|_| HvError::TooManyDomains)?;
        let domain = Domain::build(&self.machine, DomainId::new(id), config)?;
        if let Some(creator) = creator {
            // Before anybody can find it: nobody ever sees it without its controller.
            domain.record_creator(creator)?;
        }
        Ok(self.domains[usize::from(id)].call_once(|| Arc::new(domain)))
    }
}
