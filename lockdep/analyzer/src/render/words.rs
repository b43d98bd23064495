//! Words that several formats share: how locks are held and wanted, counts. Not for anyone else.

use crate::graph::{Held, Wanted};

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
