//! One function in the making: locals, statements, calls, as the reader would have read them.
//!
//! It knows the form of MIR and nothing of what the benchmark is about. Used by `workspace.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockdep_analyzer::mir::ir::{
    Block, Body, BodyKind, Call, Callee, Operand, Place, Projection, Rvalue, Span, Statement, StatementKind,
    Switch, Terminator, Ty,
};

/// A path without arguments.
pub fn path(name: &str) -> Ty {
    Ty::Path(name.into(), Arc::default())
}

/// `&T`.
pub fn reference(ty: Ty) -> Ty {
    Ty::Ref(false, Arc::new(ty))
}

/// A function or method called by its path, without generic arguments.
pub fn named(name: String) -> Callee {
    Callee::Path { path: name, generics: Vec::new() }
}

/// A function that is being written.
pub struct Function {
    body: Body,
    file: Arc<str>,
    line: u32,
    block: Vec<Statement>,
}

impl Function {
    /// An empty function with parameters of these types, the first of which is called `self` if it is a method.
    pub fn new(id: String, file: &Arc<str>, line: u32, params: Vec<Ty>, result: Ty) -> Function {
        let span = Span { file: Arc::clone(file), line, column: 1, end_line: line, end_column: 9 };
        let (path, impl_at) = match id.split_once("{impl#") {
            Some((module, rest)) => {
                let (number, member) = rest.split_once('}').expect("a number");
                // Impls of one file begin on lines of their own.
                let line = 1 + number.parse::<u32>().expect("a number");
                let at = Span { line, column: 1, end_line: line, end_column: 11, ..span.clone() };
                (format!("{module}<impl at {file}:{line}:1: {line}:11>{member}"), Some(at))
            }
            None => (id.clone(), None),
        };
        let names = impl_at.iter().map(|_| (1, "self".to_owned())).collect::<BTreeMap<_, _>>();
        let count = params.len();
        let body = Body {
            id,
            path,
            kind: BodyKind::Fn,
            params: count,
            locals: std::iter::once(result).chain(params).collect(),
            names: if count > 0 { names } else { BTreeMap::new() },
            span,
            impl_at,
            impl_header: None,
            blocks: Vec::new(),
            statement_spans: Vec::new(),
            unread: Vec::new(),
        };
        Function { body, file: Arc::clone(file), line, block: Vec::new() }
    }

    /// The function is in an impl with this header.
    pub fn of(mut self, header: &str) -> Function {
        self.body.impl_header = Some(header.to_owned());
        self
    }

    fn span(&mut self) -> Span {
        self.line += 1;
        Span { file: Arc::clone(&self.file), line: self.line, column: 9, end_line: self.line, end_column: 30 }
    }

    fn push(&mut self, kind: StatementKind) {
        self.line += 1;
        self.block.push(Statement { kind });
    }

    /// A new local, alive from here.
    pub fn local(&mut self, ty: Ty) -> usize {
        let local = self.body.locals.len();
        self.body.locals.push(ty);
        self.push(StatementKind::StorageLive(local));
        local
    }

    /// A local's end.
    pub fn dead(&mut self, local: usize) {
        self.push(StatementKind::StorageDead(local));
    }

    /// `_n = value`, in a new local.
    pub fn assign(&mut self, ty: Ty, value: Rvalue) -> usize {
        let local = self.local(ty);
        self.push(StatementKind::Assign(Place::local(local), value));
        local
    }

    /// `&(*_n).k`.
    pub fn field(&mut self, of: usize, position: u32, ty: Ty) -> usize {
        let projection = vec![Projection::Deref, Projection::Field(position, ty.clone())].into();
        self.assign(reference(ty), Rvalue::Ref { mutable: false, place: Place { local: of, projection } })
    }

    /// `copy _n` of a parameter or another local.
    pub fn copy(&mut self, of: usize) -> Operand {
        Operand::Copy(Place::local(of))
    }

    fn end(&mut self, terminator: Terminator) {
        let (span, statements) = (self.span(), std::mem::take(&mut self.block));
        self.body.blocks.push(Block { cleanup: false, statements, terminator, span });
    }

    /// `_n = callee(args)`, in a new local.
    pub fn call(&mut self, ty: Ty, callee: Callee, args: Vec<Operand>) -> usize {
        let local = self.local(ty);
        let target = Some(self.body.blocks.len() + 1);
        self.end(Terminator::Call(Call { dest: Place::local(local), callee, args, target }.into()));
        local
    }

    /// `drop(_n)`.
    pub fn drop(&mut self, local: usize) {
        let target = self.body.blocks.len() + 1;
        self.end(Terminator::Drop(Place::local(local), target));
        self.dead(local);
    }

    /// `if _n { … } else { … }`, both sides doing nothing that matters.
    pub fn branch(&mut self, on: usize) {
        let here = self.body.blocks.len();
        let on = self.copy(on);
        self.end(Terminator::Switch(Box::new(Switch {
            on,
            targets: vec![(0, here + 1)],
            otherwise: Some(here + 2),
        })));
        for _ in 0..2 {
            self.assign(Ty::unit(), Rvalue::Use(Operand::Const("()".into())));
            self.end(Terminator::Goto(here + 3));
        }
    }

    /// The function, which returns here.
    pub fn finish(mut self) -> Body {
        self.end(Terminator::Return);
        self.body
    }
}
