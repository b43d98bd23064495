//! `--include-dep`: dependencies analyzed as members are.

use std::fs;

use lockdep_analyzer::facts::Facts;
use lockdep_analyzer::mir::ir::{Body, Operand, Projection, Rvalue, StatementKind, Ty};

use crate::project::{PROVED, Project, lockdep, refuted, run};

/// A project that uses the library `dependency` of another project.
fn user_of(name: &str, dependency: &str, source: &str) -> Project {
    let project = Project::with_locks(name, source);
    let manifest = fs::read_to_string(project.path("Cargo.toml")).expect("just written");
    project.file("Cargo.toml", &format!("{manifest}{dependency} = {{ path = \"../{dependency}\" }}\n"))
}

fn facts(krate: &str) -> Vec<Facts> {
    let files = Project::facts(krate);
    files.iter().map(|file| Facts::decode(&fs::read(file).expect("a file")).expect("facts")).collect()
}

fn forget(krate: &str) {
    Project::facts(krate).iter().for_each(|file| fs::remove_file(file).expect("a removable file"));
}

fn files(body: &Body) -> impl Iterator<Item = &str> {
    let blocks = body.blocks.iter().map(|block| &block.span);
    blocks.chain([&body.span]).chain(&body.impl_at).map(|span| &*span.file)
}

#[test]
fn a_dependency_is_judged_as_a_member_is() {
    let _dependency = Project::with_locks("borrowed-board", &refuted());
    let project = user_of("borrower", "borrowed-board", PROVED);
    let without = project.analyze(&[]);
    assert_eq!(without.code, Some(0), "{}", without.stderr);
    for name in ["borrowed-board", "borrowed_board@0.1.0", "all"] {
        let with = project.analyze(&["--include-dep", name]);
        assert_eq!(with.code, Some(1), "{name}: {}", with.stderr);
        // The source is found, and called the same on every machine.
        assert!(with.stdout.contains("--> borrowed-board-0.1.0/src/lib.rs:36:"), "{}", with.stdout);
        assert!(with.stdout.contains("36 | impl Player { pub fn promote(&self)"), "{}", with.stdout);
        for directory in [env!("CARGO_MANIFEST_DIR"), env!("CARGO_TARGET_TMPDIR")] {
            assert!(!with.stdout.contains(directory), "{}", with.stdout);
        }
        assert!(with.stderr.contains("   Analyzing borrowed-board v0.1.0 (lib)\n"), "{}", with.stderr);
    }
    // What was compiled for it is not taken for a selection.
    let again = project.analyze(&[]);
    assert_eq!((again.code, again.stdout), (Some(0), without.stdout));
}

/// A table of a library's functions, read or not: its functions are its own. What is in a table of one's own is whoever's.
#[test]
fn functions_of_a_library_are_not_the_callers() {
    let table = "pub struct Table { pub flush: extern \"C\" fn(u32) -> u32 }";
    let _dependency = Project::library("window-table", table);
    let code = "use std::sync::Mutex;\n\
                pub struct Screen { pub table: Table, drawn: Mutex<u32> }\n\
                impl Screen {\n\
                pub fn new(table: Table) -> Screen { Screen { table, drawn: Mutex::new(0) } }\n\
                pub fn drawn(&self) -> u32 { *self.drawn.lock().unwrap() }\n\
                pub fn draw(&self) { let mut drawn = self.drawn.lock().unwrap(); *drawn += (self.table.flush)(1); }\n\
                }\n";
    let theirs = user_of("painter", "window-table", &format!("use window_table::Table;\n{code}"));
    let run = theirs.analyze(&["--callbacks"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("a function pointer"), "{}", run.stdout);
    let own = Project::with_locks("own-painter", &format!("{table}\n{code}")).analyze(&["--callbacks"]);
    assert_eq!(own.code, Some(1), "{}{}", own.stdout, own.stderr);
    assert!(own.stdout.contains("calls-back-under-lock"), "{}", own.stdout);
}

/// A dependency that is compiled without being looked at leaves facts that are true no more.
#[test]
fn facts_from_before_a_change_are_not_used() {
    let _dependency = Project::with_locks("changing-board", PROVED);
    let project = user_of("watcher", "changing-board", PROVED);
    assert_eq!(project.analyze(&["--include-dep", "changing-board"]).code, Some(0));
    let _dependency = Project::with_locks("changing-board", &refuted());
    assert_eq!(project.analyze(&[]).code, Some(0));
    let after = project.analyze(&["--include-dep", "changing-board"]);
    assert_eq!(after.code, Some(1), "{}", after.stdout);
}

#[test]
fn a_crate_of_a_registry_is_read_completely_and_named_alike_everywhere() {
    let project = Project::with_locks("registered", PROVED);
    forget("spin");
    let run = project.analyze(&["--include-dep", "spin", "-v"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let read = run.stderr.lines().find(|line| line.trim_start().starts_with("Read spin: "));
    assert!(read.is_some_and(|line| line.contains(" 0 unread, ")), "{}", run.stderr);
    // What one has asked for, others are not told again.
    let quiet = project.analyze(&["--include-dep", "spin", "-q"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
    let facts = facts("spin");
    assert_eq!(facts.len(), 1, "{}", run.stderr);
    assert_eq!(facts[0].problems, [""; 0]);
    assert!(facts[0].program.bodies.len() > 100, "{}", facts[0].program.bodies.len());
    for file in facts[0].program.bodies.iter().flat_map(files) {
        let is_known = ["spin-0.", "library/", "lock_api-0."].iter().any(|start| file.starts_with(start));
        assert!(is_known || file.is_empty(), "{file}");
    }
}

/// A crate that a build script uses, too, is compiled twice, and only what is in the program is read.
#[test]
fn what_runs_inside_the_build_is_not_read() {
    let _shared = Project::library("shared-board", "pub fn squares() -> u32 { 64 }");
    let project = Project::library("builder", "pub fn f() -> u32 { shared_board::squares() }");
    let manifest = fs::read_to_string(project.path("Cargo.toml")).expect("just written");
    let dependency = "shared-board = { path = \"../shared-board\" }\n";
    let project = project
        .file("Cargo.toml", &format!("{manifest}{dependency}[build-dependencies]\n{dependency}"))
        .file("build.rs", "fn main() { assert_eq!(shared_board::squares(), 64); }");
    forget("shared_board");
    let run = project.analyze(&["--include-dep", "shared-board"]);
    assert!(run.stderr.contains("     Linking 2 facts files\n"), "{}", run.stderr);
    assert_eq!(Project::facts("shared_board").len(), 1);
}

#[test]
fn a_name_that_is_no_dependency_brings_those_that_are() {
    let project = Project::with_locks("misspelt", PROVED);
    for (name, answer) in [
        ("lockapi", "error: no dependency `lockapi`: did you mean `lock_api@0.4."),
        ("spin@7", "error: no dependency `spin@7`: did you mean `spin@0."),
        ("lockdep-macros", "error: no dependency `lockdep-macros`: did you mean `lockdep@0.0.0`"),
        ("zzz", "dependencies of what was selected has a name like that\n"),
    ] {
        let run = project.analyze(&["--include-dep", name]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{name}: {}", run.stderr);
        assert!(run.stderr.contains(answer), "{name}: {}", run.stderr);
        assert!(!run.stderr.contains("Checking"), "{name}: {}", run.stderr);
    }
}

#[test]
fn the_option_is_explained() {
    assert!(run(&["analyze", "-h"]).stdout.contains("--include-dep <NAME>"));
    let nameless = lockdep(&["analyze", "--include-dep"]).output().expect("the command starts");
    assert_eq!(nameless.status.code(), Some(2));
}

/// Parts of a variable that a closure copies are printed nowhere in the function that builds it, but for the first.
#[test]
fn captures_that_are_not_printed_are_found() {
    let source = "pub struct Rider<'p> { pub name: u8, pub horse: &'p u64, pub road: &'p u32 }\n\
                  impl<'p> Rider<'p> {\n\
                  pub fn new(horse: &'p u64, road: &'p u32) -> Self { Rider { name: 1, horse, road } }\n\
                  pub fn ride(self) -> impl Fn() -> u64 + 'p { move || u64::from(*self.road) + *self.horse }\n\
                  }";
    forget("riding");
    let run = Project::library("riding", source).analyze(&[]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    let facts = facts("riding");
    assert_eq!(facts[0].problems, [""; 0]);
    let ride = facts[0].program.bodies.iter().find(|body| body.id.ends_with("::ride")).expect("a method");
    assert_eq!(ride.unread, [""; 0]);
    let statements = ride.blocks.iter().flat_map(|block| &block.statements);
    let captures = statements.filter_map(|statement| match &statement.kind {
        StatementKind::Assign(_, Rvalue::Aggregate(closure)) => Some(closure.fields.as_slice()),
        _ => None,
    });
    let fields = |captures: &[(Option<String>, Operand)]| -> Vec<Option<Projection>> {
        captures.iter().map(|(_, operand)| operand.place()?.projection.last().cloned()).collect()
    };
    let number = |step: &Option<Projection>| match step {
        Some(Projection::Field(number, Ty::Ref(false, _))) => Some(*number),
        _ => None,
    };
    let found: Vec<Vec<Option<u32>>> = captures.map(|all| fields(all).iter().map(number).collect()).collect();
    assert_eq!(found, [[Some(1), Some(2)]]);
}

/// Nothing in the text says which of two packages of one name is meant: either may be, and that is said.
#[test]
fn packages_of_one_name_are_said_to_be_one() {
    let old = "pub fn peek() -> u32 { 1 }";
    let new = "use std::sync::Mutex;\n\
               static SEEN: Mutex<u32> = Mutex::new(0);\n\
               pub fn peek() -> u32 { *SEEN.lock().unwrap() }\n\
               pub fn with(look: impl FnOnce() -> u32) { let mut seen = SEEN.lock().unwrap(); *seen += look(); }\n";
    for (directory, version, source) in [("peeks-old", 1, old), ("peeks-new", 2, new)] {
        let package = format!("name = \"peeks\"\nversion = \"{version}.0.0\"\nedition = \"2024\"\n");
        let manifest = format!("[workspace]\n[package]\n{package}");
        Project::new(directory).file("Cargo.toml", &manifest).file("src/lib.rs", source);
    }
    let project = Project::library(
        "two-peeks",
        "use std::sync::Mutex;\n\
         static DOOR: Mutex<u32> = Mutex::new(0);\n\
         pub fn by_old() -> u32 { peeks_old::peek() }\n\
         pub fn by_new() -> u32 { let door = DOOR.lock().unwrap(); *door + peeks::peek() }\n\
         pub fn inside() { peeks::with(|| *DOOR.lock().unwrap()) }\n",
    );
    let manifest = fs::read_to_string(project.path("Cargo.toml")).expect("just written");
    let old = "peeks-old = { path = \"../peeks-old\", package = \"peeks\" }";
    let new = "peeks = { path = \"../peeks-new\" }";
    let project = project.file("Cargo.toml", &format!("{manifest}{old}\n{new}\n"));
    let run = project.analyze(&["--include-dep", "all"]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("[lock-order-cycle]: `peeks::SEEN` and"), "{}", run.stdout);
    assert!(
        run.stdout.contains("`peeks` of peeks 1.0.0 and peeks 2.0.0 are taken for one"),
        "{}",
        run.stdout
    );
}

/// What each crate calls `Inner` is a type of its own, with a destructor of its own.
#[test]
fn types_that_two_crates_print_alike_are_two() {
    let _dependency = Project::library(
        "cellars",
        "use std::sync::Mutex;\n\
         static KEY: Mutex<u32> = Mutex::new(0);\n\
         pub struct Inner(u32);\n\
         impl Drop for Inner { fn drop(&mut self) { *KEY.lock().unwrap() += self.0; } }\n\
         pub struct Cellar { inner: Inner }\n\
         impl Cellar { pub fn new() -> Cellar { Cellar { inner: Inner(1) } } }\n\
         pub fn with_key(run: impl FnOnce()) { let _key = KEY.lock().unwrap(); run() }\n",
    );
    let project = user_of(
        "house",
        "cellars",
        "use std::sync::Mutex;\n\
         static DOOR: Mutex<u32> = Mutex::new(0);\n\
         pub struct Inner(u32);\n\
         pub struct House { inner: Inner, cellar: cellars::Cellar }\n\
         impl House { pub fn new() -> House { House { inner: Inner(2), cellar: cellars::Cellar::new() } } }\n\
         pub fn leave(house: House) { let _door = DOOR.lock().unwrap(); drop(house) }\n\
         pub fn enter() { cellars::with_key(|| *DOOR.lock().unwrap() += 1) }\n",
    );
    let run = project.analyze(&["--include-dep", "cellars"]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("[lock-order-cycle]: `cellars::KEY` and `house::DOOR`"), "{}", run.stdout);
}

/// The last sender of a channel inside what another crate calls `Inner`, beside an `Inner` without one.
#[test]
fn a_sender_in_a_type_that_another_crate_prints_alike_goes_away_with_it() {
    let _dependency = Project::library(
        "pumps",
        "use std::sync::mpsc::Sender;\n\
         pub struct Inner { pub sender: Sender<u32> }\n\
         pub struct Pump { pub inner: Inner }\n\
         impl Pump { pub fn new(sender: Sender<u32>) -> Pump { Pump { inner: Inner { sender } } } }\n",
    );
    let project = user_of(
        "waterworks",
        "pumps",
        "use std::sync::{Mutex, mpsc::channel};\n\
         static GATE: Mutex<u32> = Mutex::new(0);\n\
         pub struct Inner(u32);\n\
         pub struct Plant { inner: Inner, pump: pumps::Pump }\n\
         pub fn drain() {\n\
             let (sender, receiver) = channel();\n\
             let plant = Plant { inner: Inner(1), pump: pumps::Pump::new(sender) };\n\
             std::thread::spawn(move || { drop(GATE.lock().unwrap()); drop(plant) });\n\
             let _gate = GATE.lock().unwrap();\n\
             while receiver.recv().is_ok() {}\n\
         }\n",
    );
    let run = project.analyze(&["--include-dep", "pumps"]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("waterworks::GATE"), "{}", run.stdout);
}
