//! A doorbell: it wakes the one task that answers it, and says for what it was rung, so that somebody
//! who is in many rooms looks into those in which something has happened.

use std::ops::BitOrAssign;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use crate::store::RoomId;

/// For what a bell is rung. Rooms whose numbers are equal modulo 63 cannot be told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Causes(u64);

impl Causes {
    /// Nothing.
    pub(crate) const NONE: Self = Self(0);
    /// What concerns the one who answers, and no room: mail, for one.
    pub(crate) const OWN: Self = Self(1 << ROOMS);

    /// Something in that room.
    pub(crate) fn room(id: RoomId) -> Self {
        Self(1 << (id.0 % ROOMS))
    }

    /// Whether any of `others` is among them.
    pub(crate) fn include(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

impl BitOrAssign for Causes {
    fn bitor_assign(&mut self, others: Self) {
        self.0 |= others.0;
    }
}

/// How many rooms can be told apart.
const ROOMS: u32 = 63;

/// Wakes one task. Ringing a bell that has not been answered yet costs one atomic operation.
#[derive(Default)]
pub(crate) struct Bell {
    /// Since the task was woken.
    rung: AtomicU64,
    /// What it has been woken for, and has not been answered yet. Only the task that answers writes it.
    heard: AtomicU64,
    waker: AtomicWaker,
}

impl Bell {
    pub(crate) fn ring(&self, cause: Causes) {
        if self.rung.fetch_or(cause.0, Ordering::AcqRel) == 0 {
            self.waker.wake();
        }
    }

    /// Ready if it has been rung since it was last ready or answered.
    pub(crate) fn poll_rung(&self, context: &Context<'_>) -> Poll<()> {
        self.waker.register(context.waker());
        match self.rung.swap(0, Ordering::AcqRel) {
            0 => Poll::Pending,
            rung => {
                self.heard.store(self.heard.load(Ordering::Relaxed) | rung, Ordering::Relaxed);
                Poll::Ready(())
            }
        }
    }

    /// Whether there is something to answer.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.heard.load(Ordering::Relaxed) != 0 || self.rung.load(Ordering::Acquire) != 0
    }

    /// What it was rung for since the last answer. What happened before a ring is seen by who answers it.
    pub(crate) fn answer(&self) -> Causes {
        let heard = self.heard.load(Ordering::Relaxed);
        self.heard.store(0, Ordering::Relaxed);
        // Most have been heard when they are answered, and nothing is new.
        let rung = match self.rung.load(Ordering::Acquire) {
            0 => 0,
            _ => self.rung.swap(0, Ordering::AcqRel),
        };
        Causes(heard | rung)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_bell_says_for_what_it_was_rung_until_it_is_answered() {
        let bell = Bell::default();
        let context = Context::from_waker(Waker::noop());
        assert!(bell.poll_rung(&context).is_pending() && !bell.is_unanswered());
        bell.ring(Causes::room(RoomId(5)));
        assert!(bell.poll_rung(&context).is_ready() && bell.poll_rung(&context).is_pending());
        bell.ring(Causes::OWN);
        assert!(bell.is_unanswered());
        let causes = bell.answer();
        assert!(causes.include(Causes::room(RoomId(5))) && causes.include(Causes::OWN));
        assert!(causes.include(Causes::room(RoomId(5 + ROOMS))), "the two are not told apart");
        assert!(!causes.include(Causes::room(RoomId(6))));
        assert!(bell.poll_rung(&context).is_pending() && bell.answer() == Causes::NONE);
    }
}
