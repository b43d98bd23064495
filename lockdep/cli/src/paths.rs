//! The names of source files in a dump, without the directories of this machine.
//!
//! The compiler prints files of the workspace relative to its root and all others, mostly of macros that other crates
//! define, absolutely: in spans, in the paths of impls and in the types of coroutines. They are shortened in the text
//! before it is read, and the way back is remembered for those who need the source.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use lockdep_analyzer::facts::short_path;

/// Short names of files, and what they stand for.
#[derive(Debug)]
pub struct Names {
    root: Option<PathBuf>,
    long: BTreeMap<String, String>,
}

impl Names {
    /// Names as seen from a compiler's process: cargo starts it in the root of the workspace.
    pub fn of_this_process() -> Names {
        Names { root: std::env::current_dir().ok(), long: BTreeMap::new() }
    }

    /// `text` with short names.
    pub fn shorten(&mut self, text: Cow<'_, str>) -> String {
        let root = self.root.as_deref().and_then(|root| root.to_str()).map(|root| format!("{root}/"));
        let text = match root {
            Some(root) if text.contains(&root) => Cow::Owned(without_root(&text, &root)),
            _ => text,
        };
        let mut shortened = String::with_capacity(text.len());
        let mut copied = 0;
        for (end, _) in text.match_indices(".rs:") {
            let end = end + ".rs".len();
            let start = text[copied..end].rfind(is_boundary).map_or(copied, |at| copied + at + 1);
            let long = &text[start..end];
            if let Some(short) = short_path(long) {
                shortened.push_str(&text[copied..start]);
                shortened.push_str(&short);
                copied = end;
                self.long.entry(short).or_insert_with(|| long.to_owned());
            }
        }
        shortened.push_str(&text[copied..]);
        shortened
    }

    /// The text of the file that a short name stands for.
    pub fn read(&self, short: &str) -> Option<String> {
        let path = self.long.get(short).map_or(short, String::as_str);
        let path = self.root.as_deref().map_or_else(|| PathBuf::from(path), |root| root.join(path));
        std::fs::read_to_string(path).ok()
    }
}

/// What stands before a path in MIR: `at /…`, `{coroutine@/…`, `"/…`.
fn is_boundary(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '@' | '"' | '(' | '[' | '{' | '<' | ',' | ';')
}

fn without_root(text: &str, root: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, _) in text.match_indices(root) {
        if text[..at].chars().next_back().is_none_or(is_boundary) {
            kept.push_str(&text[copied..at]);
            copied = at + root.len();
        }
    }
    kept.push_str(&text[copied..]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_lead_back() {
        let mut names = Names { root: Some("/home/me/my kernel".into()), long: BTreeMap::new() };
        let text = "scope 0 at /home/me/my kernel/hv/src/lib.rs:3:5: 3:9 \
                    <impl at /c/registry/src/index.crates.io-1/spin-0.9.8/src/once.rs:1:2: 3:4>::f \
                    {coroutine@/o/lib/src/a.rs:1:1: 2:2 (#0)} hv/src/main.rs:1:1: 1:2";
        assert_eq!(
            names.shorten(text.into()),
            "scope 0 at hv/src/lib.rs:3:5: 3:9 <impl at spin-0.9.8/src/once.rs:1:2: 3:4>::f \
             {coroutine@lib/src/a.rs:1:1: 2:2 (#0)} hv/src/main.rs:1:1: 1:2"
        );
        assert_eq!(names.long["lib/src/a.rs"], "/o/lib/src/a.rs");
    }
}
