//! Contexts: custom ones, nesting, and where what is held may be interrupted or may sleep.

use lockdep::Map;
use lockdep::class::Class;
use lockdep::context::{Context, HARDIRQ, SOFTIRQ};
use lockdep::held::Mode;
use lockdep::report::Code;
use lockdep::wait::Wait;

use crate::Desk;

static PAWN: Class = Class::undeclared("pawn");
static ROOK: Class = Class::undeclared("sleeping rook").waiting(Wait::Sleep, Wait::Sleep);
static SPINNING: Class = Class::undeclared("spinning rook").waiting(Wait::Spin, Wait::Spin);

fn hold(map: &Map) {
    map.acquire(Mode::Exclusive);
    map.release();
}

#[test]
fn disabling_nests() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    let pawn = Map::new(&PAWN);
    HARDIRQ.enter();
    hold(&pawn);
    HARDIRQ.exit();
    HARDIRQ.disable();
    HARDIRQ.disable();
    HARDIRQ.enable();
    hold(&pawn);
    assert_eq!(desk.codes(), [], "disabled still");
    HARDIRQ.enable();
    hold(&pawn);
    assert_eq!(desk.codes(), [Code::InterruptInversion]);
}

#[test]
fn what_was_tried_is_held_and_may_be_interrupted() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    let pawn = Map::new(&PAWN);
    HARDIRQ.enter();
    hold(&pawn);
    HARDIRQ.exit();
    pawn.acquired_by_try(Mode::Exclusive);
    pawn.release();
    assert_eq!(desk.codes(), [Code::InterruptInversion]);
}

/// A soft interrupt holds A while a hard one, elsewhere, waits for it: no rule of one kind of interrupt alone.
#[test]
fn two_kinds_of_interrupt_make_one_circle() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    SOFTIRQ.declare();
    HARDIRQ.declare();
    let (a, b) = (Map::new(&PAWN), Map::new(&SPINNING));
    // `a` may be interrupted softly, and is wanted by hard interrupts; `b` the other way round.
    SOFTIRQ.enter();
    hold(&b);
    SOFTIRQ.exit();
    assert_eq!(desk.codes(), []);
    HARDIRQ.enter();
    hold(&a);
    HARDIRQ.exit();
    assert_eq!(desk.codes(), []);
    SOFTIRQ.disable();
    hold(&b);
    SOFTIRQ.enable();
    assert_eq!(desk.codes(), []);
    HARDIRQ.disable();
    a.acquire(Mode::Exclusive);
    b.acquire(Mode::Exclusive);
    assert_eq!(desk.codes(), [Code::InterruptInversion]);
    b.release();
    a.release();
    HARDIRQ.enable();
}

#[test]
fn a_kernel_declares_its_own() {
    if !lockdep::CHECKED {
        return;
    }
    static RENDEZVOUS: Context = Context::new("rendezvous", Some(&HARDIRQ), Wait::Spin);
    let desk = Desk::new();
    RENDEZVOUS.declare();
    let pawn = Map::new(&PAWN);
    HARDIRQ.disable();
    hold(&pawn);
    HARDIRQ.enable();
    RENDEZVOUS.enter();
    hold(&pawn);
    RENDEZVOUS.exit();
    assert_eq!(desk.codes(), [], "masked with hard interrupts");
    hold(&pawn);
    assert_eq!(desk.codes(), [Code::InterruptInversion]);
}

#[test]
fn sleeping_where_it_is_not_borne() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    let (sleeping, spinning) = (Map::new(&ROOK), Map::new(&SPINNING));
    sleeping.acquire(Mode::Exclusive);
    hold(&spinning);
    lockdep::assert_may_sleep();
    assert_eq!(desk.codes(), []);
    sleeping.release();
    spinning.acquire(Mode::Exclusive);
    sleeping.acquired_by_try(Mode::Exclusive);
    sleeping.release();
    assert_eq!(desk.codes(), [], "a try does not wait");
    lockdep::assert_may_sleep();
    hold(&sleeping);
    assert_eq!(desk.codes(), [Code::AssertionFailed, Code::InvalidWaitContext]);
    spinning.release();
    SOFTIRQ.disable();
    lockdep::assert_may_sleep();
    SOFTIRQ.enable();
    HARDIRQ.enter();
    lockdep::assert_may_sleep();
    HARDIRQ.exit();
    assert_eq!(desk.codes(), [Code::AssertionFailed; 2]);
}

#[test]
fn a_handler_gives_back_what_it_took_and_only_that() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    let pawn = Map::new(&PAWN);
    HARDIRQ.disable();
    pawn.acquire(Mode::Exclusive);
    HARDIRQ.enter();
    pawn.release();
    assert_eq!(desk.codes(), [Code::NotHeld], "the interrupted task holds it");
    HARDIRQ.exit();
    pawn.release();
    assert_eq!(desk.codes(), []);
    HARDIRQ.enable();
}

/// A class that was used before the kernel declared the context has new edges all the same, try or not.
#[test]
fn a_context_declared_late_concerns_every_class() {
    if !lockdep::CHECKED {
        return;
    }
    static LATE: Context = Context::new("late", None, Wait::Spin);
    static TRIED: Class = Class::undeclared("tried");
    static WAITED: Class = Class::undeclared("waited");
    let desk = Desk::new();
    let (tried, waited) = (Map::new(&TRIED), Map::new(&WAITED));
    let hold = || {
        tried.acquired_by_try(Mode::Exclusive);
        tried.release();
        waited.acquire(Mode::Exclusive);
        waited.release();
    };
    hold();
    LATE.declare();
    hold();
    assert_eq!(desk.codes(), []);
    LATE.enter();
    waited.acquire(Mode::Exclusive);
    waited.release();
    tried.acquire(Mode::Exclusive);
    tried.release();
    LATE.exit();
    assert_eq!(desk.codes(), [Code::InterruptInversion; 2]);
}

/// Also where every edge is known.
#[test]
fn what_is_not_borne_is_reported_each_time() {
    if !lockdep::CHECKED {
        return;
    }
    let desk = Desk::new();
    let (spinning, rook) = (Map::new(&SPINNING), Map::new(&ROOK));
    for _ in 0..3 {
        spinning.acquire(Mode::Exclusive);
        hold(&rook);
        spinning.release();
    }
    assert_eq!(desk.codes(), [Code::InvalidWaitContext; 3]);
}
