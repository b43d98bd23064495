//! The log-dirty operations of a control domain on a subject: ENABLE, OFF, PEEK and CLEAN.
//!
//! Each function is one operation with both domains in its signature, and acquires locks of both. Permission and
//! decoding come before (`hypercall.rs`, the only caller besides tests). After `paging_log_dirty_op` and its
//! neighbours in Xen's `arch/x86/mm/paging.c`.
//!
//! The problem that this project starts from is [`CopyMode::UnderLock`]: the bitmap goes to the caller while
//! `paging` of the subject is held, and reaching the caller's memory takes the caller's `p2m`. A device model may
//! mark pages while the subject is paused, so a leaf must be either copied under the lock, or taken to a private
//! page under the lock and copied after ([`CopyMode::Snapshot`]).
//!
//! Differences from Xen, all on the side of losing nothing: a failing copy leaves the bits that did not arrive in
//! the trie, and the error says how many pages did; only bits that were reported are cleaned; after a failed CLEAN
//! too the pages that were cleaned fault again; CLEAN of a domain that does not log changes nothing.

use lockdep::operation;

use crate::dirty_trie::MAX_LEAVES;
use crate::domain::Domain;
use crate::error::HvError;
use crate::guest_copy::{clear_to_caller, copy_to_caller};
use crate::locks::levels;
use crate::locks::levels::{Control, Subject};
use crate::machine::Machine;
use crate::paging::{Cursor, DirtyStats, PagingOp};
use crate::physmap::set_logging;
use crate::types::{GuestHandle, PAGE_SIZE};

/// How a leaf reaches the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CopyMode {
    /// As Xen: with `paging` of the subject held. Nests `p2m` and `paging` of the caller under it.
    UnderLock,
    /// Through a private page, with no lock held.
    Snapshot,
}

/// What to do with the bits that were reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scan {
    /// Leave them.
    Peek,
    /// Clear them and log the pages anew.
    Clean,
}

impl Scan {
    fn op(self) -> PagingOp {
        match self {
            Scan::Peek => PagingOp::Peek,
            Scan::Clean => PagingOp::Clean,
        }
    }
}

/// One PEEK or CLEAN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScanRequest {
    /// Which of the two.
    pub scan: Scan,
    /// Where the bitmap goes; without it nothing is copied, and CLEAN still cleans.
    pub bitmap: Option<GuestHandle>,
    /// Guest pages to report from pfn 0 on. Whole bytes are reported, so up to 7 more.
    pub pages: u64,
}

/// The end of one leg of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leg<T> {
    /// The operation is done.
    Done(T),
    /// The operation goes on in another leg. The subject stays paused.
    Preempted,
}

/// What PEEK and CLEAN report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScanReport {
    /// Guest pages reported: as many as asked for, or as many as a trie has.
    pub pages: u64,
    /// The counters when the last leg began.
    pub stats: DirtyStats,
}

/// Switches logging on: every writable page faults on its next write. Pauses the subject meanwhile. Acquires
/// `p2m` and `paging` of the subject, one after the other.
///
/// # Errors
/// [`HvError::DevicesAssigned`], [`HvError::IoreqEntries`], [`HvError::AlreadyEnabled`],
/// [`HvError::OperationPending`].
#[operation]
pub fn enable(
    machine: &Machine,
    #[role(subject)] subject: Subject<'_, Domain>,
    #[role(control)] caller: Control<'_, Domain>,
) -> Result<(), HvError> {
    if subject.has_passthrough() {
        return Err(HvError::DevicesAssigned);
    }
    subject.pause();
    let result = enable_paused(machine, subject, caller);
    subject.unpause();
    result
}

fn enable_paused(
    machine: &Machine,
    subject: Subject<'_, Domain>,
    caller: Control<'_, Domain>,
) -> Result<(), HvError> {
    if subject.p2m.read().ioreq_pages() > 0 {
        return Err(HvError::IoreqEntries);
    }
    // The claim keeps OFF out until types and mode agree again.
    let mut paging = subject.paging.lock();
    paging.claim(caller.id(), PagingOp::Enable, false)?;
    let enabled = paging.enable();
    drop(paging);
    if enabled.is_ok() {
        set_logging(machine, subject.get(), true);
    }
    subject.paging.lock().finish();
    enabled
}

/// Switches logging off and frees the trie, up to `budget` leaves in one leg. Not an error when it is off. Pauses the
/// subject until done. Acquires `paging` and `p2m` of the subject, one after the other.
///
/// # Errors
/// [`HvError::OperationPending`].
#[operation]
pub fn disable(
    machine: &Machine,
    #[role(subject)] subject: Subject<'_, Domain>,
    #[role(control)] caller: Control<'_, Domain>,
    budget: u32,
    resuming: bool,
) -> Result<Leg<()>, HvError> {
    let cursor = begin(subject, caller, PagingOp::Off, resuming)?;
    let was_on = subject.paging.lock().disable();
    if was_on {
        set_logging(machine, subject.get(), false);
    }
    let mut paging = subject.paging.lock();
    if !paging.free_trie(machine, budget.max(1)) {
        paging.suspend(cursor);
        return Ok(Leg::Preempted);
    }
    paging.finish();
    drop(paging);
    subject.unpause();
    Ok(Leg::Done(()))
}

/// PEEK and CLEAN: reports the dirty bitmap, up to `budget` leaves in one leg. Pauses the subject until done; a
/// failure ends the operation. Acquires `paging` of the subject; under it, in [`CopyMode::UnderLock`], `p2m` and
/// `paging` of a translated caller; and for CLEAN, after that, `p2m` of the subject.
///
/// # Errors
/// [`HvError::OperationPending`], [`HvError::MarksLost`], [`HvError::BitmapNotWritable`].
#[operation]
pub fn scan(
    machine: &Machine,
    #[role(subject)] subject: Subject<'_, Domain>,
    #[role(control)] caller: Control<'_, Domain>,
    request: &ScanRequest,
    copy: CopyMode,
    budget: u32,
    resuming: bool,
) -> Result<Leg<ScanReport>, HvError> {
    let cursor = begin(subject, caller, request.scan.op(), resuming)?;
    let leg = match copy {
        CopyMode::UnderLock => scan_under_lock(machine, subject, caller, request, cursor, budget.max(1)),
        CopyMode::Snapshot => scan_snapshot(machine, subject, caller, request, cursor, budget.max(1)),
    };
    if leg == Ok(Leg::Preempted) {
        return leg;
    }
    let logging = subject.logs_dirty();
    if request.scan == Scan::Clean && logging {
        // Also after a failure: pages cleaned so far must not stay writable.
        set_logging(machine, subject.get(), true);
    }
    subject.paging.lock().finish();
    subject.unpause();
    leg
}

/// Pauses the subject unless an earlier leg did, and claims the operation.
fn begin(
    subject: Subject<'_, Domain>,
    caller: Control<'_, Domain>,
    op: PagingOp,
    resuming: bool,
) -> Result<Cursor, HvError> {
    if !resuming {
        subject.pause();
    }
    let claimed = subject.paging.lock().claim(caller.id(), op, resuming);
    if claimed.is_err() && !resuming {
        subject.unpause();
    }
    claimed
}

fn scan_under_lock(
    machine: &Machine,
    subject: Subject<'_, Domain>,
    caller: Control<'_, Domain>,
    request: &ScanRequest,
    mut cursor: Cursor,
    budget: u32,
) -> Result<Leg<ScanReport>, HvError> {
    let mut paging = subject.paging.lock();
    paging.check_complete()?;
    let stats = paging.stats();
    let mut page = [0; PAGE_SIZE];
    let end = cursor.leaf.saturating_add(budget);
    while let Some(bytes) = bytes_left(request, cursor) {
        if cursor.leaf == end {
            paging.suspend(cursor);
            return Ok(Leg::Preempted);
        }
        let bits = &mut page[..bytes];
        let present = paging.read_leaf(machine, cursor.leaf, bits);
        report(machine, caller, request, cursor, present, bits)?;
        if present && request.scan == Scan::Clean {
            paging.clean_leaf(machine, cursor.leaf, bits);
        }
        cursor = after(cursor, bytes);
    }
    Ok(Leg::Done(ScanReport { pages: cursor.pages.min(request.pages), stats }))
}

fn scan_snapshot(
    machine: &Machine,
    subject: Subject<'_, Domain>,
    caller: Control<'_, Domain>,
    request: &ScanRequest,
    mut cursor: Cursor,
    budget: u32,
) -> Result<Leg<ScanReport>, HvError> {
    let mut paging = subject.paging.lock();
    paging.check_complete()?;
    let stats = paging.stats();
    let mut page = [0; PAGE_SIZE];
    let end = cursor.leaf.saturating_add(budget);
    while let Some(bytes) = bytes_left(request, cursor) {
        if cursor.leaf == end {
            paging.suspend(cursor);
            return Ok(Leg::Preempted);
        }
        let bits = &mut page[..bytes];
        let present = paging.read_leaf(machine, cursor.leaf, bits);
        // At once with the read, so that a mark that comes during the copy is one of its own.
        let cleaned = present && request.scan == Scan::Clean;
        if cleaned {
            paging.clean_leaf(machine, cursor.leaf, bits);
        }
        drop(paging);
        let copied = report(machine, caller, request, cursor, present, bits);
        paging = subject.paging.lock();
        if copied.is_err() && cleaned {
            paging.restore_leaf(machine, cursor.leaf, bits);
        }
        copied?;
        cursor = after(cursor, bytes);
    }
    Ok(Leg::Done(ScanReport { pages: cursor.pages.min(request.pages), stats }))
}

/// Bytes of the leaf under the cursor that are asked for, or `None` at the end.
fn bytes_left(request: &ScanRequest, cursor: Cursor) -> Option<usize> {
    let left = request.pages.saturating_sub(cursor.pages).div_ceil(8).min(PAGE_SIZE as u64);
    (left > 0 && cursor.leaf < MAX_LEAVES).then_some(left as usize)
}

fn after(cursor: Cursor, bytes: usize) -> Cursor {
    Cursor { leaf: cursor.leaf + 1, pages: cursor.pages + bytes as u64 * 8 }
}

/// Copies one leaf to its place in the caller's buffer; an absent leaf is all zeroes.
fn report(
    machine: &Machine,
    caller: Control<'_, Domain>,
    request: &ScanRequest,
    cursor: Cursor,
    present: bool,
    bits: &[u8],
) -> Result<(), HvError> {
    let Some(bitmap) = request.bitmap else { return Ok(()) };
    let failed = HvError::BitmapNotWritable { done: cursor.pages };
    let at = bitmap.checked_add(cursor.pages / 8).ok_or(failed)?;
    let copied = if present {
        copy_to_caller(machine, caller, at, bits)
    } else {
        clear_to_caller(machine, caller, at, bits.len())
    };
    copied.map_err(|_| failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_ends_with_what_was_asked_for_or_with_the_trie() {
        let left = |pages, leaf, done| {
            let request = ScanRequest { scan: Scan::Peek, bitmap: None, pages };
            bytes_left(&request, Cursor { leaf, pages: done })
        };
        assert_eq!(left(0, 0, 0), None);
        assert_eq!([1, 8, 9].map(|pages| left(pages, 0, 0)), [Some(1), Some(1), Some(2)]);
        assert_eq!(left(32769, 0, 0), Some(PAGE_SIZE));
        assert_eq!(left(32769, 1, 32768), Some(1));
        assert_eq!(left(32769, 2, 32776), None, "a whole byte was reported");
        assert_eq!(left(u64::MAX, MAX_LEAVES - 1, 0), Some(PAGE_SIZE));
        assert_eq!(left(u64::MAX, MAX_LEAVES, 0), None);
    }
}
