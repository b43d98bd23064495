//! MIR text, damaged: the reader neither fails nor asks for much memory, and what it calls complete is complete.
//!
//! What is claimed: whatever stands in a text, a body that was read without a problem has every block, every statement
//! and every local of its text (`fuzz/account.rs` counts), and a line that cannot be read is a problem, which becomes
//! an assumption of the verdict. What is not claimed: that text which a compiler could have printed is what it printed.
//! The loss of a whole statement, or another local in place of one, leaves such text. Facts have a checksum for that
//! (`fuzz_facts.rs`); what else can be lost and is noticed is in `fuzz_losses.rs`.

#[path = "fuzz/account.rs"]
mod account;
#[path = "fuzz/damage.rs"]
mod damage;
#[path = "fuzz/dice.rs"]
mod dice;
#[path = "fuzz/seed.rs"]
mod seed;

use std::panic::{self, AssertUnwindSafe};

use cap::Cap;
use dice::{Dice, cases};
use lockdep_analyzer::finding::Verdict;
use lockdep_analyzer::mir::ir::Body;
use lockdep_analyzer::mir::{Problem, read_dump};
use seed::{CRATE, dump, facts, judged};

#[global_allocator]
static MEMORY: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

/// What the reader may allocate in all, freed or not, for each byte of text, and besides.
const BYTES_PER_BYTE: usize = 60;
const BYTES_BESIDES: usize = 1 << 13;

/// One case in so many is followed to the verdict.
const TO_THE_END: u64 = 500;

fn counted<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = MEMORY.total_allocated();
    let result = work();
    (result, MEMORY.total_allocated() - before)
}

/// What one file of the dump says.
fn read(name: &str, text: &str) -> (Vec<Body>, Vec<Problem>) {
    let (program, problems) = read_dump(CRATE, &[(name.to_owned(), text.to_owned())]);
    (program.bodies, problems)
}

/// Whether the damage was noticed, and how many bytes were allocated for each byte.
fn run(number: u64, files: &[(String, String)], assumed: usize) -> (bool, f64) {
    let mut dice = Dice(number);
    let at = dice.below(files.len());
    let (name, text) = &files[at];
    let other = &files[dice.below(files.len())].1;
    let damaged = damage::damage(&mut dice, text, other);
    let ((bodies, problems), bytes) = counted(|| read(name, &damaged));
    let bound = BYTES_PER_BYTE * damaged.len() + BYTES_BESIDES;
    assert!(bytes <= bound, "{bytes} bytes allocated for {} bytes", damaged.len());
    assert!(!bodies.is_empty(), "a file always has a body");
    let is_noticed = !problems.is_empty();
    assert!(
        is_noticed || bodies.iter().all(|body| body.unread.is_empty()),
        "an unread line that nobody lists"
    );
    if !is_noticed && let Err(missing) = account::missing(&damaged, &bodies) {
        panic!("{missing}\n{damaged}");
    }
    if number.is_multiple_of(TO_THE_END) {
        let mut files = files.to_vec();
        files[at] = (name.clone(), damaged.clone());
        if let Some(judgement) = judged(facts(&files)) {
            let proved = matches!(judgement.verdict, Verdict::Proved)
                || matches!(judgement.verdict, Verdict::ProvedUnder(count) if count <= assumed);
            assert!(!(is_noticed && proved), "proved without a word about {problems:?}");
        }
    }
    (is_noticed, bytes.saturating_sub(BYTES_BESIDES) as f64 / damaged.len().max(1) as f64)
}

#[test]
fn damaged_text_is_read_completely_or_not_called_complete() {
    let files = dump();
    let judgement = judged(facts(&files)).expect("the kernel has locks");
    let Verdict::ProvedUnder(assumed) = judgement.verdict else { panic!("{:?}", judgement.verdict) };
    for (name, text) in &files {
        let (bodies, problems) = read(name, text.as_str());
        assert_eq!((problems, account::missing(text, &bodies)), (Vec::new(), Ok(())), "{name}");
    }
    let cases = cases(20_000);
    let (mut noticed, mut ratio) = (0_u64, 0_f64);
    for number in 0..cases {
        let case = panic::catch_unwind(AssertUnwindSafe(|| run(number, &files, assumed)));
        let (is_noticed, bytes) = case.unwrap_or_else(|_| panic!("case {number}"));
        noticed += u64::from(is_noticed);
        ratio = ratio.max(bytes);
    }
    println!("{cases} damaged texts: {noticed} with problems, at most {ratio:.1} bytes allocated per byte");
    assert!(noticed > cases / 2, "the damage is too slight to test anything");
}
