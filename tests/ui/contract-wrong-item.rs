//! Contracts on what has no body to assert in.

use lockdep::{acquires, must_not_hold, requires_held};

#[requires_held(self.pawn)]
struct Struct;

#[must_not_hold(STATIC)]
static STATIC: u8 = 1;

trait Moves {
    #[acquires(self.pawn())]
    fn declared(&self);
}

fn main() {}
