//! Roles: which domain an operation works on, and on whose behalf.
//!
//! A role is a type around a reference, so that it stands in the signature of an operation and hence in MIR.
//! Wrapping a domain claims nothing; the claim is made, and checked, where an operation is entered
//! ([`enter_operation`], inserted by `#[operation]`).

use core::marker::PhantomData;
use core::ops::Deref;

use crate::owner::LockOwner;

/// Implemented by the marker type of each role that `lock_order!` declares.
pub trait RoleName: 'static {
    /// As declared.
    const NAME: &'static str;
}

/// A role at its place in the chain `lowest < … < highest`; the lowest has rank 0. `TIERS` is how many owners a chain of
/// `controls` may have, if that is declared, else 0.
pub struct RoleAt<N, const RANK: u8, const TIERS: u8 = 0>(PhantomData<fn() -> N>);

/// A domain in the role `R`.
pub struct InRole<'a, D, R> {
    domain: &'a D,
    role: PhantomData<fn() -> R>,
}

impl<'a, D, R> InRole<'a, D, R> {
    /// Names `domain` by the role it plays in the operation that is about to be called.
    pub const fn new(domain: &'a D) -> Self {
        InRole { domain, role: PhantomData }
    }

    /// The domain, for as long as the reference lives.
    pub const fn get(self) -> &'a D {
        self.domain
    }
}

impl<D, R> Clone for InRole<'_, D, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D, R> Copy for InRole<'_, D, R> {}

impl<D, R> Deref for InRole<'_, D, R> {
    type Target = D;
    fn deref(&self) -> &D {
        self.domain
    }
}

/// Checks on entry of an operation that the domain of the higher role controls the domain of the lower one.
/// The analyzer takes the relation of the two from this call, so the proof rests on nothing unchecked here; nor where it
/// takes into account that there are few tiers, since `controls` stays within them from the first such call on.
///
/// # Panics
/// As the installed sink decides, when it does not.
#[track_caller]
pub fn enter_operation<
    D: LockOwner,
    L: RoleName,
    const LOW: u8,
    H: RoleName,
    const HIGH: u8,
    const TIERS: u8,
>(
    lower: &InRole<'_, D, RoleAt<L, LOW, TIERS>>,
    upper: &InRole<'_, D, RoleAt<H, HIGH, TIERS>>,
) {
    const { assert!(LOW < HIGH, "roles are passed lower first") };
    #[cfg(all(not(lockdep_off), any(lockdep, debug_assertions)))]
    {
        use crate::owner;
        use crate::report::{Code, Matter};
        let site = core::panic::Location::caller();
        if TIERS != 0 {
            let matter = Matter::Tiers { tiers: TIERS, site };
            crate::validator::entered(Code::TiersExceeded, matter, owner::limit_tiers(TIERS).is_ok());
        }
        let (below, above) = (lower.owner_id(), upper.owner_id());
        crate::validator::set_current(above);
        let matter = Matter::Roles { lower: (L::NAME, below), upper: (H::NAME, above), site };
        crate::validator::entered(Code::RoleUnfounded, matter, owner::controls(above, below));
    }
    #[cfg(not(all(not(lockdep_off), any(lockdep, debug_assertions))))]
    let _ = (lower, upper);
}
