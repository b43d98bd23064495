//! The reader of MIR on real text: what every installed compiler that is new enough prints for `mir/torture.rs`, and
//! what becomes of that text when it is damaged.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::{env, fs};

use lockdep_analyzer::mir::ir::{
    AggregateKind, Body, BodyKind, Callee, Operand, Place, Program, Projection, Rvalue, Statement,
    StatementKind, Terminator, Ty,
};
use lockdep_analyzer::mir::{Problem, id_of_file, impl_header, read_body, read_dump};
use proptest::prelude::*;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mir");

/// The first minor version of Rust whose text is read.
const OLDEST: u32 = 95;

/// The installed toolchains; none stands for the compiler that is used by default.
fn toolchains() -> Vec<Option<String>> {
    let listed = Command::new("rustup").args(["toolchain", "list"]).output();
    let names = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let found: Vec<_> = names
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .map(Some)
        .collect();
    if found.is_empty() { vec![None] } else { found }
}

fn compiler(toolchain: Option<&str>) -> Command {
    match toolchain {
        None => Command::new(env::var_os("RUSTC").unwrap_or("rustc".into())),
        Some(toolchain) => {
            let mut command = Command::new("rustup");
            command.args(["run", toolchain, "rustc"]);
            command
        }
    }
}

fn is_new_enough(toolchain: Option<&str>) -> bool {
    let output = compiler(toolchain).arg("--version").output().expect("the compiler starts");
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    let minor = version.strip_prefix("rustc 1.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    minor.is_some_and(|minor| minor >= OLDEST)
}

/// The dump files of the torture crate, by name.
fn dump(toolchain: Option<&str>) -> Vec<(String, String)> {
    let name = format!("mir-{}-{}", toolchain.unwrap_or("default"), std::process::id());
    let directory: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // What an interrupted run left.
    drop(fs::remove_dir_all(&directory));
    fs::create_dir_all(&directory).expect("a temporary directory");
    let output = compiler(toolchain)
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(DIRECTORY)
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--cap-lints=allow", "torture.rs"])
        .arg("--out-dir")
        .arg(&directory)
        .arg("-Zdump-mir=analysis")
        .arg(format!("-Zdump-mir-dir={}", directory.display()))
        .args(["-Zmir-include-spans=on", "-Ztrim-diagnostic-paths=no"])
        .args(["-Zspan-free-formats", "-Zdump-mir-exclude-alloc-bytes"])
        .output()
        .expect("the compiler starts");
    assert!(output.status.success(), "{toolchain:?}: {}", String::from_utf8_lossy(&output.stderr));
    let mut files: Vec<(String, String)> = fs::read_dir(&directory)
        .expect("the dump")
        .map(|entry| entry.expect("an entry").path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            id_of_file(&name)?;
            Some((name, fs::read_to_string(&path).expect("UTF-8")))
        })
        .collect();
    files.sort();
    fs::remove_dir_all(&directory).expect("the directory is ours");
    files
}

fn default_dump() -> &'static [(String, String)] {
    static DUMP: OnceLock<Vec<(String, String)>> = OnceLock::new();
    DUMP.get_or_init(|| dump(None))
}

fn body<'p>(program: &'p Program, id: &str) -> &'p Body {
    program.bodies.iter().find(|body| body.id == id).unwrap_or_else(|| panic!("no body {id}"))
}

fn statements(body: &Body) -> impl Iterator<Item = &Statement> {
    body.blocks.iter().flat_map(|block| &block.statements)
}

fn values(body: &Body) -> impl Iterator<Item = &Rvalue> {
    statements(body).filter_map(|statement| match &statement.kind {
        StatementKind::Assign(_, value) => Some(value),
        _ => None,
    })
}

/// The definition paths of the closures that a body builds, with the number of captures.
fn closures(body: &Body) -> Vec<(&str, usize)> {
    values(body)
        .filter_map(|value| match value {
            Rvalue::Aggregate(aggregate) => match &aggregate.kind {
                AggregateKind::Closure(id, _) => Some((id.as_str(), aggregate.fields.len())),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

fn callees(body: &Body) -> Vec<&Callee> {
    let terminators = body.blocks.iter().map(|block| &block.terminator);
    terminators
        .filter_map(|terminator| match terminator {
            Terminator::Call(call) => Some(&call.callee),
            _ => None,
        })
        .collect()
}

/// The program without what differs between compilers: positions in the standard library.
fn without_library_spans(mut program: Program) -> Program {
    for body in &mut program.bodies {
        let spans = body
            .blocks
            .iter_mut()
            .flat_map(|block| [&mut block.span])
            .chain(body.statement_spans.iter_mut().flatten());
        for span in spans.chain([&mut body.span]).filter(|span| span.file.starts_with("/rustc/")) {
            *span = Default::default();
        }
    }
    program
}

#[test]
fn every_installed_compiler_is_read_completely_and_alike() {
    let mut first: Option<(Option<String>, Program)> = None;
    for toolchain in toolchains() {
        if !is_new_enough(toolchain.as_deref()) {
            continue;
        }
        let (program, problems) = read_dump("torture", &dump(toolchain.as_deref()));
        assert_eq!(problems, [], "{toolchain:?}");
        assert!(program.bodies.iter().all(|body| body.unread.is_empty()), "{toolchain:?}");
        let program = without_library_spans(program);
        match &first {
            None => first = Some((toolchain, program)),
            Some((other, expected)) => {
                for (body, expected) in program.bodies.iter().zip(&expected.bodies) {
                    assert_eq!(body, expected, "{toolchain:?} and {other:?}");
                }
                assert_eq!(program.bodies.len(), expected.bodies.len(), "{toolchain:?} and {other:?}");
            }
        }
    }
    assert!(first.is_some(), "no compiler is new enough");
}

#[test]
fn facts() {
    let (program, problems) = read_dump("torture", default_dump());
    assert_eq!(problems, []);

    assert_eq!(body(&program, "KING").kind, BodyKind::Static);
    assert_eq!(body(&program, "HOOK").kind, BodyKind::Const);
    let is_static = |name: &'static str| move |value: &Rvalue| matches!(value, Rvalue::Use(Operand::Static(path)) if **path == *name);
    let statics = body(&program, "statics");
    assert!(
        ["KING", "QUEEN", "MOVES", "environ"].into_iter().all(|name| values(statics).any(is_static(name)))
    );
    let lazy = values(body(&program, "LAZY::{constant#0}::{closure#1}")).find_map(|value| match value {
        Rvalue::ThreadLocal(path) => Some(path.as_str()),
        _ => None,
    });
    assert_eq!(lazy, Some("LAZY::{constant#0}::{closure#1}::__RUST_STD_INTERNAL_VAL"));

    // Two captures of one variable, of which the compiler prints one.
    let captures = body(&program, "captures");
    assert_eq!(closures(captures), [("captures::{closure#0}", 2), ("captures::{closure#1}", 3)]);
    let last: Vec<_> = values(captures)
        .filter_map(|value| match value {
            Rvalue::Aggregate(aggregate) if aggregate.fields.len() > 1 => aggregate.fields.last(),
            _ => None,
        })
        .collect();
    let [(None, Operand::Move(borrow)), (None, Operand::Move(whole))] = last[..] else { panic!("{last:?}") };
    let mutex = Ty::Path("std::sync::Mutex".into(), [Ty::Path("u32".into(), Arc::default())].into());
    assert_eq!(captures.locals[borrow.local], Ty::Ref(false, mutex.into()));
    assert_eq!(captures.names.get(&whole.local).map(String::as_str), Some("moves"));
    assert_eq!(closures(body(&program, "{impl#1}::both")), [("{impl#1}::both::{closure#0}", 1)]);
    let guarded = body(&program, "{impl#1}::guarded");
    assert_eq!(closures(guarded), [("{impl#1}::guarded::{closure#0}", 2)]);
    assert_eq!(guarded.names.get(&2).map(String::as_str), Some("guard"));
    let unit = closures(body(&program, "condition::{closure#0}"));
    assert_eq!(unit, [("condition::{closure#0}::{closure#0}", 0)]);
    let waiting = body(&program, "waiting::{closure#0}");
    let built: Vec<_> = closures(waiting).into_iter().map(|(id, _)| id).collect();
    assert_eq!(built, ["waiting::{closure#0}::{closure#0}", "waiting::{closure#0}::{closure#1}"]);
    let yields = waiting.blocks.iter().filter(|block| matches!(block.terminator, Terminator::Yield(..)));
    assert_eq!(yields.count(), 3);
    assert!(built.iter().all(|id| program.bodies.iter().any(|body| body.id == *id)));

    let game = Ty::Path("Game".into(), [Ty::Path("T".into(), Arc::default())].into());
    let square = body(&program, "{impl#0}::square");
    assert_eq!(square.locals[1], Ty::Ref(false, game.into()));
    let source = fs::read_to_string(Path::new(DIRECTORY).join("torture.rs")).expect("the source");
    let header = |body: &Body| impl_header(&source, body.impl_at.as_ref().expect("an impl"));
    assert_eq!(header(square).as_deref(), Some("impl<T: Clone + Debug> Piece for Game<T>"));
    let derived = program.bodies.iter().find(|body| body.path.ends_with("::partial_cmp")).expect("a derive");
    assert_eq!(header(derived).as_deref(), Some("PartialOrd"));

    let matches = body(&program, "matches");
    let targets = matches.blocks.iter().filter_map(|block| match &block.terminator {
        Terminator::Switch(switch) => Some(&switch.targets),
        _ => None,
    });
    let values: Vec<i128> = targets.flatten().map(|(value, _)| *value).collect();
    assert!(values.contains(&-1) && values.contains(&i128::MAX));
    let assembly = body(&program, "assembly");
    let ends: Vec<_> = assembly.blocks.iter().map(|block| &block.terminator).collect();
    assert_eq!(ends.iter().filter(|end| matches!(end, Terminator::Asm(_))).count(), 2);
    let is_pointer = |callee: &&Callee| matches!(callee, Callee::Place(_));
    assert_eq!(callees(body(&program, "pointers")).into_iter().filter(is_pointer).count(), 5);
}

/// Every local and every block that is mentioned exists.
fn assert_fits(body: &Body) {
    let local = |place: &Place| assert!(place.local < body.locals.len(), "{}: _{}", body.id, place.local);
    let block = |number: usize| assert!(number < body.blocks.len(), "{}: bb{number}", body.id);
    for statement in statements(body) {
        match &statement.kind {
            StatementKind::Assign(dest, Rvalue::Use(Operand::Copy(place) | Operand::Move(place))) => {
                local(dest);
                local(place);
            }
            StatementKind::Assign(dest, _) => local(dest),
            StatementKind::StorageLive(number) | StatementKind::StorageDead(number) => {
                local(&Place::local(*number))
            }
        }
    }
    for terminator in body.blocks.iter().map(|block| &block.terminator) {
        match terminator {
            Terminator::Goto(to) => block(*to),
            Terminator::Drop(place, to) | Terminator::Yield(place, to) => {
                local(place);
                block(*to);
            }
            Terminator::Switch(switch) => {
                switch.targets.iter().map(|(_, to)| *to).chain(switch.otherwise).for_each(block);
            }
            Terminator::Call(call) => {
                local(&call.dest);
                call.target.into_iter().for_each(block);
            }
            Terminator::Asm(to) => to.iter().copied().for_each(block),
            Terminator::Return | Terminator::End | Terminator::Unread => {}
        }
    }
}

fn read_damaged(text: &str) -> (Vec<Body>, Vec<Problem>) {
    let (bodies, problems) = read_body("damaged", text);
    bodies.iter().for_each(assert_fits);
    let unread =
        bodies.iter().any(|body| body.blocks.iter().any(|block| block.terminator == Terminator::Unread));
    assert!(!unread || !problems.is_empty(), "an unread terminator is a problem");
    (bodies, problems)
}

/// Lines whose loss or repetition shows.
fn is_structure(line: &str) -> bool {
    let code = line.trim_start();
    code.starts_with("bb")
        || code.starts_with("scope ")
        || code.starts_with("fn ")
        || code.starts_with("return;")
        || code.starts_with("goto ")
        || code.starts_with("drop(")
        || code.starts_with("switchInt(")
        || code.starts_with("let mut _0")
        || code == "}"
        || (code.contains(" -> [return: bb") && code.starts_with('_') && !code.contains('"'))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes_do_no_harm(
        file in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()), 1..5),
    ) {
        const BYTES: &[u8] = b"(){}[]<>\"'\\/;:,.*&_-=> \n01asbbfn";
        let mut text = file.get(default_dump()).1.clone().into_bytes();
        for (at, what, replace) in edits {
            let at = at.index(text.len());
            if replace {
                text[at] = *what.get(BYTES);
            } else {
                text.insert(at, *what.get(BYTES));
            }
        }
        read_damaged(&String::from_utf8_lossy(&text));
    }

    #[test]
    fn a_text_that_ends_early_is_noticed(file in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()) {
        let text = &file.get(default_dump()).1;
        let end = text.find("\n}\n").map_or(text.len(), |end| end + 1);
        let cut = text.floor_char_boundary(at.index(end));
        prop_assert!(!read_damaged(&text[..cut]).1.is_empty());
    }

    #[test]
    fn a_line_lost_or_repeated_is_noticed(
        file in any::<prop::sample::Index>(),
        line in any::<prop::sample::Index>(),
        lost in any::<bool>(),
    ) {
        let lines: Vec<&str> = file.get(default_dump()).1.lines().collect();
        let structure: Vec<usize> = (0..lines.len()).filter(|at| is_structure(lines[*at])).collect();
        let at = *line.get(&structure);
        let mut damaged = lines.clone();
        if lost {
            damaged.remove(at);
        } else {
            damaged.insert(at, lines[at]);
        }
        let (_, problems) = read_damaged(&(damaged.join("\n") + "\n"));
        prop_assert!(!problems.is_empty(), "{}", lines[at]);
    }
}

#[test]
fn deep_nesting_ends() {
    let places = |depth: usize| Place { local: 1, projection: vec![Projection::Deref; depth].into() };
    for (depth, is_read) in [(100, true), (10_000, false)] {
        let code = format!("_1 = copy {}_1{};", "(*".repeat(depth), ")".repeat(depth));
        let ty = format!("{}u8{}", "(".repeat(depth), ",)".repeat(depth));
        let text = format!(
            "fn f(_1: {ty}) -> () {{\n    let mut _0: ();\n    bb0: {{\n        {code}\n        return;\n    }}\n}}\n"
        );
        let (bodies, problems) = read_damaged(&text);
        assert_eq!(problems.is_empty(), is_read, "{depth}");
        let read = statements(&bodies[0]).any(|statement| {
            statement.kind == StatementKind::Assign(places(0), Rvalue::Use(Operand::Copy(places(depth))))
        });
        assert_eq!(read, is_read, "{depth}");
    }
}
