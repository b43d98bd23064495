//! What the integration tests of the workspace share: fake CPUs, a sink that collects, a migration, the command.
//!
//! It is not a framework: no test is run from here, and nothing here decides what is right. Only `tests/` may depend
//! on it. Locks named after Xen's occur here through `hv-core` alone.

#[path = "support/alone.rs"]
pub mod alone;
#[path = "support/analysis.rs"]
pub mod analysis;
#[path = "support/board.rs"]
pub mod board;
#[path = "support/collect.rs"]
pub mod collect;
#[path = "support/dice.rs"]
pub mod dice;
#[path = "support/migration.rs"]
pub mod migration;
#[path = "support/scheduler.rs"]
pub mod scheduler;
#[path = "support/script.rs"]
pub mod script;
#[path = "support/workload.rs"]
pub mod workload;
#[path = "support/world.rs"]
pub mod world;
#[path = "support/wound_wait.rs"]
pub mod wound_wait;
#[path = "support/writers.rs"]
pub mod writers;
