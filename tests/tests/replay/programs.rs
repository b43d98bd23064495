//! The fixtures as programs: their sources, on the locks of simulated CPUs, with domains to call them for.
//!
//! Which calls are legal is said here, as a hypervisor would decide it: where roles are declared, only a domain above
//! another operates on it.

use lockdep::Owner;
use lockdep::owner::add_control;

#[path = "../../fixtures/altp2m-before-host/src/lib.rs"]
mod altp2m_before_host;
#[path = "../../fixtures/any-tiers/src/lib.rs"]
mod any_tiers;
#[path = "../../fixtures/host-before-altp2m/src/lib.rs"]
mod host_before_altp2m;
#[path = "../../fixtures/lookup-before-paging/src/lib.rs"]
mod lookup_before_paging;
#[path = "../../fixtures/lookup-under-paging/src/lib.rs"]
mod lookup_under_paging;
#[path = "../../fixtures/mutual-targets/src/lib.rs"]
mod mutual_targets;
#[path = "../../fixtures/one-way-target/src/lib.rs"]
mod one_way_target;
#[path = "../../fixtures/ordered-caller/src/lib.rs"]
mod ordered_caller;
#[path = "../../fixtures/two-tiers/src/lib.rs"]
mod two_tiers;
#[path = "../../fixtures/unordered-caller/src/lib.rs"]
mod unordered_caller;
#[path = "../../fixtures/unshare-before-altp2m/src/lib.rs"]
mod unshare_before_altp2m;
#[path = "../../fixtures/unshare-under-altp2m/src/lib.rs"]
mod unshare_under_altp2m;

/// A call of a public function of a fixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The function.
    pub function: &'static str,
    /// The domain whose lock it holds, by number: the subject, if it has one.
    pub held: usize,
    /// The domain whose lock it wants then: the caller, if it has one.
    pub wanted: usize,
}

const fn call(function: &'static str, held: usize, wanted: usize) -> Call {
    Call { function, held, wanted }
}

/// A fixture with its domains.
pub struct Program {
    /// Its directory.
    pub name: &'static str,
    /// Legal calls, and as many as a deadlock takes.
    pub calls: Vec<Call>,
    /// Makes a call.
    pub run: Box<dyn Fn(Call) + Sync>,
    /// Where the locks are: a domain's name, or `page`, from an address up to another.
    pub owners: Vec<(&'static str, usize, usize)>,
}

const NAMES: [&str; 3] = ["A", "B", "C"];

/// Two domains that stay, since programs may keep one in the other.
fn domains<D>(make: impl Fn(Owner) -> D) -> [&'static D; 2] {
    [(); 2].map(|()| &*Box::leak(Box::new(make(Owner::register(false).expect("a free owner")))))
}

fn places<D>(domains: [&'static D; 2]) -> Vec<(&'static str, usize, usize)> {
    NAMES.into_iter().zip(domains).map(|(name, domain)| place(name, domain)).collect()
}

fn place<D>(name: &'static str, at: &D) -> (&'static str, usize, usize) {
    let start = std::ptr::from_ref(at).addr();
    (name, start, start + size_of::<D>())
}

/// No case of `match` is left: a call that is not among the legal ones.
fn unknown(call: Call) {
    unreachable!("{call:?} is not a call of this program");
}

/// A function of a fixture and how it is called.
type OnDomain<D> = (&'static str, fn(&D));

/// A program whose functions all work on one domain.
fn of_one_domain<D: Sync>(
    name: &'static str,
    make: fn(Owner) -> D,
    functions: &'static [OnDomain<D>],
) -> Program {
    let domains = domains(make);
    let both = |(name, _): &OnDomain<D>| [call(name, 0, 0), call(name, 1, 1)];
    let run = move |call: Call| match functions.iter().find(|(name, _)| *name == call.function) {
        Some((_, function)) => function(domains[call.held]),
        None => unknown(call),
    };
    Program {
        name,
        calls: functions.iter().flat_map(both).collect(),
        owners: places(domains),
        run: Box::new(run),
    }
}

/// Every refuted fixture. Holes of a view are filled from empty entries of the host table, so that they stay holes.
pub fn refuted() -> Vec<Program> {
    vec![
        of_one_domain(
            "altp2m-before-host",
            altp2m_before_host::Domain::new,
            &[
                ("set_entry", |d| altp2m_before_host::set_entry(d, 2, 2)),
                ("lazy_copy", |d| altp2m_before_host::lazy_copy(d, 1)),
            ],
        ),
        any_tiers(),
        of_one_domain(
            "lookup-under-paging",
            lookup_under_paging::Domain::new,
            &[
                ("remove_shadows", |d| {
                    d.remove_shadows(1);
                }),
                ("write_fault", |d| lookup_under_paging::write_fault(d, 1)),
            ],
        ),
        mutual_targets(),
        unordered_caller(),
        unshare_under_altp2m(),
    ]
}

/// Every proved fixture.
pub fn proved() -> Vec<Program> {
    vec![
        of_one_domain(
            "host-before-altp2m",
            host_before_altp2m::Domain::new,
            &[
                ("set_entry", |d| host_before_altp2m::set_entry(d, 2, 2)),
                ("lazy_copy", |d| host_before_altp2m::lazy_copy(d, 1)),
            ],
        ),
        of_one_domain(
            "lookup-before-paging",
            lookup_before_paging::Domain::new,
            &[
                ("remove_shadows", |d| {
                    d.remove_shadows(1);
                }),
                ("write_fault", |d| lookup_before_paging::write_fault(d, 1)),
            ],
        ),
        one_way_target(),
        ordered_caller(),
        two_tiers(),
        unshare_before_altp2m(),
    ]
}

fn mutual_targets() -> Program {
    let domains = domains(mutual_targets::Domain::new);
    domains[0].set_target(domains[1]);
    domains[1].set_target(domains[0]);
    Program {
        name: "mutual-targets",
        calls: vec![
            call("track_dirty_vram", 0, 1),
            call("track_dirty_vram", 1, 0),
            call("write_fault", 0, 0),
            call("write_fault", 1, 1),
        ],
        owners: places(domains),
        run: Box::new(move |call| match call.function {
            "track_dirty_vram" => {
                domains[call.wanted].track_dirty_vram();
            }
            "write_fault" => mutual_targets::write_fault(domains[call.held], 1),
            _ => unknown(call),
        }),
    }
}

/// The second of two mutual targets is refused, so its calls do nothing.
fn one_way_target() -> Program {
    let domains = domains(one_way_target::Domain::new);
    domains[1].set_target(domains[0]).expect("the first is accepted");
    domains[0].set_target(domains[1]).expect_err("the second is refused");
    Program {
        name: "one-way-target",
        calls: vec![
            call("track_dirty_vram", 0, 1),
            call("track_dirty_vram", 1, 0),
            call("write_fault", 0, 0),
            call("write_fault", 1, 1),
        ],
        owners: places(domains),
        run: Box::new(move |call| match call.function {
            "track_dirty_vram" => {
                domains[call.wanted].track_dirty_vram();
            }
            "write_fault" => one_way_target::write_fault(domains[call.held], 1),
            _ => unknown(call),
        }),
    }
}

fn unordered_caller() -> Program {
    let domains = domains(unordered_caller::Domain::new);
    Program {
        name: "unordered-caller",
        calls: vec![
            call("log_dirty", 0, 1),
            call("log_dirty", 1, 0),
            call("write_fault", 0, 0),
            call("write_fault", 1, 1),
        ],
        owners: places(domains),
        run: Box::new(move |call| match call.function {
            "log_dirty" => {
                unordered_caller::log_dirty(domains[call.held], domains[call.wanted]);
            }
            "write_fault" => unordered_caller::write_fault(domains[call.held], 1),
            _ => unknown(call),
        }),
    }
}

fn ordered_caller() -> Program {
    use ordered_caller::mm::{Control, Subject};
    let [subject, caller] = [(); 2].map(|()| Owner::register(false).expect("a free owner"));
    add_control(caller.id(), subject.id()).expect("no cycle");
    let domains = [subject, caller].map(|owner| &*Box::leak(Box::new(ordered_caller::Domain::new(owner))));
    Program {
        name: "ordered-caller",
        calls: vec![call("log_dirty", 0, 1), call("write_fault", 0, 0), call("write_fault", 1, 1)],
        owners: places(domains),
        run: Box::new(move |call| match call.function {
            "log_dirty" => {
                let (subject, caller) = (domains[call.held], domains[call.wanted]);
                ordered_caller::log_dirty(Subject::new(subject), Control::new(caller));
            }
            "write_fault" => ordered_caller::write_fault(domains[call.held], 1),
            _ => unknown(call),
        }),
    }
}

fn unshare_under_altp2m() -> Program {
    use unshare_under_altp2m::{Domain, SharedPage, change_altp2m_gfn, share};
    let domains = domains(Domain::new);
    let page: &'static SharedPage = Box::leak(Box::new(SharedPage::new()));
    let mut owners = places(domains);
    owners.push(place("page", page));
    Program {
        name: "unshare-under-altp2m",
        calls: ["share", "change_altp2m_gfn"]
            .into_iter()
            .flat_map(|f| [call(f, 0, 0), call(f, 1, 1)])
            .collect(),
        owners,
        run: Box::new(move |call| match call.function {
            "share" => share(page, domains[call.held], 1),
            "change_altp2m_gfn" => change_altp2m_gfn(domains[call.held], page, 1),
            _ => unknown(call),
        }),
    }
}

fn unshare_before_altp2m() -> Program {
    use unshare_before_altp2m::{Domain, SharedPage, change_altp2m_gfn, share};
    let domains = domains(Domain::new);
    let page: &'static SharedPage = Box::leak(Box::new(SharedPage::new()));
    let mut owners = places(domains);
    owners.push(place("page", page));
    Program {
        name: "unshare-before-altp2m",
        calls: ["share", "change_altp2m_gfn"]
            .into_iter()
            .flat_map(|f| [call(f, 0, 0), call(f, 1, 1)])
            .collect(),
        owners,
        run: Box::new(move |call| match call.function {
            "share" => share(page, domains[call.held], 1),
            "change_altp2m_gfn" => change_altp2m_gfn(domains[call.held], page, 1),
            _ => unknown(call),
        }),
    }
}

/// Domains above each other: the owners in the first of each pair control those in the second.
fn tiers<D, const COUNT: usize>(controls: &[(usize, usize)], make: impl Fn(Owner) -> D) -> Box<[D; COUNT]> {
    let owners = [(); COUNT].map(|()| Owner::register(false).expect("a free owner"));
    for &(upper, lower) in controls {
        add_control(owners[upper].id(), owners[lower].id()).expect("no cycle, and tiers enough");
    }
    Box::new(owners.map(make))
}

/// As the witness has it: A controls C, and C controls B.
fn any_tiers() -> Program {
    use any_tiers::mm::{Control, Subject};
    use any_tiers::{Domain, SharedPage, log_dirty, map, publish, unshare};
    let domains: Box<[Domain; 3]> = tiers(&[(0, 2), (2, 1)], Domain::new);
    let page = Box::new(SharedPage::new());
    let mut owners: Vec<_> = NAMES.into_iter().zip(&*domains).map(|(name, d)| place(name, d)).collect();
    owners.push(place("page", &*page));
    Program {
        name: "any-tiers",
        calls: vec![
            call("log_dirty", 1, 2),
            call("log_dirty", 2, 0),
            call("map", 1, 2),
            call("map", 2, 0),
            call("publish", 0, 0),
            call("unshare", 1, 1),
        ],
        owners,
        run: Box::new(move |call| {
            let (held, wanted) = (&domains[call.held], &domains[call.wanted]);
            match call.function {
                "log_dirty" => log_dirty(Subject::new(held), Control::new(wanted)),
                "map" => map(Subject::new(held), Control::new(wanted)),
                "publish" => publish(held, &page),
                "unshare" => unshare(&page, wanted),
                _ => unknown(call),
            }
        }),
    }
}

/// As deep as it may be: a third domain above the controller would be refused.
fn two_tiers() -> Program {
    use two_tiers::mm::{Control, Subject};
    use two_tiers::{Domain, SharedPage, log_dirty, map, publish, unshare};
    let domains: Box<[Domain; 2]> = tiers(&[(1, 0)], Domain::new);
    let page = Box::new(SharedPage::new());
    let mut owners: Vec<_> = NAMES.into_iter().zip(&*domains).map(|(name, d)| place(name, d)).collect();
    owners.push(place("page", &*page));
    let up = ["log_dirty", "map"].map(|function| call(function, 0, 1));
    let alone = ["publish", "unshare"].into_iter().flat_map(|f| [call(f, 0, 0), call(f, 1, 1)]);
    Program {
        name: "two-tiers",
        calls: up.into_iter().chain(alone).collect(),
        owners,
        run: Box::new(move |call| {
            let (held, wanted) = (&domains[call.held], &domains[call.wanted]);
            match call.function {
                "log_dirty" => log_dirty(Subject::new(held), Control::new(wanted)),
                "map" => map(Subject::new(held), Control::new(wanted)),
                "publish" => publish(held, &page),
                "unshare" => unshare(&page, wanted),
                _ => unknown(call),
            }
        }),
    }
}
