//! What happens, and what follows from it: a pure function of model and message.
//!
//! [`typed`] knows what people type, [`received`] what the server
//! says, [`resume`] what was under way when a connection broke. Here is what holds
//! them together: the connection's life.

use std::time::Duration;

use crosstalk_protocol::{Command, Request, RoomName, Target};

use crate::message::{Effect, Ending, Line, Message, Timer};
use crate::model::{Acquaintance, Link, Model};
use crate::{received, resume, typed};

/// How long the server's farewell is waited for.
const FAREWELL_LIMIT: Duration = Duration::from_secs(2);

/// Changes the model by what happened, and says what is to be done.
pub(crate) fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    let mut effects = match message {
        Message::Connected => connected(model),
        Message::Received(event) => received::received(model, event),
        Message::Lost(reason) => lost(model, reason, None),
        Message::Due(Timer::Reconnect) if model.link == Link::Offline => {
            model.link = Link::Connecting;
            vec![Effect::Connect]
        }
        Message::Due(Timer::Farewell) if model.link == Link::Leaving => vec![Effect::Exit(Ending::Left)],
        Message::Due(Timer::Pace) => {
            model.outbox.go_on();
            let again = std::mem::take(&mut model.postponed);
            model.asked.extend(again.iter().cloned());
            again.into_iter().map(Effect::Send).collect()
        }
        Message::Due(_) => Vec::new(),
        Message::Typed(line) => typed::typed(model, line),
        Message::Say(text) => {
            let room = model.rooms.current().cloned().unwrap_or_else(RoomName::lobby);
            model.outbox.push(Target::Room(room), text, false);
            Vec::new()
        }
        Message::Nick(nick) => {
            model.nick = nick;
            nick_given(model)
        }
        Message::EndOfInput => {
            model.ending = true;
            Vec::new()
        }
        Message::Leave => leave(model),
    };
    if model.link == Link::Online {
        effects.extend(typed::go_on(model));
        effects.extend(resume::check(model));
        let rooms = &model.rooms;
        let read = |target: &Target| rooms.position(rooms.room_of(target)?);
        let due = model.outbox.due(&model.nick, read);
        effects.extend(due.into_iter().map(Effect::Send));
        let done = model.outbox.is_empty() && model.awaited.is_none() && model.deferred.is_empty();
        if model.ending && done {
            effects.extend(leave(model));
        }
    }
    effects
}

fn connected(model: &mut Model) -> Vec<Effect> {
    if model.history == Acquaintance::Stranger {
        model.history = Acquaintance::Met;
    }
    model.link = Link::Greeting;
    vec![Effect::Send(model.hello())]
}

fn nick_given(model: &mut Model) -> Vec<Effect> {
    match model.link {
        Link::AskingNick => {
            model.link = Link::Greeting;
            vec![Effect::Send(model.hello())]
        }
        // The server did not want to wait so long for the answer.
        Link::Offline => {
            model.link = Link::Connecting;
            vec![Effect::Connect]
        }
        _ => Vec::new(),
    }
}

/// The connection is lost, and is not wanted back before `at_least`.
pub(crate) fn lost(model: &mut Model, reason: String, at_least: Option<Duration>) -> Vec<Effect> {
    let before = std::mem::replace(&mut model.link, Link::Offline);
    let reason = if reason.is_empty() { "the connection broke".to_owned() } else { reason };
    match before {
        Link::Leaving => return vec![Effect::Exit(Ending::Left)],
        Link::AskingNick => return vec![Effect::Close],
        _ => {}
    }
    if model.history == Acquaintance::Stranger {
        let reason = format!("Cannot connect to {}: {reason}.", model.server);
        return vec![Effect::Exit(Ending::Lost(reason))];
    }
    if !model.persistent {
        return vec![Effect::Exit(Ending::Lost(format!(
            "Lost the connection to {}: {reason}.{}",
            model.server,
            not_acknowledged(model)
        )))];
    }
    model.asked.clear();
    model.postponed.clear();
    model.check = None;
    model.outbox.lose_connection();
    let mut effects = vec![Effect::Close];
    if model.trouble.as_ref() != Some(&reason) {
        let words = match before {
            Link::Online => format!("Connection lost: {reason}. Reconnecting …"),
            _ => format!("Still not connected: {reason}. Trying on …"),
        };
        effects.push(Effect::Show(Line::Client(words)));
        model.trouble = Some(reason);
    }
    effects.push(Effect::Wait(Timer::Reconnect, model.backoff.next(at_least)));
    effects
}

/// Leaves, with a word to the server if it can hear it.
pub(crate) fn leave(model: &mut Model) -> Vec<Effect> {
    let mut effects = Vec::new();
    let not_sent = not_acknowledged(model);
    if !not_sent.is_empty() {
        effects.push(Effect::Show(Line::Client(not_sent.trim_start().to_owned())));
    }
    match model.link {
        Link::Online => {
            model.link = Link::Leaving;
            effects.push(Effect::Send(Request { id: None, command: Command::Quit }));
            effects.push(Effect::Wait(Timer::Farewell, FAREWELL_LIMIT));
        }
        _ => effects.push(Effect::Exit(Ending::Left)),
    }
    effects
}

fn not_acknowledged(model: &Model) -> String {
    match model.outbox.len() {
        0 => String::new(),
        1 => " One message may not have been sent.".to_owned(),
        more => format!(" {more} messages may not have been sent."),
    }
}

#[cfg(test)]
mod tests;
