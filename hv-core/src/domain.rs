//! A domain: its identity, its locks, whether it runs, and whom it controls.
//!
//! It holds one of each lock and says who may do what; operations on the memory of a domain are in the files
//! after this one, which alone may use its locks. `controls` of `lockdep::owner` is the only record of permission:
//! a creator controls what it creates, a device model controls its target, and both control what those control.
//!
//! Xen's `set_target` does not look for cycles (`common/domctl.c`), so two HVM domains can be each other's target
//! and then each may hold a lock of its own while waiting for one of the other. Here a cycle is refused. Other
//! differences: rights over the target of a target are implied, and a control domain has rights over those it
//! controls rather than over everyone.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use lockdep::owner::{self, OwnerError};
use lockdep::{LockOwner, Owner, lock_owner, mm_locks, operation};

use crate::error::HvError;
use crate::locks::levels::{Control, Subject};
use crate::locks::{Mutex, RwLock, levels};
use crate::machine::Machine;
use crate::p2m::{P2mLock, P2mTable};
use crate::page_alloc::{PageAllocLock, PageTotals};
use crate::paging::Paging;
use crate::sched::{MAX_VCPUS, RunState};
use crate::types::{DomainId, Gfn, Pfn};

/// What a domain's memory looks like to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DomainKind {
    /// Paravirtualised: knows machine frames, has no p2m.
    Pv,
    /// Fully virtualised, translated through a p2m.
    Hvm,
    /// Like HVM, without emulated devices.
    Pvh,
}

/// What a domain is created with.
#[derive(Clone, Copy, Debug)]
pub struct DomainConfig {
    /// Its kind.
    pub kind: DomainKind,
    /// Whether it is a control domain: fixed for good, as in Xen.
    pub privileged: bool,
    /// vCPUs, at most [`MAX_VCPUS`].
    pub vcpus: u32,
    /// The most 4 KiB pages it may have, p2m tables included.
    pub max_pages: u64,
    /// 4 KiB pages of its paging pool.
    pub paging_frames: u32,
    /// Whether devices are passed through to it, whose writes cannot be logged.
    pub passthrough: bool,
}

impl DomainConfig {
    /// A domain of one vCPU, unprivileged, that can log the first 128 MiB of its memory.
    pub const fn new(kind: DomainKind) -> DomainConfig {
        DomainConfig {
            kind,
            privileged: false,
            vcpus: 1,
            max_pages: 1024,
            paging_frames: 4,
            passthrough: false,
        }
    }
}

/// One domain.
#[lock_owner]
#[mm_locks]
pub struct Domain {
    #[owner]
    owner: Owner,
    id: DomainId,
    kind: DomainKind,
    privileged: bool,
    passthrough: bool,
    /// Raw [`DomainId`] of the domain that this one is the device model of; [`DomainId::INVALID`] for none.
    target: AtomicU16,
    dying: AtomicBool,
    run: RunState,
    pub(crate) p2m: P2mLock,
    pub(crate) page_alloc: PageAllocLock,
    #[mm_lock(order = paging)]
    pub(crate) paging: Mutex<Paging>,
}

impl Domain {
    /// A domain that nobody controls yet and that has no memory but its paging pool. Called by the domain table.
    ///
    /// # Errors
    /// [`HvError::TooManyVcpus`] for more than [`MAX_VCPUS`], [`HvError::TooManyDomains`],
    /// [`HvError::HeapExhausted`].
    pub(crate) fn build(machine: &Machine, id: DomainId, config: &DomainConfig) -> Result<Domain, HvError> {
        if config.vcpus > MAX_VCPUS {
            return Err(HvError::TooManyVcpus);
        }
        let owner = Owner::register(config.privileged).map_err(|_| HvError::TooManyDomains)?;
        let domain = Domain {
            id,
            kind: config.kind,
            privileged: config.privileged,
            passthrough: config.passthrough,
            target: AtomicU16::new(DomainId::INVALID.get()),
            dying: AtomicBool::new(false),
            run: RunState::new(config.vcpus),
            p2m: P2mLock::from(RwLock::owned(owner.id(), P2mTable::EMPTY)),
            page_alloc: PageAllocLock::new(owner.id(), id, config.max_pages),
            paging: Mutex::owned(owner.id(), Paging::OFF),
            owner,
        };
        let pool = domain.paging.lock().set_allocation(machine, config.paging_frames);
        if let Err(error) = pool {
            domain.paging.lock().teardown(machine)?;
            return Err(error);
        }
        Ok(domain)
    }

    /// Its number.
    pub fn id(&self) -> DomainId {
        self.id
    }

    /// Its kind.
    pub fn kind(&self) -> DomainKind {
        self.kind
    }

    /// Whether it is a control domain.
    pub fn is_privileged(&self) -> bool {
        self.privileged
    }

    /// Whether it has a p2m.
    pub fn is_translated(&self) -> bool {
        self.kind != DomainKind::Pv
    }

    /// Whether devices are passed through to it.
    pub fn has_passthrough(&self) -> bool {
        self.passthrough
    }

    /// Its number of vCPUs.
    pub fn vcpus(&self) -> u32 {
        self.run.vcpus()
    }

    /// Whether it is being destroyed.
    pub fn is_dying(&self) -> bool {
        self.dying.load(Ordering::Acquire)
    }

    /// The domain it is the device model of.
    pub fn target(&self) -> Option<DomainId> {
        let target = DomainId::new(self.target.load(Ordering::Acquire));
        (target != DomainId::INVALID).then_some(target)
    }

    /// Whether it controls `subject`, directly or through others.
    pub fn controls(&self, subject: &Domain) -> bool {
        owner::controls(self.owner_id(), subject.owner_id())
    }

    /// How many pages it has. Acquires `page_alloc`.
    pub fn page_totals(&self) -> PageTotals {
        self.page_alloc.totals()
    }

    /// The highest gfn that was ever mapped. Acquires `p2m`.
    pub fn max_gfn(&self) -> Option<Gfn> {
        self.p2m.read().max_gfn()
    }

    /// Whether log-dirty is on. Acquires `paging`.
    pub fn logs_dirty(&self) -> bool {
        self.paging.lock().is_enabled()
    }

    /// Whether the page is marked in its log-dirty trie. Acquires `paging`.
    pub fn is_dirty(&self, machine: &Machine, pfn: Pfn) -> bool {
        self.paging.lock().is_dirty(machine, pfn)
    }

    /// Marks a page in its log-dirty trie, if log-dirty is on. Acquires `paging`.
    pub(crate) fn mark_dirty(&self, machine: &Machine, pfn: Pfn) {
        self.paging.lock().mark_dirty(machine, pfn);
    }

    /// Lets `vcpu` run, waiting while the domain is paused. Not with a lock held.
    ///
    /// # Errors
    /// [`HvError::NoSuchVcpu`], [`HvError::VcpuRunning`], [`HvError::SubjectDying`].
    pub fn enter(&self, vcpu: u32) -> Result<VcpuRun<'_>, HvError> {
        loop {
            if let Some(run) = self.try_enter(vcpu)? {
                return Ok(run);
            }
            spin_loop();
        }
    }

    /// Lets `vcpu` run unless the domain is paused.
    ///
    /// # Errors
    /// As [`enter`](Self::enter).
    pub fn try_enter(&self, vcpu: u32) -> Result<Option<VcpuRun<'_>>, HvError> {
        if self.is_dying() {
            return Err(HvError::SubjectDying);
        }
        Ok(self.run.try_enter(vcpu)?.then_some(VcpuRun { domain: self, vcpu }))
    }

    /// Keeps its vCPUs from entering and waits until none runs; pauses nest. Not with a lock held, and not by a
    /// vCPU of this domain or of one that it controls: those may be what its own vCPUs wait for.
    pub fn pause(&self) {
        self.run.pause();
    }

    /// Takes one [`pause`](Self::pause) back.
    pub fn unpause(&self) {
        self.run.unpause();
    }

    /// Pauses in force.
    pub fn pauses(&self) -> u32 {
        self.run.pauses()
    }

    /// Stops the domain for good and takes its memory. Waits for its vCPUs. Acquires `paging`, `p2m` and
    /// `page_alloc` one after the other.
    ///
    /// # Errors
    /// [`HvError::SubjectDying`] when that was done before; [`HvError::OperationPending`] while another CPU works
    /// on a log-dirty operation, and nothing has changed then.
    pub(crate) fn kill(&self, machine: &Machine) -> Result<(), HvError> {
        if self.dying.swap(true, Ordering::AcqRel) {
            return Err(HvError::SubjectDying);
        }
        self.pause();
        let unused = self.paging.lock().teardown(machine);
        if let Err(error) = unused {
            self.dying.store(false, Ordering::Release);
            self.unpause();
            return Err(error);
        }
        // Whoever saw the domain alive under the p2m lock has added his page before this.
        self.p2m.write().teardown(machine, &self.page_alloc);
        self.page_alloc.free_all(machine);
        Ok(())
    }

    /// 4 KiB pages of its paging pool. Acquires `paging`.
    pub fn paging_allocation(&self) -> u32 {
        self.paging.lock().allocation()
    }

    /// Grows or shrinks its paging pool to so many 4 KiB pages. Acquires `paging`, and `heap` under it.
    ///
    /// # Errors
    /// [`HvError::SubjectDying`], [`HvError::OperationPending`], [`HvError::HeapExhausted`],
    /// [`HvError::PoolInUse`].
    pub(crate) fn set_paging_allocation(&self, machine: &Machine, frames: u32) -> Result<(), HvError> {
        let mut paging = self.paging.lock();
        // Under the lock, so that a domain being destroyed gets no frames after its pool was emptied.
        if self.is_dying() {
            return Err(HvError::SubjectDying);
        }
        paging.check_idle()?;
        paging.set_allocation(machine, frames)
    }

    /// Records that `creator` controls this domain.
    ///
    /// # Errors
    /// [`HvError::ControlCycle`], which cannot be for a domain that is not in the table yet.
    pub(crate) fn record_creator(&self, creator: &Domain) -> Result<(), HvError> {
        add_control(creator, self)
    }
}

/// Makes `subject` the device model of `target`, for good: it may act on the target from now on. While one attempt
/// is under way another one on the same domain may be told that there is a target already.
///
/// # Errors
/// [`HvError::TargetInvalid`], [`HvError::TargetNotTranslated`]; [`HvError::ControlCycle`] when the target
/// controls the domain; [`HvError::PermissionDenied`] when the caller does not control the target.
#[operation]
pub fn set_target(
    #[role(subject)] subject: Subject<'_, Domain>,
    #[role(control)] caller: Control<'_, Domain>,
    target: &Domain,
) -> Result<(), HvError> {
    let device_model = subject.get();
    if device_model.id == target.id || device_model.target().is_some() {
        return Err(HvError::TargetInvalid);
    }
    if !target.is_translated() {
        return Err(HvError::TargetNotTranslated);
    }
    if target.controls(device_model) {
        return Err(HvError::ControlCycle);
    }
    if !caller.controls(target) {
        return Err(HvError::PermissionDenied);
    }
    let none = DomainId::INVALID.get();
    let set = |from, to| device_model.target.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
    set(none, target.id.get()).map_err(|_| HvError::TargetInvalid)?;
    add_control(device_model, target).inspect_err(|_| {
        // Nobody else writes while it is not `none`, so this cannot fail.
        let _ = set(target.id.get(), none);
    })
}

fn add_control(controller: &Domain, subject: &Domain) -> Result<(), HvError> {
    owner::add_control(controller.owner_id(), subject.owner_id()).map_err(|error| match error {
        OwnerError::Cycle => HvError::ControlCycle,
        OwnerError::Full | OwnerError::Unknown | OwnerError::Deep => HvError::TooManyDomains,
    })
}

/// Proof that a vCPU runs; the domain cannot be paused to the end while it exists.
pub struct VcpuRun<'d> {
    domain: &'d Domain,
    vcpu: u32,
}

impl<'d> VcpuRun<'d> {
    /// The domain of the vCPU.
    pub fn domain(&self) -> &'d Domain {
        self.domain
    }
}

impl Drop for VcpuRun<'_> {
    fn drop(&mut self) {
        self.domain.run.leave(self.vcpu);
    }
}
