//! Contracts without locks, with modes that there are none of, and on functions that do not begin when they are called.

use lockdep::{acquires, must_not_hold, requires_held};

lockdep::lock_order! { pub order Board { pawn = 8; } }

type Pawn = lockdep::Mutex<spin::Mutex<()>, u8, board::pawn>;

#[requires_held]
fn missing(_pawn: &Pawn) {}

#[requires_held(exclusive: pawn)]
fn misspelt(pawn: &Pawn) {}

#[must_not_hold(exclusively: pawn)]
fn not_here(pawn: &Pawn) {}

#[acquires(pawn)]
async fn later(pawn: &Pawn) {}

#[requires_held(pawn)]
const fn earlier(pawn: &Pawn) {}

#[requires_held(number)]
fn no_lock(number: u8) {}

#[requires_held(exclusively: pawn)]
fn never_shared(pawn: &Pawn) {}

fn main() {}
