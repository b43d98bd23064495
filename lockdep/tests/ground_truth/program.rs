//! Random programs of a few tasks over a few reader-writer locks of a few domains.
//!
//! Adversarial on purpose: small, entangled, with recursive reads, tries, and releases in any order. A program is data;
//! this file neither runs nor judges it.

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    Write,
    Read,
    ReadRecursive,
}

#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// Of a lock, by its number.
    Acquire { lock: usize, how: How, tries: bool },
    /// Of what the acquisition at this position got, if it got anything.
    Release { acquired_at: usize },
}

#[derive(Clone, Copy, Debug)]
pub struct Lock {
    pub class: usize,
    /// A domain, or nobody.
    pub owner: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct Program {
    pub locks: Vec<Lock>,
    pub nr_domains: usize,
    /// (controller, subject), which make a strict partial order.
    pub controls: Vec<(usize, usize)>,
    pub tasks: Vec<Vec<Op>>,
}

/// The longest task, in operations.
pub const MAX_OPS: usize = 8;

pub fn program(dice: &mut Dice) -> Program {
    let nr_domains = 2 + dice.below(2);
    let mut controls = Vec::new();
    for controller in 0..nr_domains {
        for subject in 0..controller {
            if dice.below(2) == 0 {
                controls.push((controller, subject));
            }
        }
    }
    let nr_locks = 3 + dice.below(3);
    // A third of the programs has a class per lock and no domains, as plain kernels have.
    let plain = dice.below(3) == 0;
    let nobodys = 1 + dice.below(4);
    let lock = |number: usize, dice: &mut Dice| {
        let class = if plain { number } else { dice.below(3) };
        let owned = !plain && class != nobodys;
        Lock { class, owner: owned.then(|| dice.below(nr_domains)) }
    };
    let locks: Vec<Lock> = (0..nr_locks).map(|number| lock(number, dice)).collect();
    let tasks = (0..2 + dice.below(3)).map(|_| task(dice, nr_locks)).collect();
    Program { locks, nr_domains, controls, tasks }
}

fn task(dice: &mut Dice, nr_locks: usize) -> Vec<Op> {
    let mut ops = Vec::new();
    let mut held = Vec::new();
    let nr_acquisitions = 2 + dice.below(MAX_OPS / 2 - 1);
    let mut acquired = 0;
    while acquired < nr_acquisitions || !held.is_empty() {
        if acquired < nr_acquisitions && (held.is_empty() || dice.below(10) < 7) {
            let how = match dice.below(10) {
                0..4 => How::ReadRecursive,
                4..6 => How::Read,
                _ => How::Write,
            };
            held.push(ops.len());
            ops.push(Op::Acquire { lock: dice.below(nr_locks), how, tries: dice.below(7) == 0 });
            acquired += 1;
        } else {
            let acquired_at = held.swap_remove(dice.below(held.len()));
            ops.push(Op::Release { acquired_at });
        }
    }
    ops
}
