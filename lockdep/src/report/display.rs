//! Reports as text for a console. It reads the fields and decides nothing.

use core::fmt::{self, Write};

use super::{Actor, Code, Matter, Part, Party, Report, Schedule};
use crate::held::{Instance, Mode};
use crate::observed::Observed;

struct Named<'a>(&'a Instance, Mode);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Named(Instance { class, owner, key, .. }, mode) = self;
        if class.is_declared() {
            write!(f, "{}::{} (level {}) of {owner}", class.order, class.name, class.level.get())?;
        } else {
            write!(f, "{} of {owner}", class.name)?;
        }
        if let Some(key) = key {
            write!(f, ", key {key}")?;
        }
        write!(f, ", {}", mode.name())
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Observed { held, held_mode, wanted, wanted_mode, relation, sites } = self;
        write!(f, "{} ({}) at {}", held.name, held_mode.name(), sites.0)?;
        write!(f, ", then {} ({}) at {}, {}", wanted.name, wanted_mode.name(), sites.1, relation.name())
    }
}

impl Report {
    fn headline(&self) -> &'static str {
        match self.code {
            Code::LockOrderCycle => "locks are acquired in a circle",
            Code::UnorderedInstances => "two locks of one class and owner are held in no declared order",
            Code::InterruptInversion => "locks are acquired in a circle through an interrupt",
            Code::InvalidWaitContext => "a lock waits longer than the context bears",
            Code::NestLockNotHeld => "the lock that orders others of its class is not held around them",
            Code::HeldLockFreed => "a lock is initialised or freed while held",
            Code::HeldAtContextExit => "a handler ends and keeps a lock",
            Code::HeldAtExit => "a thread ends, or a CPU goes offline, and keeps a lock",
            Code::ContextUnbalanced => "a context is left or enabled that was not entered or disabled",
            Code::AssertionFailed => "assertion failed",
            Code::TableFull => "a table of the checker is full",
            Code::RoleUnfounded => "operation entered by a domain that does not control its subject",
            Code::TiersExceeded => {
                "operation entered where more domains control each other in a chain than declared"
            }
            Code::NotHeld => "lock released that this CPU does not hold",
            Code::OrderViolation | Code::Recursion => "locking order violation",
        }
    }

    fn body(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.matter {
            Matter::Nesting { held, wanted, relation, effective: (below, above) } => {
                let order = wanted.instance.class.order;
                match self.code {
                    Code::OrderViolation if below > above => {
                        writeln!(f, "{order} locking order violation: {below} > {above}")?
                    }
                    Code::OrderViolation => {
                        writeln!(f, "{order} locking order violation: {}", relation.name())?
                    }
                    _ if order.is_empty() => writeln!(f, "lock already held by {}", held.site)?,
                    _ => writeln!(f, "{order} lock already held by {}", held.site)?,
                }
                writeln!(f, "  wanted: {} at {}", Named(&wanted.instance, wanted.mode), wanted.site)?;
                writeln!(f, "  held:   {} at {}", Named(&held.instance, held.mode), held.site)?;
                write!(f, "  owners: {}", relation.name())
            }
            Matter::Cycle { closing, wanted, held, chain } => {
                writeln!(f, "{}", self.headline())?;
                if let Some(wanted) = wanted {
                    writeln!(f, "  wanted: {} at {}", Named(&wanted.instance, wanted.mode), wanted.site)?;
                }
                if let Some(held) = held {
                    writeln!(f, "  held:   {} at {}", Named(&held.instance, held.mode), held.site)?;
                }
                write!(f, "  now:    {closing}")?;
                for link in chain.iter() {
                    write!(f, "\n  before: {link}")?;
                }
                if chain.hidden != 0 {
                    write!(f, "\n  before: {} more", chain.hidden)?;
                }
                Ok(())
            }
            Matter::Lock(attempt) => {
                writeln!(f, "{}", self.headline())?;
                write!(f, "  lock:   {} at {}", Named(&attempt.instance, attempt.mode), attempt.site)
            }
            Matter::Wait { wanted, bears, limit } => {
                writeln!(f, "{}", self.headline())?;
                writeln!(f, "  wanted: {} at {}", Named(&wanted.instance, wanted.mode), wanted.site)?;
                write!(
                    f,
                    "  waits:  {}, where only {} is borne",
                    wanted.instance.class.outer.name(),
                    bears.name()
                )?;
                match limit {
                    Some(held) => {
                        write!(f, "\n  held:   {} at {}", Named(&held.instance, held.mode), held.site)
                    }
                    None => Ok(()),
                }
            }
            Matter::Context { name, site } => {
                write!(f, "{}\n  where:  {name} at {site}", self.headline())
            }
            Matter::Assertion { assertion, lock, held, site } => {
                writeln!(f, "{}: {}", self.headline(), assertion.name())?;
                if let Some(lock) = lock {
                    writeln!(f, "  lock:   {}", Named(&lock.instance, lock.mode))?;
                }
                if let Some(held) = held {
                    writeln!(f, "  held:   {} at {}", Named(&held.instance, held.mode), held.site)?;
                }
                write!(f, "  where:  {site}")
            }
            Matter::Table(table) => {
                let (what, capacity) = table.name();
                write!(f, "{}: {what}; raise {capacity}", self.headline())
            }
            Matter::Tiers { tiers, site } => {
                write!(f, "{}\n  tiers:  {tiers} at most, for the operation at {site}", self.headline())
            }
            Matter::Roles { lower, upper, site } => {
                writeln!(f, "{}", self.headline())?;
                write!(f, "  roles:  {} is {}, {} is {} at {site}", lower.0, lower.1, upper.0, upper.1)
            }
        }
    }
}

/// Letters for the owners of a schedule, in their order.
struct Letter(usize);

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char(char::from(b'A' + self.0.min(25) as u8))
    }
}

impl Schedule<'_> {
    fn letter(&self, party: Party) -> Letter {
        Letter(self.parties().take_while(|other| *other != party).count())
    }

    fn part(&self, f: &mut fmt::Formatter<'_>, part: &Part) -> fmt::Result {
        let Part { class, party, second, mode, site } = part;
        let has_two = self.actors().any(|actor| actor.wants.second);
        if has_two {
            f.write_str(if *second { "the second " } else { "the first " })?;
        }
        f.write_str(class.name)?;
        if self.parties().nth(1).is_some() {
            write!(f, " of {}", self.letter(*party))?;
        }
        write!(f, " ({})", mode.name())?;
        site.map_or(Ok(()), |site| write!(f, " at {site}"))
    }
}

impl fmt::Display for Schedule<'_> {
    /// One line for each CPU, and one above them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("  deadlock: each acquires what it holds, then they wait in this order")?;
        if self.parties().nth(1).is_some() {
            let mut last: Option<Party> = None;
            for party in self.parties() {
                f.write_str(match last {
                    None => "; owners ",
                    Some(last) if last.chain == party.chain => " < ",
                    Some(_) => ", ",
                })?;
                write!(f, "{}", self.letter(party))?;
                last = Some(party);
            }
        }
        for (number, Actor { holds, interrupted_by, wants }) in self.actors().enumerate() {
            write!(f, "\n    CPU #{}: ", number + 1)?;
            if let Some(holds) = holds {
                f.write_str("holds ")?;
                self.part(f, &holds)?;
                f.write_str(", ")?;
            }
            if let Some((context, since)) = interrupted_by {
                write!(f, "is interrupted by {}", context.name)?;
                since.map_or(Ok(()), |since| write!(f, " at {since}"))?;
                f.write_str(", which ")?;
            }
            f.write_str("waits for ")?;
            self.part(f, &wants)?;
            if holds.is_none() {
                f.write_str(", so that readers wait behind it")?;
            } else if wants.site.is_none() {
                f.write_str(", as the order permits")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    /// For a nesting that levels decide, the first line is what Xen prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body(f)?;
        if let Some(schedule) = self.schedule() {
            write!(f, "\n{schedule}")?;
        }
        let (code, cpu, rule) = (self.code.name(), self.cpu, self.discipline.name);
        write!(f, "\n  rule:   {code} under `{rule}`, on CPU {cpu}")
    }
}
