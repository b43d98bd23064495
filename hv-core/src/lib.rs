//! A hypervisor's memory-management core with checked locks: p2m, log-dirty paging, page allocation, guest copies
//! and the hypercalls that reach them.
//!
//! It is the proving ground of `lockdep`: real structures behind real locks, with the nestings across domains that a
//! control domain causes. It is not a hypervisor: nothing is scheduled, no hardware is touched, a CPU is whichever
//! thread of control calls. A kernel, or a test, calls [`hypercall`], [`guest_copy`] for what guests do to memory,
//! and [`system`] to boot.
//!
//! # What is modelled after Xen, and what is not
//!
//! Host p2m with 4 KiB and 2 MiB entries, log-dirty with preemption and continuation, modified_memory, page
//! accounting, `set_target`, the default policy. Not: guest page tables, PoD, page sharing, alternate and nested
//! p2m, grants, VRAM tracking, shadow paging, reference counts of pages (the p2m lock held for reading stands for
//! them). Differences in behaviour are named in the file where they are; all refused requests are in [`error`].
//!
//! # The order of the files is the order of the locks
//!
//! A file imports only files above it, and the file of a lock is above those of the locks that are acquired
//! before it. So what an operation can acquire can be seen from its imports.
//!
//! | file | lock |
//! |---|---|
//! | [`types`], [`error`], [`locks`] | the order table |
//! | [`machine`] | `heap` |
//! | [`radix`], [`dirty_trie`] | |
//! | [`paging`] | `paging` |
//! | [`page_alloc`] | `page_alloc` |
//! | [`p2m`] | `p2m` |
//! | [`sched`], [`domain`] | a domain has one of each |
//! | [`physmap`], [`guest_copy`], [`log_dirty`], [`dm_op`] | operations |
//! | [`system`], [`abi`], [`hypercall`] | none |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod abi;
pub mod dirty_trie;
pub mod dm_op;
pub mod domain;
pub mod error;
pub mod guest_copy;
pub mod hypercall;
pub mod locks;
pub mod log_dirty;
pub mod machine;
pub mod p2m;
pub mod page_alloc;
pub mod paging;
pub mod physmap;
pub mod radix;
pub mod sched;
pub mod system;
pub mod types;
