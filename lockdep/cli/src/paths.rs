//! The names of source files in a dump, without the directories of this machine.
//!
//! The compiler prints files of the workspace relative to its root and all others, mostly of macros that other crates
//! define, absolutely: in spans, in the paths of impls and in the types of coroutines. They are shortened in the text
//! before it is read, and the way back is remembered for those who need the source.

use std::collections::BTreeMap;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use lockdep_analyzer::facts::short_path;

/// Short names of files, and what they stand for.
#[derive(Debug)]
pub struct Names {
    root: Option<PathBuf>,
    /// The directory of a package outside the workspace, and what it is called.
    package: Option<(PathBuf, String)>,
    /// (long, short) of all others that were seen.
    long: Mutex<BTreeMap<String, String>>,
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
        Names { package: package(), root, long: Mutex::default() }
    }

    /// `text` with short names.
    pub fn shorten(&self, text: String) -> String {
        let with_separator = |path: &Path| Some(format!("{}{MAIN_SEPARATOR}", path.to_str()?));
        let package = self.package.as_ref().and_then(|(at, name)| Some((with_separator(at)?, name)));
        let root = self.root.as_deref().and_then(with_separator);
        let mut shortened = String::new();
        let (mut copied, mut from) = (0, 0);
        while let Some(at) = text[from..].find(MAIN_SEPARATOR).map(|at| from + at) {
            from = at + 1;
            let Some(start) = absolute_path(&text, at).filter(|start| *start >= copied) else { continue };
            let path = &text[start..];
            let replaced = if let Some((long, name)) = &package
                && path.starts_with(long.as_str())
            {
                Some((long.len(), format!("{name}/")))
            } else if let Some(long) = &root
                && path.starts_with(long.as_str())
            {
                Some((long.len(), String::new()))
            } else {
                self.other(path)
            };
            if let Some((length, short)) = replaced {
                shortened.push_str(&text[copied..start]);
                shortened.push_str(&short);
                copied = start + length;
                from = copied.max(from);
            }
        }
        if copied == 0 {
            return text;
        }
        shortened.push_str(&text[copied..]);
        shortened
    }

    /// The length and the short name of a path that is in neither directory, if it is one.
    fn other(&self, text: &str) -> Option<(usize, String)> {
        let line = text.split(is_boundary).next()?;
        let length = line.find(".rs:")? + ".rs".len();
        let long = text.get(..length)?;
        let mut known = self.long.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(short) = known.get(long) {
            return Some((length, short.clone()));
        }
        let short = short_path(long)?;
        known.insert(long.to_owned(), short.clone());
        Some((length, short))
    }

    /// The text of the file that a short name stands for.
    pub fn read(&self, short: &str) -> Option<String> {
        let inside = |(directory, name): &(PathBuf, String)| {
            Some(directory.join(short.strip_prefix(name.as_str())?.strip_prefix('/')?))
        };
        let path = self.package.as_ref().and_then(inside).unwrap_or_else(|| {
            let known = self.long.lock().unwrap_or_else(PoisonError::into_inner);
            let long = known.iter().find(|(_, known)| *known == short);
            let path = long.map_or(short, |(long, _)| long.as_str());
            self.root.as_deref().map_or_else(|| PathBuf::from(path), |root| root.join(path))
        });
        std::fs::read_to_string(path).ok()
    }
}

/// What stands before a path in MIR: `at /…`, `{coroutine@/…`, `"/…`.
fn is_boundary(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '@' | '"' | '(' | '[' | '{' | '<' | ',' | ';')
}

/// Where the absolute path begins that has its first separator at `at`, if it is that: a comment has two of them.
fn absolute_path(text: &str, at: usize) -> Option<usize> {
    let before = |at: usize| text.get(..at).and_then(|before| before.chars().next_back());
    let start = match before(at) {
        // A drive.
        Some(':') if MAIN_SEPARATOR == '\\' => at.checked_sub(2)?,
        _ => at,
    };
    let is_comment = text.get(at + 1..).is_some_and(|after| after.starts_with(MAIN_SEPARATOR));
    (!is_comment && before(start).is_none_or(is_boundary)).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_lead_back() {
        let names = Names {
            root: Some("/home/me/my kernel".into()),
            package: Some(("/home/me/drivers/net".into(), "net-0.1.0".into())),
            long: Mutex::default(),
        };
        let text = "scope 0 at /home/me/my kernel/hv/src/lib.rs:3:5: 3:9 \
                    <impl at /c/registry/src/index.crates.io-1/spin-0.9.8/src/once.rs:1:2: 3:4>::f \
                    {coroutine@/o/lib/src/a.rs:1:1: 2:2 (#0)} hv/src/main.rs:1:1: 1:2 at /home/me/drivers/net/a/b.rs:1:1: 1:2";
        assert_eq!(
            names.shorten(text.into()),
            "scope 0 at hv/src/lib.rs:3:5: 3:9 <impl at spin-0.9.8/src/once.rs:1:2: 3:4>::f \
             {coroutine@lib/src/a.rs:1:1: 2:2 (#0)} hv/src/main.rs:1:1: 1:2 at net-0.1.0/a/b.rs:1:1: 1:2"
        );
        assert_eq!(names.long.lock().expect("not poisoned")["/o/lib/src/a.rs"], "lib/src/a.rs");
    }
}
