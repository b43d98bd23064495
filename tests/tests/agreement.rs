//! What happens is contained in what was proved: every nesting observed under load is in the static graph of hv-core.
//!
//! The load is that of `stress.rs`, in small; the locks are acquired by code of hv-core only, since the test takes
//! none itself. Which nestings a discipline permits is not the question here (`discipline.rs`).

use std::collections::{BTreeMap, BTreeSet};

use hv_core::types::Preemption;
use lockdep::held::Mode;
use lockdep::observed;
use lockdep_tests::alone::Alone;
use lockdep_tests::analysis;
use lockdep_tests::workload::{self, Plan};
use lockdep_tests::world::World;
use serde_json::Value;

/// Held class and mode, wanted class and mode, relation, in the words of the report.
type Nesting = [String; 5];

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Exclusive => "exclusive",
        Mode::Shared | Mode::Upgradable => "shared",
        Mode::SharedRecursive => "shared-recursive",
    }
}

/// What this process saw, each with the sites of the first time.
fn observed() -> BTreeMap<Nesting, String> {
    let mut seen = BTreeMap::new();
    observed::for_each(|nesting| {
        let name = |class: &lockdep::class::Class| format!("{}::{}", class.order, class.name);
        let (held, wanted) = (name(nesting.held), name(nesting.wanted));
        let (held_mode, wanted_mode) = (mode(nesting.held_mode), mode(nesting.wanted_mode));
        let key = [&held, held_mode, &wanted, wanted_mode, nesting.relation.name()].map(str::to_owned);
        seen.insert(key, format!("{}, then {}", nesting.sites.0, nesting.sites.1));
    })
    .expect("no handler");
    seen
}

/// What the analyzer found in the library.
fn proved(report: &Value) -> BTreeSet<Nesting> {
    let nestings = report["nestings"].as_array().expect("the report lists nestings");
    let text = |nesting: &Value, field: &str| nesting[field].as_str().expect("a word").to_owned();
    let fields = ["held", "held_as", "wanted", "wanted_as", "relation"];
    nestings.iter().map(|nesting| fields.map(|field| text(nesting, field))).collect()
}

#[test]
fn observed_is_contained_in_proved() {
    let alone = Alone::collecting();
    let world = World::boot(Preemption { leaves: 1, pfns: 3 });
    let tally = workload::run(&world, &Plan { migrations: 1, epochs: 2, rounds: 8, until: None });
    assert_eq!(tally.lost, [""; 0]);
    assert!(alone.reports().is_empty());
    drop(alone);
    let counters = lockdep::counters();
    assert_eq!((counters.classes_dropped, counters.nestings_dropped), (0, 0), "observed is complete");

    let seen = observed();
    let proved = proved(&analysis::analyze("hv-core"));
    for (nesting, sites) in &seen {
        println!("observed: {} ({sites})", nesting.join(" "));
    }
    for nesting in proved.iter().filter(|nesting| !seen.contains_key(*nesting)) {
        println!("never observed: {}", nesting.join(" "));
    }
    let missed: Vec<_> = seen.iter().filter(|(nesting, _)| !proved.contains(*nesting)).collect();
    assert!(missed.is_empty(), "observed, and unknown to the analyzer: {missed:#?}");

    // The pair of the thread, in both directions, and the same lock of two tiers: not vacuous.
    for nesting in [
        ["mm::p2m", "exclusive", "mm::paging", "exclusive", "Same"],
        ["mm::paging", "exclusive", "mm::p2m", "shared", "Up"],
        ["mm::paging", "exclusive", "mm::paging", "exclusive", "Up"],
    ] {
        assert!(seen.contains_key(&nesting.map(str::to_owned)), "{nesting:?} was not reached");
    }
}
