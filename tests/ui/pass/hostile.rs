//! A crate in which every name that macro output might use means something else.

#![no_implicit_prelude]
#![allow(dead_code, unused_macros, non_camel_case_types, reason = "names that nobody uses are the point")]

mod core {}
mod std {}
mod alloc {}
mod lockdep {}
mod __private {}
mod decl {}
struct Class;
struct Declared;
struct RoleAt;
struct InRole;
struct Option;
struct Owner;
struct OwnerId;
trait Declaration {}
trait Deref {}
trait From {}
trait LockOwner {}
type str = ();
type u8 = ();
type u16 = ();
type usize = ();

macro_rules! answer {
    () => {};
}
macro_rules! compile_error {
    () => {};
}

mod locks {
    ::lockdep::lock_order! {
        /// Classes with names of the language and of the runtime.
        pub(in crate) order Board {
            /// A type.
            str = 1;
            /// A type.
            usize = 2;
            /// A crate.
            core = 3;
            /// A crate.
            lockdep = 4;
            /// A function in the same module.
            classes = 5;
        }
        roles { u8 < class }
    }
}

use locks::levels;

type Lock<T, C> = ::lockdep::Mutex<::spin::Mutex<()>, T, C>;

#[::lockdep::mm_lock(order = str)]
struct StrLock(Lock<i8>);

#[::lockdep::mm_lock(order = core)]
static CORE: Lock<i8> = Lock::new(1);

#[::lockdep::lock_owner]
#[::lockdep::mm_locks]
struct Domain {
    #[owner]
    owner: ::lockdep::Owner,
    #[mm_lock(order = lockdep)]
    lock: Lock<i8>,
}

#[::lockdep::operation]
fn operation(
    #[role(u8)] lower: levels::U8<'_, Domain>,
    #[role(class)] upper: levels::Class<'_, Domain>,
) -> bool {
    ::std::ptr::eq(lower.get(), upper.get())
}

fn main() {
    let register = || ::lockdep::Owner::register(false).unwrap();
    let [low, high] = [(); 2].map(|()| Domain { owner: register(), lock: Lock::new(1) });
    ::lockdep::owner::add_control(high.owner.id(), low.owner.id()).unwrap();
    ::std::assert!(!operation(levels::U8::new(&low), levels::Class::new(&high)));
    let lock: StrLock = ::std::convert::From::from(Lock::new(1));
    *lock.lock() += *CORE.lock();
    ::std::assert_eq!(levels::classes().len(), 5);
}
