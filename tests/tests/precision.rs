//! Which nestings the analyzer sees, and with which relation: programs that name every one of theirs.
//!
//! The marks of a program below `tests/programs/` and the graph of the analyzer must be the same set. A mark `//?` is
//! a nesting that is reported although it cannot happen: a limitation, kept as recorded behaviour.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lockdep_tests::analysis::{cargo_lockdep, root};

/// A package of its own with the program as its library.
fn package(name: &str, source: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("precision").join(name);
    fs::create_dir_all(directory.join("src")).expect("a writable directory");
    let workspace = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace has one");
    let spin = workspace.lines().find(|line| line.starts_with("spin = ")).expect("a dependency of ours");
    let lockdep = root().join("lockdep");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\nlockdep = {{ path = {lockdep:?} }}\n{spin}\n"
    );
    fs::write(directory.join("Cargo.toml"), manifest).expect("a writable directory");
    fs::copy(root().join("Cargo.lock"), directory.join("Cargo.lock")).expect("the workspace has one");
    fs::write(directory.join("src/lib.rs"), source).expect("a writable directory");
    directory
}

/// `a1 -> a2 Same` of `chess::a1 E -> chess::a2 E  Same, possible`.
fn nesting(line: &str) -> Option<String> {
    let (held, rest) = line.split_once(" -> ")?;
    let (wanted, relation) = rest.split_once("  ")?;
    let class = |text: &str| text.split(' ').next()?.rsplit("::").next().map(str::to_owned);
    let relation = relation.trim_end_matches(", possible");
    Some(format!("{} -> {} {relation}", class(held)?, class(wanted)?))
}

fn check(name: &str) {
    let source = fs::read_to_string(root().join(format!("tests/programs/{name}.rs"))).expect("a program");
    let expected: BTreeSet<String> = source
        .lines()
        .filter_map(|line| line.strip_prefix("//= ").or_else(|| line.strip_prefix("//? ")))
        .map(str::to_owned)
        .collect();
    assert!(expected.len() > 15, "{name}: the marks are not where this test looks");
    let mut command = cargo_lockdep();
    command.current_dir(package(name, &source)).args(["analyze", "--offline", "-q", "--format", "list"]);
    let output = command.output().expect("the command starts");
    let graph = String::from_utf8(output.stdout).expect("reports are UTF-8");
    let found: BTreeSet<String> = graph.lines().filter_map(nesting).collect();
    let missed: Vec<&String> = expected.difference(&found).collect();
    let invented: Vec<&String> = found.difference(&expected).collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        missed.is_empty() && invented.is_empty(),
        "{name}: missed {missed:?}, invented {invented:?}\n{errors}"
    );
}

#[test]
fn lives_of_guards() {
    check("guards");
}

#[test]
fn owners_of_locks() {
    check("owners");
}
