//! Changes of a domain's guest-physical address space: pages added, removed, and their types.
//!
//! Every function works on one domain and acquires its `p2m` first; page accounting and dirty marks nest under it.
//! Who may call for whom is decided before (`hypercall.rs`); builders and tests call it directly. After Xen's
//! `common/memory.c` and `arch/x86/mm/p2m.c`.

use crate::domain::Domain;
use crate::error::HvError;
use crate::machine::Machine;
use crate::p2m::P2mEntry;
use crate::types::{Gfn, Mfn, P2mType, PageOrder};

/// Gives the domain a zeroed page of memory at `gfn` (Xen: populate_physmap). It is writable, and marked dirty if
/// log-dirty is on. Acquires `p2m`; under it `page_alloc` and `heap`, then `paging`.
///
/// # Errors
/// [`HvError::NotTranslated`], [`HvError::SubjectDying`], [`HvError::BadOrder`], [`HvError::GfnOutOfRange`],
/// [`HvError::GfnInUse`], [`HvError::MaxPages`], [`HvError::HeapExhausted`].
pub fn populate(machine: &Machine, domain: &Domain, gfn: Gfn, order: PageOrder) -> Result<Mfn, HvError> {
    check_translated(domain)?;
    let mut p2m = domain.p2m.write();
    if domain.is_dying() {
        return Err(HvError::SubjectDying);
    }
    p2m.check_vacant(machine, gfn, order)?;
    let mfn = domain.page_alloc.alloc(machine, order)?;
    let entry = P2mEntry { mfn, kind: P2mType::RamRw, order };
    if let Err(error) = p2m.set_entry(machine, &domain.page_alloc, gfn, entry) {
        domain.page_alloc.free(machine, mfn, order);
        return Err(error);
    }
    let mut paging = domain.paging.lock();
    for gfn in (gfn.get()..gfn.get() + order.pages()).map(Gfn::new) {
        paging.mark_dirty(machine, gfn.pfn());
    }
    Ok(mfn)
}

/// Gives a PV domain a zeroed page of memory; it knows it by its machine address (Xen: increase_reservation).
/// Acquires `page_alloc` and `heap` under it.
///
/// # Errors
/// [`HvError::UnknownOperation`] for a translated domain, [`HvError::SubjectDying`], [`HvError::MaxPages`],
/// [`HvError::HeapExhausted`].
pub fn increase_reservation(machine: &Machine, domain: &Domain, order: PageOrder) -> Result<Mfn, HvError> {
    if domain.is_translated() {
        return Err(HvError::UnknownOperation);
    }
    let mfn = domain.page_alloc.alloc(machine, order)?;
    // After the allocation: one that came too late for a domain being destroyed is undone here, any other there.
    if domain.is_dying() {
        domain.page_alloc.free(machine, mfn, order);
        return Err(HvError::SubjectDying);
    }
    Ok(mfn)
}

/// Maps frames that are not memory of the domain: a device's, or another domain's page that it was granted.
/// Acquires `p2m`; under it `page_alloc` and `heap` for tables.
///
/// # Errors
/// As [`populate`]; [`HvError::NotForeign`] when `entry` says that it is the domain's own memory.
pub fn map(machine: &Machine, domain: &Domain, gfn: Gfn, entry: P2mEntry) -> Result<(), HvError> {
    check_translated(domain)?;
    if entry.kind.is_ram() {
        return Err(HvError::NotForeign);
    }
    let mut p2m = domain.p2m.write();
    if domain.is_dying() {
        return Err(HvError::SubjectDying);
    }
    p2m.check_vacant(machine, gfn, entry.order)?;
    p2m.set_entry(machine, &domain.page_alloc, gfn, entry)
}

/// Takes what is mapped at `gfn` away; memory of the domain is freed (Xen: decrease_reservation). The pages are not
/// dirty any more, for there is nothing to copy. Acquires `p2m`; under it `page_alloc` and `heap`, then `paging`.
///
/// # Errors
/// [`HvError::NotTranslated`], [`HvError::BadOrder`], [`HvError::GfnOutOfRange`], [`HvError::GfnNotMapped`] when
/// nothing was mapped; [`HvError::MaxPages`] or [`HvError::HeapExhausted`] without memory to split a 2 MiB entry.
pub fn remove(machine: &Machine, domain: &Domain, gfn: Gfn, order: PageOrder) -> Result<(), HvError> {
    check_translated(domain)?;
    let mut p2m = domain.p2m.write();
    let mut mapped = false;
    p2m.remove(machine, &domain.page_alloc, gfn, order, |old| {
        mapped = true;
        if old.kind.is_ram() {
            domain.page_alloc.free(machine, old.mfn, old.order);
        }
    })?;
    if !mapped {
        return Err(HvError::GfnNotMapped);
    }
    let mut paging = domain.paging.lock();
    for gfn in (gfn.get()..gfn.get() + order.pages()).map(Gfn::new) {
        paging.mark_clean(machine, gfn.pfn());
    }
    Ok(())
}

/// What `gfn` maps to at this moment. Acquires `p2m`.
///
/// # Errors
/// [`HvError::NotTranslated`].
pub fn lookup(machine: &Machine, domain: &Domain, gfn: Gfn) -> Result<Option<P2mEntry>, HvError> {
    check_translated(domain)?;
    Ok(domain.p2m.read().lookup(machine, gfn))
}

/// Changes the type of `count` pages from `first` on where it is `from`; returns how many. Acquires `p2m`; under
/// it `page_alloc` and `heap` when a 2 MiB entry is split.
///
/// # Errors
/// [`HvError::NotTranslated`], [`HvError::NotMemory`] when one of the types is not of the domain's own memory,
/// [`HvError::GfnOutOfRange`], [`HvError::MaxPages`], [`HvError::HeapExhausted`]; pages before the one that failed
/// have changed.
pub fn change_type(
    machine: &Machine,
    domain: &Domain,
    first: Gfn,
    count: u64,
    from: P2mType,
    to: P2mType,
) -> Result<u64, HvError> {
    check_translated(domain)?;
    if !from.is_ram() || !to.is_ram() {
        return Err(HvError::NotMemory);
    }
    domain.p2m.write().change_type_range(machine, &domain.page_alloc, first, count, (from, to))
}

/// Makes all writable memory fault on the next write, or none of it. Acquires `p2m`.
pub(crate) fn set_logging(machine: &Machine, domain: &Domain, logging: bool) {
    domain.p2m.write().set_logging(machine, logging);
}

fn check_translated(domain: &Domain) -> Result<(), HvError> {
    if domain.is_translated() { Ok(()) } else { Err(HvError::NotTranslated) }
}
