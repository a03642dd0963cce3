//! What a talker has asked for and has no answer to yet.

use std::collections::VecDeque;
use std::time::Instant;

use serde_json::{Value, json};

use crate::journal::{Journal, Place};

/// To whom something is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// To a room.
    Room(String),
    /// To one person.
    Person(String),
}

/// Errands in the order in which they have to reach the server, each under an id that never changes.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pending: VecDeque<Pending>,
    /// When the server wants to be asked again.
    not_before: Option<Instant>,
}

#[derive(Debug)]
struct Pending {
    errand: Errand,
    /// Whether it has been sent over the connection that there is.
    sent: bool,
}

/// Something that a talker wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// Say the message of that number.
    Say { number: u64, to: Audience },
    /// Give a message the words of that version.
    Change { number: u64, version: usize, room: String, place: Place },
    /// Take a message back.
    Withdraw { number: u64, room: String, place: Place },
}

impl Errand {
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Say { number, .. } => format!("say-{number}"),
            Self::Change { number, version, .. } => format!("change-{number}-{version}"),
            Self::Withdraw { number, .. } => format!("withdraw-{number}"),
        }
    }

    fn frame(&self, journal: &Journal) -> Value {
        let mut frame = match self {
            Self::Say { number, to } => {
                let mut frame = json!({ "type": "send", "text": journal.said[number].texts[0] });
                match to {
                    Audience::Room(room) => frame["room"] = json!(room),
                    Audience::Person(nick) => frame["to"] = json!(nick),
                }
                frame
            }
            Self::Change { number, version, room, place } => {
                let text = &journal.said[number].texts[*version];
                json!({ "type": "edit", "room": room, "seq": place.seq, "text": text })
            }
            Self::Withdraw { room, place, .. } => {
                json!({ "type": "delete", "room": room, "seq": place.seq })
            }
        };
        frame["id"] = json!(self.id());
        frame
    }
}

impl Outbox {
    pub(crate) fn push(&mut self, errand: Errand) {
        self.pending.push_back(Pending { errand, sent: false });
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Everything has to be sent once more, over another connection.
    pub(crate) fn begin_again(&mut self) {
        self.not_before = None;
        self.pending.iter_mut().for_each(|pending| pending.sent = false);
    }

    /// The next that has not been sent, which is now; or when it may be. Nothing overtakes what was
    /// refused.
    pub(crate) fn next(&mut self, journal: &Journal) -> Next {
        let Some(pending) = self.pending.iter_mut().find(|pending| !pending.sent) else {
            return Next::Nothing;
        };
        match self.not_before {
            Some(time) if time > Instant::now() => Next::At(time),
            _ => {
                pending.sent = true;
                Next::Send(pending.errand.frame(journal))
            }
        }
    }

    /// It is done.
    pub(crate) fn settle(&mut self, id: &str) -> Option<Errand> {
        let at = self.pending.iter().position(|pending| pending.errand.id() == id)?;
        self.pending.remove(at).map(|pending| pending.errand)
    }

    /// It is to be sent again, but not at once.
    pub(crate) fn refused(&mut self, id: &str, not_before: Instant) {
        self.not_before = Some(not_before);
        self.pending
            .iter_mut()
            .filter(|pending| pending.errand.id() == id)
            .for_each(|pending| pending.sent = false);
    }

    /// The errand of that id.
    pub(crate) fn get(&self, id: &str) -> Option<&Errand> {
        self.pending.iter().map(|pending| &pending.errand).find(|errand| errand.id() == id)
    }
}

/// What is to be done next.
pub(crate) enum Next {
    Send(Value),
    At(Instant),
    Nothing,
}
