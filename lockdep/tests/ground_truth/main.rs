//! Ground truth: what the checker says of random programs, against what can happen.
//!
//! Each task runs alone, on a CPU of its own, once for every outcome of its tries: nothing ever waits, and the checker
//! must say beforehand what all interleavings may do. Then: 1. a program that can deadlock (`explore.rs`) is reported;
//! 2. a program is reported if and only if its nestings allow a circular wait for some domains and some CPUs
//! (`oracle.rs`), so an alarm on a program that cannot deadlock is due to what keeps its nestings apart in this program:
//! a gate, a lack of tasks, domains or writers; 3. the schedule of every report ends in a deadlock (`replay.rs`). `LOCKDEP_PROGRAMS` tries more of them, or fewer.
#![expect(unsafe_code, reason = "lockdep has to be told how to find the current CPU")]

mod explore;
mod oracle;
mod program;
mod replay;

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use lockdep::class::Class;
use lockdep::held::Mode;
use lockdep::owner::add_control;
use lockdep::{Map, Owner, OwnerId};
use program::{Dice, How, Op, Program};

thread_local! {
    static CPU: Cell<usize> = const { Cell::new(0) };
}

static CLASSES: [Class; 5] = [
    Class::undeclared("pawn"),
    Class::undeclared("knight"),
    Class::undeclared("bishop"),
    Class::undeclared("rook"),
    Class::undeclared("queen"),
];
static REPORTS: AtomicU32 = AtomicU32::new(0);
/// Of the longest schedule.
static MOST_CPUS: AtomicUsize = AtomicUsize::new(0);

fn mode(how: How) -> Mode {
    match how {
        How::Write => Mode::Exclusive,
        How::Read => Mode::Shared,
        How::ReadRecursive => Mode::SharedRecursive,
    }
}

/// Whether the checker reports anything.
fn reported(program: &Program) -> bool {
    lockdep::forget();
    let domains: Vec<Owner> =
        (0..program.nr_domains).map(|_| Owner::register(false).expect("a free owner")).collect();
    for &(controller, subject) in &program.controls {
        add_control(domains[controller].id(), domains[subject].id()).expect("an order");
    }
    let owner = |domain: Option<usize>| domain.map_or(OwnerId::NOBODY, |domain| domains[domain].id());
    let maps: Vec<Map> =
        program.locks.iter().map(|lock| Map::owned(&CLASSES[lock.class], owner(lock.owner))).collect();
    let before = REPORTS.load(Ordering::Relaxed);
    for (cpu, ops) in program.tasks.iter().enumerate() {
        CPU.set(cpu);
        let tries = |at: usize| matches!(ops.get(at), Some(Op::Acquire { tries: true, .. }));
        for outcome in
            (0..1_u32 << ops.len()).filter(|outcome| (0..32).all(|at| outcome >> at & 1 == 0 || tries(at)))
        {
            play(ops, outcome, &maps);
        }
    }
    CPU.set(0);
    REPORTS.load(Ordering::Relaxed) != before
}

fn play(ops: &[Op], outcome: u32, maps: &[Map]) {
    let mut held = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        match *op {
            Op::Acquire { tries: true, .. } if outcome >> at & 1 == 0 => {}
            Op::Acquire { lock, how, tries } => {
                if tries {
                    maps[lock].acquired_by_try(mode(how));
                } else {
                    maps[lock].acquire(mode(how));
                }
                held.push((at, lock, how));
            }
            Op::Release { acquired_at } => {
                if let Some(position) = held.iter().position(|&(at, ..)| at == acquired_at) {
                    let (_, lock, how) = held.remove(position);
                    maps[lock].release_as(mode(how));
                }
            }
        }
    }
}

#[test]
fn no_deadlock_is_missed_and_alarms_are_explained() {
    if !lockdep::CHECKED {
        return;
    }
    // SAFETY: 1. one thread uses checked locks here, whatever CPU it plays, so no two contexts run at the same time;
    // 2. it changes the number between tasks only, when nothing is held; 3. it is one thread.
    unsafe { lockdep::cpu::install(|| CPU.get()) };
    lockdep::set_sink(|report| {
        REPORTS.fetch_add(1, Ordering::Relaxed);
        MOST_CPUS.fetch_max(replay::deadlock(report), Ordering::Relaxed);
    });
    let programs = std::env::var("LOCKDEP_PROGRAMS").ok();
    let programs = programs.map_or(20_000, |text| text.parse().expect("LOCKDEP_PROGRAMS is a number"));
    let (mut deadlocking, mut alarms) = (0, 0);
    for seed in 0..programs {
        let program = program::program(&mut Dice(seed));
        let reported = reported(&program);
        let closes = oracle::closes(&program.nestings());
        assert_eq!(
            reported, closes,
            "seed {seed}: reported, but no nestings close; or the other way round: {program:#?}"
        );
        let deadlocks = explore::can_deadlock(&program);
        assert!(reported || !deadlocks, "seed {seed} deadlocks unreported: {program:#?}");
        deadlocking += u32::from(deadlocks);
        alarms += u32::from(reported && !deadlocks);
    }
    println!(
        "{programs} programs: {deadlocking} can deadlock, 0 missed; {alarms} more reported, all explained"
    );
    assert!(MOST_CPUS.load(Ordering::Relaxed) > 4, "owners change places in some schedule");
    assert!(deadlocking > 0 && alarms > 0 && u64::from(deadlocking + alarms) < programs, "all sorts occur");
}
