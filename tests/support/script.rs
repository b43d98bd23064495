//! The script language of `data/selftests.tsv`, played on the checker's public hooks.
//!
//! One case at a time: the caller holds [`Alone`](crate::alone::Alone). Each phase plays on a CPU of its own, each
//! case starts from a clean graph. What the events mean for a lock that does not exist is nothing here: a [`Map`]
//! excludes nobody, so a case that would hang reports and goes on.

use std::collections::BTreeMap;

use lockdep::Map;
use lockdep::class::{Class, Flags};
use lockdep::context::{HARDIRQ, SOFTIRQ};
use lockdep::held::Mode;
use lockdep::wait::Wait;

use crate::board;
use crate::wound_wait::WoundWait;

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The name of the test function in Linux.
    pub id: &'a str,
    /// `graph`, `irq`, `balance` and so on.
    pub category: &'a str,
    locks: &'a str,
    /// What happens.
    pub script: &'a str,
    /// Whether the checker must stay silent.
    pub passes: bool,
    /// The kind of the first report, or `none`.
    pub report: &'a str,
}

impl<'a> Case<'a> {
    /// Every case of the table.
    ///
    /// # Panics
    /// When a line has not its eleven columns.
    pub fn all(table: &'a str) -> Vec<Case<'a>> {
        let lines = table.lines().filter(|line| !line.starts_with('#')).skip(1);
        let case = |line: &'a str| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [id, _, _, _, category, locks, script, expect, report, _, _] = columns[..] else {
                panic!("eleven columns: {line}")
            };
            assert!(["PASS", "FAIL"].contains(&expect), "{line}");
            Case { id, category, locks, script, passes: expect == "PASS", report }
        };
        lines.map(case).collect()
    }
}

/// The class of a lock type; wait types are those of the table's head.
fn class_of(name: &str, kind: &str) -> Class {
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    let class = Class::undeclared(name);
    let both = |wait| class_with(name, wait, wait);
    match kind {
        "raw" => both(Wait::Spin),
        "spin" | "rwlock" => both(Wait::Config),
        "local" => both(Wait::Config).with_flags(Flags::PER_CPU),
        "mutex" | "rwsem" | "rtmutex" | "ww" => both(Wait::Sleep),
        "rcu" | "rcu_bh" => class_with(name, Wait::Free, Wait::Config).with_flags(Flags::NO_EDGES),
        "rcu_sched" => class_with(name, Wait::Free, Wait::Spin).with_flags(Flags::NO_EDGES),
        "map" | "wwctx" => class,
        other => panic!("no such lock type: {other}"),
    }
}

fn class_with(name: &'static str, outer: Wait, inner: Wait) -> Class {
    Class::undeclared(name).waiting(outer, inner)
}

/// Plays cases, and keeps their classes: a class lives for ever.
#[derive(Default)]
pub struct Stage {
    classes: BTreeMap<String, &'static Class>,
}

/// What one case works on.
struct Props<'a> {
    maps: BTreeMap<&'a str, Map>,
    wound_wait: WoundWait<'a>,
    /// How often hard interrupts are disabled: Linux has a flag, the checker counts.
    irqs_off: u32,
    misuse: Option<&'static str>,
    /// How many reports there were when the case began.
    reported: u32,
}

impl Stage {
    /// A stage with the interrupts of Linux.
    pub fn new() -> Stage {
        HARDIRQ.declare();
        SOFTIRQ.declare();
        Stage::default()
    }

    /// Plays a case; `Some` when the first report is the lock's own, about a misuse, and not the checker's.
    ///
    /// # Panics
    /// When the script is not in the language, or a call returns something else than it says.
    pub fn run(&mut self, case: &Case<'_>) -> Option<&'static str> {
        lockdep::forget();
        let mut maps = BTreeMap::new();
        for lock in case.locks.split(' ') {
            let (name, rest) = lock.split_once(':').expect("NAME:TYPE@CLASS");
            let (kind, class) = rest.split_once('@').expect("TYPE@CLASS");
            let key = format!("{class}:{kind}");
            let class =
                *self.classes.entry(key).or_insert_with(|| Box::leak(Box::new(class_of(class, kind))));
            maps.insert(name, Map::new(class));
        }
        let (wound_wait, reported) = (WoundWait::default(), lockdep::counters().reported);
        let mut props = Props { maps, wound_wait, irqs_off: 0, misuse: None, reported };
        for (cpu, phase) in case.script.split(" | ").enumerate() {
            let (_, events) = phase.split_once(": ").expect("T1: events");
            board::with_cpu(board::FREE + cpu, || props.phase(events));
        }
        for cpu in 0..case.script.split(" | ").count() {
            board::with_cpu(board::FREE + cpu, lockdep::forget);
        }
        props.misuse
    }
}

impl<'a> Props<'a> {
    fn phase(&mut self, events: &'a str) {
        self.irqs_off = 0;
        let mut closing = Vec::new();
        for event in events.split("; ") {
            let mut event = event.trim();
            if let Some((opens, body)) = event.split_once("{ ") {
                closing.push(opens);
                self.open(opens);
                event = body;
            }
            let closes = event.ends_with(" }");
            self.event(event.trim_end_matches(" }"));
            if closes {
                self.close(closing.pop().expect("a handler to close"));
            }
        }
    }

    fn open(&mut self, handler: &str) {
        match handler {
            "hirq" | "hirq_nt" => {
                self.irq_off();
                HARDIRQ.enter_bearing(if handler == "hirq" { Wait::Config } else { Wait::Spin });
            }
            "sirq" => {
                SOFTIRQ.disable();
                self.irq_off();
                SOFTIRQ.enter();
            }
            other => panic!("no such handler: {other}"),
        }
    }

    fn close(&mut self, handler: &str) {
        if handler == "sirq" {
            SOFTIRQ.exit();
            self.irq_on();
            SOFTIRQ.enable();
        } else {
            HARDIRQ.exit();
            self.irq_on();
        }
    }

    fn irq_off(&mut self) {
        self.irqs_off += 1;
        HARDIRQ.disable();
    }

    fn irq_on(&mut self) {
        for _ in 0..std::mem::take(&mut self.irqs_off) {
            HARDIRQ.enable();
        }
    }

    fn event(&mut self, event: &'a str) {
        let words: Vec<&str> = event.split(' ').collect();
        let (maps, ww) = (&mut self.maps, &mut self.wound_wait);
        match words[..] {
            ["w" | "w_intr" | "w_kill", lock, nest] => {
                let nest = nest.strip_prefix("nest=").expect("nest=LOCK");
                maps[lock].acquire_nested(Mode::Exclusive, &maps[nest]);
            }
            ["w" | "w_intr" | "w_kill", lock] => maps[lock].acquire(Mode::Exclusive),
            ["r", lock] => maps[lock].acquire(Mode::Shared),
            ["R", lock] => maps[lock].acquire(Mode::SharedRecursive),
            ["tw", lock] => maps[lock].acquired_by_try(Mode::Exclusive),
            ["tw", _, "=fail"] => {}
            ["u", lock] => {
                let misuse = ww.unlock(lock);
                maps[lock].release();
                self.note(misuse);
            }
            ["init", lock] => maps[lock].reinitialise(),
            ["irq_off"] => self.irq_off(),
            ["irq_on"] => self.irq_on(),
            ["bh_off"] => SOFTIRQ.disable(),
            ["bh_on"] => SOFTIRQ.enable(),
            // A class is an address and a name here: a subclass of it would be another class of the same name.
            ["set_subclass", _, _] | ["assert_same_class_name", _] => {}
            _ => {
                let misuse = ww.event(&words, maps);
                self.note(misuse);
            }
        }
    }

    /// The first report counts, the lock's own like the checker's.
    fn note(&mut self, misuse: Option<&'static str>) {
        if lockdep::counters().reported == self.reported {
            self.misuse = self.misuse.or(misuse);
        }
    }
}
