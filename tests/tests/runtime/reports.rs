//! The words of each report, and where they go.

use std::sync::atomic::{AtomicU32, Ordering};

use lockdep::operation;
use lockdep::report::{self, Code};
use lockdep_tests::alone::{Alone, panic_text};

use super::{Player, board};

/// The text with numbers that differ between runs or with every edit replaced: lines, columns, CPUs, owners.
fn normalised(text: &str) -> String {
    let mut owners: Vec<String> = Vec::new();
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|character: char| character.is_ascii_digit()) {
        let (before, number) = rest.split_at(at);
        let end = number.find(|character: char| !character.is_ascii_digit()).unwrap_or(number.len());
        let (number, after) = number.split_at(end);
        out.push_str(before);
        if before.ends_with("owner ") {
            let known = owners.iter().position(|owner| owner == number);
            let index = known.unwrap_or_else(|| {
                owners.push(number.to_owned());
                owners.len() - 1
            });
            out.push_str(["A", "B"][index]);
        } else if before.ends_with(".rs:") || out.ends_with("LINE:") {
            out.push_str(if before == ":" { "COLUMN" } else { "LINE" });
        } else if before.ends_with("CPU ") {
            out.push('N');
        } else {
            out.push_str(number);
        }
        rest = after;
    }
    out + rest
}

/// The only report so far.
fn only(alone: &Alone, code: Code) -> String {
    let reports = alone.reports();
    let [report] = reports[..] else { panic!("{reports:?}") };
    assert_eq!(report.code, code);
    normalised(&report.to_string())
}

#[test]
fn order_violation() {
    let alone = Alone::collecting();
    let [pupil, master] = Player::pair();
    {
        let _rook = pupil.rook.read();
        let _pawn = pupil.pawn.lock();
        insta::assert_snapshot!("order-violation-by-level", only(&alone, Code::OrderViolation));
    }
    let _pawn = master.pawn.lock();
    let _rook = pupil.rook.write();
    insta::assert_snapshot!("order-violation-by-relation", only(&alone, Code::OrderViolation));
}

#[test]
fn order_violation_by_key() {
    type Knight = super::Mutex<u64, board::knight>;
    let alone = Alone::collecting();
    let (b1, g1) =
        (Knight::keyed(lockdep::OwnerId::NOBODY, 2, 0), Knight::keyed(lockdep::OwnerId::NOBODY, 7, 0));
    let _g1 = g1.lock();
    let _b1 = b1.lock();
    insta::assert_snapshot!("order-violation-by-key", only(&alone, Code::OrderViolation));
}

#[test]
fn recursion() {
    let _alone = Alone::new();
    let player = Player::new();
    let _rook = player.rook.read();
    let text = panic_text(|| drop(player.rook.write())).expect_err("it would wait for itself");
    insta::assert_snapshot!("recursion", normalised(&text));
}

#[operation(order = crate::board)]
fn teach(
    #[role(pupil)] _pupil: board::Pupil<'_, Player>,
    #[role(master)] _master: board::Master<'_, Player>,
) {
}

#[test]
fn role_unfounded() {
    let alone = Alone::collecting();
    let [pupil, master] = Player::pair();
    teach(board::Pupil::new(&pupil), board::Master::new(&master));
    assert_eq!(alone.codes(), []);
    teach(board::Pupil::new(&master), board::Master::new(&pupil));
    insta::assert_snapshot!("role-unfounded", only(&alone, Code::RoleUnfounded));
}

/// A guard that the CPU knows nothing of any more.
#[test]
fn not_held() {
    let alone = Alone::collecting();
    let player = Player::new();
    let pawn = player.pawn.lock();
    lockdep::forget();
    drop(pawn);
    insta::assert_snapshot!("not-held", only(&alone, Code::NotHeld));
    assert!(player.pawn.try_lock().is_some(), "it was released all the same");
}

#[test]
fn the_sink_is_the_kernels_choice() {
    static HEARD: AtomicU32 = AtomicU32::new(0);
    let _alone = Alone::new();
    let player = Player::new();
    let wrong = || {
        let _rook = player.rook.read();
        drop(player.pawn.lock());
    };
    let before = lockdep::counters().reported;
    assert!(panic_text(wrong).is_err(), "a fresh checker panics");
    lockdep::set_sink(|report| {
        assert_eq!(report.code, Code::OrderViolation);
        HEARD.fetch_add(1, Ordering::Relaxed);
    });
    for _ in 0..3 {
        assert_eq!(panic_text(wrong), Ok(()), "it goes on, and reports again");
    }
    assert_eq!(HEARD.load(Ordering::Relaxed), 3);
    lockdep::set_sink(report::panic_sink);
    assert!(panic_text(wrong).is_err());
    assert_eq!(HEARD.load(Ordering::Relaxed), 3);
    assert_eq!(lockdep::counters().reported, before + 5);
}

/// A sink that prints into a checked log, on the CPU that reports.
#[test]
fn a_sink_may_try_locks() {
    static LOG: super::Mutex<Vec<Code>, board::pawn> = super::Mutex::new(Vec::new());
    let _alone = Alone::new();
    let player = Player::new();
    lockdep::set_sink(|report| {
        if let Some(mut log) = LOG.try_lock() {
            log.push(report.code);
        }
    });
    let _rook = player.rook.read();
    drop(player.pawn.lock());
    assert_eq!(LOG.try_lock().as_deref(), Some(&vec![Code::OrderViolation]));
}

/// What a sink does wrong itself is counted: a report about it would call the sink again, and so on.
#[test]
fn a_sink_that_breaks_the_order_is_not_called_about_it() {
    static LOG: super::Mutex<Vec<Code>, board::pawn> = super::Mutex::new(Vec::new());
    let _alone = Alone::new();
    let player = Player::new();
    lockdep::set_sink(|report| LOG.lock().push(report.code));
    let before = lockdep::counters().unsent;
    let _rook = player.rook.read();
    drop(player.pawn.lock());
    assert!(lockdep::counters().unsent > before);
    lockdep::set_sink(report::panic_sink);
    assert_eq!(LOG.try_lock().as_deref(), Some(&vec![Code::OrderViolation]));
}
