//! Hypercalls: permission, dispatch, and the roles of caller and subject.
//!
//! The only file that sees caller and subject as ids together. It looks both up, decides by Xen's default policy
//! (`include/xsm/dummy.h`) whether the caller may, and enters the operation with two domains of different types.
//! It acquires no lock itself. A kernel calls [`raw_hypercall`] with what the guest's registers say;
//! [`hypercall`] takes the decoded form.
//!
//! The rules, with `controls` in place of Xen's flags: PRIV is a control domain that controls the subject; DM_PRIV
//! is whoever controls it; TARGET is that, or the subject itself.

use crate::abi::{DmOp, Domctl, MemoryOp, Record, Request, Response, ShadowOp, number};
use crate::dm_op::modified_memory;
use crate::domain::{Domain, VcpuRun, set_target};
use crate::error::HvError;
use crate::guest_copy::{copy_from_caller, copy_to_caller};
use crate::locks::levels::{Control, Subject};
use crate::log_dirty::{self, Leg, Scan, ScanRequest};
use crate::physmap;
use crate::system::System;
use crate::types::{DomainId, GuestHandle};

/// 4 KiB frames per MiB.
const FRAMES_PER_MB: u32 = 256;

/// How a hypercall that did not fail ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is done.
    Done(Response),
    /// It was preempted (Xen: `ERESTART`): the request now says what is left, and is to be made again, by any vCPU of
    /// the caller.
    Continue,
}

/// Makes a hypercall on behalf of the running vCPU. The request is changed only by [`Outcome::Continue`], and by a
/// failing dm_op, which leaves the number of the failing extent, counted from 1, in `nr_extents`.
///
/// # Errors
/// Those of the rules of permission and of the operation.
pub fn hypercall(system: &System, run: &VcpuRun<'_>, request: &mut Request) -> Result<Outcome, HvError> {
    let caller = run.domain();
    match request {
        Request::Domctl { domain, op } => {
            let (domain, op) = (*domain, *op);
            let outcome = domctl(system, caller, domain, op)?;
            if let (Outcome::Continue, Domctl::Shadow(op)) = (outcome, op) {
                *request = Request::ContinueShadow { domain, op };
            }
            Ok(outcome)
        }
        Request::ContinueShadow { domain, op } => {
            let subject = system.domain(*domain).ok_or(HvError::NoSuchDomain)?;
            check_privileged(caller, subject)?;
            paging_domctl(system, caller, subject, op, true)
        }
        Request::DmOp { domain, op } => dm_op(system, caller, *domain, op),
        Request::Memory { domain, op } => memory_op(system, caller, *domain, op).map(Outcome::Done),
    }
}

/// Makes hypercall `number` with the [`Record`] at `at` in the caller's memory, and writes the reply there.
///
/// # Errors
/// Those of [`hypercall`] and [`Record::decode`]; [`HvError::RequestNotReadable`] and
/// [`HvError::RequestNotWritable`], in which case the operation may have been done.
pub fn raw_hypercall(
    system: &System,
    run: &VcpuRun<'_>,
    number: u32,
    at: GuestHandle,
) -> Result<RawOutcome, HvError> {
    let machine = system.machine();
    let caller = Control::new(run.domain());
    let mut record = Record([0; Record::SIZE]);
    copy_from_caller(machine, caller, at, &mut record.0).map_err(|_| HvError::RequestNotReadable)?;
    let mut request = record.decode(number)?;
    let result = hypercall(system, run, &mut request);
    let (again, mut reply) = Record::encode(&request);
    match &result {
        Ok(Outcome::Done(response)) => reply.put_response(response),
        Err(HvError::BitmapNotWritable { done }) => reply.put_pages(*done),
        Ok(Outcome::Continue) | Err(_) => {}
    }
    copy_to_caller(machine, caller, at, &reply.0).map_err(|_| HvError::RequestNotWritable)?;
    Ok(match result? {
        Outcome::Done(_) => RawOutcome::Done,
        Outcome::Continue => RawOutcome::Restart { number: again },
    })
}

/// How a raw hypercall that did not fail ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RawOutcome {
    /// It is done; the record has the reply.
    Done,
    /// It was preempted, and is to be made again with this number and the same record.
    Restart {
        /// The hypercall number.
        number: u32,
    },
}

fn domctl(system: &System, caller: &Domain, id: DomainId, op: Domctl) -> Result<Outcome, HvError> {
    let Some(subject) = system.domain(id) else {
        let told = if caller.is_privileged() { HvError::NoSuchDomain } else { HvError::PermissionDenied };
        return Err(told);
    };
    check_privileged(caller, subject)?;
    match op {
        Domctl::Shadow(op) => paging_domctl(system, caller, subject, &op, false),
        Domctl::Destroy => {
            subject.kill(system.machine())?;
            Ok(Outcome::Done(Response::Nothing))
        }
        Domctl::SetTarget { target } => {
            let target = system.domain(target).ok_or(HvError::NoSuchTarget)?;
            set_target(Subject::new(subject), Control::new(caller), target)?;
            Ok(Outcome::Done(Response::Nothing))
        }
    }
}

fn paging_domctl(
    system: &System,
    caller: &Domain,
    subject: &Domain,
    op: &ShadowOp,
    resuming: bool,
) -> Result<Outcome, HvError> {
    if subject.is_dying() {
        return Err(HvError::SubjectDying);
    }
    if subject.vcpus() == 0 {
        return Err(HvError::NoVcpus);
    }
    if !subject.is_translated() {
        return Err(HvError::PagingUnsupported);
    }
    let machine = system.machine();
    let (config, budget) = (system.config(), system.config().preemption.leaves);
    let (subject, caller) = (Subject::new(subject), Control::new(caller));
    let response = match op.op {
        number::SHADOW_OFF => match log_dirty::disable(machine, subject, caller, budget, resuming)? {
            Leg::Done(()) => Response::Nothing,
            Leg::Preempted => return Ok(Outcome::Continue),
        },
        number::SHADOW_CLEAN | number::SHADOW_PEEK => {
            if op.mode & !number::SHADOW_MODE_FINAL != 0 {
                return Err(HvError::BadMode);
            }
            let scan = if op.op == number::SHADOW_CLEAN { Scan::Clean } else { Scan::Peek };
            let request = ScanRequest { scan, bitmap: op.bitmap, pages: op.pages };
            match log_dirty::scan(machine, subject, caller, &request, config.copy, budget, resuming)? {
                Leg::Done(report) => Response::Scan(report),
                Leg::Preempted => return Ok(Outcome::Continue),
            }
        }
        // The others are done in one leg, so there is nothing to continue.
        _ if resuming => return Err(HvError::OperationPending),
        number::SHADOW_ENABLE if op.mode != number::SHADOW_MODE_LOG_DIRTY => return Err(HvError::BadMode),
        number::SHADOW_ENABLE | number::SHADOW_ENABLE_LOGDIRTY => {
            log_dirty::enable(machine, subject, caller)?;
            Response::Nothing
        }
        number::SHADOW_GET_ALLOCATION => {
            Response::Allocation { mb: subject.paging_allocation().div_ceil(FRAMES_PER_MB) }
        }
        number::SHADOW_SET_ALLOCATION => {
            let frames = op.mb.checked_mul(FRAMES_PER_MB).ok_or(HvError::HeapExhausted)?;
            subject.set_paging_allocation(machine, frames)?;
            Response::Nothing
        }
        _ => return Err(HvError::UnknownShadowOp),
    };
    Ok(Outcome::Done(response))
}

fn dm_op(system: &System, caller: &Domain, id: DomainId, op: &mut DmOp) -> Result<Outcome, HvError> {
    let subject = system.domain(id).ok_or(HvError::NoSuchDomain)?;
    if subject.id() == caller.id() {
        return Err(HvError::DmOpOnSelf);
    }
    if !subject.is_translated() {
        return Err(HvError::NotTranslated);
    }
    if !caller.controls(subject) {
        return Err(HvError::PermissionDenied);
    }
    let DmOp::ModifiedMemory(request) = op;
    let (subject, caller) = (Subject::new(&**subject), Control::new(caller));
    let budget = system.config().preemption.pfns;
    Ok(match modified_memory(system.machine(), subject, caller, request, budget)? {
        Leg::Done(()) => Outcome::Done(Response::Nothing),
        Leg::Preempted => Outcome::Continue,
    })
}

fn memory_op(system: &System, caller: &Domain, id: DomainId, op: &MemoryOp) -> Result<Response, HvError> {
    let subject = match id {
        DomainId::SELF => caller,
        id => system.domain(id).ok_or(HvError::NoSuchDomain)?,
    };
    if subject.id() != caller.id() && !caller.controls(subject) {
        return Err(HvError::PermissionDenied);
    }
    let machine = system.machine();
    Ok(match *op {
        MemoryOp::Increase { order } => {
            Response::Frame(physmap::increase_reservation(machine, subject, order)?)
        }
        MemoryOp::Populate { gfn, order } => {
            Response::Frame(physmap::populate(machine, subject, gfn, order)?)
        }
        MemoryOp::Decrease { gfn, order } => {
            physmap::remove(machine, subject, gfn, order)?;
            Response::Nothing
        }
    })
}

/// PRIV, and not on oneself: no domctl that is built makes sense there.
fn check_privileged(caller: &Domain, subject: &Domain) -> Result<(), HvError> {
    match (caller.is_privileged(), caller.id() == subject.id()) {
        (true, true) => Err(HvError::DomctlOnSelf),
        (true, false) if caller.controls(subject) => Ok(()),
        _ => Err(HvError::PermissionDenied),
    }
}
