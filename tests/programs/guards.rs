//! Lives of guards: each function makes the nestings that the mark above it names, and no other.
//!
//! `//= held -> wanted Relation` is expected; `//? …` is reported although it cannot happen: a known gap.
//! Input of `tests/tests/precision.rs`; the pieces are rows of a board, `x1` taken before `x2`.
#![allow(dead_code, private_interfaces)]

use std::sync::Arc;

use lockdep::{lock_order, mm_lock};

lock_order! {
    pub order Chess {
        a1 = 1; a2 = 2;
        b1 = 3; b2 = 4;
        c1 = 5; c2 = 6;
        d1 = 7; d2 = 8;
        e1 = 9; e2 = 10;
        f1 = 11; f2 = 12;
        g1 = 13; g2 = 14;
        h1 = 15; h2 = 16;
        i1 = 17; i2 = 18;
        j1 = 19; j2 = 20;
        k1 = 21; k2 = 22;
        l1 = 23; l2 = 24;
        m1 = 25; m2 = 26;
        n1 = 27; n2 = 28;
        o1 = 29; o2 = 30;
        p1 = 31; p2 = 32;
        q1 = 33; q2 = 34;
        r1 = 35; r2 = 36;
        s1 = 37; s2 = 38;
        t1 = 39; t2 = 40;
        u1 = 41; u2 = 42;
        v1 = 43; v2 = 44;
        w1 = 45; w2 = 46; w3 = 47;
        x1 = 48;
        x2 = 49;
        y1 = 50, recursive;
        y2 = 51, recursive;
        y3 = 52;
    }
}

type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;
type RwLock<T, C> = lockdep::RwLock<spin::RwLock<()>, T, C>;
type Reentrant<T, C> = lockdep::ReentrantMutex<spin::Mutex<()>, T, C>;
type Guard<'a, C> = lockdep::MutexGuard<'a, spin::Mutex<()>, u32, C>;

macro_rules! locks {
    ($($name:ident $class:ident),* $(,)?) => {
        $(#[mm_lock(order = $class)] static $name: Mutex<u32> = Mutex::new(0);)*
    };
}
locks! {
    A1 a1, A2 a2,
    B1 b1, B2 b2,
    C1 c1, C2 c2,
    D1 d1, D2 d2,
    E1 e1, E2 e2,
    F1 f1, F2 f2,
    G1 g1, G2 g2,
    H1 h1, H2 h2,
    I1 i1, I2 i2,
    J1 j1, J2 j2,
    K1 k1, K2 k2,
    L1 l1, L2 l2,
    M1 m1, M2 m2,
    N1 n1, N2 n2,
    O1 o1, O2 o2,
    P1 p1, P2 p2,
    Q1 q1, Q2 q2,
    R1 r1, R2 r2,
    S1 s1, S2 s2,
    T1 t1, T2 t2,
    U1 u1, U2 u2,
    V1 v1, V2 v2,
    W1 w1, W2 w2, W3 w3,
}

//= a1 -> a2 Same
pub fn closure_called_by_foreign_code(o: Option<u32>) {
    let _g = A1.lock();
    o.map(|x| *A2.lock() + x);
}

//= b1 -> b2 Same
pub fn iterator_made_before_and_run_after(v: &[u32]) -> u32 {
    let it = v.iter().map(|x| *B2.lock() + *x);
    let _g = B1.lock();
    it.sum()
}

fn with<R>(f: impl FnOnce(&mut u32) -> R) -> R {
    let mut g = C1.lock();
    f(&mut g)
}

//= c1 -> c2 Same
pub fn closure_called_under_a_lock() {
    with(|x| *x += *C2.lock())
}

fn get() -> Result<Guard<'static, chess::d1>, ()> {
    Ok(D1.lock())
}

//= d1 -> d2 Same
pub fn guard_in_a_result() -> Result<u32, ()> {
    let g = get()?;
    let h = D2.lock();
    Ok(*g + *h)
}

struct Holder<'a> {
    g: Guard<'a, chess::e1>,
    n: u32,
}

fn hold() -> Holder<'static> {
    Holder { g: E1.lock(), n: 3 }
}

//= e1 -> e2 Same
pub fn guard_in_a_struct() -> u32 {
    let h = hold();
    let x = *E2.lock();
    x + h.n + *h.g
}

struct Dropper(u32);

impl Drop for Dropper {
    fn drop(&mut self) {
        *F2.lock() += self.0;
    }
}

struct Wrap {
    _d: Option<Box<Dropper>>,
}

//= f1 -> f2 Same
pub fn destructor_of_a_field(n: u32) {
    let w = Wrap { _d: Some(Box::new(Dropper(n))) };
    let _g = F1.lock();
    drop(w);
}

trait Piece {
    fn go(&self);
}

impl Piece for u8 {
    fn go(&self) {
        *G2.lock() += 1;
    }
}

//= g1 -> g2 Same
pub fn trait_object(t: &dyn Piece) {
    let _g = G1.lock();
    t.go();
}

trait Step {
    fn go(&self);
    fn twice(&self) {
        self.go();
        self.go()
    }
}

struct Knight;

impl Step for Knight {
    fn go(&self) {
        *H2.lock() += 1;
    }
}

fn generic<T: Step>(t: &T) {
    let _g = H1.lock();
    t.twice();
}

//= h1 -> h2 Same
pub fn default_method_of_a_parameter() {
    generic(&Knight)
}

//= i1 -> i2 Same
pub fn dropped_on_one_path(c: bool) {
    let g = I1.lock();
    if c {
        drop(g);
    }
    let _h = I2.lock();
}

pub fn dropped_on_every_path(c: bool) {
    let g = J1.lock();
    if c {
        drop(g);
    } else {
        core::mem::drop(g)
    }
    let _h = J2.lock();
}

//= k1 -> k2 Same
//? k1 -> k1 Same, same lock
pub fn taken_once_in_a_loop(n: u32) {
    let mut s: Option<Guard<'static, chess::k1>> = None;
    for _ in 0..n {
        if s.is_none() {
            s = Some(K1.lock());
        }
        *K2.lock() += 1;
    }
}

fn step() {
    *L2.lock() += 1;
}

//= l1 -> l2 Same
pub fn function_pointer() {
    let f: fn() = step;
    let _g = L1.lock();
    f();
}

//= m1 -> m2 Same
pub fn recursion_between_functions(n: u32) {
    let g = M1.lock();
    if n > 0 {
        drop(g);
        back(n - 1)
    } else {
        *M2.lock() += 1;
    }
}

fn back(n: u32) {
    recursion_between_functions(n)
}

//= n1 -> n2 Same
pub fn scrutinee_of_if_let() {
    if let 3 = *N1.lock() {
        *N2.lock() += 1;
    }
}

//= o1 -> o2 Same
pub fn scrutinee_of_match() {
    match *O1.lock() {
        3 => *O2.lock() += 1,
        _ => {}
    }
}

fn fill(slot: &mut Option<Guard<'static, chess::p1>>) {
    *slot = Some(P1.lock());
}

//= p1 -> p2 Same
pub fn stored_through_a_reference() {
    let mut s = None;
    fill(&mut s);
    *P2.lock() += 1;
}

//= q1 -> q2 Same
pub fn pushed_to_a_collection() {
    let mut v = Vec::new();
    v.push(Q1.lock());
    *Q2.lock() += 1;
}

//= r1 -> r2 Same
pub async fn across_an_await() {
    let g = R1.lock();
    core::future::ready(()).await;
    *R2.lock() += *g;
}

fn consume(g: Guard<'static, chess::s1>) {
    drop(g);
    *S2.lock() += 1;
}

pub fn handed_over_and_dropped_there() {
    consume(S1.lock())
}

//= t1 -> t2 Same
pub fn shared_by_two_pointers() {
    let x = Arc::new((T1.lock(), 3));
    let y = x.clone();
    drop(x);
    *T2.lock() += y.1;
}

//= u1 -> u2 Same
pub fn acquired_by_a_function_passed_on(v: &[u32]) {
    let g = Some(&U1).map(Mutex::lock);
    *U2.lock() += v.len() as u32;
    drop(g);
}

pub fn attempt_that_failed() {
    match V1.try_lock() {
        Some(g) => drop(g),
        None => *V2.lock() += 1,
    }
}

//= w1 -> w2 Same
//= w1 -> w3 Same
pub fn part_of_a_tuple_moved_out() {
    let both = (W1.lock(), W2.lock());
    let second = both.1;
    drop(second);
    *W3.lock() += *both.0;
}

#[mm_lock(order = x1)]
static X1: RwLock<u32> = RwLock::new(0);
#[mm_lock(order = x2)]
static X2: Mutex<u32> = Mutex::new(0);

//= x1 -> x2 Same
//= x2 -> x1 Same
pub fn upgraded_under_another_lock() {
    let reader = X1.upgradable_read();
    let other = X2.lock();
    *reader.upgrade() += *other;
}

#[mm_lock(order = y1)]
static Y1: Mutex<u32> = Mutex::new(0);
#[mm_lock(order = y2)]
static Y2: Reentrant<u32> = Reentrant::new(0);
#[mm_lock(order = y3)]
static Y3: Mutex<u32> = Mutex::new(0);

//= y1 -> y1 Same, same lock
pub fn declared_recursive_and_not_reentrant() -> u32 {
    let g = Y1.lock();
    *g + *Y1.lock()
}

//= y2 -> y3 Same
pub fn entered_again() -> u32 {
    let g = Y2.lock();
    let h = *Y3.lock();
    h + *g + *Y2.lock()
}
