//! The blocks of the README that are printed by the code, compared with what the code prints.
//!
//! `UPDATE_README=1 cargo test -p lockdep-tests --test readme` writes them anew. Prose is not tested.

use std::fmt::Write;
use std::fs;

use lockdep_analyzer::disciplines::table;
use lockdep_analyzer::finding::Code;
use lockdep_analyzer::render::render_disciplines;
use lockdep_tests::analysis::{cargo_lockdep, root};

fn analyze(directory: &str, arguments: &[&str]) -> String {
    let mut command = cargo_lockdep();
    command.current_dir(root().join(directory)).args(["analyze", "--offline", "-q"]).args(arguments);
    let output = command.output().expect("the command starts");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    format!("```text\n{}```\n", String::from_utf8(output.stdout).expect("reports are UTF-8"))
}

/// The order table with the first sentence that documents each lock.
fn order() -> String {
    let source = fs::read_to_string(root().join("hv-core/src/locks.rs")).expect("hv-core declares its locks");
    let mut table = "| level | lock | protects |\n|---|---|---|\n".to_owned();
    for class in hv_core::locks::mm::classes() {
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        let at = lines
            .iter()
            .position(|line| line.split_whitespace().next() == Some(class.name) && line.contains('='))
            .expect("every class is declared on a line of its own");
        let documented = lines[..at].iter().rev().take_while(|line| line.starts_with("///")).count();
        let text: Vec<&str> = lines[at - documented..at].iter().map(|line| line[3..].trim()).collect();
        writeln!(table, "| {} | `{}` | {} |", class.level.get(), class.name, text.join(" "))
            .expect("a string takes everything");
    }
    table
}

fn codes() -> String {
    let mut table = "| code | level | meaning |\n|---|---|---|\n".to_owned();
    for code in Code::ALL {
        writeln!(table, "| `{}` | {} | {} |", code.id(), code.level().name(), code.gist())
            .expect("a string takes everything");
    }
    table
}

/// The table without the nestings behind its cells.
fn disciplines() -> String {
    let mut page = String::new();
    render_disciplines(&table(), &mut page).expect("a string takes everything");
    page.lines().take_while(|line| line.starts_with('|')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn generated_blocks_are_current() {
    let path = root().join("README.md");
    let mut readme = fs::read_to_string(&path).expect("there is a README");
    let before = readme.clone();
    for (name, text) in [
        ("graph", analyze(".", &["-p", "hv-core", "--format", "list"])),
        ("refutation", analyze("tests/fixtures", &["-p", "unordered-caller"])),
        ("order", order()),
        ("codes", codes()),
        ("disciplines", disciplines()),
    ] {
        let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
        let from = readme.find(&begin).expect("the block begins") + begin.len();
        let to = readme.find(&end).expect("the block ends");
        readme.replace_range(from..to, &text);
    }
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, &readme).expect("a writable README");
    } else {
        assert!(readme == before, "README.md is stale: run this test with UPDATE_README=1");
    }
}
