//! The device-model operation modified_memory: an emulator says which pages of its target it has written.
//!
//! It works while the target is paused, which is why pausing alone does not keep the log-dirty trie still. Permission
//! and decoding come before (`hypercall.rs`). After `modified_memory` of Xen's `arch/x86/hvm/dm.c`, with one
//! difference: Xen compares the exclusive end of an extent with the highest gfn and so refuses the last page;
//! here the last page is in.

use lockdep::operation;

use crate::domain::Domain;
use crate::error::HvError;
use crate::guest_copy::copy_from_caller;
use crate::locks::levels;
use crate::locks::levels::{Control, Subject};
use crate::log_dirty::Leg;
use crate::machine::Machine;
use crate::types::{Gfn, GuestHandle};

/// Bytes of one extent record: `nr` and `pad` as 32 bits, `first_pfn` as 64.
pub const EXTENT_SIZE: u64 = 16;

/// The request. What is left to do is in it, so a continuation is the request as the last leg left it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModifiedMemory {
    /// The array of extents in the caller's memory.
    pub extents: GuestHandle,
    /// Its size in bytes.
    pub size: u64,
    /// Extents not done yet; they are taken from the last to the first.
    pub nr_extents: u32,
    /// Pages done of the last of these. A caller passes 0.
    pub opaque: u32,
}

struct Extent {
    first: u64,
    nr: u32,
}

/// Marks the pages of the extents dirty, up to `budget` of them in one leg. Pages that are not memory are skipped.
/// While the subject does not log, nothing is done. Acquires `p2m` of the caller, then `p2m` and `paging` of the
/// subject, never one under another.
///
/// # Errors
/// [`HvError::ExtentsTruncated`], [`HvError::ExtentNotReadable`], [`HvError::ExtentPadding`],
/// [`HvError::ExtentRange`], [`HvError::ExtentCursor`]. Extents after the one that failed are done.
#[operation]
pub fn modified_memory(
    machine: &Machine,
    #[role(subject)] subject: Subject<'_, Domain>,
    #[role(control)] caller: Control<'_, Domain>,
    request: &mut ModifiedMemory,
    budget: u32,
) -> Result<Leg<()>, HvError> {
    if !subject.logs_dirty() {
        return Ok(Leg::Done(()));
    }
    if request.size / EXTENT_SIZE < u64::from(request.nr_extents) {
        return Err(HvError::ExtentsTruncated);
    }
    let max_gfn = subject.max_gfn();
    let mut left = budget.max(1);
    while let Some(index) = request.nr_extents.checked_sub(1) {
        let extent = read_extent(machine, caller, request, index)?;
        let last = u64::from(extent.nr).checked_sub(1).and_then(|more| extent.first.checked_add(more));
        if last.is_none() || last.map(Gfn::new) > max_gfn {
            return Err(HvError::ExtentRange);
        }
        if request.opaque >= extent.nr {
            return Err(HvError::ExtentCursor);
        }
        while request.opaque < extent.nr {
            if left == 0 {
                return Ok(Leg::Preempted);
            }
            left -= 1;
            mark(machine, subject.get(), Gfn::new(extent.first + u64::from(request.opaque)));
            request.opaque += 1;
        }
        request.nr_extents = index;
        request.opaque = 0;
    }
    Ok(Leg::Done(()))
}

/// Marks the page if it is memory; Xen takes a reference where this only looks.
fn mark(machine: &Machine, subject: &Domain, gfn: Gfn) {
    let entry = subject.p2m.read().lookup(machine, gfn);
    if entry.is_some_and(|entry| entry.kind.is_ram()) {
        subject.mark_dirty(machine, gfn.pfn());
    }
}

fn read_extent(
    machine: &Machine,
    caller: Control<'_, Domain>,
    request: &ModifiedMemory,
    index: u32,
) -> Result<Extent, HvError> {
    let at = request.extents.checked_add(u64::from(index) * EXTENT_SIZE).ok_or(HvError::ExtentNotReadable)?;
    let mut record = [0; EXTENT_SIZE as usize];
    copy_from_caller(machine, caller, at, &mut record).map_err(|_| HvError::ExtentNotReadable)?;
    let [n0, n1, n2, n3, p0, p1, p2, p3, first @ ..] = record;
    if u32::from_le_bytes([p0, p1, p2, p3]) != 0 {
        return Err(HvError::ExtentPadding);
    }
    Ok(Extent { first: u64::from_le_bytes(first), nr: u32::from_le_bytes([n0, n1, n2, n3]) })
}
