//! The p2m: gfn to mfn and type, a 4-level table of one translated domain.
//!
//! The table and its lock. Functions of [`P2mTable`] run under the lock because they need the table by reference;
//! the operations that acquire it for a domain are in `physmap.rs`, `guest_copy.rs` and `dm_op.rs`. It knows no
//! log-dirty trie: who changes a page's type for logging marks it. After Xen's `arch/x86/mm/p2m-pt.c`, with 4 KiB
//! and 2 MiB entries; types are changed at once where Xen recomputes them lazily.
//!
//! Table pages are allocated under the write lock, hence the nestings p2m → page_alloc → heap.

use lockdep::mm_lock;

use crate::error::HvError;
use crate::locks::{RwLock, levels};
use crate::machine::Machine;
use crate::page_alloc::PageAllocLock;
use crate::radix::{self, Entry, Radix};
use crate::types::{Gfn, Mfn, P2mType, PageOrder};

const TABLE: Radix = Radix::new(0, 4);
const TYPE_BITS: u32 = 4;

/// The lock around the table of one domain: readers look up, a writer changes entries.
#[mm_lock(order = p2m)]
pub struct P2mLock(RwLock<P2mTable>);

/// What one gfn maps to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct P2mEntry {
    /// The frame: of the gfn looked up, or the first of the entry when a whole entry is meant.
    pub mfn: Mfn,
    /// Its kind.
    pub kind: P2mType,
    /// The size of the entry it is part of.
    pub order: PageOrder,
}

/// The table of one domain.
#[derive(Debug)]
pub struct P2mTable {
    root: Option<Mfn>,
    max_gfn: Option<Gfn>,
    /// 4 KiB pages of type ioreq_server, as Xen's `ioreq.entry_count`.
    ioreq_pages: u64,
}

impl P2mTable {
    /// Nothing is mapped.
    pub const EMPTY: P2mTable = P2mTable { root: None, max_gfn: None, ioreq_pages: 0 };

    /// The highest gfn that was ever mapped; it never decreases, as in Xen.
    pub fn max_gfn(&self) -> Option<Gfn> {
        self.max_gfn
    }

    /// 4 KiB pages of type ioreq_server.
    pub fn ioreq_pages(&self) -> u64 {
        self.ioreq_pages
    }

    /// What `gfn` maps to.
    pub fn lookup(&self, machine: &Machine, gfn: Gfn) -> Option<P2mEntry> {
        let root = self.root.filter(|_| TABLE.covers(gfn.get()))?;
        let slot = TABLE.find(machine, root, gfn.get(), 0);
        let entry = decode(slot.get(), slot.level)?;
        let within = gfn.get() % entry.order.pages();
        Some(P2mEntry { mfn: Mfn::new(entry.mfn.get() + within), ..entry })
    }

    /// Whether an entry of the size `order` can be at `gfn`, and nothing is mapped there.
    ///
    /// # Errors
    /// [`HvError::GfnOutOfRange`], [`HvError::BadOrder`] for a misaligned gfn, [`HvError::GfnInUse`].
    pub fn check_vacant(&self, machine: &Machine, gfn: Gfn, order: PageOrder) -> Result<(), HvError> {
        check_place(gfn, order)?;
        if self.is_vacant(machine, gfn, order) { Ok(()) } else { Err(HvError::GfnInUse) }
    }

    fn is_vacant(&self, machine: &Machine, gfn: Gfn, order: PageOrder) -> bool {
        let mut gfns = (gfn.get()..gfn.get() + order.pages()).map(Gfn::new);
        gfns.all(|gfn| self.lookup(machine, gfn).is_none())
    }

    /// Maps `entry.order` pages from `gfn` on; what was mapped there is forgotten, not freed. Acquires
    /// `page_alloc` and `heap` for missing tables.
    ///
    /// # Errors
    /// [`HvError::BadOrder`] for a misaligned frame, [`HvError::GfnOutOfRange`]; [`HvError::MaxPages`] or
    /// [`HvError::HeapExhausted`] without memory for tables. No entry has changed then.
    pub fn set_entry(
        &mut self,
        machine: &Machine,
        pages: &PageAllocLock,
        gfn: Gfn,
        entry: P2mEntry,
    ) -> Result<(), HvError> {
        check_place(gfn, entry.order)?;
        if !entry.order.aligned(entry.mfn.get()) {
            return Err(HvError::BadOrder);
        }
        let slot = self.slot_for(machine, pages, gfn, entry.order)?;
        let old = slot.get();
        slot.set(encode(entry));
        self.account_removed(machine, pages, old, slot.level, |_| {});
        if entry.kind == P2mType::IoreqServer {
            self.ioreq_pages += entry.order.pages();
        }
        let last = Gfn::new(gfn.get() + entry.order.pages() - 1);
        self.max_gfn = self.max_gfn.max(Some(last));
        Ok(())
    }

    /// Unmaps `order` pages from `gfn` on and shows each entry that was there, whole, to `removed`. A 2 MiB entry
    /// is split when a part of it goes. Acquires `page_alloc` and `heap` for tables that come and go.
    ///
    /// # Errors
    /// As [`set_entry`](Self::set_entry); nothing has changed then.
    pub fn remove(
        &mut self,
        machine: &Machine,
        pages: &PageAllocLock,
        gfn: Gfn,
        order: PageOrder,
        removed: impl FnMut(P2mEntry),
    ) -> Result<(), HvError> {
        check_place(gfn, order)?;
        if self.is_vacant(machine, gfn, order) {
            return Ok(());
        }
        let slot = self.slot_for(machine, pages, gfn, order)?;
        let old = slot.get();
        slot.set(Entry::Empty);
        self.account_removed(machine, pages, old, slot.level, removed);
        Ok(())
    }

    /// Changes the type of the 4 KiB page at `gfn` if it is `from`; true when it was. A 2 MiB entry is split.
    /// Acquires `page_alloc` and `heap` for the table of a split.
    ///
    /// # Errors
    /// As [`set_entry`](Self::set_entry); nothing has changed then.
    pub fn change_type(
        &mut self,
        machine: &Machine,
        pages: &PageAllocLock,
        gfn: Gfn,
        from: P2mType,
        to: P2mType,
    ) -> Result<bool, HvError> {
        let Some(old) = self.lookup(machine, gfn).filter(|old| old.kind == from) else { return Ok(false) };
        self.set_entry(machine, pages, gfn, P2mEntry { kind: to, order: PageOrder::Page4K, ..old })?;
        Ok(true)
    }

    /// [Changes the type](Self::change_type) of `count` pages from `first` on; returns how many were `from`.
    ///
    /// # Errors
    /// As [`set_entry`](Self::set_entry); pages before the one that failed have changed.
    pub fn change_type_range(
        &mut self,
        machine: &Machine,
        pages: &PageAllocLock,
        first: Gfn,
        count: u64,
        (from, to): (P2mType, P2mType),
    ) -> Result<u64, HvError> {
        let end = first.checked_add(count).ok_or(HvError::GfnOutOfRange)?;
        // Nothing is mapped beyond the highest gfn, so a large count costs nothing.
        let mapped = self.max_gfn.map_or(0, |max| max.get() + 1);
        let mut changed = 0;
        for gfn in (first.get()..end.get().min(mapped)).map(Gfn::new) {
            changed += u64::from(self.change_type(machine, pages, gfn, from, to)?);
        }
        Ok(changed)
    }

    /// Makes all writable memory logged, or all logged memory writable. Entries change whole: none is split and no
    /// memory is needed.
    pub fn set_logging(&mut self, machine: &Machine, logging: bool) {
        let Some(root) = self.root else { return };
        let (from, to) = if logging {
            (P2mType::RamRw, P2mType::RamLogdirty)
        } else {
            (P2mType::RamLogdirty, P2mType::RamRw)
        };
        TABLE.for_each_leaf(machine, root, |_, slot| {
            if let Some(entry) = decode(slot.get(), slot.level).filter(|entry| entry.kind == from) {
                slot.set(encode(P2mEntry { kind: to, ..entry }));
            }
        });
    }

    /// Unmaps everything and frees all tables. Acquires `page_alloc` and `heap`.
    pub fn teardown(&mut self, machine: &Machine, pages: &PageAllocLock) {
        let Some(root) = self.root.take() else { return };
        let mut unlimited = u32::MAX;
        TABLE.prune(machine, root, &mut unlimited, &mut |table| pages.free_table(machine, table));
        pages.free_table(machine, root);
        self.ioreq_pages = 0;
    }

    /// The entry of the size `order` for `gfn`; a larger entry in its place is split first.
    fn slot_for<'m>(
        &mut self,
        machine: &'m Machine,
        pages: &PageAllocLock,
        gfn: Gfn,
        order: PageOrder,
    ) -> Result<radix::Slot<'m>, HvError> {
        let root = match self.root {
            Some(root) => root,
            None => *self.root.insert(pages.alloc_table(machine)?),
        };
        let level = level_of(order);
        let slot = TABLE.reach(machine, root, gfn.get(), level, || pages.alloc_table(machine))?;
        let (true, Some(whole)) = (slot.level > level, decode(slot.get(), slot.level)) else {
            return Ok(slot);
        };
        let table = pages.alloc_table(machine)?;
        radix::fill(machine, table, |index| {
            encode(P2mEntry { mfn: Mfn::new(whole.mfn.get() + index), order: PageOrder::Page4K, ..whole })
        });
        slot.set(Entry::Node(table));
        Ok(TABLE.find(machine, root, gfn.get(), level))
    }

    /// Takes what an entry mapped off the counts, frees the table it pointed to, and shows it to `removed`.
    fn account_removed(
        &mut self,
        machine: &Machine,
        pages: &PageAllocLock,
        old: Entry,
        level: u32,
        mut removed: impl FnMut(P2mEntry),
    ) {
        let mut gone = |entry: P2mEntry| {
            if entry.kind == P2mType::IoreqServer {
                self.ioreq_pages -= entry.order.pages();
            }
            removed(entry);
        };
        match old {
            Entry::Node(table) => {
                radix::leaves(machine, table).filter_map(|leaf| decode(leaf, 0)).for_each(&mut gone);
                pages.free_table(machine, table);
            }
            Entry::Leaf(_) | Entry::Empty => decode(old, level).into_iter().for_each(gone),
        }
    }
}

fn check_place(gfn: Gfn, order: PageOrder) -> Result<(), HvError> {
    if !TABLE.covers(gfn.get()) {
        Err(HvError::GfnOutOfRange)
    } else if !order.aligned(gfn.get()) {
        Err(HvError::BadOrder)
    } else {
        Ok(())
    }
}

const fn level_of(order: PageOrder) -> u32 {
    match order {
        PageOrder::Page4K => 0,
        PageOrder::Page2M => 1,
    }
}

fn encode(entry: P2mEntry) -> Entry {
    Entry::Leaf(entry.mfn.get() << TYPE_BITS | entry.kind as u64)
}

fn decode(entry: Entry, level: u32) -> Option<P2mEntry> {
    let Entry::Leaf(value) = entry else { return None };
    let kind = P2mType::from_bits(value & ((1 << TYPE_BITS) - 1))?;
    let order = if level == 0 { PageOrder::Page4K } else { PageOrder::Page2M };
    Some(P2mEntry { mfn: Mfn::new(value >> TYPE_BITS), kind, order })
}
