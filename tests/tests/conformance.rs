//! Linux's locking self-tests, 395 cases, against this checker: verdict and kind of report must both agree.
//!
//! `data/selftests.tsv` holds the cases and explains its script language; it re-encodes facts of
//! `lib/locking-selftest.c`, most of them matched with a run of Linux 6.12. Every task is a CPU here, every lock a
//! [`Map`]. The wound/wait mutexes are a test double over the public hooks (`support/wound_wait.rs`): the checker
//! knows nothing of them. Nothing is skipped; a disagreement is a failure.

use std::collections::{BTreeMap, BTreeSet};

use lockdep::Report;
use lockdep::report::{Code, Matter};
use lockdep_tests::alone::Alone;
use lockdep_tests::script::{Case, Stage};

/// The kind of report as Linux names it. Linux has three names for circles through an interrupt, by what is new:
/// one class alone, a class that changed its state, or an order between two classes.
fn kind(report: &Report) -> &'static str {
    match (report.code, &report.matter) {
        (Code::Recursion | Code::UnorderedInstances, _) => "recursive-locking",
        (Code::LockOrderCycle, _) => "circular-dependency",
        (Code::InterruptInversion, Matter::Cycle { closing, chain, .. }) => {
            let links = || std::iter::once(closing).chain(chain.iter());
            let classes = links().flat_map(|link| [link.held, link.wanted]);
            let classes: BTreeSet<_> =
                classes.filter(|class| !class.is_context()).map(|class| class.name).collect();
            if classes.len() == 1 {
                "inconsistent-lock-state"
            } else if closing.held.is_context() || closing.wanted.is_context() {
                "irq-inversion"
            } else {
                "irq-safe-to-unsafe-order"
            }
        }
        (Code::NotHeld, _) => "bad-unlock-balance",
        (Code::HeldLockFreed, _) => "held-lock-freed",
        (Code::NestLockNotHeld, _) => "nested-lock-not-taken",
        (Code::InvalidWaitContext, _) => "invalid-wait-context",
        _ => "unexpected",
    }
}

#[test]
fn all_of_linux_self_tests_agree() {
    if !lockdep::CHECKED {
        return;
    }
    let alone = Alone::collecting();
    let mut stage = Stage::new();
    let mut agreed = BTreeMap::<String, usize>::new();
    let mut disagreed = Vec::new();
    let cases = Case::all(include_str!("../data/selftests.tsv"));
    assert_eq!(cases.len(), 395);
    for case in &cases {
        let misuse = stage.run(case);
        let seen = misuse.or_else(|| alone.reports().first().map(kind)).unwrap_or("none");
        alone.reports();
        if seen == case.report && (seen == "none") == case.passes {
            *agreed.entry(case.category.to_owned()).or_default() += 1;
        } else {
            disagreed.push(format!("{}: {seen}, not {}: {}", case.id, case.report, case.script));
        }
    }
    println!("{} of {} cases agree: {agreed:?}", agreed.values().sum::<usize>(), cases.len());
    assert!(disagreed.is_empty(), "{}", disagreed.join("\n"));
}
