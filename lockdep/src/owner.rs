//! Owners of locks (domains) and the `controls` relation between them.
//!
//! One table for the whole system, because a lock of one domain may be nested with a lock of any other. The
//! relation is kept a strict partial order and transitively closed: [`add_control`] refuses a cycle with an
//! error, and likewise a chain longer than a bound that was set ([`limit_tiers`]). It may grow while locks are held
//! and shrinks only when an owner goes away, which its own locks must not outlive. Asking takes no lock. Registering,
//! dropping and [`add_control`] take turns on one, and are not for handlers that can interrupt another of these calls on
//! their CPU. This file knows nothing of locks; a kernel may use the relation for its own permissions.

use core::fmt;

use lock_api::Mutex;

use crate::order::Relation;
use crate::spin::RawSpin;
use crate::sync::{AtomicU8, AtomicU64, Ordering};

/// How many owners can be registered at once.
pub const MAX_OWNERS: usize = 256;
const WORDS: usize = MAX_OWNERS / 64;

/// An owner, or nobody. Given out by [`Owner::register`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(u16);

impl OwnerId {
    /// The owner of locks that belong to no domain.
    pub const NOBODY: OwnerId = OwnerId(0);

    /// The number of the owner; 0 is nobody.
    pub const fn get(self) -> u16 {
        self.0
    }

    pub(crate) const fn from_raw(raw: u16) -> OwnerId {
        OwnerId(raw)
    }

    #[inline]
    fn slot(self) -> Option<usize> {
        (self.0 as usize).checked_sub(1)
    }
}

impl fmt::Debug for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == OwnerId::NOBODY { f.write_str("nobody") } else { write!(f, "owner {}", self.0) }
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why an owner or a control edge was not recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OwnerError {
    /// [`MAX_OWNERS`] owners are registered.
    Full,
    /// The subject already controls the controller, or is the controller.
    Cycle,
    /// One of the two is nobody, or is no longer registered.
    Unknown,
    /// A chain of controllers would be, or is, longer than [`limit_tiers`] permits.
    Deep,
}

impl fmt::Display for OwnerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OwnerError::Full => write!(f, "all {MAX_OWNERS} owners are in use; drop one or raise MAX_OWNERS"),
            OwnerError::Cycle => f.write_str("the subject controls the controller, or is the controller"),
            OwnerError::Unknown => f.write_str("the owner is not registered"),
            OwnerError::Deep => f.write_str("more owners control each other in a chain than there are tiers"),
        }
    }
}

impl core::error::Error for OwnerError {}

/// A set of owners as bits.
type Row = [AtomicU64; WORDS];

struct Table {
    used: Row,
    privileged: Row,
    /// `controls[e]` has bit d set iff e controls d, directly or through others.
    controls: [Row; MAX_OWNERS],
    /// The most owners in a chain of `controls`; 0 for any number. Written under the lock below, and lowered only.
    tiers: AtomicU8,
    /// Serialises writers; readers need only one relaxed load, since bits are only added while both live.
    writers: Mutex<RawSpin, ()>,
}

static TABLE: Table = Table {
    used: [const { AtomicU64::new(0) }; WORDS],
    privileged: [const { AtomicU64::new(0) }; WORDS],
    controls: [const { [const { AtomicU64::new(0) }; WORDS] }; MAX_OWNERS],
    tiers: AtomicU8::new(0),
    writers: Mutex::new(()),
};

#[inline]
fn test(row: &Row, bit: usize) -> bool {
    row[bit / 64].load(Ordering::Relaxed) & (1 << (bit % 64)) != 0
}

fn set(row: &Row, bit: usize) {
    row[bit / 64].fetch_or(1 << (bit % 64), Ordering::Relaxed);
}

fn clear(row: &Row, bit: usize) {
    row[bit / 64].fetch_and(!(1 << (bit % 64)), Ordering::Relaxed);
}

fn words(row: &Row) -> [u64; WORDS] {
    core::array::from_fn(|word| row[word].load(Ordering::Relaxed))
}

/// How many owners the longest chain has that starts at one of `owners` and goes down, or up. The relation is closed, so
/// what is reached in one step more is part of what was reached before, and less.
fn longest(mut owners: [u64; WORDS], down: bool) -> usize {
    let mut length = 0;
    while owners != [0; WORDS] {
        length += 1;
        let mut next = [0; WORDS];
        for (controller, row) in TABLE.controls.iter().enumerate() {
            let (word, bit) = (controller / 64, 1 << (controller % 64));
            let row = words(row);
            if down && owners[word] & bit != 0 {
                next = core::array::from_fn(|word| next[word] | row[word]);
            } else if !down && row.iter().zip(owners).any(|(row, owners)| row & owners != 0) {
                next[word] |= bit;
            }
        }
        owners = next;
    }
    length
}

/// The owner in a slot, as a set.
fn only(slot: usize) -> [u64; WORDS] {
    core::array::from_fn(|word| if slot / 64 == word { 1 << (slot % 64) } else { 0 })
}

/// A registered owner; the registration ends when it is dropped. One per domain.
#[derive(Debug)]
pub struct Owner(OwnerId);

impl Owner {
    /// Registers an owner. `control` marks a control domain, which only the discipline `bias-control` reads.
    ///
    /// # Errors
    /// [`OwnerError::Full`] when [`MAX_OWNERS`] are registered.
    pub fn register(control: bool) -> Result<Owner, OwnerError> {
        let _writers = TABLE.writers.lock();
        let slot = (0..MAX_OWNERS).find(|&slot| !test(&TABLE.used, slot)).ok_or(OwnerError::Full)?;
        set(&TABLE.used, slot);
        if control {
            set(&TABLE.privileged, slot);
        }
        Ok(Owner(OwnerId(slot as u16 + 1)))
    }

    /// The identity that locks of this owner carry.
    pub fn id(&self) -> OwnerId {
        self.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let Some(slot) = self.0.slot() else { return };
        let _writers = TABLE.writers.lock();
        for row in &TABLE.controls {
            clear(row, slot);
        }
        for word in &TABLE.controls[slot] {
            word.store(0, Ordering::Relaxed);
        }
        clear(&TABLE.privileged, slot);
        clear(&TABLE.used, slot);
    }
}

/// Records that `controller` controls `subject`, and whomever `subject` controls.
///
/// # Errors
/// [`OwnerError::Cycle`] when the relation would no longer be a strict partial order; nothing changes then.
/// [`OwnerError::Unknown`] for nobody or an owner that is gone. [`OwnerError::Deep`] when there are bounded tiers
/// ([`limit_tiers`]) and a chain would be longer; nothing changes then, either.
pub fn add_control(controller: OwnerId, subject: OwnerId) -> Result<(), OwnerError> {
    let (Some(upper), Some(lower)) = (controller.slot(), subject.slot()) else {
        return Err(OwnerError::Unknown);
    };
    let _writers = TABLE.writers.lock();
    if !test(&TABLE.used, upper) || !test(&TABLE.used, lower) {
        return Err(OwnerError::Unknown);
    }
    if upper == lower || test(&TABLE.controls[lower], upper) {
        return Err(OwnerError::Cycle);
    }
    let tiers = usize::from(TABLE.tiers.load(Ordering::Relaxed));
    if tiers != 0 && longest(only(upper), false) + longest(only(lower), true) > tiers {
        return Err(OwnerError::Deep);
    }
    let below = words(&TABLE.controls[lower]);
    let gained: [u64; WORDS] = core::array::from_fn(|word| below[word] | only(lower)[word]);
    for (above, row) in TABLE.controls.iter().enumerate() {
        if above == upper || test(row, upper) {
            for (word, bits) in row.iter().zip(gained) {
                word.fetch_or(bits, Ordering::Relaxed);
            }
        }
    }
    Ok(())
}

/// Sees to it that no chain of `controls` has more than `tiers` owners (two tiers: who controls is not controlled), from
/// now on; of several bounds the lowest counts. Operations whose roles declare `tiers` do this on entry where checking is
/// on; a kernel does it at boot. The proof may then rest on it (`cargo lockdep analyze`).
///
/// # Errors
/// [`OwnerError::Deep`] when there is a longer chain already; nothing changes then.
///
/// # Panics
/// For 0 tiers, which no owner fits.
pub fn limit_tiers(tiers: u8) -> Result<(), OwnerError> {
    assert!(tiers != 0, "an owner is a tier of its own");
    let is_lower = || !(1..=tiers).contains(&TABLE.tiers.load(Ordering::Relaxed));
    if !is_lower() {
        return Ok(());
    }
    let _writers = TABLE.writers.lock();
    if is_lower() {
        if longest(words(&TABLE.used), true) > usize::from(tiers) {
            return Err(OwnerError::Deep);
        }
        TABLE.tiers.store(tiers, Ordering::Relaxed);
    }
    Ok(())
}

/// The bound of [`limit_tiers`], if there is one.
pub fn tiers() -> Option<u8> {
    Some(TABLE.tiers.load(Ordering::Relaxed)).filter(|&tiers| tiers != 0)
}

/// Lifts the bound.
pub(crate) fn forget_tiers() {
    let _writers = TABLE.writers.lock();
    TABLE.tiers.store(0, Ordering::Relaxed);
}

/// Whether `controller` controls `subject`, directly or through others. Nobody controls nobody.
#[inline]
pub fn controls(controller: OwnerId, subject: OwnerId) -> bool {
    match (controller.slot(), subject.slot()) {
        (Some(upper), Some(lower)) => test(&TABLE.controls[upper], lower),
        _ => false,
    }
}

/// Whether `owner` was registered as a control domain.
#[inline]
pub fn is_control(owner: OwnerId) -> bool {
    owner.slot().is_some_and(|slot| test(&TABLE.privileged, slot))
}

/// How `wanted` stands to `held`.
#[inline]
pub fn relation(held: OwnerId, wanted: OwnerId) -> Relation {
    if held == wanted {
        Relation::Same
    } else if controls(wanted, held) {
        Relation::Up
    } else if controls(held, wanted) {
        Relation::Down
    } else {
        Relation::Other
    }
}

/// Implemented by a type that owns the locks inside it; see `#[lock_owner]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` owns no locks",
    note = "mark the type with `#[lock_owner]` and one of its fields with `#[owner]`"
)]
pub trait LockOwner {
    /// The owner that the locks inside `self` carry.
    fn owner_id(&self) -> OwnerId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_is_transitive_and_refuses_cycles() {
        let [guest, stub, control] = [(); 3].map(|()| Owner::register(false).expect("a free owner"));
        add_control(control.id(), stub.id()).expect("first edge");
        add_control(stub.id(), guest.id()).expect("second edge");
        assert!(controls(control.id(), guest.id()), "closed transitively, whichever edge came first");
        assert_eq!(relation(guest.id(), control.id()), Relation::Up);
        assert_eq!(relation(control.id(), guest.id()), Relation::Down);
        assert_eq!(add_control(guest.id(), control.id()), Err(OwnerError::Cycle));
        assert_eq!(add_control(guest.id(), guest.id()), Err(OwnerError::Cycle));
        assert!(!controls(guest.id(), control.id()));
        let (guest_id, control_id) = (guest.id(), control.id());
        drop(guest);
        assert!(!controls(control_id, guest_id), "an owner that is gone is controlled by nobody");
        assert_eq!(add_control(control_id, guest_id), Err(OwnerError::Unknown));
    }

    #[test]
    fn nobody_is_a_stranger_to_every_owner() {
        let owner = Owner::register(true).expect("a free owner");
        assert_eq!(relation(OwnerId::NOBODY, owner.id()), Relation::Other);
        assert_eq!(relation(owner.id(), OwnerId::NOBODY), Relation::Other);
        assert_eq!(relation(OwnerId::NOBODY, OwnerId::NOBODY), Relation::Same);
        assert_eq!(add_control(owner.id(), OwnerId::NOBODY), Err(OwnerError::Unknown));
    }
}
