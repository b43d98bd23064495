//! The names of source files in a dump, without the directories of this machine.
//!
//! The compiler prints files of the workspace relative to its root and all others, mostly of macros that other crates
//! define, absolutely: in spans, in the paths of impls and in the types of coroutines. They are shortened in the text
//! before it is read, and the way back is remembered for those who need the source.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lockdep_analyzer::facts::short_path;

/// Short names of files, and what they stand for.
#[derive(Debug)]
pub struct Names {
    root: Option<PathBuf>,
    /// The directory of a package outside the workspace, and what it is called.
    package: Option<(PathBuf, String)>,
    long: BTreeMap<String, String>,
}

impl Names {
    /// Names as seen from a compiler's process, whose package cargo says in the environment. Cargo starts it in the
    /// root of the workspace, unless the package is from elsewhere: its files are then given absolutely.
    pub fn of_this_process(root: Option<PathBuf>) -> Names {
        let variable = |name: &str| std::env::var(name).ok();
        let package = || {
            let directory = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
            let is_outside = !root.as_ref().is_some_and(|root| directory.starts_with(root));
            let name = format!("{}-{}", variable("CARGO_PKG_NAME")?, variable("CARGO_PKG_VERSION")?);
            is_outside.then_some((directory, name))
        };
        Names { package: package(), root, long: BTreeMap::new() }
    }

    /// `text` with short names.
    pub fn shorten(&mut self, text: Cow<'_, str>) -> String {
        let mut text = text;
        if let Some((directory, name)) =
            self.package.as_ref().and_then(|(at, name)| Some((at.to_str()?, name)))
        {
            text = replace(text, &format!("{directory}/"), &format!("{name}/"));
        }
        if let Some(root) = self.root.as_deref().and_then(Path::to_str) {
            text = replace(text, &format!("{root}/"), "");
        }
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
        let inside = |(directory, name): &(PathBuf, String)| {
            Some(directory.join(short.strip_prefix(name.as_str())?.strip_prefix('/')?))
        };
        let path = self.package.as_ref().and_then(inside).unwrap_or_else(|| {
            let path = self.long.get(short).map_or(short, String::as_str);
            self.root.as_deref().map_or_else(|| PathBuf::from(path), |root| root.join(path))
        });
        std::fs::read_to_string(path).ok()
    }
}

/// What stands before a path in MIR: `at /…`, `{coroutine@/…`, `"/…`.
fn is_boundary(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '@' | '"' | '(' | '[' | '{' | '<' | ',' | ';')
}

/// `text` with paths that begin with `long` beginning with `short` instead.
fn replace<'t>(text: Cow<'t, str>, long: &str, short: &str) -> Cow<'t, str> {
    if !text.contains(long) {
        return text;
    }
    let mut kept = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, _) in text.match_indices(long) {
        if text[..at].chars().next_back().is_none_or(is_boundary) {
            kept.push_str(&text[copied..at]);
            kept.push_str(short);
            copied = at + long.len();
        }
    }
    kept.push_str(&text[copied..]);
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_lead_back() {
        let mut names = Names {
            root: Some("/home/me/my kernel".into()),
            package: Some(("/home/me/drivers/net".into(), "net-0.1.0".into())),
            long: BTreeMap::new(),
        };
        let text = "scope 0 at /home/me/my kernel/hv/src/lib.rs:3:5: 3:9 \
                    <impl at /c/registry/src/index.crates.io-1/spin-0.9.8/src/once.rs:1:2: 3:4>::f \
                    {coroutine@/o/lib/src/a.rs:1:1: 2:2 (#0)} hv/src/main.rs:1:1: 1:2 at /home/me/drivers/net/a/b.rs:1:1: 1:2";
        assert_eq!(
            names.shorten(text.into()),
            "scope 0 at hv/src/lib.rs:3:5: 3:9 <impl at spin-0.9.8/src/once.rs:1:2: 3:4>::f \
             {coroutine@lib/src/a.rs:1:1: 2:2 (#0)} hv/src/main.rs:1:1: 1:2 at net-0.1.0/a/b.rs:1:1: 1:2"
        );
        assert_eq!(names.long["lib/src/a.rs"], "/o/lib/src/a.rs");
    }
}
