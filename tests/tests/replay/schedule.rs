//! Witnesses as schedules: what each CPU calls, and how far it goes before the next one starts.
//!
//! The calls come from the analyzer's report. Where a CPU stops comes from the locks themselves: each call is run
//! alone once, and of its acquisitions the one is taken that wants what the next CPU then holds. A witness for whose
//! classes there are no such locks has no schedule.

use std::path::Path;
use std::process::Output;

use lockdep_tests::analysis::{cargo_lockdep, root};
use lockdep_tests::scheduler::{Doing, Outcome, Request, State, run};
use serde_json::Value;

use crate::programs::{Call, Program};

/// What one CPU of a witness does.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it calls.
    pub call: Call,
    /// The owner of the lock that it holds, as the witness names it.
    pub held_owner: String,
    /// The owner of the lock that it waits for.
    pub wanted_owner: String,
}

/// The witnesses of a fixture's report, one per finding that has one.
pub fn witnesses(program: &Program) -> Vec<Vec<Step>> {
    let directory = root().join("tests/fixtures");
    let report: Value = serde_json::from_slice(&analyze(&directory, program.name).stdout).expect("a report");
    let findings = report["findings"].as_array().expect("findings");
    let with_witness = findings.iter().filter(|finding| !finding["witness"].is_null());
    with_witness.map(|finding| witness(program, finding)).collect()
}

fn analyze(directory: &Path, package: &str) -> Output {
    let mut command = cargo_lockdep();
    command.current_dir(directory).args(["analyze", "--offline", "-q", "--format", "json", "-p", package]);
    command.output().expect("the command starts")
}

fn witness(program: &Program, finding: &Value) -> Vec<Step> {
    let same = |one: &Value, other: &Value| {
        ["held", "held_as", "wanted", "wanted_as", "relation", "instances"]
            .iter()
            .all(|key| one[key] == other[key])
    };
    let nestings = finding["nestings"].as_array().expect("nestings");
    let cpus = finding["witness"]["cpus"].as_array().expect("CPUs");
    let step = |cpu: &Value| {
        let nesting = nestings.iter().find(|nesting| same(nesting, cpu)).expect("the nesting of a CPU");
        let entry = nesting["held_chain"][0]["function"].as_str().expect("an entry point");
        let function = entry.rsplit("::").next().expect("a name");
        let owner = |key: &str| cpu[key].as_str().unwrap_or("page").to_owned();
        let (held_owner, wanted_owner) = (owner("held_owner"), owner("wanted_owner"));
        let is_it = |call: &&Call| {
            let fits = |name: &str, number: usize| name == "page" || name == program.owners[number].0;
            call.function == function && fits(&held_owner, call.held) && fits(&wanted_owner, call.wanted)
        };
        let call =
            *program.calls.iter().find(is_it).unwrap_or_else(|| panic!("no call {function} for {cpu}"));
        Step { call, held_owner, wanted_owner }
    };
    cpus.iter().map(step).collect()
}

/// The owner of a lock.
pub fn owner(program: &Program, lock: usize) -> &'static str {
    let inside = |(_, start, end): &&(&str, usize, usize)| (*start..*end).contains(&lock);
    program.owners.iter().find(inside).expect("every lock is inside something").0
}

/// An acquisition of a call that is run alone.
#[derive(Clone, Debug)]
struct Acquisition {
    holding: Vec<Request>,
    request: Request,
}

fn alone(program: &Program, call: Call) -> Vec<Acquisition> {
    let mut acquisitions = Vec::new();
    let outcome = run(vec![Box::new(|| (program.run)(call))], &mut |state, able| {
        if let Doing::Asks { request, .. } = state.doing[0] {
            acquisitions.push(Acquisition { holding: state.holds[0].clone(), request });
        }
        able.first().copied()
    });
    assert_eq!(outcome, Outcome::Finished, "a call that is alone");
    acquisitions
}

/// How many locks each CPU acquires before it waits, if the locks are as the witness says.
pub fn stops(program: &Program, witness: &[Step]) -> Option<Vec<usize>> {
    let traces: Vec<Vec<Acquisition>> = witness.iter().map(|step| alone(program, step.call)).collect();
    let candidates = |cpu: usize| {
        let step = &witness[cpu];
        let fits = move |acquisition: &Acquisition| {
            owner(program, acquisition.request.lock) == step.wanted_owner
                && acquisition.holding.iter().any(|held| owner(program, held.lock) == step.held_owner)
        };
        let indices = traces[cpu].iter().enumerate().filter(move |(_, a)| fits(a)).map(|(index, _)| index);
        indices.collect::<Vec<usize>>()
    };
    let mut partial: Vec<Vec<usize>> = vec![Vec::new()];
    for cpu in 0..witness.len() {
        let longer = |stops: &Vec<usize>| {
            let stops = stops.clone();
            candidates(cpu).into_iter().map(move |stop| stops.iter().copied().chain([stop]).collect())
        };
        partial = partial.iter().flat_map(longer).collect();
    }
    let closes = |stops: &Vec<usize>| {
        (0..stops.len()).all(|cpu| {
            let next = (cpu + 1) % stops.len();
            let wanted = traces[cpu][stops[cpu]].request.lock;
            traces[next][stops[next]].holding.iter().any(|held| held.lock == wanted)
        })
    };
    partial.into_iter().find(closes)
}

/// Runs the witness: each CPU up to its stop, in order, then all until they wait.
pub fn replay(program: &Program, witness: &[Step], stops: &[usize]) -> Outcome {
    let mut acquired = vec![0; witness.len()];
    let at_stop = |state: &State, acquired: &[usize], cpu: usize| {
        matches!(state.doing[cpu], Doing::Asks { .. }) && acquired[cpu] == stops[cpu]
    };
    run(programs(program, &witness.iter().map(|step| step.call).collect::<Vec<_>>()), &mut |state, able| {
        let before = (0..stops.len()).find(|&cpu| !at_stop(state, &acquired, cpu));
        let Some(cpu) = before else { return able.first().copied() };
        if matches!(state.doing[cpu], Doing::Asks { queued: false, .. }) {
            acquired[cpu] += 1;
        }
        able.contains(&cpu).then_some(cpu)
    })
}

/// One CPU per call.
pub fn programs<'a>(program: &'a Program, calls: &[Call]) -> Vec<Box<dyn FnOnce() + Send + 'a>> {
    let cpu = |&call: &Call| Box::new(move || (program.run)(call)) as Box<dyn FnOnce() + Send + 'a>;
    calls.iter().map(cpu).collect()
}

/// Every schedule of the calls, one CPU each: how many there are, and whether one of them deadlocks.
pub fn explore(program: &Program, calls: &[Call]) -> (usize, bool) {
    // The choice taken at each point, and how many there were.
    let mut path: Vec<(usize, usize)> = Vec::new();
    let mut count = 0;
    loop {
        let mut point = 0;
        let outcome = run(programs(program, calls), &mut |_, able| {
            if point == path.len() {
                path.push((0, able.len()));
            }
            point += 1;
            Some(able[path[point - 1].0])
        });
        count += 1;
        if matches!(outcome, Outcome::Deadlock(_)) {
            return (count, true);
        }
        while path.last().is_some_and(|(choice, choices)| choice + 1 == *choices) {
            path.pop();
        }
        match path.last_mut() {
            Some((choice, _)) => *choice += 1,
            None => return (count, false),
        }
    }
}
