//! What makes memory dirty: the vCPUs of a guest, and its device model.
//!
//! They write a ration at a time, so that a page is seldom written twice in a few rounds: the next write would mark a
//! lost page again and hide the loss. They check nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hv_core::abi::{DmOp, Request};
use hv_core::dm_op::{EXTENT_SIZE, ModifiedMemory};
use hv_core::domain::{Domain, VcpuRun};
use hv_core::guest_copy::guest_write;
use hv_core::hypercall::{Outcome, hypercall};
use hv_core::physmap;
use hv_core::types::{Gfn, Gpa, P2mType, PAGE_SIZE};

use crate::dice::Dice;
use crate::world::{Desk, Tenant, World};

/// Writes of one ration.
const RATION: u64 = 8;

/// How much the writers of one guest may write.
#[derive(Default)]
pub struct Rations {
    granted: AtomicU64,
    /// vCPUs of the guest that run.
    running: AtomicU64,
    stopped: AtomicBool,
}

impl Rations {
    /// Gives every writer another ration.
    pub fn grant(&self) {
        self.granted.fetch_add(1, Ordering::Release);
    }

    /// Takes [`stop`](Self::stop) back, for new writers.
    pub fn reopen(&self) {
        self.stopped.store(false, Ordering::Release);
    }

    /// Ends the writers, after the write they are at.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// How many vCPUs of the guest run at this moment.
    pub fn running(&self) -> u64 {
        self.running.load(Ordering::SeqCst)
    }

    /// What a new writer begins with: nothing of what was granted before.
    pub fn seen(&self) -> u64 {
        self.granted.load(Ordering::Acquire)
    }

    /// Waits for a ration more than `eaten`; false when it is time to stop.
    pub fn wait(&self, eaten: &mut u64) -> bool {
        while !self.stopped.load(Ordering::Acquire) {
            if self.seen() > *eaten {
                *eaten += 1;
                return true;
            }
            relax();
        }
        false
    }
}

/// What writers did.
#[derive(Clone, Copy, Default, Debug)]
pub struct Written {
    /// Stores by vCPUs.
    pub stores: u64,
    /// Those that began on a logged page, and so faulted.
    pub faults: u64,
    /// Pages that the device model wrote.
    pub model_pages: u64,
    /// Those written while the guest was paused.
    pub while_paused: u64,
}

impl Written {
    /// Both together.
    pub fn plus(self, other: Written) -> Written {
        Written {
            stores: self.stores + other.stores,
            faults: self.faults + other.faults,
            model_pages: self.model_pages + other.model_pages,
            while_paused: self.while_paused + other.while_paused,
        }
    }
}

/// Lets `vcpu` run as soon as its domain is not paused, without burning the CPU that the pausing one needs.
///
/// # Panics
/// When the domain stays paused for so long that whoever paused it must have failed.
pub fn enter(domain: &Domain, vcpu: u32) -> VcpuRun<'_> {
    let begun = Instant::now();
    loop {
        match domain.try_enter(vcpu).expect("one thread per vCPU") {
            Some(run) => return run,
            None => relax(),
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{} stays paused", domain.id());
    }
}

/// Leaves the CPU to whoever is waited for; there are more threads than processors.
fn relax() {
    thread::sleep(Duration::from_micros(20));
}

/// A vCPU of a guest that stores to its memory; some stores go on into the next page.
pub fn vcpu(world: &World, guest: &Tenant, vcpu: u32, rations: &Rations, mut dice: Dice) -> Written {
    let machine = world.system.machine();
    let mut done = Written::default();
    let mut eaten = rations.seen();
    while rations.wait(&mut eaten) {
        // One entry for all: whoever pauses the guest has to wait for the rest of them.
        let run = enter(&guest.domain, vcpu);
        rations.running.fetch_add(1, Ordering::SeqCst);
        for _ in 0..RATION {
            let gfn = dice.pick(&guest.pages);
            let bytes = dice.bits().to_le_bytes();
            let room = if guest.has(Gfn::new(gfn.get() + 1)) { PAGE_SIZE } else { PAGE_SIZE - bytes.len() };
            let at = Gpa::new(gfn.gpa().get() + dice.below(room as u64));
            let entry = physmap::lookup(machine, &guest.domain, gfn).expect("the guest is translated");
            guest_write(machine, &run, at, &bytes).expect("the guest has this memory");
            done.faults += u64::from(entry.is_some_and(|entry| entry.kind == P2mType::RamLogdirty));
            done.stores += 1;
        }
        rations.running.fetch_sub(1, Ordering::SeqCst);
    }
    done
}

/// The device model of the first guest: it writes pages, of a paused guest as of a running one, and then says so.
pub fn device_model(world: &World, rations: &Rations, mut dice: Dice) -> Written {
    let [guest, _] = &world.guests;
    let machine = world.system.machine();
    let extents = Desk::of(0).bitmap();
    let mut done = Written::default();
    let mut eaten = rations.seen();
    while rations.wait(&mut eaten) {
        for _ in 0..RATION / 2 {
            let run = enter(&world.model.domain, 0);
            let mut records = Vec::new();
            for _ in 0..=dice.below(3) {
                let first = dice.pick(&guest.pages);
                let wanted = 1 + dice.below(3);
                let pages = (0..wanted).take_while(|page| guest.has(Gfn::new(first.get() + page)));
                let mut nr = 0_u32;
                for page in pages {
                    let gfn = world.mapped(Gfn::new(first.get() + page));
                    let at = Gpa::new(gfn.gpa().get() + dice.below((PAGE_SIZE - 8) as u64));
                    guest_write(machine, &run, at, &dice.bits().to_le_bytes()).expect("it is mapped");
                    done.while_paused += u64::from(guest.domain.pauses() > 0);
                    nr += 1;
                }
                done.model_pages += u64::from(nr);
                records.extend(nr.to_le_bytes());
                records.extend([0; 4]);
                records.extend(first.get().to_le_bytes());
            }
            guest_write(machine, &run, Gpa::new(extents.get()), &records).expect("memory of its own");
            let (size, nr_extents) = (records.len() as u64, (records.len() as u64 / EXTENT_SIZE) as u32);
            let op = DmOp::ModifiedMemory(ModifiedMemory { extents, size, nr_extents, opaque: 0 });
            let mut request = Request::DmOp { domain: guest.domain.id(), op };
            while hypercall(&world.system, &run, &mut request).expect("the extents are right")
                == Outcome::Continue
            {
                relax();
            }
        }
    }
    done
}
