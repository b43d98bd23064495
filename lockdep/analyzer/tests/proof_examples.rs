//! Named examples of the decision: the deadlock of the thread, self edges, readers, possible edges, keys.

use lockdep_analyzer::certificate::{self, Certificate, Direction, Fault};
use lockdep_analyzer::graph::LockGraph;
use lockdep_analyzer::proof::{Decision, decide};
use lockdep_analyzer::witness::{CpuStep, Witness};

#[path = "board/notation.rs"]
mod notation;
#[path = "board/referee.rs"]
mod referee;

use notation::graph;

fn refuted(graph: &LockGraph) -> Vec<Witness> {
    let Decision::Refuted { witnesses, further: 0 } = decide(graph) else { panic!("not refuted") };
    for witness in &witnesses {
        assert_eq!(referee::check(graph, witness), Ok(()));
    }
    witnesses
}

fn proved(graph: &LockGraph) -> Certificate {
    let Decision::Proved(certificate) = decide(graph) else { panic!("not proved: {:?}", decide(graph)) };
    assert_eq!(certificate::check(graph, &certificate), Ok(()));
    certificate
}

/// `rook(A) -> pawn(B), …` and who controls whom.
fn schedule(graph: &LockGraph, witness: &Witness) -> String {
    let lock = |class: usize, owner: Option<usize>, instance: usize| {
        let owner = owner.map_or("-", |owner| &witness.domains[owner]);
        let instance = if instance > 0 { format!("#{instance}") } else { String::new() };
        format!("{}({owner}){instance}", graph.name(class))
    };
    let step = |cpu: &CpuStep| {
        let held = lock(cpu.nesting.held, cpu.held_owner, cpu.held_instance);
        format!("{held} -> {}", lock(cpu.nesting.wanted, cpu.wanted_owner, cpu.wanted_instance))
    };
    let name = |domain: usize| &witness.domains[domain];
    let mut parts: Vec<String> = witness.cpus.iter().map(step).collect();
    parts.extend(witness.controls.iter().map(|&(a, b)| format!("{} > {}", name(a), name(b))));
    parts.join(", ")
}

fn schedules(text: &str) -> Vec<String> {
    let graph = graph(text);
    refuted(&graph).iter().map(|witness| schedule(&graph, witness)).collect()
}

/// The control domain's log-dirty operation, if any domain may do it to any other.
#[test]
fn two_domains_that_operate_on_each_other_need_four_cpus() {
    let found = schedules(
        "class pawn = 16
         class rook = 64
         rook E -> pawn E  Other
         pawn E -> rook E  Same",
    );
    assert_eq!(found, ["rook(A) -> pawn(B), pawn(B) -> rook(B), rook(B) -> pawn(A), pawn(A) -> rook(A)"]);
}

/// The same operation where callers control their subjects.
#[test]
fn a_controller_closes_no_circle() {
    let graph = graph(
        "class pawn = 16
         class rook = 64
         rook E -> pawn E  Up
         pawn E -> rook E  Same",
    );
    let certificate = proved(&graph);
    assert!(certificate.directions.contains(&Direction::Up));
}

#[test]
fn up_and_down_in_one_component() {
    let found = schedules(
        "class pawn
         class rook
         pawn E -> rook E  Up
         rook E -> pawn E  Down",
    );
    assert_eq!(found, ["rook(A) -> pawn(B), pawn(B) -> rook(A), A > B"]);
}

#[test]
fn up_in_one_component_and_down_in_another_is_fine() {
    let graph = graph(
        "class pawn
         class rook
         class king
         class queen
         pawn E -> rook E  Up
         rook E -> pawn E  Same
         rook E -> king E  Other
         king E -> queen E  Down
         queen E -> king E  Same",
    );
    proved(&graph);
}

#[test]
fn strangers_of_one_class_need_two_cpus() {
    assert_eq!(schedules("class pawn\n pawn E -> pawn E  Other"), ["pawn(A) -> pawn(B), pawn(B) -> pawn(A)"]);
}

#[test]
fn a_chain_of_controllers_needs_a_domain_each() {
    let found = schedules(
        "class pawn
         class rook
         class king
         pawn E -> rook E  Up
         rook E -> king E  Up
         king E -> pawn E  Down",
    );
    assert_eq!(found, ["king(A) -> pawn(B), pawn(B) -> rook(C), rook(C) -> king(A), A > B, A > C, C > B"]);
}

/// A lock of nobody is met by every domain: one domain is enough.
#[test]
fn a_circle_through_a_lock_of_nobody() {
    let text = "class pawn
         class board, unowned
         pawn E -> board E  Other
         board E -> pawn E  Other";
    assert_eq!(schedules(text), ["pawn(A) -> board(-), board(-) -> pawn(A)"]);
    // The ownership of the classes decides, whatever the nestings say.
    let said = "class pawn
         class board, unowned
         pawn E -> board E  Same
         board E -> pawn E  Up";
    assert!(matches!(decide(&graph(said)), Decision::Refuted { .. }));
}

/// A ring of writers, and the schedule of the one witness.
fn ring(relations: &[&str]) -> String {
    let class = |at: usize| format!("square{}", at % relations.len());
    let mut text: String = (0..relations.len()).map(|at| format!("class {}\n", class(at))).collect();
    for (at, relation) in relations.iter().enumerate() {
        text += &format!("{} E -> {} E  {relation}\n", class(at), class(at + 1));
    }
    let graph = graph(&text);
    let witnesses = refuted(&graph);
    assert_eq!(witnesses.len(), 1, "{relations:?}");
    assert_eq!(witnesses[0].cpus.len() % relations.len(), 0);
    let domains = witnesses[0].domains.len();
    let controls = witnesses[0].controls.len();
    format!("{} CPUs, {domains} domains, {controls} in control", witnesses[0].cpus.len())
}

#[test]
fn as_few_domains_as_fit() {
    assert_eq!(ring(&["Other"; 4]), "4 CPUs, 2 domains, 0 in control");
    assert_eq!(ring(&["Other"; 5]), "5 CPUs, 3 domains, 0 in control");
    assert_eq!(ring(&["Up", "Down", "Up", "Down"]), "4 CPUs, 2 domains, 1 in control");
    // Two domains would control each other.
    assert_eq!(ring(&["Up", "Up", "Down", "Down"]), "4 CPUs, 3 domains, 2 in control");
    // Fewer would make strangers of those who control each other.
    assert_eq!(ring(&["Up", "Other", "Up", "Other"]), "4 CPUs, 4 domains, 2 in control");
    // The last lock's owner is the first one's.
    assert_eq!(ring(&["Other", "Other", "Other", "Same"]), "4 CPUs, 3 domains, 0 in control");
    assert_eq!(ring(&["Other", "Up"]), "4 CPUs, 4 domains, 2 in control");
}

/// The walk through the stranger would need one CPU to read what another one writes, in whichever domain.
#[test]
fn no_two_cpus_hold_one_lock() {
    let found = schedules(
        "class pawn
         class rook
         class king
         pawn S -> rook E  Other
         rook E -> pawn R  Same
         pawn E -> king E  Same
         king E -> pawn E  Same",
    );
    assert_eq!(found, ["pawn(A) -> king(A), king(A) -> pawn(A)"]);
}

#[test]
fn a_holder_waits_for_itself() {
    assert_eq!(schedules("class pawn\n pawn E -> pawn E  Same, same lock"), ["pawn(A) -> pawn(A)"]);
    assert_eq!(schedules("class pawn\n pawn S -> pawn S  Same, same lock"), ["pawn(A) -> pawn(A)"]);
    assert_eq!(schedules("class pawn, unowned\n pawn E -> pawn R  Same, same lock"), ["pawn(-) -> pawn(-)"]);
    proved(&graph("class pawn\n pawn S -> pawn R  Same, same lock"));
    proved(&graph("class pawn, recursive\n pawn E -> pawn E  Same, same lock"));
    // Being let in again is for the exclusive holder: a reader that turns writer waits for itself.
    assert_eq!(schedules("class pawn, recursive\n pawn S -> pawn E  Same, same lock").len(), 1);
}

#[test]
fn two_instances_in_one_domain() {
    let text = "class pawn\n pawn E -> pawn E  Same";
    assert_eq!(schedules(text), ["pawn(A) -> pawn(A)#1, pawn(A)#1 -> pawn(A)"]);
    proved(&graph(&text.replace("class pawn", "class pawn, ordered")));
    // The key orders instances of one domain only.
    let other = "class pawn, ordered\n pawn E -> pawn E  Other";
    assert_eq!(schedules(other), ["pawn(A) -> pawn(B), pawn(B) -> pawn(A)"]);
}

/// A key does not help if the circle is closed elsewhere: a recursive reader of the first instance is blocked by
/// its writer, who wants a second one, which is read by one who wants what the first holds.
#[test]
fn keys_do_not_hide_a_circle_through_two_instances() {
    let found = schedules(
        "class pawn, ordered
         class rook
         pawn E -> pawn E  Same
         pawn S -> rook E  Same
         rook E -> pawn R  Same",
    );
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("pawn(A) -> pawn(A)#1"), "{found:?}");
}

/// lockdep's strong walks: recursive readers do not wait for readers.
#[test]
fn readers() {
    let circle = |first: &str, second: &str| {
        graph(&format!("class pawn\n class rook\n pawn {first}  Same\n rook {second}  Same"))
    };
    proved(&circle("S -> rook R", "S -> pawn R"));
    proved(&circle("E -> rook R", "S -> pawn E"));
    assert_eq!(refuted(&circle("S -> rook S", "S -> pawn S")).len(), 1);
    assert_eq!(refuted(&circle("S -> rook E", "S -> pawn E")).len(), 1);
    assert_eq!(refuted(&circle("E -> rook R", "E -> pawn R")).len(), 1);
}

/// Possible nestings refute as others do, but what is certain is looked for first.
#[test]
fn certain_circles_come_first() {
    let graph = graph(
        "class pawn
         class rook
         class king
         king E -> king E  Other, possible
         pawn E -> rook E  Same
         rook E -> pawn S  Same, possible
         rook S -> pawn E  Same",
    );
    let witnesses = refuted(&graph);
    let possible: Vec<bool> = witnesses.iter().map(|witness| witness.is_possible(&graph)).collect();
    assert_eq!(possible, [false, true]);
}

/// A longer circle that is certain says more than a shorter one that may not be.
#[test]
fn a_certain_circle_is_preferred_to_a_shorter_possible_one() {
    let graph = graph(
        "class pawn
         class rook
         class king
         rook E -> pawn E  Other
         pawn E -> rook E  Same, possible
         pawn E -> king E  Same
         king E -> rook E  Same",
    );
    let found: Vec<_> = refuted(&graph).iter().map(|w| (w.cpus.len(), w.is_possible(&graph))).collect();
    assert_eq!(found, [(6, false)]);
}

#[test]
fn one_report_per_class_that_waits_for_itself() {
    let found = schedules(
        "class pawn
         class rook
         pawn E -> pawn E  Same, same lock
         pawn E -> pawn S  Same, same lock
         pawn S -> pawn S  Same, same lock
         rook E -> rook E  Same
         rook E -> rook S  Same",
    );
    assert_eq!(
        found,
        ["pawn(A) -> pawn(A)", "pawn(A) -> pawn(A)", "rook(A) -> rook(A)#1, rook(A)#1 -> rook(A)"]
    );
}

/// One mistake, one witness: kinds of one nesting, and cycles that share a nesting.
#[test]
fn witnesses_are_not_repeated() {
    let found = schedules(
        "class pawn
         class rook
         class king
         pawn E -> rook E  Same
         pawn E -> rook S  Same
         rook E -> pawn E  Same
         rook E -> pawn S  Same
         rook E -> king E  Same
         king E -> pawn E  Same",
    );
    assert_eq!(found, ["pawn(A) -> rook(A), rook(A) -> pawn(A)"]);
}

#[test]
fn each_stranger_is_a_cause() {
    let found = schedules(
        "class pawn
         class rook
         class king
         pawn E -> rook E  Same
         pawn E -> king E  Same
         rook E -> pawn E  Other
         king E -> pawn E  Other",
    );
    assert_eq!(found.len(), 2);
}

#[test]
fn faults_name_the_nesting() {
    let text = "class pawn\n class rook\n pawn E -> rook E  Same";
    let graph = graph(text);
    let mut certificate = proved(&graph);
    certificate.non_recursive.swap(0, 1);
    let fault = certificate::check(&graph, &certificate).expect_err("it falls");
    assert!(matches!(fault, Fault::Nesting { .. }));
    assert!(fault.to_string().contains("`pawn` -> `rook` (Same)"), "{fault}");
    certificate.recursive.pop();
    assert!(matches!(certificate::check(&graph, &certificate), Err(Fault::Size { .. })));
    let mut broken = notation::graph(text);
    broken.classes.pop();
    let whole = proved(&notation::graph("class pawn"));
    assert!(matches!(certificate::check(&broken, &whole), Err(Fault::Class(_))));
}

#[test]
fn certificates_survive_serde() {
    let certificate =
        proved(&graph("class pawn\n class rook\n pawn E -> rook S  Up\n rook E -> pawn R  Same"));
    let text = serde_json::to_string(&certificate).expect("plain data");
    assert_eq!(serde_json::from_str::<Certificate>(&text).expect("as written"), certificate);
}
