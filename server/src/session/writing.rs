//! What a session says, and what it does to what it has said.

use std::sync::Arc;

use crosstalk_protocol::{
    Answered, ErrorCode, ErrorReply, Event, Nick, RequestId, RoomName, Seq, Target, Text,
};

use super::{Refusal, Reply, Session};
use crate::hub::{Membership, no_such_user, now_ms};
use crate::limits::EDIT_TIME;
use crate::room::Room;
use crate::sequencer::{Act, Content, Draft, no_such_message};
use crate::store::Authored;

/// A message that is to be sent.
#[derive(Clone, Debug)]
pub struct Say {
    /// What it says.
    pub text: Text,
    /// Whether it tells what the author does.
    pub action: bool,
    /// The message of the same room that it answers.
    pub reply: Option<Seq>,
    /// Whether its author gets it back on lines.
    pub echo: bool,
}

impl Session {
    /// Puts a message on its way. Its author is told by mail when it is stored, if there is an `id`.
    ///
    /// # Errors
    /// `not-a-member`, `no-such-user`, `no-such-message`, `busy`.
    pub async fn send(&mut self, target: &Target, say: Say, id: Option<RequestId>) -> Result<(), ErrorReply> {
        let (room, to) = match target {
            Target::User(nick) if say.reply.is_some() && self.existing(nick).is_none() => {
                // A conversation comes into being with its first message, which answers none.
                self.hub.find(nick).ok_or_else(no_such_user)?;
                return Err(no_such_message());
            }
            Target::User(nick)
                if self.existing(nick).is_none() && self.labelled(id.as_ref()).await?.is_some() =>
            {
                // It was sent before, in a conversation that has ended.
                return Err(no_such_user());
            }
            Target::Room(name) => {
                let Membership { room, with, .. } = self.membership(name)?;
                match with.clone() {
                    None => (room.clone(), None),
                    Some(with) => {
                        // A conversation goes on in a new room if the other has left this one, and
                        // with somebody out of sight only if they can read it later: then it is
                        // the same whether they are hidden or absent.
                        let room = if room.has_ended() {
                            self.direct(&with.nick()).await?.0
                        } else if with.can_return() || self.hub.is_in_sight(&with) {
                            room.clone()
                        } else {
                            return Err(no_such_user());
                        };
                        (room, Some(with.nick()))
                    }
                }
            }
            Target::User(nick) => match self.conversation_with(nick) {
                Some(room) => (room, Some(nick.clone())),
                None => {
                    let (room, with) = self.direct(nick).await?;
                    (room, Some(with.nick()))
                }
            },
        };
        let Say { text, action, reply, echo } = say;
        let reply = match reply {
            None => None,
            Some(seq) => {
                let found = Box::pin(self.hub.message(&room, seq)).await?.ok_or_else(no_such_message)?;
                Some(Answered { seq, from: found.message.from })
            }
        };
        self.submit(room, Act::Say { to, text, action, reply }, echo, id)
    }

    /// The conversation with somebody of that name who is out of sight and can read it later.
    pub(super) fn conversation_with(&self, nick: &Nick) -> Option<Arc<Room>> {
        if self.hub.find(nick).is_some() {
            return None;
        }
        let is_theirs = |membership: &&Membership| {
            let with = membership.with.as_ref();
            with.is_some_and(|with| with.can_return() && with.nick() == *nick) && !membership.room.has_ended()
        };
        self.rooms.iter().find(is_theirs).map(|membership| membership.room.clone())
    }

    /// The answer to what could not be taken, unless the log has had it for long: then it is the same
    /// as the first time, whatever has become of rooms and people since.
    pub(super) async fn unless_known(
        &self,
        sent: Result<(), ErrorReply>,
        id: Option<RequestId>,
    ) -> Result<Reply, Refusal> {
        let Err(error) = sent else { return Ok(Reply::None) };
        match (self.labelled(id.as_ref()).await?, id) {
            (Some((room, seq)), Some(id)) => Ok(Reply::Event(Event::Ack { id, room, seq })),
            _ => Err(error.into()),
        }
    }

    /// Where the entry is that a label of the peer's stands for.
    async fn labelled(&self, id: Option<&RequestId>) -> Result<Option<(RoomName, Seq)>, ErrorReply> {
        match (id, &self.peer) {
            (Some(id), Some(peer)) if peer.user.token().is_some() => {
                self.hub.labelled(peer.user.id, id).await
            }
            _ => Ok(None),
        }
    }

    /// The conversation with somebody of that name that goes on.
    fn existing(&self, nick: &Nick) -> Option<Arc<Room>> {
        let user = &self.peer.as_ref()?.user;
        self.hub.existing_direct(user, nick).ok().or_else(|| self.conversation_with(nick))
    }

    /// Puts a change of the message `target` on its way, or its withdrawal.
    ///
    /// # Errors
    /// `not-a-member`, `no-such-message`, `not-your-message`, `too-late`, `busy`.
    pub(super) async fn amend(
        &mut self,
        room: &RoomName,
        target: Seq,
        act: Act,
        id: Option<RequestId>,
    ) -> Result<(), ErrorReply> {
        let room = self.membership(room)?.room.clone();
        match self.hub.message(&room, target).await? {
            Some(found) => self.check_mine(&found)?,
            // It may be gone because this was sent before: then the store knows the label.
            None if id.is_some() && self.hub.is_durable() => {}
            None => return Err(no_such_message()),
        }
        self.submit(room, act, false, id)
    }

    fn check_mine(&self, found: &Authored) -> Result<(), ErrorReply> {
        let Authored { author, message } = found;
        if *author != self.peer()?.user.id {
            let words = format!("Only {} can change or withdraw that message.", message.from);
            return Err(ErrorReply::new(ErrorCode::NotYourMessage, words));
        }
        if now_ms().saturating_sub(message.at) > EDIT_TIME.as_millis() as u64 {
            let words = "That message is over an hour old and stays as it is; write another.";
            return Err(ErrorReply::new(ErrorCode::TooLate, words));
        }
        Ok(())
    }

    /// The newest message in a room, of the peer or of somebody by name, that is still there.
    ///
    /// # Errors
    /// `not-a-member`, `no-such-message`, `no-such-user`, `busy`.
    pub async fn last_message(&self, room: &RoomName, of: Option<&Nick>) -> Result<Authored, ErrorReply> {
        let room = &self.membership(room)?.room;
        match of {
            Some(nick) => self.hub.last_message_of(room, nick).await?.ok_or_else(no_such_user),
            None => {
                let found = self.hub.last_message_by(room, self.peer()?.user.id).await?;
                found.ok_or_else(|| ErrorReply::new(ErrorCode::NoSuchMessage, "You have said nothing here."))
            }
        }
    }

    fn submit(&self, room: Arc<Room>, act: Act, echo: bool, id: Option<RequestId>) -> Result<(), ErrorReply> {
        let author = self.peer()?.clone();
        let from = author.user.nick();
        self.hub.submit(Draft { room, content: Content::Words { author, from, act, echo, id } })
    }
}
