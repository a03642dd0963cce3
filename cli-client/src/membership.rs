//! One room that the user is in: how far its log has been seen here, and how far the user has read
//! it, with this client or another.

use crosstalk_protocol::{Entered, Nick, Position, RoomName, Seq};

use crate::recent::Recent;

/// A room that the user is in.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    pub(crate) room: RoomName,
    /// The last entry seen; `None` before the first welcome.
    pub(crate) position: Option<Position>,
    /// In a direct conversation, the other person.
    pub(crate) with: Option<Nick>,
    /// The last entry that the user has read; `None` if that has never been said.
    pub(crate) read: Option<Seq>,
    /// How many messages stand behind that.
    pub(crate) unread: usize,
    /// Who wrote the last messages.
    pub(crate) recent: Recent,
}

impl Membership {
    /// A room to be entered.
    pub(crate) fn new(room: RoomName) -> Self {
        Self { room, position: None, with: None, read: None, unread: 0, recent: Recent::default() }
    }

    /// The user is in it, newly or again. Says which entries are skipped without a word, if any:
    /// those between.
    pub(crate) fn enter(&mut self, entered: Entered) -> Option<(Seq, Seq)> {
        let Entered { position, with, read, unread, .. } = entered;
        let before = self.position.replace(position);
        self.with = with.or_else(|| self.with.take());
        match before {
            // What follows is counted as it comes; only another client can have read more.
            Some(before) if before.epoch == position.epoch => {
                if let Some(read) = read {
                    self.has_read(read);
                }
                (position.seq > before.seq).then_some((before.seq, position.seq.saturating_add(1)))
            }
            _ => {
                self.recent = Recent::default();
                self.read = read;
                self.unread = unread;
                None
            }
        }
    }

    /// Takes note of an entry. `false` if it had been seen already.
    pub(crate) fn see(&mut self, seq: Seq) -> bool {
        match &mut self.position {
            Some(position) if seq > position.seq => {
                position.seq = seq;
                true
            }
            Some(_) => false,
            // Nothing is known about the room's log, so nothing of it has been seen.
            None => true,
        }
    }

    /// The user has read everything up to `seq`. It never moves back.
    pub(crate) fn has_read(&mut self, seq: Seq) {
        if self.read.is_some_and(|read| read >= seq) {
            return;
        }
        self.read = Some(seq);
        let all = self.position.is_none_or(|position| position.seq <= seq);
        self.unread = if all { 0 } else { self.unread.min(self.recent.behind(seq)) };
    }

    /// How far everything shown is ahead of what is known to be read.
    pub(crate) fn to_read(&self) -> Option<Seq> {
        let seen = self.position?.seq;
        (seen > self.read.unwrap_or(0)).then_some(seen)
    }
}
