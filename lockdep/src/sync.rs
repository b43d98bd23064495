//! The atomics of the checker: those of `core`, or under `--cfg loom` those of loom, which tries every interleaving and
//! every value that the memory model lets a load return.
//!
//! A file of this crate that shares something between CPUs takes its atomics from here. Only the models
//! (`graph/models.rs`) are built with loom's. What a `Mutex<RawSpin, _>` protects stays plain memory: loom sees who holds
//! the lock, not what they do with it. Compiler fences are not modelled: they order a CPU with its own interrupts.

#[cfg(not(all(loom, test)))]
pub(crate) use core::hint::spin_loop;
#[cfg(not(all(loom, test)))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence};

#[cfg(all(loom, test))]
pub(crate) use modelled::*;

/// loom's atomics belong to one execution of a model and have no `const` constructor; ours stand in statics. So ours keep
/// their first value only, and by their address find loom's, which the first use in an execution makes.
///
/// That first use has to happen before every other one, in loom's eyes too: a model touches what its threads will share
/// before it starts them, or loom complains of a causality violation.
#[cfg(all(loom, test))]
mod modelled {
    extern crate std;

    use core::any::Any;
    use core::fmt;
    use core::ptr;
    use std::boxed::Box;
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    pub(crate) use loom::hint::spin_loop;
    pub(crate) use loom::sync::atomic::{Ordering, fence};

    type Cells = Mutex<HashMap<usize, Box<dyn Any + Send>>>;

    loom::lazy_static! {
        static ref CELLS: Cells = Mutex::default();
    }

    fn cell<T: Send + Sync + 'static>(address: usize, make: impl FnOnce() -> T) -> Arc<T> {
        let mut cells = CELLS.lock().expect("a model that panicked is over");
        let cell = cells.entry(address).or_insert_with(|| Box::new(Arc::new(make())));
        Arc::clone(cell.downcast_ref().expect("one address, one type"))
    }

    macro_rules! atomics {
        ($($name:ident: $value:ty { $($method:ident($($argument:ident: $is:ty),*) -> $gives:ty;)* })*) => {$(
            /// Stands for the atomic of this name.
            pub(crate) struct $name {
                first: $value,
            }

            impl $name {
                pub(crate) const fn new(first: $value) -> Self {
                    $name { first }
                }

                $(
                    #[track_caller]
                    pub(crate) fn $method(&self, $($argument: $is),*) -> $gives {
                        let make = || loom::sync::atomic::$name::new(self.first);
                        cell(ptr::from_ref(self).addr(), make).$method($($argument),*)
                    }
                )*
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.load(Ordering::Relaxed).fmt(f)
                }
            }
        )*};
    }

    atomics! {
        AtomicBool: bool {
            load(order: Ordering) -> bool;
            store(value: bool, order: Ordering) -> ();
            swap(value: bool, order: Ordering) -> bool;
            compare_exchange(old: bool, new: bool, done: Ordering, not: Ordering) -> Result<bool, bool>;
        }
        AtomicU8: u8 {
            load(order: Ordering) -> u8;
            store(value: u8, order: Ordering) -> ();
            swap(value: u8, order: Ordering) -> u8;
            fetch_or(bits: u8, order: Ordering) -> u8;
        }
        AtomicU16: u16 {
            load(order: Ordering) -> u16;
            store(value: u16, order: Ordering) -> ();
        }
        AtomicU32: u32 {
            load(order: Ordering) -> u32;
            store(value: u32, order: Ordering) -> ();
            fetch_add(more: u32, order: Ordering) -> u32;
        }
        AtomicU64: u64 {
            load(order: Ordering) -> u64;
            store(value: u64, order: Ordering) -> ();
            fetch_or(bits: u64, order: Ordering) -> u64;
            fetch_and(bits: u64, order: Ordering) -> u64;
            fetch_add(more: u64, order: Ordering) -> u64;
            fetch_min(value: u64, order: Ordering) -> u64;
            fetch_max(value: u64, order: Ordering) -> u64;
        }
    }
}
