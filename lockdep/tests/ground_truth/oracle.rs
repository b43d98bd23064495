//! What the nestings of a program allow in the worst case: any CPU, any nesting, any time, any domains that fit.
//!
//! The slow way: every nesting is instantiated for all pairs of domains of a universe of two chains, and a closed
//! strong walk is looked for by transitive closure over (class, domain, reached by N or R). No components, no
//! relations, nothing incremental: it shares no idea with the checker but the table of who blocks whom.

use super::program::{How, Op, Program};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    Same,
    Up,
    Down,
    Strangers,
    /// Exactly one of the two is owned.
    Mixed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nesting {
    held: (usize, bool),
    holds_shared: bool,
    wanted: (usize, bool),
    wants_recursive: bool,
    standing: Standing,
}

fn standing(program: &Program, held: Option<usize>, wanted: Option<usize>) -> Standing {
    match (held, wanted) {
        (a, b) if a == b => Standing::Same,
        (Some(a), Some(b)) if program.controls_closed(b, a) => Standing::Up,
        (Some(a), Some(b)) if program.controls_closed(a, b) => Standing::Down,
        (Some(_), Some(_)) => Standing::Strangers,
        _ => Standing::Mixed,
    }
}

impl Program {
    fn controls_closed(&self, controller: usize, subject: usize) -> bool {
        self.controls.iter().any(|&(above, below)| {
            above == controller && (below == subject || self.controls_closed(below, subject))
        })
    }

    /// Every nesting of every task, for each outcome of its tries.
    pub fn nestings(&self) -> Vec<Nesting> {
        let mut found = Vec::new();
        for ops in &self.tasks {
            for outcome in 0..1 << ops.len() {
                self.nestings_of(ops, outcome, &mut found);
            }
        }
        found
    }

    fn nestings_of(&self, ops: &[Op], outcome: u32, found: &mut Vec<Nesting>) {
        let mut held: Vec<(usize, usize, How)> = Vec::new();
        for (at, op) in ops.iter().enumerate() {
            match *op {
                Op::Release { acquired_at } => held.retain(|&(position, ..)| position != acquired_at),
                Op::Acquire { tries: true, .. } if outcome >> at & 1 == 0 => {}
                Op::Acquire { lock, how, tries } => {
                    let own = |&&(_, other, how): &&(usize, usize, How)| other == lock && how != How::Write;
                    let again = how == How::ReadRecursive && held.iter().find(own).is_some();
                    if !tries && !again {
                        for &(_, other, mode) in &held {
                            let (a, b) = (self.locks[other], self.locks[lock]);
                            let nesting = Nesting {
                                held: (a.class, a.owner.is_some()),
                                holds_shared: mode != How::Write,
                                wanted: (b.class, b.owner.is_some()),
                                wants_recursive: how == How::ReadRecursive,
                                standing: standing(self, a.owner, b.owner),
                            };
                            if !found.contains(&nesting) {
                                found.push(nesting);
                            }
                        }
                    }
                    held.push((at, lock, how));
                }
            }
        }
    }
}

const CHAIN: usize = 4;
const DOMAINS: usize = 2 * CHAIN;
const CLASSES: usize = 5;
/// Each class has an instance per domain, and one of nobody.
const NODES: usize = CLASSES * (DOMAINS + 1) * 2;

fn node(class: usize, domain: usize, recursive: bool) -> usize {
    (class * (DOMAINS + 1) + domain) * 2 + usize::from(recursive)
}

fn fits(standing: Standing, held: usize, wanted: usize) -> bool {
    let one_chain = held / CHAIN == wanted / CHAIN;
    match standing {
        Standing::Same => held == wanted,
        Standing::Up => one_chain && held < wanted,
        Standing::Down => one_chain && held > wanted,
        Standing::Strangers => !one_chain,
        Standing::Mixed => true,
    }
}

/// Whether the nestings close a strong walk somewhere in the universe.
pub fn closes(nestings: &[Nesting]) -> bool {
    let mut reaches = vec![0_u128; NODES];
    const { assert!(NODES <= 128) };
    for nesting in nestings {
        let domains = |owned: bool| if owned { 0..DOMAINS } else { DOMAINS..DOMAINS + 1 };
        for held in domains(nesting.held.1) {
            for wanted in domains(nesting.wanted.1) {
                if !fits(nesting.standing, held, wanted) {
                    continue;
                }
                let to = node(nesting.wanted.0, wanted, nesting.wants_recursive);
                reaches[node(nesting.held.0, held, false)] |= 1 << to;
                if !nesting.holds_shared {
                    reaches[node(nesting.held.0, held, true)] |= 1 << to;
                }
            }
        }
    }
    for through in 0..NODES {
        let beyond = reaches[through];
        for row in &mut reaches {
            if *row >> through & 1 != 0 {
                *row |= beyond;
            }
        }
    }
    reaches.iter().enumerate().any(|(at, row)| row >> at & 1 != 0)
}
