//! What a program for std did, by the runtime's own account, is what the analyzer found in its code.
//!
//! The example `bank` is run with its graph written to a file at the end; that file goes through the reader of graph
//! files, and is compared with the one that the analyzer writes, class by class under the analyzer's names.

#[path = "cli/project.rs"]
#[expect(dead_code, reason = "other tests use what this one does not")]
mod project;

use std::collections::BTreeSet;
use std::fs;

use lockdep::order::Relation;
use lockdep_analyzer::graph::{Held, LockGraph, Wanted};
use lockdep_analyzer::graph_file;
use lockdep_analyzer::proof::{Decision, decide};
use lockdep_tests::analysis;
use project::Project;

/// Held class and how, wanted class and how, and the relation of the owners.
type Nesting = (String, Held, String, Wanted, Relation);

fn nestings(graph: &LockGraph) -> BTreeSet<Nesting> {
    let name = |class| graph.name(class).to_owned();
    let nesting = |nesting: &lockdep_analyzer::graph::Nesting| {
        (
            name(nesting.held),
            nesting.held_as,
            name(nesting.wanted),
            nesting.wanted_as,
            graph.relation(nesting),
        )
    };
    graph.nestings.keys().map(nesting).collect()
}

/// The example as a package, its locks called as the analyzer calls them, writing its graph when done.
fn bank() -> Project {
    let path = analysis::root().join("examples/bank.rs");
    let source = fs::read_to_string(path).expect("the example is there");
    let named = |source: String, name: &str, full: &str| {
        let (old, new) = (format!("named(\"{name}\""), format!("named(\"{full}\""));
        assert!(source.contains(&old), "the example has a `{name}`");
        source.replace(&old, &new)
    };
    let source = named(source, "accounts", "bank::Bank.accounts");
    let source = named(source, "log", "bank::Bank.log");
    let source = named(source, "logged", "notification of bank::Bank.logged");
    let end = source.rfind('}').expect("main ends");
    let write = "    let mut graph = String::new();\n    lockdep::observed::write_graph(&mut graph).expect(\"a string\");\n    \
                 std::fs::write(\"observed.json\", graph).expect(\"a writable directory\");\n}\n";
    let source = format!("{}{write}", &source[..end]);
    let project = Project::with_locks("bank", "").file("src/main.rs", &source);
    let manifest = fs::read_to_string(project.path("Cargo.toml")).expect("just written");
    let front = analysis::root().join("lockdep/std");
    fs::remove_file(project.path("src/lib.rs")).expect("just written");
    project.file("Cargo.toml", &format!("{manifest}lockdep-std = {{ path = {front:?} }}\n"))
}

fn read(project: &Project, name: &str) -> LockGraph {
    let text = fs::read_to_string(project.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    graph_file::read(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"))
}

#[test]
fn observed_is_what_was_found() {
    let project = bank();
    let mut cargo = analysis::cargo();
    cargo.args(["run", "--offline", "--quiet"]).current_dir(project.path(""));
    cargo.env("CARGO_TARGET_DIR", project.path("../target")).env_remove("RUSTFLAGS");
    let run = cargo.output().expect("cargo starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(String::from_utf8_lossy(&run.stdout).matches("locks are acquired in a circle").count(), 2);

    let observed = read(&project, "observed.json");
    let found = project.analyze(&["-q", "--graph", "found.json"]);
    assert_eq!(found.code, Some(1), "{}", found.stderr);
    let found = read(&project, "found.json");
    assert_eq!(nestings(&observed), nestings(&found));
    assert_eq!(nestings(&observed).len(), 4);

    // It is a graph to decide about, like any other, and written again it is the same.
    assert!(matches!(decide(&observed), Decision::Refuted { .. }));
    let again = graph_file::write(&observed).expect("a graph can be written");
    assert_eq!(nestings(&graph_file::read(&again).expect("just written")), nestings(&observed));
}
