//! Schedules of reports, carried out: do they end in a deadlock, and were their nestings seen?
//!
//! Reader-writer locks as the modes describe them, and nothing of how a schedule was made.

use std::ptr;

use lockdep::class::Class;
use lockdep::held::Mode;
use lockdep::observed;
use lockdep::order::Relation;
use lockdep::report::{Actor, Code, Part, Party, Report};

/// One lock: of a class, of an owner, the first or the second.
type Lock = (*const Class, Party, bool);

fn lock(part: &Part) -> Lock {
    (ptr::from_ref(part.class), part.party, part.second)
}

#[derive(Default)]
struct Locks {
    held: Vec<(Lock, Mode)>,
    /// Writers that wait: fair readers stay behind them.
    writers: Vec<Lock>,
}

impl Locks {
    fn must_wait(&self, part: &Part) -> bool {
        let wanted = lock(part);
        let held =
            |is: &dyn Fn(Mode) -> bool| self.held.iter().any(|&(held, mode)| held == wanted && is(mode));
        let behind_a_writer = self.writers.contains(&wanted);
        match part.mode {
            Mode::Exclusive => held(&|_| true),
            Mode::Shared => behind_a_writer || held(&|mode| mode == Mode::Exclusive),
            Mode::SharedRecursive => held(&|mode| mode == Mode::Exclusive),
            Mode::Upgradable => {
                behind_a_writer || held(&|mode| matches!(mode, Mode::Exclusive | Mode::Upgradable))
            }
        }
    }
}

fn relation(held: Party, wanted: Party) -> Relation {
    match (held.chain == wanted.chain, held.height.cmp(&wanted.height)) {
        (false, _) => Relation::Other,
        (true, std::cmp::Ordering::Equal) => Relation::Same,
        (true, std::cmp::Ordering::Less) => Relation::Up,
        (true, std::cmp::Ordering::Greater) => Relation::Down,
    }
}

/// Whether some nesting like this was seen.
fn was_seen(holds: &Part, wants: &Part) -> bool {
    let kinds = |held: Mode, wanted: Mode| (held == Mode::Exclusive, wanted == Mode::SharedRecursive);
    let mut seen = false;
    let each = |nesting: &observed::Observed| {
        seen |= ptr::eq(nesting.held, holds.class)
            && ptr::eq(nesting.wanted, wants.class)
            && kinds(nesting.held_mode, nesting.wanted_mode) == kinds(holds.mode, wants.mode)
            && nesting.relation == relation(holds.party, wants.party);
    };
    observed::for_each(each).expect("a sink is no handler");
    seen
}

/// How many CPUs wait for ever in the schedule of `report`.
pub fn deadlock(report: &Report) -> usize {
    let schedule = report.schedule().unwrap_or_else(|| panic!("no schedule: {report}"));
    let actors: Vec<Actor> = schedule.actors().collect();
    let mut locks = Locks::default();
    for holds in actors.iter().filter_map(|actor| actor.holds.as_ref()) {
        assert!(!locks.must_wait(holds), "cannot acquire what it is to hold: {report}");
        locks.held.push((lock(holds), holds.mode));
    }
    for Actor { holds, wants, .. } in &actors {
        assert!(locks.must_wait(wants), "does not wait: {report}");
        if wants.mode == Mode::Exclusive {
            locks.writers.push(lock(wants));
        }
        let is_known = report.code == Code::Recursion || holds.is_none_or(|holds| was_seen(&holds, wants));
        assert!(is_known, "nobody was seen to do this: {report}");
    }
    actors.len()
}
