//! What MIR can look like, in one file: compiled by the test of the reader, never run.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, RwLock};

pub static KING: Mutex<u32> = Mutex::new(0);
pub static QUEEN: RwLock<Vec<String>> = RwLock::new(Vec::new());
static COUNT: RwLock<usize> = RwLock::new(0);
static BOARD: OnceLock<BTreeMap<u8, &'static str>> = OnceLock::new();
pub static mut MOVES: u64 = 0;
pub const SIZE: usize = 8;
pub const LABEL: &str = "a // scope 1 at x.rs:1:1: 1:2";
pub const HOOK: fn(u8) -> u8 = double;

std::thread_local! {
    pub static LOCAL: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    pub static LAZY: Cell<usize> = Cell::new(*COUNT.read().unwrap());
}

unsafe extern "C" {
    static environ: *const *const u8;
    fn abs(value: i32) -> i32;
}

pub fn double(x: u8) -> u8 {
    x.wrapping_mul(2)
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Point {
    pub x: i32,
    pub y: i32,
}

#[derive(Debug, Clone)]
pub enum Move {
    Pass,
    To(u8, u8),
    Castle { long: bool, note: String },
}

pub struct Unit;
pub struct Add(pub u8);
pub struct Matrix<T, const N: usize, const FLAG: bool>(pub [[T; N]; N]);

pub union Bits {
    pub float: f32,
    pub word: u32,
}

pub trait Piece {
    const VALUE: i32 = 1;
    type Square<'a>: Debug
    where
        Self: 'a;
    fn square<'a>(&'a self) -> Self::Square<'a>;
    fn value(&self) -> i32 {
        Self::VALUE + 1
    }
}

pub trait Observer: Send + Sync {
    fn notify(&self, message: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

pub struct Game<T: ?Sized> {
    pub white: Mutex<u32>,
    pub black: Mutex<u32>,
    pub state: RwLock<T>,
}

impl<T: Clone + Debug> Piece for Game<T> {
    const VALUE: i32 = 9;
    type Square<'a>
        = &'a Mutex<u32>
    where
        Self: 'a;
    fn square<'a>(&'a self) -> &'a Mutex<u32> {
        &self.white
    }
}

impl<T: Clone + Debug + 'static> Game<T> {
    pub fn both(&self) -> u32 {
        let sum = || *self.white.lock().unwrap() + *self.black.lock().unwrap();
        sum()
    }

    pub fn guarded<'a>(&'a self, guard: MutexGuard<'a, u32>) -> impl FnOnce() -> u32 + 'a {
        move || *guard + self.both()
    }

    pub fn swap(&self) -> Option<T> {
        struct Undo<'a>(&'a Mutex<u32>);
        impl Drop for Undo<'_> {
            fn drop(&mut self) {
                *self.0.lock().unwrap() += 1;
            }
        }
        let _undo = Undo(&self.black);
        let state = self.state.read().ok()?;
        Some(state.clone())
    }
}

impl Drop for Add {
    fn drop(&mut self) {
        struct Inner(u8);
        impl Inner {
            fn show(&self) -> String {
                format!("{:>4}|{LABEL}", self.0)
            }
        }
        drop(Inner(self.0).show());
    }
}

pub fn captures(mut game: Game<u8>, moves: Vec<u8>) -> u32 {
    let sum = || *game.white.lock().unwrap() + *game.black.lock().unwrap();
    let before = sum();
    let change = || {
        *game.white.get_mut().unwrap() += 1;
        *game.black.get_mut().unwrap() += 1;
        drop(moves);
    };
    change();
    before
}

pub fn statics(key: &str) -> &'static str {
    let guard = KING.lock();
    drop(guard);
    QUEEN.write().unwrap().push(key.to_owned());
    unsafe {
        MOVES += 1;
        let _ = (abs(-3), environ);
    }
    LOCAL.with_borrow_mut(|v| v.push(b'"'));
    LAZY.set(LAZY.get() + 1);
    BOARD.get_or_init(BTreeMap::new).get(&1).copied().unwrap_or_else(|| match key {
        "x // scope 1 at x.rs:1:1: 1:2" => ") -> [return: bb1, unwind continue]",
        "\"; // scope 0 at y.rs:1:1: 1:2" => "'",
        _ => LABEL,
    })
}

pub fn characters(c: char, byte: u8) -> bool {
    matches!((c, byte), ('"', b'\'') | ('\'', b'"') | ('(', b'[') | ('\u{1F600}', _)) || c == ','
}

pub fn pointers() -> u8 {
    let f: fn(u8) -> Add = Add;
    let g: fn() -> fn(u8) -> u8 = || HOOK;
    let h = g as fn() -> fn(u8) -> u8;
    let unit = Unit;
    let made: Vec<Option<u8>> = [1, 2].into_iter().map(Some).collect();
    let hook = double;
    let c = |x: u8| x + 1;
    let d: fn(u8) -> u8 = c;
    let Unit = unit;
    f(1).0 + h()(2) + hook(3) + d(made.len() as u8) + HOOK(4)
}

pub fn slices(a: &[u8], b: [u8; 4], text: &mut [String]) -> usize {
    let [first, .., last] = b;
    if let [head, rest @ .., tail] = a {
        return rest.len() + usize::from(*head + *tail + first);
    }
    match text {
        [one] => one.len(),
        [middle @ .., end] if end.is_empty() => middle.len(),
        [_, _, third, ..] => third.len(),
        _ => usize::from(last) + b[1..3].len() + a[SIZE..=SIZE + 1].len(),
    }
}

pub fn loops(n: usize) -> Option<u64> {
    let mut total = 0_u64;
    'outer: for i in 0..n {
        let mut j = i;
        let found = loop {
            j += 1;
            if j % 7 == 0 {
                break j;
            }
            if j > 100 {
                continue 'outer;
            }
        };
        total = total.checked_add(u64::try_from(found).ok()?)? << 1;
        while let Some(top) = 'block: {
            if total > 9 {
                break 'block None;
            }
            Some(total)
        } {
            total += top + 1;
        }
    }
    Some(!total ^ 3)
}

pub fn matches(m: Move, n: i128) -> Result<i64, Box<dyn std::error::Error>> {
    let value = match m {
        Move::Pass => -1,
        Move::To(a @ 1..=3, _) | Move::To(_, a) => i64::from(a),
        Move::Castle { long: true, ref note } if !note.is_empty() => note.parse::<i64>()?,
        Move::Castle { .. } => 4,
    };
    let Some(rest) = value.checked_sub(2) else { return Err("too few".into()) };
    Ok(match n {
        -1 => rest,
        170141183460469231731687303715884105727 => 1,
        _ => 0,
    })
}

pub fn generic<T, const N: usize>(value: T, f: impl Fn(&T) -> bool) -> Matrix<bool, N, true>
where
    T: Debug + Send + 'static,
{
    const { assert!(N > 0) };
    Matrix([[f(&value); N]; N])
}

pub fn dynamic(observers: &[Arc<dyn Observer>], call: &mut dyn FnMut(&str) -> usize) -> usize {
    let boxed: Box<dyn for<'a> Fn(&'a str) -> &'a str + Send> = Box::new(|s| s.trim());
    for observer in observers {
        if observer.notify(boxed(" x ")).is_err() {
            return call("failed") + generic::<_, 2>(1_u8, |x| *x > 0).0.len();
        }
    }
    let slice: Box<[u8]> = vec![1, 2, 3].into_boxed_slice();
    let bits = Bits { float: 1.0 };
    slice.len() + unsafe { bits.word as usize } + size_of::<Bits>()
}

pub fn unsized_state(game: &Game<[u8]>, other: Box<Game<[u8; 4]>>) -> usize {
    let other: Box<Game<[u8]>> = other;
    game.state.read().unwrap().len() + other.state.read().unwrap().len()
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub fn assembly(mut x: u64) -> u64 {
    unsafe {
        core::arch::asm!(
            "nop // \"; // scope",
            "/* {0} // {{ */",
            "}}",
            inout(reg) x,
        );
        core::arch::asm!("nop", options(noreturn));
    }
    #[expect(unreachable_code, reason = "what follows is printed too")]
    x
}

pub async fn waiting(game: &Game<u8>, ready: impl Future<Output = u32>) -> u32 {
    let before = ready.await;
    let guard = game.white.lock().unwrap();
    let later = async move { before + 1 };
    let closure = async |x: u32| x + before;
    let pinned: Pin<Box<dyn Future<Output = u32> + Send>> = Box::pin(later);
    pinned.await + closure(1).await + *guard
}

pub fn condition(pair: &(Mutex<bool>, Condvar)) {
    let mut ready = pair.0.lock().unwrap();
    while !*ready {
        ready = pair.1.wait(ready).unwrap();
    }
    std::thread::scope(|scope| {
        scope.spawn(|| drop(KING.lock()));
    });
}

pub mod nested {
    macro_rules! accessors {
        ($($name:ident),*) => { $(impl super::Point { pub fn $name(&self) -> i32 { self.x } })* };
    }
    accessors!(file, rank);

    impl<'a> From<&'a super::Point> for (i32, i32) {
        fn from(point: &'a super::Point) -> Self {
            (point.x, point.file() - point.rank())
        }
    }
}

/// Variants that are called as locals are: macros that choose among futures make such.
#[expect(non_camel_case_types, reason = "as macros call them")]
pub enum Chosen<A, B> {
    _0(A),
    _1 { second: B },
    _2,
}

pub fn chosen(number: u32) -> Chosen<u32, Option<u32>> {
    match number {
        0 => Chosen::_2,
        1 => Chosen::_0(number),
        _ => Chosen::_1 { second: Some(number) },
    }
}

pub fn which(chosen: &Chosen<u32, Option<u32>>) -> u32 {
    match chosen {
        Chosen::_0(number) => *number,
        Chosen::_1 { second } => second.unwrap_or(1),
        Chosen::_2 => 0,
    }
}
