//! The neutral form of a compiled crate: bodies, blocks, places, calls, drops, types, spans.
//!
//! Everything after the reader works on this, so that another front end could feed the same analysis. It knows
//! nothing of locks, of files on disk or of how the text it came from was spelt. Rvalues that cannot matter to
//! locks (arithmetic, lengths, …) are kept only as the operands they use.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

mod nesting;
mod shown;
mod stated;
mod way;

pub use stated::{Bound, Trait};
pub use way::Way;

/// One crate as read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// The crate's name as in paths (`hv_core`).
    pub krate: String,
    /// Bodies in ascending order of [`Body::id`].
    pub bodies: Vec<Body>,
    /// The bounds that impls state, by the impl (`p2m::{impl#0}`).
    pub bounds: BTreeMap<String, Vec<Bound>>,
    /// The traits that its sources declare.
    pub traits: Vec<Trait>,
}

/// A place in source text; the file is relative to the workspace where it can be.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Path as the compiler printed it, or made relative to the workspace.
    pub file: Arc<str>,
    /// First line, from 1; 0 where no span was printed.
    pub line: u32,
    /// First column, from 1.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// Column after the last character.
    pub end_column: u32,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What a body is the body of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodyKind {
    /// A function, method, closure or coroutine.
    Fn,
    /// A `const`, promoted or anonymous constant.
    Const,
    /// A `static`.
    Static,
    /// A promoted constant that the compiler did not print: it names the functions that its source names.
    Unprinted,
}

/// One body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Body {
    /// The definition path, unique in the crate: `p2m::{impl#0}::lookup`, `op::{closure#0}`.
    pub id: String,
    /// The path as the header prints it: `p2m::<impl at src/p2m.rs:15:1: 15:27>::lookup`, `op::{closure#0}`.
    pub path: String,
    /// What it is.
    pub kind: BodyKind,
    /// How many of the locals after `_0` are parameters.
    pub params: usize,
    /// Types of `_0`, `_1`, …; `_0` is the return place.
    pub locals: Vec<Ty>,
    /// Names of locals that have one (`self`, `guard`), by index.
    pub names: BTreeMap<usize, String>,
    /// The span of the return place, which is the best the text says about where the body is.
    pub span: Span,
    /// For a method in an `impl`: where the `impl` header stands.
    pub impl_at: Option<Span>,
    /// For a method in an `impl`: the header's source text, `impl<T: Clone> Tr for S<T>`, once it was looked up.
    pub impl_header: Option<String>,
    /// Blocks by number. Cleanup blocks keep their numbers and are marked.
    pub blocks: Vec<Block>,
    /// Where the statements of each block stand, while the text is at hand: facts do not keep it.
    #[serde(skip)]
    pub statement_spans: Vec<Vec<Span>>,
    /// Lines of this body that could not be read; not empty means that the body is incomplete.
    pub unread: Vec<String>,
}

/// A basic block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Runs only while unwinding.
    pub cleanup: bool,
    /// Statements in order.
    pub statements: Vec<Statement>,
    /// How it ends.
    pub terminator: Terminator,
    /// Where the terminator stands.
    pub span: Span,
}

/// A statement that may matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// What it does.
    pub kind: StatementKind,
}

/// The statements that may matter; the others are not kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StatementKind {
    /// `place = rvalue`.
    Assign(Place, Rvalue),
    /// `StorageLive(_n)`.
    StorageLive(usize),
    /// `StorageDead(_n)`.
    StorageDead(usize),
}

/// A place: a local and the way from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// `_n`.
    pub local: usize,
    /// The way from it, outermost projection last.
    pub projection: Way,
}

impl Place {
    /// The local itself.
    pub fn local(local: usize) -> Place {
        Place { local, projection: Way::default() }
    }
}

/// One step of a [`Place`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Projection {
    /// `*p`.
    Deref,
    /// `.k`, with the field's type as printed.
    Field(u32, Ty),
    /// `as Variant` (`variant#3` by number).
    Downcast(String),
    /// `[_n]`, `[k of n]` and sub-slices: some element.
    Index,
    /// `as subtype T` and the like: the same place, another type.
    Cast(Ty),
}

/// An operand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Operand {
    /// `copy place`, or a bare place.
    Copy(Place),
    /// `move place`.
    Move(Place),
    /// A constant that is a reference to a static: the static's path as printed.
    Static(Arc<str>),
    /// A constant that is a function item or a unit closure used as a value.
    Fn(Box<Callee>),
    /// Any other constant, as printed.
    Const(Arc<str>),
}

impl Rvalue {
    /// The operands that are used, borrows aside.
    pub fn operands(&self) -> impl Iterator<Item = &Operand> {
        let (one, fields, others) = match self {
            Rvalue::Use(operand) | Rvalue::Cast(operand, _) => (Some(operand), None, None),
            Rvalue::Aggregate(aggregate) => (None, Some(&aggregate.fields), None),
            Rvalue::Other(operands) => (None, None, Some(operands)),
            _ => (None, None, None),
        };
        let fields = fields.into_iter().flatten().map(|(_, operand)| operand);
        one.into_iter().chain(fields).chain(others.into_iter().flatten())
    }
}

impl Operand {
    /// The place that is read, if one is.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Operand::Copy(place) | Operand::Move(place) => Some(place),
            _ => None,
        }
    }
}

/// The right-hand side of an assignment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Rvalue {
    /// The operand itself.
    Use(Operand),
    /// `operand as T (Kind)`.
    Cast(Operand, Arc<Ty>),
    /// `&place`, `&mut place`; fake borrows are not kept.
    Ref {
        /// `&mut`.
        mutable: bool,
        /// What is borrowed.
        place: Place,
    },
    /// `&raw const place`, `&raw mut place`.
    RawPtr(Place),
    /// `deref_copy place`.
    DerefCopy(Place),
    /// `&/*tls*/ path`.
    ThreadLocal(String),
    /// `discriminant(place)`.
    Discriminant(Place),
    /// A tuple, array, struct, variant, closure or coroutine being built.
    Aggregate(Box<Aggregate>),
    /// Everything else, by the operands it uses.
    Other(Vec<Operand>),
}

/// A value being built of others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aggregate {
    /// What is built.
    pub kind: AggregateKind,
    /// Fields in declaration order, with their names where printed.
    pub fields: Vec<(Option<String>, Operand)>,
}

/// What an [`Aggregate`] builds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AggregateKind {
    /// `(a, b)`.
    Tuple,
    /// `[a, b]`, `[a; n]`.
    Array,
    /// `Path(ops)`, `Path { … }`, `Path`: a struct or a variant, as a path without generic arguments.
    Adt(String),
    /// A closure or coroutine: the definition path of its body from `def_id` (`op::{closure#0}`), else empty,
    /// and its type as printed.
    Closure(String, Ty),
}

/// How a block ends. Unwind edges are not kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Terminator {
    /// `goto`, `falseEdge`, `falseUnwind` (the real edge), `assert` (success).
    Goto(usize),
    /// `switchInt`.
    Switch(Box<Switch>),
    /// `return`.
    Return,
    /// `resume`, `unreachable`, `terminate`, `coroutine_drop`.
    End,
    /// `drop(place)`.
    Drop(Place, usize),
    /// A call; no target where it diverges.
    Call(Box<Call>),
    /// `yield`: where the resume argument goes, and the next block.
    Yield(Place, usize),
    /// `asm!`: possible successors.
    Asm(Vec<usize>),
    /// A terminator that could not be read; its body is incomplete.
    Unread,
}

/// A decision by a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Switch {
    /// What is looked at.
    pub on: Operand,
    /// (value, block); values as printed, without type suffix.
    pub targets: Vec<(i128, usize)>,
    /// The remaining case.
    pub otherwise: Option<usize>,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Where the result goes.
    pub dest: Place,
    /// Who is called.
    pub callee: Callee,
    /// Arguments.
    pub args: Vec<Operand>,
    /// Where it returns to.
    pub target: Option<usize>,
}

/// Who is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Callee {
    /// `a::b::Type::<T>::method::<U>`: path without generic arguments (`a::b::Type::method`), and the arguments
    /// of each segment that has some, in order of segments. `<impl …>` segments stay in the path as printed.
    Path {
        /// Without generic arguments.
        path: String,
        /// (index of the segment, its arguments).
        generics: Vec<(usize, Vec<Ty>)>,
    },
    /// `<Self as Trait>::method::<U>`, `<Self>::method`.
    Qualified {
        /// The self type.
        this: Ty,
        /// The trait with its arguments; none for an inherent `<T>::method`.
        of: Option<Ty>,
        /// The method's name (or more segments joined by `::`).
        method: String,
        /// The method's own generic arguments.
        generics: Vec<Ty>,
    },
    /// A function pointer held in a place.
    Place(Place),
}

/// A type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub enum Ty {
    /// `a::b::Name<'_, X, 16>`: path without arguments, arguments without lifetimes. Primitives and type
    /// parameters are paths of one segment.
    Path(Arc<str>, Arc<[Ty]>),
    /// `&T`, `&mut T`.
    Ref(bool, Arc<Ty>),
    /// `*const T`, `*mut T`.
    Ptr(bool, Arc<Ty>),
    /// `(A, B)`; unit is the empty one.
    Tuple(Arc<[Ty]>),
    /// `[T]`.
    Slice(Arc<Ty>),
    /// `[T; n]`.
    Array(Arc<Ty>, Arc<str>),
    /// `fn(A) -> B`, with `for<'a>`, `unsafe`, `extern` dropped.
    FnPtr(Arc<[Ty]>, Arc<Ty>),
    /// `fn(A) -> B {path}`: the type of a function item, by its path as printed.
    FnItem(Arc<str>),
    /// `dyn A + B`, bounds as printed without lifetimes.
    Dyn(Arc<str>),
    /// `impl A + B`, as printed.
    Opaque(Arc<str>),
    /// `{closure@…}`, `{coroutine@… (#0)}`, `{async fn body …}`, …: what stands between the braces.
    Closure(Arc<str>),
    /// `<T as Trait>::Assoc<X>`: not resolved by the compiler at this stage; as printed.
    Projection(Arc<str>),
    /// A constant argument: `16`, `true`, `N_usize`, or an expression in braces.
    Const(Arc<str>),
    /// `!`.
    Never,
    /// Anything else, as printed.
    Other(Arc<str>),
}

impl Ty {
    /// The unit type.
    pub fn unit() -> Ty {
        Ty::Tuple(Arc::default())
    }

    /// Whether `test` holds of this type or of a type inside it (through generic arguments, references, tuples,
    /// arrays).
    pub fn any(&self, test: &mut dyn FnMut(&Ty) -> bool) -> bool {
        if test(self) {
            return true;
        }
        match self {
            Ty::Path(_, args) | Ty::Tuple(args) => args.iter().any(|ty| ty.any(test)),
            Ty::Ref(_, inner) | Ty::Ptr(_, inner) | Ty::Slice(inner) | Ty::Array(inner, _) => inner.any(test),
            Ty::FnPtr(params, result) => params.iter().any(|ty| ty.any(test)) || result.any(test),
            _ => false,
        }
    }
}
