//! The phrases of findings: title, rule, remarks, help. Data for the renderers, which lay them out.
//!
//! No judgement is made here; `judge.rs` has made it and is the only caller.

use std::collections::BTreeSet;
use std::num::NonZeroU8;

use lockdep::order::{Discipline, Relation};

use crate::finding::{Code, Finding, Level, Link, Refusal};
use crate::graph::{Assumption, Evidence, Gate, Held, LockGraph, Nesting, Step, Wanted, Which};
use crate::mir::ir::Span;
use crate::witness::Witness;

/// What phrases need to know.
pub struct Phrases<'a> {
    /// For the names.
    pub graph: &'a LockGraph,
    /// For its name.
    pub discipline: &'a Discipline,
}

impl Phrases<'_> {
    fn held(&self, nesting: &Nesting) -> String {
        format!("`{}`", self.graph.name(nesting.held))
    }

    fn wanted(&self, nesting: &Nesting) -> String {
        format!("`{}`", self.graph.name(nesting.wanted))
    }

    /// The wanted lock and whose it is, seen from the held one: "`p2m` of an unrelated domain".
    fn wanted_of(&self, nesting: &Nesting) -> String {
        let wanted = self.wanted(nesting);
        let unowned = (self.graph.is_unowned(nesting.held), self.graph.is_unowned(nesting.wanted));
        match (self.graph.relation(nesting), unowned) {
            (Relation::Same, _) => wanted,
            (Relation::Up, _) => format!("{wanted} of the controlling domain"),
            (Relation::Down, _) => format!("{wanted} of a domain under control"),
            (Relation::Other, (false, false)) => format!("{wanted} of an unrelated domain"),
            (Relation::Other, (_, true)) => format!("{wanted}, which belongs to nobody,"),
            (Relation::Other, (true, false)) => format!("{wanted} of a domain"),
        }
    }

    fn acquired_while(&self, nesting: &Nesting) -> String {
        format!("{} acquired while {} is held", self.wanted_of(nesting), self.held(nesting))
    }

    /// The finding of a circular wait.
    pub fn circle(&self, code: Code, level: Level, links: Vec<Link>, witness: &Witness) -> Finding {
        let main = witness.cpus[0].nesting;
        let main = links.first().map_or(main, |link| link.nesting);
        let classes: BTreeSet<usize> = witness.cpus.iter().map(|cpu| cpu.nesting.held).collect();
        let title = match code {
            Code::Recursion => format!("{} acquired again by its holder", self.held(&main)),
            Code::ReaderRecursion => format!("{} read again by its reader", self.held(&main)),
            Code::UnorderedInstances => {
                format!("two instances of {} are held at once in no declared order", self.held(&main))
            }
            Code::LockOrderCycle if classes.len() > 1 => {
                let names: Vec<String> =
                    classes.iter().map(|&class| format!("`{}`", self.graph.name(class))).collect();
                match names.as_slice() {
                    [one, other] => format!("{one} and {other} are acquired in both orders"),
                    [most @ .., last] => format!("{} and {last} are acquired in a circle", most.join(", ")),
                    [] => String::new(),
                }
            }
            _ => self.acquired_while(&main),
        };
        let gated = level == Level::Note;
        let alone = witness.gates(self.graph).iter().all(|gate| matches!(gate.which, Which::Thread(_)));
        let title = match (gated, alone) {
            (true, true) => format!("{title}, by a single thread"),
            (true, false) => format!("{title}, under a gate"),
            (false, _) => title,
        };
        let mut notes = Vec::new();
        for link in &links {
            if let Some(refusal) = link.refused {
                notes.push(format!(
                    "the nesting to change is {} -> {}: the declared order {}",
                    self.held(&link.nesting),
                    self.wanted(&link.nesting),
                    self.reason(&link.nesting, refusal)
                ));
            }
        }
        notes.extend(self.behind_writers(witness));
        notes.extend(self.gates(level, witness));
        let tiers = witness.tiers();
        if tiers > 2 {
            notes.push(format!(
                "{tiers} domains control each other in a chain here: if there are never so many, say so in the roles of \
                 the order (`tiers = {}`)",
                tiers - 1
            ));
        }
        if level == Level::Warning {
            notes.push("merely possible: a call on the way could not be resolved to one function".to_owned());
        }
        let rule = match code {
            _ if gated && alone => "a thread of which there is only one does not wait for itself",
            _ if gated => "of two CPUs that would hold one lock exclusively, one waits for that lock",
            Code::Recursion => "a holder that is not let in again must not acquire what it holds",
            Code::ReaderRecursion => "a fair reader waits behind waiting writers, so it must not read again",
            Code::UnorderedInstances => "instances of one class in one domain nest by a declared key only",
            Code::CrossDomainNesting => {
                "between domains, nestings that can close a circle go up the hierarchy or down it, \
                 never both, and never to strangers"
            }
            _ => "locks of one domain nest in one order only",
        };
        let help = match gated {
            true if alone => "none needed as long as no other thread does any of this".to_owned(),
            true => "none needed as long as the gate is held over all of this".to_owned(),
            false => self.circle_help(code, &main, links.first().and_then(|link| link.refused)),
        };
        Finding {
            code,
            level,
            title,
            links,
            witness: Some(witness.clone()),
            rule: rule.to_owned(),
            notes,
            help,
            sites: Vec::new(),
        }
    }

    fn circle_help(&self, code: Code, main: &Nesting, refused: Option<Refusal>) -> String {
        let (held, wanted) = (self.held(main), self.wanted(main));
        match code {
            Code::Recursion if main.held_as == Held::Shared => {
                format!("end the read of {held} before it is acquired exclusively, or acquire it so at once")
            }
            Code::Recursion => {
                format!(
                    "pass the guard of {held} on, or declare the class `recursive` if its lock lets the holder in"
                )
            }
            Code::ReaderRecursion => format!("pass the guard of {held} on, or use a recursive read"),
            Code::UnorderedInstances => {
                format!("acquire instances of {held} by ascending key and declare it with `ordered_by`")
            }
            Code::CrossDomainNesting => match self.graph.relation(main) {
                Relation::Other => format!(
                    "release {held} before {wanted} is acquired, or, if the one domain always controls the other, \
                     say so in the types of the operation"
                ),
                _ => format!("release {held} before {wanted} is acquired"),
            },
            _ if refused.is_some() => {
                format!("release {held} before {wanted} is acquired, or acquire {wanted} first, as declared")
            }
            _ => format!(
                "choose one order: release {held} before {wanted} is acquired, or acquire {wanted} first; \
                 `lock_order!` keeps it"
            ),
        }
    }

    /// Which fair readers of the schedule wait for a reader, which takes a waiting writer in between.
    fn behind_writers(&self, witness: &Witness) -> Option<String> {
        let steps = witness.cpus.len();
        let behind: Vec<String> = (0..steps)
            .filter(|&at| {
                let (this, next) = (&witness.cpus[at], &witness.cpus[(at + 1) % steps]);
                this.nesting.wanted_as == Wanted::Shared && next.nesting.held_as == Held::Shared
            })
            .map(|at| format!("CPU {at}"))
            .collect();
        (!behind.is_empty()).then(|| {
            format!(
                "a reader waits for a reader ({}): that takes a writer who waits in between",
                behind.join(", ")
            )
        })
    }

    /// Locks that a CPU of the schedule and the one that waits for it would both hold exclusively.
    fn gates(&self, level: Level, witness: &Witness) -> Vec<String> {
        let closed = match level {
            Level::Note => "so one of these CPUs is never there, and the circle does not close",
            _ => "so these CPUs do not meet; that no others do was not shown",
        };
        let word = |gate: &Gate| {
            let which = match &gate.which {
                Which::Static(_) => "",
                Which::Beside { .. } => " of one object",
                Which::Thread(thread) => {
                    return format!("single thread: only `{thread}` makes two of these nestings, {closed}");
                }
            };
            let name = self.graph.name(gate.class);
            format!("a gate: `{name}`{which} is held exclusively over two of these nestings, {closed}")
        };
        witness.gates(self.graph).into_iter().map(word).collect()
    }

    /// The finding of a lock of threads that is held while a task sleeps.
    pub fn slept(&self, class: usize, acquired: &Span, slept: &BTreeSet<Span>) -> Finding {
        let name = self.graph.name(class);
        Finding {
            code: Code::HeldAcrossAwait,
            level: Code::HeldAcrossAwait.level(),
            title: format!("`{name}` is held while the task sleeps"),
            links: Vec::new(),
            witness: None,
            rule: "a task that sleeps holds no lock that threads wait for".to_owned(),
            notes: vec![format!("acquired at {acquired}")],
            help: format!("end the guard of `{name}` before the `.await`, or use a lock that tasks wait for"),
            sites: slept.iter().chain([acquired]).cloned().collect(),
        }
    }

    /// The finding of a circle through something that is no lock. What those do who would end the wait is said in
    /// words: no lock of theirs is in the wrong place.
    pub fn wait(&self, code: Code, level: Level, mut links: Vec<Link>, witness: &Witness) -> Finding {
        let is_wait = |link: &Link| self.graph.waits.contains_key(&link.nesting.wanted);
        let mut notes = Vec::new();
        for link in links.iter().filter(|link| !is_wait(link)) {
            let (held, wanted) = (self.held(&link.nesting), self.wanted(&link.nesting));
            let site = |steps: &[Step]| {
                let step = steps.last();
                step.map_or_else(String::new, |step| format!(" ({}, {})", step.function, step.span))
            };
            let (from, to) = (site(&link.evidence.held), site(&link.evidence.wanted));
            notes.push(format!("{held}{from} comes only after {wanted}{to} is acquired"));
        }
        notes.extend(self.gates(level, witness));
        if level == Level::Warning {
            let why = "others may end the wait, or a call on the way could not be resolved to one function";
            notes.push(format!("merely possible: {why}"));
        }
        links.retain(is_wait);
        let (held, wanted) = match links.first() {
            Some(link) => (self.held(&link.nesting), self.wanted(&link.nesting)),
            None => Default::default(),
        };
        Finding {
            code,
            level,
            title: format!("the {wanted} is waited for while {held} is held, and needs it"),
            links,
            witness: Some(witness.clone()),
            rule: "whoever waits holds nothing that the end of the wait depends on".to_owned(),
            notes,
            help: format!("release {held} before the wait"),
            sites: Vec::new(),
        }
    }

    /// The finding of a lock that is held while code of the callers runs: `link` the best of the places, `more` the
    /// others.
    pub fn called_back<'s>(&self, link: Link, more: impl Iterator<Item = &'s Evidence>) -> Finding {
        let held = self.held(&link.nesting);
        let mut notes: Vec<String> =
            link.evidence.wanted.last().map(|step| step.action.to_string()).into_iter().collect();
        notes.extend(more.filter_map(|more| {
            let (first, last) = (more.parting()?, more.wanted.last()?);
            let Step { function, action, span } = first;
            let mut note =
                format!("{function} {action} ({span}) with it held from {}", more.held.last()?.span);
            if first != last {
                note.push_str(&format!(", and {} {} ({})", last.function, last.action, last.span));
            }
            Some(note)
        }));
        Finding {
            code: Code::CallsBackUnderLock,
            level: Code::CallsBackUnderLock.level(),
            title: format!("{held} is held while code of the caller runs"),
            links: vec![link],
            witness: None,
            rule: "code that is not known runs while no lock is held".to_owned(),
            notes,
            help: format!("release {held} before that code runs, or document that it must not come back"),
            sites: Vec::new(),
        }
    }

    /// The finding of a nesting that the discipline refuses.
    pub fn violation(&self, level: Level, link: Link) -> Finding {
        let nesting = link.nesting;
        let mut notes = Vec::new();
        let mut rule = format!("the `{}` discipline", self.discipline.name);
        if let Some(refusal) = link.refused {
            rule = format!("{rule} {}", self.reason(&nesting, refusal));
            if *self.discipline != Discipline::HIERARCHY && !refusal.at_any_level {
                notes.push(format!("Xen prints: mm locking order violation: {refusal}"));
            }
        }
        if level == Level::Warning {
            notes.push("merely possible: a call on the way could not be resolved to one function".to_owned());
        }
        let help = format!(
            "release {} before {} is acquired, or change the declared order",
            self.held(&nesting),
            self.wanted(&nesting)
        );
        Finding {
            code: Code::OrderViolation,
            level,
            title: self.acquired_while(&nesting),
            links: vec![link],
            witness: None,
            rule,
            notes,
            help,
            sites: Vec::new(),
        }
    }

    /// Continues "the discipline …" or "the declared order …".
    fn reason(&self, nesting: &Nesting, refusal: Refusal) -> String {
        if refusal.at_any_level {
            return format!(
                "allows no `{}` nesting, whatever the levels ({refusal})",
                self.graph.relation(nesting).name()
            );
        }
        if refusal.held == refusal.wanted {
            return format!("lets equal levels nest by ascending key only ({refusal})");
        }
        format!("lets levels only rise, but {refusal}")
    }
}

/// What a proof assumes that rests on a bound of the tiers.
pub fn tiers(tiers: NonZeroU8) -> Assumption {
    let text = format!(
        "no chain of `controls` has more than {tiers} domains, as the roles declare or the settings say: \
         `add_control` refuses the step too far once an operation was entered where checking is on, or after \
         `limit_tiers`"
    );
    Assumption { kind: "tiers".to_owned(), text, sites: Vec::new() }
}

/// The note of an assumption.
pub fn assumption(assumption: &Assumption) -> Finding {
    Finding {
        code: Code::Assumption,
        level: Code::Assumption.level(),
        title: format!("{}: {}", assumption.kind, assumption.text),
        links: Vec::new(),
        witness: None,
        rule: "the verdict holds if the assumptions do".to_owned(),
        notes: Vec::new(),
        help: "none needed; each assumption that goes away makes the verdict stronger".to_owned(),
        sites: assumption.sites.clone(),
    }
}
