//! What the macros accept, and what they say when they do not, on the files in `ui/`.
//!
//! `ui/<subject>-<fault>.rs` must fail to compile with exactly the text in `.stderr`; `ui/pass/*.rs` must compile
//! and run. Nothing about lock orders at run time is tested here. `TRYBUILD=overwrite` writes the texts anew.

use std::process::Command;

/// The compiler whose wording the `.stderr` files have; others word and underline their part differently.
const BLESSED: &str = "rustc 1.95.0 ";

#[test]
fn ui() {
    let version = rustc_version();
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    if version.starts_with(BLESSED) {
        println!("errors are compared, on {version}");
        cases.compile_fail("ui/*.rs");
    } else {
        println!("errors are not compared: they are those of {BLESSED}, and this is {version}");
    }
}

/// The compiler that trybuild runs, as it names itself.
fn rustc_version() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output =
        Command::new(rustc).arg("--version").output().expect("rustc runs, as it has built this test");
    String::from_utf8(output.stdout).expect("a version is text").trim_end().to_owned()
}
