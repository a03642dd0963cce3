//! Answers of several rows: rooms, members, messages out of a log.

use crosstalk_protocol::line::render;
use crosstalk_protocol::{History, Nick, RequestId, RoomName, RoomSummary};

use crate::entries::{chat, note};
use crate::message::{Effect, Line};
use crate::model::Model;
use crate::words;

/// The rooms there are, with what is unread in them.
pub(crate) fn show_rooms(model: &Model, rooms: &[RoomSummary], more: bool, effects: &mut Vec<Effect>) {
    // Everybody is in the lobby; it is on no list.
    let names = rooms.iter().map(|row| &row.room).filter(|room| !room.is_lobby());
    for row in render::rooms(names, more).lines() {
        let room = RoomName::parse(row).ok();
        let unread = room.and_then(|room| model.rooms.find(&room)).map_or(0, |member| member.unread);
        let row = match unread {
            0 => row.to_owned(),
            unread => format!("{row} ({})", words::unread(unread)),
        };
        show(effects, Line::Row(row));
    }
}

/// Who is there.
pub(crate) fn show_members(
    model: &mut Model,
    room: Option<&RoomName>,
    members: &[Nick],
    (count, more): (usize, bool),
    effects: &mut Vec<Effect>,
) {
    let before = std::mem::take(&mut model.listed.before);
    let up_to = before + members.len();
    let count = if more { count } else { up_to };
    for row in render::members(room, members, before, count).lines() {
        show(effects, Line::Row(row.to_owned()));
    }
    model.listed.last = members.last().cloned();
    model.listed.up_to = up_to;
}

/// What was said, between two notices, with a line before the message of that place in it.
pub(crate) fn show_history(
    model: &Model,
    history: &History,
    divider: Option<(usize, String)>,
    effects: &mut Vec<Effect>,
) {
    let count = history.messages.len();
    show(effects, Line::Server(words::history(&history.room, count)));
    for (at, message) in history.messages.iter().enumerate() {
        if let Some((_, words)) = divider.as_ref().filter(|(place, _)| *place == at) {
            show(effects, Line::Divider(words.clone()));
        }
        show(effects, Line::Past(chat(model, message.clone())));
    }
    if count > 0 {
        show(effects, Line::Server("Server: end of history.".to_owned()));
    }
}

/// What was looked for.
pub(crate) fn show_found(
    model: &mut Model,
    id: Option<&RequestId>,
    history: &History,
    effects: &mut Vec<Effect>,
) {
    let Some(mut search) = model.search.take_if(|search| Some(&search.id) == id) else { return };
    let older = search.before.is_some();
    show(effects, Line::Server(words::found(&history.room, history.messages.len(), older)));
    for message in &history.messages {
        note(model, message);
        show(effects, Line::Past(chat(model, message.clone())));
    }
    search.before = history.messages.first().filter(|_| history.more).map(|message| message.seq);
    if !history.messages.is_empty() {
        let end = match search.before {
            Some(_) => "Server: there are older ones; /search without words shows them.",
            None => "Server: end of what was found.",
        };
        show(effects, Line::Server(end.to_owned()));
    }
    model.search = Some(search);
}

fn show(effects: &mut Vec<Effect>, line: Line) {
    effects.push(Effect::Show(line));
}
