//! What a welcome says: who the user is, and what of all that was under way is known there.

use crosstalk_protocol::{Command, Entered, EntryRoom, Limits, Nick, RoomName, Token};

use crate::message::{Effect, Ending, Line};
use crate::model::{Acquaintance, Front, Link, Model};
use crate::{outbox, reading, words};

/// The parts of a `welcome`.
pub(crate) struct Welcome {
    pub(crate) nick: Nick,
    pub(crate) token: Option<Token>,
    pub(crate) resumed: bool,
    pub(crate) hidden: bool,
    pub(crate) rooms: Vec<Entered>,
    pub(crate) limits: Limits,
}

/// The user is in, for the first time or again.
pub(crate) fn welcome(model: &mut Model, welcome: Welcome) -> Vec<Effect> {
    let Welcome { nick, token, resumed, hidden, rooms, limits } = welcome;
    let again = model.history == Acquaintance::Welcomed;
    let room_before = model.rooms.current().cloned();
    let skipped = model.rooms.welcome(rooms);
    model.nick = nick;
    model.token = token;
    model.hidden = hidden;
    model.outbox.set_rate_limited(limits.rate.is_some());
    model.backoff.reset();
    model.trouble = None;
    model.link = Link::Online;
    model.history = Acquaintance::Welcomed;
    // Whoever is somebody new has no ids there: nothing tells whether what was sent has arrived.
    let unsure = if resumed { Vec::new() } else { model.outbox.forsake() };
    if let Front::Pipe(_) = model.front
        && let Some(ending) = stops(model, room_before.as_ref(), &unsure)
    {
        return vec![Effect::Exit(ending)];
    }
    let mut effects = vec![Effect::Show(Line::Client(greeting(model, again, resumed)))];
    if hidden && !again {
        effects.push(Effect::Show(Line::Client("You are still invisible; /reveal ends that.".to_owned())));
    }
    for gap in skipped {
        effects.push(Effect::Show(Line::Server(words::gap(&gap.room, gap.after, gap.before))));
    }
    for pending in &unsure {
        effects.push(Effect::Show(match pending.text() {
            Some(text) => Line::Unsure(text.clone()),
            None => Line::Refused("Nobody knows whether that was withdrawn.".to_owned(), None),
        }));
    }
    if let Some(token) = model.token.as_ref().filter(|_| model.front == Front::Terminal) {
        effects.push(Effect::Remember(model.nick.clone(), token.clone()));
    }
    effects.extend(go_on_asking(model));
    effects.extend(look_around(model, again, room_before.as_ref()));
    effects
}

/// What a pipe cannot go on with.
fn stops(model: &Model, room_before: Option<&RoomName>, unsure: &[outbox::Pending]) -> Option<Ending> {
    if model.rooms.current().is_none() {
        let room = room_before.cloned().unwrap_or_else(RoomName::lobby);
        return Some(Ending::Refused(format!("There is no room {room} on {}.", model.server)));
    }
    let count = match unsure.len() {
        0 => return None,
        1 => "one message".to_owned(),
        more => format!("{more} messages"),
    };
    Some(Ending::Lost(format!(
        "The connection to {} was lost, and the server does not know this client any more: {count} may have \
         arrived or not.{}",
        model.server,
        words::not_sent(model.outbox.len())
    )))
}

fn greeting(model: &Model, again: bool, resumed: bool) -> String {
    let Model { nick, server, .. } = model;
    match (again, resumed) {
        (true, true) => format!("Connected again as {nick}."),
        (true, false) => format!("Connected again as {nick}; the server takes you for somebody new."),
        (false, true) => {
            format!("Connected to the server {server} as {nick}, as before. /help lists the commands.")
        }
        (false, false) => format!("Connected to the server {server} as {nick}. /help lists the commands."),
    }
}

/// A request for another place that was not answered before the connection broke, or could not be
/// made: it may have been carried out all the same.
fn go_on_asking(model: &mut Model) -> Vec<Effect> {
    let Some(request) = model.awaited.clone() else { return Vec::new() };
    let told = match &request.command {
        Command::Create { room } | Command::Join(EntryRoom { room, .. }) if model.rooms.switch_to(room) => {
            format!("Joined room {room} successfully!")
        }
        Command::Leave { room } if !model.rooms.contains(room) => format!("Left room {room}"),
        _ => {
            model.asked.push(request.clone());
            return vec![Effect::Send(request)];
        }
    };
    model.awaited = None;
    vec![Effect::Show(Line::Row(told))]
}

/// Where the user finds themselves, and what has been said there.
fn look_around(model: &mut Model, again: bool, room_before: Option<&RoomName>) -> Vec<Effect> {
    let mut effects = Vec::new();
    let Some(room) = model.rooms.current().cloned() else { return effects };
    let moved = room_before != Some(&room);
    if moved {
        effects.push(Effect::Show(Line::Client(format!("What you write goes to {room} now."))));
    }
    // After a break everything missed follows by itself.
    if moved || !again {
        effects.extend(reading::enter(model, &room));
    }
    if !again {
        let direct: Vec<RoomName> = model
            .rooms
            .iter()
            .filter(|member| member.room.is_direct() && member.unread > 0)
            .map(|member| member.room.clone())
            .collect();
        for room in direct {
            effects.extend(reading::enter(model, &room));
        }
    }
    effects
}
