//! `cargo lockdep verify` and `replay`: the proof of a program, or its deadlock, written by `analyze`, from two files.
//!
//! What the checker accepts and refuses is tested where it is (`proof_files.rs` of the analyzer), and so is the replay
//! (`replay.rs` there); here it is the commands and real graphs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use lockdep_tests::analysis::{cargo_lockdep, root};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Analyzes a package below `directory` and has it write both files, none of which is there before.
fn analyze(directory: &str, package: &str) -> (Output, PathBuf, PathBuf) {
    let [certificate, graph] = ["certificate", "graph"].map(|kind| file(&format!("{package}-{kind}.json")));
    for old in [&certificate, &graph] {
        drop(fs::remove_file(old));
    }
    let mut command = cargo_lockdep();
    command.current_dir(root().join(directory)).args(["analyze", "--offline", "-p", package]);
    command.arg("--certificate").arg(&certificate).arg("--graph").arg(&graph);
    (command.output().expect("the command starts"), certificate, graph)
}

fn verify(certificate: &Path, graph: &Path) -> (Option<i32>, String, String) {
    let output =
        cargo_lockdep().arg("verify").args([certificate, graph]).output().expect("the command starts");
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
    (output.status.code(), stdout, stderr)
}

#[test]
fn the_proof_of_a_program_is_verified() {
    let (output, certificate, graph) = analyze("tests/fixtures", "ordered-caller");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let verified = "verified: no circular wait among 2 nestings of 2 classes\n";
    assert_eq!(verify(&certificate, &graph), (Some(0), verified.to_owned(), String::new()));

    let good = fs::read_to_string(&certificate).expect("a certificate");
    let spoilt = file("spoilt.json");
    fs::write(&spoilt, good.replace("\"up\"", "\"down\"")).expect("a writable file");
    let refused =
        "error: not verified: certificate does not cover `mm::paging` -> `mm::p2m` (Up): from layer ";
    let (code, stdout, stderr) = verify(&spoilt, &graph);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.starts_with(refused), "{stderr}");

    fs::write(&spoilt, &good[..good.len() / 2]).expect("a writable file");
    let (code, stdout, stderr) = verify(&spoilt, &graph);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.starts_with("error: not verified: not a certificate file: EOF"), "{stderr}");

    let (code, stdout, stderr) = verify(&certificate, Path::new("no/such/graph.json"));
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.starts_with("error: cannot read `no/such/graph.json`: "), "{stderr}");
}

/// `two-tiers` declares a bound, `any-tiers` is the same without.
#[test]
fn a_proof_that_rests_on_a_bound_says_so() {
    let (output, certificate, graph) = analyze("tests/fixtures", "two-tiers");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(said.contains("\ntiers of domains: 2 at most, on which the proof rests\n"), "{said}");
    assert!(said.contains("\n  tiers: 1\n    no chain of `controls` has more than 2 domains"), "{said}");
    let verified =
        "verified: no circular wait among 4 nestings of 4 classes, with 2 tiers of domains at most\n";
    assert_eq!(verify(&certificate, &graph), (Some(0), verified.to_owned(), String::new()));

    let (_, missing, deeper) = analyze("tests/fixtures", "any-tiers");
    assert!(!missing.exists());
    let (code, _, stderr) = verify(&certificate, &deeper);
    let refused =
        "error: not verified: certificate for 2 tiers of domains, and the graph may have any number\n";
    assert_eq!((code, stderr.as_str()), (Some(1), refused));
    let searched = |domains: &str| {
        let mut command = cargo_lockdep();
        command.arg("verify").args([&certificate, &graph]).args(["--domains", domains]);
        let output = command.output().expect("the command starts");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let none = format!("{verified}searched: none in 10 hierarchies of up to 3 domains\n");
    assert_eq!(searched("3"), (Some(0), none));
    assert_eq!(searched("6"), (Some(2), String::new()));

    let settings = file("tiers.toml");
    let told = |option: &str, value: &Path| {
        let mut command = cargo_lockdep();
        command.current_dir(root().join("tests/fixtures"));
        command.args(["analyze", "--offline", "-q", "-p", "any-tiers", option]).arg(value);
        command.output().expect("the command starts").status.code()
    };
    for (tiers, code) in [("2", 0), ("3", 1), ("0", 2)] {
        assert_eq!(told("--tiers", Path::new(tiers)), Some(code), "{tiers}");
        fs::write(&settings, format!("[analyze]\ntiers = {tiers}\n")).expect("a writable file");
        assert_eq!(told("--config", &settings), Some(code), "{tiers} in a file");
    }
}

#[test]
fn a_proof_of_one_program_is_none_of_another() {
    let (_, certificate, _) = analyze("tests/fixtures", "one-way-target");
    let (output, none, graph) = analyze("tests/fixtures", "mutual-targets");
    assert_eq!(output.status.code(), Some(1));
    assert!(!none.exists(), "a certificate without a proof");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(said.contains("note: there is no proof, so `"), "{said}");
    let (code, _, stderr) = verify(&certificate, &graph);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("does not place class `mutual_targets::Domain.3`"), "{stderr}");
}

#[test]
fn the_same_files_on_every_run() {
    let contents = || {
        let (_, certificate, graph) = analyze("tests/fixtures", "unshare-before-altp2m");
        [certificate, graph].map(|path| fs::read_to_string(path).expect("a file"))
    };
    let first = contents();
    assert_eq!(first, contents());
    for text in first {
        assert!(!text.contains(".rs"), "no places in the code: {text}");
    }
}

/// Analyzes a fixture and has it write its schedules and its graph.
fn refute(package: &str) -> (Output, PathBuf, PathBuf) {
    let [witness, graph] = ["witness", "locks"].map(|kind| file(&format!("{package}-{kind}.json")));
    for old in [&witness, &graph] {
        drop(fs::remove_file(old));
    }
    let mut command = cargo_lockdep();
    command.current_dir(root().join("tests/fixtures")).args(["analyze", "--offline", "-p", package]);
    command.arg("--witness").arg(&witness).arg("--graph").arg(&graph);
    (command.output().expect("the command starts"), witness, graph)
}

fn replay(witness: &Path, graph: &Path) -> (Option<i32>, String, String) {
    let output = cargo_lockdep().arg("replay").args([witness, graph]).output().expect("the command starts");
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
    (output.status.code(), stdout, stderr)
}

#[test]
fn the_deadlocks_of_the_fixtures_are_replayed_by_the_command() {
    for (package, cpus) in [
        ("altp2m-before-host", 2),
        ("any-tiers", 4),
        ("lookup-under-paging", 2),
        ("mutual-targets", 4),
        ("unordered-caller", 4),
    ] {
        let (output, witness, graph) = refute(package);
        assert_eq!(output.status.code(), Some(1), "{package}");
        let (code, stdout, stderr) = replay(&witness, &graph);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{package}");
        assert!(
            stdout.starts_with(&format!("schedule 1: {cpus} threads on stand-ins for {cpus} locks\n")),
            "{stdout}"
        );
        let end = "replayed: 1 schedule ends in a circular wait; none of the program's code was run\n";
        assert!(stdout.ends_with(end), "{stdout}");
        assert_eq!(replay(&witness, &graph).1, stdout, "the same on every run");
    }
}

#[test]
fn a_witness_that_does_not_fit_is_not_replayed() {
    for package in ["unshare-under-altp2m", "two-tiers"] {
        let (output, none, _) = refute(package);
        assert!(!none.exists(), "{package} has no deadlock");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(said.contains("note: there is no deadlock with a schedule, so `"), "{said}");
    }
    let (_, witness, graph) = refute("any-tiers");
    let (_, _, bounded) = refute("two-tiers");
    let refused = |witness: &Path, graph: &Path| {
        let (code, stdout, stderr) = replay(witness, graph);
        assert_eq!(stdout, "");
        (code, stderr)
    };
    let deep =
        "error: not replayed: schedule 1: 3 domains control each other in a chain, and the graph allows 2\n";
    assert_eq!(refused(&witness, &bounded), (Some(1), deep.to_owned()));
    let text = fs::read_to_string(&witness).expect("a witness");
    let spoilt = file("spoilt-witness.json");
    fs::write(&spoilt, text.replacen("\"relation\": \"Up\"", "\"relation\": \"Down\"", 1))
        .expect("a writable file");
    let unknown = "error: not replayed: schedule 1: CPU 2 makes a nesting that the graph does not have\n";
    assert_eq!(refused(&spoilt, &graph), (Some(1), unknown.to_owned()));
    let (code, stderr) = refused(Path::new("no/such/witness.json"), &graph);
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("error: cannot read `no/such/witness.json`: "), "{stderr}");
}
