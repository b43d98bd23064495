//! A machine with four tiers of domains to migrate: guests, a device model of one of them, a control domain, and a
//! second control domain above the first.
//!
//! It boots and lays out memory; what happens in it is in `writers.rs` and `migration.rs`. Memory is spread over
//! several leaves of the log-dirty trie, so that a leaf as the unit of preemption cuts every operation up.

use std::sync::Arc;

use hv_core::abi::{Domctl, Request};
use hv_core::dirty_trie::LEAF_PFNS;
use hv_core::domain::{Domain, DomainConfig, DomainKind};
use hv_core::hypercall::{Outcome, hypercall};
use hv_core::log_dirty::CopyMode;
use hv_core::machine::Machine;
use hv_core::p2m::P2mEntry;
use hv_core::physmap;
use hv_core::system::{System, SystemConfig};
use hv_core::types::{Gfn, GuestHandle, P2mType, PAGE_SIZE, PageOrder, Preemption};

/// Leaves of the trie over which the memory of a domain is spread.
pub const LEAVES: u64 = 3;
/// Single pages of a guest in each leaf.
const GUEST_PAGES: u64 = 40;
/// Pages that a desk copies through.
const BOUNCE_PAGES: u64 = 16;

/// A domain and where it has memory.
pub struct Tenant {
    /// The domain.
    pub domain: Arc<Domain>,
    /// Its pages, ascending.
    pub pages: Vec<Gfn>,
}

impl Tenant {
    fn new(domain: &Arc<Domain>) -> Tenant {
        Tenant { domain: domain.clone(), pages: Vec::new() }
    }

    fn populate(&mut self, machine: &Machine, first: u64, order: PageOrder) {
        physmap::populate(machine, &self.domain, Gfn::new(first), order)
            .expect("the machine is large enough");
        self.pages.extend((first..first + order.pages()).map(Gfn::new));
        self.pages.sort_unstable();
    }

    /// Whether it has this page.
    pub fn has(&self, gfn: Gfn) -> bool {
        self.pages.binary_search(&gfn).is_ok()
    }

    /// The bytes of one of its pages, read past every lock. `None` when it is not mapped.
    pub fn page(&self, machine: &Machine, gfn: Gfn) -> Option<Vec<u8>> {
        let entry = physmap::lookup(machine, &self.domain, gfn).expect("the domain is translated")?;
        let mut bytes = vec![0; PAGE_SIZE];
        machine.read(entry.mfn, 0, &mut bytes);
        Some(bytes)
    }
}

/// The pages that one vCPU of a control domain works with.
#[derive(Clone, Copy, Debug)]
pub struct Desk {
    base: u64,
}

impl Desk {
    /// That of this vCPU.
    pub const fn of(vcpu: u32) -> Desk {
        Desk { base: 0x100 * (vcpu as u64 + 1) }
    }

    /// Where requests are written.
    pub fn record(self) -> GuestHandle {
        GuestHandle::new(Gfn::new(self.base).gpa().get())
    }

    /// Where bitmaps go: a page per leaf, and after them an address without memory.
    pub fn bitmap(self) -> GuestHandle {
        GuestHandle::new(Gfn::new(self.base + 1).gpa().get())
    }

    /// Where a page of the subject is mapped while it is read.
    pub fn window(self) -> Gfn {
        Gfn::new(self.base + 0x20)
    }

    /// Where the `turn`-th page is put before it goes out. In another leaf than the rest.
    pub fn bounce(self, turn: u64) -> Gfn {
        Gfn::new(LEAF_PFNS + self.base + turn % BOUNCE_PAGES)
    }

    fn furnish(self, tenant: &mut Tenant, machine: &Machine) {
        let desk =
            (self.base..=self.base + LEAVES).chain((0..BOUNCE_PAGES).map(|turn| self.bounce(turn).get()));
        desk.for_each(|gfn| tenant.populate(machine, gfn, PageOrder::Page4K));
    }
}

/// The machine.
pub struct World {
    /// Its domains; operations reach their callers under the lock.
    pub system: System,
    /// Controls everyone.
    pub upper: Tenant,
    /// Controls the guests and the device model; a PVH domain with two vCPUs, each with a desk.
    pub control: Tenant,
    /// The device model of the first guest, whose memory it maps at the same gfns.
    pub model: Tenant,
    /// The guests, two vCPUs each. The first has a 2 MiB page, which the first write fault splits.
    pub guests: [Tenant; 2],
}

impl World {
    /// Boots it, with operations preempted after `preemption`. All four tiers log nothing yet.
    ///
    /// # Panics
    /// When hv-core refuses one of the steps.
    pub fn boot(preemption: Preemption) -> World {
        let system =
            System::new(SystemConfig { copy: CopyMode::UnderLock, preemption, ..SystemConfig::default() });
        let machine = system.machine();
        let config = |kind, vcpus, privileged| DomainConfig {
            vcpus,
            privileged,
            paging_frames: 16,
            ..DomainConfig::new(kind)
        };

        let mut upper = Tenant::new(system.boot(&config(DomainKind::Pvh, 1, true)).expect("room"));
        Desk::of(0).furnish(&mut upper, machine);
        let made = system.create(&upper.domain, &config(DomainKind::Pvh, 2, true)).expect("room");
        let mut control = Tenant::new(made);
        [0, 1].into_iter().for_each(|vcpu| Desk::of(vcpu).furnish(&mut control, machine));

        let guests = [true, false].map(|superpage| {
            let made = system.create(&control.domain, &config(DomainKind::Hvm, 2, false)).expect("room");
            let mut guest = Tenant::new(made);
            for leaf in 0..LEAVES {
                let first = leaf * LEAF_PFNS + 0x10;
                (first..first + GUEST_PAGES).for_each(|gfn| guest.populate(machine, gfn, PageOrder::Page4K));
            }
            if superpage {
                guest.populate(machine, LEAF_PFNS + 0x200, PageOrder::Page2M);
            }
            guest
        });

        let made = system.create(&control.domain, &config(DomainKind::Hvm, 1, false)).expect("room");
        let mut model = Tenant::new(made);
        Desk::of(0).furnish(&mut model, machine);
        let world = World { upper, control, model, guests, system };
        world.attach_model();
        world
    }

    /// Makes the model that of the first guest, and maps the guest's memory into it.
    fn attach_model(&self) {
        let [guest, _] = &self.guests;
        let op = Domctl::SetTarget { target: guest.domain.id() };
        let mut request = Request::Domctl { domain: self.model.domain.id(), op };
        let run = self.control.domain.enter(0).expect("vCPU 0 is free");
        let outcome = hypercall(&self.system, &run, &mut request).expect("the model gets its target");
        assert!(matches!(outcome, Outcome::Done(_)), "set_target is not preempted");
        let machine = self.system.machine();
        for gfn in &guest.pages {
            let found = physmap::lookup(machine, &guest.domain, *gfn).expect("the guest is translated");
            let mfn = found.expect("the guest has the page").mfn;
            let entry = P2mEntry { mfn, kind: P2mType::GrantRw, order: PageOrder::Page4K };
            physmap::map(machine, &self.model.domain, self.mapped(*gfn), entry).expect("room for tables");
        }
    }

    /// Where the model sees this page of its guest.
    pub fn mapped(&self, gfn: Gfn) -> Gfn {
        Gfn::new(LEAVES * LEAF_PFNS + gfn.get())
    }
}
