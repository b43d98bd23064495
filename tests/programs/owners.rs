//! Owners of locks: how the owners of the two locks of a nesting stand to each other.
//!
//! Marks as in `guards.rs`. Input of `tests/tests/precision.rs`; every function uses classes of its own.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::sync::Arc;

use lockdep::{Owner, lock_order, lock_owner, mm_locks, operation};

lock_order! {
    pub order Chess {
        a1 = 1;
        a2 = 2;
        b1 = 3;
        b2 = 4;
        c1 = 5;
        d1 = 6;
        d2 = 7;
        e1 = 8;
        e2 = 9;
        f1 = 10;
        g1 = 11;
        h1 = 12;
        h2 = 13;
        h3 = 14;
        i1 = 15;
        i2 = 16;
        j1 = 17;
        j2 = 18;
        k1 = 19;
        k2 = 20;
        l1 = 21;
        l2 = 22;
        m1 = 23;
        m2 = 24;
        m3 = 25;
        n1 = 26;
        n2 = 27;
        o1 = 28;
        o2 = 29;
        o3 = 30;
        p1 = 31;
        p2 = 32;
        q1 = 33;
        q2 = 34;
        r1 = 35;
        s1 = 36;
        s2 = 37;
        s3 = 38;
    }
    roles { subject < control }
}
use chess::{Control, Subject};

type Mutex<T, C> = lockdep::Mutex<spin::Mutex<()>, T, C>;

#[lock_owner]
#[mm_locks]
pub struct Player {
    #[owner]
    owner: Owner,
    peer: Option<Arc<Player>>,
    #[mm_lock(order = a1)]
    a1: Mutex<u64>,
    #[mm_lock(order = a2)]
    a2: Mutex<u64>,
    #[mm_lock(order = b1)]
    b1: Mutex<u64>,
    #[mm_lock(order = b2)]
    b2: Mutex<u64>,
    #[mm_lock(order = c1)]
    c1: Mutex<u64>,
    #[mm_lock(order = d1)]
    d1: Mutex<u64>,
    #[mm_lock(order = d2)]
    d2: Mutex<u64>,
    #[mm_lock(order = e1)]
    e1: Mutex<u64>,
    #[mm_lock(order = e2)]
    e2: Mutex<u64>,
    #[mm_lock(order = f1)]
    f1: Mutex<u64>,
    #[mm_lock(order = g1)]
    g1: Mutex<u64>,
    #[mm_lock(order = h1)]
    h1: Mutex<u64>,
    #[mm_lock(order = h2)]
    h2: Mutex<u64>,
    #[mm_lock(order = h3)]
    h3: Mutex<u64>,
    #[mm_lock(order = i1)]
    i1: Mutex<u64>,
    #[mm_lock(order = i2)]
    i2: Mutex<u64>,
    #[mm_lock(order = j1)]
    j1: Mutex<u64>,
    #[mm_lock(order = j2)]
    j2: Mutex<u64>,
    #[mm_lock(order = k1)]
    k1: Mutex<u64>,
    #[mm_lock(order = k2)]
    k2: Mutex<u64>,
    #[mm_lock(order = l1)]
    l1: Mutex<u64>,
    #[mm_lock(order = l2)]
    l2: Mutex<u64>,
    #[mm_lock(order = m1)]
    m1: Mutex<u64>,
    #[mm_lock(order = m2)]
    m2: Mutex<u64>,
    #[mm_lock(order = m3)]
    m3: Mutex<u64>,
    #[mm_lock(order = n1)]
    n1: Mutex<u64>,
    #[mm_lock(order = n2)]
    n2: Mutex<u64>,
    #[mm_lock(order = o1)]
    o1: Mutex<u64>,
    #[mm_lock(order = o2)]
    o2: Mutex<u64>,
    #[mm_lock(order = o3)]
    o3: Mutex<u64>,
    #[mm_lock(order = p1)]
    p1: Mutex<u64>,
    #[mm_lock(order = p2)]
    p2: Mutex<u64>,
    #[mm_lock(order = q1)]
    q1: Mutex<u64>,
    #[mm_lock(order = q2)]
    q2: Mutex<u64>,
    #[mm_lock(order = r1)]
    r1: Mutex<u64>,
    #[mm_lock(order = s1)]
    s1: Mutex<u64>,
    #[mm_lock(order = s2)]
    s2: Mutex<u64>,
    #[mm_lock(order = s3)]
    s3: Mutex<u64>,
}

fn both(x: &Player, y: &Player) -> u64 {
    let g = x.a1.lock();
    *g + *y.a2.lock()
}

//= a1 -> a2 Up
#[operation]
pub fn up(#[role(subject)] s: Subject<'_, Player>, #[role(control)] c: Control<'_, Player>) -> u64 {
    both(&s, &c)
}

//= a1 -> a2 Down
#[operation]
pub fn down(#[role(subject)] s: Subject<'_, Player>, #[role(control)] c: Control<'_, Player>) -> u64 {
    both(&c, &s)
}

//= a1 -> a2 Same
pub fn one_player(d: &Player) -> u64 {
    both(d, d)
}

//= b1 -> b2 Other
pub fn roles_nobody_checked(s: Subject<'_, Player>, c: Control<'_, Player>) -> u64 {
    let g = s.b1.lock();
    *g + *c.b2.lock()
}

//= c1 -> c1 Other
pub fn all_of_a_slice(ds: &[Player]) -> u64 {
    let v: Vec<_> = ds.iter().map(|d| d.c1.lock()).collect();
    v.iter().map(|g| **g).sum()
}

//= d1 -> d2 Other
pub fn reassigned(mut d: &Player, e: &'static Player, x: bool) -> u64 {
    let g = d.d1.lock();
    if x {
        d = e;
    }
    *g + *d.d2.lock()
}

//= e1 -> e2 Other
pub fn looked_up(t: &BTreeMap<u32, Arc<Player>>, n: u32) -> u64 {
    let (x, y) = (t[&n].clone(), t[&(n + 1)].clone());
    let g = x.e1.lock();
    *g + *y.e2.lock()
}

//= f1 -> f1 Other
pub fn through_a_field(d: &Player) -> u64 {
    let g = d.f1.lock();
    match &d.peer {
        Some(p) => *g + *p.f1.lock(),
        None => 0,
    }
}

//= g1 -> g1 Other
pub fn two_of_an_array(ds: &[Player; 4], p: usize, q: usize) -> u64 {
    let g = ds[p].g1.lock();
    *g + *ds[q].g1.lock()
}

//= h1 -> h2 Other
//= h1 -> h3 Up
//= h3 -> h2 Down
#[operation]
pub fn two_subjects(
    #[role(subject)] s: Subject<'_, Player>,
    #[role(subject)] t: Subject<'_, Player>,
    #[role(control)] c: Control<'_, Player>,
) -> u64 {
    let g = s.h1.lock();
    let _c = c.h3.lock();
    *g + *t.h2.lock()
}

//= i1 -> i2 Other
pub fn swapped<'a>(mut x: &'a Player, mut y: &'a Player) -> u64 {
    let g = x.i1.lock();
    core::mem::swap(&mut x, &mut y);
    *g + *x.i2.lock()
}

fn set<'a>(p: &mut &'a Player, q: &'a Player) {
    *p = q;
}

//= j1 -> j2 Other
pub fn written_by_a_callee<'a>(mut x: &'a Player, y: &'a Player) -> u64 {
    let g = x.j1.lock();
    set(&mut x, y);
    *g + *x.j2.lock()
}

//= k1 -> k2 Other
pub fn written_by_a_closure<'a>(mut x: &'a Player, y: &'a Player) -> u64 {
    let g = x.k1.lock();
    let mut f = || x = y;
    f();
    *g + *x.k2.lock()
}

//= l1 -> l2 Same
pub fn handed_out_by_a_closure(x: &Player) -> u64 {
    let get = || x.l1.lock();
    let g = get();
    *g + *x.l2.lock()
}

fn run<R>(x: &Player, f: impl FnOnce() -> R) -> R {
    let r = f();
    let _h = x.m2.lock();
    r
}

//= m1 -> m2 Same
//= m1 -> m3 Same
pub fn handed_out_through_a_generic_function(x: &Player) -> u64 {
    let g = run(x, || x.m1.lock());
    *g + *x.m3.lock()
}

//= n1 -> n2 Same
pub fn mapped(x: &Player, o: Option<u32>) -> u64 {
    let g = o.map(|_| x.n1.lock());
    let j = *x.n2.lock();
    j + g.map_or(0, |g| *g)
}

//= o1 -> o2 Same
//= o1 -> o3 Same
pub fn one_of_two_dropped(x: &Player) -> u64 {
    let (p, q) = (x.o1.lock(), x.o2.lock());
    drop(q);
    *p + *x.o3.lock()
}

//= p1 -> p2 Other
pub fn elements_of_a_slice(ds: &[Player], p: usize, q: usize) -> u64 {
    let g = ds[p].p1.lock();
    *g + *ds[q].p2.lock()
}

pub struct Board<'a> {
    turn: &'a Player,
}

//= q1 -> q2 Other
pub fn reassigned_behind_a_reference<'a>(board: &mut Board<'a>, next: &'a Player) -> u64 {
    let g = board.turn.q1.lock();
    board.turn = next;
    *g + *board.turn.q2.lock()
}

//= r1 -> r1 Other
pub fn nothing_known_of_either<'a>(mut x: &'a Player, mut y: &'a Player) -> u64 {
    core::mem::swap(&mut x, &mut y);
    let g = x.r1.lock();
    *g + *y.r1.lock()
}

mod elsewhere {
    use super::{Mutex, Player};

    impl Player {
        pub fn away_from_its_type(&self) -> u64 {
            *self.s2.lock()
        }

        pub fn without_a_receiver(x: &Player) -> &Mutex<u64, super::chess::s3> {
            &x.s3
        }
    }
}

//= s1 -> s2 Same
//= s1 -> s3 Same
pub fn methods_of_another_module(x: &Player) -> u64 {
    let g = x.s1.lock();
    *g + x.away_from_its_type() + *Player::without_a_receiver(x).lock()
}
