//! How the fuzzers choose, and how often.
//!
//! Used by `fuzz_text.rs` and `fuzz_facts.rs`.

/// A sequence that is the same everywhere: splitmix64.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

/// How many cases to run: `LOCKDEP_FUZZ_CASES`, or `usual`.
pub fn cases(usual: u64) -> u64 {
    let asked = std::env::var("LOCKDEP_FUZZ_CASES").ok();
    asked.map_or(usual, |text| text.parse().expect("LOCKDEP_FUZZ_CASES is a number"))
}
