//! A domain's share of the machine: its page list and totals, under `page_alloc`.
//!
//! It decides how much memory a domain may have; which frames are free is the machine's (`machine.rs`), and where a
//! page appears in the guest is the p2m's. The p2m and domain building use it. In Xen the lock is
//! `d->page_alloc_lock` and only the order is declared (`mm-locks.h`); here it is a lock of the scheme.
//!
//! Table pages of the p2m are counted here too, so that no domain makes the hypervisor spend unbounded memory on
//! its tables. Xen takes them from the paging pool.

use alloc::collections::BTreeSet;

use lockdep::{OwnerId, mm_lock};

use crate::error::HvError;
use crate::locks::{Mutex, levels};
use crate::machine::Machine;
use crate::types::{DomainId, Mfn, PageOrder};

/// How many pages a domain has, in 4 KiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageTotals {
    /// The most that memory and tables together may be.
    pub max_pages: u64,
    /// Pages of memory.
    pub memory_pages: u64,
    /// Pages of p2m tables.
    pub table_pages: u64,
}

/// The pages of one domain.
#[derive(Debug)]
pub struct DomainPages {
    domain: DomainId,
    list: BTreeSet<Mfn>,
    max_pages: u64,
    table_pages: u64,
}

impl DomainPages {
    fn totals(&self) -> PageTotals {
        let (max_pages, table_pages) = (self.max_pages, self.table_pages);
        PageTotals { max_pages, memory_pages: self.list.len() as u64, table_pages }
    }

    fn check_room(&self, pages: u64) -> Result<(), HvError> {
        let PageTotals { max_pages, memory_pages, table_pages } = self.totals();
        if memory_pages + table_pages + pages <= max_pages { Ok(()) } else { Err(HvError::MaxPages) }
    }
}

/// The lock around a domain's pages.
#[mm_lock(order = page_alloc)]
pub struct PageAllocLock(Mutex<DomainPages>);

impl PageAllocLock {
    /// The pages of `domain`: none yet, and at most `max_pages`.
    pub fn new(owner: OwnerId, domain: DomainId, max_pages: u64) -> PageAllocLock {
        let pages = DomainPages { domain, list: BTreeSet::new(), max_pages, table_pages: 0 };
        PageAllocLock::from(Mutex::owned(owner, pages))
    }

    /// The totals at this moment. Acquires `page_alloc`.
    pub fn totals(&self) -> PageTotals {
        self.lock().totals()
    }

    /// Gives the domain a zeroed page of memory. Acquires `page_alloc`, and `heap` under it.
    ///
    /// # Errors
    /// [`HvError::MaxPages`], [`HvError::HeapExhausted`].
    pub fn alloc(&self, machine: &Machine, order: PageOrder) -> Result<Mfn, HvError> {
        let mut pages = self.lock();
        pages.check_room(order.pages())?;
        let mfn = machine.alloc(order)?;
        machine.set_owner(mfn, order, pages.domain);
        let frames = mfn.get()..mfn.get() + order.pages();
        pages.list.extend(frames.map(Mfn::new));
        Ok(mfn)
    }

    /// Takes a page of memory from the domain; one that is not on its list, whole, stays where it is. Acquires
    /// `page_alloc`, and `heap` under it.
    pub fn free(&self, machine: &Machine, mfn: Mfn, order: PageOrder) {
        let mut pages = self.lock();
        let frames = || (mfn.get()..mfn.get() + order.pages()).map(Mfn::new);
        if frames().all(|frame| pages.list.contains(&frame)) {
            for frame in frames() {
                pages.list.remove(&frame);
            }
            machine.free(mfn, order);
        }
    }

    /// Takes all memory from the domain. Acquires `page_alloc`, and `heap` under it.
    pub fn free_all(&self, machine: &Machine) {
        let mut pages = self.lock();
        while let Some(frame) = pages.list.pop_last() {
            machine.free(frame, PageOrder::Page4K);
        }
    }

    /// A zeroed frame for a p2m table. Acquires `page_alloc`, and `heap` under it.
    ///
    /// # Errors
    /// [`HvError::MaxPages`], [`HvError::HeapExhausted`].
    pub fn alloc_table(&self, machine: &Machine) -> Result<Mfn, HvError> {
        let mut pages = self.lock();
        pages.check_room(1)?;
        let mfn = machine.alloc(PageOrder::Page4K)?;
        pages.table_pages += 1;
        Ok(mfn)
    }

    /// Gives a table frame back. Acquires `page_alloc`, and `heap` under it.
    pub fn free_table(&self, machine: &Machine, mfn: Mfn) {
        let mut pages = self.lock();
        pages.table_pages -= 1;
        machine.free(mfn, PageOrder::Page4K);
    }
}
