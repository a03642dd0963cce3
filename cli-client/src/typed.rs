//! What the lines that people type mean. The table of commands is the protocol's.

use crosstalk_protocol::slash::{self, Typed};
use crosstalk_protocol::{
    Command, EntryRoom, ErrorReply, HistoryRange, Nick, Page, Request, RoomName, Target, limits,
};

use crate::message::{Effect, Line};
use crate::model::{Acquaintance, Link, Model};
use crate::update::leave;

/// Messages that `/history` shows without a number: most of a screen.
const HISTORY_DEFAULT: usize = 20;

/// Carries out one line, or keeps it until it is known where lines go.
pub(crate) fn typed(model: &mut Model, line: String) -> Vec<Effect> {
    match slash::parse(&line) {
        // Nobody who wants to leave waits for an answer.
        Ok(Typed::Quit) => leave(model),
        // The first welcome is on its way, and after some requests it is not known where lines go.
        _ if model.history < Acquaintance::Welcomed || model.awaited.is_some() => {
            model.deferred.push_back(line);
            Vec::new()
        }
        Ok(typed) => carry_out(model, typed),
        Err(error) => refuse(&error),
    }
}

/// Carries out the lines that were kept, as far as is possible by now.
pub(crate) fn go_on(model: &mut Model) -> Vec<Effect> {
    let mut effects = Vec::new();
    while model.awaited.is_none()
        && let Some(line) = model.deferred.pop_front()
    {
        effects.extend(typed(model, line));
    }
    effects
}

fn carry_out(model: &mut Model, typed: Typed) -> Vec<Effect> {
    match typed {
        Typed::Say(text) => here(model, |model, room| model.outbox.push(room, text, false)),
        Typed::Me(text) => here(model, |model, room| model.outbox.push(room, text, true)),
        Typed::Room(room, text) => push(model, Target::Room(room), text),
        Typed::Broadcast(Some(text)) => push(model, Target::Room(RoomName::lobby()), text),
        Typed::Broadcast(None) => match slash::find("/broadcast") {
            Some(row) => refuse(&slash::usage_error(row)),
            None => Vec::new(),
        },
        Typed::Dm(nick, text) => push(model, Target::User(nick), text),
        Typed::Help => slash::help().map(|row| Effect::Show(Line::Row(row))).collect(),
        Typed::Members(room, after) => {
            let goes_on = after.is_some() && after == model.listed.last;
            model.listed.before = if goes_on { model.listed.up_to } else { 0 };
            let page = page(after.map(|nick| nick.to_string()));
            ask(model, Command::Members { room, page })
        }
        Typed::GetRooms(after) => ask(model, Command::Rooms(page(after.map(|room| room.to_string())))),
        Typed::CreateRoom(room) => change_place(model, Command::Create { room }),
        Typed::Join(room) if model.rooms.switch_to(&room) => {
            vec![Effect::Show(Line::Client(format!(
                "You are already a member of this room {room}. What you write goes there now."
            )))]
        }
        Typed::Join(room) => change_place(model, Command::Join(EntryRoom { room, position: None })),
        Typed::Leave(room) => match room.or_else(|| model.rooms.current().cloned()) {
            Some(room) if model.rooms.contains(&room) => change_place(model, Command::Leave { room }),
            _ => refused("Room does not exist or not a member"),
        },
        Typed::Nick(nick) if model.link == Link::Online => ask(model, Command::Nick { nick }),
        Typed::Nick(nick) => {
            let words = format!("You will be {nick} when the connection is back.");
            model.nick = nick;
            told(&words)
        }
        Typed::Hide(name) => own_name(model, name, Command::Hide),
        Typed::Reveal(name) => own_name(model, name, Command::Reveal),
        Typed::History(number) => match model.rooms.current().cloned() {
            Some(room) => {
                let limit = number.unwrap_or(HISTORY_DEFAULT).min(limits::PAGE_MAX);
                ask(model, Command::History { of: Target::Room(room), range: HistoryRange::Latest, limit })
            }
            None => nowhere(),
        },
        Typed::Backlog(_) | Typed::Search(_) | Typed::Reply(..) | Typed::Edit(_) | Typed::Delete => {
            refused("This client cannot do that yet.")
        }
        Typed::Quit => leave(model),
    }
}

/// A question to the server. Without a connection it is not kept: its answer would come long after
/// anybody wanted it.
fn ask(model: &mut Model, command: Command) -> Vec<Effect> {
    if model.link != Link::Online {
        return refused("There is no connection at the moment; try again when it is back.");
    }
    vec![Effect::Send(model.request(command))]
}

/// A request after which lines may go elsewhere. Without a connection it is kept for the next.
fn change_place(model: &mut Model, command: Command) -> Vec<Effect> {
    let request = model.request(command);
    model.awaited = Some(request.clone());
    if model.link == Link::Online {
        vec![Effect::Send(request)]
    } else {
        told("That will be done when the connection is back.")
    }
}

fn push(model: &mut Model, to: Target, text: crosstalk_protocol::Text) -> Vec<Effect> {
    model.outbox.push(to, text, false);
    Vec::new()
}

fn here(model: &mut Model, push: impl FnOnce(&mut Model, Target)) -> Vec<Effect> {
    match model.rooms.current().cloned() {
        Some(room) => {
            push(model, Target::Room(room));
            Vec::new()
        }
        None => nowhere(),
    }
}

fn own_name(model: &mut Model, name: Option<Nick>, command: Command) -> Vec<Effect> {
    if name.is_some_and(|name| name != model.nick) {
        return refused("You can hide and reveal only yourself.");
    }
    ask(model, command)
}

/// The end of `awaited`, if it is this one.
pub(crate) fn answered(model: &mut Model, id: Option<&crosstalk_protocol::RequestId>) -> Option<Request> {
    model.awaited.take_if(|request| id.is_some() && request.id.as_ref() == id)
}

fn page(after: Option<String>) -> Page {
    Page { after, ..Page::default() }
}

fn nowhere() -> Vec<Effect> {
    refused("You are in no room; /join one, and /get_rooms lists them.")
}

fn told(words: &str) -> Vec<Effect> {
    vec![Effect::Show(Line::Client(words.to_owned()))]
}

fn refused(words: &str) -> Vec<Effect> {
    vec![Effect::Show(Line::Refused(words.to_owned(), None))]
}

fn refuse(error: &ErrorReply) -> Vec<Effect> {
    refused(&error.message)
}
