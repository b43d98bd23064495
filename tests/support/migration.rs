//! The controller of a migration: ENABLE, rounds of CLEAN and copy, a last round, OFF, and the image that results.
//!
//! One migration is driven by one vCPU of the controlling domain, through its own memory: the bitmap arrives there,
//! each page goes through there, so the controller is itself worth logging. It says which pages of the image
//! differ; what that means is the test's to say.

use std::collections::BTreeMap;
use std::thread;

use hv_core::abi::{Domctl, Record, Request, ShadowOp, number};
use hv_core::dirty_trie::LEAF_PFNS;
use hv_core::error::HvError;
use hv_core::guest_copy::{guest_read, guest_write};
use hv_core::hypercall::{RawOutcome, raw_hypercall};
use hv_core::locks::levels::{Control, Subject};
use hv_core::log_dirty::{self, CopyMode, Leg, Scan, ScanRequest};
use hv_core::p2m::P2mEntry;
use hv_core::physmap;
use hv_core::types::{Gfn, Gpa, GuestHandle, P2mType, PAGE_SIZE, PageOrder};

use crate::dice::Dice;
use crate::world::{Desk, LEAVES, Tenant, World};
use crate::writers::{Rations, enter};

/// What a controller did.
#[derive(Clone, Copy, Default, Debug)]
pub struct Copied {
    /// CLEANs with the copy under the lock, and through a snapshot.
    pub rounds: (u64, u64),
    /// Those of both whose bitmap could not be written to the end.
    pub failed: u64,
    /// Times that an operation was preempted.
    pub preempted: u64,
    /// Pages that were reported dirty and copied.
    pub dirty_pages: u64,
}

impl Copied {
    /// Both together.
    pub fn plus(self, other: Copied) -> Copied {
        Copied {
            rounds: (self.rounds.0 + other.rounds.0, self.rounds.1 + other.rounds.1),
            failed: self.failed + other.failed,
            preempted: self.preempted + other.preempted,
            dirty_pages: self.dirty_pages + other.dirty_pages,
        }
    }
}

/// One migration.
pub struct Migration<'w> {
    world: &'w World,
    controller: &'w Tenant,
    vcpu: u32,
    subject: &'w Tenant,
    rations: &'w Rations,
    desk: Desk,
    dice: Dice,
    image: BTreeMap<Gfn, Vec<u8>>,
    /// What was done so far.
    pub copied: Copied,
}

impl<'w> Migration<'w> {
    /// Switches logging on and copies everything once. `rations` are those of the writers of the subject.
    ///
    /// # Panics
    /// Here and in all that follows: when hv-core refuses what it should not.
    pub fn begin(
        world: &'w World,
        (controller, vcpu): (&'w Tenant, u32),
        (subject, rations): (&'w Tenant, &'w Rations),
        seed: u64,
    ) -> Migration<'w> {
        let (desk, dice) = (Desk::of(vcpu), Dice::new(seed));
        let (image, copied) = (BTreeMap::new(), Copied::default());
        let mut this = Migration { world, controller, vcpu, subject, rations, desk, dice, image, copied };
        this.shadow(ShadowOp::new(number::SHADOW_ENABLE_LOGDIRTY)).expect("logging goes on");
        subject.pages.iter().for_each(|gfn| this.copy_page(*gfn));
        this
    }

    /// Those of the writers of the subject.
    pub fn rations(&self) -> &'w Rations {
        self.rations
    }

    /// A CLEAN while the writers write, and the copy of what it reports. How the bitmap comes alternates; now and then
    /// it is asked for up to some page only, or into a buffer that is too short.
    pub fn round(&mut self) {
        let copy = if self.dice.below(2) == 0 { CopyMode::UnderLock } else { CopyMode::Snapshot };
        match self.dice.below(8) {
            0 => {
                let last = self.dice.pick(&self.subject.pages);
                self.clean_and_copy(copy, last.get() + 1);
            }
            1 => self.clean_into_short_buffer(copy),
            _ => self.clean_and_copy(copy, LEAVES * LEAF_PFNS),
        }
    }

    /// The round after which the image is complete, if the writers have stopped.
    pub fn last_round(&mut self) {
        self.clean_and_copy(CopyMode::UnderLock, LEAVES * LEAF_PFNS);
    }

    /// Switches logging off.
    pub fn end(mut self) -> Copied {
        self.shadow(ShadowOp::new(number::SHADOW_OFF)).expect("logging goes off");
        self.copied
    }

    /// The pages of the subject that the image has not, or has otherwise.
    pub fn differing(&self) -> Vec<Gfn> {
        let machine = self.world.system.machine();
        let differs = |gfn: &&Gfn| self.subject.page(machine, **gfn).as_ref() != self.image.get(gfn);
        self.subject.pages.iter().filter(differs).copied().collect()
    }

    fn clean_and_copy(&mut self, copy: CopyMode, pages: u64) {
        let bitmap = self.desk.bitmap();
        self.clean(copy, bitmap, pages).expect("the bitmap is writable");
        self.copy_reported(bitmap, pages);
    }

    /// The page after the bitmap has no memory: the last leaf cannot be delivered, and must not be cleaned.
    fn clean_into_short_buffer(&mut self, copy: CopyMode) {
        let bitmap = GuestHandle::new(self.desk.bitmap().get() + PAGE_SIZE as u64);
        let delivered = (LEAVES - 1) * LEAF_PFNS;
        let refused = self.clean(copy, bitmap, LEAVES * LEAF_PFNS);
        assert_eq!(refused, Err(HvError::BitmapNotWritable { done: delivered }));
        self.copied.failed += 1;
        self.copy_reported(bitmap, delivered);
    }

    fn clean(&mut self, copy: CopyMode, bitmap: GuestHandle, pages: u64) -> Result<(), HvError> {
        self.rations.grant();
        match copy {
            CopyMode::UnderLock => {
                self.copied.rounds.0 += 1;
                self.shadow(ShadowOp::scan(number::SHADOW_CLEAN, Some(bitmap), pages))
            }
            CopyMode::Snapshot => {
                self.copied.rounds.1 += 1;
                self.scan_by_snapshot(&ScanRequest { scan: Scan::Clean, bitmap: Some(bitmap), pages })
            }
        }
    }

    /// A shadow operation, as the vCPU makes it: the request in its memory, all legs.
    fn shadow(&mut self, op: ShadowOp) -> Result<(), HvError> {
        let request = Request::Domctl { domain: self.subject.domain.id(), op: Domctl::Shadow(op) };
        let (mut number, record) = Record::encode(&request);
        let (system, at) = (&self.world.system, self.desk.record());
        let run = enter(&self.controller.domain, self.vcpu);
        guest_write(system.machine(), &run, Gpa::new(at.get()), &record.0).expect("the desk has memory");
        drop(run);
        loop {
            let run = enter(&self.controller.domain, self.vcpu);
            let RawOutcome::Restart { number: again } = raw_hypercall(system, &run, number, at)? else {
                return Ok(());
            };
            number = again;
            drop(run);
            self.be_preempted();
        }
    }

    /// The system is built for copies under the lock, so the other way goes around the hypercall.
    fn scan_by_snapshot(&mut self, request: &ScanRequest) -> Result<(), HvError> {
        let system = &self.world.system;
        let (machine, budget) = (system.machine(), system.config().preemption.leaves);
        let (subject, control) =
            (Subject::new(&*self.subject.domain), Control::new(&*self.controller.domain));
        let mut resuming = false;
        loop {
            let run = enter(&self.controller.domain, self.vcpu);
            let leg =
                log_dirty::scan(machine, subject, control, request, CopyMode::Snapshot, budget, resuming)?;
            drop(run);
            match leg {
                Leg::Done(_) => return Ok(()),
                Leg::Preempted => resuming = true,
            }
            self.be_preempted();
        }
    }

    /// Between two legs: the subject is paused, and whoever ran has been waited for.
    fn be_preempted(&mut self) {
        assert_eq!(self.rations.running(), 0, "a vCPU runs while its domain is paused");
        self.copied.preempted += 1;
        thread::yield_now();
    }

    /// Copies what the bitmap of `pages` pages names; it is reported in whole bytes.
    fn copy_reported(&mut self, bitmap: GuestHandle, pages: u64) {
        self.rations.grant();
        let mut bits = vec![0; pages.div_ceil(8) as usize];
        let run = enter(&self.controller.domain, self.vcpu);
        guest_read(self.world.system.machine(), &run, Gpa::new(bitmap.get()), &mut bits)
            .expect("it was written");
        drop(run);
        for (at, byte) in bits.iter().enumerate().filter(|(_, byte)| **byte != 0) {
            for bit in (0..8).filter(|bit| byte & (1 << bit) != 0) {
                self.copy_page(Gfn::new(at as u64 * 8 + bit));
                self.copied.dirty_pages += 1;
            }
        }
    }

    /// Maps a page of the subject, reads it through the mapping, and sends it out through memory of the controller. A
    /// page that is not there is none of the image.
    fn copy_page(&mut self, gfn: Gfn) {
        let (machine, controller) = (self.world.system.machine(), &self.controller.domain);
        let found = physmap::lookup(machine, &self.subject.domain, gfn).expect("the subject is translated");
        let Some(P2mEntry { mfn, .. }) = found else { return };
        let entry = P2mEntry { mfn, kind: P2mType::GrantRo, order: PageOrder::Page4K };
        let (window, bounce) = (self.desk.window(), self.desk.bounce(gfn.get()));
        let mut bytes = vec![0; PAGE_SIZE];
        let run = enter(controller, self.vcpu);
        physmap::map(machine, controller, window, entry).expect("the window is free");
        guest_read(machine, &run, window.gpa(), &mut bytes).expect("the window is mapped");
        physmap::remove(machine, controller, window, PageOrder::Page4K).expect("the window is mapped");
        guest_write(machine, &run, bounce.gpa(), &bytes).expect("the desk has memory");
        drop(run);
        self.image.insert(gfn, bytes);
    }
}
