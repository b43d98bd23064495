//! `cargo lockdep` run from a test: the command is built once per process and then started from its place.
//!
//! What it says is for the test to judge. Artifacts go where those of the tests go, `CARGO_TARGET_DIR` included.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a member")
}

/// The cargo that runs the tests.
pub fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from);
    let mut command = Command::new(cargo);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// `cargo lockdep`, without arguments, in the root of the workspace.
pub fn cargo_lockdep() -> Command {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(EXECUTABLE.get_or_init(build));
    command.arg("lockdep").current_dir(root()).stdin(Stdio::null());
    command
}

/// The report of `cargo lockdep analyze` on one package of the workspace.
///
/// # Panics
/// When the analysis did not come to a verdict.
pub fn analyze(package: &str) -> Value {
    let mut command = cargo_lockdep();
    command.args(["analyze", "--offline", "-q", "--format", "json", "-p", package]);
    let output = command.output().expect("the command starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "no verdict on {package}: {errors}");
    serde_json::from_slice(&output.stdout).expect("a report in JSON")
}

/// Builds the command, and has cargo say where it is.
fn build() -> PathBuf {
    let arguments =
        ["build", "--offline", "--quiet", "--package", "cargo-lockdep", "--message-format", "json"];
    let output = cargo().args(arguments).stderr(Stdio::inherit()).output().expect("cargo starts");
    assert!(output.status.success(), "cargo-lockdep does not build");
    let messages = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    };
    messages.lines().find_map(executable).expect("a binary was built")
}
