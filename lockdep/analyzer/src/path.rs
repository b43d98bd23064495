//! Access paths: how the code of one function gets to an object, written from where the function got it.
//!
//! `caller.p2m` is `Param(2).*.Field(3)`. Two equal paths of one function name one object (ARCHITECTURE.md
//! states the assumption); different paths may still name one. A path remembers which prefix of it is the *owner*
//! of the locks below, so that relations between owners are relations between prefixes. Paths know nothing of
//! locks or of types.

use std::sync::Arc;

use crate::home::HomeId;

/// Where a path starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Root {
    /// The value that parameter `_n` had on entry. For a closure, `_1` is the closure itself.
    Param(usize),
    /// A static, by its path.
    Static(Arc<str>),
    /// The storage of local `_n`; resolved through the state whenever something is known of it.
    Local(usize),
    /// What the call or statement in this block of this body produced.
    Made(usize, usize),
    /// Not known; never equal to anything, itself included.
    Unknown,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// What a reference, box, counted pointer, role or guard points to.
    Deref,
    /// A field.
    Field(u32),
    /// A variant's fields.
    Variant(Arc<str>),
    /// Some element.
    Index,
    /// The element that a loop over all of them has come to.
    Each,
    /// All elements, one after the other: what a loop that is over has gone through.
    All,
}

/// Longer paths are cut to [`Root::Unknown`], so that recursion over a linked structure ends.
pub const MAX_STEPS: usize = 16;

/// An access path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// Where it starts.
    pub root: Root,
    /// The way from there.
    pub steps: Vec<Step>,
    /// How many of the steps lead to the owner, if the path goes through one.
    pub owner: Option<usize>,
    /// Where an undeclared lock at this path would live. It is remembered where the way itself is forgotten.
    pub home: Option<HomeId>,
    /// Nobody else can reach the lock at this path now.
    pub alone: bool,
}

impl Path {
    /// The path without steps.
    pub fn from(root: Root) -> Path {
        Path { root, steps: Vec::new(), owner: None, home: None, alone: false }
    }

    /// Nothing known.
    pub fn unknown() -> Path {
        Path::from(Root::Unknown)
    }

    /// The same, living there.
    pub fn living(mut self, home: Option<HomeId>) -> Path {
        self.home = home;
        self
    }

    /// What is left when the way is not known any more: the home.
    pub fn forgotten(&self) -> Path {
        Path::unknown().living(self.home)
    }

    /// One step further.
    pub fn then(mut self, step: Step) -> Path {
        if self.root == Root::Unknown {
            return self;
        }
        if self.steps.len() == MAX_STEPS {
            return self.forgotten();
        }
        self.steps.push(step);
        self
    }

    /// The same path, its end being an owner.
    pub fn owning(mut self) -> Path {
        if self.root != Root::Unknown {
            self.owner = Some(self.steps.len());
        }
        self
    }

    /// The owner's own path.
    pub fn owner_path(&self) -> Option<Path> {
        let end = self.owner?;
        Some(Path {
            root: self.root.clone(),
            steps: self.steps[..end].to_vec(),
            owner: None,
            home: None,
            alone: false,
        })
    }

    /// The path without its memory of an owner and a home, for comparing objects.
    pub fn bare(&self) -> Path {
        Path { owner: None, home: None, alone: false, ..self.clone() }
    }

    /// Whether both lead the same way from one start that is known. "Some element" is equal to itself here; see
    /// [`Path::is_definite`].
    pub fn same_way(&self, other: &Path) -> bool {
        self.root != Root::Unknown && self.root == other.root && self.steps == other.steps
    }

    /// Whether the object of one path is surely among those of the other, which leads to all elements where this
    /// one leads to some.
    pub fn meets(&self, other: &Path) -> bool {
        let alike = |(a, b): (&Step, &Step)| match (a, b) {
            (Step::All, Step::Index | Step::Each | Step::All) | (Step::Index | Step::Each, Step::All) => true,
            (Step::Index | Step::Each, _) => false,
            (a, b) => a == b,
        };
        self.root != Root::Unknown
            && self.root == other.root
            && self.steps.len() == other.steps.len()
            && self.steps.iter().zip(&other.steps).all(alike)
    }

    /// Whether the path starts with all of `prefix` and goes on.
    pub fn goes_through(&self, prefix: &Path) -> bool {
        self.root == prefix.root
            && self.steps.len() > prefix.steps.len()
            && self.steps.starts_with(&prefix.steps)
    }

    /// Whether two equal paths like this one name one object: no unknown start, no "some element".
    pub fn is_definite(&self) -> bool {
        self.root != Root::Unknown
            && !self.steps.iter().any(|step| matches!(step, Step::Index | Step::Each | Step::All))
    }

    /// Whether a caller may know more of it than this function does.
    pub fn is_open(&self) -> bool {
        matches!(self.root, Root::Param(_))
    }

    /// As a person would write it, `names` giving names to parameters.
    pub fn describe(&self, names: &dyn Fn(usize) -> Option<String>) -> String {
        let mut text = match &self.root {
            Root::Param(n) | Root::Local(n) => names(*n).unwrap_or_else(|| format!("parameter {n}")),
            Root::Static(path) => path.to_string(),
            Root::Made(..) => "a value made here".to_owned(),
            Root::Unknown => "an unknown value".to_owned(),
        };
        for step in &self.steps {
            match step {
                Step::Deref => {}
                Step::Field(k) => text.push_str(&format!(".{k}")),
                Step::Variant(name) => text.push_str(&format!(".{name}")),
                Step::Index | Step::Each | Step::All => text.push_str("[_]"),
            }
        }
        text
    }
}

/// Part of a local: the local and the fields (and variants) on the way.
pub type Slot = (usize, Vec<Step>);

/// What is known of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A pointer to the object at the path.
    To(Path),
    /// The value that is stored at the path.
    At(Path),
    /// A closure or function item, by its body. What a closure captured is in the fields of this slot.
    Code(usize, Slot),
    /// A guard of the lock at the path; dereferencing it gives what the lock protects.
    GuardOf(Path),
    /// A future that acquires a lock when it is awaited.
    Pending(Arc<Acquiring>),
    /// What stands for a thread or task that runs this body, and is waited for by.
    Running(usize),
    /// Nothing.
    Unknown,
}

/// An acquisition that has not happened yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acquiring {
    /// The lock's path.
    pub path: Path,
    /// The number of its class.
    pub class: usize,
    /// It will be held by a reader.
    pub shared: bool,
}

impl Value {
    /// The path of what this value points to.
    pub fn pointee(&self) -> Path {
        match self {
            Value::To(path) => path.clone(),
            Value::At(path) => path.clone().then(Step::Deref),
            Value::GuardOf(lock) => lock.clone().then(Step::Deref),
            Value::Code(..) | Value::Pending(_) | Value::Running(_) | Value::Unknown => Path::unknown(),
        }
    }

    /// The path of the elements, if this points to some: as an iterator over references does, and what it gives.
    pub fn elements(&self) -> Option<&Path> {
        match self {
            Value::To(path) if matches!(path.steps.last(), Some(Step::Each | Step::Index)) => Some(path),
            _ => None,
        }
    }

    /// How a place goes on from this value: the pair of a key or a number and a pointer to an element is not told from
    /// the pointer.
    pub fn beyond<'s>(&self, steps: &'s [Step]) -> &'s [Step] {
        let fields = || steps.iter().take_while(|step| matches!(step, Step::Field(_))).count();
        if self.elements().is_some() { &steps[fields()..] } else { steps }
    }

    /// The path in it, if there is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Value::To(path) | Value::At(path) | Value::GuardOf(path) => Some(path),
            Value::Code(..) | Value::Pending(_) | Value::Running(_) | Value::Unknown => None,
        }
    }

    /// One of two values: what is left is the home, which is one of theirs.
    pub fn or(&self, other: &Value, either: &dyn Fn(HomeId, HomeId) -> Option<HomeId>) -> Value {
        let home = |value: &Value| value.path().and_then(|path| path.home);
        match (home(self), home(other)) {
            (Some(one), Some(other)) => either(one, other)
                .map_or(Value::Unknown, |home| Value::At(Path::unknown().living(Some(home)))),
            _ => Value::Unknown,
        }
    }

    /// What is left when the object is not known any more: the home.
    pub fn forgotten(&self) -> Value {
        match self.path().and_then(|path| path.home) {
            Some(home) => Value::At(Path::unknown().living(Some(home))),
            None => Value::Unknown,
        }
    }
}
