//! A finding, as it is told from others: its code, and who takes what under what, at which lines.
//!
//! Chains are not compared, as there are many ways to a place. Nothing is judged here.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

/// One finding of a report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    code: String,
    /// Whether an unresolved call is on the way.
    possible: bool,
    nestings: BTreeSet<Nesting>,
    /// Everything that the chains go through: a file, from the crate's root if it is of the crate, and a line.
    pub places: BTreeSet<(String, u64)>,
}

/// One lock under another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Nesting {
    held: End,
    wanted: End,
}

/// A lock, as it is taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    class: String,
    mode: String,
    function: String,
    file: String,
    line: u64,
}

impl Finding {
    /// The findings of a report in JSON; `root` is what its file names start with in the crate itself.
    pub fn all(report: &Value, root: &str) -> Option<Vec<Finding>> {
        let findings = report["findings"].as_array()?.iter();
        let mut findings: Vec<Finding> =
            findings.map(|finding| Finding::read(finding, root)).collect::<Option<_>>()?;
        findings.sort();
        Some(findings)
    }

    fn read(finding: &Value, root: &str) -> Option<Finding> {
        let place = |step: &Value| {
            let file = step["span"]["file"].as_str()?;
            let file = file.strip_prefix(root).unwrap_or(file);
            Some((file.to_owned(), step["span"]["line"].as_u64()?))
        };
        let nestings = finding["nestings"].as_array()?;
        let end = |nesting: &Value, side: &str| {
            let acquired = nesting[format!("{side}_chain")].as_array()?.last()?;
            let (file, line) = place(acquired)?;
            Some(End {
                class: nesting[side].as_str()?.to_owned(),
                mode: nesting[format!("{side}_as")].as_str()?.to_owned(),
                function: acquired["function"].as_str()?.to_owned(),
                file,
                line,
            })
        };
        let steps = nestings.iter().flat_map(|nesting| [&nesting["held_chain"], &nesting["wanted_chain"]]);
        Some(Finding {
            code: finding["code"].as_str()?.to_owned(),
            possible: nestings.iter().any(|nesting| nesting["possible"] == true),
            nestings: (nestings.iter())
                .map(|nesting| Some(Nesting { held: end(nesting, "held")?, wanted: end(nesting, "wanted")? }))
                .collect::<Option<_>>()?,
            places: steps.filter_map(Value::as_array).flatten().filter_map(place).collect(),
        })
    }

    /// Whether this is the other one in another version of the crate: the same functions take the same locks.
    pub fn is_alike(&self, other: &Finding) -> bool {
        let taken = |finding: &Finding| -> BTreeSet<[String; 4]> {
            let names = |Nesting { held, wanted }: &Nesting| {
                [&held.class, &held.function, &wanted.class, &wanted.function].map(Clone::clone)
            };
            finding.nestings.iter().map(names).collect()
        };
        self.code == other.code && taken(self) == taken(other)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {}{}", self.code, if self.possible { ", possibly" } else { "" })?;
        self.nestings.iter().try_for_each(|Nesting { held, wanted }| {
            writeln!(f, "    {held}")?;
            writeln!(f, "      then {wanted}")
        })
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let End { class, mode, function, file, line } = self;
        write!(f, "{class} ({mode}) at {file}:{line} in {function}")
    }
}
