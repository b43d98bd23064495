//! Refutations replayed: the fixtures' own functions on simulated CPUs, until every CPU waits for another.
//!
//! The analyzer's witness says which function each CPU calls and for which domains; the scheduler lets them meet. Proved
//! fixtures are run under random schedules instead and have to come to their end. `LOCKDEP_SCHEDULES` sets how many,
//! for each of them.

// The fixtures take their raw locks from `spin`; here that is the simulated CPUs' locks.
extern crate self as spin;
pub use lockdep_tests::scheduler::{Mutex, Once, RwLock};

#[path = "replay/programs.rs"]
mod programs;
#[path = "replay/schedule.rs"]
mod schedule;

use lockdep::report::Code;
use lockdep_tests::alone::Alone;
use lockdep_tests::dice::Dice;
use lockdep_tests::scheduler::{Blocked, Outcome, run};

use programs::{Call, Program, proved, refuted};
use schedule::{Step, explore, owner, replay, stops, witnesses};

/// A refuted fixture whose circle cannot close, and why: both of its nestings are made under one and the same lock (a
/// gate), so no two CPUs can make them at a time. The analyzer says so too: its error is a broken order, and the circle
/// is a note.
const GATED: (&str, &str) = ("unshare-under-altp2m", "the `p2m` of the domain is held over both");

/// How many random schedules each program gets.
fn schedules() -> u64 {
    let asked = std::env::var("LOCKDEP_SCHEDULES").ok();
    asked.map_or(1000, |text| text.parse().expect("LOCKDEP_SCHEDULES is a number"))
}

/// Each CPU waits for a lock of the owner that the witness names, held by the next CPU.
fn assert_circle(program: &Program, witness: &[Step], blocked: &[Blocked]) {
    assert_eq!(blocked.len(), witness.len(), "{}: every CPU waits", program.name);
    for (number, (cpu, step)) in blocked.iter().zip(witness).enumerate() {
        let next = &blocked[(number + 1) % blocked.len()];
        assert!(next.holds.iter().any(|held| held.lock == cpu.wants.lock), "{}: {blocked:?}", program.name);
        assert!(cpu.held_by.contains(&next.cpu), "{}: {blocked:?}", program.name);
        assert_eq!(owner(program, cpu.wants.lock), step.wanted_owner, "{}", program.name);
    }
}

#[test]
fn every_refuted_fixture_replays_to_a_circular_wait() {
    let alone = Alone::collecting();
    let mut replayed = Vec::new();
    for program in refuted() {
        let witnesses = witnesses(&program);
        assert!(!witnesses.is_empty(), "{} has no witness", program.name);
        for witness in witnesses {
            let stops = stops(&program, &witness).expect("the locks are as the witness says");
            match replay(&program, &witness, &stops) {
                Outcome::Deadlock(blocked) => assert_circle(&program, &witness, &blocked),
                Outcome::Stopped if program.name == GATED.0 => continue,
                other => panic!("{} does not replay: {other:?}", program.name),
            }
            let codes = alone.codes();
            // Pairs of locks show all but one of them; that one the learned graph shows.
            let code = if program.name == "any-tiers" { Code::LockOrderCycle } else { Code::OrderViolation };
            let seen = !lockdep::CHECKED || codes.contains(&code);
            assert!(seen, "{}: the runtime saw it coming", program.name);
            replayed.push((program.name, witness.len()));
        }
    }
    assert_eq!(
        replayed,
        [
            ("altp2m-before-host", 2),
            ("any-tiers", 4),
            ("lookup-under-paging", 2),
            ("mutual-targets", 4),
            ("unordered-caller", 4)
        ]
    );
}

/// No schedule of two calls, nor of three with the other domain's, closes the gated circle. The same search does find
/// the deadlocks that two CPUs can have.
#[test]
fn a_gated_circle_never_closes() {
    let _alone = Alone::collecting();
    let (name, why) = GATED;
    let mut tried = 0;
    for program in refuted() {
        let mut deadlocks = false;
        for (at, &first) in program.calls.iter().enumerate() {
            for &second in &program.calls[at..] {
                let (count, found) = explore(&program, &[first, second]);
                tried += count;
                deadlocks |= found;
            }
        }
        if program.name == name {
            let (count, found) = explore(&program, &program.calls[..3]);
            tried += count;
            deadlocks |= found;
            assert!(!deadlocks, "{name} deadlocks after all, though {why}");
        }
        let on_two_cpus = ["altp2m-before-host", "lookup-under-paging"].contains(&program.name);
        assert_eq!(deadlocks, on_two_cpus, "{}", program.name);
    }
    assert!(tried > 100, "{tried} schedules");
    println!("{tried} schedules, all that there are");
}

/// The number of a random schedule of random calls on four CPUs that deadlocks.
fn random_deadlock(program: &Program, alone: &Alone) -> Option<u64> {
    (0..schedules()).find(|&number| {
        let mut dice = Dice::new(number);
        let calls: Vec<Call> = (0..4).map(|_| dice.pick(&program.calls)).collect();
        let outcome = run(schedule::programs(program, &calls), &mut |_, able| Some(dice.pick(able)));
        drop(alone.reports());
        assert_ne!(outcome, Outcome::Stopped);
        matches!(outcome, Outcome::Deadlock(_))
    })
}

#[test]
fn every_proved_fixture_survives_random_schedules() {
    let alone = Alone::collecting();
    for program in proved() {
        assert_eq!(random_deadlock(&program, &alone), None, "{}", program.name);
    }
}

/// Without this, the test above could not fail.
#[test]
fn random_schedules_find_the_deadlocks_of_the_refuted_ones() {
    let alone = Alone::collecting();
    for program in refuted() {
        let found = random_deadlock(&program, &alone).is_some();
        assert_eq!(found, program.name != GATED.0, "{}", program.name);
    }
}
