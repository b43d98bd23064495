//! Simulated CPUs: threads of which one runs at a time, and locks that are asked for before they are taken.
//!
//! A program runs until it wants a lock ([`acquire`]); then the policy of the run says who goes on. So a run is decided by
//! the policy alone, every interleaving of acquisitions can be had, and a state in which nobody can go on is seen as such
//! instead of hanging. A lock is a number; the tests of this project have raw locks over it, on which real code runs.
//! Readers are fair, one that asks while a writer queues waits, unless they are recursive. Nothing here knows lock
//! orders. Source: the idea of controlled scheduling (CHESS, Musuvathi and others, OSDI 2008).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::thread;

/// How a lock is wanted or held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// By one.
    Exclusive,
    /// By fair readers.
    Shared,
    /// By readers who do not wait for a writer that waits.
    Recursive,
}

/// What a CPU asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Which lock it is, by number or address.
    pub lock: usize,
    /// How it is wanted.
    pub mode: Mode,
}

/// What a CPU does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Has not begun.
    Ready,
    /// Is about to acquire; `queued` once it was found that it has to wait.
    Asks {
        /// What.
        request: Request,
        /// Whether it has been found that it has to wait.
        queued: bool,
    },
    /// Is the one that runs.
    Runs,
    /// Has come to its end.
    Finished,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every CPU came to its end.
    Finished,
    /// The policy chose nobody.
    Stopped,
    /// Nobody can go on.
    Deadlock(Vec<Blocked>),
}

/// A CPU in a deadlock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Which CPU.
    pub cpu: usize,
    /// What it holds, oldest first.
    pub holds: Vec<Request>,
    /// What it waits for.
    pub wants: Request,
    /// The CPUs that hold it.
    pub held_by: Vec<usize>,
}

/// What the policy sees, and says who goes on by number; nobody to end the run.
pub type Policy<'a> = dyn FnMut(&State, &[usize]) -> Option<usize> + 'a;

/// All CPUs and locks of a run.
#[derive(Debug, Default)]
pub struct State {
    /// By CPU.
    pub doing: Vec<Doing>,
    /// By lock: who holds it.
    holders: BTreeMap<usize, Vec<(usize, Mode)>>,
    /// By CPU: what it holds, oldest first.
    pub holds: Vec<Vec<Request>>,
    /// The run is over; whoever still waits unwinds.
    over: bool,
}

impl State {
    /// Whether a CPU would get what it asks for.
    pub fn is_free(&self, cpu: usize, request: Request) -> bool {
        let holders = self.holders.get(&request.lock).map_or(&[][..], Vec::as_slice);
        let no_writer = holders.iter().all(|(_, mode)| *mode != Mode::Exclusive);
        match request.mode {
            Mode::Exclusive => holders.is_empty(),
            Mode::Recursive => no_writer,
            Mode::Shared => {
                let ahead = |(other, doing): (usize, &Doing)| {
                    let first = Request { mode: Mode::Exclusive, ..request };
                    other != cpu && *doing == Doing::Asks { request: first, queued: true }
                };
                no_writer && !self.doing.iter().enumerate().any(ahead)
            }
        }
    }

    /// The CPUs that hold a lock.
    pub fn holders(&self, lock: usize) -> Vec<usize> {
        self.holders.get(&lock).into_iter().flatten().map(|(cpu, _)| *cpu).collect()
    }

    /// The CPUs that can do something: begin, find out that they have to wait, or acquire.
    fn able(&self) -> Vec<usize> {
        let is_able = |cpu: &usize| match self.doing[*cpu] {
            Doing::Ready | Doing::Asks { queued: false, .. } => true,
            Doing::Asks { request, queued: true } => self.is_free(*cpu, request),
            Doing::Runs | Doing::Finished => false,
        };
        (0..self.doing.len()).filter(is_able).collect()
    }

    fn blocked(&self) -> Vec<Blocked> {
        let blocked = |(cpu, doing): (usize, &Doing)| {
            let Doing::Asks { request, .. } = *doing else { return None };
            let held_by = self.holders(request.lock);
            Some(Blocked { cpu, holds: self.holds[cpu].clone(), wants: request, held_by })
        };
        self.doing.iter().enumerate().filter_map(blocked).collect()
    }

    fn take(&mut self, cpu: usize, request: Request) {
        self.holders.entry(request.lock).or_default().push((cpu, request.mode));
        self.holds[cpu].push(request);
    }

    fn give_back(&mut self, cpu: usize, request: Request) {
        if let Some(holders) = self.holders.get_mut(&request.lock)
            && let Some(at) = holders.iter().rposition(|holder| *holder == (cpu, request.mode))
        {
            holders.remove(at);
        }
        self.holders.retain(|_, holders| !holders.is_empty());
        if let Some(at) = self.holds[cpu].iter().rposition(|held| *held == request) {
            self.holds[cpu].remove(at);
        }
    }
}

/// Held during a run.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
static STATE: std::sync::Mutex<Option<State>> = std::sync::Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

thread_local! {
    /// The simulated CPU that this thread is, while it is one.
    static CPU: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The payload with which a CPU unwinds when the run is over.
struct Over;

fn state() -> MutexGuard<'static, Option<State>> {
    // Unwinding CPUs leave the state as it should be.
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until this CPU is the one that runs, or unwinds if the run is over.
fn wait_for_turn(cpu: usize) {
    let waits = |state: &mut Option<State>| {
        state.as_ref().is_some_and(|state| state.doing[cpu] != Doing::Runs && !state.over)
    };
    let guard = CHANGED.wait_while(state(), waits).unwrap_or_else(PoisonError::into_inner);
    let goes_on = guard.as_ref().is_some_and(|state| state.doing[cpu] == Doing::Runs);
    drop(guard);
    if !goes_on {
        resume_unwind(Box::new(Over));
    }
}

/// Asks for a lock and waits for it; does nothing outside of a run.
pub fn acquire(lock: usize, mode: Mode) {
    let Some(cpu) = CPU.get() else { return };
    let request = Request { lock, mode };
    if let Some(state) = state().as_mut() {
        state.doing[cpu] = Doing::Asks { request, queued: false };
    }
    CHANGED.notify_all();
    wait_for_turn(cpu);
}

/// Gives a lock back.
pub fn release(lock: usize, mode: Mode) {
    let Some(cpu) = CPU.get() else { return };
    if let Some(state) = state().as_mut() {
        state.give_back(cpu, Request { lock, mode });
    }
}

/// Runs one program per CPU. One run at a time in a process: another waits for its end.
///
/// # Panics
/// When a program does.
pub fn run<'a>(programs: Vec<Box<dyn FnOnce() + Send + 'a>>, policy: &mut Policy<'_>) -> Outcome {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let count = programs.len();
    let fresh =
        State { doing: vec![Doing::Ready; count], holds: vec![Vec::new(); count], ..State::default() };
    *state() = Some(fresh);
    let outcome = thread::scope(|scope| {
        let cpus: Vec<_> = programs
            .into_iter()
            .enumerate()
            .map(|(cpu, program)| scope.spawn(move || simulate(cpu, program)))
            .collect();
        let outcome = control(policy);
        for cpu in cpus {
            if let Err(payload) = cpu.join() {
                *state() = None;
                resume_unwind(payload);
            }
        }
        outcome
    });
    *state() = None;
    outcome
}

fn simulate(cpu: usize, program: Box<dyn FnOnce() + Send + '_>) {
    CPU.set(Some(cpu));
    let result = catch_unwind(AssertUnwindSafe(|| {
        wait_for_turn(cpu);
        program();
    }));
    if let Some(state) = state().as_mut() {
        state.doing[cpu] = Doing::Finished;
    }
    CHANGED.notify_all();
    if let Err(payload) = result
        && !payload.is::<Over>()
    {
        resume_unwind(payload);
    }
}

/// Lets one CPU at a time go on until nobody can or the policy has enough.
fn control(policy: &mut Policy<'_>) -> Outcome {
    loop {
        let busy = |state: &mut Option<State>| {
            state.as_ref().is_some_and(|state| state.doing.contains(&Doing::Runs))
        };
        let mut guard = CHANGED.wait_while(state(), busy).unwrap_or_else(PoisonError::into_inner);
        let Some(state) = guard.as_mut() else { return Outcome::Stopped };
        let able = state.able();
        let outcome = match able.is_empty() {
            true if state.doing.iter().all(|doing| *doing == Doing::Finished) => Outcome::Finished,
            true => Outcome::Deadlock(state.blocked()),
            false => match policy(state, &able) {
                None => Outcome::Stopped,
                Some(cpu) => {
                    match state.doing[cpu] {
                        Doing::Asks { request, .. } if !state.is_free(cpu, request) => {
                            state.doing[cpu] = Doing::Asks { request, queued: true };
                        }
                        Doing::Asks { request, .. } => {
                            state.take(cpu, request);
                            state.doing[cpu] = Doing::Runs;
                        }
                        Doing::Ready | Doing::Runs | Doing::Finished => state.doing[cpu] = Doing::Runs,
                    }
                    CHANGED.notify_all();
                    continue;
                }
            },
        };
        state.over = true;
        CHANGED.notify_all();
        return outcome;
    }
}
