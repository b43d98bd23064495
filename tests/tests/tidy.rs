//! House rules that a compiler does not check, over every source file of the workspace.
//!
//! Fixtures and UI cases are programs of their own kind and are left out where a rule says so.

use std::fs;
use std::path::{Path, PathBuf};

use lockdep_tests::analysis::root;

/// The files that may contain `unsafe`: the CPU hook, the checker's own lock, and the numbers of threads. Tests, benches and examples stand in for a
/// kernel, which tells the checker what CPU it is on, and are not counted.
const UNSAFE: [&str; 3] = ["lockdep/src/cpu.rs", "lockdep/src/spin.rs", "lockdep/std/src/thread.rs"];

/// (path from the root, text) of every `.rs` file that is ours.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut pending: Vec<PathBuf> =
        ["macros", "lockdep", "hv-core", "tests", "examples"].map(|dir| root().join(dir)).into();
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).expect("a readable directory") {
            let path = entry.expect("a readable directory").path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target") {
                    pending.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                found.push((relative(&path), text));
            }
        }
    }
    found.sort();
    assert!(found.len() > 100, "the sources are not where this test looks");
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/")
}

/// Files that are somebody else's program: input of a test, not code of the project.
fn is_input(path: &str) -> bool {
    [
        "tests/ui/",
        "tests/fixtures/",
        "tests/programs/",
        "tests/tests/reading/torture.rs",
        "lockdep/analyzer/tests/mir/",
    ]
    .iter()
    .any(|dir| path.starts_with(dir))
}

fn complain(rule: &str, offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

#[test]
fn every_file_says_what_it_is() {
    let silent = sources()
        .into_iter()
        .filter(|(path, text)| !is_input(path) && !text.starts_with("//!"))
        .map(|(path, _)| path);
    complain("a file opens with `//!`", silent.collect());
}

#[test]
fn no_file_is_long() {
    let long = sources().into_iter().filter_map(|(path, text)| {
        let lines = text.lines().count();
        (lines > 400).then(|| format!("{path}: {lines} lines"))
    });
    complain("a file has at most 400 lines", long.collect());
}

#[test]
fn files_are_named_after_what_they_hold() {
    let vague = sources().into_iter().map(|(path, _)| path).filter(|path| {
        let name = path.rsplit('/').next().unwrap_or(path);
        ["utils.rs", "util.rs", "common.rs", "helpers.rs", "mod.rs"].contains(&name)
    });
    complain("no file is called utils, common, helpers or mod", vague.collect());
}

#[test]
fn unsafe_code_is_where_it_is_said_to_be() {
    let found: Vec<String> = sources()
        .into_iter()
        .filter(|(path, text)| {
            !is_input(path)
                && !path.starts_with("tests/")
                && !path.starts_with("examples/")
                && !path.contains("/benches/")
                && !path.contains("/tests/")
                && text.lines().any(|line| {
                    let code = line.split("//").next().unwrap_or(line);
                    ["unsafe {", "unsafe fn", "unsafe impl"]
                        .iter()
                        .any(|word| code.trim_start().contains(word))
                        && !code.contains('"')
                })
        })
        .map(|(path, _)| path)
        .collect();
    assert_eq!(found, UNSAFE, "files with `unsafe`");
}

#[test]
fn the_order_is_compared_in_one_place() {
    let elsewhere = sources().into_iter().filter(|(path, text)| {
        let checked = path.starts_with("lockdep/src/") && path != "lockdep/src/order.rs";
        checked
            && ["level <", "level >", ".level.get() <", ".level.get() >"].iter().any(|cmp| text.contains(cmp))
    });
    complain("levels are compared in order.rs only", elsewhere.map(|(path, _)| path).collect());
}

#[test]
fn test_locks_are_chess_pieces() {
    let borrowed = sources().into_iter().filter(|(path, text)| {
        let tests = path.starts_with("lockdep/src/") || path.starts_with("tests/ui/");
        tests
            && text.contains("lock_order!")
            && ["p2m = ", "paging = ", "altp2m = "].iter().any(|name| text.contains(name))
    });
    complain("Xen's lock names are declared in hv-core and in the fixtures only", {
        borrowed.map(|(path, _)| path).collect()
    });
}
