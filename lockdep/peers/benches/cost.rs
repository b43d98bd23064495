//! What checking costs, ours and the peers' in one run: `cargo bench` in `lockdep/peers`.
//!
//! Times are ratios: a batch of the operation stands between two batches of a reference operation (an uncontended atomic
//! swap and a store), and the median over many batches is printed, since clocks of shared machines drift. Instructions are
//! counted by callgrind where there is a `valgrind`, and repeat exactly. What an option of cargo's passes on is ignored.

use std::hint::black_box;
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use lockdep::Map;
use lockdep::class::Class;
use lockdep::held::Mode;
use lockdep_peers::family::{Family, Mutex};
use lockdep_peers::ours::Ours;
use lockdep_peers::peers::{AxKspin, Deloxide, Detecting, Hierarchy, Tracing};
use lockdep_peers::raw::{ParkingLot, Spin, Std};
use lockdep_peers::xen::Xen;

/// Rounds per batch, and batches per figure.
const BATCH: u32 = 2000;
const BATCHES: usize = 41;
/// Locks of one class under one parent.
const MANY: usize = 100_000;
/// Locks, or classes of ours, that are nested in one hidden order.
const CROWD: usize = 500;

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Nanoseconds per round of a batch.
fn timed(rounds: u32, mut round: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..rounds).for_each(|_| round());
    start.elapsed().as_nanos() as f64 / f64::from(rounds)
}

fn reference() -> f64 {
    let flag = AtomicBool::new(false);
    timed(BATCH, || {
        black_box(black_box(&flag).swap(true, Ordering::Acquire));
        flag.store(false, Ordering::Release);
    })
}

/// The median ratio of a round to the reference.
fn ratio(mut round: impl FnMut()) -> f64 {
    timed(BATCH, &mut round);
    let batch = |_| {
        let before = reference();
        let here = timed(BATCH, &mut round);
        2.0 * here / (before + reference())
    };
    median((0..BATCHES).map(batch).collect())
}

/// Four locks, of which the first one, two or all are taken, one inside the other.
struct Four<F: Family>(F::Mutex<0>, F::Mutex<1>, F::Mutex<2>, F::Mutex<3>);

impl<F: Family> Four<F> {
    fn new() -> Self {
        Four(F::mutex::<0>(), F::mutex::<1>(), F::mutex::<2>(), F::mutex::<3>())
    }

    #[inline]
    fn one(&self) {
        let _a = black_box(&self.0).lock();
    }

    #[inline]
    fn two(&self) {
        let _a = black_box(&self.0).lock();
        let _b = black_box(&self.1).lock();
    }

    #[inline]
    fn four(&self) {
        let _a = black_box(&self.0).lock();
        let _b = black_box(&self.1).lock();
        let _c = black_box(&self.2).lock();
        let _d = black_box(&self.3).lock();
    }
}

/// How much longer a nested pair takes while another thread does the same with locks of its own: the median over
/// batches, each beside one alone. It needs two idle CPUs to mean anything.
fn two_threads<F: Family>() -> f64 {
    // Long enough that waking the other thread does not matter.
    let batch = |locks: &Four<F>| timed(25 * BATCH, || locks.two());
    let (start, end) = (Barrier::new(2), Barrier::new(2));
    let together = |locks: &Four<F>| {
        start.wait();
        let time = batch(locks);
        end.wait();
        time
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let locks = Four::<F>::new();
            batch(&locks);
            (0..BATCHES).for_each(|_| {
                together(&locks);
            });
        });
        let locks = Four::<F>::new();
        batch(&locks);
        let ratios = (0..BATCHES).map(|_| {
            let alone = batch(&locks);
            together(&locks) / alone
        });
        median(ratios.collect())
    })
}

/// Locks of one class under one parent: bytes of one lock, bytes the process grew by per lock, and how a round over all
/// of them compares with a round over one.
fn many<F: Family>() -> (usize, f64, f64) {
    let parent = F::mutex::<0>();
    let pair = |child: &F::Mutex<1>| {
        let _parent = parent.lock();
        let _child = black_box(child).lock();
    };
    let before = resident();
    let locks: Vec<F::Mutex<1>> = (0..MANY).map(|_| F::mutex::<1>()).collect();
    locks.iter().for_each(pair);
    let grown = resident().saturating_sub(before) as f64 / MANY as f64;
    // Batches of one and of all in turn, since the clock drifts; of all, in an order that no prefetcher spoils.
    let mut next = 0;
    let batch = |_| {
        let one = timed(BATCH, || pair(&locks[0]));
        let all = timed(BATCH, || {
            next = (next + 37) % MANY;
            pair(&locks[next]);
        });
        all / one
    };
    let ratio = median((0..BATCHES).map(batch).collect());
    (size_of::<F::Mutex<1>>(), grown, ratio)
}

/// Bytes of this process in memory; 0 where the system does not say.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|line| line.split(' ').nth(1)?.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

/// Pairs of different numbers below `CROWD`, all different, in one hidden order.
fn pairs() -> Vec<(usize, usize)> {
    let mut seed = 1_u64;
    let mut dice = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % CROWD
    };
    let place = |at: usize| at * 211 % CROWD;
    let mut seen = std::collections::HashSet::new();
    let mut pairs = Vec::new();
    while pairs.len() < 20_000 {
        let (a, b) = (dice(), dice());
        let pair = if place(a) < place(b) { (a, b) } else { (b, a) };
        if a != b && seen.insert(pair) {
            pairs.push(pair);
        }
    }
    pairs
}

/// Median time of a nested pair at first sight, in µs: of the first and the last 1,000 of 20,000; and at second sight.
fn new_edges(mut nest: impl FnMut(usize, usize)) -> [f64; 3] {
    let mut pass = || -> Vec<f64> {
        let one = |(outer, inner)| {
            let start = Instant::now();
            nest(outer, inner);
            start.elapsed().as_nanos() as f64 / 1000.0
        };
        pairs().into_iter().map(one).collect()
    };
    let (new, known) = (pass(), pass());
    [median(new[..1000].to_vec()), median(new[new.len() - 1000..].to_vec()), median(known)]
}

fn new_edges_of_instances<F: Family>() -> [f64; 3] {
    let locks: Vec<F::Mutex<1>> = (0..CROWD).map(|_| F::mutex::<1>()).collect();
    new_edges(|outer, inner| {
        let _outer = locks[outer].lock();
        let _inner = locks[inner].lock();
    })
}

fn new_edges_of_classes() -> [f64; 3] {
    static CLASSES: [Class; CROWD] = [const { Class::undeclared("one of a crowd") }; CROWD];
    let maps: Vec<Map> = CLASSES.iter().map(Map::new).collect();
    new_edges(|outer, inner| {
        maps[outer].acquire(Mode::Exclusive);
        maps[inner].acquire(Mode::Exclusive);
        maps[inner].release();
        maps[outer].release();
    })
}

/// In the process that callgrind watches.
fn execute<F: Family>(name: &str, depth: u32, rounds: u32) {
    if name == F::NAME {
        F::start(|| unreachable!("a benchmark has no inversion"));
        let locks = Four::<F>::new();
        match depth {
            1 => (0..rounds).for_each(|_| locks.one()),
            2 => (0..rounds).for_each(|_| locks.two()),
            _ => (0..rounds).for_each(|_| locks.four()),
        }
    }
}

/// Instructions per round, as the difference of two runs, so that start-up drops out.
fn instructions(name: &str, depth: u32) -> Option<u64> {
    let count = |rounds: u32| {
        let this = std::env::current_exe().ok()?;
        let mut run = Command::new("valgrind");
        run.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(this);
        let output = run
            .env("RUST_BACKTRACE", "0")
            .args(["execute", name])
            .args([depth.to_string(), rounds.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        text.split("Collected : ").nth(1)?.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some(count(2000)?.saturating_sub(count(1000)?) / 1000)
}

/// A row of the table, in a process of its own: what one checker does to the process does not reach the next.
fn row<F: Family>(name: &str) {
    if name != F::NAME {
        return;
    }
    F::start(|| unreachable!("a benchmark has no inversion"));
    let locks = Four::<F>::new();
    let (one, two, four) = (ratio(|| locks.one()), ratio(|| locks.two()), ratio(|| locks.four()));
    let (size, grown, spread) = many::<F>();
    print!("{:15} {one:7.2} {two:7.2} {four:7.2} {:7.2}", F::NAME, two_threads::<F>());
    for depth in [1, 2, 4] {
        let count = instructions(F::NAME, depth).map_or("-".to_owned(), |count| count.to_string());
        print!(" {count:>7}");
    }
    println!(" {size:7} {grown:7.0} {spread:7.2}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let told: Vec<&str> = arguments.iter().map(String::as_str).collect();
    macro_rules! families {
        ($each:ident($($argument:expr),*)) => {{
            $each::<Spin>($($argument),*);
            $each::<ParkingLot>($($argument),*);
            $each::<Std>($($argument),*);
            $each::<Xen>($($argument),*);
            $each::<Ours>($($argument),*);
            $each::<Tracing>($($argument),*);
            $each::<Detecting>($($argument),*);
            $each::<Deloxide>($($argument),*);
            $each::<Hierarchy>($($argument),*);
            $each::<AxKspin>($($argument),*);
        }};
    }
    if let ["execute", name, depth, rounds] = told[..] {
        let (depth, rounds) = (depth.parse().expect("a depth"), rounds.parse().expect("a number of rounds"));
        families!(execute(name, depth, rounds));
        return;
    }
    if let ["row", name] = told[..] {
        families!(row(name));
        return;
    }
    if let ["edges"] = told[..] {
        return edges();
    }
    println!("reference: swap and store, {:.1} ns", median((0..BATCHES).map(|_| reference()).collect()));
    println!("ratio to it of 1, 2, 4 nested locks; 2 threads: time of a nested pair each over one thread's;");
    println!(
        "instructions of 1, 2, 4 nested; bytes of a lock; of {MANY} under one parent: bytes grown, time over one's"
    );
    let columns = ["1", "2", "4", "2 thr", "i 1", "i 2", "i 4", "bytes", "grown", "spread"];
    println!("{:15}{}", "", columns.map(|column| format!(" {column:>7}")).concat());
    families!(tell_row());
    println!(
        "\nmedian µs of a pair nested among {CROWD}: first sight of the first 1,000 and of the last 1,000 of 20,000; known"
    );
    print!("{}", again(&["edges"], Ours::NAME));
}

fn tell_row<F: Family>() {
    // Some peers print a banner first.
    println!("{}", again(&["row", F::NAME], F::NAME).trim_end());
}

/// What this program prints, run again, from where it first says `from`.
fn again(arguments: &[&str], from: &str) -> String {
    let mut run = Command::new(std::env::current_exe().expect("this program has a path"));
    // Stacks would be the cost of the environment.
    let output = run.args(arguments).env("RUST_BACKTRACE", "0").output().expect("this program starts again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    text[text.find(from).unwrap_or(0)..].to_owned()
}

fn edges() {
    Deloxide::start(|| ());
    Ours::start(|| ());
    // That its table of sites is full is said once.
    lockdep::set_sink(|_| ());
    let edges = [
        (Ours::NAME, new_edges_of_classes()),
        (Tracing::NAME, new_edges_of_instances::<Tracing>()),
        (Deloxide::NAME, new_edges_of_instances::<Deloxide>()),
    ];
    for (name, [first, last, known]) in edges {
        println!("{name:15} {first:7.2} {last:7.2} {known:7.2}");
    }
}
