//! The checker's own lock: a test-and-set spin lock for its tables. *Unsafe 1 of 2.*
//!
//! It is never checked (the checker cannot check itself) and never held while calling out of this crate. It is
//! not for users: they bring their own raw locks through `lock_api`.
#![expect(unsafe_code, reason = "lock_api's raw traits are unsafe to implement")]

use lock_api::{GuardNoSend, RawMutex};

use crate::sync::{AtomicBool, Ordering, spin_loop};

/// A spin lock of one byte.
pub(crate) struct RawSpin(AtomicBool);

// SAFETY: 1. `lock` and `try_lock` succeed only by changing the flag from false to true, so at most one holder
// exists. 2. The exchange acquires and the store releases, so a holder sees what the one before it wrote.
unsafe impl RawMutex for RawSpin {
    const INIT: RawSpin = RawSpin(AtomicBool::new(false));
    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        while !self.try_lock() {
            while self.0.load(Ordering::Relaxed) {
                spin_loop();
            }
        }
    }

    fn try_lock(&self) -> bool {
        self.0.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    unsafe fn unlock(&self) {
        self.0.store(false, Ordering::Release);
    }
}
