//! The same program in all that cargo can do with it: editions, toolchains, targets, build scripts, macros, tests.

use std::fs;
use std::process::Command;

use lockdep_analyzer::facts::{Facts, FactsError};
use lockdep_tests::analysis::{cargo_lockdep, root};

use crate::project::{PROVED, Project, Run, refuted};

const LIST: [&str; 2] = ["--format", "list"];

fn manifest(project: &Project) -> String {
    fs::read_to_string(project.path("Cargo.toml")).expect("just written")
}

/// The lock graph with its assumptions.
fn graph(run: Run) -> String {
    assert!(matches!(run.code, Some(0 | 1)), "{}", run.stderr);
    assert!(run.stdout.contains(" -> "), "{}", run.stdout);
    run.stdout
}

#[test]
fn editions_standard_library_profiles_and_targets_make_no_difference() {
    let project = Project::with_locks("surroundings", PROVED);
    let expected = graph(project.analyze(&LIST));
    let host = String::from_utf8(
        Command::new("rustc").args(["--print", "host-tuple"]).output().expect("rustc").stdout,
    );
    let host = host.expect("UTF-8");
    for more in [&["--release"][..], &["--target", host.trim()], &["--lib"]] {
        let run = project.analyze(&[&LIST[..], more].concat());
        assert_eq!(graph(run), expected, "{more:?}");
    }
    // Code that is read besides may have assumptions of its own.
    let nestings = |graph: &str| graph.split("assumptions: ").next().map(str::to_owned);
    let more = graph(project.analyze(&[&LIST[..], &["--include-dep", "spin"]].concat()));
    assert_eq!(nestings(&more), nestings(&expected));
    for edition in ["2018", "2021"] {
        let manifest = manifest(&project).replace("edition = \"2024\"", &format!("edition = \"{edition}\""));
        let project = Project::with_locks("older", PROVED).file("Cargo.toml", &manifest);
        assert_eq!(graph(project.analyze(&LIST)), expected, "{edition}");
    }
    let bare = Project::with_locks("bare", &format!("#![no_std]\n{PROVED}"));
    assert_eq!(graph(bare.analyze(&LIST)), expected);
    let installed =
        Command::new("rustc").args(["--print", "target-libdir", "--target", "x86_64-unknown-none"]).output();
    let directory = String::from_utf8(installed.expect("rustc starts").stdout).expect("UTF-8");
    if fs::exists(directory.trim()).expect("a path") {
        let run = bare.analyze(&[&LIST[..], &["--target", "x86_64-unknown-none"]].concat());
        assert_eq!(graph(run), expected);
    } else {
        println!("skipped: x86_64-unknown-none is not installed");
    }
}

/// With incremental compilation the compiler writes only what has changed.
#[test]
fn an_incremental_build_is_read_as_a_whole() {
    let project = Project::with_locks("incremental", PROVED);
    let manifest = format!("{}\n[profile.dev]\nincremental = true\n", manifest(&project));
    let project = project.file("Cargo.toml", &manifest);
    let analyze = |project: &Project| -> Run {
        project.analysis(&LIST).env("CARGO_INCREMENTAL", "1").output().expect("the command starts").into()
    };
    let before = graph(analyze(&project));
    let project = project.file("src/lib.rs", &format!("{PROVED}\npub fn added() {{}}\n"));
    assert_eq!(graph(analyze(&project)), before);
    let project = project.file("src/lib.rs", &refuted());
    assert_eq!(analyze(&project).code, Some(1));
}

/// What is compiled with `cfg(test)`, and beside the library, is read when it is asked for.
#[test]
fn tests_are_read_when_they_are_asked_for() {
    let inside = "#[cfg(test)] mod tests { #[test] fn back() {} \
                  pub fn turn(p: &super::Player) -> u64 { let r = p.rook.lock(); *r + *p.pawn.lock() } }";
    let project = Project::with_locks("tested", &format!("{PROVED}\n{inside}\n"));
    assert_eq!(project.analyze(&["--lib"]).code, Some(0));
    let with = project.analyze(&["--tests"]);
    assert_eq!(with.code, Some(1), "{}", with.stderr);
    assert!(with.stdout.contains("tests::turn"), "{}", with.stdout);
    // The harness is a crate of its own, wherever rustc names it.
    assert!(!with.stdout.contains("assert_test_result"), "{}", with.stdout);
}

/// A closure that a macro of another file makes is shown where the macro is used.
#[test]
fn closures_of_macros_are_shown_where_they_are_used() {
    let elsewhere = "macro_rules! also { ($player:expr, $more:expr) => {{
        let code = || {
            let pawn = $player.pawn.lock();
            let inner = || *pawn + $more;
            inner()
        };
        code()
    }} }
    pub(crate) use also;";
    let used = "mod elsewhere; impl Player { pub fn promote(&self) -> u64 {
        let rook = self.rook.lock();
        elsewhere::also!(self, *rook)
    } }";
    let project =
        Project::with_locks("elsewhere", &format!("{PROVED}\n{used}\n")).file("src/elsewhere.rs", elsewhere);
    let run = project.analyze(&[]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stdout.contains("promote::{closure#0}"), "{}", run.stdout);
    assert!(!run.stdout.contains("elsewhere.rs"), "{}", run.stdout);
}

/// A build script that probes, through every wrapper that cargo tells it of, gets the answers of the compiler itself;
/// and a procedural macro works as ever, and is not read.
#[test]
fn probes_and_macros_are_left_alone() {
    let script = r##"
        use std::process::Command;
        fn main() {
            let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            let dir = variable("OUT_DIR").unwrap();
            let (rustc, file) = (variable("RUSTC").unwrap(), format!("{dir}/probe.rs"));
            std::fs::write(&file, "#![feature(never_type)] pub fn f(_: !) {}").unwrap();
            let probe = |programs: Vec<String>| {
                let mut command = Command::new(&programs[0]);
                command.args(&programs[1..]).args(["--crate-name=probe", "--crate-type=lib", "--emit=metadata"]);
                command.args(["--out-dir", &dir, &file]).output().unwrap().status.success()
            };
            let wrappers = ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"].map(variable);
            assert!(wrappers.iter().all(Option::is_some), "{wrappers:?}");
            let all = wrappers.into_iter().flatten().chain([rustc.clone()]).collect();
            assert_eq!(probe(all), probe(vec![rustc]), "a different program is compiled");
            println!("cargo::rustc-cfg=probed");
        }
    "##;
    let macros = Project::library(
        "a-macro",
        "extern crate proc_macro; use proc_macro::TokenStream;\n\
         #[proc_macro] pub fn squares(_: TokenStream) -> TokenStream { \"64\".parse().unwrap() }",
    );
    let with_macro = fs::read_to_string(macros.path("Cargo.toml")).expect("just written");
    drop(
        macros
            .file("Cargo.toml", &with_macro.replace("[workspace]", "[workspace]\n[lib]\nproc-macro = true")),
    );
    let source = format!(
        "{PROVED}\n#[cfg(probed)] pub const SQUARES: u32 = a_macro::squares!();\npub use SQUARES as _;"
    );
    let project = Project::with_locks("probed", &source).file("build.rs", script);
    let manifest = format!("{}a-macro = {{ path = \"../a-macro\" }}\n", manifest(&project));
    let project = project.file("Cargo.toml", &manifest);
    let run = project.analyze(&["--include-dep", "spin"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let all = project.analyze(&["--include-dep", "all"]);
    assert_eq!(all.code, Some(0), "{}", all.stderr);
    assert!(!all.stderr.contains("Analyzing a-macro"), "{}", all.stderr);
    assert!(project.analyze(&["--include-dep", "a-macro"]).stderr.contains("error: no dependency `a-macro`"));
}

/// The toolchains of rustup by name; none without rustup.
fn has_nightly() -> bool {
    let listed = Command::new("rustup").args(["toolchain", "list"]).output();
    listed.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("nightly"))
}

/// The command as rustup starts it for a toolchain, or for what a file of the project says.
fn with_toolchain(mut command: Command, toolchain: Option<&str>) -> Run {
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTC");
    command.envs(toolchain.map(|toolchain| ("RUSTUP_TOOLCHAIN", toolchain)));
    command.output().expect("the command starts").into()
}

#[test]
fn stable_and_nightly_see_the_same_graph() {
    if !has_nightly() {
        println!("skipped: no nightly toolchain is installed");
        return;
    }
    let project = Project::with_locks("nightly", &format!("{PROVED}\n{}", include_str!("torture.rs")));
    let hypervisor = || {
        let mut command = cargo_lockdep();
        command.args(["analyze", "--offline", "-p", "hv-core"]).args(LIST).current_dir(root());
        command
    };
    for command in [&|| project.analysis(&LIST) as Command, &hypervisor as &dyn Fn() -> Command] {
        let nightly = with_toolchain(command(), Some("nightly"));
        assert_eq!(graph(nightly), graph(with_toolchain(command(), Some("stable"))));
    }
    // A toolchain that the project names is the one that is used.
    let project = project.file("rust-toolchain.toml", "[toolchain]\nchannel = \"nightly\"\n");
    let named = with_toolchain(project.analysis(&LIST), None);
    graph(named);
    let facts = Project::facts("nightly");
    let rustc = |file| {
        let bytes = fs::read(file).expect("a file");
        match Facts::decode(&bytes) {
            // One of an older version of the tool is left from before.
            Err(FactsError::Format { .. }) => None,
            facts => Some(facts.expect("facts").header.rustc_release().to_owned()),
        }
    };
    assert!(facts.iter().filter_map(rustc).any(|release| release.ends_with("-nightly")));
}
