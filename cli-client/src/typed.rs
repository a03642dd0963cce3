//! What the lines that people type mean. The table of commands is the protocol's, with
//! a few of the client's own ([`commands`]).

use crosstalk_protocol::slash::{self, Typed};
use crosstalk_protocol::{
    Command, EntryRoom, ErrorReply, HistoryRange, Nick, Page, Request, RoomName, Seq, Target, limits,
};

use crate::commands::{self, Order};
use crate::message::{Effect, Line};
use crate::model::{Acquaintance, Link, Model, Search};
use crate::update::leave;
use crate::{reading, reference};

/// Messages that `/history` shows without a number: most of a screen.
const HISTORY_DEFAULT: usize = 20;

/// Messages that `/search` shows at once.
const FOUND: usize = 20;

/// Carries out one line, or keeps it until that is possible.
pub(crate) fn typed(model: &mut Model, line: &str) -> Vec<Effect> {
    match commands::parse(line) {
        // Nobody who wants to leave waits for an answer.
        Ok(Order::Typed(Typed::Quit)) => leave(model),
        Ok(order) if model.deferred.is_empty() && ready(model, &order) => carry_out(model, order),
        Ok(order) => {
            model.deferred.push_back(order);
            Vec::new()
        }
        Err(error) => refuse(&error),
    }
}

/// Carries out the lines that were kept, as far as is possible by now.
pub(crate) fn go_on(model: &mut Model) -> Vec<Effect> {
    let mut effects = Vec::new();
    while let Some(order) = model.deferred.pop_front() {
        if !ready(model, &order) {
            model.deferred.push_front(order);
            break;
        }
        effects.extend(carry_out(model, order));
    }
    effects
}

/// The first welcome may be on its way, and after some requests it is not known where lines go.
fn ready(model: &Model, order: &Order) -> bool {
    let settled = model.awaited.is_none() && model.sought.is_none();
    model.history == Acquaintance::Welcomed && settled && reference::ready(model, order)
}

fn carry_out(model: &mut Model, order: Order) -> Vec<Effect> {
    match order {
        Order::Typed(typed) => carry_out_typed(model, typed),
        Order::Again | Order::Drop if model.outbox.failed() == 0 => refused("Nothing has failed."),
        Order::Again => {
            model.outbox.try_again();
            Vec::new()
        }
        Order::Drop => {
            model.outbox.drop_failed();
            told("Forgotten.")
        }
        Order::SearchOn => match model.search.clone() {
            Some(Search { of, words, before: Some(before), .. }) => search(model, of, words, Some(before)),
            Some(_) => refused("There is nothing older; /search with other words looks for something else."),
            None => usage("/search"),
        },
        Order::Talk(nick) => talk_to(model, nick),
    }
}

/// Lines go to one person from now on. Whether they are there is found out with the first.
fn talk_to(model: &mut Model, nick: Nick) -> Vec<Effect> {
    if nick == model.nick {
        return refused("That is yourself; write to somebody else.");
    }
    let mut effects = told(&format!("What you write goes to {nick} alone now. /leave ends that."));
    let with = Target::User(nick.clone());
    model.rooms.talk_to(nick);
    if let Some(room) = model.rooms.room_of(&with).map(|member| member.room.clone()) {
        effects.extend(reading::enter(model, &room));
    }
    effects
}

fn carry_out_typed(model: &mut Model, typed: Typed) -> Vec<Effect> {
    match typed {
        Typed::Say(text) => here(model, |model, room| model.outbox.push(room, text, false)),
        Typed::Me(text) => here(model, |model, room| model.outbox.push(room, text, true)),
        Typed::Room(room, text) => push(model, Target::Room(room), text),
        Typed::Broadcast(Some(text)) => push(model, Target::Room(RoomName::lobby()), text),
        Typed::Broadcast(None) => usage("/broadcast"),
        Typed::Dm(nick, text) => push(model, Target::User(nick), text),
        Typed::Help => commands::help().map(|row| Effect::Show(Line::Row(row))).collect(),
        Typed::Members(room, after) => {
            let goes_on = after.is_some() && after == model.listed.last;
            model.listed.before = if goes_on { model.listed.up_to } else { 0 };
            let page = page(after.map(|nick| nick.to_string()));
            ask(model, Command::Members { room, page })
        }
        Typed::GetRooms(after) => ask(model, Command::Rooms(page(after.map(|room| room.to_string())))),
        Typed::CreateRoom(room) => change_place(model, Command::Create { room }),
        Typed::Join(room) if model.rooms.switch_to(&room) => {
            let mut effects = told(&format!(
                "You are already a member of this room {room}. What you write goes there now."
            ));
            effects.extend(reading::come_back(model, &room));
            effects
        }
        Typed::Join(room) => change_place(model, Command::Join(EntryRoom { room, position: None })),
        // The conversation stays; lines go elsewhere.
        Typed::Leave(None) if model.rooms.talk_to_all() => match model.rooms.current().cloned() {
            Some(room) => {
                let mut effects = told(&format!("What you write goes to {room} again."));
                effects.extend(reading::come_back(model, &room));
                effects
            }
            None => nowhere(),
        },
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
        Typed::History(number) => match model.rooms.here() {
            Some(of) => {
                let limit = number.unwrap_or(HISTORY_DEFAULT).min(limits::PAGE_MAX);
                ask(model, Command::History { of, range: HistoryRange::Latest, limit })
            }
            None => nowhere(),
        },
        Typed::Backlog(on) => {
            model.backlog = on;
            told(match on {
                true => "The last messages of a room are shown when you enter it.",
                false => "The last messages of a room are not shown any more when you enter it.",
            })
        }
        Typed::Search(words) => match model.rooms.here() {
            Some(of) => search(model, of, words, None),
            None => nowhere(),
        },
        typed @ (Typed::Reply(..) | Typed::Edit(_) | Typed::Delete) => reference::carry_out(model, typed),
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

fn search(model: &mut Model, of: Target, words: String, before: Option<Seq>) -> Vec<Effect> {
    let effects = ask(model, Command::Search { of: of.clone(), words: words.clone(), before, limit: FOUND });
    if let Some(Effect::Send(Request { id: Some(id), .. })) = effects.first() {
        model.search = Some(Search { id: id.clone(), of, words, before });
    }
    effects
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
    match model.rooms.here() {
        Some(target) => {
            push(model, target);
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

pub(crate) fn nowhere() -> Vec<Effect> {
    refused("You are in no room; /join one, and /get_rooms lists them.")
}

fn told(words: &str) -> Vec<Effect> {
    vec![Effect::Show(Line::Client(words.to_owned()))]
}

fn refused(words: &str) -> Vec<Effect> {
    vec![Effect::Show(Line::Refused(words.to_owned(), None))]
}

fn usage(name: &str) -> Vec<Effect> {
    slash::find(name).map_or_else(Vec::new, |row| refuse(&slash::usage_error(row)))
}

fn refuse(error: &ErrorReply) -> Vec<Effect> {
    refused(&error.message)
}
