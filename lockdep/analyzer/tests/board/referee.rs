//! Checks a witness against the graph, from the definitions and without the code that made it.

use lockdep::order::Relation;
use lockdep_analyzer::graph::{Held, Instances, LockGraph, Ownership, Wanted};
use lockdep_analyzer::witness::{CpuStep, Witness};

/// What is wrong with a witness, if anything.
pub fn check(graph: &LockGraph, witness: &Witness) -> Result<(), String> {
    let domains = witness.domains.len();
    let mut controls = vec![vec![false; domains]; domains];
    for &(upper, lower) in &witness.controls {
        controls[upper][lower] = true;
    }
    for middle in 0..domains {
        for a in 0..domains {
            for b in 0..domains {
                controls[a][b] |= controls[a][middle] && controls[middle][b];
            }
        }
    }
    if (0..domains).any(|domain| controls[domain][domain]) {
        return Err("a domain controls itself".to_owned());
    }
    let steps = &witness.cpus;
    if steps.is_empty() {
        return Err("nobody waits".to_owned());
    }
    for (number, step) in steps.iter().enumerate() {
        let next = &steps[(number + 1) % steps.len()];
        one(graph, &controls, step).map_err(|what| format!("CPU {number}: {what}"))?;
        if wanted(step) != held(next) {
            return Err(format!("CPU {number} waits for what the next does not hold"));
        }
        if next.nesting.held_as == Held::Shared && step.nesting.wanted_as == Wanted::SharedRecursive {
            return Err(format!("CPU {number} is not blocked"));
        }
    }
    let mut locks: Vec<Lock> = steps.iter().map(held).collect();
    locks.sort();
    locks.dedup();
    if locks.len() != steps.len() {
        return Err("two CPUs hold one lock".to_owned());
    }
    let used = |domain: usize| steps.iter().any(|step| step.held_owner == Some(domain));
    (0..domains).all(used).then_some(()).ok_or_else(|| "a domain has no lock in it".to_owned())
}

type Lock = (usize, Option<usize>, usize);

fn held(step: &CpuStep) -> Lock {
    (step.nesting.held, step.held_owner, step.held_instance)
}

fn wanted(step: &CpuStep) -> Lock {
    (step.nesting.wanted, step.wanted_owner, step.wanted_instance)
}

fn one(graph: &LockGraph, controls: &[Vec<bool>], step: &CpuStep) -> Result<(), String> {
    let nesting = &step.nesting;
    if !graph.nestings.contains_key(nesting) {
        return Err("the nesting is not in the graph".to_owned());
    }
    for (class, owner) in [(nesting.held, step.held_owner), (nesting.wanted, step.wanted_owner)] {
        if (graph.classes[class].ownership == Ownership::Unowned) != owner.is_none() {
            return Err("the owner does not suit the class".to_owned());
        }
    }
    let relation = match (step.held_owner, step.wanted_owner) {
        (None, None) => Relation::Same,
        (Some(held), Some(wanted)) if held == wanted => Relation::Same,
        (Some(held), Some(wanted)) if controls[wanted][held] => Relation::Up,
        (Some(held), Some(wanted)) if controls[held][wanted] => Relation::Down,
        _ => Relation::Other,
    };
    if relation != nesting.relation {
        return Err(format!("owners are {relation:?}, the nesting says {:?}", nesting.relation));
    }
    let one_lock = held(step) == wanted(step);
    if one_lock != (nesting.instances == Instances::SameOne) {
        return Err("one lock or two?".to_owned());
    }
    let ordered = graph.classes[nesting.held].ordered && nesting.held == nesting.wanted;
    if ordered && relation == Relation::Same && !one_lock && step.held_instance >= step.wanted_instance {
        return Err("the key does not rise".to_owned());
    }
    Ok(())
}
