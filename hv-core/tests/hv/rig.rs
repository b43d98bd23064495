//! A system with a control domain and a guest, and short names for what tests do to it.

use std::sync::Arc;

use hv_core::abi::{DmOp, Domctl, Request, Response, ShadowOp, number};
use hv_core::dirty_trie::LEAF_PFNS;
use hv_core::dm_op::{EXTENT_SIZE, ModifiedMemory};
use hv_core::domain::{Domain, DomainConfig, DomainKind};
use hv_core::error::HvError;
use hv_core::guest_copy::{guest_read, guest_write};
use hv_core::hypercall::{Outcome, hypercall};
use hv_core::log_dirty::{CopyMode, ScanReport};
use hv_core::machine::Machine;
use hv_core::physmap;
use hv_core::system::{System, SystemConfig};
use hv_core::types::{DomainId, Gfn, GuestHandle, PAGE_SIZE, PageOrder, Preemption};

pub const BOTH: [CopyMode; 2] = [CopyMode::UnderLock, CopyMode::Snapshot];

/// Where the pages of the control domain begin that requests and bitmaps go to; address 0 would be a null handle.
pub const BUFFER_GFN: u64 = 0x10;
/// How many there are.
pub const BUFFER_PAGES: u64 = 8;

pub const KINDS: [DomainKind; 3] = [DomainKind::Pvh, DomainKind::Hvm, DomainKind::Pv];
/// Pages that tests write: both ends of leaves 0 and 1, and one page of leaf 3.
pub const PAGES: [u64; 5] = [1, LEAF_PFNS - 1, LEAF_PFNS, 2 * LEAF_PFNS - 1, 3 * LEAF_PFNS + 9];

pub struct Rig {
    pub system: System,
    pub control: Arc<Domain>,
    pub guest: Arc<Domain>,
    /// Where the control domain's buffer begins, as it names it.
    pub buffer: GuestHandle,
}

/// A budget after which no test is preempted.
pub const UNPREEMPTED: Preemption = Preemption { leaves: u32::MAX, pfns: u32::MAX };

impl Rig {
    pub fn new() -> Rig {
        Rig::with(CopyMode::UnderLock, UNPREEMPTED, DomainKind::Pvh)
    }

    pub fn with(copy: CopyMode, preemption: Preemption, control: DomainKind) -> Rig {
        crate::cpus::install();
        let system = System::new(SystemConfig { nr_frames: 2048, copy, preemption });
        let machine = system.machine();
        let config = DomainConfig { privileged: true, ..DomainConfig::new(control) };
        let control = system.boot(&config).expect("room for a control domain").clone();
        let config = DomainConfig { paging_frames: 32, vcpus: 2, ..DomainConfig::new(DomainKind::Hvm) };
        let guest = system.create(&control, &config).expect("room for a guest").clone();
        let buffer = if control.is_translated() {
            for page in 0..BUFFER_PAGES {
                let gfn = Gfn::new(BUFFER_GFN + page);
                physmap::populate(machine, &control, gfn, PageOrder::Page4K).expect("memory");
            }
            Gfn::new(BUFFER_GFN).gpa().get()
        } else {
            let page = physmap::increase_reservation(machine, &control, PageOrder::Page2M).expect("memory");
            page.get() * PAGE_SIZE as u64
        };
        Rig { buffer: GuestHandle::new(buffer), control, guest, system }
    }

    pub fn machine(&self) -> &Machine {
        self.system.machine()
    }

    /// Gives the guest one page.
    pub fn populate(&self, gfn: u64) {
        physmap::populate(self.machine(), &self.guest, Gfn::new(gfn), PageOrder::Page4K).expect("memory");
    }

    /// Creates another domain that the control domain controls.
    pub fn create(&self, config: DomainConfig) -> Arc<Domain> {
        self.system.create(&self.control, &config).expect("room for a domain").clone()
    }

    /// Makes a hypercall as vCPU 0 of `caller`, all legs of it.
    pub fn call(&self, caller: &Domain, mut request: Request) -> Result<Response, HvError> {
        loop {
            match self.leg(caller, &mut request)? {
                Outcome::Done(response) => return Ok(response),
                Outcome::Continue => {}
            }
        }
    }

    /// One leg of a hypercall.
    pub fn leg(&self, caller: &Domain, request: &mut Request) -> Result<Outcome, HvError> {
        let run = caller.enter(0).expect("vCPU 0 is free");
        hypercall(&self.system, &run, request)
    }

    pub fn domctl(&self, domain: DomainId, op: Domctl) -> Result<Response, HvError> {
        self.call(&self.control, Request::Domctl { domain, op })
    }

    pub fn shadow(&self, op: ShadowOp) -> Result<Response, HvError> {
        self.domctl(self.guest.id(), Domctl::Shadow(op))
    }

    pub fn enable(&self) {
        self.shadow(ShadowOp::new(number::SHADOW_ENABLE_LOGDIRTY)).expect("log-dirty goes on");
    }

    /// A PEEK or CLEAN of `leaves` whole leaves into the buffer.
    pub fn scan(&self, op: u32, leaves: u64) -> Result<ScanReport, HvError> {
        match self.shadow(ShadowOp::scan(op, Some(self.buffer), leaves * LEAF_PFNS))? {
            Response::Scan(report) => Ok(report),
            other => panic!("a scan answered {other:?}"),
        }
    }

    /// The pfns in the bitmap of so many pages that the last scan left in the buffer.
    pub fn bitmap(&self, pages: u64) -> Vec<u64> {
        let bytes = self.read_buffer(0, pages.div_ceil(8) as usize);
        (0..pages).filter(|pfn| bytes[(pfn / 8) as usize] & (1 << (pfn % 8)) != 0).collect()
    }

    /// CLEANs `leaves` leaves and returns what was dirty.
    pub fn clean(&self, leaves: u64) -> Vec<u64> {
        self.scan(number::SHADOW_CLEAN, leaves).expect("a CLEAN");
        self.bitmap(leaves * LEAF_PFNS)
    }

    /// PEEKs `leaves` leaves and returns what is dirty.
    pub fn peek(&self, leaves: u64) -> Vec<u64> {
        self.scan(number::SHADOW_PEEK, leaves).expect("a PEEK");
        self.bitmap(leaves * LEAF_PFNS)
    }

    pub fn write_buffer(&self, offset: u64, bytes: &[u8]) {
        let (frame, within) = self.buffer_frame(offset);
        self.machine().write(frame, within, bytes);
    }

    pub fn read_buffer(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        for (page, part) in (offset..).step_by(PAGE_SIZE).zip(bytes.chunks_mut(PAGE_SIZE)) {
            let (frame, within) = self.buffer_frame(page);
            self.machine().read(frame, within, part);
        }
        bytes
    }

    fn buffer_frame(&self, offset: u64) -> (hv_core::types::Mfn, usize) {
        let address = self.buffer.get() + offset;
        let (page, within) = (address / PAGE_SIZE as u64, address as usize % PAGE_SIZE);
        let frame = if self.control.is_translated() {
            let entry = physmap::lookup(self.machine(), &self.control, Gfn::new(page)).expect("translated");
            entry.expect("the buffer is mapped").mfn
        } else {
            hv_core::types::Mfn::new(page)
        };
        (frame, within)
    }

    /// A store by vCPU 1 of the guest to the first bytes of a page.
    pub fn guest_writes(&self, gfn: u64, bytes: &[u8]) -> Result<(), HvError> {
        let run = self.guest.enter(1).expect("vCPU 1 is free");
        guest_write(self.machine(), &run, Gfn::new(gfn).gpa(), bytes)
    }

    pub fn guest_reads(&self, gfn: u64, len: usize) -> Result<Vec<u8>, HvError> {
        let run = self.guest.enter(1).expect("vCPU 1 is free");
        let mut bytes = vec![0; len];
        guest_read(self.machine(), &run, Gfn::new(gfn).gpa(), &mut bytes)?;
        Ok(bytes)
    }
}

/// Puts extents into the buffer and asks for them.
pub fn extents(rig: &Rig, extents: &[(u64, u32)]) -> Request {
    for (at, (first, nr)) in (0..).step_by(EXTENT_SIZE as usize).zip(extents) {
        rig.write_buffer(at, &nr.to_le_bytes());
        rig.write_buffer(at + 4, &[0; 4]);
        rig.write_buffer(at + 8, &first.to_le_bytes());
    }
    let op = ModifiedMemory {
        extents: rig.buffer,
        size: extents.len() as u64 * EXTENT_SIZE,
        nr_extents: extents.len() as u32,
        opaque: 0,
    };
    Request::DmOp { domain: rig.guest.id(), op: DmOp::ModifiedMemory(op) }
}

/// The guest writes all of [`PAGES`].
pub fn write_all(rig: &Rig) {
    for gfn in PAGES {
        rig.guest_writes(gfn, b"dirt").expect("mapped");
    }
}

/// A guest that has [`PAGES`] and logs.
pub fn logging(copy: CopyMode, preemption: Preemption, kind: DomainKind) -> Rig {
    let rig = Rig::with(copy, preemption, kind);
    PAGES.iter().for_each(|gfn| rig.populate(*gfn));
    rig.enable();
    rig
}
