//! What is reported, as data: findings with two sites and both call chains, and the verdict.
//!
//! A finding names nestings, carries their evidence and the schedule that replays the deadlock, and says which
//! rule is broken and what helps. It is not text: titles and rules are phrases, and the renderers lay them out.
//! `judge.rs` makes findings, `render.rs` and the command line read them.

mod code;

use std::fmt;

use crate::graph::{Evidence, Nesting};
use crate::mir::ir::Span;
use crate::witness::Witness;

pub use code::{Code, Level};

/// A nesting in a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The nesting.
    pub nesting: Nesting,
    /// Where it comes from.
    pub evidence: Evidence,
    /// The declared order refuses it: this is the one to change.
    pub refused: Option<Refusal>,
    /// How many other nestings of the same classes and relation differ from it in kinds only.
    pub variants: usize,
}

impl Link {
    /// The acquisition of the wanted lock.
    pub fn primary(&self) -> Option<&Span> {
        self.evidence.wanted.last().map(|step| &step.span)
    }

    /// The acquisition of the held lock.
    pub fn secondary(&self) -> Option<&Span> {
        self.evidence.held.last().map(|step| &step.span)
    }
}

/// Why a discipline refuses a nesting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The level of the held lock as the discipline counts it.
    pub held: u16,
    /// The level of the wanted lock as the discipline counts it.
    pub wanted: u16,
    /// It would be refused at any two levels.
    pub at_any_level: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not a second ordering rule: the sign between two numbers that are printed.
        let sign = match self.held.cmp(&self.wanted) {
            std::cmp::Ordering::Less => '<',
            std::cmp::Ordering::Equal => '=',
            std::cmp::Ordering::Greater => '>',
        };
        write!(f, "{} {sign} {}", self.held, self.wanted)
    }
}

/// One thing that is wrong, or that should be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which kind.
    pub code: Code,
    /// How bad.
    pub level: Level,
    /// What is the matter, in one sentence without full stop.
    pub title: String,
    /// The nestings that make it up, the one to change first. Empty for assumptions.
    pub links: Vec<Link>,
    /// The circular wait, if it is one.
    pub witness: Option<Witness>,
    /// The rule that is broken.
    pub rule: String,
    /// Further remarks, each one sentence.
    pub notes: Vec<String>,
    /// What to do.
    pub help: String,
    /// For findings without nestings: the places it is about.
    pub sites: Vec<Span>,
}

impl Finding {
    /// The place to look at first.
    pub fn primary(&self) -> Option<&Span> {
        self.links.first().map_or_else(|| self.sites.first(), Link::primary)
    }
}

/// The outcome of an analysis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No circular wait, and nothing was assumed.
    Proved,
    /// No circular wait if so many assumptions hold.
    ProvedUnder(usize),
    /// No circular wait but such as rest on calls that could not be resolved to one function: so many findings.
    Undecided(usize),
    /// So many findings, warnings included.
    Refuted(usize),
    /// The tool failed; nothing is said of the program.
    Failed(String),
}

impl Verdict {
    /// The exit code of the process: 0 proved, 1 findings, 101 the tool failed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Verdict::Proved | Verdict::ProvedUnder(_) => 0,
            Verdict::Undecided(_) | Verdict::Refuted(_) => 1,
            Verdict::Failed(_) => 101,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        match self {
            Verdict::Proved => f.write_str("proved"),
            Verdict::ProvedUnder(count) => write!(f, "proved under {count} assumption{}", plural(*count)),
            Verdict::Undecided(count) => write!(f, "undecided ({count} possible finding{})", plural(*count)),
            Verdict::Refuted(count) => write!(f, "refuted ({count} finding{})", plural(*count)),
            Verdict::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}
