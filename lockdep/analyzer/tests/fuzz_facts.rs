//! Facts files, damaged: as bytes, which a checksum notices, and inside, where only a tool with a defect could do it.
//!
//! What is claimed: a file whose bytes were changed, cut or extended is refused. Of a file whose content was changed and
//! whose checksum was made to fit, decoding neither fails nor asks for more memory than a multiple of the content, and
//! what it accepts fits together, so that the analysis does not fail either. What stands in such a file is believed.

#[path = "fuzz/dice.rs"]
mod dice;
#[path = "fuzz/seed.rs"]
mod seed;

use std::panic::{self, AssertUnwindSafe};

use cap::Cap;
use dice::{Dice, cases};
use lockdep_analyzer::facts::Facts;
use lz4_flex::block;
use seed::{dump, facts, judged};

#[global_allocator]
static MEMORY: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

/// Magic number, version, length and checksum.
const HEAD: usize = 24;

/// What decoding may allocate in all, freed or not, for each byte of content, and besides.
const BYTES_PER_BYTE: usize = 100;
const BYTES_BESIDES: usize = 1 << 22;

/// One case in so many that are accepted is followed to the verdict.
const TO_THE_END: usize = 5;

fn content(file: &[u8]) -> Vec<u8> {
    block::decompress_size_prepended(&file[HEAD..]).expect("a sound file")
}

/// A file with that block, whose length and checksum fit.
fn file_of(sound: &[u8], block: &[u8]) -> Vec<u8> {
    let length = (block.len() as u64).to_le_bytes();
    [&sound[..12], &length, &crc32fast::hash(block).to_le_bytes(), block].concat()
}

/// One change or two: of bytes, of lengths, of the end, of pieces that are put elsewhere.
fn damage(dice: &mut Dice, bytes: &mut Vec<u8>) {
    for _ in 0..=dice.below(2) {
        let at = dice.below(bytes.len().max(1));
        let end = (at + dice.below(40)).min(bytes.len());
        let start = at.min(end);
        match dice.below(12) {
            0 | 8..=11 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = dice.below(256) as u8),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(start..end)),
            4 => {
                let piece = bytes[start..end].to_vec();
                let to = dice.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            // A length or a number that is as large as can be said.
            5 => drop(bytes.splice(start..start, [0xff, 0xff, 0xff, 0xff, 0x0f])),
            6 => {
                let piece = [bytes.get(at).copied().unwrap_or(1), 0].repeat(dice.below(3_000));
                bytes.splice(start..start, piece);
            }
            _ => bytes.insert(start, dice.below(4) as u8),
        }
    }
}

/// Whether facts whose content was changed are accepted.
fn inside(dice: &mut Dice, sound: &[u8], content: &[u8]) -> bool {
    let mut changed = content.to_vec();
    damage(dice, &mut changed);
    let mut block = block::compress_prepend_size(&changed);
    if dice.below(8) == 0 {
        damage(dice, &mut block);
    }
    let file = file_of(sound, &block);
    let before = MEMORY.total_allocated();
    let decoded = Facts::decode(&file);
    let bytes = MEMORY.total_allocated() - before;
    // What the block says of its length is believed as far as LZ4 can make it true.
    let says = block.first_chunk().map_or(0, |says| u32::from_le_bytes(*says) as usize);
    let length = if says / 255 > block.len() { 0 } else { says };
    let bound = BYTES_PER_BYTE * length + BYTES_BESIDES;
    assert!(bytes <= bound, "{bytes} bytes allocated for {length} bytes of content");
    let Ok(facts) = decoded else { return false };
    if dice.below(TO_THE_END) == 0 {
        judged(facts);
    }
    true
}

#[test]
fn damaged_facts_are_refused() {
    let files = dump();
    let facts = facts(&files);
    let sound = facts.encode().expect("facts of a kernel");
    let content = content(&sound);
    assert_eq!(Facts::decode(&file_of(&sound, &block::compress_prepend_size(&content))).ok(), Some(facts));
    let cases = cases(5_000);
    let mut accepted = 0_u64;
    for number in 0..cases {
        let case = panic::catch_unwind(AssertUnwindSafe(|| {
            let mut dice = Dice(number);
            let mut bytes = sound.clone();
            damage(&mut dice, &mut bytes);
            assert!(bytes == sound || Facts::decode(&bytes).is_err(), "damaged bytes were accepted");
            inside(&mut dice, &sound, &content)
        }));
        accepted += u64::from(case.unwrap_or_else(|_| panic!("case {number}")));
    }
    println!(
        "{cases} damaged facts files, and {cases} with damaged content, of which {accepted} were accepted"
    );
    assert!(accepted > cases / 40, "nothing gets as far as the content");
}
