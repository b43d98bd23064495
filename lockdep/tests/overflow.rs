//! More locks at once than a CPU keeps. A process of its own: what is counted here explains releases that find no record.
#![expect(unsafe_code, reason = "lockdep has to be told how to find the current CPU")]

use lockdep::RwLock;
use lockdep::class::{Class, LockClass};
use lockdep::held::MAX_HELD;

struct Pawn;

impl LockClass for Pawn {
    fn class() -> &'static Class {
        static CLASS: Class = Class::undeclared("pawn");
        &CLASS
    }
}

#[test]
fn what_a_full_stack_has_no_room_for_releases_no_other_lock() {
    if !lockdep::CHECKED {
        return;
    }
    // SAFETY: there is one thread that uses locks.
    unsafe { lockdep::cpu::install(|| 0) };
    let locks: Vec<_> =
        (0..MAX_HELD + 2).map(|_| RwLock::<parking_lot::RawRwLock, (), Pawn>::new(())).collect();
    let mut guards: Vec<_> = locks.iter().map(|lock| lock.try_read().expect("nobody writes")).collect();
    assert_eq!(lockdep::counters().overflowed, 2);
    guards.truncate(MAX_HELD);
    locks[MAX_HELD - 1].assert_held();
    locks[MAX_HELD].assert_not_held();
    drop(guards);
    lockdep::assert_none_held();
    assert_eq!(lockdep::counters().reported, 0);
}
