//! The command line as a user meets it: help, exit codes, streams, the cache, and what it says to bad input.
//!
//! What findings look like is not tested here (`analyzer.rs`), only that they get out.

#[path = "cli/project.rs"]
mod project;

use std::fs;

use project::{PROVED, Project, lockdep, refuted, run};

#[test]
fn help_of_every_subcommand() {
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("help-short", &["-h"]),
        ("help-analyze", &["analyze", "--help"]),
        ("help-analyze-short", &["analyze", "-h"]),
        ("help-explain", &["explain", "--help"]),
        ("help-list", &["list", "--help"]),
        ("help-verify", &["verify", "--help"]),
        ("help-replay", &["replay", "--help"]),
    ] {
        let run = run(arguments);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        insta::assert_snapshot!(name, run.stdout);
    }
    assert_eq!(run(&["--version"]).stdout, concat!("cargo-lockdep ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn wrong_arguments_are_usage_errors() {
    for (arguments, hint) in [
        (&[][..], "Usage: cargo lockdep"),
        (&["analyse"], "a similar subcommand exists: 'analyze'"),
        (&["analyze", "--format", "xml"], "[possible values: text, json, dot"),
        (&["analyze", "--discipline", "flat-earth"], "[possible values: hierarchy, flat, "),
        (&["analyze", "-q", "-v"], "cannot be used with"),
        (&["explain"], "<CODE>"),
    ] {
        let run = run(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(run.stderr.contains(hint), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn every_code_is_listed_and_explained() {
    let list = run(&["list"]);
    assert_eq!((list.code, list.stderr.as_str()), (Some(0), ""));
    for code in lockdep_analyzer::finding::Code::ALL {
        assert!(list.stdout.lines().any(|line| line.starts_with(code.id())), "{}", code.id());
        let explained = run(&["explain", code.id()]);
        assert_eq!(explained.code, Some(0));
        assert!(explained.stdout.contains(code.explanation()), "{}", code.id());
    }
    let unknown = run(&["explain", "lock-order-cycel"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(2), ""));
    assert!(unknown.stderr.contains("did you mean `lock-order-cycle`?"), "{}", unknown.stderr);
    assert!(unknown.stderr.contains(list.stdout.trim_end()), "{}", unknown.stderr);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = lockdep(&["list"]).stdout(writer).output().expect("the command starts");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_proof_is_repeated_from_the_facts_byte_for_byte() {
    let project = Project::with_locks("proved", PROVED);
    let forget =
        || Project::facts("proved").iter().for_each(|file| fs::remove_file(file).expect("a removable file"));
    // Other compilers have left theirs.
    forget();
    let first = project.analyze(&[]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(first.stdout.contains("verdict: proved"), "{}", first.stdout);
    assert!(first.stderr.contains("    Checking proved v0.1.0"), "{}", first.stderr);
    assert!(first.stderr.contains("   Analyzing proved v0.1.0 (lib)\n"), "{}", first.stderr);
    for text in [env!("CARGO_MANIFEST_DIR"), env!("CARGO_TARGET_TMPDIR")] {
        assert!(!first.stdout.contains(text), "{}", first.stdout);
    }
    let facts =
        || Project::facts("proved").iter().map(|file| fs::read(file).expect("a file")).collect::<Vec<_>>();
    let extracted = facts();
    assert_eq!(extracted.len(), 1);

    let second = project.analyze(&[]);
    assert_eq!((second.code, &second.stdout), (Some(0), &first.stdout));
    assert!(!second.stderr.contains("Checking proved"), "{}", second.stderr);
    let quiet = project.analyze(&["-q"]);
    assert_eq!((quiet.code, &quiet.stdout, quiet.stderr.as_str()), (Some(0), &first.stdout, ""));

    // The same source, read anew.
    let anew = Project::with_locks("proved", PROVED).analyze(&[]);
    assert!(anew.stderr.contains("Checking proved"), "{}", anew.stderr);
    assert_eq!(anew.stdout, first.stdout);
    assert!(facts() == extracted, "facts differ between two readings of one source");

    for damage in
        [&[][..], b"LDFACTS\n", b"LDFACTS\n\xff\0\0\0", &extracted[0][..extracted[0].len() - 1], b"junk"]
    {
        for file in Project::facts("proved") {
            fs::write(file, damage).expect("a writable file");
        }
        let mended = project.analyze(&[]);
        assert!(mended.stderr.contains("Checking proved"), "{}", mended.stderr);
        assert_eq!((mended.code, &mended.stdout), (Some(0), &first.stdout));
    }
    forget();
    assert_eq!(project.analyze(&[]).stdout, first.stdout);
}

/// Facts are linked again where anything has changed that the graph is made from, and else the graph is judged again.
#[test]
fn nothing_is_linked_twice() {
    let statics =
        "use std::sync::Mutex; static A: Mutex<u8> = Mutex::new(0); static B: Mutex<u8> = Mutex::new(0);";
    let there =
        format!("{statics} pub fn there() {{ let a = A.lock().unwrap(); drop((B.lock().unwrap(), a)); }}");
    let back = "pub fn back() { let b = B.lock().unwrap(); drop((A.lock().unwrap(), b)); }";
    let project = Project::library("linked-once", &there);
    let kept = || Project::artifacts(|path| path.parent().is_some_and(|at| at.ends_with("linked")));
    kept().iter().for_each(|file| fs::remove_file(file).expect("a removable file"));
    let run = |project: &Project, arguments: &[&str], links: bool| {
        let run = project.analyze(arguments);
        assert_eq!(
            run.stderr.contains("     Linking 1 facts file\n"),
            links,
            "{arguments:?}: {}",
            run.stderr
        );
        run.stdout
    };
    let proved = run(&project, &[], true);
    assert!(proved.contains("verdict: proved"), "{proved}");
    assert_eq!(run(&project, &[], false), proved);
    run(&project, &["--callbacks"], true);
    run(&project, &["--refcell"], true);
    assert_eq!(run(&project, &[], true), proved);
    assert!(run(&project, &["--discipline", "flat"], false).contains("discipline: flat"));

    let project = project.file("lockdep.toml", "[functions]\nforget = [\"linked_once::forget\"]\n");
    assert!(run(&project, &[], true).contains("described-code"));
    fs::remove_file(project.path("lockdep.toml")).expect("a removable file");
    assert_eq!(run(&project, &[], true), proved);

    for file in kept() {
        let mut graph = fs::read(&file).expect("a file");
        let end = graph.len() - 1;
        graph[end] ^= 1;
        fs::write(file, graph).expect("a writable file");
    }
    assert_eq!(run(&project, &[], true), proved);

    let project = project.file("src/lib.rs", &format!("{there} {back}"));
    assert!(run(&project, &[], true).contains("verdict: refuted"));
}

/// Who is called through a trait object is possible and not certain.
#[test]
fn possible_findings_alone_leave_it_undecided() {
    let source = include_str!("cli/possible.rs");
    let project = Project::library("undecided", source);
    let undecided = project.analyze(&["-q"]);
    assert_eq!(undecided.code, Some(1), "{}", undecided.stderr);
    assert!(undecided.stdout.contains("\npossible: "), "{}", undecided.stdout);
    assert!(undecided.stdout.contains("warning[recursion]"), "{}", undecided.stdout);
    assert!(undecided.stdout.ends_with("verdict: undecided (1 possible finding)\n"), "{}", undecided.stdout);
    let allowed = project.analyze(&["-q", "--allow-possible"]);
    assert_eq!((allowed.code, allowed.stdout), (Some(0), undecided.stdout));
    let certain = Project::with_locks("certain", &refuted()).analyze(&["-q", "--allow-possible"]);
    assert_eq!(certain.code, Some(1), "{}", certain.stderr);
}

/// One target of many is analyzed as cargo would check it: with the library, and without its neighbours.
#[test]
fn a_target_is_selected_by_its_name() {
    let statics =
        "use std::sync::Mutex; static A: Mutex<u8> = Mutex::new(0); static B: Mutex<u8> = Mutex::new(0);";
    let good = format!("{statics} fn main() {{ let a = A.lock().unwrap(); drop((B.lock().unwrap(), a)); }}");
    let bad = format!("{good} pub fn back() {{ let b = B.lock().unwrap(); drop((A.lock().unwrap(), b)); }}");
    let project = Project::library("targets", "")
        .file("src/bin/good.rs", &good)
        .file("src/bin/bad.rs", &bad)
        .file("examples/shown.rs", &bad)
        .file("tests/tested.rs", &bad)
        .file("benches/measured.rs", &bad);
    for (arguments, code, seen) in [
        (["--bin", "good"], 0, "good"),
        (["--bin", "bad"], 1, "bad"),
        (["--example", "shown"], 1, "shown"),
        (["--test", "tested"], 1, "tested"),
        (["--bench", "measured"], 1, "measured"),
        (["--examples", "-q"], 1, "shown"),
    ] {
        let run = project.analyze(&arguments);
        assert_eq!(run.code, Some(code), "{arguments:?}: {}", run.stderr);
        assert!(
            run.stdout.contains(&format!("{seen}::A (exclusive) -> {seen}::B")),
            "{arguments:?}: {}",
            run.stdout
        );
        assert!(run.stdout.matches("::A  ").count() == 1, "{arguments:?}: {}", run.stdout);
    }
    // What `cargo bench` compiles are the binaries, too.
    let benches = project.analyze(&["--benches"]);
    assert!(benches.stdout.contains("measured::A (exclusive) -> measured::B"), "{}", benches.stdout);
    let unknown = project.analyze(&["--bin", "godo"]);
    assert_eq!(unknown.code, Some(101), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("no bin target named `godo`"), "{}", unknown.stderr);
}

#[test]
fn every_format_and_discipline_gets_out() {
    let project = Project::with_locks("refuted", &refuted());
    let text = project.analyze(&[]);
    assert_eq!(text.code, Some(1), "{}", text.stderr);
    assert!(text.stdout.contains("error[lock-order-cycle]"), "{}", text.stdout);
    assert!(text.stdout.contains("src/lib.rs:"), "{}", text.stdout);
    assert!(!text.stdout.contains('\u{1b}'), "colours in a pipe");
    assert!(project.analyze(&["--color", "always"]).stdout.contains('\u{1b}'));
    let json = project.analyze(&["--format", "json"]);
    assert_eq!(json.code, Some(1));
    serde_json::from_str::<serde_json::Value>(&json.stdout).expect("JSON");
    assert!(project.analyze(&["--format", "dot"]).stdout.starts_with("digraph"));
    assert!(!project.analyze(&["--format", "list"]).stdout.is_empty());
    assert!(project.analyze(&["--format", "sequence"]).stdout.contains("\nCPU 0   CPU 1\nhold"));
    assert!(project.analyze(&["--format", "smt"]).stdout.ends_with("(check-sat)\n"));
    for discipline in lockdep::order::Discipline::ALL {
        let judged = project.analyze(&["--discipline", discipline.name]);
        assert_eq!(judged.code, Some(1), "{}: {}", discipline.name, judged.stdout);
    }

    let file = project.path("report.txt");
    let written = project.analyze(&["--output", file.to_str().expect("UTF-8")]);
    assert_eq!((written.code, written.stdout.as_str()), (Some(1), ""));
    assert_eq!(fs::read_to_string(file).expect("a report"), text.stdout);
    let unwritable = project.analyze(&["--output", "no/such/directory/report.txt"]);
    assert_eq!((unwritable.code, unwritable.stdout.as_str()), (Some(101), ""));
    assert!(unwritable.stderr.contains("`no/such/directory/report.txt`"), "{}", unwritable.stderr);
}

#[test]
fn what_cargo_refuses_cargo_explains() {
    let broken = Project::library("broken", "pub fn f() -> u8 { \"no\" }").analyze(&[]);
    assert_eq!((broken.code, broken.stdout.as_str()), (Some(101), ""));
    assert!(broken.stderr.contains("error[E0308]: mismatched types"), "{}", broken.stderr);
    assert!(
        broken.stderr.ends_with("could not compile `broken` (lib) due to 1 previous error\n"),
        "{}",
        broken.stderr
    );

    let unknown = Project::library("known", "").analyze(&["-p", "nosuch"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(101), ""));
    assert!(unknown.stderr.contains("package ID specification `nosuch` did not match"), "{}", unknown.stderr);

    let nowhere = lockdep(&["analyze"]).current_dir("/").output().expect("the command starts");
    assert_eq!((nowhere.status.code(), nowhere.stdout.as_slice()), (Some(101), &b""[..]));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("could not find `Cargo.toml`"));
}

#[test]
fn nothing_to_prove_is_not_proved() {
    let member = |name: &str, more: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{more}")
    };
    let project = Project::new("without-locks")
        .file("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"knight\", \"knave\", \"bishop\"]\n")
        .file("knight/Cargo.toml", &member("knight", "[dependencies]\nknave = { path = \"../knave\" }\n"))
        .file("knight/src/lib.rs", "pub use knave::ride;")
        .file("knight/src/main.rs", "fn main() {}")
        .file("knight/tests/ride.rs", "#[test] fn ride() {}")
        .file("knave/Cargo.toml", &member("knave", ""))
        .file("knave/src/lib.rs", "pub fn ride() {}")
        .file("bishop/Cargo.toml", &member("bishop", "[lib]\nproc-macro = true\n"))
        .file("bishop/src/lib.rs", "");
    let looked_at = |arguments: &[&str], packages: &str| {
        let run = project.analyze(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", run.stderr);
        let message = format!("error: nothing to prove: no lock is acquired in {packages}\n");
        assert!(run.stderr.contains(&message), "{arguments:?}: {}", run.stderr);
        assert!(!run.stderr.contains("proved"), "{}", run.stderr);
        run.stderr
    };
    let one = looked_at(&["-p", "knight"], "knight v0.1.0");
    assert!(
        one.contains("   Analyzing knight v0.1.0 (lib, bin knight)\n     Linking 2 facts files\n"),
        "{one}"
    );
    assert!(one.contains("`lockdep::lock_order!`"), "{one}");
    // Fresh, and compiled without being read: a dependency of what was selected before.
    looked_at(&["-p", "knave"], "knave v0.1.0");
    looked_at(&[], "knave v0.1.0, knight v0.1.0");
    looked_at(&["-p", "kn*"], "knave v0.1.0, knight v0.1.0");
    looked_at(&["--workspace", "--exclude", "knave"], "knight v0.1.0");
    looked_at(&["--manifest-path", "knave/Cargo.toml"], "knave v0.1.0");
    let targets = looked_at(&["-p", "knight", "--all-targets"], "knight v0.1.0");
    assert!(targets.contains("(lib, lib test, bin knight, bin knight test, test ride)"), "{targets}");

    let inside = project.analyze(&["-p", "bishop"]);
    assert_eq!((inside.code, inside.stdout.as_str()), (Some(2), ""));
    assert!(inside.stderr.contains("no library, binary or other program"), "{}", inside.stderr);
}

#[test]
fn configured_wrappers_do_not_come_between() {
    let config = "[build]\nrustc-wrapper = \"/nonexistent\"\nrustc-workspace-wrapper = \"/nonexistent\"\n";
    // A dependency of nobody else: other tests count on theirs not being compiled again.
    let _dependency = Project::library("wrapped-too", "");
    let project = Project::library("wrapped", "").file(".cargo/config.toml", config);
    let manifest = fs::read_to_string(project.path("Cargo.toml")).expect("just written");
    let project =
        project.file("Cargo.toml", &format!("{manifest}wrapped-too = {{ path = \"../wrapped-too\" }}\n"));
    for arguments in [&[][..], &["--include-dep", "wrapped-too"]] {
        let mut command = project.analysis(arguments);
        command.env("RUSTC_WRAPPER", "/nonexistent").env("RUSTC_WORKSPACE_WRAPPER", "/nonexistent");
        for run in [project.analyze(arguments), command.output().expect("the command starts").into()] {
            let message = "nothing to prove: no lock is acquired in ";
            assert!(run.stderr.contains(message), "{arguments:?}: {}", run.stderr);
        }
    }
}

/// A build script that asks what the compiler can do gets the answer that it would get without us.
#[test]
fn probes_of_build_scripts_are_left_alone() {
    let script = r##"
        use std::process::Command;
        fn main() {
            let dir = std::env::var("OUT_DIR").unwrap();
            let (rustc, file) = (std::env::var("RUSTC").unwrap(), format!("{dir}/probe.rs"));
            std::fs::write(&file, "#![feature(never_type)] pub fn f(_: !) {}").unwrap();
            let probe = |program: &str, more: &[&str]| {
                let mut command = Command::new(program);
                command.args(more).args(["--crate-name=probe", "--crate-type=lib", "--emit=metadata"]);
                command.args(["--out-dir", &dir, &file]).output().unwrap().status.success()
            };
            let wrapper = std::env::var("RUSTC_WORKSPACE_WRAPPER").unwrap();
            assert_eq!(probe(&wrapper, &[&rustc]), probe(&rustc, &[]), "a different program is compiled");
        }
    "##;
    let run = Project::library("probing", "").file("build.rs", script).analyze(&[]);
    assert!(run.stderr.contains("no lock is acquired in probing"), "{}", run.stderr);
}

#[cfg(unix)]
mod compilers {
    use super::*;

    #[test]
    fn unreadable_mir_is_an_assumption() {
        let body = r#"
            for argument; do case "$argument" in -Zdump-mir-dir=*) dump="${argument#-Zdump-mir-dir=}";; esac; done
            "$rustc" "$@" || exit
            if [ -n "$dump" ]; then
                for file in "$dump"/*castle*.analysis.after.mir; do
                    sed -i 's/^    bb0: {/    bb0: {\n        hocus pocus;/' "$file"
                done
            fi
        "#;
        let run = Project::with_locks("unreadable", PROVED).analyze_with_compiler(body);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(run.stdout.contains("verdict: proved under"), "{}", run.stdout);
        assert!(run.stdout.contains("castle"), "{}", run.stdout);
        assert!(run.stdout.contains("hocus pocus"), "{}", run.stdout);
    }

    #[test]
    fn a_compiler_that_is_not_there_is_named() {
        let project = Project::library("without-compiler", "");
        let missing: project::Run =
            project.analysis(&[]).env("RUSTC", "/no/rustc").output().expect("the command starts").into();
        assert_eq!((missing.code, missing.stdout.as_str()), (Some(101), ""));
        assert!(missing.stderr.contains("cannot run `/no/rustc`"), "{}", missing.stderr);
    }

    #[test]
    fn an_untested_compiler_is_mentioned() {
        let body = r#"
            if [ "$1" = -vV ]; then "$rustc" -vV | sed 's/^release: .*/release: 1.94.7/'; else exec "$rustc" "$@"; fi
        "#;
        let run = Project::library("untested", "").analyze_with_compiler(body);
        let note = "note: rustc 1.94.7 has not been tested with this version; everything was understood\n";
        assert!(run.stderr.contains(note), "{}", run.stderr);
    }
}
