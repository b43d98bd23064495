//! What functions demand of their callers by attribute: asserted on entry, reported at the lock in the attribute.

use lockdep::{acquires, must_not_hold, requires_held};
use lockdep_tests::alone::{Alone, panic_text};

use super::Player;

impl Player {
    #[requires_held(self.pawn, exclusively: self.rook)]
    fn castle(&self) -> u64 {
        7
    }

    #[must_not_hold(self.pawn, self.rook)]
    fn wait(&self) {
        *self.pawn.lock() += 1;
    }

    #[acquires(self.queen)]
    fn check(&self, square: Option<u64>) {
        if let Some(square) = square {
            self.queen.lock().set(square);
        }
    }
}

trait Rule {
    fn player(&self) -> &Player;

    #[requires_held(self.player().queen)]
    fn judge(&self) {}
}

impl Rule for Player {
    fn player(&self) -> &Player {
        self
    }
}

#[acquires(player.pawn)]
fn advance<P: std::ops::Deref<Target = Player>>(player: P) {
    *player.pawn.lock() += 1;
}

/// The line of this file where a contract was broken.
fn line(text: &str) -> u32 {
    let place = text.split_once("where:").and_then(|(_, rest)| rest.split_once("contracts.rs:"));
    let (_, rest) = place.unwrap_or_else(|| panic!("no place in {text}"));
    rest.split(':').next().and_then(|line| line.parse().ok()).unwrap_or_else(|| panic!("no line in {text}"))
}

#[test]
fn kept_contracts_say_nothing() {
    let _alone = Alone::new();
    let player = Player::new();
    player.wait();
    player.check(Some(3));
    advance(&player);
    let _queen = player.queen.lock();
    player.judge();
    drop(_queen);
    let (_pawn, _rook) = (player.pawn.lock(), player.rook.write());
    assert_eq!(player.castle(), 7);
}

#[test]
fn broken_contracts_are_reported_where_they_are_written() {
    let _alone = Alone::new();
    let player = Player::new();
    let text = panic_text(|| player.castle()).expect_err("nothing is held");
    assert!(text.contains("assertion") && text.contains("pawn"), "{text}");
    assert_eq!(line(&text), 9, "{text}");
    {
        let (_pawn, _rook) = (player.pawn.lock(), player.rook.read());
        let text = panic_text(|| player.castle()).expect_err("a reader is not enough");
        assert!(text.contains("rook") && line(&text) == 9, "{text}");
        let text = panic_text(|| advance(&player)).expect_err("it would wait for itself");
        assert!(text.contains("pawn") && line(&text) == 40, "{text}");
    }
    let text = panic_text(|| player.judge()).expect_err("the queen is not held");
    assert!(text.contains("queen") && line(&text) == 30, "{text}");
    let reader = player.rook.read();
    let text = panic_text(|| player.wait()).expect_err("a reader is a holder");
    assert!(text.contains("rook") && line(&text) == 14, "{text}");
    drop(reader);
    let _queen = player.queen.lock();
    let text = panic_text(|| player.check(None)).expect_err("whichever way it goes");
    assert!(text.contains("queen") && line(&text) == 19, "{text}");
}
