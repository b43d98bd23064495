//! What the fuzzers start from: the dump of a small kernel, which is proved.
//!
//! It is checked in (`mir/kernel.dump`, made of `mir/kernel.rs` with the options in `cli/src/wrapper.rs`), so that a case
//! is the same everywhere. Used by the tests whose names begin with `fuzz`.

use lockdep_analyzer::facts::{Extraction, FORMAT, Facts, Header};
use lockdep_analyzer::judge::{Judgement, judge};

use lockdep::order::Discipline;

/// Of the file `mir/kernel.dump`: what stands before each name of a file.
const MARK: &str = "==> ";

/// The crate that was dumped.
pub const CRATE: &str = "kernel";

/// The files of the dump, (name, text).
pub fn dump() -> Vec<(String, String)> {
    let all = include_str!("../mir/kernel.dump");
    let mut files = Vec::new();
    for part in all.split_inclusive('\n').map(|line| (line.strip_prefix(MARK), line)) {
        match part {
            (Some(name), _) => files.push((name.trim_end().to_owned(), String::new())),
            (None, line) => {
                let (_, text): &mut (String, String) = files.last_mut().expect("a name comes first");
                text.push_str(line);
            }
        }
    }
    files
}

/// The facts of a dump, with the source that the dump was made of.
pub fn facts(files: &[(String, String)]) -> Facts {
    let source = include_str!("../mir/kernel.rs");
    let sources = |file: &str| (file == "src/lib.rs").then(|| source.to_owned());
    let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    let texts = |name: &str| files.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone());
    let header = Header { format: FORMAT, krate: CRATE.to_owned(), ..Header::default() };
    let extraction = Extraction::of_dump(header, &names, &texts, &sources).expect("bodies can be encoded");
    Facts::decode(&extraction.finish().expect("facts can be encoded")).expect("its own facts")
}

/// What becomes of facts in the end; none if they acquire no lock.
pub fn judged(facts: Facts) -> Option<Judgement> {
    Some(judge(lockdep_analyzer::analyze(vec![facts]).ok()?, &Discipline::HIERARCHY))
}
