//! Every program below `tests/fixtures/`, against the expectation drawn in its source.
//!
//! `//@ verdict: proved|refuted` and, for a refutation by a schedule, `//@ cpus: N` stand at the top. `//~ CODE` marks
//! each line that acquires a lock of a finding, held and wanted sides alike, so both chains are pinned by their ends;
//! the report itself is the golden. A program without a verdict fails, and so does a mark without a finding or a finding
//! without a mark. What a mark means is decided by the analyzer's report alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Output;

use lockdep_tests::analysis::{cargo_lockdep, root};
use serde_json::Value;

/// A line and what is expected to be found on it.
type Mark = (u64, String);

struct Fixture {
    name: String,
    verdict: String,
    cpus: Option<usize>,
    marks: BTreeSet<Mark>,
}

fn directory() -> PathBuf {
    root().join("tests/fixtures")
}

fn fixtures() -> Vec<Fixture> {
    let mut found: Vec<Fixture> = fs::read_dir(directory())
        .expect("the fixtures are there")
        .filter_map(|entry| {
            let entry = entry.expect("a readable directory");
            let source = fs::read_to_string(entry.path().join("src/lib.rs")).ok()?;
            Some(read(entry.file_name().into_string().expect("an ASCII name"), &source))
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn read(name: String, source: &str) -> Fixture {
    let directive = |key: &str| {
        let start = format!("//@ {key}: ");
        source.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
    };
    let marks = (1..)
        .zip(source.lines())
        .filter_map(|(line, text)| Some((line, text.split_once("//~ ")?.1)))
        .flat_map(|(line, codes)| codes.split(',').map(move |code| (line, code.trim().to_owned())))
        .collect();
    Fixture {
        verdict: directive("verdict").unwrap_or_else(|| panic!("{name} has no `//@ verdict:`")),
        cpus: directive("cpus").map(|n| n.parse().expect("a number of CPUs")),
        marks,
        name,
    }
}

fn analyze(name: &str, format: &str) -> Output {
    let mut command = cargo_lockdep();
    command.current_dir(directory()).args(["analyze", "--offline", "-q", "-p", name, "--format", format]);
    command.output().expect("the command starts")
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("reports are UTF-8")
}

/// Both ends of every nesting of every finding.
fn reported(report: &Value) -> BTreeSet<Mark> {
    let empty = Vec::new();
    let list = |value: &Value| value.as_array().unwrap_or(&empty).clone();
    let mut marks = BTreeSet::new();
    for finding in list(&report["findings"]) {
        let code = finding["code"].as_str().expect("a code").to_owned();
        for nesting in list(&finding["nestings"]) {
            for chain in ["held_chain", "wanted_chain"] {
                let end = list(&nesting[chain]).pop().expect("a chain has an end");
                marks.insert((end["span"]["line"].as_u64().expect("a line"), code.clone()));
            }
        }
    }
    marks
}

#[test]
fn every_fixture_is_judged_as_drawn() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 10, "some fixtures are missing");
    for fixture in &fixtures {
        let name = &fixture.name;
        let output = analyze(name, "json");
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{name}: {}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(report["verdict"]["verdict"], fixture.verdict.as_str(), "{name}");
        assert_eq!(output.status.code(), Some(i32::from(fixture.verdict == "refuted")), "{name}");
        assert_eq!(reported(&report), fixture.marks, "{name}: reported lines and marks differ");
        let cpus = report["findings"][0]["witness"]["cpus"].as_array().map(Vec::len);
        assert_eq!(cpus, fixture.cpus, "{name}: CPUs in the schedule");
    }
}

#[test]
fn every_refuted_fixture_has_a_proved_twin() {
    let fixtures = fixtures();
    let [proved, refuted] =
        ["proved", "refuted"].map(|verdict| fixtures.iter().filter(|f| f.verdict == verdict).count());
    assert_eq!(proved, refuted);
}

#[test]
fn reports_of_the_fixtures() {
    for fixture in fixtures() {
        insta::assert_snapshot!(fixture.name.clone(), text(&analyze(&fixture.name, "text")));
    }
}

#[test]
fn the_lock_graph_of_hv_core() {
    let mut command = cargo_lockdep();
    command.args(["analyze", "--offline", "-q", "-p", "hv-core", "--format", "list"]);
    insta::assert_snapshot!(text(&command.output().expect("the command starts")));
}

#[test]
fn the_same_bytes_on_every_run() {
    for format in ["text", "json", "dot", "list"] {
        let [first, second] = [(), ()].map(|()| text(&analyze("unordered-caller", format)));
        assert_eq!(first, second, "{format}");
    }
}
