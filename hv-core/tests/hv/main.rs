//! Behaviour of hv-core, one module per subject; every test runs with lock checking on and panics on a report.

mod abi;
mod cpus;
mod dm_op;
mod errno;
mod log_dirty;
mod migration;
mod nestings;
mod p2m;
mod rig;
mod roles;
mod sched;
mod trie;
