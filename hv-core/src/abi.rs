//! The hypercall interface: numbers, typed requests, and the record in guest memory that carries one.
//!
//! It translates and decides nothing: no domain is looked up here. `hypercall.rs` uses it, and so may a caller who
//! builds requests. Hypercall, domctl, shadow-op and dm-op numbers are Xen's (`public/xen.h`, `public/domctl.h`,
//! `public/hvm/dm_op.h`, `public/memory.h`); the record is one of our own, of one size for all hypercalls.
//!
//! Where a request is wrong in two ways, what decoding finds is reported before what the operation would find.

use crate::dm_op::ModifiedMemory;
use crate::error::HvError;
use crate::log_dirty::ScanReport;
use crate::types::{DomainId, Gfn, GuestHandle, Mfn, PageOrder};

/// The version that a domctl must name.
pub const DOMCTL_INTERFACE_VERSION: u32 = 1;

/// Hypercall numbers.
pub mod number {
    /// memory_op.
    pub const MEMORY_OP: u32 = 12;
    /// domctl.
    pub const DOMCTL: u32 = 36;
    /// dm_op.
    pub const DM_OP: u32 = 41;
    /// paging_domctl_cont (arch_1): how a preempted shadow operation comes back.
    pub const PAGING_DOMCTL_CONT: u32 = 49;

    /// Domctl: destroydomain.
    pub const DOMCTL_DESTROYDOMAIN: u32 = 2;
    /// Domctl: shadow_op.
    pub const DOMCTL_SHADOW_OP: u32 = 10;
    /// Domctl: set_target.
    pub const DOMCTL_SET_TARGET: u32 = 46;

    /// Shadow op: off.
    pub const SHADOW_OFF: u32 = 0;
    /// Shadow op: switch log-dirty on.
    pub const SHADOW_ENABLE_LOGDIRTY: u32 = 2;
    /// Shadow op: report and clean.
    pub const SHADOW_CLEAN: u32 = 11;
    /// Shadow op: report.
    pub const SHADOW_PEEK: u32 = 12;
    /// Shadow op: size of the paging pool.
    pub const SHADOW_GET_ALLOCATION: u32 = 30;
    /// Shadow op: set the size of the paging pool.
    pub const SHADOW_SET_ALLOCATION: u32 = 31;
    /// Shadow op: switch on what the mode bits say.
    pub const SHADOW_ENABLE: u32 = 32;

    /// Mode bit of CLEAN and PEEK: the last round. What the hypervisor itself keeps mapped writable is to be
    /// reported; it keeps nothing here.
    pub const SHADOW_MODE_FINAL: u32 = 1 << 0;
    /// Mode bit of ENABLE: log-dirty.
    pub const SHADOW_MODE_LOG_DIRTY: u32 = 1 << 2;

    /// dm_op: modified_memory.
    pub const DMOP_MODIFIED_MEMORY: u32 = 11;

    /// memory_op: increase_reservation.
    pub const MEMORY_INCREASE_RESERVATION: u32 = 0;
    /// memory_op: decrease_reservation.
    pub const MEMORY_DECREASE_RESERVATION: u32 = 1;
    /// memory_op: populate_physmap.
    pub const MEMORY_POPULATE_PHYSMAP: u32 = 6;
}

/// A shadow operation as the caller wrote it: the subject's state is checked before op and mode are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShadowOp {
    /// One of `SHADOW_*`.
    pub op: u32,
    /// Mode bits.
    pub mode: u32,
    /// Where the bitmap goes.
    pub bitmap: Option<GuestHandle>,
    /// Its size in guest pages.
    pub pages: u64,
    /// Size of the paging pool in MiB.
    pub mb: u32,
}

impl ShadowOp {
    /// The operation `op` with nothing else.
    pub const fn new(op: u32) -> ShadowOp {
        ShadowOp { op, mode: 0, bitmap: None, pages: 0, mb: 0 }
    }

    /// CLEAN or PEEK of `pages` guest pages into `bitmap`.
    pub const fn scan(op: u32, bitmap: Option<GuestHandle>, pages: u64) -> ShadowOp {
        ShadowOp { bitmap, pages, ..ShadowOp::new(op) }
    }
}

/// A domctl.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Domctl {
    /// Destroys the domain.
    Destroy,
    /// Log-dirty and paging pool.
    Shadow(ShadowOp),
    /// Makes the domain the device model of another.
    SetTarget {
        /// That other.
        target: DomainId,
    },
}

/// A device-model operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DmOp {
    /// Pages that an emulator has written.
    ModifiedMemory(ModifiedMemory),
}

/// A memory operation on one page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemoryOp {
    /// A new page for a PV domain.
    Increase {
        /// Its size.
        order: PageOrder,
    },
    /// A page given back by a translated domain.
    Decrease {
        /// Where it is.
        gfn: Gfn,
        /// Its size.
        order: PageOrder,
    },
    /// A new page for a translated domain.
    Populate {
        /// Where it goes.
        gfn: Gfn,
        /// Its size.
        order: PageOrder,
    },
}

/// A decoded hypercall.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// By a control domain.
    Domctl {
        /// On whom.
        domain: DomainId,
        /// What.
        op: Domctl,
    },
    /// The next leg of a preempted shadow operation.
    ContinueShadow {
        /// On whom.
        domain: DomainId,
        /// What.
        op: ShadowOp,
    },
    /// By a device model.
    DmOp {
        /// On whom.
        domain: DomainId,
        /// What.
        op: DmOp,
    },
    /// On the caller itself ([`DomainId::SELF`]) or a domain it controls.
    Memory {
        /// On whom.
        domain: DomainId,
        /// What.
        op: MemoryOp,
    },
}

/// What a hypercall that is done has to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Response {
    /// That it is done.
    Nothing,
    /// CLEAN and PEEK.
    Scan(ScanReport),
    /// Size of the paging pool in MiB, rounded up.
    Allocation {
        /// MiB.
        mb: u32,
    },
    /// The first frame of a new page.
    Frame(Mfn),
}

/// A request in guest memory, little-endian, without alignment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record(pub [u8; Record::SIZE]);

// Offsets. The first two words and the domain are common; the rest depends on the operation.
const COMMAND: usize = 0;
/// Interface version of a domctl; padding of a dm_op.
const VERSION: usize = 4;
const DOMAIN: usize = 8;
const SHADOW_OP: usize = 16;
const SHADOW_MODE: usize = 20;
const SHADOW_BITMAP: usize = 24;
const SHADOW_PAGES: usize = 32;
const SHADOW_FAULTS: usize = 40;
const SHADOW_DIRTY: usize = 44;
const SHADOW_MB: usize = 48;
const TARGET: usize = 16;
const DM_EXTENTS: usize = 16;
const DM_SIZE: usize = 24;
const DM_NR: usize = 32;
const DM_OPAQUE: usize = 36;
const MEMORY_GFN: usize = 16;
const MEMORY_ORDER: usize = 24;
const MEMORY_MFN: usize = 32;

impl Record {
    /// Bytes of a record.
    pub const SIZE: usize = 64;

    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        core::array::from_fn(|index| self.0[at + index])
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes(at))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }

    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        self.0[at..at + N].copy_from_slice(&bytes);
    }

    /// What hypercall `number` with this record asks for.
    ///
    /// # Errors
    /// [`HvError::UnknownHypercall`], [`HvError::InterfaceVersion`], [`HvError::UnknownOperation`],
    /// [`HvError::NotAContinuation`], [`HvError::DmOpPadding`], [`HvError::UnknownDmOp`],
    /// [`HvError::BadOrder`].
    pub fn decode(&self, number: u32) -> Result<Request, HvError> {
        let domain = DomainId::new(self.u16(DOMAIN));
        match number {
            number::DOMCTL => Ok(Request::Domctl { domain, op: self.domctl()? }),
            number::PAGING_DOMCTL_CONT => match self.domctl() {
                Ok(Domctl::Shadow(op)) => Ok(Request::ContinueShadow { domain, op }),
                _ => Err(HvError::NotAContinuation),
            },
            number::DM_OP => Ok(Request::DmOp { domain, op: self.dm_op()? }),
            number::MEMORY_OP => Ok(Request::Memory { domain, op: self.memory_op()? }),
            _ => Err(HvError::UnknownHypercall),
        }
    }

    fn domctl(&self) -> Result<Domctl, HvError> {
        if self.u32(VERSION) != DOMCTL_INTERFACE_VERSION {
            return Err(HvError::InterfaceVersion);
        }
        match self.u32(COMMAND) {
            number::DOMCTL_DESTROYDOMAIN => Ok(Domctl::Destroy),
            number::DOMCTL_SHADOW_OP => Ok(Domctl::Shadow(ShadowOp {
                op: self.u32(SHADOW_OP),
                mode: self.u32(SHADOW_MODE),
                bitmap: Some(GuestHandle::new(self.u64(SHADOW_BITMAP))).filter(|handle| handle.get() != 0),
                pages: self.u64(SHADOW_PAGES),
                mb: self.u32(SHADOW_MB),
            })),
            number::DOMCTL_SET_TARGET => Ok(Domctl::SetTarget { target: DomainId::new(self.u16(TARGET)) }),
            _ => Err(HvError::UnknownOperation),
        }
    }

    fn dm_op(&self) -> Result<DmOp, HvError> {
        if self.u32(VERSION) != 0 {
            return Err(HvError::DmOpPadding);
        }
        match self.u32(COMMAND) {
            number::DMOP_MODIFIED_MEMORY => Ok(DmOp::ModifiedMemory(ModifiedMemory {
                extents: GuestHandle::new(self.u64(DM_EXTENTS)),
                size: self.u64(DM_SIZE),
                nr_extents: self.u32(DM_NR),
                opaque: self.u32(DM_OPAQUE),
            })),
            _ => Err(HvError::UnknownDmOp),
        }
    }

    fn memory_op(&self) -> Result<MemoryOp, HvError> {
        let gfn = Gfn::new(self.u64(MEMORY_GFN));
        let order = PageOrder::from_order(self.u32(MEMORY_ORDER)).ok_or(HvError::BadOrder)?;
        match self.u32(COMMAND) {
            number::MEMORY_INCREASE_RESERVATION => Ok(MemoryOp::Increase { order }),
            number::MEMORY_DECREASE_RESERVATION => Ok(MemoryOp::Decrease { gfn, order }),
            number::MEMORY_POPULATE_PHYSMAP => Ok(MemoryOp::Populate { gfn, order }),
            _ => Err(HvError::UnknownOperation),
        }
    }

    /// The hypercall number and record of a request.
    pub fn encode(request: &Request) -> (u32, Record) {
        let mut record = Record([0; Record::SIZE]);
        let (number, domain, command) = match request {
            Request::Domctl { domain, op } => (number::DOMCTL, domain, record.put_domctl(op)),
            Request::ContinueShadow { domain, op } => {
                (number::PAGING_DOMCTL_CONT, domain, record.put_domctl(&Domctl::Shadow(*op)))
            }
            Request::DmOp { domain, op: DmOp::ModifiedMemory(op) } => {
                record.put(DM_EXTENTS, op.extents.get().to_le_bytes());
                record.put(DM_SIZE, op.size.to_le_bytes());
                record.put(DM_NR, op.nr_extents.to_le_bytes());
                record.put(DM_OPAQUE, op.opaque.to_le_bytes());
                (number::DM_OP, domain, number::DMOP_MODIFIED_MEMORY)
            }
            Request::Memory { domain, op } => (number::MEMORY_OP, domain, record.put_memory_op(op)),
        };
        record.put(COMMAND, command.to_le_bytes());
        record.put(DOMAIN, domain.get().to_le_bytes());
        (number, record)
    }

    fn put_domctl(&mut self, op: &Domctl) -> u32 {
        self.put(VERSION, DOMCTL_INTERFACE_VERSION.to_le_bytes());
        match op {
            Domctl::Destroy => number::DOMCTL_DESTROYDOMAIN,
            Domctl::Shadow(shadow) => {
                self.put(SHADOW_OP, shadow.op.to_le_bytes());
                self.put(SHADOW_MODE, shadow.mode.to_le_bytes());
                self.put(SHADOW_BITMAP, shadow.bitmap.map_or(0, GuestHandle::get).to_le_bytes());
                self.put(SHADOW_PAGES, shadow.pages.to_le_bytes());
                self.put(SHADOW_MB, shadow.mb.to_le_bytes());
                number::DOMCTL_SHADOW_OP
            }
            Domctl::SetTarget { target } => {
                self.put(TARGET, target.get().to_le_bytes());
                number::DOMCTL_SET_TARGET
            }
        }
    }

    fn put_memory_op(&mut self, op: &MemoryOp) -> u32 {
        let (command, gfn, order) = match *op {
            MemoryOp::Increase { order } => (number::MEMORY_INCREASE_RESERVATION, Gfn::new(0), order),
            MemoryOp::Decrease { gfn, order } => (number::MEMORY_DECREASE_RESERVATION, gfn, order),
            MemoryOp::Populate { gfn, order } => (number::MEMORY_POPULATE_PHYSMAP, gfn, order),
        };
        self.put(MEMORY_GFN, gfn.get().to_le_bytes());
        self.put(MEMORY_ORDER, order.order().to_le_bytes());
        command
    }

    /// Puts what the hypercall returns into the record of its request.
    pub fn put_response(&mut self, response: &Response) {
        match response {
            Response::Nothing => {}
            Response::Scan(report) => {
                self.put_pages(report.pages);
                self.put(SHADOW_FAULTS, report.stats.fault_count.to_le_bytes());
                self.put(SHADOW_DIRTY, report.stats.dirty_count.to_le_bytes());
            }
            Response::Allocation { mb } => self.put(SHADOW_MB, mb.to_le_bytes()),
            Response::Frame(mfn) => self.put(MEMORY_MFN, mfn.get().to_le_bytes()),
        }
    }

    /// Puts the number of guest pages that were reported into the record of a CLEAN or PEEK.
    pub fn put_pages(&mut self, pages: u64) {
        self.put(SHADOW_PAGES, pages.to_le_bytes());
    }
}
