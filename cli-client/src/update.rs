//! What happens, and what follows from it: a pure function of model and message.
//!
//! [`typed`] knows what people type, [`received`] what the server says. Here is what holds them
//! together: the connection's life.

use std::time::Duration;

use crosstalk_protocol::{Command, Request, RoomName, Target};

use crate::message::{Effect, Ending, Line, Message, Timer};
use crate::model::{Acquaintance, Front, Link, Model};
use crate::{reading, received, typed, words};

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
        Message::Due(Timer::Patience) => out_of_patience(model),
        Message::Due(Timer::Read) => {
            model.reading = false;
            Vec::new()
        }
        Message::Due(_) => Vec::new(),
        Message::Typed(line) => typed::typed(model, &line),
        Message::Say(text) => {
            let room = model.rooms.current().cloned().unwrap_or_else(RoomName::lobby);
            model.outbox.push(Target::Room(room), text, false);
            Vec::new()
        }
        Message::Nick(nick, token) => {
            model.nick = nick;
            model.token = token.or_else(|| model.token.take());
            nick_given(model)
        }
        Message::Attention(attention) => {
            model.attention = attention;
            Vec::new()
        }
        Message::EndOfInput => {
            model.ending = true;
            Vec::new()
        }
        Message::Leave => leave(model),
    };
    if model.link == Link::Online {
        effects.extend(typed::go_on(model));
        effects.extend(model.outbox.due().into_iter().map(Effect::Send));
        effects.extend(reading::tell(model));
        let done = model.outbox.is_empty() && model.awaited.is_none() && model.deferred.is_empty();
        let done = done && model.sought.is_none();
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
        // The server has said why, and now the connection ends, too.
        Link::Offline => return Vec::new(),
        _ => {}
    }
    if model.history == Acquaintance::Stranger {
        let reason = format!("Cannot connect to {}: {reason}.", model.server);
        return vec![Effect::Exit(Ending::Lost(reason))];
    }
    let mut effects = vec![Effect::Close];
    if let Front::Pipe(patience) = model.front {
        // Without a token nobody could tell what had arrived.
        if patience.is_zero() || model.token.is_none() {
            return vec![Effect::Exit(gone(model, &reason))];
        }
        if before == Link::Online {
            effects.push(Effect::Wait(Timer::Patience, patience));
        }
    }
    model.asked.clear();
    model.postponed.clear();
    model.entering.clear();
    if let Some(sought) = model.sought.take() {
        model.deferred.push_front(sought.order);
    }
    model.outbox.lose_connection();
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

/// A pipe has waited for its server long enough.
fn out_of_patience(model: &Model) -> Vec<Effect> {
    let waits = matches!(model.link, Link::Offline | Link::Connecting | Link::Greeting);
    if !waits || model.front == Front::Terminal {
        return Vec::new();
    }
    vec![Effect::Exit(gone(model, model.trouble.as_deref().unwrap_or("no answer")))]
}

fn gone(model: &Model, reason: &str) -> Ending {
    let not_sent = words::not_sent(model.outbox.len());
    Ending::Lost(format!("Lost the connection to {}: {reason}.{not_sent}", model.server))
}

/// Leaves, with a word to the server if it can hear it.
pub(crate) fn leave(model: &mut Model) -> Vec<Effect> {
    let mut effects = Vec::new();
    let not_sent = words::not_sent(model.outbox.len());
    if !not_sent.is_empty() {
        effects.push(Effect::Show(Line::Client(not_sent.trim_start().to_owned())));
    }
    match model.link {
        Link::Online => {
            model.reading = false;
            effects.extend(reading::tell(model));
            model.link = Link::Leaving;
            effects.push(Effect::Send(Request { id: None, command: Command::Quit }));
            effects.push(Effect::Wait(Timer::Farewell, FAREWELL_LIMIT));
        }
        _ => effects.push(Effect::Exit(Ending::Left)),
    }
    effects
}

#[cfg(test)]
mod tests;
