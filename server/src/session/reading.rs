//! What a session tells without having been asked: what followed from requests, mail, and the logs
//! of its rooms from where it has read to. No room starves another, and nothing is skipped in silence.

use std::task::{Context, Poll};

use bytes::Bytes;
use crosstalk_protocol::{DisconnectCode, Event, Record};

use super::Session;
use crate::bell::Causes;
use crate::hub::{Membership, Missed};
use crate::log::Read;
use crate::peer::Mail;
use crate::segment::{Encoding, Reader, encode_records};

/// What a peer is told without having asked.
#[derive(Debug)]
pub enum Told {
    /// Entries of a room's log, encoded.
    Run(Bytes),
    /// A private word, still to be encoded.
    Event(Event),
}

impl Session {
    /// Tells what is new: what followed from requests, mail, and at most about `budget` bytes of the
    /// rooms' logs, from where the session has read to. `true` if it has stopped before a room of which
    /// memory has not everything: [`Session::catch_up`] goes on there. It is not asynchronous, since what
    /// is kept over an await is kept in each connection, and that is where most of its time would go.
    ///
    /// # Errors
    /// The end of the session, if it takes too little.
    pub fn read(
        &mut self,
        encoding: Encoding,
        budget: usize,
        mut tell: impl FnMut(Told),
    ) -> Result<bool, DisconnectCode> {
        self.asides.drain(..).for_each(|event| tell(Told::Event(event)));
        let Some(peer) = &self.peer else { return Ok(false) };
        if peer.is_replaced() {
            return Err(DisconnectCode::Replaced);
        }
        let id = peer.id;
        let causes = peer.answer();
        if causes.include(Causes::OWN) {
            let (mail, overrun) = (peer.take_mail(), peer.is_overrun());
            for mail in mail {
                self.open_mail(mail);
                self.asides.drain(..).for_each(|event| tell(Told::Event(event)));
            }
            if overrun {
                return Err(DisconnectCode::WriteTimeout);
            }
        }
        self.unread |= causes;
        let mut left = budget;
        let count = self.rooms.len();
        for at in (self.turn..count).chain(0..self.turn.min(count)) {
            if !self.unread.include(self.rooms[at].cause) {
                continue;
            }
            if left == 0 {
                self.turn = at;
                return Ok(false);
            }
            let Membership { room, cursor, known, .. } = &mut self.rooms[at];
            while left > 0 {
                match room.log.read(cursor) {
                    Read::CaughtUp => break,
                    Read::Segment { segment, after } => {
                        segment.bytes(encoding, Reader { id, after, known: *known }, |bytes| {
                            left = left.saturating_sub(bytes.len());
                            tell(Told::Run(bytes));
                        })
                    }
                    Read::Behind { .. } => {
                        self.turn = at;
                        return Ok(true);
                    }
                }
            }
        }
        if left > 0 {
            self.unread = Causes::NONE;
        }
        Ok(false)
    }

    fn open_mail(&mut self, mail: Mail) {
        match mail {
            Mail::Stored { id, room, seq } => self.asides.push(Event::Ack { id, room, seq }),
            Mail::Refused { id, error } => self.asides.push(Event::Error { id, error }),
            Mail::Entered(membership) => self.come_into(membership),
            Mail::Left { room } => self.go_out_of(&room),
            Mail::Told(event) => self.asides.push(event),
        }
    }

    /// Tells the next of what memory has not, in the room before which [`Session::read`] has stopped.
    ///
    /// # Errors
    /// The end of the session, if the store fails: the peer comes back and goes on where it was.
    pub async fn catch_up(
        &mut self,
        encoding: Encoding,
        budget: usize,
        mut tell: impl FnMut(Told),
    ) -> Result<(), DisconnectCode> {
        let at = self.turn;
        let mut left = budget;
        while left > 0 {
            let Some(Membership { room, cursor, .. }) = self.rooms.get_mut(at) else { break };
            let Some(after) = room.log.behind(cursor) else { break };
            match self.hub.missed(room, after).await {
                Ok(Missed::Nothing { until }) => cursor.advance(until),
                Ok(Missed::Records(records)) => {
                    cursor.advance(records.last().map_or(after, Record::seq));
                    let bytes = encode_records(records, encoding);
                    left = left.saturating_sub(bytes.len());
                    tell(Told::Run(bytes));
                }
                Ok(Missed::Lost { before }) => {
                    cursor.advance(before - 1);
                    let epoch = room.log.epoch();
                    tell(Told::Event(Event::Gap { room: room.name.clone(), epoch, after, before }));
                }
                Err(error) => {
                    tracing::error!(%error, room = %room.name, "a cursor could not read the store");
                    return Err(DisconnectCode::Internal);
                }
            }
        }
        // The others are next.
        self.turn = at + 1;
        Ok(())
    }

    /// Whether there may be anything to tell.
    pub fn has_news(&self) -> bool {
        !self.asides.is_empty()
            || self.unread != Causes::NONE
            || self.peer.as_ref().is_some_and(|peer| peer.is_rung())
    }

    /// Ready if there may be something to tell that was not there before; never before hello.
    pub fn poll_rung(&self, context: &Context<'_>) -> Poll<()> {
        self.peer.as_ref().map_or(Poll::Pending, |peer| peer.poll_rung(context))
    }
}
