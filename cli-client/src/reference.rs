//! `/edit`, `/delete` and `/reply` mean a message without naming it: the user's own last one, or
//! somebody's last one, where lines go: in a room, or between the user and one other person. Which that is, is known from what has been
//! shown; what was said before is asked for once.

use crosstalk_protocol::slash::Typed;
use crosstalk_protocol::{Command, History, HistoryRange, RequestId, RoomName, Seq, Target, limits};

use crate::commands::Order;
use crate::message::{Effect, Line};
use crate::model::{Link, Model, Sought};
use crate::{typed, words};

/// Whether it can be carried out by now: one's last message has no number before it is acknowledged.
pub(crate) fn ready(model: &Model, order: &Order) -> bool {
    let (Order::Typed(typed), Some(here)) = (order, model.rooms.here()) else { return true };
    let room = model.rooms.room_of(&here).map(|member| &member.room);
    let known = || model.link == Link::Online || target(model, &here, typed).is_some();
    match typed {
        Typed::Edit(_) | Typed::Delete if model.outbox.unsent(&here, room).is_some() => true,
        Typed::Edit(_) | Typed::Delete => !model.outbox.waits_for(&here, room) && known(),
        Typed::Reply(..) => known(),
        _ => true,
    }
}

/// Carries out one of the three.
pub(crate) fn carry_out(model: &mut Model, typed: Typed) -> Vec<Effect> {
    let Some(here) = model.rooms.here() else { return typed::nowhere() };
    let room = model.rooms.room_of(&here).map(|member| member.room.clone());
    if let Some(id) = model.outbox.unsent(&here, room.as_ref()) {
        match &typed {
            Typed::Edit(text) => {
                model.outbox.revise(&id, text);
                return Vec::new();
            }
            Typed::Delete => {
                model.outbox.take(&id);
                return vec![Effect::Show(Line::Client("Withdrawn before it was sent.".to_owned()))];
            }
            _ => {}
        }
    }
    if let Some(room) = room
        && let Some(seq) = target(model, &here, &typed)
    {
        put(model, room, seq, typed);
        return Vec::new();
    }
    let command = Command::History { of: here, range: HistoryRange::Latest, limit: limits::PAGE_MAX };
    let request = model.request(command);
    model.sought = request.id.clone().map(|id| Sought { id, order: Order::Typed(typed) });
    vec![Effect::Send(request)]
}

/// The log has answered. `false` if it answers something else.
pub(crate) fn found(
    model: &mut Model,
    id: Option<&RequestId>,
    history: &History,
    effects: &mut Vec<Effect>,
) -> bool {
    let Some(sought) = model.sought.take_if(|sought| Some(&sought.id) == id) else { return false };
    let Order::Typed(typed) = sought.order else { return true };
    let room = history.room.clone();
    match target(model, &Target::Room(room.clone()), &typed) {
        Some(seq) => put(model, room, seq, typed),
        None => {
            let who = match &typed {
                Typed::Reply(nick, _) => format!("{nick} has"),
                _ => "You have".to_owned(),
            };
            let text = match typed {
                Typed::Reply(_, text) | Typed::Edit(text) => Some(text),
                _ => None,
            };
            effects.push(Effect::Show(Line::Refused(
                format!("{who} said nothing {} lately.", words::place(&room)),
                text,
            )));
        }
    }
    true
}

fn target(model: &Model, here: &Target, typed: &Typed) -> Option<Seq> {
    let recent = &model.rooms.room_of(here)?.recent;
    match typed {
        Typed::Reply(nick, _) => recent.of(nick),
        _ => recent.own(),
    }
}

fn put(model: &mut Model, room: RoomName, seq: Seq, typed: Typed) {
    match typed {
        Typed::Edit(text) => model.outbox.put(Command::Edit { room, seq, text }),
        Typed::Delete => model.outbox.put(Command::Delete { room, seq }),
        Typed::Reply(_, text) => {
            let to = Target::Room(room);
            model.outbox.put(Command::Send { to, text, action: false, reply: Some(seq) });
        }
        _ => {}
    }
}
