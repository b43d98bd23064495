//! Copies between the hypervisor and guest memory: for the caller of a hypercall, and for a running guest.
//!
//! It moves bytes and knows no operation. Copies for a caller may be made while locks of a subject are held; that
//! nesting (`paging` of the subject, then `p2m` and `paging` of the caller) is why levels alone do not order the
//! locks of a hypervisor. A translated caller's address is guest-physical here, since guest page tables are not
//! modelled; a PV caller's is machine-linear and needs no lock. After `__hvm_copy` of Xen's `arch/x86/hvm/hvm.c`.
//!
//! A page is touched with the p2m lock of its domain held for reading. The lock stands for the page reference that
//! Xen takes: as long as it is held, the frame cannot be given to somebody else. A PV domain loses frames only when
//! it is destroyed, which waits until its vCPUs have left.

use core::ops::Range;

use crate::domain::{Domain, VcpuRun};
use crate::error::HvError;
use crate::locks::levels::Control;
use crate::machine::Machine;
use crate::p2m::P2mEntry;
use crate::types::{DomainId, Gfn, Gpa, GuestHandle, Mfn, P2mType, PAGE_SHIFT, PAGE_SIZE};

static ZEROES: [u8; PAGE_SIZE] = [0; PAGE_SIZE];

/// Copies `from` to the caller and marks the pages in the caller's own log-dirty trie. Acquires `p2m` and then
/// `paging` of a translated caller, page by page.
///
/// # Errors
/// [`HvError::BadAddress`] when a page is not mapped or not writable; pages before it are written.
pub fn copy_to_caller(
    machine: &Machine,
    caller: Control<'_, Domain>,
    at: GuestHandle,
    from: &[u8],
) -> Result<(), HvError> {
    for (address, part) in pages(at.get(), from.len())? {
        write_page(machine, caller.get(), address, &from[part])?;
    }
    Ok(())
}

/// Zeroes `len` bytes of the caller; otherwise as [`copy_to_caller`].
///
/// # Errors
/// As [`copy_to_caller`].
pub fn clear_to_caller(
    machine: &Machine,
    caller: Control<'_, Domain>,
    at: GuestHandle,
    len: usize,
) -> Result<(), HvError> {
    for (address, part) in pages(at.get(), len)? {
        write_page(machine, caller.get(), address, &ZEROES[..part.len()])?;
    }
    Ok(())
}

/// Copies from the caller. Acquires `p2m` of a translated caller, page by page.
///
/// # Errors
/// [`HvError::BadAddress`] when a page is not mapped or not readable.
pub fn copy_from_caller(
    machine: &Machine,
    caller: Control<'_, Domain>,
    at: GuestHandle,
    into: &mut [u8],
) -> Result<(), HvError> {
    for (address, part) in pages(at.get(), into.len())? {
        read_page(machine, caller.get(), address, &mut into[part])?;
    }
    Ok(())
}

/// A load by the guest; to a PV guest, `at` is a machine address. Acquires `p2m` of a translated guest, page by page.
///
/// # Errors
/// [`HvError::BadAddress`] when a page is not mapped memory.
pub fn guest_read(machine: &Machine, run: &VcpuRun<'_>, at: Gpa, into: &mut [u8]) -> Result<(), HvError> {
    for (address, part) in pages(at.get(), into.len())? {
        read_page(machine, run.domain(), address, &mut into[part])?;
    }
    Ok(())
}

/// A store by the guest; to a PV guest, `at` is a machine address. On a logged page it faults: the page is marked
/// (`paging`), made writable (`p2m`), and the store is tried again. The mark comes first, so that no page is
/// writable and unmarked; a CLEAN cannot come between, because it pauses the domain and `run` proves that the
/// domain runs.
///
/// # Errors
/// [`HvError::BadAddress`] when a page is not mapped or not writable; [`HvError::MaxPages`] or
/// [`HvError::HeapExhausted`] without memory to split a 2 MiB entry. Pages before it are written.
pub fn guest_write(machine: &Machine, run: &VcpuRun<'_>, at: Gpa, from: &[u8]) -> Result<(), HvError> {
    let guest = run.domain();
    for (address, part) in pages(at.get(), from.len())? {
        while !store(machine, guest, address, &from[part.clone()])? {
            write_fault(machine, guest, Gpa::new(address).gfn())?;
        }
    }
    Ok(())
}

/// Writes part of one page; false when the page is logged.
fn store(machine: &Machine, guest: &Domain, address: u64, from: &[u8]) -> Result<bool, HvError> {
    if !guest.is_translated() {
        write_page(machine, guest, address, from)?;
        return Ok(true);
    }
    let gpa = Gpa::new(address);
    let p2m = guest.p2m.read();
    let entry = p2m.lookup(machine, gpa.gfn());
    if entry.is_some_and(|entry| entry.kind == P2mType::RamLogdirty) {
        return Ok(false);
    }
    machine.write(writable(machine, entry)?, gpa.offset(), from);
    Ok(true)
}

fn write_fault(machine: &Machine, guest: &Domain, gfn: Gfn) -> Result<(), HvError> {
    let mut paging = guest.paging.lock();
    paging.mark_dirty(machine, gfn.pfn());
    drop(paging);
    let mut p2m = guest.p2m.write();
    p2m.change_type(machine, &guest.page_alloc, gfn, P2mType::RamLogdirty, P2mType::RamRw)?;
    Ok(())
}

fn write_page(machine: &Machine, domain: &Domain, address: u64, from: &[u8]) -> Result<(), HvError> {
    let gpa = Gpa::new(address);
    if !domain.is_translated() {
        machine.write(own_frame(machine, domain.id(), address)?, gpa.offset(), from);
        return Ok(());
    }
    let p2m = domain.p2m.read();
    let frame = writable(machine, p2m.lookup(machine, gpa.gfn()))?;
    machine.write(frame, gpa.offset(), from);
    drop(p2m);
    domain.mark_dirty(machine, gpa.gfn().pfn());
    Ok(())
}

fn read_page(machine: &Machine, domain: &Domain, address: u64, into: &mut [u8]) -> Result<(), HvError> {
    let gpa = Gpa::new(address);
    if !domain.is_translated() {
        machine.read(own_frame(machine, domain.id(), address)?, gpa.offset(), into);
        return Ok(());
    }
    let p2m = domain.p2m.read();
    let entry = p2m.lookup(machine, gpa.gfn()).filter(|entry| entry.kind.is_readable());
    machine.read(memory(machine, entry)?, gpa.offset(), into);
    Ok(())
}

/// The frame at a machine-linear address of a PV domain, which must be its own.
fn own_frame(machine: &Machine, domain: DomainId, address: u64) -> Result<Mfn, HvError> {
    let frame = Mfn::new(address >> PAGE_SHIFT);
    if machine.owner(frame) == domain { Ok(frame) } else { Err(HvError::BadAddress) }
}

fn writable(machine: &Machine, entry: Option<P2mEntry>) -> Result<Mfn, HvError> {
    memory(machine, entry.filter(|entry| entry.kind.is_writable()))
}

/// The frame of an entry, which must be memory of the machine.
fn memory(machine: &Machine, entry: Option<P2mEntry>) -> Result<Mfn, HvError> {
    let frame = entry.map(|entry| entry.mfn).filter(|frame| machine.contains(*frame));
    frame.ok_or(HvError::BadAddress)
}

/// Cuts `len` bytes from `start` on at page boundaries: the address of each part, and its place in the buffer.
fn pages(start: u64, len: usize) -> Result<impl Iterator<Item = (u64, Range<usize>)>, HvError> {
    start.checked_add(len as u64).ok_or(HvError::BadAddress)?;
    let mut done = 0;
    Ok(core::iter::from_fn(move || {
        let address = start + done as u64;
        let count = (PAGE_SIZE - Gpa::new(address).offset()).min(len - done);
        let part = done..done + count;
        done += count;
        (count > 0).then_some((address, part))
    }))
}
