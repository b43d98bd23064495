//! Our locks as a family: undeclared classes over spin locks, so that only what was learned can speak.
//!
//! Included by the test and by the package that holds the peers.
#![expect(unsafe_code, reason = "lockdep has to be told how to find the current CPU")]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use lockdep::class::{Class, LockClass};

use crate::family::{Family, Mutex, RwLock};

/// Ours.
pub struct Ours;

/// The class of this number.
pub struct Piece<const CLASS: u16>;

static CLASSES: [Class; 8] = [
    Class::undeclared("king"),
    Class::undeclared("queen"),
    Class::undeclared("rook"),
    Class::undeclared("bishop"),
    Class::undeclared("knight"),
    Class::undeclared("pawn"),
    Class::undeclared("black pawn"),
    Class::undeclared("black knight"),
];

impl<const CLASS: u16> LockClass for Piece<CLASS> {
    fn class() -> &'static Class {
        &CLASSES[usize::from(CLASS)]
    }
}

type OurMutex<const CLASS: u16> = lockdep::Mutex<spin::Mutex<()>, (), Piece<CLASS>>;
type OurRwLock<const CLASS: u16> = lockdep::RwLock<spin::RwLock<()>, (), Piece<CLASS>>;

impl<const CLASS: u16> Mutex for OurMutex<CLASS> {
    type Guard<'a> = lockdep::MutexGuard<'a, spin::Mutex<()>, (), Piece<CLASS>>;
    fn lock(&self) -> Self::Guard<'_> {
        self.lock()
    }
    fn try_lock(&self) -> Option<Self::Guard<'_>> {
        self.try_lock()
    }
}

impl<const CLASS: u16> RwLock for OurRwLock<CLASS> {
    type Read<'a> = lockdep::RwLockReadGuard<'a, spin::RwLock<()>, (), Piece<CLASS>>;
    type Write<'a> = lockdep::RwLockWriteGuard<'a, spin::RwLock<()>, (), Piece<CLASS>>;
    fn read(&self) -> Self::Read<'_> {
        self.read()
    }
    fn write(&self) -> Self::Write<'_> {
        self.write()
    }
}

impl Family for Ours {
    const NAME: &'static str = "lockdep (ours)";
    type Mutex<const CLASS: u16> = OurMutex<CLASS>;
    type RwLock<const CLASS: u16> = OurRwLock<CLASS>;

    fn start(report: fn()) {
        static REPORT: OnceLock<fn()> = OnceLock::new();
        thread_local! {
            static CPU: usize = {
                static NEXT: AtomicUsize = AtomicUsize::new(0);
                NEXT.fetch_add(1, Ordering::Relaxed)
            };
        }
        // SAFETY: every thread has a number of its own, for as long as it lives and never again.
        unsafe { lockdep::cpu::install(|| CPU.with(|cpu| *cpu)) };
        let _ = REPORT.set(report);
        lockdep::set_sink(|found| {
            eprintln!("{found}");
            if let Some(report) = REPORT.get() {
                report();
            }
            // The wait that follows may never end.
            panic!("reported");
        });
    }

    fn mutex<const CLASS: u16>() -> OurMutex<CLASS> {
        lockdep::Mutex::new(())
    }

    fn rwlock<const CLASS: u16>() -> OurRwLock<CLASS> {
        lockdep::RwLock::new(())
    }
}
