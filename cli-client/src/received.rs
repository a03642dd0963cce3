//! What the server says, and what the user is shown of it.

use std::time::Duration;

use crosstalk_protocol::line::render;
use crosstalk_protocol::{
    Command, Disconnect, DisconnectCode, Entered, ErrorCode, ErrorReply, Event, History, Limits,
    Message as Entry, Nick, Rename, RequestId, RoomName, RoomSummary, clean,
};

use crate::message::{Chat, Effect, Ending, Line, Place, Timer};
use crate::model::{Acquaintance, Link, Model};
use crate::update::lost;
use crate::{resume, typed, words};

/// The wait when the server says "later" without saying when.
const RETRY_DEFAULT: Duration = Duration::from_secs(1);

/// Takes in one event.
pub(crate) fn received(model: &mut Model, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    if let Some(id) = answers(&event) {
        model.answered(id);
    }
    match event {
        Event::Welcome { nick, rooms, limits, .. } => return welcome(model, nick, rooms, &limits),
        Event::Error { id, error } => return refused(model, id.as_ref(), error),
        Event::Disconnect(disconnect) => return disconnected(model, disconnect),
        Event::Message(message) => entry(model, message, &mut effects),
        Event::Ack { id, room, seq } => {
            model.outbox.take(&id);
            model.rooms.settle(&room, seq);
        }
        Event::Presence(presence) => {
            for words in words::presence(&presence, &model.nick) {
                show(&mut effects, Line::Server(words));
            }
        }
        Event::Renamed(rename) => renamed(model, rename, &mut effects),
        Event::Gap { room, epoch, after, before } => {
            model.rooms.skip(&room, epoch, before);
            show(&mut effects, Line::Server(words::gap(&room, after, before)));
        }
        Event::Joined { id, created, entered } => joined(model, id.as_ref(), created, entered, &mut effects),
        Event::Left { id, room } => {
            typed::answered(model, id.as_ref());
            model.rooms.leave(&room);
            show(&mut effects, Line::Row(format!("Left room {room}")));
        }
        Event::Rooms { rooms, more, .. } => show_rooms(&rooms, more, &mut effects),
        Event::Members { room, members, count, more, .. } => {
            show_members(model, room.as_ref(), &members, (count, more), &mut effects);
        }
        Event::Nick { nick, .. } => {
            model.nick = nick;
            show(&mut effects, Line::Row(format!("You are now {}.", model.nick)));
        }
        Event::Hidden { id, hidden } => told_hidden(model, id.as_ref(), hidden, &mut effects),
        Event::History { id, history } => {
            let looked = resume::looked(model, id.as_ref(), &history, &mut effects);
            if !looked {
                show_history(model, history, &mut effects);
            }
        }
        // A sign of life is taken note of where bytes are; anything else is newer than this program.
        _ => {}
    }
    effects
}

/// Which request was carried out, and so is done with.
fn answers(event: &Event) -> Option<&RequestId> {
    match event {
        Event::Joined { id, .. }
        | Event::Left { id, .. }
        | Event::Rooms { id, .. }
        | Event::Members { id, .. }
        | Event::Nick { id, .. }
        | Event::Hidden { id, .. }
        | Event::History { id, .. } => id.as_ref(),
        _ => None,
    }
}

fn show(effects: &mut Vec<Effect>, line: Line) {
    effects.push(Effect::Show(line));
}

fn welcome(model: &mut Model, nick: Nick, rooms: Vec<Entered>, limits: &Limits) -> Vec<Effect> {
    let again = model.history == Acquaintance::Welcomed;
    let room_before = model.rooms.current().cloned();
    model.nick = nick;
    model.rooms.welcome(rooms);
    model.outbox.set_rate_limited(limits.rate.is_some());
    model.backoff.reset();
    model.trouble = None;
    model.link = Link::Online;
    model.history = Acquaintance::Welcomed;
    let room_now = model.rooms.current();
    if !model.persistent && room_now.is_none() {
        let room = room_before.unwrap_or_else(RoomName::lobby);
        return vec![Effect::Exit(Ending::Refused(format!("There is no room {room} on {}.", model.server)))];
    }
    let mut effects = Vec::new();
    show(
        &mut effects,
        Line::Client(if again {
            format!("Connected again as {}.", model.nick)
        } else {
            format!("Connected to the server {} as {}. /help lists the commands.", model.server, model.nick)
        }),
    );
    match room_now {
        Some(room) if room_before.as_ref() != Some(room) => {
            show(&mut effects, Line::Client(format!("What you write goes to {room} now.")));
        }
        _ => {}
    }
    if model.hidden {
        let request = model.request(Command::Hide);
        model.hiding_again.clone_from(&request.id);
        effects.push(Effect::Send(request));
    }
    // Asked for while there was no connection, or not answered before it broke.
    if let Some(request) = model.awaited.clone() {
        model.asked.push(request.clone());
        effects.push(Effect::Send(request));
    }
    effects
}

fn refused(model: &mut Model, id: Option<&RequestId>, error: ErrorReply) -> Vec<Effect> {
    let message = clean(&error.message);
    let retry_after = error.retry_after_ms.map(Duration::from_millis);
    if model.link == Link::Greeting {
        let name_refused = matches!(error.code, ErrorCode::BadNick | ErrorCode::NickTaken);
        return match model.history {
            // One's own earlier connection may still hold the name: it is given up in a while.
            Acquaintance::Welcomed => lost(model, message.trim_end_matches('.').to_owned(), retry_after),
            _ if name_refused => {
                model.link = Link::AskingNick;
                vec![Effect::AskNick(message)]
            }
            _ => vec![Effect::Exit(Ending::Refused(message))],
        };
    }
    let later = matches!(error.code, ErrorCode::RateLimited | ErrorCode::Busy);
    let Some(id) = id else {
        // Somebody who leaves does not wait until goodbye may be said.
        return vec![match model.link {
            Link::Leaving if later => Effect::Exit(Ending::Left),
            _ => Effect::Show(Line::Refused(message, None)),
        }];
    };
    let request = model.answered(id);
    if later {
        let known = request.is_some() || model.outbox.hold(id);
        model.postponed.extend(request);
        if known {
            return vec![Effect::Wait(Timer::Pace, retry_after.unwrap_or(RETRY_DEFAULT))];
        }
    }
    if resume::look_refused(model, id) {
        return Vec::new();
    }
    typed::answered(model, Some(id));
    let text = model.outbox.take(id).map(|pending| pending.text);
    vec![Effect::Show(Line::Refused(message, text))]
}

fn disconnected(model: &mut Model, disconnect: Disconnect) -> Vec<Effect> {
    let message = clean(&disconnect.message);
    let unasked = !matches!(model.link, Link::Leaving | Link::AskingNick);
    if unasked && !disconnect.reconnect && disconnect.code != DisconnectCode::Bye {
        return vec![Effect::Exit(Ending::Lost(message))];
    }
    let at_least = disconnect.retry_after_ms.map(Duration::from_millis);
    lost(model, message.trim_end_matches('.').to_owned(), at_least)
}

fn entry(model: &mut Model, message: Entry, effects: &mut Vec<Effect>) {
    let new = model.rooms.see(&message);
    if new {
        model.outbox.see(&message);
        show(effects, Line::Chat(chat(model, message)));
    }
}

fn chat(model: &Model, message: Entry) -> Chat {
    let own = message.from == model.nick;
    let place = match message.to {
        Some(to) if own => Place::To(to),
        Some(_) => Place::ToMe,
        None if message.room.is_lobby() => Place::Lobby,
        None => Place::Room(message.room),
    };
    Chat { at: message.at, place, from: message.from, own, text: message.text, action: message.action }
}

fn renamed(model: &mut Model, rename: Rename, effects: &mut Vec<Effect>) {
    let Rename { from, to, .. } = rename;
    let news = Some((from.clone(), to.clone()));
    // Of oneself one is told by the answer.
    if from == model.nick || to == model.nick || model.renamed == news {
        return;
    }
    model.rooms.rename(&from, &to);
    show(effects, Line::Server(words::renamed(&from, &to)));
    model.renamed = news;
}

fn told_hidden(model: &mut Model, id: Option<&RequestId>, hidden: bool, effects: &mut Vec<Effect>) {
    model.hidden = hidden;
    // Asked for by the client of itself, after coming back, it is no news.
    let silent = model.hiding_again.take_if(|again| Some(&*again) == id).is_some();
    if !silent {
        let words = if hidden { "You are now invisible!" } else { "You are now visible to other users!" };
        show(effects, Line::Row(words.to_owned()));
    }
}

fn joined(
    model: &mut Model,
    id: Option<&RequestId>,
    created: bool,
    entered: Entered,
    effects: &mut Vec<Effect>,
) {
    let room = entered.room.clone();
    model.rooms.enter(entered);
    if typed::answered(model, id).is_some() {
        model.rooms.switch_to(&room);
        let words = if created {
            format!("Room {room} created successfully!")
        } else {
            format!("Joined room {room} successfully!")
        };
        show(effects, Line::Row(words));
    }
}

fn show_rooms(rooms: &[RoomSummary], more: bool, effects: &mut Vec<Effect>) {
    // Everybody is in the lobby; it is on no list.
    let names = rooms.iter().map(|row| &row.room).filter(|room| !room.is_lobby());
    show_rows(&render::rooms(names, more), effects);
}

fn show_members(
    model: &mut Model,
    room: Option<&RoomName>,
    members: &[Nick],
    (count, more): (usize, bool),
    effects: &mut Vec<Effect>,
) {
    let before = std::mem::take(&mut model.listed.before);
    let up_to = before + members.len();
    let count = if more { count } else { up_to };
    show_rows(&render::members(room, members, before, count), effects);
    model.listed.last = members.last().cloned();
    model.listed.up_to = up_to;
}

fn show_rows(text: &str, effects: &mut Vec<Effect>) {
    for row in text.lines() {
        show(effects, Line::Row(row.to_owned()));
    }
}

fn show_history(model: &Model, history: History, effects: &mut Vec<Effect>) {
    let count = history.messages.len();
    show(effects, Line::Server(words::history(&history.room, count)));
    if count > 0 {
        for message in history.messages {
            show(effects, Line::Chat(chat(model, message)));
        }
        show(effects, Line::Server("Server: end of history.".to_owned()));
    }
}
