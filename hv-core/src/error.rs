//! What can be wrong with a request: one variant per cause, each with its errno.
//!
//! An error is data; nothing here decides when it is raised. Every file of the crate may use it. Each variant names
//! the row of Xen's behaviour that it stands for ("row: …"; `common/domctl.c`, `arch/x86/mm/paging.c`,
//! `arch/x86/mm/hap`, `arch/x86/hvm/dm.c`). `ERESTART` is no error here: a preempted operation succeeds with
//! [`Outcome::Continue`](crate::hypercall::Outcome).
//!
//! # Rows that are not modelled, because their operation or resource does not exist here
//!
//! * do_domctl, domctl lock busy: there is no domctl lock (Xen dropped it for CLEAN and PEEK too).
//! * ENABLE under shadow paging, no memory: paging is hardware-assisted only.
//! * track_dirty_vram, all rows: VRAM tracking is not built.

use core::fmt;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident $({ $field:ident: $type:ty })? = $errno:ident, $text:literal;)*) => {
        /// Why a request was refused or failed.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum HvError {
            $($(#[$doc])* $name $({
                /// Guest pages that were reported before the failure; the rest is as before the request.
                $field: $type
            })?,)*
        }

        impl HvError {
            /// The negative Linux error number that the caller of a hypercall sees.
            pub const fn errno(self) -> i32 {
                match self {
                    $(HvError::$name $({ $field: _ })? => -errno::$errno,)*
                }
            }
        }

        impl fmt::Display for HvError {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(HvError::$name $({ $field: _ })? => $text,)*
                })
            }
        }
    };
}

/// Linux error numbers, positive.
mod errno {
    pub const EPERM: i32 = 1;
    pub const ENOENT: i32 = 2;
    pub const ESRCH: i32 = 3;
    pub const ENOMEM: i32 = 12;
    pub const EACCES: i32 = 13;
    pub const EFAULT: i32 = 14;
    pub const EBUSY: i32 = 16;
    pub const EEXIST: i32 = 17;
    pub const EINVAL: i32 = 22;
    pub const ENOSYS: i32 = 38;
    pub const ELOOP: i32 = 40;
    pub const EOPNOTSUPP: i32 = 95;
}

errors! {
    // Decoding.
    /// row: do_domctl, request copy fails; continuation entry, copy fails; dm_op, bad size.
    RequestNotReadable = EFAULT, "the request cannot be read from the caller's memory";
    /// row: continuation entry, write-back of the request fails.
    RequestNotWritable = EFAULT, "the reply cannot be written to the caller's memory";
    /// row: do_domctl, wrong interface version.
    InterfaceVersion = EACCES, "the request is for another interface version";
    /// Not in the table: a hypercall number nobody answers.
    UnknownHypercall = ENOSYS, "no such hypercall";
    /// A domctl or memory operation that is not built.
    UnknownOperation = EOPNOTSUPP, "no such operation";
    /// row: continuation entry, wrong version or not a shadow_op.
    NotAContinuation = EOPNOTSUPP, "only a shadow operation of this interface version can be continued";
    /// row: paging_domctl, unknown op.
    UnknownShadowOp = EINVAL, "no such shadow operation";
    /// row: dm_op, unknown op.
    UnknownDmOp = EOPNOTSUPP, "no such device-model operation";
    /// row: dm_op, pad.
    DmOpPadding = EINVAL, "padding of the device-model operation is not zero";

    // Permission.
    /// row: do_domctl, no such domain, for a control domain; continuation entry and dm_op, no domain.
    NoSuchDomain = ESRCH, "no such domain";
    /// row: do_domctl and dm_op, XSM refuses; do_domctl, no such domain, for any other caller.
    PermissionDenied = EPERM, "the caller may not do this to that domain";
    /// row: paging_domctl, the subject is the caller. Here for every domctl.
    DomctlOnSelf = EINVAL, "a domain cannot do this to itself";
    /// row: dm_op, self.
    DmOpOnSelf = EPERM, "a domain is not its own device model";

    // State of the subject.
    /// row: paging_domctl, subject is dying.
    SubjectDying = EINVAL, "the subject is dying";
    /// row: paging_domctl, subject has no vCPU 0.
    NoVcpus = EINVAL, "the subject has no vCPU";
    /// row: build without paging support. Shadow paging is not built, so for a PV subject there is none.
    PagingUnsupported = EOPNOTSUPP, "the subject has no paging that could log";
    /// row: dm_op, not HVM.
    NotTranslated = EINVAL, "the domain has no p2m";
    /// row: paging_domctl, other unfinished operation or continuation not matching; OFF, trie is in use.
    OperationPending = EBUSY, "another operation on the subject is unfinished, or this one was not";

    // Log-dirty.
    /// row: CLEAN/PEEK with mode bits other than FINAL.
    BadMode = EINVAL, "mode bits that this operation does not have";
    /// row: ENABLE, passthrough devices assigned.
    DevicesAssigned = EINVAL, "devices write the subject's memory without faulting";
    /// row: ENABLE, already enabled.
    AlreadyEnabled = EINVAL, "log-dirty is on";
    /// row: ENABLE, ioreq_server entries outstanding.
    IoreqEntries = EBUSY, "pages of the subject are emulated by an I/O server";
    /// row: CLEAN/PEEK, earlier trie allocation failures.
    MarksLost = ENOMEM, "marks were lost because the paging pool was empty";
    /// row: CLEAN/PEEK, caller buffer not writable.
    BitmapNotWritable { done: u64 } = EFAULT, "the bitmap cannot be written to the caller's memory";
    /// Not in the table: the paging pool cannot shrink below what is in use.
    PoolInUse = ENOMEM, "pages of the paging pool are in use";

    // modified_memory.
    /// row: extent buffer smaller than nr_extents.
    ExtentsTruncated = EINVAL, "the extent buffer is smaller than the number of extents";
    /// row: extent not readable.
    ExtentNotReadable = EFAULT, "an extent cannot be read from the caller's memory";
    /// row: pad is not 0.
    ExtentPadding = EINVAL, "padding of an extent is not zero";
    /// row: nr = 0 or wrap, end beyond max gfn.
    ExtentRange = EINVAL, "an extent is empty, wraps, or ends beyond the highest gfn";
    /// row: opaque ≥ nr.
    ExtentCursor = EINVAL, "the continuation starts beyond the extent";

    // Domains.
    /// set_target: no such target.
    NoSuchTarget = ESRCH, "no such target domain";
    /// set_target: the domain itself, or it has a target already.
    TargetInvalid = EINVAL, "a domain gets one target, and not itself";
    /// set_target: the target is neither HVM nor PVH.
    TargetNotTranslated = EOPNOTSUPP, "the target is not an HVM or PVH domain";
    /// set_target: the target controls the domain already. Xen allows this; see `domain.rs`.
    ControlCycle = ELOOP, "the target controls the domain, directly or through others";
    /// Creation: the table of domains or of lock owners is full.
    TooManyDomains = ENOMEM, "no room for another domain";
    /// Creation: more vCPUs than a domain can have.
    TooManyVcpus = EINVAL, "more vCPUs than a domain can have";
    /// No such vCPU.
    NoSuchVcpu = ENOENT, "the domain has no such vCPU";
    /// The vCPU runs on another CPU.
    VcpuRunning = EBUSY, "the vCPU is running already";

    // Memory.
    /// The domain's max_pages are used up.
    MaxPages = ENOMEM, "the domain has all the pages it may have";
    /// The machine has no such run of free frames.
    HeapExhausted = ENOMEM, "the machine has no free memory of this size";
    /// A frame number or address is not aligned to the page order, or there is no such order.
    BadOrder = EINVAL, "the frame is not aligned to the page order, or there is no such order";
    /// The gfn is beyond what a 4-level table maps.
    GfnOutOfRange = EINVAL, "the gfn is beyond the guest-physical address space";
    /// The gfn is mapped.
    GfnInUse = EEXIST, "the gfn is mapped";
    /// The gfn is not mapped.
    GfnNotMapped = ENOENT, "the gfn is not mapped";
    /// A type change is for the domain's own memory only.
    NotMemory = EINVAL, "only a domain's own memory changes its type";
    /// A domain's own memory is mapped by populating.
    NotForeign = EINVAL, "a domain's own memory is not mapped, but populated";
    /// A guest or caller address is not mapped, not readable, or not writable.
    BadAddress = EFAULT, "the address is not mapped for this access";
}

impl core::error::Error for HvError {}
