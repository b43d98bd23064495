//! What the checker knows of one CPU: what it holds, which handlers run on it, for whom it works.
//!
//! Plain data, reached through a pin (`visit.rs`). It answers for itself and judges nothing.

use crate::context::Contexts;
use crate::cpu::Fresh;
use crate::held::{HeldLock, HeldStack};
use crate::owner::OwnerId;
use crate::wait::Wait;

/// What the checker knows of one CPU.
pub(crate) struct CpuState {
    pub(crate) held: HeldStack,
    pub(crate) contexts: Contexts,
    /// The domain this CPU works for; only `bias-current` reads it.
    pub(crate) current: OwnerId,
}

impl Fresh for CpuState {
    const FRESH: CpuState =
        CpuState { held: HeldStack::EMPTY, contexts: Contexts::NONE, current: OwnerId::NOBODY };
}

impl CpuState {
    /// The height of the stack, and whether anything stands aside: that no handler runs and no nest lock is named is
    /// what a short look goes by. This travels with the pin.
    pub(crate) fn word(&self) -> u32 {
        let aside = self.contexts.depth() != 0 || self.held.is_nested();
        self.held.height() as u32 | if aside { ASIDE } else { 0 }
    }

    /// The visit that ended with this word goes on.
    pub(crate) fn resume(&mut self, word: u32) {
        self.held.resume((word & !ASIDE) as usize, word & ASIDE == 0);
    }

    /// What is held in the innermost context.
    pub(crate) fn held_here(&self) -> impl DoubleEndedIterator<Item = HeldLock> {
        let depth = self.contexts.depth();
        self.held.iter().filter(move |held| held.depth == depth)
    }

    /// What waiting is borne here, and the lock that sets the limit.
    pub(crate) fn bears(&self) -> (Wait, Option<HeldLock>) {
        let own = self.contexts.innermost().map_or(Wait::Sleep, |running| running.bears);
        self.held_here().fold((own, None), |(bears, limit), held| match held.instance.class.inner {
            Wait::Unchecked => (bears, limit),
            inner if inner < bears => (inner, Some(held)),
            _ => (bears, limit),
        })
    }
}

const ASIDE: u32 = 1 << 16;
