//! What has to be as in std, checked or not; and unchecked, in size.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lockdep_std::{Condvar, LazyLock, Mutex, Once, OnceLock, RwLock, TryLockError};

use crate::Desk;

fn panics(f: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(f)).is_err());
}

#[test]
fn a_mutex_is_poisoned() {
    let desk = Desk::new();
    let mut pawn = Mutex::new(1);
    panics(|| {
        let mut guard = pawn.lock().unwrap();
        *guard = 2;
        panic!("while it is held");
    });
    assert!(pawn.is_poisoned());
    assert_eq!(*pawn.lock().expect_err("poisoned").into_inner(), 2);
    let Err(TryLockError::Poisoned(poisoned)) = pawn.try_lock() else { panic!("poisoned") };
    assert!(matches!(pawn.try_lock(), Err(TryLockError::WouldBlock)));
    drop(poisoned);
    assert_eq!(**pawn.get_mut().expect_err("poisoned").get_ref(), 2);
    pawn.clear_poison();
    assert_eq!(*pawn.lock().unwrap(), 2);
    assert_eq!(pawn.into_inner().unwrap(), 2);
    assert!(desk.codes().is_empty());
}

#[test]
fn a_reader_does_not_poison_and_a_writer_does() {
    let desk = Desk::new();
    let knight = RwLock::new(1);
    panics(|| {
        let _guard = knight.read().unwrap();
        panic!("while it is read");
    });
    assert!(!knight.is_poisoned());
    panics(|| {
        let _guard = knight.write().unwrap();
        panic!("while it is written");
    });
    assert!(knight.read().is_err() && knight.try_write().is_err() && knight.is_poisoned());
    assert!(desk.codes().is_empty());
}

#[test]
fn a_wait_goes_on_with_poison() {
    let _desk = Desk::new();
    let (pawn, moved) = (Mutex::new(false), Condvar::new());
    panics(|| {
        let _guard = pawn.lock().unwrap();
        panic!("while it is held");
    });
    let guard = pawn.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let after = moved.wait_timeout(guard, Duration::from_millis(1));
    let (guard, result) = after.expect_err("poisoned").into_inner();
    assert!(!*guard && result.timed_out());
}

#[test]
fn a_call_that_panicked_poisons_its_once() {
    let _desk = Desk::new();
    let once = Once::new();
    panics(|| once.call_once(|| panic!("at first")));
    panics(|| once.call_once(|| {}));
    once.call_once_force(|state| assert!(state.is_poisoned()));
    assert!(once.is_completed());
    let cell = OnceLock::new();
    panics(|| _ = cell.get_or_init(|| panic!("at first")));
    assert_eq!((cell.set(1), cell.set(2)), (Ok(()), Err(2)));
}

#[test]
fn unsized_shared_and_shown() {
    let _desk = Desk::new();
    let pieces: Arc<Mutex<[u8]>> = Arc::new(Mutex::new([1, 2, 3]));
    let copy = Arc::clone(&pieces);
    thread::spawn(move || copy.lock().unwrap()[0] = 7).join().unwrap();
    assert_eq!(*pieces.lock().unwrap(), [7, 2, 3]);
    let std_like = std::sync::Mutex::new([7, 2, 3]);
    assert_eq!(format!("{pieces:?}"), format!("{std_like:?}"));
    assert_eq!(format!("{:?}", pieces.lock().unwrap()), "[7, 2, 3]");
    assert_eq!(Mutex::<u8>::default().lock().unwrap().to_string(), "0");
    assert_eq!(*LazyLock::<u8>::default() + *RwLock::from(1).read().unwrap(), 1);
}

#[test]
fn off_means_gone() {
    let sizes = |sizes: [usize; 6]| sizes;
    let ours = sizes([
        size_of::<Mutex<u64>>(),
        size_of::<RwLock<u64>>(),
        size_of::<Condvar>(),
        size_of::<Once>(),
        size_of::<OnceLock<u64>>(),
        size_of::<lockdep_std::MutexGuard<'_, u64>>(),
    ]);
    use std::sync;
    let theirs = sizes([
        size_of::<sync::Mutex<u64>>(),
        size_of::<sync::RwLock<u64>>(),
        size_of::<sync::Condvar>(),
        size_of::<sync::Once>(),
        size_of::<sync::OnceLock<u64>>(),
        size_of::<sync::MutexGuard<'_, u64>>(),
    ]);
    let lazy = (size_of::<LazyLock<u64>>(), size_of::<sync::LazyLock<u64>>());
    assert_eq!(ours == theirs && lazy.0 == lazy.1, !lockdep::CHECKED, "{ours:?}, {theirs:?}, {lazy:?}");
    if lockdep::CHECKED {
        let mut locks = ours.iter().zip(theirs).take(5);
        assert!(locks.all(|(ours, theirs)| *ours <= theirs.next_multiple_of(8) + 16), "{ours:?}");
    }
}

#[test]
fn locks_look_the_same() {
    let desk = Desk::new();
    let (ours, theirs) = (Mutex::new(1), std::sync::Mutex::new(1));
    assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    let held = ours.lock();
    assert_eq!(format!("{ours:?}"), "Mutex { data: <locked>, poisoned: false, .. }");
    drop(held);
    let (ours, theirs) = (RwLock::new("a"), std::sync::RwLock::new("a"));
    panics(|| {
        let _guards = (ours.write(), theirs.write());
        panic!("while they are written");
    });
    assert_eq!(format!("{ours:#?}"), format!("{theirs:#?}"));
    type Raw = parking_lot::RawMutex;
    let (ours, theirs) = (lockdep_std::raw::Mutex::<Raw, _>::new(1), parking_lot::Mutex::new(1));
    assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    drop(desk);
}
