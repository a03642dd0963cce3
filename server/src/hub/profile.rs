//! What a person is known by and has done, besides what they say: their nickname, whether they are
//! out of sight, how far they have read. What one of their connections changes, the others are told.

use std::sync::Arc;

use crosstalk_protocol::line::render::Notice;
use crosstalk_protocol::{ErrorReply, Event, Nick, Rename, Seq};

use super::{Hub, now_ms, queue_full};
use crate::peer::{Mail, Peer};
use crate::room::Room;
use crate::segment::Body;
use crate::sequencer::{Content, Draft};
use crate::store::{Answer, Change};
use crate::user::User;

impl Hub {
    /// Gives a person another nickname, and tells their other connections and the rooms they are in.
    ///
    /// # Errors
    /// `nick-taken`, `busy`.
    pub async fn rename(&self, peer: &Peer, to: &Nick) -> Result<(), ErrorReply> {
        self.people.let_go(to);
        let user = &peer.user;
        let turn = user.turn();
        let rooms: Vec<Arc<Room>> = user.places().seats.iter().map(|seat| seat.room.clone()).collect();
        let Ok(mut permits) = self.queue.try_reserve_many(rooms.len()) else { return Err(queue_full()) };
        let from = self.people.rename(user, to)?;
        for room in rooms {
            // Public rooms know who is out of sight; a conversation of two does not.
            if room.pair.is_some() && user.is_hidden() {
                continue;
            }
            if let Some(number) = room.rename(&from, to)
                && let Some(permit) = permits.next()
            {
                let rename = Rename { room: room.name.clone(), from: from.clone(), to: to.clone() };
                let body = Body::Renamed { number, rename, on_lines: room.name.is_lobby() };
                let content = Content::People { body, about: Some(peer.id) };
                permit.send(Draft { room, content });
            }
        }
        user.tell_others(peer.id, || Mail::Told(Event::Nick { id: None, nick: to.clone() }));
        let saved = self.save(user);
        drop(turn);
        self.see_stored(saved, "a new nickname").await;
        Ok(())
    }

    /// Takes a person out of sight, or brings them back, and tells their other connections.
    pub async fn set_hidden(&self, peer: &Peer, hidden: bool) {
        let user = &peer.user;
        let turn = user.turn();
        if user.is_hidden() == hidden {
            return;
        }
        let nick = if hidden { self.people.hide(user) } else { self.people.reveal(user) };
        let rooms: Vec<Arc<Room>> = user.places().seats.iter().map(|seat| seat.room.clone()).collect();
        for room in &rooms {
            let announce = |announcement| self.announce(room, announcement, peer.id);
            let in_lobby = room.name.is_lobby();
            if hidden {
                let notice = in_lobby.then(|| Notice::Offline { nick: nick.clone(), quit: false });
                room.hide(&nick, notice, announce);
            } else {
                let notice = in_lobby.then(|| Notice::Online(nick.clone()));
                room.reveal(nick.clone(), notice, announce);
            }
        }
        user.tell_others(peer.id, || Mail::Told(Event::Hidden { id: None, hidden }));
        let saved = self.save(user);
        drop(turn);
        self.see_stored(saved, "who is out of sight").await;
    }

    /// Notes how far a person has read a room they are in, and tells their other connections. Returns
    /// how far that is: it never moves back, and not beyond what there is.
    pub fn note_read(&self, peer: &Peer, room: &Room, seq: Seq) -> Seq {
        let user = &peer.user;
        let mut places = user.places();
        let Some(seat) = places.seat(room.id) else { return 0 };
        let seq = seq.min(room.log.last_seq());
        if seq <= seat.read {
            return seat.read;
        }
        seat.read = seq;
        drop(places);
        let told = || Mail::Told(Event::Read { id: None, room: room.name.clone(), seq });
        user.tell_others(peer.id, told);
        if user.token().is_some() {
            self.change(Change::Read { user: user.id, room: room.id, seq });
        }
        seq
    }

    /// Has the store remember a person as they are now, if they can come back.
    pub(super) fn save(&self, user: &User) -> Option<Answer<'_, ()>> {
        saved(user).map(|change| self.store.change(change))
    }

    /// Waits until a change is stored, so that a crash does not take back what somebody was told. If
    /// it cannot be stored, it is true all the same as long as the server runs.
    pub(super) async fn see_stored(&self, stored: Option<Answer<'_, ()>>, what: &str) {
        if let Some(stored) = stored
            && let Err(error) = stored.await
        {
            tracing::warn!(%error, what, "not stored");
        }
    }
}

/// A person as the store is to remember them; `None` if they cannot come back.
pub(super) fn saved(user: &User) -> Option<Change> {
    let token = user.token()?;
    Some(Change::SaveUser { id: user.id, token, nick: user.nick(), hidden: user.is_hidden(), at: now_ms() })
}
