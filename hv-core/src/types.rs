//! Units as types: frame numbers, addresses, domain ids, page orders, p2m types.
//!
//! No policy and no state: what a type *means* for an access is decided where the access is made. Every file of
//! the crate may use it. Names are Xen's (`xen/mm-frame.h`, `asm/p2m.h`).

use core::fmt;

/// Bits of an address below the frame number.
pub const PAGE_SHIFT: u32 = 12;
/// Bytes per 4 KiB page.
pub const PAGE_SIZE: usize = 1 << PAGE_SHIFT;
/// 64-bit words per page, which is also the fan-out of a table page.
pub const PAGE_WORDS: usize = PAGE_SIZE / 8;
/// Bytes per 2 MiB page are `PAGE_SIZE << SUPERPAGE_ORDER`.
pub const SUPERPAGE_ORDER: u32 = 9;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// The number as a type.
            pub const fn new(raw: u64) -> Self {
                $name(raw)
            }

            /// The bare number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The number `by` further, or `None` past the end of the 64-bit range.
            pub const fn checked_add(self, by: u64) -> Option<Self> {
                match self.0.checked_add(by) {
                    Some(sum) => Some($name(sum)),
                    None => None,
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }
    };
}

number! {
    /// Guest frame number: an index of 4 KiB pages in the address space of one translated domain.
    Gfn
}
number! {
    /// Machine frame number: an index of 4 KiB pages of the machine.
    Mfn
}
number! {
    /// The frame number under which a guest knows a page: the index of the log-dirty bitmap. For a translated
    /// domain, the only kind that is logged here, it is the gfn.
    Pfn
}
number! {
    /// Guest-physical address in bytes.
    Gpa
}
number! {
    /// An address that the caller of a hypercall passed in: guest-physical for a translated caller, machine-linear
    /// for a PV one. Nothing is known about it until it has been translated for that caller.
    GuestHandle
}

impl Gpa {
    /// The frame that holds the address.
    pub const fn gfn(self) -> Gfn {
        Gfn(self.0 >> PAGE_SHIFT)
    }

    /// Bytes from the start of that frame.
    pub const fn offset(self) -> usize {
        self.0 as usize % PAGE_SIZE
    }
}

impl Gfn {
    /// The first byte of the frame.
    pub const fn gpa(self) -> Gpa {
        Gpa(self.0 << PAGE_SHIFT)
    }

    /// The same page as the guest knows it, in a translated domain.
    pub const fn pfn(self) -> Pfn {
        Pfn(self.0)
    }
}

/// A domain's number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DomainId(u16);

impl DomainId {
    /// The first id that no domain can have, and the way a domain names itself (`DOMID_SELF`).
    pub const FIRST_RESERVED: u16 = 0x7FF0;
    /// A domain's name for itself.
    pub const SELF: DomainId = DomainId(Self::FIRST_RESERVED);
    /// Owner of I/O memory.
    pub const IO: DomainId = DomainId(0x7FF1);
    /// The hypervisor.
    pub const XEN: DomainId = DomainId(0x7FF2);
    /// Owner of shared pages.
    pub const COW: DomainId = DomainId(0x7FF3);
    /// No domain.
    pub const INVALID: DomainId = DomainId(0x7FF4);
    /// Any domain, where a hypercall allows that.
    pub const ANY: DomainId = DomainId(0x7FF5);
    /// The idle domain.
    pub const IDLE: DomainId = DomainId(0x7FFF);

    /// The id with this number.
    pub const fn new(raw: u16) -> Self {
        DomainId(raw)
    }

    /// The bare number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether the id has a fixed meaning and is no ordinary domain's.
    pub const fn is_reserved(self) -> bool {
        self.0 >= Self::FIRST_RESERVED
    }
}

impl fmt::Display for DomainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "d{}", self.0)
    }
}

/// The size of a mapping or allocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PageOrder {
    /// One 4 KiB page.
    Page4K,
    /// 512 pages, aligned.
    Page2M,
}

impl PageOrder {
    /// 4 KiB pages in it.
    pub const fn pages(self) -> u64 {
        1 << self.order()
    }

    /// The binary logarithm of [`pages`](Self::pages), as Xen counts orders.
    pub const fn order(self) -> u32 {
        match self {
            PageOrder::Page4K => 0,
            PageOrder::Page2M => SUPERPAGE_ORDER,
        }
    }

    /// The size with this order, if there is one.
    pub const fn from_order(order: u32) -> Option<PageOrder> {
        match order {
            0 => Some(PageOrder::Page4K),
            SUPERPAGE_ORDER => Some(PageOrder::Page2M),
            _ => None,
        }
    }

    /// Whether a frame with this number can start a page of this size.
    pub const fn aligned(self, frame: u64) -> bool {
        frame.is_multiple_of(self.pages())
    }
}

/// What kind of page a p2m entry maps. `ram_rw` is 0 and `ram_logdirty` 2, as in Xen; the other numbers are this
/// table's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum P2mType {
    /// Ordinary memory.
    RamRw = 0,
    /// Memory that faults on the first write, so that the write can be logged.
    RamLogdirty = 2,
    /// Read-only memory.
    RamRo = 3,
    /// A device's memory, mapped through.
    MmioDirect = 4,
    /// Another domain's page, granted for writing.
    GrantRw = 5,
    /// Another domain's page, granted for reading.
    GrantRo = 6,
    /// Memory whose writes an I/O server emulates.
    IoreqServer = 7,
}

impl P2mType {
    /// Every type.
    pub const ALL: [P2mType; 7] = [
        P2mType::RamRw,
        P2mType::RamLogdirty,
        P2mType::RamRo,
        P2mType::MmioDirect,
        P2mType::GrantRw,
        P2mType::GrantRo,
        P2mType::IoreqServer,
    ];

    /// The type with this number, if there is one.
    pub fn from_bits(bits: u64) -> Option<P2mType> {
        Self::ALL.into_iter().find(|kind| *kind as u64 == bits)
    }

    /// Whether the page is memory of the domain itself, to be freed when it is removed.
    pub const fn is_ram(self) -> bool {
        matches!(self, P2mType::RamRw | P2mType::RamLogdirty | P2mType::RamRo | P2mType::IoreqServer)
    }

    /// Whether the hypervisor may read the page on the domain's behalf.
    pub const fn is_readable(self) -> bool {
        !matches!(self, P2mType::MmioDirect)
    }

    /// Whether the hypervisor may write the page on the domain's behalf. A logged page is written and marked.
    pub const fn is_writable(self) -> bool {
        matches!(self, P2mType::RamRw | P2mType::RamLogdirty | P2mType::GrantRw)
    }
}

/// How much work one leg of a long operation does before it is preempted. Xen tests whether anything else waits
/// for the CPU after so much work; here it always does, so that tests see a leg end where they ask for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Preemption {
    /// Leaves of the log-dirty trie, at least 1. In Xen: one L2 node, which is 512.
    pub leaves: u32,
    /// Guest pages of a device-model operation, at least 1. In Xen: 256.
    pub pfns: u32,
}

impl Default for Preemption {
    fn default() -> Self {
        Preemption { leaves: PAGE_WORDS as u32, pfns: 256 }
    }
}
