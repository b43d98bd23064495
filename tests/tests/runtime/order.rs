//! Two locks: which orders are reported, and when.

use std::thread;

use lockdep::report::{Code, Matter};
use lockdep_tests::alone::{Alone, panic_text};

use super::{Mutex, Player, RwLock, board};

#[test]
fn the_declared_order_passes() {
    let alone = Alone::collecting();
    let player = Player::new();
    {
        let _pawn = player.pawn.lock();
        let _rook = player.rook.write();
        let _queen = player.queen.lock();
    }
    assert_eq!(alone.codes(), []);
}

#[test]
fn the_other_order_is_reported_with_both_sites() {
    let alone = Alone::collecting();
    let player = Player::new();
    let (_rook, held_line) = (player.rook.write(), line!());
    let (_pawn, wanted_line) = (player.pawn.lock(), line!());
    let reports = alone.reports();
    let [report] = reports[..] else { panic!("{reports:?}") };
    let Matter::Nesting { held, wanted, relation, effective } = report.matter else { panic!("{report}") };
    assert_eq!((report.code, relation.name(), effective), (Code::OrderViolation, "Same", (24, 8)));
    assert_eq!((held.instance.class.name, wanted.instance.class.name), ("rook", "pawn"));
    assert_eq!([held.instance.owner, wanted.instance.owner], [player.owner.id(); 2]);
    assert_eq!((held.site.file(), held.site.line()), (file!(), held_line));
    assert_eq!((wanted.site.file(), wanted.site.line()), (file!(), wanted_line));
    // The same in words.
    let text = report.to_string();
    for (lock, line) in [("\n  wanted: board::pawn", wanted_line), ("\n  held:   board::rook", held_line)] {
        let of_lock = text.split(lock).nth(1).and_then(|rest| rest.lines().next()).expect("a line per lock");
        assert!(of_lock.contains(&format!("{}:{line}:", file!())), "{text}");
    }
}

/// The other CPU holds the pawn all the time: the report cannot come from an acquisition that succeeded.
#[test]
fn the_report_comes_before_the_wait() {
    let _alone = Alone::new();
    let player = Player::new();
    let pawn = player.pawn.lock();
    let text = thread::scope(|scope| {
        let other = scope.spawn(|| {
            let rook = player.rook.write();
            let text = panic_text(|| drop(player.pawn.lock()));
            drop(rook);
            // A stranger's lock passes only where nothing is held, not even on record.
            drop(Player::new().pawn.lock());
            text
        });
        other.join().expect("the panic was caught")
    });
    drop(pawn);
    let text = text.expect_err("the order is violated");
    assert!(text.starts_with("board locking order violation: 24 > 8\n"), "{text}");
}

/// The youngest lock held has no objection, the one below it has.
#[test]
fn every_lock_held_is_asked() {
    let alone = Alone::collecting();
    let player = Player::new();
    let knight = Mutex::<u64, board::knight>::keyed(player.owner.id(), 2, 0);
    let _rook = player.rook.read();
    let _pawn = player.pawn.try_lock().expect("it is free");
    let _knight = knight.lock();
    let reports = alone.reports();
    let [report] = reports[..] else { panic!("{reports:?}") };
    let Matter::Nesting { held, wanted, .. } = report.matter else { panic!("{report}") };
    assert_eq!((held.instance.class.name, wanted.instance.class.name), ("rook", "knight"));
}

/// Xen's one level per CPU does not see readers.
#[test]
fn readers_are_recorded() {
    let alone = Alone::collecting();
    let player = Player::new();
    {
        let _pawn = player.pawn.lock();
        let _rook = player.rook.read();
        assert_eq!(alone.codes(), []);
    }
    let _rook = player.rook.read();
    let _pawn = player.pawn.lock();
    assert_eq!(alone.codes(), [Code::OrderViolation]);
}

#[test]
fn locks_are_released_in_any_order() {
    let alone = Alone::collecting();
    let player = Player::new();
    let pawn = player.pawn.lock();
    let rook = player.rook.read();
    drop(pawn);
    let pawn = player.pawn.try_lock().expect("it was released");
    drop(rook);
    // Were the rook still on record, this would be refused; were the pawn not, the next would pass.
    let rook = player.rook.write();
    assert_eq!(alone.codes(), []);
    drop(pawn);
    let _pawn = player.pawn.lock();
    assert_eq!(alone.codes(), [Code::OrderViolation]);
    drop(rook);
}

#[test]
fn an_attempt_is_not_reported_but_what_follows_is() {
    let alone = Alone::collecting();
    let player = Player::new();
    {
        let _queen = player.queen.lock();
        let _pawn = player.pawn.try_lock().expect("it is free");
        let _rook = player.rook.try_read().expect("it is free");
        assert!(player.pawn.try_lock().is_none());
        assert_eq!(alone.codes(), [], "who does not wait does not deadlock");
    }
    let _rook = player.rook.try_write().expect("it is free");
    let _pawn = player.pawn.lock();
    assert_eq!(alone.codes(), [Code::OrderViolation], "the rook is held, however it was got");
}

#[test]
fn instances_of_an_ordered_class_nest_by_key() {
    let alone = Alone::collecting();
    let player = Player::new();
    let knight = |square| Mutex::<u64, board::knight>::keyed(player.owner.id(), square, 0);
    let (b1, g1, also_g1) = (knight(2), knight(7), knight(7));
    let nest = |first: &Mutex<u64, board::knight>, second: &Mutex<u64, board::knight>| {
        let _first = first.lock();
        let _second = second.lock();
        alone.codes()
    };
    assert_eq!(nest(&b1, &g1), []);
    assert_eq!(nest(&g1, &b1), [Code::OrderViolation]);
    assert_eq!(nest(&g1, &also_g1), [Code::OrderViolation]);
    assert_eq!(nest(&b1, &Mutex::owned(player.owner.id(), 0)), [Code::OrderViolation], "no key, no order");
}

#[test]
fn two_pawns_of_one_player_have_no_order() {
    let alone = Alone::collecting();
    let player = Player::new();
    let second = Mutex::<u64, board::pawn>::owned(player.owner.id(), 0);
    let _first = player.pawn.lock();
    let _second = second.lock();
    assert_eq!(alone.codes(), [Code::OrderViolation]);
}

#[test]
fn across_players_only_up_passes() {
    let alone = Alone::collecting();
    let [pupil, master] = Player::pair();
    let stranger = Player::new();
    let nest = |lower: &Player, upper: &Player| {
        let _rook = lower.rook.write();
        let _pawn = upper.pawn.lock();
        alone.codes()
    };
    assert_eq!(nest(&pupil, &master), []);
    assert_eq!(nest(&master, &pupil), [Code::OrderViolation]);
    assert_eq!(nest(&pupil, &stranger), [Code::OrderViolation]);
    // Not even with ascending levels.
    let _pawn = master.pawn.lock();
    let _rook = pupil.rook.write();
    assert_eq!(alone.codes(), [Code::OrderViolation]);
}

/// Locks of nobody meet every other by level.
#[test]
fn locks_without_owner() {
    static ROOK: RwLock<u64, board::rook> = RwLock::new(0);
    static PAWN: Mutex<u64, board::pawn> = Mutex::new(0);
    let alone = Alone::collecting();
    let player = Player::new();
    {
        let _pawn = player.pawn.lock();
        let _rook = ROOK.read();
        assert_eq!(alone.codes(), []);
    }
    {
        let _rook = ROOK.write();
        let _pawn = player.pawn.lock();
        let reports = alone.reports();
        let [report] = reports[..] else { panic!("{reports:?}") };
        let Matter::Nesting { relation, .. } = report.matter else { panic!("{report}") };
        assert_eq!((report.code, relation.name()), (Code::OrderViolation, "Other"));
    }
    let _rook = ROOK.write();
    let _pawn = PAWN.lock();
    let reports = alone.reports();
    assert!(reports.iter().any(|report| report.to_string().contains("owners: Same")), "{reports:?}");
}

/// Each CPU is judged by what it holds itself.
#[test]
fn cpus_are_kept_apart() {
    let alone = Alone::collecting();
    let player = Player::new();
    let _rook = player.rook.read();
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            drop(player.pawn.lock());
            assert!(player.rook.try_write().is_none(), "the rook is held by the first CPU");
        });
        other.join().expect("the other CPU does as it should");
    });
    assert_eq!(alone.codes(), []);
}
