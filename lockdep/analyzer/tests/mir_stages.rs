//! One reader, three texts: what the other stages print for `mir/torture.rs` is read completely, and names the same
//! functions as the dump does. What they make of the functions is compared by the tests of the command line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use lockdep_analyzer::mir::ir::{BodyKind, Program};
use lockdep_analyzer::mir::{Problem, Stage, id_of_file, read_dump, read_text};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mir");

/// Runs the default compiler on the torture crate; what it writes is in the directory.
fn compile(name: &str, arguments: &[&str], with_unstable: bool) -> PathBuf {
    let directory =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stage-{name}-{}", std::process::id()));
    drop(fs::remove_dir_all(&directory));
    fs::create_dir_all(&directory).expect("a temporary directory");
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into()));
    command.current_dir(DIRECTORY).args([
        "--edition=2024",
        "--crate-type=lib",
        "--cap-lints=allow",
        "torture.rs",
    ]);
    for argument in arguments {
        command.arg(argument.replace("OUT", &directory.display().to_string()));
    }
    if with_unstable {
        command.env("RUSTC_BOOTSTRAP", "1");
        command.args(["-Zmir-include-spans=on", "-Ztrim-diagnostic-paths=no", "-Zspan-free-formats"]);
    }
    let output = command.output().expect("the compiler starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    directory
}

fn text(directory: PathBuf) -> String {
    let text = fs::read_to_string(directory.join("torture.mir")).expect("the text");
    fs::remove_dir_all(directory).expect("the directory is ours");
    text
}

/// The paths of functions, in the order in which they were found.
fn functions(program: &Program) -> Vec<&str> {
    let functions = program.bodies.iter().filter(|body| body.kind == BodyKind::Fn);
    // The compiler's own variant of an asynchronous closure, which exists after the dump only.
    functions.map(|body| body.path.as_str()).filter(|path| !path.contains("{synthetic#")).collect()
}

fn dumped() -> Program {
    let dump = ["--emit=metadata", "--out-dir=OUT", "-Zdump-mir=analysis", "-Zdump-mir-dir=OUT"];
    let directory = compile("analysis", &dump, true);
    let files: Vec<(String, String)> = fs::read_dir(&directory)
        .expect("the dump")
        .map(|entry| entry.expect("an entry"))
        .map(|entry| (entry.file_name().into_string().expect("UTF-8"), entry.path()))
        .filter(|(name, _)| id_of_file(name).is_some())
        .map(|(name, path)| (name, fs::read_to_string(path).expect("UTF-8")))
        .collect();
    fs::remove_dir_all(&directory).expect("the directory is ours");
    read_dump("torture", &files).0
}

#[test]
fn every_stage_is_read_completely_and_has_the_same_functions() {
    let print = ["-Zunpretty=mir", "-Zmir-opt-level=0", "-o", "OUT/torture.mir"];
    let unoptimized = text(compile("unoptimized", &print, true));
    let emitted = text(compile("emitted", &["--emit=mir", "--out-dir=OUT"], false));
    let (unoptimized, first) = read_text("torture", &unoptimized, Stage::Unoptimized);
    let (emitted, second) = read_text("torture", &emitted, Stage::Emitted);
    let none: &[Problem] = &[];
    assert_eq!((first.as_slice(), second.as_slice()), (none, none));

    let analysis = dumped();
    let sorted = |program| BTreeSet::from_iter(functions(program));
    assert_eq!(sorted(&unoptimized), sorted(&analysis));
    // Some names are short there.
    assert_eq!(functions(&emitted).len(), functions(&analysis).len());
    for program in [&unoptimized, &emitted] {
        let ids: BTreeSet<&str> = program.bodies.iter().map(|body| body.id.as_str()).collect();
        assert_eq!(ids.len(), program.bodies.len(), "a definition path twice");
        assert!(program.bodies.iter().all(|body| body.unread.is_empty()));
    }
}

#[test]
fn damaged_texts_are_problems_and_nothing_else() {
    let print = ["-Zunpretty=mir", "-Zmir-opt-level=0", "-o", "OUT/torture.mir"];
    let whole = text(compile("damaged", &print, true));
    assert_eq!(read_text("torture", "", Stage::Emitted).1.len(), 1);
    for part in 1..40 {
        let mut end = whole.len() * part / 40;
        while !whole.is_char_boundary(end) {
            end += 1;
        }
        for stage in [Stage::Unoptimized, Stage::Emitted] {
            let (program, problems) = read_text("torture", &whole[..end], stage);
            // Only the body in which the text ends is incomplete.
            let bodies: BTreeSet<&str> = problems.iter().map(|problem| problem.file.as_str()).collect();
            assert!(program.bodies.len() > 1 && bodies.len() < 2, "{end}: {problems:?}");
        }
    }
}
