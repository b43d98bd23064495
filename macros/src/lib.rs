//! Declares lock orders, locks, owners and roles for `lockdep`, which re-exports everything here.
//!
//! Each macro is parse → model → expand, in files of these names; this file is the list of entry points and
//! nothing else. It is not a place for rules: levels are compared by `lockdep::order` alone.

mod ask;
mod diagnostics;
mod expand;
mod model;
mod parse;
mod pipeline;

use proc_macro::TokenStream;

use ask::Attribute;
use model::contract::Contract;

/// Declares a lock order: which locks there are, in which order they nest, and which roles domains play.
///
/// ```
/// lockdep::lock_order! {
///     /// The pieces, weakest first.
///     pub order Board {
///         /// The squares that pawns stand on.
///         pawn   = 8;
///         /// One lock per knight; two are taken in ascending square.
///         knight = 16, ordered_by = square;
///         /// Held by a queen that moves as a rook and then as a bishop.
///         queen  = 32, recursive = "a queen is a rook and a bishop";
///     }
///     /// A controller's locks may be taken while a subject's are held, never the other way.
///     roles { subject < control }
/// }
/// # fn main() {}
/// ```
///
/// It stands in a module, not in a function. Levels are from 1 to 65471, each used once; lower is acquired
/// first. The expansion is a module `board` with a type per lock and per role, for each role a type for
/// parameters such as `Subject<'a, D>`, and `board::classes()`. The module is also called `levels`, which is
/// what the other macros take where no order is named, so one module of a program declares one order. Where
/// locks are declared, `use crate::locks::levels;` must be in scope.
///
/// `roles { subject < control; tiers = 2 }` says how many domains may control each other in a chain: with two tiers, who
/// controls is not controlled. `lockdep::owner::add_control` refuses a longer chain from the first operation on, and the
/// proof makes use of it.
#[proc_macro]
pub fn lock_order(input: TokenStream) -> TokenStream {
    pipeline::lock_order(input.into()).into()
}

/// Gives a lock its class. On a newtype, the lock type of a class; on a static, the only lock of its class.
///
/// ```
/// # mod locks { lockdep::lock_order! { pub order Board { pawn = 8; queen = 32; } } }
/// use crate::locks::levels;
/// use lockdep::mm_lock;
///
/// type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;
///
/// #[mm_lock(order = pawn)]
/// pub struct PawnLock(Mutex<u64>);
///
/// #[mm_lock(order = crate::locks::board::queen)]
/// static QUEEN: Mutex<u8> = Mutex::new(3);
/// # fn main() { *PawnLock::from(Mutex::new(0xff00)).lock() |= 1 << *QUEEN.lock(); }
/// ```
///
/// The class becomes the last argument of the lock's type. A newtype also gets `Deref` to the lock and `From`
/// it, so the type of the data must be as visible as the newtype. For fields see [`macro@mm_locks`].
#[proc_macro_attribute]
pub fn mm_lock(arguments: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::attribute(Attribute::MmLock, arguments.into(), item.into()).into()
}

/// Gives the marked fields of a struct their classes.
///
/// ```
/// # lockdep::lock_order! { pub order Board { pawn = 8; queen = 32; } }
/// # type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;
/// # use lockdep::mm_locks;
/// #[mm_locks]
/// pub struct Player {
///     #[mm_lock(order = pawn)]
///     pawns: Mutex<u64>,
///     #[mm_lock(order = queen)]
///     queen: Mutex<u8>,
///     moves: u32,
/// }
/// # fn main() {}
/// ```
///
/// It is an attribute of the struct because Rust lets no attribute macro stand on a field alone.
#[proc_macro_attribute]
pub fn mm_locks(arguments: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::attribute(Attribute::MmLocks, arguments.into(), item.into()).into()
}

/// Makes a struct the owner of the locks inside it; the marked field says who that is.
///
/// ```
/// # use lockdep::lock_owner;
/// #[lock_owner]
/// pub struct Player {
///     #[owner]
///     owner: lockdep::Owner,
/// }
/// ```
///
/// The field is a `lockdep::Owner`, or anything with a method `id()` that returns a `lockdep::OwnerId`. It
/// goes with [`macro@mm_locks`] on the same struct, in either order.
#[proc_macro_attribute]
pub fn lock_owner(arguments: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::lock_owner(arguments.into(), item.into()).into()
}

/// Checks on entry to a function that its parameters really stand to each other as their roles say.
///
/// ```
/// # lockdep::lock_order! { pub order Board { pawn = 8; } roles { subject < control } }
/// # #[lockdep::lock_owner] struct Player { #[owner] owner: lockdep::Owner }
/// # use lockdep::operation;
/// type Subject<'a> = levels::Subject<'a, Player>;
/// type Control<'a> = levels::Control<'a, Player>;
///
/// #[operation]
/// fn capture(#[role(subject)] theirs: Subject<'_>, #[role(control)] ours: Control<'_>) { /* … */ }
/// # fn main() {}
/// ```
///
/// A parameter of another type than its role's is an error at the parameter. Roles are looked up in `levels`,
/// or in the order of `#[operation(order = crate::locks::board)]`.
#[proc_macro_attribute]
pub fn operation(arguments: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::attribute(Attribute::Operation, arguments.into(), item.into()).into()
}

/// The caller of the function holds these locks, and on entry that is asserted.
///
/// ```
/// # lockdep::lock_order! { pub order Board { pawn = 8; queen = 32; } }
/// # type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;
/// # type RwLock<T, C> = lockdep::RwLock<spin::RwLock<()>, T, C>;
/// # use lockdep::{mm_locks, requires_held};
/// # #[mm_locks] pub struct Player {
/// #     #[mm_lock(order = pawn)] pawns: RwLock<u64>, #[mm_lock(order = queen)] queen: Mutex<u8>,
/// # }
/// impl Player {
///     #[requires_held(exclusively: self.pawns, self.queen)]
///     fn castle(&self) { /* … */ }
/// }
/// # fn main() {}
/// ```
///
/// The locks are expressions in terms of the parameters, of anything with a method `assert_held` (and
/// `assert_held_exclusively`, where a reader is not enough). A violation is reported like any other, at the lock in the
/// attribute; with checking off nothing is left of it. It goes with neither `async` nor `const`.
#[proc_macro_attribute]
pub fn requires_held(arguments: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::contract(Contract::RequiresHeld, arguments.into(), item.into()).into()
}

/// The caller of the function holds none of these locks, and on entry that is asserted. See [`macro@requires_held`].
///
/// ```
/// # lockdep::lock_order! { pub order Board { pawn = 8; } }
/// # type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;
/// # use lockdep::{mm_lock, must_not_hold};
/// # #[mm_lock(order = pawn)] pub struct PawnLock(Mutex<u64>);
/// #[must_not_hold(pawns)]
/// fn wait_for_the_other_side(pawns: &PawnLock) { /* … */ }
/// # fn main() {}
/// ```
#[proc_macro_attribute]
pub fn must_not_hold(arguments: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::contract(Contract::MustNotHold, arguments.into(), item.into()).into()
}

/// The function takes these locks itself: its caller must not hold one, and on entry that is asserted, whichever way the
/// function goes then. See [`macro@requires_held`].
///
/// ```
/// # lockdep::lock_order! { pub order Board { pawn = 8; } }
/// # type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;
/// # use lockdep::{acquires, mm_lock};
/// # #[mm_lock(order = pawn)] pub struct PawnLock(Mutex<u64>);
/// #[acquires(pawns)]
/// fn advance(pawns: &PawnLock, square: Option<u32>) {
///     if let Some(square) = square { *pawns.lock() |= 1 << square; }
/// }
/// # fn main() {}
/// ```
#[proc_macro_attribute]
pub fn acquires(arguments: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::contract(Contract::Acquires, arguments.into(), item.into()).into()
}

/// Where a table answers an attribute. Not for users: `lockdep` re-exports it in `__private`.
#[doc(hidden)]
#[proc_macro]
pub fn answer(input: TokenStream) -> TokenStream {
    pipeline::answer(input.into()).into()
}
