//! What a short look at a CPU goes by: one word, which says how many locks it holds and whether that is all there is to know.
//!
//! A word also tells a release whether the acquisition that it ends is the youngest still: every time that positions on the
//! stack change their owners other than from the top, the words to come differ from all before (an *epoch*, in 56 bits). So a
//! release in order reads one word and writes one. This file judges nothing and holds no state.

use crate::held::MAX_HELD;

/// Height in the low seven bits, one that says that something stands aside, the epoch above.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Word(u64);

const ASIDE: u64 = 1 << 7;
const EPOCH: u64 = 1 << 8;

const _: () = assert!((MAX_HELD as u64) < ASIDE);

impl Word {
    pub(crate) fn of(bits: u64) -> Word {
        Word(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// Nothing stands aside, and there is room for one more.
    #[inline(always)]
    pub(crate) fn has_room(self) -> bool {
        (self.0 as u8) < MAX_HELD as u8
    }

    /// Something is held, and nothing stands aside.
    #[inline(always)]
    pub(crate) fn has_some(self) -> bool {
        (self.0 as u8).wrapping_sub(1) < MAX_HELD as u8
    }

    #[inline(always)]
    pub(crate) fn height(self) -> usize {
        (self.0 & (ASIDE - 1)) as usize
    }

    pub(crate) fn is_plain(self) -> bool {
        self.0 & ASIDE == 0
    }

    /// With one more, or less, on top.
    #[inline(always)]
    pub(crate) fn pushed(self) -> Word {
        Word(self.0 + 1)
    }

    #[inline(always)]
    pub(crate) fn popped(self) -> Word {
        Word(self.0 - 1)
    }

    /// With this height; of the next epoch if the stack was shuffled.
    pub(crate) fn after(self, height: usize, is_plain: bool, shuffled: bool) -> Word {
        let epoch = (self.0 & !(EPOCH - 1)).wrapping_add(if shuffled { EPOCH } else { 0 });
        Word(epoch | height as u64 | if is_plain { 0 } else { ASIDE })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_another_epoch_is_another() {
        let start = Word::of(0);
        assert!(start.has_room() && !start.has_some());
        let held = start.pushed();
        assert!(held.has_some() && held.popped() == start);
        assert!(held == held.after(1, true, false));
        assert!(held != held.after(1, true, true), "another acquisition of the same height");
        let aside = held.after(1, false, false);
        assert!(!aside.has_room() && !aside.has_some() && aside.height() == 1 && !aside.is_plain());
        assert!(!held.after(MAX_HELD, true, false).has_room());
    }
}
