//! Words that several formats share: how locks are held and wanted, counts, who takes part in a schedule. Not for anyone
//! else.

use crate::graph::{Held, LockGraph, Wanted};
use crate::witness::{CpuStep, Witness};

/// `1 body`, `2 bodies`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// How a lock is held, as a word.
pub fn held_word(held: Held) -> &'static str {
    match held {
        Held::Exclusive => "exclusive",
        Held::Shared => "shared",
    }
}

/// How a lock is wanted, as a word.
pub fn wanted_word(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Exclusive => "exclusive",
        Wanted::Shared => "shared",
        Wanted::SharedRecursive => "recursive read",
    }
}

/// How a lock is held, as a letter.
pub fn held_letter(held: Held) -> char {
    match held {
        Held::Exclusive => 'E',
        Held::Shared => 'S',
    }
}

/// How a lock is wanted, as a letter.
pub fn wanted_letter(wanted: Wanted) -> char {
    match wanted {
        Wanted::Exclusive => 'E',
        Wanted::Shared => 'S',
        Wanted::SharedRecursive => 'R',
    }
}

/// The domains of a schedule, and who controls whom.
pub fn domains(witness: &Witness) -> String {
    let controls: Vec<String> = witness
        .controls
        .iter()
        .map(|&(upper, lower)| format!("{} controls {}", domain(witness, upper), domain(witness, lower)))
        .collect();
    match (witness.domains.as_slice(), controls.is_empty()) {
        ([], _) => "no domain is needed".to_owned(),
        ([only], _) => format!("one domain {only}"),
        (domains, true) => format!("domains {}, unrelated", domains.join(", ")),
        (domains, false) => format!("domains {}; {}", domains.join(", "), controls.join(", ")),
    }
}

fn domain(witness: &Witness, index: usize) -> &str {
    witness.domains.get(index).map_or("?", String::as_str)
}

/// Both locks of a step, as "`rook` of A"; instances are told apart where the step meets two of a class.
pub fn locks(graph: &LockGraph, witness: &Witness, cpu: &CpuStep) -> [String; 2] {
    let several = cpu.held_instance > 0 || cpu.wanted_instance > 0;
    let lock = |class: usize, owner: Option<usize>, instance: usize| {
        let instance = if several { format!(" #{instance}") } else { String::new() };
        let owner = owner.map_or(String::new(), |owner| format!(" of {}", domain(witness, owner)));
        format!("`{}`{instance}{owner}", graph.name(class))
    };
    [
        lock(cpu.nesting.held, cpu.held_owner, cpu.held_instance),
        lock(cpu.nesting.wanted, cpu.wanted_owner, cpu.wanted_instance),
    ]
}
