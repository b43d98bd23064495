//! Every method of every lock type that `models.toml` knows, called in code that is compiled, and met by the analysis.
//!
//! A method that is misspelt, or that a crate no longer has, does not compile here; one whose guard is not known, or whose
//! mode is not the table's, is missed or met otherwise. What each is written like is in the tables below; a new type of
//! lock needs a line there. Whether the modes are those of the crates is not tested: it is read in their documentation.

#[path = "cli/project.rs"]
#[expect(dead_code, reason = "other tests use what this one does not")]
mod project;

use std::collections::BTreeMap;
use std::fs;

use lockdep_analyzer::facts::Facts;
use lockdep_analyzer::graph::{Held, LockGraph, Wanted};
use lockdep_analyzer::model::{Acquiring, How, Models};
use lockdep_tests::analysis::root;
use project::Project;

/// The versions are those of the lock file of the programs.
const DEPENDENCIES: &str = r#"
async-lock = "3.5.0"
crossbeam-utils = "0.8.23"
dashmap = "6.2.1"
futures-util = { version = "0.3.34", default-features = false, features = ["std"] }
once_cell = "1.21.4"
parking_lot = { version = "0.12.5", features = ["arc_lock"] }
spin = { version = "0.12.3", features = ["fair_mutex", "ticket_mutex"] }
tokio = { version = "1.54.1", features = ["rt", "sync"] }
"#;

/// Each lock type of the table, how it is written, and how one is made.
const TYPES: [(&str, &str, &str); 24] = [
    ("std::Mutex", "std::sync::Mutex<u8>", "new(0)"),
    ("std::RwLock", "std::sync::RwLock<u8>", "new(0)"),
    ("std::Once", "std::sync::Once", "new()"),
    ("std::OnceLock", "std::sync::OnceLock<u8>", "new()"),
    ("lock_api::Mutex", "parking_lot::Mutex<u8>", "new(0)"),
    ("lock_api::ReentrantMutex", "parking_lot::ReentrantMutex<u8>", "new(0)"),
    ("lock_api::RwLock", "parking_lot::RwLock<u8>", "new(0)"),
    ("lock_api::Once", "parking_lot::Once", "new()"),
    ("spin::Mutex", "spin::Mutex<u8>", "new(0)"),
    ("spin::SpinMutex", "spin::mutex::SpinMutex<u8>", "new(0)"),
    ("spin::FairMutex", "spin::mutex::FairMutex<u8>", "new(0)"),
    ("spin::TicketMutex", "spin::mutex::TicketMutex<u8>", "new(0)"),
    ("spin::RwLock", "spin::RwLock<u8>", "new(0)"),
    ("spin::Once", "spin::Once<u8>", "new()"),
    ("once_cell::OnceCell", "once_cell::sync::OnceCell<u8>", "new()"),
    ("crossbeam::ShardedLock", "crossbeam_utils::sync::ShardedLock<u8>", "new(0)"),
    ("tokio::Mutex", "tokio::sync::Mutex<u8>", "new(0)"),
    ("tokio::RwLock", "tokio::sync::RwLock<u8>", "new(0)"),
    ("async_lock::Mutex", "async_lock::Mutex<u8>", "new(0)"),
    ("async_lock::RwLock", "async_lock::RwLock<u8>", "new(0)"),
    ("async_lock::OnceCell", "async_lock::OnceCell<u8>", "new()"),
    ("futures::Mutex", "futures_util::lock::Mutex<u8>", "new(0)"),
    ("dashmap::DashMap", "dashmap::DashMap<u8, u8>", "new()"),
    ("dashmap::DashSet", "dashmap::DashSet<u8>", "new()"),
];

/// What a method is given, by the end of its key, where that is not nothing; the longest end counts.
const ARGUMENTS: [(&str, &str); 34] = [
    ("_for", "WHILE"),
    ("_until", "until()"),
    ("Once::call_once", "|| tail()"),
    ("Once::call_once_force", "|_| tail()"),
    ("spin::Once::call_once", "made"),
    ("spin::Once::try_call_once", "|| Ok::<u8, ()>(made())"),
    ("get_or_init", "made"),
    ("get_or_try_init", "|| Ok::<u8, ()>(made())"),
    ("get_or_init_blocking", "made"),
    ("get_or_try_init_blocking", "|| Ok::<u8, ()>(made())"),
    ("::set", "1"),
    ("::set_blocking", "1"),
    ("::try_insert", "1"),
    ("DashMap::get", "&1"),
    ("DashMap::get_mut", "&1"),
    ("DashMap::try_get", "&1"),
    ("DashMap::try_get_mut", "&1"),
    ("DashMap::entry", "1"),
    ("DashMap::try_entry", "1"),
    ("DashMap::insert", "1, 1"),
    ("DashMap::remove", "&1"),
    ("DashMap::contains_key", "&1"),
    ("DashMap::remove_if", "&1, |_, _| told()"),
    ("DashMap::remove_if_mut", "&1, |_, _| told()"),
    ("DashMap::retain", "|_, _| told()"),
    ("DashMap::alter", "&1, |_, _| made()"),
    ("DashMap::alter_all", "|_, _| made()"),
    ("DashMap::view", "&1, |_, _| made()"),
    ("DashSet::get", "&1"),
    ("DashSet::insert", "1"),
    ("DashSet::remove", "&1"),
    ("DashSet::contains", "&1"),
    ("DashSet::remove_if", "&1, |_| told()"),
    ("DashSet::retain", "|_| told()"),
];

/// Locks that are declared, or static, or need a nightly compiler, and are tested elsewhere or not at all.
fn is_left_out(key: &str) -> bool {
    let (of, _) = key.rsplit_once("::").expect("a type and a method");
    of.starts_with("lockdep::")
        || ["std::Stdin", "std::ReentrantLock", "std::RefCell"].contains(&of)
        || key == "std::OnceLock::get_or_try_init"
}

const HEAD: &str = r"#![allow(non_camel_case_types, unused_must_use, clippy::all)]
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

static OUTER: Mutex<u8> = Mutex::new(0);
static TAIL: Mutex<u8> = Mutex::new(0);
const WHILE: Duration = Duration::from_millis(1);

fn until() -> Instant {
    Instant::now() + WHILE
}

fn tail() {
    *TAIL.lock().unwrap() += 1;
}

fn made() -> u8 {
    tail();
    1
}

fn told() -> bool {
    tail();
    true
}
";

/// `StdMutexLock`: types are told from modules and functions by how they are spelt.
fn name(key: &str) -> String {
    let parts = key.split([':', '_']).filter(|part| !part.is_empty());
    parts.map(|part| format!("{}{}", part[..1].to_uppercase(), &part[1..])).collect()
}

fn arguments(key: &str) -> &'static str {
    let fitting = ARGUMENTS.iter().filter(|(end, _)| key.ends_with(end));
    fitting.max_by_key(|(end, _)| end.len()).map_or("", |(_, arguments)| arguments)
}

/// A type with one lock, and a function that calls the method under another lock and takes a third when it has.
fn code(key: &str, acquiring: &Acquiring) -> String {
    let (of, method) = key.rsplit_once("::").expect("a type and a method");
    let (_, ty, new) =
        TYPES.iter().find(|(known, ..)| *known == of).unwrap_or_else(|| panic!("what is {of}?"));
    let bare = ty.split('<').next().unwrap_or(ty);
    let (name, given) = (name(key), arguments(key));
    // What an owned guard is of is lent or given as a counted pointer.
    let owned = format!("self.lock.clone().{method}({given})");
    let plain = format!("self.lock.{method}({given})");
    let by_value = method.contains("owned") && of.starts_with("tokio")
        || of.starts_with("futures") && method.contains("owned");
    let call = if by_value { owned } else { plain };
    let (asynchronous, call) = match acquiring.how {
        How::Awaited => ("async ", format!("{call}.await")),
        _ => ("", call),
    };
    let body = match acquiring.how {
        How::During => format!("{call};"),
        _ => format!("let _held = {call};\n        tail();"),
    };
    let write = match acquiring.held {
        Held::Shared => format!("    pub fn write(&self) {{\n        self.lock.{}();\n    }}\n", writer(of)),
        Held::Exclusive => String::new(),
    };
    format!(
        "\npub struct {name} {{\n    lock: Arc<{ty}>,\n}}\n\nimpl {name} {{\n    \
         pub fn new() -> {name} {{\n        {name} {{ lock: Arc::new({bare}::{new}) }}\n    }}\n    \
         pub {asynchronous}fn run(&self) {{\n        let _outer = OUTER.lock();\n        {body}\n    }}\n{write}}}\n"
    )
}

/// A function that keeps readers out: locks that are only read are waited for by nobody.
fn writer(of: &str) -> &'static str {
    match of {
        "tokio::RwLock" => "blocking_write",
        "async_lock::RwLock" => "write_blocking",
        "dashmap::DashMap" | "dashmap::DashSet" => "clear",
        _ => "write",
    }
}

fn graph(source: &str) -> LockGraph {
    let project = Project::library("known-locks", source);
    let manifest = fs::read_to_string(project.path("Cargo.toml")).expect("just written");
    let versions = root().join("tests/fixtures/programs/Cargo.lock");
    let versions = fs::read_to_string(versions).expect("the versions of the dependencies");
    let manifest = format!("{manifest}{DEPENDENCIES}");
    let project = project.file("Cargo.toml", &manifest).file("Cargo.lock", &versions);
    Project::facts("known_locks").iter().for_each(|old| fs::remove_file(old).expect("a removable file"));
    let run = project.analyze(&["-q", "--format", "list"]);
    assert!(matches!(run.code, Some(0 | 1)), "{}", run.stderr);
    let [file] = &Project::facts("known_locks")[..] else { panic!("one crate, one file") };
    let facts = Facts::decode(&fs::read(file).expect("readable facts")).expect("facts of this version");
    lockdep_analyzer::analyze(vec![facts]).expect("there are locks")
}

#[test]
fn every_method_of_the_table_is_real_and_met() {
    let models = Models::shipped();
    let known: BTreeMap<String, Acquiring> =
        models.acquiring().filter(|(key, _)| !is_left_out(key)).collect();
    assert!(known.len() > 150, "the table is gone: {}", known.len());
    let source: String = known.iter().map(|(key, acquiring)| code(key, acquiring)).collect();
    let graph = graph(&format!("{HEAD}{source}"));
    let class = |name: &str| graph.class(&format!("known_locks::{name}"));
    let (outer, tail) = (class("OUTER").expect("met"), class("TAIL").expect("met"));
    let wanted = |class: usize| -> Vec<Wanted> {
        let into = graph.nestings.keys().filter(|nesting| (nesting.held, nesting.wanted) == (outer, class));
        into.map(|nesting| nesting.wanted_as).collect()
    };
    let held = |class: usize| -> Vec<Held> {
        let from = graph.nestings.keys().filter(|nesting| (nesting.held, nesting.wanted) == (class, tail));
        from.map(|nesting| nesting.held_as).collect()
    };
    let mut wrong = Vec::new();
    for (key, acquiring) in &known {
        let Some(class) = class(&format!("{}.lock", name(key))) else {
            wrong.push(format!("{key}: not met"));
            continue;
        };
        if acquiring.how != How::Tries && wanted(class) != [acquiring.wanted] {
            wrong.push(format!("{key}: wanted as {:?}", wanted(class)));
        }
        let holds = acquiring.how != How::During || !["", "1", "&1", "1, 1"].contains(&arguments(key));
        if holds && held(class) != [acquiring.held] {
            wrong.push(format!("{key}: held as {:?}", held(class)));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), known.len(), wrong.join("\n"));
}
