//! A hypervisor's memory-management core.
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
