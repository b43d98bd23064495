//! `cargo lockdep verify`: the proof of a program, written by `analyze`, checked again from its two files.
//!
//! What the checker accepts and refuses is tested where it is (`proof_files.rs` of the analyzer); here it is the
//! command and real graphs.

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

    let (_, none, deeper) = analyze("tests/fixtures", "any-tiers");
    assert!(!none.exists());
    let (code, _, stderr) = verify(&certificate, &deeper);
    let refused =
        "error: not verified: certificate for 2 tiers of domains, and the graph may have any number\n";
    assert_eq!((code, stderr.as_str()), (Some(1), refused));
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
