//! `lockdep.toml`: locks of one's own, defaults for options, and what is said of text that makes no sense.
//!
//! What a described lock then means to a program is that of any known one, and tested with those (`programs.rs`).

#[path = "cli/project.rs"]
#[expect(dead_code, reason = "other tests use what this one does not")]
mod project;

use std::fs;

use lockdep_analyzer::model::Models;
use lockdep_tests::analysis::root;
use project::{Project, lockdep, refuted, run};

/// Two locks that nobody knows, in both orders.
const SOURCE: &str = r"
pub mod raw {
    use std::cell::UnsafeCell;
    use std::hint::spin_loop;
    use std::ops::{Deref, DerefMut};
    use std::sync::atomic::{AtomicBool, Ordering};

    pub struct Spin<T> {
        taken: AtomicBool,
        data: UnsafeCell<T>,
    }

    unsafe impl<T: Send> Sync for Spin<T> {}

    pub struct SpinGuard<'a, T>(&'a Spin<T>);

    impl<T> Spin<T> {
        pub const fn new(data: T) -> Spin<T> {
            Spin { taken: AtomicBool::new(false), data: UnsafeCell::new(data) }
        }
        pub fn lock(&self) -> SpinGuard<'_, T> {
            while self.taken.swap(true, Ordering::Acquire) {
                spin_loop();
            }
            SpinGuard(self)
        }
        pub fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
            act(&mut self.lock())
        }
    }

    impl<T> Deref for SpinGuard<'_, T> {
        type Target = T;
        fn deref(&self) -> &T {
            unsafe { &*self.0.data.get() }
        }
    }

    impl<T> DerefMut for SpinGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            unsafe { &mut *self.0.data.get() }
        }
    }

    impl<T> Drop for SpinGuard<'_, T> {
        fn drop(&mut self) {
            self.0.taken.store(false, Ordering::Release);
        }
    }
}

use raw::Spin;

pub struct Board {
    pawn: Spin<u32>,
    rook: Spin<u32>,
}

impl Board {
    pub fn new() -> Board {
        Board { pawn: Spin::new(0), rook: Spin::new(0) }
    }
    pub fn castle(&self) {
        let mut pawn = self.pawn.lock();
        *pawn += *self.rook.lock();
    }
    pub fn promote(&self) {
        self.rook.with(|rook| *rook += *self.pawn.lock());
    }
    pub fn one_by_one(&self) -> u32 {
        let pawn = *self.pawn.lock();
        pawn + *self.rook.lock()
    }
}
";

/// What makes them known.
const KNOWN: &str = r#"
[[lock]]
type = "own_locks::Spin"
acquire = { lock = "exclusive" }
during = { with = "exclusive" }

[guards]
types = ["own_locks::raw::SpinGuard"]
"#;

/// Whether the lock is taken again depends on who calls.
const POSSIBLE: &str = include_str!("cli/possible.rs");

#[test]
fn locks_of_ones_own_are_seen_when_they_are_described() {
    let project = Project::library("own-locks", SOURCE);
    let unseen = project.analyze(&["-q"]);
    assert_eq!(unseen.code, Some(2), "{}", unseen.stdout);
    assert!(unseen.stderr.contains("those that `lockdep.toml` describes"), "{}", unseen.stderr);

    let project = project.file("lockdep.toml", KNOWN);
    let seen = project.analyze(&["-q", "--format", "list"]);
    assert_eq!(seen.code, Some(1), "{}", seen.stderr);
    for line in [
        "own_locks::Board.pawn E -> own_locks::Board.rook E  Same",
        "own_locks::Board.rook E -> own_locks::Board.pawn E  Same",
    ] {
        assert!(seen.stdout.contains(line), "{}", seen.stdout);
    }
    assert_eq!(seen.stdout.matches(" -> ").count(), 2, "{}", seen.stdout);
    let text = project.analyze(&["-q"]).stdout;
    assert!(text.contains("error[lock-order-cycle]"), "{text}");
    assert!(text.contains("described-code: 1\n    2 names in `lockdep.toml` do what is said"), "{text}");

    // Where it lies is up to the user; what is not understood there is not at the root.
    let elsewhere = Project::library("own-locks", SOURCE).file("ci/locks.toml", KNOWN);
    assert_eq!(elsewhere.analyze(&["-q", "--config", "ci/locks.toml"]).code, Some(1));
    let missing = elsewhere.analyze(&["-q", "--config", "ci/lock.toml"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.starts_with("error: cannot read `ci/lock.toml`: "), "{}", missing.stderr);
}

#[test]
fn what_makes_no_sense_is_shown_with_the_way_out() {
    let project = Project::library("senseless", "");
    let lock = "[[lock]]\ntype = ";
    for (text, line, message, way) in [
        ("[[locks]]\ntype = 'a::B'\n", 1, "unknown field `locks`, expected one of", "`lock`"),
        ("[functions]\nspan = ['a::b']\n", 2, "unknown field `span`, expected one of", "`spawn`"),
        (
            &format!("{lock}'a::B'\nacquire = {{ get = 'mutual' }}\n"),
            3,
            "unknown variant `mutual`",
            "`shared`",
        ),
        (&format!("{lock}'a::B'\n"), 2, "no method of the lock `a::B` is given", "acquire = {"),
        ("[[wait]]\ntype = 'a::B'\n", 2, "no method of `a::B` is given", "`gives`"),
        (
            &format!("\n{lock}'parking_lot::Mutex'\nacquire = {{ lock = 'shared' }}\n"),
            3,
            "`lock_api::Mutex` is known already",
            "list models",
        ),
        ("[guards]\ntypes = ['a::G', 'a::G']\n", 2, "`a::G` is known already", "remove it here"),
        (
            "[functions]\nforget = ['std::thread::spawn']\n",
            2,
            "`std::thread::spawn` is known already",
            "remove",
        ),
        ("[guards]\ntypes = ['Guard']\n", 2, "`Guard` is not the path of an item", "`my_crate::Mutex`"),
        ("[pointers]\ntypes = ['crate::Rc<T>']\n", 2, "`crate::Rc<T>` is not the path", "`my_crate::Mutex`"),
        ("[analyze]\ndiscipline = 'flat-earth'\n", 2, "there is no policy `flat-earth`", "`per-domain`"),
        ("[analyze]\nallow-possible = 'yes'\n", 2, "invalid type", "expected a boolean"),
        ("[analyze\n", 1, "unclosed table", "expected `]`"),
    ] {
        let run = project.analyze_text(text);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{text}: {}", run.stderr);
        assert!(run.stderr.starts_with(&format!("error: {message}")), "{text}: {}", run.stderr);
        assert!(run.stderr.contains(&format!("--> lockdep.toml:{line}:")), "{text}: {}", run.stderr);
        assert!(run.stderr.contains(way), "{text}: {}", run.stderr);
    }
}

impl Project {
    /// The analysis with this `lockdep.toml`.
    fn analyze_text(&self, text: &str) -> project::Run {
        fs::write(self.path("lockdep.toml"), text).expect("a writable directory");
        self.analyze(&["-q"])
    }
}

#[test]
fn a_workspace_has_its_own_defaults() {
    let project = Project::with_locks("defaults", &refuted());
    assert_eq!(project.analyze(&["-q"]).code, Some(1));
    let flat = project.analyze_text("[analyze]\ndiscipline = 'flat'\n");
    assert!(flat.stdout.contains("error[order-violation]"), "{}", flat.stdout);
    let typed = project.analyze(&["-q", "--discipline", "hierarchy"]);
    assert_eq!(typed.stdout, Project::with_locks("defaults", &refuted()).analyze(&["-q"]).stdout);
    let unknown = project.file("lockdep.toml", "[analyze]\ninclude-dep = ['lockdepp']\n").analyze(&["-q"]);
    assert!(unknown.stderr.contains("did you mean `lockdep@"), "{}", unknown.stderr);

    let possible = Project::library("possible", POSSIBLE);
    assert_eq!(possible.analyze(&["-q"]).code, Some(1));
    assert_eq!(possible.analyze_text("[analyze]\nallow-possible = true\n").code, Some(0));
}

/// A cell that is borrowed twice, once in a function of its own, and cells that are not.
const CELLS: &str = r"
use std::cell::RefCell;

pub struct Board {
    pawn: RefCell<u32>,
    rook: RefCell<u32>,
}

impl Board {
    pub fn new() -> Board {
        Board { pawn: RefCell::new(0), rook: RefCell::new(0) }
    }
    fn total(&self) -> u32 {
        *self.pawn.borrow() + *self.rook.borrow()
    }
    pub fn castle(&self) {
        let mut pawn = self.pawn.borrow_mut();
        *pawn += *self.rook.borrow();
    }
    pub fn promote(&self) {
        let mut rook = self.rook.borrow_mut();
        *rook += *self.pawn.borrow();
    }
    pub fn twice(&self) -> u32 {
        let pawn = self.pawn.borrow();
        *pawn + self.total()
    }
    //MORE
}
";

#[test]
fn cells_are_locks_of_one_thread_where_that_is_wanted() {
    let project = Project::library("cells", CELLS);
    assert_eq!(project.analyze(&["-q"]).code, Some(2));
    let proved = project.analyze(&["-q", "--refcell"]);
    assert_eq!(proved.code, Some(0), "{}{}", proved.stdout, proved.stderr);

    let more = "pub fn reset(&self) {\n let mut rook = self.rook.borrow_mut();\n *rook = self.total();\n }";
    let project = Project::library("cells", &CELLS.replace("//MORE", more));
    let refuted = project.analyze_text("[analyze]\nrefcell = true\n");
    assert_eq!(refuted.code, Some(1), "{}{}", refuted.stdout, refuted.stderr);
    assert!(
        refuted.stdout.contains("error[recursion]: `cells::Board.rook` acquired again"),
        "{}",
        refuted.stdout
    );
    assert!(refuted.stdout.ends_with("verdict: refuted (1 finding)\n"), "{}", refuted.stdout);
}

#[test]
fn the_example_of_the_readme_is_understood() {
    let readme = fs::read_to_string(root().join("README.md")).expect("a README");
    let (_, example) = readme.split_once("```toml\n").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");
    let (models, defaults) = Models::configured(example).expect("it is well formed");
    assert_eq!((models.described(), defaults.include_dep), (4, vec!["my-arch".to_owned()]));
}

#[test]
fn the_table_is_listed_with_what_was_added() {
    let shipped = run(&["list", "models"]);
    assert_eq!((shipped.code, shipped.stderr.as_str()), (Some(0), ""));
    assert!(shipped.stdout.contains("type = \"lock_api::ReentrantMutex\""), "{}", shipped.stdout);
    assert!(!shipped.stdout.contains("own_locks"), "{}", shipped.stdout);
    let project = Project::new("listed").file("locks.toml", KNOWN);
    let path = project.path("locks.toml");
    let added = lockdep(&["list", "models", "--config"]).arg(&path).output().expect("the command starts");
    let added = String::from_utf8(added.stdout).expect("UTF-8");
    for line in ["type = \"own_locks::Spin\"", "with = \"exclusive\"", "\"own_locks::raw::SpinGuard\""] {
        assert!(added.lines().any(|known| known.trim().trim_end_matches(',') == line), "{line}: {added}");
    }
}
