//! What the server says, and what the user is shown of it.

use std::time::Duration;

use crosstalk_protocol::{
    Command, Disconnect, DisconnectCode, Entered, ErrorCode, ErrorReply, Event, History, Record, Rename,
    Request, RequestId, RoomName, clean,
};

use crate::greeting::Welcome;
use crate::message::{Effect, Ending, Line, Timer};
use crate::model::{Acquaintance, Front, Link, Model};
use crate::update::lost;
use crate::{entries, greeting, lists, reading, reference, typed, words};

/// The wait when the server says "later" without saying when.
const RETRY_DEFAULT: Duration = Duration::from_secs(1);

/// Takes in one event.
pub(crate) fn received(model: &mut Model, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    if let Some(id) = answers(&event) {
        model.answered(id);
    }
    match event {
        Event::Welcome { nick, token, resumed, hidden, rooms, limits, .. } => {
            return greeting::welcome(model, Welcome { nick, token, resumed, hidden, rooms, limits });
        }
        Event::Error { id, error } => return refused(model, id.as_ref(), error),
        Event::Disconnect(disconnect) => return disconnected(model, disconnect),
        Event::Message(message) => entries::entry(model, Record::Message(message), &mut effects),
        Event::Edited(edited) => entries::entry(model, Record::Edited(edited), &mut effects),
        Event::Deleted(deleted) => entries::entry(model, Record::Deleted(deleted), &mut effects),
        Event::Ack { id, room, seq } => entries::acknowledged(model, &id, &room, seq),
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
        Event::Left { id, room } => left(model, id.as_ref(), &room, &mut effects),
        Event::Read { room, seq, .. } => {
            if let Some(member) = model.rooms.find_mut(&room) {
                member.has_read(seq);
            }
        }
        Event::Rooms { rooms, more, .. } => lists::show_rooms(model, &rooms, more, &mut effects),
        Event::Members { room, members, count, more, .. } => {
            lists::show_members(model, room.as_ref(), &members, (count, more), &mut effects);
        }
        Event::Nick { nick, .. } => {
            model.nick = nick;
            show(&mut effects, Line::Row(format!("You are now {}.", model.nick)));
            if let Some(token) = model.token.clone().filter(|_| model.front == Front::Terminal) {
                effects.push(Effect::Remember(model.nick.clone(), token));
            }
        }
        Event::Hidden { hidden, .. } => {
            model.hidden = hidden;
            let words = if hidden { "You are now invisible!" } else { "You are now visible to other users!" };
            show(&mut effects, Line::Row(words.to_owned()));
        }
        Event::History { id, history } => logged(model, id.as_ref(), &history, &mut effects),
        Event::Found { id, history } => lists::show_found(model, id.as_ref(), &history, &mut effects),
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
        | Event::Read { id, .. }
        | Event::Found { id, .. }
        | Event::History { id, .. } => id.as_ref(),
        _ => None,
    }
}

fn show(effects: &mut Vec<Effect>, line: Line) {
    effects.push(Effect::Show(line));
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
        model.postponed.extend(request.clone());
        if known {
            return vec![Effect::Wait(Timer::Pace, retry_after.unwrap_or(RETRY_DEFAULT))];
        }
    }
    let mut effects = Vec::new();
    let unasked = matches!(request, Some(Request { command: Command::Read { .. }, .. }));
    if unasked || reading::refused(model, id, &mut effects) {
        return effects;
    }
    if error.code == ErrorCode::IdReused
        && let Some(effects) = label_used(model, id)
    {
        return effects;
    }
    typed::answered(model, Some(id));
    let sought = model.sought.take_if(|sought| sought.id == *id);
    let pending = model.outbox.take(id);
    let text = pending.as_ref().and_then(|pending| pending.text());
    let text = text.or_else(|| sought.as_ref()?.order.words()).cloned();
    if let Some(pending) = pending.filter(|_| model.front == Front::Terminal) {
        model.outbox.fail(pending);
    }
    vec![Effect::Show(Line::Refused(message, text))]
}

/// Something of the user's own has the label of something else, and was not sent. `None` if it is
/// to be refused like anything.
fn label_used(model: &mut Model, id: &RequestId) -> Option<Vec<Effect>> {
    match model.front {
        // Nobody is there to ask.
        Front::Pipe(_) => model.outbox.renew(id).then(Vec::new),
        Front::Terminal => {
            let pending = model.outbox.fail_anew(id)?;
            let reason = "The server took this for another message. /again sends it anew.".to_owned();
            Some(vec![Effect::Show(Line::Refused(reason, pending.text().cloned()))])
        }
    }
}

fn disconnected(model: &mut Model, disconnect: Disconnect) -> Vec<Effect> {
    let message = clean(&disconnect.message);
    if disconnect.code == DisconnectCode::Replaced {
        // Two that came back each time would take the place from each other for ever.
        let reason = format!(
            "This client has come back over another connection, which ends this one. Start it again to go \
             on here.{}",
            words::not_sent(model.outbox.len())
        );
        return vec![Effect::Exit(Ending::Lost(reason))];
    }
    let unasked = !matches!(model.link, Link::Leaving | Link::AskingNick);
    if unasked && !disconnect.reconnect && disconnect.code != DisconnectCode::Bye {
        return vec![Effect::Exit(Ending::Lost(message))];
    }
    let at_least = disconnect.retry_after_ms.map(Duration::from_millis);
    lost(model, message.trim_end_matches('.').to_owned(), at_least)
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

fn joined(
    model: &mut Model,
    id: Option<&RequestId>,
    created: bool,
    entered: Entered,
    effects: &mut Vec<Effect>,
) {
    let room = entered.room.clone();
    let news = !model.rooms.contains(&room) && !room.is_direct();
    if let Some(gap) = model.rooms.enter(entered) {
        show(effects, Line::Server(words::gap(&gap.room, gap.after, gap.before)));
    }
    if typed::answered(model, id).is_some() {
        model.rooms.switch_to(&room);
        let words = if created {
            format!("Room {room} created successfully!")
        } else {
            format!("Joined room {room} successfully!")
        };
        show(effects, Line::Row(words));
        effects.extend(reading::enter(model, &room));
    } else if news && id.is_none() {
        show(effects, Line::Client(format!("You have joined {room} with another client.")));
    }
}

fn left(model: &mut Model, id: Option<&RequestId>, room: &RoomName, effects: &mut Vec<Effect>) {
    let before = model.rooms.current().cloned();
    let was_there = model.rooms.contains(room);
    model.rooms.leave(room);
    if typed::answered(model, id).is_some() || id.is_some() {
        show(effects, Line::Row(format!("Left room {room}")));
    } else if was_there && !room.is_direct() {
        let goes = match model.rooms.current() {
            Some(now) if before.as_ref() != Some(now) => format!(" What you write goes to {now} now."),
            _ => String::new(),
        };
        show(effects, Line::Client(format!("You have left {room} with another client.{goes}")));
    }
}

/// Part of a log: what was looked for in it depends on who asked.
fn logged(model: &mut Model, id: Option<&RequestId>, history: &History, effects: &mut Vec<Effect>) {
    for message in &history.messages {
        entries::note(model, message);
    }
    if !reading::entered(model, id, history, effects) && !reference::found(model, id, history, effects) {
        lists::show_history(model, history, None, effects);
    }
}
