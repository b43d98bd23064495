//! The reader of MIR on texts written by hand: what each form becomes, and that nothing is dropped in silence.

use std::sync::Arc;

use lockdep_analyzer::mir::ir::{
    AggregateKind, Body, BodyKind, Callee, Operand, Place, Projection, Rvalue, StatementKind, Switch,
    Terminator, Ty,
};
use lockdep_analyzer::mir::{id_of_file, impl_header, ir::Span, read_body, read_dump};

/// A function with the locals `_0: ()` to `_9: u8`, one block of `lines`, and a second block.
fn body_text(lines: &[&str], tail: &str) -> String {
    let mut text = String::from("// MIR for `f` after analysis\n\nfn f() -> () {\n");
    text.push_str("    let mut _0: ();      // return place in scope 0 at src/f.rs:1:8: 1:9\n");
    for local in 1..10 {
        text.push_str(&format!("    let mut _{local}: u8;  // in scope 0 at src/f.rs:1:1: 1:2\n"));
    }
    text.push_str("\n    bb0: {\n");
    for line in lines {
        text.push_str(&format!("        {line} // scope 0 at src/f.rs:2:5: 2:9\n"));
    }
    text.push_str("    }\n\n    bb1: {\n        return; // scope 0 at src/f.rs:3:1: 3:2\n    }\n}\n");
    text.push_str(tail);
    text
}

fn read(lines: &[&str], tail: &str) -> Body {
    let (mut bodies, problems) = read_body("f", &body_text(lines, tail));
    assert_eq!(problems, [], "of {lines:?}");
    assert_eq!(bodies.len(), 1);
    bodies.remove(0)
}

/// The value assigned by `_1 = value;`.
fn value(value: &str) -> Rvalue {
    value_with(value, "")
}

fn value_with(value: &str, tail: &str) -> Rvalue {
    let body = read(&[&format!("_1 = {value};"), "goto -> bb1;"], tail);
    match &body.blocks[0].statements[..] {
        [statement] => match &statement.kind {
            StatementKind::Assign(dest, value) if *dest == Place::local(1) => value.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn terminator(line: &str) -> Terminator {
    read(&[line], "").blocks[0].terminator.clone()
}

fn call(line: &str) -> (Callee, Vec<Operand>, Option<usize>) {
    match terminator(line) {
        Terminator::Call(call) => (call.callee, call.args, call.target),
        other => panic!("{other:?}"),
    }
}

fn path(name: &str) -> Ty {
    Ty::Path(name.into(), Arc::default())
}

fn problems_of(lines: &[&str]) -> Vec<String> {
    let (bodies, problems) = read_body("f", &body_text(lines, ""));
    let texts: Vec<String> = problems.into_iter().map(|problem| problem.text).collect();
    assert_eq!(bodies[0].unread, texts, "a problem makes its body incomplete");
    texts
}

#[test]
fn literals_that_look_like_syntax() {
    for text in [
        r#""a // scope 1 at x.rs""#,
        r#"") -> [return: bb1]""#,
        r#""\"; // scope 0 at y.rs:1:1: 1:2""#,
        r#"" as u8 (IntToInt)""#,
        r#"b"\x00\'(""#,
        r"'('",
        r"'\''",
        "'\"'",
        "'é'",
    ] {
        assert_eq!(value(&format!("const {text}")), Rvalue::Use(Operand::Const(text.into())));
        let (callee, args, target) =
            call(&format!("_1 = g(const {text}, move _2) -> [return: bb1, unwind continue];"));
        assert_eq!(callee, Callee::Path { path: "g".to_owned(), generics: Vec::new() });
        assert_eq!(args, [Operand::Const(text.into()), Operand::Move(Place::local(2))]);
        assert_eq!(target, Some(1));
    }
    // A constant's path may contain an arrow.
    let arrow = "f::<impl FnOnce() -> bool>::promoted[0]";
    assert_eq!(value(&format!("const {arrow}")), Rvalue::Use(Operand::Const(arrow.into())));
}

#[test]
fn callees() {
    let lock = "_1 = ld::Mutex::<spin::mutex::Mutex<()>, u32, ld::Declared<locks::paging, 64, true>>::lock(copy _2) \
                -> [return: bb1, unwind: bb1];";
    let declared = Ty::Path(
        "ld::Declared".into(),
        [path("locks::paging"), Ty::Const("64".into()), Ty::Const("true".into())].into(),
    );
    let spin = Ty::Path("spin::mutex::Mutex".into(), [Ty::unit()].into());
    let generics = vec![(1, vec![spin, path("u32"), declared])];
    assert_eq!(call(lock).0, Callee::Path { path: "ld::Mutex::lock".to_owned(), generics });

    let qualified = "_1 = <S<'_, T> as a::Tr<u8>>::go::<'_, X>(copy _2) -> [return: bb1, unwind continue];";
    let expected = Callee::Qualified {
        this: Ty::Path("S".into(), [path("T")].into()),
        of: Some(Ty::Path("a::Tr".into(), [path("u8")].into())),
        method: "go".to_owned(),
        generics: vec![path("X")],
    };
    assert_eq!(call(qualified).0, expected);

    let inherent = "_1 = core::slice::<impl [u8]>::len(copy _2) -> [return: bb1, unwind continue];";
    let expected = Callee::Path { path: "core::slice::<impl [u8]>::len".to_owned(), generics: Vec::new() };
    assert_eq!(call(inherent).0, expected);

    let opaque = "_1 = take::<impl Fn(u8) -> u8>(copy _2) -> [return: bb1, unwind continue];";
    let generics = vec![(0, vec![Ty::Opaque("Fn(u8) -> u8".into())])];
    assert_eq!(call(opaque).0, Callee::Path { path: "take".to_owned(), generics });

    let of_opaque = "_1 = <impl FnOnce() -> u8 as FnOnce<()>>::call_once(move _2, move _3) -> [return: bb1, unwind: bb1];";
    assert!(matches!(call(of_opaque).0, Callee::Qualified { this: Ty::Opaque(_), of: Some(_), .. }));

    let pointer = call("_1 = move (*_4)(const 1_u8) -> [return: bb1, unwind continue];");
    assert_eq!(pointer.0, Callee::Place(Place { local: 4, projection: vec![Projection::Deref].into() }));

    let path = "core::panicking::panic".to_owned();
    let diverging = Callee::Path { path, generics: Vec::new() };
    for way in ["bb1", "unwind continue", "unwind terminate(cleanup)", "unwind unreachable"] {
        let read = call(&format!("_1 = core::panicking::panic(const \"x\") -> {way};"));
        assert_eq!((read.0, read.2), (diverging.clone(), None));
    }
}

#[test]
fn places() {
    let text = "move ((((*(_1.2: &mut S<'_, [u8; 4]>)) as Some).0: (u8, fn(u8) -> !)).1: fn(u8) -> !)[_3]";
    let array = Ty::Array(path("u8").into(), "4".into());
    let function = Ty::FnPtr([path("u8")].into(), Ty::Never.into());
    let projection = vec![
        Projection::Field(2, Ty::Ref(true, Ty::Path("S".into(), [array].into()).into())),
        Projection::Deref,
        Projection::Downcast("Some".to_owned()),
        Projection::Field(0, Ty::Tuple([path("u8"), function.clone()].into())),
        Projection::Field(1, function),
        Projection::Index,
    ];
    assert_eq!(value(text), Rvalue::Use(Operand::Move(Place { local: 1, projection: projection.into() })));
    for index in ["_3", "1 of 2", "-1 of 2", "1:", "1..3", ":-1", "1:-1"] {
        let place = Place { local: 4, projection: vec![Projection::Index].into() };
        assert_eq!(value(&format!("copy _4[{index}]")), Rvalue::Use(Operand::Copy(place)));
    }
    // Older compilers print a copy as a place by itself.
    let place = Place { local: 4, projection: vec![Projection::Deref].into() };
    assert_eq!(value("(*_4)"), Rvalue::Use(Operand::Copy(place)));
}

#[test]
fn values() {
    let two = || Place::local(2);
    assert_eq!(value("&mut _2"), Rvalue::Ref { mutable: true, place: two() });
    assert_eq!(value("&raw mut _2"), Rvalue::RawPtr(two()));
    assert_eq!(value("deref_copy _2"), Rvalue::DerefCopy(two()));
    assert_eq!(value("discriminant(_2)"), Rvalue::Discriminant(two()));
    assert_eq!(value("&/*tls*/ a::LOCAL"), Rvalue::ThreadLocal("a::LOCAL".to_owned()));
    assert_eq!(value("AddWithOverflow(move _2, const 1_u8)"), other(&[Operand::Move(two()), one()]));
    assert_eq!(value("PtrMetadata(copy _2)"), other(&[Operand::Copy(two())]));
    let cast = "move _2 as &dyn Tr<'_> (PointerCoercion(Unsize, Implicit))";
    let ty = Ty::Ref(false, Ty::Dyn("Tr".into()).into());
    assert_eq!(value(cast), Rvalue::Cast(Operand::Move(two()), ty.into()));
    assert_eq!(fields("(move _2, const 1_u8)"), (AggregateKind::Tuple, vec![None, None]));
    assert_eq!(fields("[const 1_u8; 4]"), (AggregateKind::Array, vec![None]));
    assert_eq!(fields("[]"), (AggregateKind::Array, vec![]));
    let some = AggregateKind::Adt("std::option::Option::Some".to_owned());
    assert_eq!(fields("std::option::Option::<&u8>::Some(copy _2)"), (some, vec![None]));
    let point = AggregateKind::Adt("a::Point".to_owned());
    let names = vec![Some("x".to_owned()), Some("y".to_owned())];
    assert_eq!(fields("a::Point { x: copy _2, y: const A::<{ N }>::K }"), (point, names));
    assert_eq!(fields("Unit"), (AggregateKind::Adt("Unit".to_owned()), vec![]));
    let of_item = "core::ops::Range::<usize> { start: const 0_usize, end: const usize::MAX }";
    let Rvalue::Aggregate(range) = value(of_item) else { panic!("{of_item}") };
    assert_eq!(range.fields[1].1, Operand::Const("usize::MAX".into()));
}

fn one() -> Operand {
    Operand::Const("1_u8".into())
}

fn other(operands: &[Operand]) -> Rvalue {
    Rvalue::Other(operands.to_vec())
}

fn fields(text: &str) -> (AggregateKind, Vec<Option<String>>) {
    match value(text) {
        Rvalue::Aggregate(aggregate) => {
            (aggregate.kind, aggregate.fields.into_iter().map(|(name, _)| name).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn functions_and_statics_as_values() {
    let item = "a::f::<u8> as fn(u8) -> u8 (PointerCoercion(ReifyFnPointer(Safe), Implicit))";
    let callee = Callee::Path { path: "a::f".to_owned(), generics: vec![(1, vec![path("u8")])] };
    assert!(
        matches!(value(item), Rvalue::Cast(Operand::Fn(found), to) if *found == callee && matches!(*to, Ty::FnPtr(..)))
    );
    let tail = "\nalloc1 (static: m::H, size: 8, align: 4) { .. }\nalloc2 (extern static: X)\nalloc3 (fn: m::g)\n\
                \nalloc4 (size: 1, align: 1) {\n    2a │ *\n}\n\nalloc5 (vtable: impl Tr for S)\n";
    let of = |alloc: &str| value_with(&format!("const {{{alloc}: &T}}"), tail);
    assert_eq!(of("alloc1"), Rvalue::Use(Operand::Static("m::H".into())));
    assert_eq!(of("alloc2"), Rvalue::Use(Operand::Static("X".into())));
    let function = Callee::Path { path: "m::g".to_owned(), generics: Vec::new() };
    assert_eq!(of("alloc3"), Rvalue::Use(Operand::Fn(function.into())));
    assert_eq!(of("alloc4"), Rvalue::Use(Operand::Const("{alloc4: &T}".into())));
    // A part of a static is not the static.
    assert_eq!(of("alloc1+0x4"), Rvalue::Use(Operand::Const("{alloc1+0x4: &T}".into())));
}

#[test]
fn terminators() {
    assert_eq!(terminator("falseEdge -> [real: bb1, imaginary: bb0];"), Terminator::Goto(1));
    assert_eq!(terminator("falseUnwind -> [real: bb1, unwind: bb0];"), Terminator::Goto(1));
    let assert = r#"assert(!move _2, "`{}` // scope 0 at x", copy _3) -> [success: bb1, unwind continue];"#;
    assert_eq!(terminator(assert), Terminator::Goto(1));
    assert_eq!(
        terminator("drop(_2) -> [return: bb1, unwind: bb0, drop: bb0];"),
        Terminator::Drop(Place::local(2), 1)
    );
    assert_eq!(
        terminator("_2 = yield(move _3) -> [resume: bb1, drop: bb0];"),
        Terminator::Yield(Place::local(2), 1)
    );
    assert_eq!(terminator("_2 = yield(move _3) -> bb1;"), Terminator::Yield(Place::local(2), 1));
    assert_eq!(terminator("terminate(cleanup);"), Terminator::End);
    let max = u128::MAX;
    let switch = Terminator::Switch(Box::new(Switch {
        on: Operand::Copy(Place::local(2)),
        targets: vec![(0, 1), (-1, 0)],
        otherwise: Some(1),
    }));
    assert_eq!(terminator(&format!("switchInt(copy _2) -> [0: bb1, {max}: bb0, otherwise: bb1];")), switch);
    let assembly =
        "asm!(\"nop // \"; // scope\n\n}}\", in(reg) copy _2, options()) -> [return: bb1, label: bb0];";
    assert_eq!(terminator(assembly), Terminator::Asm(vec![1, 0]));
}

#[test]
fn statements_without_effect_are_skipped() {
    let lines = [
        "FakeRead(ForLet(None), _2);",
        "PlaceMention((*_2));",
        "AscribeUserType(_2, o, UserTypeProjection { base: UserType(1), projs: [] });",
        "_2 = &fake shallow _3;",
        "discriminant(_2) = 1;",
        "Coverage::VirtualCounter(bcb0);",
        "nop;",
        "StorageLive(_2);",
        "goto -> bb1;",
    ];
    let body = read(&lines, "");
    assert_eq!(body.blocks[0].statements.len(), 1);
    assert_eq!(body.blocks[0].statements[0].kind, StatementKind::StorageLive(2));
    assert_eq!(body.blocks[0].span.to_string(), "src/f.rs:2:5");
    assert_eq!(body.span.to_string(), "src/f.rs:1:8");
}

#[test]
fn nothing_is_dropped_in_silence() {
    assert_eq!(problems_of(&["Frobnicate(_2);", "goto -> bb1;"]).len(), 1);
    assert_eq!(problems_of(&["_2 = move _3 %% 4;", "goto -> bb1;"]).len(), 1);
    assert_eq!(problems_of(&["StorageLive(_2);"]), ["the block does not end"]);
    assert_eq!(problems_of(&["tailcall g(move _2);"]).len(), 2);
    assert_eq!(problems_of(&["return;", "return;"]).len(), 1);
    let unfit = ["a local or a block that is mentioned does not exist"];
    assert_eq!(problems_of(&["goto -> bb7;"]), unfit);
    assert_eq!(problems_of(&["_12 = move _3;", "goto -> bb1;"]), unfit);
    let deep = format!("_1 = copy {}_1{};", "(*".repeat(200), ")".repeat(200));
    assert_eq!(problems_of(&[&deep, "goto -> bb1;"]).len(), 1);
    for text in ["", "fn f( {\n    bb0: {\n    }\n}\n", "alloc1 (static: H)\n"] {
        let (bodies, problems) = read_body("f", text);
        assert_eq!(problems.len(), 1, "{text}");
        assert_eq!((bodies.len(), bodies[0].id.as_str(), bodies[0].unread.len()), (1, "f", 1), "{text}");
    }
    let line = read_body("f", &format!("\n{}", body_text(&["nop %;", "goto -> bb1;"], ""))).1.remove(0).line;
    assert_eq!(line, 17);
}

#[test]
fn a_type_nested_too_deeply_is_kept_as_printed() {
    let ty = format!("{}u8{}", "Box<".repeat(300), ">".repeat(300));
    let Rvalue::Cast(_, ty) = value(&format!("move _2 as {ty} (Transmute)")) else { panic!("{ty}") };
    assert!(ty.any(&mut |ty| matches!(ty, Ty::Other(_))));
}

#[test]
fn a_coroutine() {
    let text = "// MIR for `m::<impl at src/a.rs:3:1: 3:7>::go::{closure#0}` after analysis\n\n\
        | User Type Annotations\n| 0: user_ty: x\n|\n\
        fn m::<impl at src/a.rs:3:1: 3:7>::go::{closure#0}(_1: {async fn body of S<T>::go()}, _2: std::future::ResumeTy) \
        -> impl Fn(u8) -> u8\nyields ()\n {\n    \
        debug _task_context => _2; // in scope 0 at src/a.rs:4:5: 4:6\n    \
        debug self => (*(_1.0: &S<T>)); // in scope 0 at src/a.rs:4:5: 4:6\n    \
        let mut _0: u8; // return place in scope 0 at no-location\n    scope 1 {\n        \
        let _3: u8 as UserTypeProjection { base: UserType(2), projs: [] }; // in scope 1 at src/a.rs:5:5: 5:6\n    }\n\n    \
        bb0 (cleanup): {\n        resume; // scope 0 at no-location\n    }\n}\n";
    let (bodies, problems) = read_body("m::{impl#0}::go::{closure#0}", text);
    assert_eq!(problems, []);
    let body = &bodies[0];
    assert_eq!((body.kind, body.params, body.locals.len()), (BodyKind::Fn, 2, 4));
    assert_eq!(body.locals[1], Ty::Closure("async fn body of S<T>::go()".into()));
    assert_eq!(
        body.names.iter().map(|(local, name)| (*local, name.as_str())).collect::<Vec<_>>(),
        [(2, "_task_context")]
    );
    assert_eq!(body.impl_at.as_ref().map(Span::to_string).as_deref(), Some("src/a.rs:3:1"));
    assert!(body.blocks[0].cleanup);
}

#[test]
fn names_of_files() {
    let id = |name: &str| id_of_file(name).map(|(krate, id)| format!("{krate} {id}"));
    let method = Some("probe ld::{impl#0}::lock".to_owned());
    assert_eq!(id("probe.ld-{impl#0}-lock.2-1-000.analysis.after.mir"), method);
    assert_eq!(id("probe.ld-{impl#0}-lock.-------.analysis.after.mir"), method);
    assert_eq!(id("probe.ld-{impl#0}-lock.analysis.after.mir"), method);
    let promoted = Some("probe K::promoted[0]".to_owned());
    assert_eq!(id("probe.K-promoted[0].2-1-000.analysis.after.mir"), promoted);
    assert_eq!(id("probe.H.2-2-000.analysis-post-cleanup.after.mir"), None);
    assert_eq!(id("probe.H.2-1-004.SimplifyCfg-post-analysis.after.mir"), None);
    assert_eq!(id("probe.analysis.after.mir"), None);
}

#[test]
fn a_dump_is_read_in_any_order() {
    let text = |name: &str| body_text(&["goto -> bb1;"], "").replacen("fn f(", &format!("fn {name}("), 1);
    let file = |name: &str| (format!("k.{name}.analysis.after.mir"), text(name));
    let mut files = vec![file("b"), file("a"), file("c"), ("k.a.built.after.mir".to_owned(), "x".to_owned())];
    let first = read_dump("k", &files);
    files.reverse();
    assert_eq!(read_dump("k", &files), first);
    assert_eq!(first.1, []);
    assert_eq!(first.0.bodies.iter().map(|body| body.id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(
        read_dump("k", &[("k.b.analysis.after.mir".to_owned(), text("a"))]).1.len(),
        1,
        "another function"
    );
    files.push(("k.a.2-1-000.analysis.after.mir".to_owned(), text("a")));
    assert_eq!(read_dump("k", &files).1.len(), 1, "the same definition twice");
    assert_eq!(read_dump("other", &files[..2]).1.len(), 1, "a file of another crate");
}

#[test]
fn headers_of_impls() {
    let source = "use x;\n  impl<'a, T: Fn(u8) -> u8, const N: usize> /* why */\n    a::Tr<{ N + 1 }> for S<'a, T>\n  \
                  where\n    T: Copy,\n  {\n}\n#[derive(Clone, Debug)]\nstruct É;impl É {}\n";
    let header = |line, column, end_line, end_column| {
        impl_header(source, &Span { file: "".into(), line, column, end_line, end_column })
    };
    let expected = "impl<'a, T: Fn(u8) -> u8, const N: usize> a::Tr<{ N + 1 }> for S<'a, T>";
    assert_eq!(header(2, 3, 3, 34).as_deref(), Some(expected));
    assert_eq!(header(2, 3, 0, 0).as_deref(), Some(expected), "without an end");
    assert_eq!(header(8, 17, 8, 22).as_deref(), Some("Debug"));
    assert_eq!(header(8, 17, 0, 0).as_deref(), Some("Debug"));
    assert_eq!(header(9, 10, 9, 16).as_deref(), Some("impl É"), "columns count characters");
    assert_eq!(header(99, 1, 99, 2), None);
    assert_eq!(header(0, 0, 0, 0), None);
}
