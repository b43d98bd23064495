//! Whether a program can deadlock: every interleaving, with real reader-writer locks.
//!
//! A lock prefers writers: a fair reader waits for a writer that waits, a recursive one only for a writer that holds.
//! Knows nothing of classes, owners or the checker.

use std::collections::HashSet;

use super::program::{How, MAX_OPS, Op, Program};

/// One task: its next operation, whether it waits there, and which acquisitions it still holds.
#[derive(Clone, Copy)]
struct Task {
    at: usize,
    waits: bool,
    holds: u16,
}

const BITS: u32 = 4 + 1 + MAX_OPS as u32;

fn pack(tasks: &[Task]) -> u64 {
    tasks.iter().fold(0, |packed, task| {
        packed << BITS
            | (task.at as u64) << (MAX_OPS + 1)
            | u64::from(task.waits) << MAX_OPS
            | u64::from(task.holds)
    })
}

pub fn can_deadlock(program: &Program) -> bool {
    let start = vec![Task { at: 0, waits: false, holds: 0 }; program.tasks.len()];
    let mut seen = HashSet::from([pack(&start)]);
    let mut todo = vec![start];
    while let Some(tasks) = todo.pop() {
        let mut moved = false;
        for (number, task) in tasks.iter().enumerate() {
            let Some(&op) = program.tasks[number].get(task.at) else { continue };
            let mut next = *task;
            match op {
                Op::Release { acquired_at } => {
                    next.holds &= !(1 << acquired_at);
                    next.at += 1;
                }
                Op::Acquire { lock, how, tries } => {
                    if free(program, &tasks, lock, how) {
                        next.holds |= 1 << task.at;
                        (next.at, next.waits) = (task.at + 1, false);
                    } else if tries {
                        next.at += 1;
                    } else if task.waits {
                        continue;
                    } else {
                        next.waits = true;
                    }
                }
            }
            moved = true;
            let mut after = tasks.clone();
            after[number] = next;
            if seen.insert(pack(&after)) {
                todo.push(after);
            }
        }
        let unfinished = tasks.iter().zip(&program.tasks).any(|(task, ops)| task.at < ops.len());
        if !moved && unfinished {
            return true;
        }
    }
    false
}

fn free(program: &Program, tasks: &[Task], wanted: usize, how: How) -> bool {
    tasks.iter().zip(&program.tasks).all(|(task, ops)| {
        let of_lock = |at: usize| match ops.get(at) {
            Some(&Op::Acquire { lock, how, .. }) if lock == wanted => Some(how),
            _ => None,
        };
        let holds = (0..ops.len()).filter(|at| task.holds >> at & 1 != 0).filter_map(of_lock);
        let waits = if task.waits { of_lock(task.at) } else { None };
        match how {
            How::Write => holds.count() == 0,
            How::Read => holds.chain(waits).all(|held| held != How::Write),
            How::ReadRecursive => holds.into_iter().all(|held| held != How::Write),
        }
    })
}
