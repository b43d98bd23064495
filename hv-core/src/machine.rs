//! The machine's memory: frames, and who has which.
//!
//! It hands out frames and copies bytes; it knows no guest address, no p2m and no limit per domain
//! (`page_alloc.rs`). Table walkers, the page allocator and guest copies use it. Guest memory is racy by nature
//! (the guest writes while the hypervisor reads), so a frame is an array of atomics and every access is relaxed:
//! ordering between CPUs comes from the locks around the access, as it does in Xen (`common/page_alloc.c`).

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use lockdep::mm_lock;

use crate::error::HvError;
use crate::locks::{Mutex, levels};
use crate::types::{DomainId, Mfn, PAGE_SIZE, PAGE_WORDS, PageOrder};

const WORD_BITS: usize = u64::BITS as usize;
/// Words of the free bitmap that one 2 MiB page covers.
const RUN: usize = PageOrder::Page2M.pages() as usize / WORD_BITS;

struct Frame {
    words: [AtomicU64; PAGE_WORDS],
    /// The domain whose page list has the frame, as a raw [`DomainId`].
    owner: AtomicU16,
}

/// The free frames of the machine, one bit each.
pub struct Heap {
    free: Box<[u64]>,
    nr_free: u64,
}

/// The lock around the free frames. It belongs to no domain and is innermost: nothing is acquired under it.
#[mm_lock(order = heap)]
pub struct HeapLock(Mutex<Heap>);

/// All memory of one machine.
pub struct Machine {
    frames: Box<[Frame]>,
    heap: HeapLock,
}

impl Heap {
    fn all_free(nr_frames: usize) -> Heap {
        let word = |index: usize| match nr_frames.saturating_sub(index * WORD_BITS) {
            left if left >= WORD_BITS => u64::MAX,
            left => (1 << left) - 1,
        };
        Heap { free: (0..nr_frames.div_ceil(WORD_BITS)).map(word).collect(), nr_free: nr_frames as u64 }
    }

    /// Single pages come from the bottom and 2 MiB pages from the top, so that single pages break up few runs.
    fn take(&mut self, order: PageOrder) -> Option<Mfn> {
        let first = match order {
            PageOrder::Page4K => {
                let index = self.free.iter().position(|word| *word != 0)?;
                let bit = self.free[index].trailing_zeros();
                self.free[index] &= !(1 << bit);
                index * WORD_BITS + bit as usize
            }
            PageOrder::Page2M => {
                let runs = self.free.chunks_exact_mut(RUN).enumerate().rev();
                let (index, run) = { runs }.find(|(_, run)| run.iter().all(|word| *word == u64::MAX))?;
                run.fill(0);
                index * RUN * WORD_BITS
            }
        };
        self.nr_free -= order.pages();
        Some(Mfn::new(first as u64))
    }

    fn give(&mut self, mfn: Mfn, order: PageOrder) {
        let first = mfn.get() as usize;
        match order {
            PageOrder::Page4K => self.free[first / WORD_BITS] |= 1 << (first % WORD_BITS),
            PageOrder::Page2M => self.free[first / WORD_BITS..][..RUN].fill(u64::MAX),
        }
        self.nr_free += order.pages();
    }
}

impl Machine {
    /// A machine with `nr_frames` free frames of 4 KiB, numbered from 0.
    pub fn new(nr_frames: usize) -> Machine {
        let frame = |_| Frame {
            words: [const { AtomicU64::new(0) }; PAGE_WORDS],
            owner: AtomicU16::new(DomainId::INVALID.get()),
        };
        Machine {
            frames: (0..nr_frames).map(frame).collect(),
            heap: HeapLock::from(Mutex::new(Heap::all_free(nr_frames))),
        }
    }

    /// Takes a zeroed page off the heap. Acquires `heap`.
    ///
    /// # Errors
    /// [`HvError::HeapExhausted`].
    pub fn alloc(&self, order: PageOrder) -> Result<Mfn, HvError> {
        let taken = self.heap.lock().take(order);
        let mfn = taken.ok_or(HvError::HeapExhausted)?;
        // Outside the lock: the frames are ours already, and scrubbing is long.
        for frame in self.span(mfn, order) {
            frame.words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        }
        Ok(mfn)
    }

    /// Gives a page back that [`alloc`](Self::alloc) handed out, whole or a 4 KiB part of it. Acquires `heap`.
    pub fn free(&self, mfn: Mfn, order: PageOrder) {
        self.set_owner(mfn, order, DomainId::INVALID);
        self.heap.lock().give(mfn, order);
    }

    /// Free frames at this moment. Acquires `heap`.
    pub fn nr_free(&self) -> u64 {
        self.heap.lock().nr_free
    }

    /// Whether the frame is memory of this machine, as opposed to a device's.
    pub fn contains(&self, mfn: Mfn) -> bool {
        (mfn.get() as usize) < self.frames.len()
    }

    /// The domain whose page the frame is, or [`DomainId::INVALID`].
    pub fn owner(&self, mfn: Mfn) -> DomainId {
        let frame = self.frames.get(mfn.get() as usize);
        frame.map_or(DomainId::INVALID, |frame| DomainId::new(frame.owner.load(Ordering::Relaxed)))
    }

    pub(crate) fn set_owner(&self, mfn: Mfn, order: PageOrder, owner: DomainId) {
        for frame in self.span(mfn, order) {
            frame.owner.store(owner.get(), Ordering::Relaxed);
        }
    }

    fn span(&self, mfn: Mfn, order: PageOrder) -> &[Frame] {
        &self.frames[mfn.get() as usize..][..order.pages() as usize]
    }

    /// One word of a frame.
    ///
    /// # Panics
    /// When the machine has no such frame or a frame no such word: both come from tables of ours, never from a guest.
    pub fn word(&self, mfn: Mfn, index: usize) -> &AtomicU64 {
        &self.frames[mfn.get() as usize].words[index]
    }

    /// Reads bytes of one frame.
    ///
    /// # Panics
    /// When the range leaves the frame or the frame does not exist.
    pub fn read(&self, mfn: Mfn, offset: usize, into: &mut [u8]) {
        assert!(offset + into.len() <= PAGE_SIZE, "a read stays in its frame");
        for (at, byte) in (offset..).zip(into) {
            *byte = self.word(mfn, at / 8).load(Ordering::Relaxed).to_le_bytes()[at % 8];
        }
    }

    /// Writes bytes of one frame; neighbouring bytes of the same word are left as others write them.
    ///
    /// # Panics
    /// When the range leaves the frame or the frame does not exist.
    pub fn write(&self, mfn: Mfn, offset: usize, from: &[u8]) {
        assert!(offset + from.len() <= PAGE_SIZE, "a write stays in its frame");
        let mut done = 0;
        while done < from.len() {
            let at = offset + done;
            let within = at % 8;
            let count = (8 - within).min(from.len() - done);
            let part = &from[done..done + count];
            let word = self.word(mfn, at / 8);
            if count == 8 {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(part);
                word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
            } else {
                word.update(Ordering::Relaxed, Ordering::Relaxed, |old| {
                    let mut bytes = old.to_le_bytes();
                    bytes[within..within + count].copy_from_slice(part);
                    u64::from_le_bytes(bytes)
                });
            }
            done += count;
        }
    }
}
