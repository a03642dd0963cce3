//! After a broken connection: what was under way is sent again only if it had not arrived.
//!
//! The server may have taken a message whose ack was lost. So the log is asked, from the position
//! at which reading stood, and a message there with the same author, place and text settles the
//! oldest such one. The limit of this: somebody who, under the same nickname, wrote exactly that
//! from elsewhere meanwhile is taken for oneself; and the message that was to open a direct
//! conversation, which has no position yet, is sent again without a look.

use crosstalk_protocol::{Command, History, HistoryRange, RequestId, Seq, Target, limits};

use crate::message::Effect;
use crate::model::Model;

/// Remembers where reading stood. The connection may break again before everything is settled:
/// what was remembered first counts.
pub(crate) fn connection_broke(model: &mut Model) {
    model.outbox.lose_connection();
    model.check = None;
    if model.outbox.unsure().is_none() {
        model.broke_at.clear();
        return;
    }
    for (room, position) in model.rooms.positions() {
        model.broke_at.entry(room.clone()).or_insert(position);
    }
}

/// Begins to look for the oldest unsure message, unless that is being done.
pub(crate) fn check(model: &mut Model) -> Vec<Effect> {
    while model.check.is_none() {
        let Some(to) = model.outbox.unsure().cloned() else {
            model.broke_at.clear();
            break;
        };
        match seen_up_to(model, &to) {
            Some(seq) => return vec![look(model, to, seq)],
            None => model.outbox.send_again(&to),
        }
    }
    Vec::new()
}

/// The answer to a look. `false` if it is the answer to something else.
pub(crate) fn looked(
    model: &mut Model,
    id: Option<&RequestId>,
    history: &History,
    effects: &mut Vec<Effect>,
) -> bool {
    let Some((_, to)) = model.check.take_if(|(check, _)| Some(&*check) == id) else { return false };
    model.outbox.settle(&history.messages);
    match history.messages.last() {
        Some(last) if history.more && model.outbox.unsure() == Some(&to) => {
            let seq = last.seq;
            effects.push(look(model, to, seq));
        }
        _ => model.outbox.send_again(&to),
    }
    true
}

/// The look was refused: the room is gone, say. Sending tells more. `false` if it was no look.
pub(crate) fn look_refused(model: &mut Model, id: &RequestId) -> bool {
    let Some((_, to)) = model.check.take_if(|(check, _)| check == id) else { return false };
    model.outbox.send_again(&to);
    true
}

/// The position in the log behind which an unsure message would be. `None` if it cannot be there:
/// the log is unknown, or has begun a new life.
fn seen_up_to(model: &Model, to: &Target) -> Option<Seq> {
    let room = match to {
        Target::Room(room) => room,
        Target::User(nick) => model.rooms.direct_with(nick)?,
    };
    let before = model.broke_at.get(room)?;
    let now = model.rooms.position(room)?;
    (before.epoch == now.epoch).then_some(before.seq)
}

fn look(model: &mut Model, to: Target, after: Seq) -> Effect {
    let range = HistoryRange::After(after);
    let request = model.request(Command::History { of: to.clone(), range, limit: limits::PAGE_MAX });
    model.check = request.id.clone().map(|id| (id, to));
    Effect::Send(request)
}
