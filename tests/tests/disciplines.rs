//! The policies of the mailing-list thread against each other, and the table that the project shows of them.
//!
//! The table is made by the analyzer from its scenarios; `LOCKDEP_BLESS=1` writes it anew.

use std::fs;
use std::path::PathBuf;

use lockdep::order::Discipline;
use lockdep_analyzer::disciplines::{BYTES_PER_CPU, ORDER, Outcome, Row, table};
use lockdep_analyzer::render::render_disciplines;
use lockdep_tests::analysis::{cargo_lockdep, root};
use serde_json::Value;

const BEGIN: &str = "<!-- disciplines:begin -->\n";
const END: &str = "<!-- disciplines:end -->";

/// The page with the block between the markers.
fn page() -> PathBuf {
    root().join("tests/data/disciplines.md")
}

fn row(start: &str) -> Row {
    let mut rows = table().into_iter().filter(|row| row.scenario.title.starts_with(start));
    let row = rows.next().unwrap_or_else(|| panic!("no scenario {start}"));
    assert!(rows.next().is_none(), "several scenarios {start}");
    row
}

fn outcome<'a>(row: &'a Row, discipline: &Discipline) -> &'a Outcome {
    let at = ORDER.iter().position(|known| *known == discipline).expect("a discipline of the table");
    &row.outcomes[at]
}

/// Names of the disciplines whose outcome is as asked for.
fn those(row: &Row, are: impl Fn(&Outcome) -> bool) -> Vec<&'static str> {
    let matching = ORDER.iter().zip(&row.outcomes).filter(|(_, outcome)| are(outcome));
    matching.map(|(discipline, _)| discipline.name).collect()
}

#[test]
fn the_table_is_up_to_date() {
    let mut made = String::new();
    render_disciplines(&table(), &mut made).expect("a String takes everything");
    let text = fs::read_to_string(page()).expect("the page is there");
    let (before, rest) = text.split_once(BEGIN).expect("a begin marker");
    let (block, after) = rest.split_once(END).expect("an end marker");
    if std::env::var_os("LOCKDEP_BLESS").is_some() {
        fs::write(page(), format!("{before}{BEGIN}{made}{END}{after}")).expect("a writable page");
    } else {
        assert_eq!(block, made, "run with LOCKDEP_BLESS=1 to write it anew");
    }
}

/// The two domains and four CPUs that the bias by `current` does not see, because each domain is the current one to
/// its own CPUs.
#[test]
fn bias_current_lets_two_domains_deadlock_on_four_cpus() {
    let row = row("mutual targets that copy under `paging`");
    let circle = outcome(&row, &Discipline::BIAS_CURRENT).let_through.as_ref().expect("a deadlock");
    assert_eq!((circle.len(), row.scenario.parties.len()), (4, 2));
    assert_eq!(row.deadlock.as_ref().map(Vec::len), Some(4), "the decision on the whole graph refutes it");
    let hierarchy = outcome(&row, &Discipline::HIERARCHY);
    assert!(hierarchy.let_through.is_none() && hierarchy.refused.len() == 2, "{hierarchy:?}");
    assert_eq!(those(&row, |outcome| outcome.let_through.is_some()), ["per-domain", "bias-current"]);
}

#[test]
fn what_each_discipline_refuses_though_it_is_correct() {
    let wrong = |start: &str| those(&row(start), |outcome| outcome.false_alarms().next().is_some());
    assert_eq!(wrong("the thread"), ["flat"]);
    assert_eq!(wrong("two control domains, one above"), ["flat", "bias-control"]);
    assert_eq!(wrong("three tiers"), ["flat", "bias-control"]);
    assert_eq!(wrong("a control domain as subject"), ["flat", "bias-control"]);
    assert_eq!(wrong("a fork faults"), ["flat", "bias-current", "bias-control"]);
    assert_eq!(wrong("a control domain unshares"), ["bias-current", "bias-control"]);
}

#[test]
fn what_each_discipline_lets_through() {
    let blind = |start: &str| those(&row(start), |outcome| outcome.let_through.is_some());
    assert_eq!(
        blind("mutual targets that copy under `p2m`"),
        ["flat", "per-domain", "bias-current", "bias-control"]
    );
    assert_eq!(blind("two control domains that"), ["flat", "per-domain", "bias-current", "bias-control"]);
    assert_eq!(blind("fork against domain id"), ["flat", "per-domain", "bias-control"]);
    // Pairs of locks do not show this circle, whose three nestings each are in order; the whole graph does.
    assert_eq!(blind("a shared page in the middle"), ["per-domain", "hierarchy"]);
    assert_eq!(row("a shared page in the middle").deadlock.map(|circle| circle.len()), Some(3));
}

/// A circular wait is one: each CPU wants what the next holds, no lock is held twice, and no nesting was refused.
#[test]
fn every_deadlock_of_the_table_is_one() {
    for row in table() {
        for (discipline, outcome) in ORDER.iter().zip(&row.outcomes) {
            let Some(circle) = &outcome.let_through else { continue };
            for (at, nesting) in circle.iter().enumerate() {
                assert_eq!(nesting.wanted, circle[(at + 1) % circle.len()].held, "{}", row.scenario.title);
                assert!(circle[..at].iter().all(|earlier| earlier.held != nesting.held));
                let refused = outcome.refused.iter().any(|refused| refused.nesting == *nesting);
                assert!(!refused, "{}: {}", discipline.name, row.scenario.title);
            }
        }
        let none_at_all = row.deadlock.is_none();
        assert!(!none_at_all || row.outcomes.iter().all(|outcome| outcome.let_through.is_none()));
    }
}

#[test]
fn what_it_costs() {
    let [flat, per_domain, current, control, hierarchy] = BYTES_PER_CPU;
    assert_eq!((flat, per_domain, current, control), (4, 32_752, 4, 4));
    assert!(hierarchy < per_domain, "{hierarchy}");
    assert!(ORDER.iter().all(|known| Discipline::ALL.contains(known)), "as many as there are");
}

/// The real nestings of `hv-core`: the copy under `paging` is what `flat` refuses, and the others permit it, as they do
/// in the thread's scenario.
#[test]
fn the_five_verdicts_on_hv_core() {
    let verdict = |discipline: &Discipline| {
        let mut command = cargo_lockdep();
        command.args(["analyze", "--offline", "-q", "-p", "hv-core", "--format", "json"]);
        let output = command.args(["--discipline", discipline.name]).output().expect("the command starts");
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report in JSON");
        (discipline.name, report["verdict"]["verdict"].as_str().expect("a verdict").to_owned())
    };
    let refusing: Vec<&str> = ORDER
        .map(verdict)
        .iter()
        .filter(|(_, verdict)| verdict == "refuted")
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(refusing, ["flat"]);
    assert_eq!(those(&row("the thread"), |outcome| !outcome.refused.is_empty()), refusing);
}
