//! What the `paging` lock protects: the log-dirty state of a domain and the frames it is built from.
//!
//! Every function takes `&mut Paging` or `&Paging`, hence runs under the lock; the lock itself stands in
//! [`Domain`](crate::domain::Domain), and the operations that take it in `log_dirty.rs`, `domain.rs` and
//! `physmap.rs`. It never touches the p2m, whose lock comes before this one. After Xen's
//! `arch/x86/mm/paging.c`; frames come from a pool of the domain, as Xen's assistance pool.
//!
//! `dirty_count` is the number of set bits at every moment. Xen counts 0→1 transitions and zeroes the counter at
//! the end of a CLEAN, which under-reports when a device model marks a page while a CLEAN is preempted, and forgets
//! what a CLEAN of a part left behind; subtracting what was really cleaned agrees with Xen in all other cases.

use core::sync::atomic::Ordering;

use crate::dirty_trie::{DirtyTrie, LEAF_PFNS, MAX_LEAVES};
use crate::error::HvError;
use crate::machine::Machine;
use crate::types::{DomainId, Mfn, PAGE_SIZE, PageOrder, Pfn};

/// Frames set aside for the trie, linked through their first words. They belong to the hypervisor, not to the
/// domain's page list.
#[derive(Debug)]
struct Pool {
    head: Option<Mfn>,
    nr_free: u32,
    nr_total: u32,
}

impl Pool {
    fn push(&mut self, machine: &Machine, mfn: Mfn) {
        // One more than the frame number, so that 0 ends the list.
        let next = self.head.map_or(0, |head| head.get() + 1);
        machine.word(mfn, 0).store(next, Ordering::Relaxed);
        self.head = Some(mfn);
        self.nr_free += 1;
    }

    fn pop(&mut self, machine: &Machine) -> Option<Mfn> {
        let mfn = self.head?;
        self.head = machine.word(mfn, 0).load(Ordering::Relaxed).checked_sub(1).map(Mfn::new);
        self.nr_free -= 1;
        Some(mfn)
    }

    /// A zeroed frame.
    fn take(&mut self, machine: &Machine) -> Option<Mfn> {
        let mfn = self.pop(machine)?;
        machine.write(mfn, 0, &[0; PAGE_SIZE]);
        Some(mfn)
    }
}

/// The operations that may be unfinished between two hypercalls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PagingOp {
    /// ENABLE_LOGDIRTY: never preempted, but not to be mixed with the others.
    Enable,
    /// OFF.
    Off,
    /// PEEK.
    Peek,
    /// CLEAN.
    Clean,
}

/// How far a preempted operation came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The leaf to go on with. Xen keeps two indices and restarts at an L2 node.
    pub leaf: u32,
    /// Guest pages reported.
    pub pages: u64,
}

/// An operation that has begun and not ended. It is bound to the calling domain and not to a vCPU, so a
/// continuation may run on another one (Xen, XSA-97).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pending {
    caller: DomainId,
    op: PagingOp,
    cursor: Cursor,
    /// Whether a CPU works on it now, as opposed to being between two legs.
    running: bool,
}

/// The counters that PEEK and CLEAN report.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct DirtyStats {
    /// Write faults on logged pages. Always 0: Xen counts them under shadow paging only.
    pub fault_count: u32,
    /// Dirty pages, saturated.
    pub dirty_count: u32,
}

/// The paging state of one domain.
#[derive(Debug)]
pub struct Paging {
    enabled: bool,
    trie: DirtyTrie,
    pool: Pool,
    /// Frames in the trie.
    allocs: u64,
    /// Marks lost because the pool was empty.
    failed_allocs: u64,
    dirty_count: u64,
    pending: Option<Pending>,
}

impl Paging {
    /// Log-dirty off, an empty pool.
    pub const OFF: Paging = Paging {
        enabled: false,
        trie: DirtyTrie::EMPTY,
        pool: Pool { head: None, nr_free: 0, nr_total: 0 },
        allocs: 0,
        failed_allocs: 0,
        dirty_count: 0,
        pending: None,
    };

    /// Whether log-dirty is on.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Switches logging on.
    ///
    /// # Errors
    /// [`HvError::AlreadyEnabled`].
    pub fn enable(&mut self) -> Result<(), HvError> {
        if self.enabled {
            return Err(HvError::AlreadyEnabled);
        }
        self.enabled = true;
        Ok(())
    }

    /// Switches logging off; marks are ignored from now on. True when it was on. The trie stays until
    /// [`free_trie`](Self::free_trie).
    pub fn disable(&mut self) -> bool {
        core::mem::replace(&mut self.enabled, false)
    }

    /// Records that the guest page may have changed. Ignored while log-dirty is off and for a pfn beyond the trie.
    /// Without a free frame the mark is lost, which is counted and fails the next PEEK or CLEAN, as in Xen.
    pub fn mark_dirty(&mut self, machine: &Machine, pfn: Pfn) {
        if !self.enabled || !DirtyTrie::covers(pfn) {
            return;
        }
        let (pool, allocs) = (&mut self.pool, &mut self.allocs);
        let grow = || {
            let frame = pool.take(machine).ok_or(())?;
            *allocs += 1;
            Ok(frame)
        };
        match self.trie.set(machine, pfn, grow) {
            Ok(fresh) => self.dirty_count += u64::from(fresh),
            Err(()) => self.failed_allocs += 1,
        }
    }

    /// Records that the guest page is gone: there is nothing left to copy.
    pub fn mark_clean(&mut self, machine: &Machine, pfn: Pfn) {
        if DirtyTrie::covers(pfn) && self.trie.clear(machine, pfn) {
            self.dirty_count -= 1;
        }
    }

    /// Whether the guest page is marked.
    pub fn is_dirty(&self, machine: &Machine, pfn: Pfn) -> bool {
        self.trie.contains(machine, pfn)
    }

    /// The counters at this moment.
    pub fn stats(&self) -> DirtyStats {
        DirtyStats { fault_count: 0, dirty_count: u32::try_from(self.dirty_count).unwrap_or(u32::MAX) }
    }

    /// Whether the trie has every mark that was made.
    ///
    /// # Errors
    /// [`HvError::MarksLost`].
    pub fn check_complete(&self) -> Result<(), HvError> {
        if self.failed_allocs == 0 { Ok(()) } else { Err(HvError::MarksLost) }
    }

    /// Reads the first bytes of a leaf; false, and `bits` untouched, when the leaf does not exist.
    pub fn read_leaf(&self, machine: &Machine, leaf: u32, bits: &mut [u8]) -> bool {
        let frame = self.trie.leaf(machine, leaf);
        if let Some(frame) = frame {
            machine.read(frame, 0, bits);
        }
        frame.is_some()
    }

    /// Clears those bits of a leaf that are set in `bits`, and no others. Xen clears the whole leaf even when the
    /// caller asked for a part of it, and loses the rest.
    pub fn clean_leaf(&mut self, machine: &Machine, leaf: u32, bits: &[u8]) {
        for pfn in set_bits(leaf, bits) {
            self.mark_clean(machine, pfn);
        }
    }

    /// Puts bits back that [`clean_leaf`](Self::clean_leaf) took, because their copy did not arrive.
    pub fn restore_leaf(&mut self, machine: &Machine, leaf: u32, bits: &[u8]) {
        for pfn in set_bits(leaf, bits) {
            self.mark_dirty(machine, pfn);
        }
    }

    /// Frees up to `leaves` leaves of the trie into the pool; true when the trie is gone, and with it what it
    /// counted.
    pub fn free_trie(&mut self, machine: &Machine, leaves: u32) -> bool {
        let (pool, allocs) = (&mut self.pool, &mut self.allocs);
        let gone = self.trie.prune(machine, leaves, |frame| {
            *allocs -= 1;
            pool.push(machine, frame);
        });
        if gone {
            debug_assert_eq!(self.allocs, 0, "every frame of the trie was given back");
            self.failed_allocs = 0;
            self.dirty_count = 0;
        }
        gone
    }

    /// Frames of the pool, free or in the trie.
    pub fn allocation(&self) -> u32 {
        self.pool.nr_total
    }

    /// Grows or shrinks the pool to `frames`. Acquires `heap`.
    ///
    /// # Errors
    /// [`HvError::HeapExhausted`], [`HvError::PoolInUse`]; the pool is then as far as it got.
    pub fn set_allocation(&mut self, machine: &Machine, frames: u32) -> Result<(), HvError> {
        while self.pool.nr_total < frames {
            let mfn = machine.alloc(PageOrder::Page4K)?;
            self.pool.push(machine, mfn);
            self.pool.nr_total += 1;
        }
        while self.pool.nr_total > frames {
            let mfn = self.pool.pop(machine).ok_or(HvError::PoolInUse)?;
            machine.free(mfn, PageOrder::Page4K);
            self.pool.nr_total -= 1;
        }
        Ok(())
    }

    /// Begins an operation, or goes on with the one that was [suspended](Self::suspend).
    ///
    /// # Errors
    /// [`HvError::OperationPending`] when another one is unfinished, or when the one to go on with is not
    /// recorded, is another caller's, another operation, or is being worked on already.
    pub fn claim(&mut self, caller: DomainId, op: PagingOp, resuming: bool) -> Result<Cursor, HvError> {
        match (&mut self.pending, resuming) {
            (None, false) => {
                let cursor = Cursor { leaf: 0, pages: 0 };
                self.pending = Some(Pending { caller, op, cursor, running: true });
                Ok(cursor)
            }
            (Some(pending), true) if !pending.running && (pending.caller, pending.op) == (caller, op) => {
                pending.running = true;
                Ok(pending.cursor)
            }
            _ => Err(HvError::OperationPending),
        }
    }

    /// Leaves the claimed operation to be continued from `cursor`.
    pub fn suspend(&mut self, cursor: Cursor) {
        if let Some(pending) = &mut self.pending {
            pending.cursor = cursor;
            pending.running = false;
        }
    }

    /// Ends the claimed operation.
    pub fn finish(&mut self) {
        self.pending = None;
    }

    /// Whether no operation has begun.
    ///
    /// # Errors
    /// [`HvError::OperationPending`].
    pub fn check_idle(&self) -> Result<(), HvError> {
        if self.pending.is_none() { Ok(()) } else { Err(HvError::OperationPending) }
    }

    /// Gives everything back when the domain is destroyed; an operation that nobody works on is forgotten.
    /// Acquires `heap`.
    ///
    /// # Errors
    /// [`HvError::OperationPending`] while a CPU works on an operation; nothing has changed then.
    pub fn teardown(&mut self, machine: &Machine) -> Result<(), HvError> {
        if self.pending.is_some_and(|pending| pending.running) {
            return Err(HvError::OperationPending);
        }
        self.finish();
        self.disable();
        self.free_trie(machine, MAX_LEAVES);
        self.set_allocation(machine, 0)
    }
}

/// The pfns of the bits that are set in the first bytes of a leaf.
fn set_bits(leaf: u32, bits: &[u8]) -> impl Iterator<Item = Pfn> {
    let first = u64::from(leaf) * LEAF_PFNS;
    let bytes = bits.iter().enumerate().filter(|(_, byte)| **byte != 0);
    bytes.flat_map(move |(at, byte)| {
        let set = (0..8).filter(move |bit| byte & (1 << bit) != 0);
        set.map(move |bit| Pfn::new(first + at as u64 * 8 + bit))
    })
}
