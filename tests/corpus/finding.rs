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
    /// How sure the tool is: `error`, `warning`, or `note` for a circle that it says a gate keeps open.
    pub level: String,
    nestings: BTreeSet<Nesting>,
    /// What it is about if that is no nesting, and where.
    other: Option<(String, BTreeSet<(String, u64)>)>,
    /// Everything that the chains go through, and where notes say that code of the caller runs as well.
    pub steps: BTreeSet<Step>,
}

/// A call or acquisition on the way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// From the crate's root if it is of the crate.
    pub file: String,
    /// The line.
    pub line: u64,
    /// The function that calls or acquires.
    pub function: String,
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
    acquired: Step,
}

impl Finding {
    /// Whether it is only looked for with `--callbacks`.
    pub fn is_of_callbacks(&self) -> bool {
        self.code == "calls-back-under-lock"
    }

    /// The findings of a report in JSON; `root` is what its file names start with in the crate itself.
    pub fn all(report: &Value, root: &str) -> Option<Vec<Finding>> {
        let findings = report["findings"].as_array()?.iter();
        let mut findings: Vec<Finding> =
            findings.map(|finding| Finding::read(finding, root)).collect::<Option<_>>()?;
        findings.sort();
        Some(findings)
    }

    fn read(finding: &Value, root: &str) -> Option<Finding> {
        let place = |span: &Value| {
            let file = span["file"].as_str()?;
            Some((file.strip_prefix(root).unwrap_or(file).to_owned(), span["line"].as_u64()?))
        };
        let read = |step: &Value| {
            let (file, line) = place(&step["span"])?;
            Some(Step { file, line, function: step["function"].as_str()?.to_owned() })
        };
        let nestings = finding["nestings"].as_array()?;
        let end = |nesting: &Value, side: &str| {
            Some(End {
                class: nesting[side].as_str()?.to_owned(),
                mode: nesting[format!("{side}_as")].as_str()?.to_owned(),
                acquired: read(nesting[format!("{side}_chain")].as_array()?.last()?)?,
            })
        };
        let sites = || finding["sites"].as_array()?.iter().map(place).collect::<Option<_>>();
        let other = match nestings.is_empty() {
            true => Some((finding["title"].as_str()?.to_owned(), sites()?)),
            false => None,
        };
        let steps = nestings.iter().flat_map(|nesting| [&nesting["held_chain"], &nesting["wanted_chain"]]);
        let notes = finding["notes"].as_array()?.iter().filter_map(Value::as_str);
        Some(Finding {
            code: finding["code"].as_str()?.to_owned(),
            level: finding["level"].as_str()?.to_owned(),
            nestings: (nestings.iter())
                .map(|nesting| Some(Nesting { held: end(nesting, "held")?, wanted: end(nesting, "wanted")? }))
                .collect::<Option<_>>()?,
            other,
            steps: (steps.filter_map(Value::as_array).flatten().filter_map(read))
                .chain(notes.flat_map(|note| noted(note, root)))
                .collect(),
        })
    }

    /// Whether these are the other one's locks, and code of each of these functions is on the way.
    pub fn is_of(&self, other: &Finding, functions: &BTreeSet<&str>) -> bool {
        let classes = |finding: &Finding| -> BTreeSet<(String, String)> {
            let nestings = finding.nestings.iter();
            nestings.map(|nesting| (nesting.held.class.clone(), nesting.wanted.class.clone())).collect()
        };
        let own: BTreeSet<&str> = self.steps.iter().map(|step| step.function.as_str()).collect();
        self.code == other.code && classes(self) == classes(other) && functions.is_subset(&own)
    }
}

/// The steps of a note `FUNCTION ACTION (PLACE) with it held from PLACE`, which may go on with `, and FUNCTION ACTION
/// (PLACE)`; other notes have none.
fn noted(note: &str, root: &str) -> Vec<Step> {
    let Some((first, held)) = note.split_once(" with it held from ") else { return Vec::new() };
    let (held, last) = held.split_once(", and ").unwrap_or((held, ""));
    let step = |text: &str, place: &str| {
        let (file, line) = place.rsplit_once(':')?.0.rsplit_once(':')?;
        let file = file.strip_prefix(root).unwrap_or(file).to_owned();
        let function = text.split(' ').next()?.to_owned();
        Some(Step { file, line: line.parse().ok()?, function })
    };
    let at_end = |text: &str| step(text, text.strip_suffix(')')?.rsplit_once(" (")?.1);
    [at_end(first), step(first, held), at_end(last)].into_iter().flatten().collect()
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {} ({})", self.code, self.level)?;
        if let Some((title, sites)) = &self.other {
            writeln!(f, "    {title}")?;
            sites.iter().try_for_each(|(file, line)| writeln!(f, "      at {file}:{line}"))?;
        }
        self.nestings.iter().try_for_each(|Nesting { held, wanted }| {
            writeln!(f, "    {held}")?;
            writeln!(f, "      then {wanted}")
        })
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let End { class, mode, acquired: Step { file, line, function } } = self;
        write!(f, "{class} ({mode}) at {file}:{line} in {function}")
    }
}
