//! One nesting, two judgements: `paging` of a guest and then `p2m` of another domain.
//!
//! Refused between strangers, permitted for a domain that controls the guest, and refused again under `flat`, which
//! is what Xen's checker did in 2018. Run it with `cargo run -p lockdep-examples --example control_domain`.

use lockdep::{Owner, Report, lock_order, lock_owner, mm_locks};

lock_order! {
    /// The two locks of the thread.
    pub order Mm {
        /// Guest frame to machine frame.
        p2m = 16;
        /// The dirty bitmap.
        paging = 64;
    }
}

type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;

/// A domain.
#[lock_owner]
#[mm_locks]
struct Domain {
    #[owner]
    owner: Owner,
    #[mm_lock(order = p2m)]
    p2m: Mutex<u64>,
    #[mm_lock(order = paging)]
    paging: Mutex<u64>,
}

impl Domain {
    fn new() -> Result<Domain, lockdep::OwnerError> {
        let owner = Owner::register(false)?;
        let (p2m, paging) = (Mutex::owned(owner.id(), 7), Mutex::owned(owner.id(), 0b1010));
        Ok(Domain { owner, p2m, paging })
    }
}

fn copy_dirty_bitmap(subject: &Domain, caller: &Domain) {
    let paging = subject.paging.lock();
    println!("  copied {:#b} to frame {}", *paging, *caller.p2m.lock());
}

fn print(report: &Report) {
    println!("{report}");
}

#[expect(unsafe_code, reason = "the checker is told which CPU this is")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    // SAFETY: 1. there is one thread, so no two contexts run at once. 2. its number never changes.
    unsafe { lockdep::cpu::install(|| 0) };
    lockdep::set_sink(print);
    let (guest, dom0) = (Domain::new()?, Domain::new()?);
    println!("strangers:");
    copy_dirty_bitmap(&guest, &dom0);
    lockdep::owner::add_control(dom0.owner.id(), guest.owner.id())?;
    println!("the caller controls the subject:");
    copy_dirty_bitmap(&guest, &dom0);
    println!("the same under `flat`:");
    lockdep::set_discipline("flat")?;
    copy_dirty_bitmap(&guest, &dom0);
    Ok(())
}
