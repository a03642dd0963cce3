//! Entries of the logs of rooms, as they arrive: messages, and what becomes of them.

use crosstalk_protocol::{Command, Message as Entry, Record, RequestId, RoomName, Seq};

use crate::message::{Chat, Effect, Line, Place};
use crate::model::{Front, Model};
use crate::{reading, words};

/// One entry arrives. What has been seen already, over another connection, is not shown again.
pub(crate) fn entry(model: &mut Model, record: Record, effects: &mut Vec<Effect>) {
    let (room, from) = match &record {
        Record::Message(message) => (&message.room, &message.from),
        Record::Edited(edited) => (&edited.room, &edited.from),
        Record::Deleted(deleted) => (&deleted.room, &deleted.from),
    };
    let own = *from == model.nick;
    if !model.rooms.see(room, record.seq()) {
        return;
    }
    match record {
        Record::Message(message) => {
            note(model, &message);
            if own {
                model.outbox.see(&message);
            } else {
                reading::arrived(model, &message.room);
            }
            effects.push(Effect::Show(Line::Chat(chat(model, message))));
        }
        other => {
            if let Record::Deleted(deleted) = &other
                && let Some(member) = model.rooms.find_mut(&deleted.room)
            {
                member.recent.remove(deleted.target);
            }
            // As on the line door, one's own words do not come back to a pipe.
            if !own || model.front == Front::Terminal {
                effects.push(Effect::Show(Line::Server(words::change(&other))));
            }
        }
    }
}

/// Something of the user's own is in the log.
pub(crate) fn acknowledged(model: &mut Model, id: &RequestId, room: &RoomName, seq: Seq) {
    let Some(pending) = model.outbox.take(id) else { return };
    let nick = model.nick.clone();
    let Some(member) = model.rooms.find_mut(room) else { return };
    match pending.command {
        Command::Send { .. } => member.recent.note(seq, &nick, true),
        Command::Delete { seq: target, .. } => member.recent.remove(target),
        _ => {}
    }
}

/// Remembers whose message that is.
pub(crate) fn note(model: &mut Model, message: &Entry) {
    let own = message.from == model.nick;
    if let Some(member) = model.rooms.find_mut(&message.room) {
        member.recent.note(message.seq, &message.from, own);
    }
}

/// A message as it is shown.
pub(crate) fn chat(model: &Model, message: Entry) -> Chat {
    let own = message.from == model.nick;
    let place = match message.to {
        Some(to) if own => Place::To(to),
        Some(_) => Place::ToMe,
        None if message.room.is_lobby() => Place::Lobby,
        None => Place::Room(message.room),
    };
    Chat {
        at: message.at,
        place,
        from: message.from,
        own,
        text: message.text,
        action: message.action,
        reply: message.reply.map(|answered| answered.from),
        edited: message.edited,
    }
}
