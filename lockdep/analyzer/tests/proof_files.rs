//! Certificate and graph files: they come back as they were, and no damage to either passes for a proof.

use lockdep_analyzer::certificate::Fault;
use lockdep_analyzer::certificate_file::{self, CertificateFileError, Covered, VerifyError, verify};
use lockdep_analyzer::graph::LockGraph;
use lockdep_analyzer::graph_file;
use lockdep_analyzer::proof::{Decision, decide};

#[path = "board/notation.rs"]
mod notation;

/// Two layers: one that goes up, with a rank that matters, and a lock of nobody inside it.
const BOARD: &str = "class pawn = 8
                     class rook = 64
                     class page = 70, unowned, ordered
                     pawn E -> rook E  Same
                     rook E -> pawn S  Up
                     rook E -> page E  Other
                     page E -> page E  Same";

fn files(board: &str) -> (LockGraph, String, String) {
    let graph = notation::graph(board);
    let Decision::Proved(certificate) = decide(&graph) else { panic!("refuted") };
    let certificate = certificate_file::write(&graph, &certificate).expect("a text");
    let text = graph_file::write(&graph).expect("a text");
    (graph, certificate, text)
}

#[test]
fn what_was_written_is_read_and_accepted() {
    let (graph, certificate, text) = files(BOARD);
    let read = graph_file::read(&text).expect("a graph");
    assert_eq!(read.classes, graph.classes);
    assert!(read.nestings.keys().eq(graph.nestings.keys()));
    assert_eq!(graph_file::write(&read).expect("a text"), text);
    let again = certificate_file::read(&read, &certificate).expect("a certificate");
    assert_eq!(certificate_file::write(&read, &again).expect("a text"), certificate);
    assert_eq!(
        verify(&certificate, &text).expect("a proof"),
        Covered { classes: 3, nestings: 4, tiers: None }
    );
}

#[test]
fn the_files_of_the_board() {
    let (_, certificate, graph) = files(BOARD);
    insta::assert_snapshot!("certificate-file", certificate);
    insta::assert_snapshot!("graph-file", graph);
}

/// Where the numbers of a certificate file stand: for each class the layer and rank of N, then of R.
fn numbers(text: &str) -> Vec<usize> {
    let digits = text.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at);
    digits.filter(|&at| text[..at].ends_with(": ")).collect()
}

/// Every number replaced by all others below ten; those that are accepted can be told by hand. `pawn` and `rook` share
/// layer 2, since they nest both ways; there `rook` needs the higher rank. `page` comes after both. Nobody reads
/// recursively, so R nodes need to come before what is wanted under them or stand beside it, lower or with the
/// direction, and nothing else.
#[test]
fn a_changed_number_is_refused_with_its_nesting_unless_it_does_not_matter() {
    let (_, certificate, text) = files(BOARD);
    let mut accepted = Vec::new();
    for at in numbers(&certificate) {
        let mut digits = String::new();
        for digit in '0'..='9' {
            let changed = format!("{}{digit}{}", &certificate[..at], &certificate[at + 1..]);
            match verify(&changed, &text) {
                Ok(_) => digits.push(digit),
                Err(VerifyError::Fault(Fault::Nesting { .. })) => {}
                Err(VerifyError::Certificate(CertificateFileError::NoSuchLayer { .. })) => {}
                Err(other) => panic!("{other}"),
            }
        }
        accepted.push(digits);
    }
    let [pawn, rook, page] = [&accepted[0..4], &accepted[4..8], &accepted[8..12]];
    assert_eq!(pawn, ["2", "01", "012", "0123456789"]);
    assert_eq!(rook, ["2", "123456789", "012", "0123456789"]);
    assert_eq!(page, ["34", "0123456789", "01234", "0123456789"]);
}

#[test]
fn the_refusal_names_the_nesting() {
    let (_, certificate, graph) = files(BOARD);
    for direction in ["down", "none"] {
        let changed = certificate.replace("\"up\"", &format!("\"{direction}\""));
        let refusal = verify(&changed, &graph).expect_err("a wrong direction").to_string();
        assert!(refusal.starts_with("certificate does not cover `rook` -> `pawn` (Up)"), "{refusal}");
    }
    let changed = graph.replace("\"relation\": \"Up\"", "\"relation\": \"Other\"");
    let refusal = verify(&certificate, &changed).expect_err("another graph").to_string();
    assert!(refusal.starts_with("certificate does not cover `rook` -> `pawn` (Other)"), "{refusal}");
    let changed = graph.replacen("\"instances\": \"any\"", "\"instances\": \"same-one\"", 1);
    let refusal = verify(&certificate, &changed).expect_err("one instance of two classes").to_string();
    assert_eq!(refusal, "nesting 1 has one instance of two classes, `pawn` and `rook`");
    let recursion = graph.replace("\"wanted\": \"page\"", "\"wanted\": \"rook\"").replace(
        "\"relation\": \"Other\",\n      \"instances\": \"any\"",
        "\"relation\": \"Same\",\n      \"instances\": \"same-one\"",
    );
    let refusal = verify(&certificate, &recursion).expect_err("a recursion").to_string();
    assert!(refusal.contains("`rook` waits for itself") || refusal.contains("does not cover"), "{refusal}");
}

/// No byte of either file, changed or cut off, makes the reader fail in another way than with an error, and what is
/// accepted nevertheless says the same or is a proof in its own right.
#[test]
fn damaged_files_are_refused() {
    let (_, certificate, graph) = files(BOARD);
    for at in 0..certificate.len() {
        assert!(at + 1 == certificate.len() || verify(&certificate[..at], &graph).is_err(), "cut at {at}");
        for byte in [b' ', b'"', b'0', b'x', b'}', b'-'] {
            let mut damaged = certificate.clone().into_bytes();
            damaged[at] = byte;
            let damaged = String::from_utf8(damaged).expect("ASCII");
            if verify(&damaged, &graph).is_ok() {
                // Space for space, or a digit: the test above is about digits.
                let old = certificate.as_bytes()[at];
                assert!(old == byte || old.is_ascii_whitespace() || old.is_ascii_digit(), "{at}: {damaged}");
            }
        }
    }
    for at in 0..graph.len() - 1 {
        assert!(graph_file::read(&graph[..at]).is_err(), "cut at {at}");
        let mut damaged = graph.clone().into_bytes();
        damaged[at] = b'~';
        let damaged = String::from_utf8(damaged).expect("ASCII");
        assert!(verify(&certificate, &damaged).is_err(), "{at}: {damaged}");
    }
}

#[test]
fn each_error_says_what_is_wrong() {
    let (_, certificate, graph) = files(BOARD);
    let complaint = |certificate: &str, graph: &str| match verify(certificate, graph) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    };
    assert_eq!(
        complaint(&certificate.replace("\"rook\"", "\"pawn\""), &graph),
        "the certificate places class `pawn` twice"
    );
    assert_eq!(
        complaint(&certificate.replace("\"rook\"", "\"tower\""), &graph),
        "the certificate does not place class `rook`"
    );
    assert_eq!(
        complaint(&certificate, &graph.replacen("\"name\": \"rook\"", "\"name\": \"pawn\"", 1)),
        "class `pawn` is listed twice"
    );
    assert_eq!(
        complaint(&certificate, &graph.replacen("\"name\": \"rook\"", "\"name\": \"tower\"", 1)),
        "nesting 1 names class `rook`, which is not listed"
    );
    assert_eq!(
        complaint(&graph, &graph),
        "not a certificate file: unknown field `classes`, expected one of `format`, `tiers`, `directions`, `positions`, `gated` at line 3 column 11"
    );
    assert_eq!(
        complaint(&certificate.replace("certificate-1", "certificate-9"), &graph),
        "not a certificate file: `format` is `lockdep-certificate-9`, not `lockdep-certificate-1`"
    );
    let less = graph.replacen("\"classes\": [", "\"classes\": [\n    {\"name\": \"king\", \"level\": null, \"recursive\": false, \"ordered\": false, \"ownership\": \"owned\"},", 1);
    assert_eq!(complaint(&certificate, &less), "the certificate does not place class `king`");
    assert_eq!(complaint("", &graph), "not a certificate file: EOF while parsing a value at line 1 column 0");
}
