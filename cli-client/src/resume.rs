//! After a broken connection: what was under way is sent again only if it had not arrived.
//!
//! The server may have taken a message whose ack was lost. So the log is asked, from the place that
//! had been read when the message was sent, and an entry there with the same author, place and text
//! settles the oldest such one. Entries that an ack or an earlier look has accounted for are left
//! out: people do say "ok" twice. The limits of this: somebody who, under the same nickname, wrote
//! exactly that from elsewhere meanwhile is taken for oneself; and the message that was to open a
//! direct conversation, of whose log nothing is known yet, is sent again without a look.

use crosstalk_protocol::{Command, History, HistoryRange, RequestId, Seq, Target};

use crate::message::Effect;
use crate::model::Model;

/// Messages looked at in one answer: few, so that a link on which little passes between two breaks
/// gets on all the same.
const LOOK_PAGE: usize = 20;

/// Begins to look for the oldest unsure message, unless that is being done.
pub(crate) fn check(model: &mut Model) -> Vec<Effect> {
    while model.check.is_none()
        && let Some((to, behind)) = model.outbox.unsure()
    {
        let to = to.clone();
        let position = model.rooms.room_of(&to).and_then(|room| model.rooms.position(room));
        match (behind, position) {
            (Some(behind), Some(now)) if behind.epoch == now.epoch => {
                return vec![look(model, to, behind.seq)];
            }
            // It cannot be there: the log has begun a new life, or nothing is known of it.
            _ => model.outbox.send_again(&to),
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
    if let Some(last) = history.messages.last() {
        model.rooms.settle(&history.room, last.seq);
    }
    let goes_on = history.more && !history.messages.is_empty();
    if goes_on && model.outbox.unsure().is_some_and(|(unsure, _)| *unsure == to) {
        effects.push(look(model, to, 0));
    } else {
        model.outbox.send_again(&to);
    }
    true
}

/// The look was refused: the room is gone, say. Sending tells more. `false` if it was no look.
pub(crate) fn look_refused(model: &mut Model, id: &RequestId) -> bool {
    let Some((_, to)) = model.check.take_if(|(check, _)| check == id) else { return false };
    model.outbox.send_again(&to);
    true
}

fn look(model: &mut Model, to: Target, behind: Seq) -> Effect {
    let settled = model.rooms.room_of(&to).map_or(0, |room| model.rooms.settled(room));
    let range = HistoryRange::After(behind.max(settled));
    let request = model.request(Command::History { of: to.clone(), range, limit: LOOK_PAGE });
    model.check = request.id.clone().map(|id| (id, to));
    Effect::Send(request)
}
