//! One line more in hv-core flips the verdict: the proof is about the code that is there.
//!
//! The line is put into a copy. It takes the subject's `paging` while the caller's `p2m` is held, the opposite of
//! what the log-dirty copy does.

use std::fs;
use std::path::{Path, PathBuf};

use lockdep_tests::analysis::{cargo_lockdep, root};

const FILE: &str = "hv-core/src/log_dirty.rs";
const BEFORE: &str = "    let was_on = subject.paging.lock().disable();\n";
const LINE: &str = "    let _marks = { let _held = caller.p2m.read(); subject.paging.lock().stats() };\n";

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
    let mut command = cargo_lockdep();
    command.current_dir(workspace).args(["analyze", "--offline", "-q", "-p", "hv-core"]);
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
}
