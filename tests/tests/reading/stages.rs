//! The texts that can be read of one program, and what is done where one of them lacks something.

use lockdep_tests::analysis::cargo_lockdep;

use crate::project::{PROVED, Project, Run};

/// Guards that are moved, returned, kept in options and closures, dropped early and on some paths only.
const TORTURE: &str = include_str!("torture.rs");

/// The lines of the lock graph, without their assumptions.
fn graph(run: &Run) -> Vec<&str> {
    assert!(matches!(run.code, Some(0 | 1)), "{}", run.stderr);
    let lines = run.stdout.lines().filter(|line| !line.starts_with("assumptions: "));
    let graph: Vec<&str> = lines.collect();
    assert!(graph.iter().any(|line| line.contains(" -> ")), "{}", run.stdout);
    graph
}

/// The same with nestings of unknown relation only.
fn without_relations(graph: &[&str]) -> Vec<String> {
    graph.iter().map(|line| line.rsplit_once("  ").map_or(*line, |(nesting, _)| nesting).to_owned()).collect()
}

#[test]
fn every_stage_has_the_same_nestings() {
    let project = Project::with_locks("stages", &format!("{PROVED}\n{TORTURE}"));
    let run = |stage: &str| project.analyze(&["--mir", stage, "--format", "list"]);
    let (analysis, unoptimized, emitted) = (run("analysis"), run("unoptimized"), run("emitted"));
    assert_eq!(graph(&unoptimized), graph(&analysis));
    // Names of functions are short in it, so that relations of owners can be lost, and to be listed as such.
    assert_eq!(without_relations(&graph(&emitted)), without_relations(&graph(&analysis)));
    let text = project.analyze(&["--mir", "emitted"]);
    assert!(text.stdout.contains("read in the form that stable options print"), "{}", text.stdout);
}

#[test]
fn the_hypervisor_is_the_same_at_every_stage_that_has_positions() {
    let run = |stage: &str| -> Run {
        let mut command = cargo_lockdep();
        command.args(["analyze", "--offline", "-p", "hv-core", "--format", "list", "--mir", stage]);
        command.output().expect("the command starts").into()
    };
    let (analysis, unoptimized) = (run("analysis"), run("unoptimized"));
    assert_eq!(graph(&unoptimized), graph(&analysis));
}

/// The compiler writes no MIR where the file's name is too long, and does not say so. This has one such function that
/// is called and one that is not.
fn with_long_names() -> String {
    let name = "x".repeat(240);
    format!(
        "{PROVED}\npub fn {name}(player: &Player) -> u64 {{ let f = |p: &Player| *p.rook.lock() + *p.pawn.lock(); f(player) }}\n\
         impl Player {{ pub fn {name}(&self) -> u64 {{ let pawn = self.pawn.lock(); *pawn + *self.rook.lock() }} }}\n\
         pub fn call(player: &Player) -> u64 {{ player.{name}() }}\n",
    )
}

#[test]
fn bodies_that_were_lost_are_had_from_another_text() {
    let project = Project::with_locks("lost", &with_long_names());
    let run = project.analyze(&[]);
    // What the lost closure does is against the order.
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stdout.starts_with("9 bodies, 6 acquisitions"), "{}", run.stdout);
    for gap in ["unresolved-call", "unread-"] {
        assert!(!run.stdout.contains(gap), "{}", run.stdout);
    }
    let list = ["--format", "list"];
    let all = project.analyze(&["--mir", "unoptimized", "--format", "list"]);
    assert_eq!(graph(&project.analyze(&list)), graph(&all));
}

#[cfg(unix)]
mod compilers {
    use super::*;

    /// It prints nothing.
    const MUTE: &str = r#"
        for argument; do case "$argument" in -Zunpretty=*) exit 1;; esac; done
        exec "$rustc" "$@"
    "#;

    #[test]
    fn a_body_that_stays_lost_is_an_assumption() {
        let run = Project::with_locks("still-lost", &with_long_names()).analyze_with_compiler(MUTE);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(run.stdout.contains("the compiler writes no MIR, and there may be one"), "{}", run.stdout);
    }

    #[test]
    fn a_closure_without_a_body_is_an_assumption() {
        let body = r#"
            for argument; do case "$argument" in -Zdump-mir-dir=*) dump="${argument#-Zdump-mir-dir=}";; esac; done
            "$rustc" "$@" || exit
            if [ -n "$dump" ]; then rm -f "$dump"/*closure*.analysis.after.mir; fi
        "#;
        let source = format!("{PROVED}\npub fn open(player: &Player) -> u64 {{ (|| player.castle())() }}\n");
        let run = Project::with_locks("bodiless", &source).analyze_with_compiler(body);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let lost = "open::{closure#0}: created in open but the compiler wrote no MIR of it";
        assert!(run.stdout.contains(lost), "{}", run.stdout);
    }

    /// A compiler that ignores the variable is read all the same, and it is said what is missing.
    #[test]
    fn a_compiler_that_refuses_is_read_by_stable_options() {
        let body = r#"unset RUSTC_BOOTSTRAP; exec "$rustc" "$@""#;
        let refused = Project::with_locks("refused", PROVED).analyze_with_compiler(body);
        assert_eq!(refused.code, Some(0), "{}", refused.stderr);
        // A nightly compiler needs no permission.
        if refused.stderr.contains("note: this compiler refuses") {
            assert!(refused.stderr.contains("the option `Z` is only accepted"), "{}", refused.stderr);
            assert!(
                refused.stdout.contains("read in the form that stable options print"),
                "{}",
                refused.stdout
            );
        }
        assert!(
            refused.stdout.contains("board::pawn (exclusive) -> board::rook (exclusive)"),
            "{}",
            refused.stdout
        );
    }
}
