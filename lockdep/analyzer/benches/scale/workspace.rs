//! A workspace of any size, as facts: crates of two thousand lines each, with locks in a layered order.
//!
//! Crates come in families of [`FAMILY`], which are layers: a crate calls into some of the next layer of its family with
//! its own locks held, and into the logger, which every crate uses. A family has a trait of its own, called through
//! `dyn`. Names (`new`, `get`, `fmt`, `drop`, `Store`) are the same in all crates, as they are in real ones. Proportions
//! are those of real crates: per line half a block and four to five statements, a function for every fourteen lines.

use std::sync::Arc;

use lockdep_analyzer::facts::{FORMAT, Facts, Header};
use lockdep_analyzer::mir::ir::{
    Aggregate, AggregateKind, Body, Callee, Operand, Place, Program, Projection, Rvalue, Ty,
};

use super::function::{Function, named, path, reference};

/// Crates that call each other.
const FAMILY: usize = 50;
/// Crates of one layer of a family.
const LAYER: usize = 10;
/// Functions of a crate that have nothing to do with locks.
const PLAIN: usize = 110;
/// Which fields of `Store` are locks.
const KING: u32 = 1;
const QUEEN: u32 = 2;

/// What locks the workspace has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Locks {
    /// Those of a declared order.
    Declared,
    /// Mutexes of the standard library.
    Std,
}

/// The workspace to make.
#[derive(Clone, Copy)]
pub struct Workspace {
    /// How many crates.
    pub crates: usize,
    /// Which locks.
    pub locks: Locks,
    /// Whether the last crate takes two locks of other crates against their order.
    pub inverted: bool,
}

fn name(krate: usize) -> String {
    format!("c{krate:04}")
}

impl Workspace {
    /// The facts of one crate.
    pub fn facts(&self, number: usize) -> Facts {
        let krate = Crate { of: self, number, file: format!("{}/src/store.rs", name(number)).into() };
        let mut bodies = krate.bodies();
        bodies.sort_by(|a, b| a.id.cmp(&b.id));
        let header = Header { format: FORMAT, krate: name(number), ..Header::default() };
        Facts {
            header,
            program: Program { krate: name(number), bodies, ..Program::default() },
            problems: Vec::new(),
        }
    }
}

struct Crate<'w> {
    of: &'w Workspace,
    number: usize,
    file: Arc<str>,
}

impl Crate<'_> {
    fn bodies(&self) -> Vec<Body> {
        let mut bodies = vec![
            self.simple("touch", KING, 20),
            self.simple("count", QUEEN, 40),
            self.both(),
            self.visit(),
            self.closure(),
            self.log(),
            self.run(),
            self.dispatch(),
            self.fmt(),
            self.destructor(),
        ];
        bodies.extend(self.below().map(|callee| self.descend(callee)));
        bodies.extend((0..PLAIN).map(|number| self.plain(number)));
        if self.of.inverted && self.number + 1 == self.of.crates {
            bodies.push(self.planted());
        }
        bodies
    }

    /// The crates of the next layer that this one calls.
    fn below(&self) -> impl Iterator<Item = usize> {
        let (start, place) = (self.number / FAMILY * FAMILY, self.number % FAMILY);
        let next = (place / LAYER + 1) * LAYER;
        let crates = self.of.crates;
        (0..3)
            .map(move |way| start + next + (place * 3 + way * 7) % LAYER)
            .filter(move |callee| next < FAMILY && *callee < crates)
    }

    /// A path of crate `krate` as it is printed here.
    fn seen(&self, krate: usize, path: &str) -> String {
        if krate == self.number { path.to_owned() } else { format!("{}::{path}", name(krate)) }
    }

    fn store(&self, krate: usize) -> Ty {
        path(&self.seen(krate, "store::Store"))
    }

    /// The type arguments of a lock: raw lock, contents, class.
    fn arguments(&self, krate: usize, field: u32) -> Vec<Ty> {
        let raw = Ty::Path("spin::mutex::Mutex".into(), [Ty::unit()].into());
        let class = if field == KING { "king" } else { "queen" };
        let marker = self.seen(krate, &format!("order{krate}::decl::{class}"));
        // Lower layers have higher levels.
        let level = 2 * (krate % FAMILY) + usize::from(field == QUEEN);
        let number = |value: usize| Ty::Const(value.to_string().into());
        let class =
            Ty::Path("lockdep::class::Declared".into(), [path(&marker), number(level), number(0)].into());
        match self.of.locks {
            Locks::Declared => vec![raw, path("u64"), class],
            Locks::Std => vec![path("u64")],
        }
    }

    /// Acquires the lock in a field of the store that `of` points to.
    fn lock(&self, function: &mut Function, of: usize, krate: usize, field: u32) -> usize {
        let arguments = self.arguments(krate, field);
        let generic = |name: &str| Ty::Path(name.into(), arguments.clone().into());
        let (module, result) = match self.of.locks {
            Locks::Declared => ("lockdep", generic("lockdep::MutexGuard")),
            Locks::Std => {
                let guard = generic("std::sync::MutexGuard");
                let poison = Ty::Path("std::sync::PoisonError".into(), [guard.clone()].into());
                ("std::sync", Ty::Path("std::result::Result".into(), [guard, poison].into()))
            }
        };
        let lock = function.field(of, field, generic(&format!("{module}::Mutex")));
        let callee =
            Callee::Path { path: format!("{module}::Mutex::lock"), generics: vec![(1, arguments.clone())] };
        let guard = function.call(result.clone(), callee, vec![Operand::Move(Place::local(lock))]);
        let Ty::Path(_, inside) = result else { return guard };
        if self.of.locks == Locks::Declared {
            return guard;
        }
        let unwrap = Callee::Path {
            path: "std::result::Result::unwrap".to_owned(),
            generics: vec![(1, inside.to_vec())],
        };
        function.call(inside[0].clone(), unwrap, vec![Operand::Move(Place::local(guard))])
    }

    fn method(&self, member: &str, line: u32, more: Vec<Ty>) -> Function {
        let params = std::iter::once(reference(self.store(self.number))).chain(more).collect();
        let id = format!("store::{{impl#0}}::{member}");
        Function::new(id, &self.file, line, params, path("u64")).of("impl Store")
    }

    /// Takes one lock for a moment.
    fn simple(&self, member: &str, field: u32, line: u32) -> Body {
        let mut function = self.method(member, line, Vec::new());
        let guard = self.lock(&mut function, 1, self.number, field);
        self.log_call(&mut function);
        function.drop(guard);
        function.finish()
    }

    /// Takes both locks of its own, by itself and through a method.
    fn both(&self) -> Body {
        let mut function = self.method("both", 60, Vec::new());
        let king = self.lock(&mut function, 1, self.number, KING);
        let queen = self.lock(&mut function, 1, self.number, QUEEN);
        function.drop(queen);
        let this = function.copy(1);
        function.call(path("u64"), named("store::Store::count".to_owned()), vec![this]);
        function.drop(king);
        function.finish()
    }

    /// Holds a lock of its own and calls another crate.
    fn descend(&self, callee: usize) -> Body {
        let other = reference(self.store(callee));
        let mut function = self.method(&format!("descend{callee}"), 80, vec![other]);
        let guard = self.lock(&mut function, 1, self.number, KING);
        for member in ["touch", "both", "visit"] {
            let other = function.copy(2);
            let callee = named(self.seen(callee, &format!("store::Store::{member}")));
            function.call(path("u64"), callee, vec![other]);
        }
        function.drop(guard);
        function.finish()
    }

    fn closure_type(&self) -> Ty {
        Ty::Closure("closure@store::Store::visit::{closure#0}".into())
    }

    /// Gives a closure that takes a lock to a foreign function.
    fn visit(&self) -> Body {
        let mut function = self.method("visit", 100, Vec::new());
        let kind =
            AggregateKind::Closure("store::{impl#0}::visit::{closure#0}".to_owned(), self.closure_type());
        let fields = vec![(Some("self".to_owned()), function.copy(1))];
        let closure =
            function.assign(self.closure_type(), Rvalue::Aggregate(Aggregate { kind, fields }.into()));
        let option = Ty::Path("std::option::Option".into(), [path("u64")].into());
        let callee = Callee::Path {
            path: "std::option::Option::map".to_owned(),
            generics: vec![(1, vec![path("u64")]), (2, vec![path("u64"), self.closure_type()])],
        };
        let some = Operand::Const("std::option::Option::<u64>::None".into());
        function.call(option, callee, vec![some, Operand::Move(Place::local(closure))]);
        function.finish()
    }

    fn closure(&self) -> Body {
        let id = "store::{impl#0}::visit::{closure#0}".to_owned();
        let mut function =
            Function::new(id, &self.file, 105, vec![self.closure_type(), path("u64")], path("u64"))
                .of("impl Store");
        let store = reference(self.store(self.number));
        let captured = Place { local: 1, projection: vec![Projection::Field(0, store.clone())].into() };
        let this = function.assign(store, Rvalue::Use(Operand::Copy(captured)));
        let guard = self.lock(&mut function, this, self.number, QUEEN);
        function.drop(guard);
        function.finish()
    }

    /// The logger of the workspace, which is crate 0's.
    fn log_call(&self, function: &mut Function) {
        let text = Operand::Const("\"message\"".into());
        function.call(Ty::unit(), named(self.seen(0, "log::write")), vec![text]);
    }

    fn log(&self) -> Body {
        let params = vec![reference(path("str"))];
        let mut function = Function::new("log::write".to_owned(), &self.file, 120, params, Ty::unit());
        let once = function.copy(1);
        function.call(path("usize"), named("core::str::len".to_owned()), vec![once]);
        function.finish()
    }

    /// The family's trait, declared by its first crate.
    fn task(&self) -> String {
        self.seen(self.number / FAMILY * FAMILY, "task::Task")
    }

    /// This crate's implementation of it.
    fn run(&self) -> Body {
        let id = "store::{impl#1}::run".to_owned();
        let params = vec![reference(self.store(self.number))];
        let header = format!("impl {} for Store", self.task());
        let mut function = Function::new(id, &self.file, 130, params, path("u64")).of(&header);
        let this = function.copy(1);
        function.call(path("u64"), named("store::Store::plain0".to_owned()), vec![this]);
        function.finish()
    }

    /// Runs any task of the family.
    fn dispatch(&self) -> Body {
        let any = Ty::Dyn(self.task().into());
        let params = vec![reference(any.clone())];
        let mut function = Function::new("store::dispatch".to_owned(), &self.file, 140, params, path("u64"));
        let of = Some(path(&self.task()));
        let callee = Callee::Qualified { this: any, of, method: "run".to_owned(), generics: Vec::new() };
        let task = function.copy(1);
        function.call(path("u64"), callee, vec![task]);
        function.finish()
    }

    fn fmt(&self) -> Body {
        let id = "store::{impl#2}::fmt".to_owned();
        let formatter = Ty::Ref(true, Arc::new(path("std::fmt::Formatter")));
        let params = vec![reference(self.store(self.number)), formatter];
        let mut function = Function::new(id, &self.file, 150, params, path("u64")).of("Debug");
        let formatter = function.copy(2);
        function.call(path("u64"), named("std::fmt::Formatter::write_str".to_owned()), vec![formatter]);
        function.finish()
    }

    fn destructor(&self) -> Body {
        let id = "store::{impl#3}::drop".to_owned();
        let this = Ty::Ref(true, Arc::new(path("store::Cache")));
        let mut function =
            Function::new(id, &self.file, 160, vec![this], Ty::unit()).of("impl Drop for Cache");
        function.call(Ty::unit(), named("store::forget".to_owned()), Vec::new());
        function.finish()
    }

    /// Some sixty statements in some twenty blocks; six calls, to this crate, to the standard library and to traits.
    fn plain(&self, number: usize) -> Body {
        let id = format!("store::{{impl#0}}::plain{number}");
        let params = vec![reference(self.store(self.number)), path("usize")];
        let line = 200 + 14 * u32::try_from(number).unwrap_or(0);
        let mut function = Function::new(id, &self.file, line, params, path("u64")).of("impl Store");
        for step in 0..6 {
            let text = function.field(1, 3, path("std::string::String"));
            let copy = function.copy(2);
            let sum = function.assign(
                path("usize"),
                Rvalue::Other(vec![copy, Operand::Const(format!("{step}_usize").into())]),
            );
            let (this, text_, count) = (function.copy(1), function.copy(text), function.copy(sum));
            let debug = |of: &str, method: &str, this: Ty| Callee::Qualified {
                this,
                of: Some(path(of)),
                method: method.to_owned(),
                generics: Vec::new(),
            };
            let next = (number * 7 + step * 13 + 1) % PLAIN;
            let (callee, args) = match step {
                0 => {
                    (named(format!("store::Store::plain{}", next.max(number + 1) % PLAIN)), vec![this, count])
                }
                1 => (named("std::string::String::len".to_owned()), vec![text_]),
                2 => (debug("std::fmt::Debug", "fmt", self.store(self.number)), vec![this, count]),
                3 => (debug("std::clone::Clone", "clone", path("std::string::String")), vec![text_]),
                4 => (named("store::Store::touch".to_owned()), vec![this]),
                _ => (named("std::vec::Vec::push".to_owned()), vec![this, count]),
            };
            // One function in ten is near the locks.
            let far = step == 4 && !number.is_multiple_of(10);
            let callee = if far { named("core::mem::swap".to_owned()) } else { callee };
            let result = function.call(path("u64"), callee, args);
            function.branch(result);
            for local in [result, sum, text] {
                function.dead(local);
            }
        }
        let cache = function.local(path("store::Cache"));
        function.drop(cache);
        function.finish()
    }

    /// Takes the lowest lock of a family first, and then calls its highest crate.
    fn planted(&self) -> Body {
        // The last crate that the first one's calls reach.
        let mut low = 0;
        while let Some(next) =
            (Crate { of: self.of, number: low, file: Arc::clone(&self.file) }).below().next()
        {
            low = next;
        }
        let params = vec![reference(self.store(0)), reference(self.store(low))];
        let mut function = Function::new("store::planted".to_owned(), &self.file, 180, params, Ty::unit());
        let guard = self.lock(&mut function, 2, low, KING);
        let high = function.copy(1);
        function.call(path("u64"), named(self.seen(0, "store::Store::touch")), vec![high]);
        function.drop(guard);
        function.finish()
    }
}
