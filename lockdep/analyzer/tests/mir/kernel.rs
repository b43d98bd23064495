//! The program whose dump, `kernel.dump`, the fuzzers damage: small, proved, and with a body of most kinds.

use lockdep::{Owner, lock_order, lock_owner, mm_locks, operation};

lock_order! {
    /// Outermost first.
    pub order Board {
        /// Where the pieces stand.
        squares = 16;
        /// What was moved.
        moves = 64;
    }
    /// The caller of an operation stands above its subject.
    roles { subject < control }
}
use board::{Control, Subject};

type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;
type RwLock<T, C> = lockdep::RwLock<spin::RwLock<()>, T, C>;

/// A game; its locks are its own.
#[lock_owner]
#[mm_locks]
pub struct Game {
    #[owner]
    owner: Owner,
    #[mm_lock(order = squares)]
    squares: RwLock<[u64; 16]>,
    #[mm_lock(order = moves)]
    moves: Mutex<u64>,
}

/// How a move is judged.
pub trait Judge {
    /// Whether it counts.
    fn counts(&self, game: &Game) -> bool;
}

/// Counts everything but the moves in a table.
pub struct Table(pub &'static [u64]);

static OPENINGS: [u64; 3] = [1, 2, 3];

impl Judge for Table {
    fn counts(&self, game: &Game) -> bool {
        let moves = *game.moves.lock();
        !self.0.contains(&moves) && !OPENINGS.contains(&moves)
    }
}

impl Game {
    /// Looks at a square.
    pub fn look(&self, at: usize) -> Option<u64> {
        let squares = self.squares.read();
        match squares.get(at) {
            Some(0) | None => None,
            Some(piece) => Some(*piece),
        }
    }
}

mod turn {
    use super::Game;

    pub(crate) fn count(game: &Game, by: &dyn Fn(u64) -> u64) -> u64 {
        let mut moves = game.moves.lock();
        *moves = by(*moves);
        *moves
    }

    pub(crate) fn is_over(game: &Game) -> bool {
        count(game, &|moves| moves) > 50
    }
}

/// Writes to the caller's board, which is found through the caller's own table.
fn copy_to_caller(caller: Control<'_, Game>, at: usize, _moves: u64) -> u64 {
    caller.squares.read()[at]
}

/// Copies the subject's moves to the caller.
#[operation]
pub fn replay(#[role(subject)] subject: Subject<'_, Game>, #[role(control)] caller: Control<'_, Game>) -> u64 {
    let moves = subject.moves.lock();
    copy_to_caller(caller, 0, *moves)
}

/// A move: the square changes under `squares`, the count under `moves`.
pub fn play(game: &Game, at: usize, judge: &Table) {
    let mut squares = game.squares.write();
    while squares[at] != 0 && judge.counts(game) {
        squares[at] >>= 1;
    }
    let step = at as u64;
    turn::count(game, &|moves| moves + step);
    drop(squares);
    if !turn::is_over(game) {
        game.look(at);
    }
}
