//! The modes of raw locks that std's do not have: upgradable, reentrant, with a time limit, and where they are released as what.

use std::time::{Duration, Instant};

use lockdep_std::raw::{self, RwLockUpgradableReadGuard, RwLockWriteGuard};

use crate::Desk;

type Mutex<T> = raw::Mutex<parking_lot::RawMutex, T>;
type RwLock<T> = raw::RwLock<parking_lot::RawRwLock, T>;
type ReentrantMutex<T> = raw::ReentrantMutex<parking_lot::RawMutex, parking_lot::RawThreadId, T>;

const SOON: Duration = Duration::from_millis(1);

#[test]
fn an_upgrade_waits_under_what_was_acquired_since() {
    let desk = Desk::new();
    let (pawn, knight) = (RwLock::new(1), Mutex::new(()));
    let reader = pawn.upgradable_read();
    assert_eq!(*reader + *pawn.try_read_recursive().expect("a reader beside it"), 2);
    let mut writer = RwLockUpgradableReadGuard::upgrade(reader);
    *writer += 1;
    let reader = RwLockWriteGuard::downgrade_to_upgradable(writer);
    let Ok(writer) = RwLockUpgradableReadGuard::try_upgrade(reader) else { panic!("alone") };
    let reader = RwLockUpgradableReadGuard::downgrade(RwLockWriteGuard::downgrade_to_upgradable(writer));
    assert_eq!(*reader, 2);
    drop(reader);
    lockdep::assert_none_held();
    assert!(desk.codes().is_empty(), "nothing else is held");
    let reader = pawn.upgradable_read();
    let inner = knight.lock();
    drop((RwLockUpgradableReadGuard::upgrade(reader), inner));
    assert_eq!(desk.codes(), ["lock-order-cycle"], "another reader may want the inner lock");
    lockdep::assert_none_held();
}

#[test]
fn a_holder_enters_again_and_two_are_two() {
    let desk = Desk::new();
    let [pawn, other] = [1, 2].map(ReentrantMutex::new);
    {
        let outer = pawn.lock();
        assert_eq!(*outer + *pawn.lock() + *pawn.try_lock().expect("its own"), 3);
        assert!(format!("{pawn:?}").contains("data: 1"));
    }
    lockdep::assert_none_held();
    assert!(desk.codes().is_empty());
    let _pawn = pawn.lock();
    drop(other.lock());
    assert_eq!(desk.codes(), ["unordered-instances"]);
}

#[test]
fn a_limited_wait_makes_no_edge_into_its_lock_and_holds_it() {
    let desk = Desk::new();
    let (pawn, knight, rook) = (Mutex::new(()), RwLock::new(()), ReentrantMutex::new(()));
    drop((pawn.lock(), knight.read(), rook.lock()));
    {
        let _rook = rook.try_lock_for(SOON).expect("nobody has it");
        let _knight = knight.try_write_until(Instant::now() + SOON).expect("nobody has it");
        assert!(knight.try_read_for(SOON).is_none() && knight.try_upgradable_read_for(SOON).is_none());
        drop(pawn.try_lock_for(SOON).expect("nobody has it"));
    }
    assert!(desk.codes().is_empty(), "who gives up waits for nobody");
    let reader = knight.try_upgradable_read_until(Instant::now() + SOON).expect("nobody writes");
    let beside = knight.try_read_recursive_for(SOON).expect("nobody writes");
    let Err(reader) = RwLockUpgradableReadGuard::try_upgrade_for(reader, SOON) else { panic!("not alone") };
    drop(beside);
    let writer = RwLockUpgradableReadGuard::try_upgrade_until(reader, Instant::now() + SOON);
    let Ok(_writer) = writer else { panic!("alone") };
    drop(pawn.lock());
    assert_eq!(desk.codes(), ["lock-order-cycle"], "what was got in time is held");
}
