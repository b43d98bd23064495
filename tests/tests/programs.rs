//! Every file below `tests/fixtures/programs/`, against the expectation drawn in it.
//!
//! One file is one program of nobody's: undeclared locks of std and other crates, one idea each, half of them correct
//! where a naive analysis cries. `//@ verdict:` and `//~ CODE` mean what they mean in `fixtures.rs`; `//@ edition:`
//! is 2024 unless given. The files become packages of a workspace that is made for the test and compiled in one run;
//! each is then analyzed alone, in this process, from the facts of that run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lockdep::order::Discipline;
use lockdep_analyzer::facts::Facts;
use lockdep_analyzer::finding::Verdict;
use lockdep_analyzer::judge::judge;
use lockdep_tests::analysis::{cargo_lockdep, root};

/// A line and what is expected to be found on it.
type Mark = (u32, String);

struct Program {
    name: String,
    path: PathBuf,
    edition: String,
    refuted: bool,
    marks: BTreeSet<Mark>,
}

fn programs() -> Vec<Program> {
    let directory = root().join("tests/fixtures/programs");
    let mut found: Vec<Program> = fs::read_dir(directory)
        .expect("the programs are there")
        .map(|entry| entry.expect("a readable directory").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(read)
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn read(path: PathBuf) -> Program {
    let name = path.file_stem().and_then(|stem| stem.to_str()).expect("an ASCII name").to_owned();
    let source = fs::read_to_string(&path).expect("a readable program");
    let directive = |key: &str| {
        let start = format!("//@ {key}: ");
        source.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
    };
    let marks = (1..)
        .zip(source.lines())
        .filter_map(|(line, text)| Some((line, text.split_once("//~ ")?.1.trim().to_owned())))
        .collect();
    let refuted = match directive("verdict").as_deref() {
        Some("refuted") => true,
        Some("proved") => false,
        other => panic!("{name}: no verdict is called {other:?}"),
    };
    let edition = directive("edition").unwrap_or_else(|| "2024".to_owned());
    Program { name, edition, refuted, marks, path }
}

/// Makes the workspace, has its facts extracted, and says where they are.
fn extract(programs: &[Program]) -> PathBuf {
    let workspace = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
    let members: Vec<String> = programs.iter().map(|program| format!("{:?}", program.name)).collect();
    fs::create_dir_all(&workspace).expect("a directory for the workspace");
    let manifest = format!("[workspace]\nresolver = \"3\"\nmembers = [{}]\n", members.join(", "));
    fs::write(workspace.join("Cargo.toml"), manifest).expect("a manifest");
    let lock = root().join("tests/fixtures/programs/Cargo.lock");
    fs::copy(lock, workspace.join("Cargo.lock")).expect("the versions of the dependencies");
    for Program { name, edition, path, .. } in programs {
        let manifest = format!(
            "[package]\nname = {name:?}\nversion = \"0.0.0\"\nedition = {edition:?}\n\n[lib]\npath = {path:?}\n\n\
             [dependencies]\nparking_lot = \"0.12.5\"\ntokio = {{ version = \"1\", features = [\"sync\"] }}\n"
        );
        let directory = workspace.join(name);
        fs::create_dir_all(&directory).expect("a directory for the package");
        let file = directory.join("Cargo.toml");
        // A manifest that is written again would have its package compiled again.
        if fs::read_to_string(&file).ok().as_ref() != Some(&manifest) {
            fs::write(file, manifest).expect("a manifest");
        }
    }
    let target = workspace.join("target");
    let mut command = cargo_lockdep();
    command.current_dir(&workspace).args(["analyze", "--offline", "-q", "--workspace", "--format", "list"]);
    let output = command.arg("--target-dir").arg(&target).output().expect("the command starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "the programs do not compile: {errors}");
    target
}

/// The newest facts of a crate.
fn facts(target: &Path, name: &str) -> Facts {
    let prefix = format!("{}-", name.replace('-', "_"));
    let directories = fs::read_dir(target.join("lockdep")).expect("artifacts");
    let newest = directories
        .filter_map(|directory| fs::read_dir(directory.ok()?.path().join("debug/deps")).ok())
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let hash = path.file_name()?.to_str()?.strip_prefix(&prefix)?.strip_suffix(".lockdep")?;
            let written = path.metadata().ok()?.modified().ok()?;
            hash.chars().all(|c| c.is_ascii_hexdigit()).then_some((written, path.clone()))
        })
        .max();
    let (_, path) = newest.unwrap_or_else(|| panic!("{name} has no facts"));
    Facts::decode(&fs::read(path).expect("readable facts")).expect("facts of this version")
}

#[test]
fn every_program_is_judged_as_drawn() {
    let programs = programs();
    assert!(programs.len() >= 27, "some programs are missing");
    let target = extract(&programs);
    let mut wrong = Vec::new();
    for program in &programs {
        let graph = match lockdep_analyzer::analyze(vec![facts(&target, &program.name)]) {
            Ok(graph) => graph,
            Err(error) => {
                wrong.push(format!("{}: {error}", program.name));
                continue;
            }
        };
        let judgement = judge(graph, &Discipline::HIERARCHY);
        let mut marks: BTreeSet<Mark> = BTreeSet::new();
        for finding in &judgement.findings {
            for link in &finding.links {
                let ends = [link.primary(), link.secondary()].into_iter().flatten();
                marks.extend(ends.map(|span| (span.line, finding.code.id().to_owned())));
            }
        }
        if matches!(judgement.verdict, Verdict::Refuted(_)) != program.refuted || marks != program.marks {
            wrong.push(format!(
                "{}: {}, found {marks:?}, drawn {:?}",
                program.name, judgement.verdict, program.marks
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn half_of_the_programs_are_correct() {
    let programs = programs();
    let correct = programs.iter().filter(|program| !program.refuted).count();
    assert!(correct * 5 >= programs.len() * 2, "{correct} of {}", programs.len());
}
