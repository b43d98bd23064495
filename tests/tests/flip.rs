//! One line more in hv-core flips the verdict: the proof is about the code that is there, and so is the deadlock.
//!
//! The line is put into a copy. It takes the subject's `paging` while the caller's `p2m` is held, the opposite of
//! what the log-dirty copy does. The witness is then run by the flipped hv-core itself, on simulated CPUs
//! (`flip/cpus.rs`). The line stands before the operation is claimed: a claim keeps two operations of one subject apart,
//! which no lock shows, so that behind it the same line would be refuted without a deadlock.

use std::fs;
use std::path::{Path, PathBuf};

use lockdep_tests::analysis::{cargo, cargo_lockdep, root};
use serde_json::Value;

const FILE: &str = "hv-core/src/log_dirty.rs";
const BEFORE: &str = "    let cursor = begin(subject, caller, PagingOp::Off, resuming)?;\n";
const LINE: &str = "    let _marks = { let _held = caller.p2m.write(); subject.paging.lock().stats() };\n";

/// A workspace of its own with hv-core in it and everything else where it is.
fn copy() -> PathBuf {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("flip");
    if copy.exists() {
        fs::remove_dir_all(&copy).expect("a removable directory");
    }
    copy_directory(&root().join("hv-core"), &copy.join("hv-core"));
    fs::copy(root().join("Cargo.lock"), copy.join("Cargo.lock")).expect("the workspace has one");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace has one");
    let manifest: Vec<String> = manifest
        .lines()
        .map(|line| match line.split_once("path = \"") {
            _ if line.starts_with("members") => "members = [\"hv-core\"]".to_owned(),
            Some((before, path)) if !path.starts_with("hv-core") => {
                format!("{before}path = \"{}/{path}", root().display())
            }
            _ => line.to_owned(),
        })
        .collect();
    fs::write(copy.join("Cargo.toml"), manifest.join("\n")).expect("a writable directory");
    copy
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a writable directory");
    for entry in fs::read_dir(from).expect("a readable directory") {
        let entry = entry.expect("a readable directory");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a writable directory");
        }
    }
}

/// (exit code, report).
fn analyze(workspace: &Path) -> (Option<i32>, String) {
    analyze_as(workspace, "text")
}

fn analyze_as(workspace: &Path, format: &str) -> (Option<i32>, String) {
    let mut command = cargo_lockdep();
    command.current_dir(workspace).args(["analyze", "--offline", "-q", "-p", "hv-core", "--format", format]);
    let output = command.output().expect("the command starts");
    (output.status.code(), String::from_utf8(output.stdout).expect("reports are UTF-8"))
}

#[test]
fn one_line_flips_the_verdict_and_is_named() {
    let workspace = copy();
    let (code, report) = analyze(&workspace);
    assert!(report.contains("verdict: proved") && code == Some(0), "the copy as it is: {report}");

    let file = workspace.join(FILE);
    let source = fs::read_to_string(&file).expect("hv-core has this file");
    assert_eq!(source.matches(BEFORE).count(), 1, "the place for the line has moved");
    fs::write(&file, source.replace(BEFORE, &format!("{LINE}{BEFORE}"))).expect("our own copy");
    let line = 1 + source[..source.find(BEFORE).expect("just counted")].lines().count();

    let (code, report) = analyze(&workspace);
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("verdict: refuted (1 finding)"), "{report}");
    assert!(report.contains("error[cross-domain-nesting]"), "{report}");
    let wanted = format!("--> {FILE}:{line}:");
    assert!(report.contains(&wanted), "the line is the primary site, {wanted}: {report}");
    // The opposite chain: from the copy under the subject's lock to the caller's table.
    for opposite in ["hv_core::log_dirty::scan_under_lock", "hv_core::guest_copy::", "B; A controls B"] {
        assert!(report.contains(opposite), "{opposite}: {report}");
    }
    assert_eq!(
        replay(&workspace),
        "CPU 0 (disable) waits for a lock of B, held by [1]\nCPU 1 (scan) waits for a lock of A, held by [0]\n"
    );
}

/// Runs the witness on the hv-core of the copy, whose locks are those of simulated CPUs from here on.
fn replay(workspace: &Path) -> String {
    let (_, report) = analyze_as(workspace, "json");
    let report: Value = serde_json::from_str(&report).expect("a report");
    let finding = &report["findings"][0];
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut arguments = vec![text(&finding["witness"]["controls"][0]["upper"])];
    for cpu in finding["witness"]["cpus"].as_array().expect("CPUs") {
        let nestings = finding["nestings"].as_array().expect("nestings");
        let is_it = |nesting: &&Value| nesting["held"] == cpu["held"] && nesting["wanted"] == cpu["wanted"];
        let nesting = nestings.iter().find(is_it).expect("the nesting of a CPU");
        let entry = text(&nesting["held_chain"][0]["function"]);
        let operation = entry.rsplit("::").next().expect("a name");
        arguments.push(format!("{operation}:{}:{}", text(&cpu["held_owner"]), text(&cpu["wanted_owner"])));
    }
    let manifest = fs::read_to_string(workspace.join("Cargo.toml")).expect("our own copy");
    let manifest: Vec<&str> = manifest
        .lines()
        .map(|line| match line {
            _ if line.starts_with("members") => "members = [\"hv-core\", \"spin\", \"cpus\"]",
            _ if line.starts_with("spin = ") => "spin = { path = \"spin\" }",
            _ => line,
        })
        .collect();
    fs::write(workspace.join("Cargo.toml"), manifest.join("\n")).expect("our own copy");
    let package = |name: &str, dependencies: &str, root: &str, source: PathBuf| {
        let directory = workspace.join(name);
        fs::create_dir_all(&directory).expect("our own copy");
        let features = if name == "spin" { "[features]\nonce = []\n" } else { "" };
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
             [dependencies]\n{dependencies}{features}[{root}]\nname = \"{name}\"\npath = \"{}\"\n",
            source.display()
        );
        fs::write(directory.join("Cargo.toml"), manifest).expect("our own copy");
    };
    let analyzer = "lockdep-analyzer.workspace = true\n";
    let spin = format!("{analyzer}lock_api.workspace = true\n");
    package("spin", &spin, "lib", root().join("tests/support/scheduler.rs"));
    let cpus = format!("{analyzer}hv-core.workspace = true\n");
    package("cpus", &cpus, "[bin]", root().join("tests/tests/flip/cpus.rs"));
    let mut command = cargo();
    command
        .current_dir(workspace)
        .args(["run", "--offline", "--quiet", "--package", "cpus", "--"])
        .args(arguments);
    let output = command.output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}
