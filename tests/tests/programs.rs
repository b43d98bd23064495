//! Every file below `tests/fixtures/programs/`, against the expectation drawn in it.
//!
//! One file is one program with locks that nobody declared: std's, those of other crates, one idea each, and more than
//! half of them correct where a naive analysis cries. `//@ verdict: proved|refuted|gated` comes first; a gated program
//! has a circle that an outer lock keeps from closing, and may say so at the drawn lines but must not be refuted; a
//! refuted one may be undecided where the deadlock goes through a call of who knows whom, if all of it is found.
//! `//~ CODE` marks each line that acquires a lock of a finding, held and wanted sides alike, `//~^ CODE` the line
//! above; `//@ edition:` is 2024 unless given, `//@ deps:` names crates besides std, `//@ assumes:` a kind of assumption that
//! must be listed, `//@ assumes-not:` one that must not. `//@ target: bin|test` is a program by itself, where others are
//! libraries. `//@ known-gap: REASON` stands
//! where the analysis is known to be wrong: the day it is right, the test says that the line must go.
//!
//! The files become packages of a workspace that is made for the test and compiled in one run; each is then analyzed
//! alone, in this process; `//@ callbacks: yes` as with `--callbacks`. `LOCKDEP_ONLY=PART` runs those with `PART` in their names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use lockdep::order::Discipline;
use lockdep_analyzer::Options;
use lockdep_analyzer::facts::Facts;
use lockdep_analyzer::finding::{Code, Finding, Verdict};
use lockdep_analyzer::judge::judge;
use lockdep_analyzer::model::Models;
use lockdep_tests::analysis::{cargo_lockdep, root};

/// What a program may depend on, as its manifest puts it. The versions are those of the lock file beside the programs.
const DEPENDENCIES: [(&str, &str); 16] = [
    ("async-executor", r#""1.14.1""#),
    ("async-lock", r#""3.5.0""#),
    ("crossbeam-channel", r#""0.5.17""#),
    ("crossbeam-utils", r#""0.8.23""#),
    ("dashmap", r#""6.2.1""#),
    ("futures-util", r#"{ version = "0.3.34", default-features = false, features = ["std"] }"#),
    ("lazy_static", r#""1.5.0""#),
    ("lock_api", r#""0.4.14""#),
    ("once_cell", r#""1.21.4""#),
    ("parking_lot", r#"{ version = "0.12.5", features = ["arc_lock"] }"#),
    ("rayon", r#""1.12.0""#),
    ("serde", r#""1.0.229""#),
    ("serde_json", r#""1.0.154""#),
    ("spin", r#""0.12.3""#),
    ("tokio", r#"{ version = "1.54.1", features = ["rt", "sync"] }"#),
    ("tracing", r#"{ version = "0.1.44", default-features = false }"#),
];

/// What can be said at the top of a program.
const DIRECTIVES: [&str; 8] =
    ["verdict", "edition", "target", "deps", "callbacks", "assumes", "assumes-not", "known-gap"];

/// A line and what is expected to be found on it.
type Mark = (u32, String);

#[derive(Clone, Copy, PartialEq)]
enum Expected {
    Proved,
    Refuted,
    Gated,
}

struct Program {
    name: String,
    source: String,
    edition: String,
    /// What its manifest calls it.
    target: &'static str,
    dependencies: Vec<String>,
    expected: Expected,
    options: Options,
    /// Kinds of assumptions, and whether they are listed.
    listed: BTreeMap<String, bool>,
    marks: BTreeSet<Mark>,
    gap: Option<String>,
}

fn programs() -> Vec<Program> {
    let directory = root().join("tests/fixtures/programs");
    let mut found: Vec<Program> = fs::read_dir(directory)
        .expect("the programs are there")
        .map(|entry| entry.expect("a readable directory").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| read(&path).unwrap_or_else(|wrong| panic!("{}: {wrong}", path.display())))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The program in a file, or what is wrong with what is drawn in it.
fn read(path: &Path) -> Result<Program, String> {
    let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or("the name is not text")?.to_owned();
    let source = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut directives = BTreeMap::new();
    for line in source.lines().filter_map(|line| line.strip_prefix("//@ ")) {
        let (key, value) = line.split_once(": ").ok_or("`//@ ` without a value")?;
        if !DIRECTIVES.contains(&key) {
            return Err(format!("nothing is called {key:?}"));
        }
        if directives.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(format!("{key:?} is given twice"));
        }
    }
    if !source.starts_with("//@ verdict: ") || !source.contains("\n//! ") {
        return Err("it opens with its verdict and says its idea in `//!`".to_owned());
    }
    let expected = match directives.get("verdict").map(String::as_str) {
        Some("proved") => Expected::Proved,
        Some("refuted") => Expected::Refuted,
        Some("gated") => Expected::Gated,
        other => return Err(format!("no verdict is called {other:?}")),
    };
    let gap = directives.remove("known-gap");
    let marks = marks(&source);
    if marks.is_empty() != (expected == Expected::Proved) {
        return Err("a circle is marked, and nothing else is".to_owned());
    }
    if let Some((line, code)) = marks.iter().find(|(_, code)| gap.is_none() && Code::from_id(code).is_none())
    {
        return Err(format!("line {line}: no finding is called {code:?}"));
    }
    let dependencies =
        directives.get("deps").map_or_else(Vec::new, |deps| deps.split(' ').map(str::to_owned).collect());
    let options = Options { callbacks: directives.contains_key("callbacks"), tiers: None };
    let kinds = [("assumes", true), ("assumes-not", false)];
    let listed = kinds.iter().filter_map(|(key, yes)| Some((directives.remove(*key)?, *yes))).collect();
    let edition = directives.remove("edition").unwrap_or_else(|| "2024".to_owned());
    let target = match directives.get("target").map(String::as_str) {
        None => "[lib]\ntest = false\nbench = false",
        Some("bin") => "[[bin]]\ntest = false\nbench = false",
        Some("test") => "[[test]]\nbench = false",
        other => return Err(format!("no target is called {other:?}")),
    };
    Ok(Program { name, edition, target, dependencies, expected, options, listed, marks, gap, source })
}

fn marks(source: &str) -> BTreeSet<Mark> {
    let mut marks = BTreeSet::new();
    for (line, text) in (1..).zip(source.lines()) {
        let Some((_, mark)) = text.split_once("//~") else { continue };
        let (line, codes) = mark.strip_prefix('^').map_or((line, mark), |codes| (line - 1, codes));
        marks.extend(codes.split(',').map(|code| (line, code.trim().to_owned())));
    }
    marks
}

/// A file that is written again would have its package compiled again.
fn write(file: &Path, text: &str) {
    if fs::read_to_string(file).ok().as_deref() != Some(text) {
        fs::write(file, text).expect("a writable directory");
    }
}

fn manifest(program: &Program) -> String {
    let mut manifest = format!(
        "[package]\nname = {:?}\nversion = \"0.0.0\"\nedition = {:?}\nautobins = false\nautolib = false\n\n{}\nname = {:?}\npath = \"lib.rs\"\n\n[dependencies]\n",
        program.name,
        program.edition,
        program.target,
        program.name.replace('-', "_")
    );
    for name in &program.dependencies {
        let known = DEPENDENCIES.iter().find(|(known, _)| known == name);
        let (_, version) = known.unwrap_or_else(|| panic!("{} depends on {name:?}", program.name));
        manifest.push_str(&format!("{name} = {version}\n"));
    }
    manifest
}

/// Makes the workspace of all programs, has the facts of those in `wanted` extracted, and says where they are.
fn extract(programs: &[Program], wanted: &[&Program]) -> PathBuf {
    let workspace = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
    fs::create_dir_all(&workspace).expect("a directory for the workspace");
    let members: Vec<&str> = programs.iter().map(|program| program.name.as_str()).collect();
    write(
        &workspace.join("Cargo.toml"),
        &format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n[profile.dev]\ndebug = false\n"),
    );
    let lock = root().join("tests/fixtures/programs/Cargo.lock");
    fs::copy(lock, workspace.join("Cargo.lock")).expect("the versions of the dependencies");
    for program in programs {
        let directory = workspace.join(&program.name);
        fs::create_dir_all(&directory).expect("a directory for the package");
        write(&directory.join("Cargo.toml"), &manifest(program));
        write(&directory.join("lib.rs"), &program.source);
    }
    let target = workspace.join("target");
    let mut command = cargo_lockdep();
    command.current_dir(&workspace).args([
        "analyze",
        "-q",
        "--format",
        "list",
        "--all-targets",
        "--target-dir",
    ]);
    command.arg(&target);
    if wanted.len() == programs.len() {
        command.arg("--workspace");
    } else {
        command.args(wanted.iter().flat_map(|program| ["-p", &program.name]));
    }
    let output = command.output().expect("the command starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    // What it says of all programs taken as one is of no interest here.
    assert!(matches!(output.status.code(), Some(0..=2)), "the programs do not compile: {errors}");
    target
}

/// The newest facts of each crate, by the name of the crate.
fn newest_facts(target: &Path) -> BTreeMap<String, PathBuf> {
    let mut newest: BTreeMap<String, (SystemTime, PathBuf)> = BTreeMap::new();
    let directories = fs::read_dir(target.join("lockdep")).expect("artifacts");
    for entry in directories
        .filter_map(|directory| fs::read_dir(directory.ok()?.path().join("debug/deps")).ok())
        .flatten()
    {
        let path = entry.expect("a readable directory").path();
        let stem = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".lockdep"));
        let Some((name, _)) = stem.and_then(|stem| stem.rsplit_once('-')) else { continue };
        let written = path.metadata().and_then(|metadata| metadata.modified()).expect("a time");
        let known = newest.entry(name.to_owned()).or_insert_with(|| (written, path.clone()));
        *known = (written, path).max(known.clone());
    }
    newest.into_iter().map(|(name, (_, path))| (name, path)).collect()
}

/// Both ends of every nesting of a finding, or the places it is about.
fn lines(finding: &Finding) -> BTreeSet<Mark> {
    let ends = finding.links.iter().flat_map(|link| [link.primary(), link.secondary()]).flatten();
    let places = if finding.links.is_empty() { finding.sites.as_slice() } else { &[] };
    ends.chain(places).map(|span| (span.line, finding.code.id().to_owned())).collect()
}

/// What the analysis says of a program, where that is not what is drawn.
fn disagreement(program: &Program, facts: &Path) -> Option<String> {
    let facts = fs::read(facts).expect("readable facts");
    let facts = Facts::decode(&facts).expect("facts of this version");
    let models = Models::shipped();
    let graph = match lockdep_analyzer::analyze_with(vec![facts], &models, program.options) {
        Ok(graph) => graph,
        Err(error) => return Some(error.to_string()),
    };
    let judgement = judge(graph, &Discipline::HIERARCHY);
    let found: BTreeSet<Mark> = judgement
        .findings
        .iter()
        .filter(|finding| finding.code != Code::Assumption)
        .flat_map(lines)
        .collect();
    let as_drawn = match (&judgement.verdict, program.expected) {
        (Verdict::Refuted(_) | Verdict::Undecided(_), Expected::Refuted) => found == program.marks,
        (Verdict::Proved | Verdict::ProvedUnder(_), Expected::Proved) => found.is_empty(),
        (Verdict::Proved | Verdict::ProvedUnder(_), Expected::Gated) => found.is_subset(&program.marks),
        _ => false,
    };
    let is_listed = |kind: &String| {
        judgement
            .findings
            .iter()
            .any(|finding| finding.code == Code::Assumption && finding.title.starts_with(kind))
    };
    let mut unlike = program.listed.iter().filter(|(kind, yes)| is_listed(kind) != **yes);
    if let Some((kind, yes)) = unlike.next() {
        return Some(format!("the assumption `{kind}` is {}listed", if *yes { "not " } else { "" }));
    }
    let list = |marks: BTreeSet<&Mark>| {
        let marks: Vec<String> = marks.iter().map(|(line, code)| format!(" {line} {code}")).collect();
        if marks.is_empty() { " none".to_owned() } else { marks.join(",") }
    };
    (!as_drawn).then(|| {
        let (missing, surplus) = (&program.marks - &found, &found - &program.marks);
        format!(
            "{}; missing:{}; surplus:{}",
            judgement.verdict,
            list(missing.iter().collect()),
            list(surplus.iter().collect())
        )
    })
}

#[test]
fn every_program_is_judged_as_drawn() {
    let programs = programs();
    let part = std::env::var("LOCKDEP_ONLY").unwrap_or_default();
    let wanted: Vec<&Program> = programs.iter().filter(|program| program.name.contains(&part)).collect();
    assert!(!wanted.is_empty(), "no program is called {part:?}");
    let facts = newest_facts(&extract(&programs, &wanted));
    let mut wrong = Vec::new();
    for program in &wanted {
        let facts = facts.get(&program.name.replace('-', "_"));
        let facts = facts.unwrap_or_else(|| panic!("{} has no facts", program.name));
        match (disagreement(program, facts), &program.gap) {
            (Some(said), None) => wrong.push(format!("{}: {said}", program.name)),
            (None, Some(gap)) => {
                wrong.push(format!("{}: as drawn; the known gap is closed: {gap}", program.name))
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {} programs:\n{}", wrong.len(), wanted.len(), wrong.join("\n"));
}

#[test]
fn most_programs_are_correct() {
    let programs = programs();
    assert!(programs.len() >= 300, "some programs are missing: {}", programs.len());
    let correct = programs.iter().filter(|program| program.expected != Expected::Refuted).count();
    assert!(correct * 2 >= programs.len(), "{correct} of {}", programs.len());
}
