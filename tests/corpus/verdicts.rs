//! `verdicts/NAME-VERSION.txt`: what a person said of each finding, after reading the crate.
//!
//! A verdict is a line `word: reason`; the finding it is about follows, indented. A file is compared as text, and its
//! reasons are for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use lockdep_tests::analysis::root;

use crate::crates::Crate;
use crate::finding::Finding;
use crate::scratch::Failure;

/// What can be said of a finding. `true`: it can happen. `gated`: a lock that is held on every way keeps it apart.
/// `possible`: it takes a caller who does what none is told not to do. `false`: it cannot happen.
pub const WORDS: [&str; 4] = ["true", "possible", "gated", "false"];

const UNREAD: &str = "unread";

/// The findings of a crate beside their verdicts.
#[derive(Debug, Default)]
pub struct Judged {
    /// How many findings were given each of [`WORDS`].
    pub counts: BTreeMap<&'static str, usize>,
    /// How many the tool reports that are false or gated; what it calls gated itself is none.
    pub alarms: usize,
    /// How many of these nobody sees who does not ask for `--callbacks`.
    pub alarms_of_callbacks: usize,
    /// What is not in order.
    pub complaints: Vec<String>,
}

/// Compares `findings` with the verdicts on `krate`, and writes these anew if `bless`.
pub fn compare(krate: &Crate, findings: &[Finding], bless: bool) -> Result<Judged, Failure> {
    let path = path(krate);
    let known = match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text),
        Err(_) => BTreeMap::new(),
    };
    let mut judged = Judged::default();
    let mut text = String::new();
    for (finding, of_callbacks) in findings.iter().map(|finding| (finding, finding.is_of_callbacks())) {
        let (level, finding) = (&finding.level, finding.to_string());
        let verdict = known.get(&finding).map_or(UNREAD, String::as_str);
        let (word, reason) = verdict.split_once(": ").unwrap_or((verdict, ""));
        match WORDS.into_iter().find(|known| *known == word && !reason.trim().is_empty()) {
            Some(word) => {
                *judged.counts.entry(word).or_default() += 1;
                let alarm = level != "note" && ["gated", "false"].contains(&word);
                judged.alarms += usize::from(alarm);
                judged.alarms_of_callbacks += usize::from(alarm && of_callbacks);
            }
            None => judged.complaints.push(format!("nobody has read\n{finding}")),
        }
        // Nothing fails when text is written to a string.
        let _ = write!(text, "{verdict}{}\n{finding}\n", if verdict == UNREAD { ":" } else { "" });
    }
    let is_gone = |known: &&String| !findings.iter().any(|finding| finding.to_string() == **known);
    judged.complaints.extend(known.keys().filter(is_gone).map(|gone| format!("no longer found\n{gone}")));
    if bless {
        let text = text.trim_end();
        match text.is_empty() {
            true => drop(std::fs::remove_file(&path)),
            false => std::fs::write(&path, format!("{text}\n"))?,
        }
    }
    Ok(judged)
}

fn path(krate: &Crate) -> PathBuf {
    root().join(format!("tests/corpus/verdicts/{}-{}.txt", krate.name, krate.version))
}

/// Findings, and what was said of each.
fn parse(text: &str) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    for paragraph in text.split("\n\n") {
        if let Some((verdict, finding)) = paragraph.trim_end().split_once('\n') {
            known.insert(format!("{finding}\n"), verdict.trim_end_matches(':').to_owned());
        }
    }
    known
}
