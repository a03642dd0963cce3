//! What the user has read: what is shown, in the room that lines go to and in direct conversations,
//! while the window is looked at. The server is told, so that the user's other clients know, and they tell this
//! one. On entering a room its last messages are shown, with a line above the unread ones.
//!
//! A pipe reads nothing: a program is no person.

use std::time::Duration;

use crosstalk_protocol::{Command, History, HistoryRange, RequestId, RoomName, Target};

use crate::message::{Effect, Line, Timer};
use crate::model::{Entering, Front, Link, Model};
use crate::{lists, words};

/// Messages shown on entering a room: most of a screen.
const BACKLOG: usize = 20;

/// The server is told what has been read no more often.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// The user enters a room, or comes back to one, and is shown what was said there.
pub(crate) fn enter(model: &mut Model, room: &RoomName) -> Vec<Effect> {
    let Some(member) = model.rooms.find(room).filter(|_| model.front == Front::Terminal) else {
        return Vec::new();
    };
    let (read, unread) = (member.read, member.unread);
    let seen = member.position.map_or(0, |position| position.seq);
    if !model.backlog || model.link != Link::Online || seen == 0 {
        return divide(model, room, unread);
    }
    // Up to where live reading begins, so that nothing comes twice.
    let range = HistoryRange::Before(seen.saturating_add(1));
    let of = Target::Room(room.clone());
    let request = model.request(Command::History { of, range, limit: BACKLOG });
    if let Some(id) = request.id.clone() {
        model.entering.push(Entering { id, room: room.clone(), read, unread });
    }
    vec![Effect::Send(request)]
}

/// The user comes back to a room that they never left.
pub(crate) fn come_back(model: &mut Model, room: &RoomName) -> Vec<Effect> {
    if model.rooms.find(room).is_some_and(|member| member.unread > 0) {
        return enter(model, room);
    }
    Vec::new()
}

/// The last messages of a room that was entered have come. `false` if it is another answer.
pub(crate) fn entered(
    model: &mut Model,
    id: Option<&RequestId>,
    history: &History,
    effects: &mut Vec<Effect>,
) -> bool {
    let Some(entering) = take(model, id) else { return false };
    let Entering { room, read, unread, .. } = entering;
    let first_unread = history.messages.iter().position(|message| message.seq > read.unwrap_or(0));
    let divider = first_unread.filter(|_| unread > 0).map(|at| (at, words::unread(unread)));
    if !history.messages.is_empty() {
        lists::show_history(model, history, divider, effects);
    }
    if let Some(member) = model.rooms.find_mut(&room) {
        member.unread = 0;
    }
    true
}

/// The last messages of a room cannot be had. `false` if something else was refused.
pub(crate) fn refused(model: &mut Model, id: &RequestId, effects: &mut Vec<Effect>) -> bool {
    let Some(Entering { room, unread, .. }) = take(model, Some(id)) else { return false };
    effects.extend(divide(model, &room, unread));
    true
}

/// A message of somebody else's has arrived and is shown.
pub(crate) fn arrived(model: &mut Model, room: &RoomName) {
    let here = room.is_direct() || model.rooms.is_here(room);
    if let Some(member) = model.rooms.find_mut(room)
        && !here
    {
        member.unread += 1;
    }
}

/// Tells the server what has been read since it was told last.
pub(crate) fn tell(model: &mut Model) -> Vec<Effect> {
    if model.reading || !model.attention || model.front != Front::Terminal {
        return Vec::new();
    }
    let read: Vec<_> = model
        .rooms
        .iter()
        .filter(|member| member.room.is_direct() || model.rooms.is_here(&member.room))
        .filter(|member| !model.entering.iter().any(|entering| entering.room == member.room))
        .filter_map(|member| Some((member.room.clone(), member.to_read()?)))
        .collect();
    let mut effects = Vec::new();
    for (room, seq) in read {
        if let Some(member) = model.rooms.find_mut(&room) {
            member.has_read(seq);
        }
        effects.push(Effect::Send(model.request(Command::Read { room, seq })));
    }
    if !effects.is_empty() {
        model.reading = true;
        effects.push(Effect::Wait(Timer::Read, TOLD_EVERY));
    }
    effects
}

fn take(model: &mut Model, id: Option<&RequestId>) -> Option<Entering> {
    let index = model.entering.iter().position(|entering| Some(&entering.id) == id)?;
    Some(model.entering.remove(index))
}

/// Without its messages, only how many there are.
fn divide(model: &mut Model, room: &RoomName, unread: usize) -> Vec<Effect> {
    if let Some(member) = model.rooms.find_mut(room) {
        member.unread = 0;
    }
    match unread {
        0 => Vec::new(),
        _ => vec![Effect::Show(Line::Divider(format!("{} {}", words::unread(unread), words::place(room))))],
    }
}
