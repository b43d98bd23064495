//! The order table: which locks there are, what each protects, and in which order they nest.
//!
//! It is the whole declaration and no lock: the locks themselves stand with what they protect. Levels and names are
//! those of Xen's `arch/x86/mm/mm-locks.h`; only locks that exist in this crate are listed, and `heap`, which has no
//! level there, comes after all of them. Every file that declares a lock uses it.

/// A mutex of class `C`.
pub type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;
/// A reader-writer lock of class `C`.
pub type RwLock<T, C> = lockdep::RwLock<spin::RwLock<()>, T, C>;

lockdep::lock_order! {
    /// Memory-management locks, outermost first.
    pub order Mm {
        /// gfn to mfn and type of one domain: readers look up, and keep what they found from being freed; every
        /// change of an entry is a writer's.
        p2m        = 16;
        /// The page list of one domain and its totals, table pages of the p2m included.
        page_alloc = 56;
        /// The log-dirty state of one domain: mode, trie, counters, the unfinished operation, and the pool of frames
        /// that the trie is built from.
        paging     = 64;
        /// The free frames of the machine. Belongs to no domain.
        heap       = 72;
    }
    /// A controller's locks may be taken while a subject's are held, never the other way.
    roles { subject < control }
}
