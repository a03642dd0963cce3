//! Who wrote the last messages of a room: what `/edit`, `/delete` and `/reply` mean, and how many
//! messages stand behind a read position. Their words are not kept.

use std::collections::VecDeque;

use crosstalk_protocol::{Nick, Seq};

/// Messages that are remembered of a room: as many as a page of its log can hold.
const KEPT: usize = crosstalk_protocol::limits::PAGE_MAX;

/// The last messages of a room, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent(VecDeque<Said>);

#[derive(Clone, Debug)]
struct Said {
    seq: Seq,
    from: Nick,
    own: bool,
}

impl Recent {
    /// Takes note of a message, in whatever order they become known.
    pub(crate) fn note(&mut self, seq: Seq, from: &Nick, own: bool) {
        let at = self.0.partition_point(|said| said.seq < seq);
        if let Some(said) = self.0.get_mut(at).filter(|said| said.seq == seq) {
            // Under an earlier nickname it is known by its ack alone.
            said.own |= own;
            return;
        }
        self.0.insert(at, Said { seq, from: from.clone(), own });
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    /// A message is gone.
    pub(crate) fn remove(&mut self, seq: Seq) {
        self.0.retain(|said| said.seq != seq);
    }

    /// The user's own last message.
    pub(crate) fn own(&self) -> Option<Seq> {
        self.0.iter().rev().find(|said| said.own).map(|said| said.seq)
    }

    /// The last message of `nick`.
    pub(crate) fn of(&self, nick: &Nick) -> Option<Seq> {
        self.0.iter().rev().find(|said| said.from == *nick).map(|said| said.seq)
    }

    /// How many messages of others are known behind `read`.
    pub(crate) fn behind(&self, read: Seq) -> usize {
        self.0.iter().filter(|said| said.seq > read && !said.own).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_known_late_is_in_its_place_and_once() {
        let (alice, bob): (Nick, Nick) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let mut recent = Recent::default();
        for (seq, from) in [(7, &alice), (3, &alice), (5, &bob), (7, &alice)] {
            recent.note(seq, from, *from == alice);
        }
        assert_eq!((recent.own(), recent.of(&bob), recent.behind(3)), (Some(7), Some(5), 1));
        recent.remove(7);
        assert_eq!(recent.own(), Some(3));
        recent.note(5, &bob, true);
        assert_eq!(recent.own(), Some(5));
    }
}
