//! One lock twice: reported, unless the class is declared recursive and the lock can do it.

use std::sync::mpsc;
use std::thread;

use lockdep::report::Code;
use lockdep_tests::alone::{Alone, panic_text};

use super::Player;

/// Whatever the discipline: some let equal levels pass, and none lets a holder wait for itself.
#[test]
fn a_mutex_is_not_taken_twice() {
    let alone = Alone::new();
    let player = Player::new();
    for discipline in lockdep::order::Discipline::ALL {
        alone.discipline(discipline.name);
        let _pawn = player.pawn.lock();
        let text = panic_text(|| drop(player.pawn.lock())).expect_err("it would wait for itself");
        assert!(text.starts_with("board lock already held by tests/tests/runtime/recursion.rs:"), "{text}");
        assert!(text.contains(&format!("recursion under `{}`", discipline.name)), "{text}");
    }
}

/// A writer that comes between the two waits for the first reader, and the second reader for the writer.
#[test]
fn a_reader_is_a_holder() {
    let _alone = Alone::new();
    let player = Player::new();
    let _rook = player.rook.read();
    for text in [panic_text(|| drop(player.rook.read())), panic_text(|| drop(player.rook.write()))] {
        let text = text.expect_err("it may wait for itself");
        assert!(text.contains("recursion under `hierarchy`"), "{text}");
    }
}

/// The class says that a holder may come back; this lock would not let it in.
#[test]
fn a_plain_lock_of_a_recursive_class_is_not_taken_twice() {
    let _alone = Alone::new();
    let queen: super::Mutex<u64, super::board::queen> = super::Mutex::new(0);
    let _held = queen.lock();
    let text = panic_text(|| drop(queen.lock())).expect_err("it would wait for itself");
    assert!(text.contains("recursion under `hierarchy`"), "{text}");
}

#[test]
fn a_declared_recursion_passes() {
    let alone = Alone::collecting();
    let player = Player::new();
    let first = player.queen.lock();
    let second = player.queen.lock();
    first.set(second.get() + 1);
    drop(first);
    // Held still, by the second guard: what comes before it in the order is refused.
    drop(player.rook.read());
    assert_eq!(alone.codes(), [Code::OrderViolation]);
    drop(second);
    drop(player.rook.read());
    assert_eq!(alone.codes(), []);
    assert_eq!(player.queen.lock().get(), 1);
}

/// Entering again is no nesting: the holder does not wait, whatever it took in between.
#[test]
fn entering_again_is_not_a_nesting() {
    let alone = Alone::collecting();
    let [pupil, master] = Player::pair();
    let _queen = pupil.queen.lock();
    let _pawn = master.pawn.lock();
    let _again = pupil.queen.lock();
    assert_eq!(alone.codes(), []);
}

#[test]
fn a_recursive_lock_still_excludes() {
    let _alone = Alone::new();
    let player = Player::new();
    let (in_turn, turn) = mpsc::channel();
    thread::scope(|scope| {
        let (outer, inner) = (player.queen.lock(), player.queen.lock());
        scope.spawn(|| {
            in_turn.send("wants").expect("the other CPU listens");
            let queen = player.queen.lock();
            in_turn.send("has").expect("the other CPU listens");
            queen.set(queen.get() * 2);
        });
        assert_eq!(turn.recv(), Ok("wants"));
        drop(outer);
        thread::yield_now();
        inner.set(21);
        assert!(turn.try_recv().is_err(), "the lock is held by the inner guard");
        drop(inner);
    });
    assert_eq!((turn.recv(), player.queen.lock().get()), (Ok("has"), 42));
}
